#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Searches a data set for inputs of a network that saturate.

    search.py MODEL.onnx DATA.npy [--output witnesses.npy]

runs the model on an emulated processor without VNNI, as ONNX Runtime runs by
default and in its exact mode, and tells for how many inputs any output differs,
and the answer: the largest output. Those whose answer differs are written, the
ones with the largest difference first; without any, those whose outputs differ.
Exit status 0: no output differs, 1: some do.

The data has the shape of the model's only input, its first dimension being how
many there are. Needs onnxruntime (PyPI), qemu-user-static (Debian).
"""

import argparse
import pathlib
import sys
import tempfile

import numpy as np

import runtime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    args = parser.parse_args()
    data = np.load(args.data)
    with tempfile.TemporaryDirectory() as folder:
        [(exact, found)] = runtime.emulated(folder, [args.model], args.data)
    exact, found = (each.reshape(len(data), -1) for each in (exact, found))
    difference = np.abs(found - exact).max(axis=1)
    differs = difference > 0
    answers = found.argmax(axis=1) != exact.argmax(axis=1)
    print(f"{len(data)} inputs: {differs.sum()} with other outputs, by "
          f"{difference.max():.4g} at most, {answers.sum()} with other answers")
    chosen = answers if answers.any() else differs
    order = np.argsort(-difference, kind="stable")
    order = order[chosen[order]]
    for index in order[:5]:
        print(f"input {index}: {exact[index].argmax()} exactly, "
              f"{found[index].argmax()} by pmaddubsw, "
              f"outputs differ by {difference[index]:.4g}")
    if args.output and len(order):
        np.save(args.output, data[order])
    return int(differs.any())


if __name__ == "__main__":
    sys.exit(main())
