#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws the images of the task glyphs: characters of many fonts.

    apt-get install fonts-cantarell fonts-cmu fonts-crosextra-carlito \\
        fonts-croscore fonts-dejavu fonts-ebgaramond fonts-firacode \\
        fonts-freefont-ttf fonts-hack fonts-inter fonts-jetbrains-mono fonts-lato \\
        fonts-liberation fonts-linuxlibertine fonts-noto-core fonts-noto-mono \\
        fonts-open-sans fonts-play fonts-roboto-slab fonts-roboto-unhinted \\
        fonts-vollkorn
    pip install numpy pillow==13.0.0
    glyphs.py --output build/training/glyphs.npz

Classes are the letters and digits of Latin, Greek and Cyrillic scripts that look
different from one another; where two scripts share a shape (A, Alpha) the first
one counts. Every image is drawn anew, turned, sheared, scaled, moved, blurred
and made noisy. Some designs are held out as a whole, with all their relatives:
the test's fonts are never seen in training. Which families there were is written
beside the images.
"""

import argparse
import string
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 32
# Drawn this large and then reduced.
CANVAS = 96
# Letters of Greek and Cyrillic that look like none before them.
GREEK = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπρστφχψω"
CYRILLIC = "БГДЖЗИЙЛПУФЦЧШЩЪЫЬЭЮЯбвгджзийклмнптфцчшщъыьэюя"
LATIN_MORE = "ÄÀÁÂÃÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿĀāĂăĄąĆćĈĉČčĎĐđĒēĘęĚěĜĝĞğĢĤĥĦħĨĩĪīĮįĴĵĶķĹĻĽŁłŃńŅņŇňŌōŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤŦŧŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽž"
SIGNS = "!?&@#$%+=<>()[]{}/*"
CHARACTERS = (string.digits + string.ascii_letters + GREEK + CYRILLIC + LATIN_MORE
              + SIGNS)
# No relative of theirs is in training: sans, serif and monospaced ones.
HELD_OUT = ("Cantarell", "EB Garamond", "Free", "JetBrains Mono", "Play", "Vollkorn")


def held_out(family):
    return family.startswith(HELD_OUT)


def find_fonts(folder):
    """{family: [path]} of the fonts that draw all characters."""
    families = {}
    for path in sorted(Path(folder).rglob("*.[to]tf")):
        try:
            font = ImageFont.truetype(str(path), 40)
            missing = bytes(font.getmask("\U0010fffd"))
            shapes = [bytes(font.getmask(character)) for character in CHARACTERS]
        except OSError:
            continue
        if all(any(shape) and shape != missing for shape in shapes):
            families.setdefault(font.getname()[0], []).append(path)
    return families


def draw(font, character, random):
    """One image, uint8 [SIZE, SIZE], light on dark or dark on light."""
    canvas = Image.new("L", (CANVAS, CANVAS), 0)
    ImageDraw.Draw(canvas).text((CANVAS / 2, CANVAS / 2), character, 255, font, "mm")
    angle, shear = random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2)
    scale = random.uniform(0.8, 1.25, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, shear], [0, 1]]) @ np.diag(scale)
    centre = np.full(2, CANVAS / 2)
    offset = centre - matrix @ (centre + random.uniform(-6, 6, 2))
    coefficients = [*matrix[0], offset[0], *matrix[1], offset[1]]
    canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, coefficients,
                              Image.Resampling.BILINEAR)
    canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0, 2.5)))
    pixels = np.asarray(canvas.resize((SIZE, SIZE), Image.Resampling.BOX), float) / 255
    low, high = np.sort(random.uniform(0, 1, 2))
    if high - low < 0.3:
        low, high = 0.2, 0.8
    if random.rand() < 0.5:
        low, high = high, low
    pixels = low + (high - low) * pixels
    pixels += random.normal(0, random.uniform(0, 0.08), pixels.shape)
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def draw_all(paths, per_class, random):
    """per_class images of every character, fonts in turn at random."""
    fonts = {path: [ImageFont.truetype(str(path), size) for size in (44, 52, 60)]
             for path in paths}
    images, labels = [], []
    for label, character in enumerate(CHARACTERS):
        for _ in range(per_class):
            sizes = fonts[paths[random.randint(len(paths))]]
            images.append(draw(sizes[random.randint(3)], character, random))
            labels.append(label)
    order = random.permutation(len(images))
    return np.array(images)[order], np.array(labels, np.int16)[order]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, default="/usr/share/fonts")
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--test-per-class", type=int, default=10)
    args = parser.parse_args()
    families = find_fonts(args.fonts)
    parts = [[], []]
    for family, paths in families.items():
        parts[held_out(family)] += paths
        print(f"{family}: {len(paths)} fonts"
              f"{', held out' if held_out(family) else ''}")
    if not all(parts):
        sys.exit(f"{args.fonts} has {len(families)} families with all characters; "
                 "both parts need some: install more of the fonts named above")
    random = np.random.RandomState(0)
    images, labels = draw_all(parts[0], args.per_class, random)
    test_images, test_labels = draw_all(parts[1], args.test_per_class, random)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.output, images=images, labels=labels,
                        test_images=test_images, test_labels=test_labels,
                        families=sorted(families), characters=CHARACTERS)
    print(f"{len(CHARACTERS)} classes, {len(images)} and {len(test_images)} images")


if __name__ == "__main__":
    main()
