# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a float network to an object file with narrow accumulators.

Quantizes the demo's float network, asks how many bits its sums need, constrains
its weights to several widths, shows what each costs on held-out images, and
writes the narrowest that is good enough as an object file.

    PYTHONPATH=build/release/python build/venv/bin/python examples/python/digits.py
"""

import pathlib
import sys

import numpy as np

import a2q

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "digits"


def accuracy(model: a2q.Model, images: np.ndarray, labels: np.ndarray) -> float:
    scores = model.compile()(images)
    return float((scores.argmax(1) == labels).mean())


def main() -> None:
    # The images have integer pixels; the float network takes reals.
    pixels = np.load(FOLDER / "images.npy")
    labels = np.load(FOLDER / "labels.npy")
    network = a2q.load(FOLDER / "digits-float.onnx")
    images = pixels.astype(network.inputs[0].dtype)
    half = len(images) // 2
    seen, held_out = images[:half], images[half:]

    quantized = a2q.quantize(network, seen, weight_bits=4, activation_bits=4)
    print(quantized.prove())

    print(f"\nfloat   {accuracy(network, held_out, labels[half:]):8.2%}")
    print(f"4 bits  {accuracy(quantized, held_out, labels[half:]):8.2%}")
    chosen = quantized
    for width in (13, 12, 11, 10, 9, 8):
        narrow = a2q.quantize(
            network, seen, weight_bits=4, activation_bits=4, width=width, tile=72
        )
        share = accuracy(narrow, held_out, labels[half:])
        print(f"{width} bits for 72 products {share:8.2%}")
        if share >= 0.9:
            chosen = narrow

    target = sys.argv[1] if len(sys.argv) > 1 else "digits.o"
    chosen.compile(prefix="digits").save_object(target)
    print(f"\n{chosen.report()}\n\nwrote {target} and its header")


if __name__ == "__main__":
    main()
