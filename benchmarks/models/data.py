# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs of the measured models, made of what any Debian machine has."""

import functools
import glob
import json
import os
import random
import re

import numpy as np

FONTS = "/usr/share/fonts/truetype/dejavu/DejaVu*.ttf"


def words(count, rng):
    """Words of the installed packages' descriptions."""
    with open("/var/lib/dpkg/status", encoding="utf-8") as file:
        found = sorted(set(re.findall(r"\b[A-Za-z]{3,9}\b", file.read())))
    return [rng.choice(found) for _ in range(count)]


def line(text, rng, height, width):
    """A rendered text line, [3, height, width] from -1 to 1; small, noisy and skewed."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(rng.choice(sorted(glob.glob(FONTS))), rng.randint(20, 34))
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (right - left + 16, bottom - top + 12), rng.randint(190, 255))
    ImageDraw.Draw(image).text((8 - left, 6 - top), text, font=font, fill=rng.randint(0, 70))
    image = image.rotate(rng.uniform(-2, 2), fillcolor=220, expand=False)
    scaled = max(1, min(width, round(image.width * height / image.height)))
    pixels = np.asarray(image.resize((scaled, height)), np.float32)
    pixels += np.random.default_rng(rng.randrange(2**32)).normal(0, 12, pixels.shape)
    canvas = np.zeros((height, width), np.float32)
    canvas[:, :scaled] = np.clip(pixels, 0, 255) / 127.5 - 1
    return np.repeat(canvas[None], 3, 0).astype(np.float32), scaled


def directions(count, seed):
    """Text lines, every other one upside down; the label is which."""
    rng = random.Random(seed)
    images, labels = [], []
    for index in range(count):
        image, scaled = line(" ".join(words(2, rng)), rng, 48, 192)
        if index % 2:
            image[:, :, :scaled] = image[:, ::-1, :scaled][:, :, ::-1]
        images.append(image)
        labels.append(index % 2)
    return {"x": np.stack(images)}, labels


def texts(count, seed):
    """Text lines and what they say."""
    rng = random.Random(seed)
    said = [" ".join(words(3, rng)) for _ in range(count)]
    return {"x": np.stack([line(text, rng, 48, 480)[0] for text in said])}, said


def features(content):
    """Magika's: the first and the last 1024 bytes without blanks around, padded by 256."""
    begin = np.full(1024, 256, np.int32)
    end = np.full(1024, 256, np.int32)
    head, tail = content[:4096].lstrip()[:1024], content[-4096:].rstrip()[-1024:]
    begin[:len(head)] = np.frombuffer(head, np.uint8)
    if tail:
        end[-len(tail):] = np.frombuffer(tail, np.uint8)
    return np.concatenate([begin, end])


EXTENSIONS = {"py": "python", "h": "c", "hpp": "cpp", "pl": "perl", "pm": "perl", "sh": "shell",
              "xml": "xml", "json": "json", "html": "html", "css": "css", "js": "javascript",
              "md": "markdown", "so": "elf", "gz": "gzip", "ttf": "ttf", "png": "png",
              "svg": "svg", "pyc": "pythonbytecode", "cmake": "cmake", "yaml": "yaml"}


@functools.cache
def found_files(folder):
    """Paths by what their extension says."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            label = EXTENSIONS.get(name.rpartition(".")[2])
            path = os.path.join(root, name)
            if label and os.path.isfile(path) and os.path.getsize(path) > 64:
                found.setdefault(label, []).append(path)
    return found


def files(count, seed, folder="/usr"):
    """Files of this machine; the label is what their extension says."""
    with open(os.environ["MAGIKA_CONFIG"], encoding="utf-8") as file:
        space = json.load(file)["target_labels_space"]
    rng = random.Random(seed)
    found = {label: paths for label, paths in found_files(folder).items() if label in space}
    inputs, labels = [], []
    kinds = sorted(found)
    for index in range(count):
        label = kinds[index % len(kinds)]
        with open(rng.choice(found[label]), "rb") as file:
            inputs.append(features(file.read()))
        labels.append(space.index(label))
    return {"bytes": np.stack(inputs)}, labels


def descriptions(count, seed, tokenizer):
    """Package descriptions; the label is the section of the archive."""
    with open("/var/lib/dpkg/status", encoding="utf-8") as file:
        packages = file.read().split("\n\n")
    found = []
    for package in packages:
        section = re.search(r"^Section: (.*)$", package, re.M)
        text = re.search(r"^Description: (.*(?:\n .*)*)", package, re.M)
        if section and text:
            found.append((section[1], re.sub(r"\s+", " ", text[1])))
    random.Random(seed).shuffle(found)
    ids, mask = tokenizer([text for _, text in found[:count]])
    return {"input_ids": ids, "attention_mask": mask}, [section for section, _ in found[:count]]
