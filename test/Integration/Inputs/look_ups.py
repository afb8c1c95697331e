# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs layers of weights of one or two bits on look-ups against exact integers.

    look_ups.py --isa=avx2 [--sums=16] [--only=PREFIX] [--work=DIR]

Every layer becomes look-ups, whatever it costs: when one does not, this says so
and fails.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
import kernels  # noqa: E402
from layers import Codes, Decode, Layer, Requantize  # noqa: E402

U1, U2, U3, U4 = Codes(0, 1), Codes(0, 3), Codes(0, 7), Codes(0, 15)
U8 = Codes(0, 255)
TERNARY, BINARY = (-1, 0, 1), (-1, 1)


def layers():
    rng = np.random.default_rng(0)
    result = []

    def add(name, x, values, weights, shape, consumer=None, **more):
        if not isinstance(weights, np.ndarray):
            weights = rng.choice(values, weights)
        result.append(Layer(name, x, weights.astype(np.int64), shape,
                            [consumer or Decode(32)], **more))

    # 33 channels are one more than any vector of weights of one bit has with
    # AVX2; 9 rows one more than a block; 72 codes are nine whole steps.
    for name, values in {
            "binary": BINARY, "ternary": TERNARY, "two-bits": (-2, -1, 0, 1),
            "mirrored": (-1, 0, 1, 2), "unsigned": (0, 1, 2, 3),
            "uneven": (0, 3, -5, -2), "pair": (7, -9)}.items():
        add(name, U2, values, (33, 72), (9, 72))
    # Codes beyond whole steps, whole tables, and fewer than one table holds.
    for length in (70, 13, 3):
        add(f"rest-{length}", U2, TERNARY, (40, length), (9, length))
        add(f"rest-{length}-binary", U2, BINARY, (40, length), (9, length))
    # One row, one channel, both; and several whole blocks.
    add("row", U2, TERNARY, (64, 64), (1, 64))
    add("channel", U2, TERNARY, (1, 64), (10, 64))
    add("single", U2, BINARY, (1, 8), (1, 8))
    add("blocks", U2, BINARY, (192, 40), (16, 40))
    add("blocks-ternary", U2, TERNARY, (100, 40), (17, 40))
    # Both ends of the codes of weights: nothing cancels.
    for value in (-2, 1):
        add(f"constant{value}", U2, (), np.full((16, 400), value), (8, 400))
    add("constant-zero", U2, (), np.zeros((16, 40)), (8, 40))
    for value in BINARY:
        add(f"constant-binary{value}", U2, (), np.full((32, 400), value),
            (8, 400))
    # Wider codes have shorter tiles; 31 is the most that a step holds, and 16
    # has no place for a start at either end but the centre.
    add("one-bit", U1, TERNARY, (32, 600), (8, 600))
    add("three-bits", U3, TERNARY, (32, 200), (8, 200))
    add("four-bits", U4, (-2, -1, 0, 1), (32, 200), (8, 200))
    add("five-bits", Codes(0, 31), (-2, -1, 0, 1), (32, 200), (8, 200))
    add("five-bits-binary", Codes(0, 31), BINARY, (32, 200), (8, 200))
    add("from-two", Codes(2, 3, 2), TERNARY, (32, 200), (8, 200))
    # With both signs a code may have one, and 16 bits hold tables of them.
    add("signed", Codes(-8, 7), BINARY, (32, 200), (8, 200))
    add("bipolar", Codes(-1, 1), BINARY, (32, 200), (8, 200))
    # Sums beyond 16 bits: a third stage, and one that the initial value asks
    # for.
    add("third-stage", U4, (), np.full((16, 4800), -2), (8, 4800))
    add("third-stage-binary", U4, (), np.full((16, 4800), 1), (8, 4800))
    add("initial", U2, TERNARY, (16, 64), (8, 64),
        initial=[int(v) for v in rng.integers(-9, 9, 16)])
    add("initial-wide", U2, TERNARY, (16, 64), (8, 64),
        initial=[int(v) for v in rng.integers(-1 << 20, 1 << 20, 16)])
    # Convolutions: pixels of whole steps and of parts, windows that stride and
    # dilate, a border of codes that are not 0.
    square = dict(padding=(1, 1, 1, 1))
    for channels in (16, 12, 3):
        add(f"conv-{channels}", U2, TERNARY, (20, 3, 3, channels),
            (1, 7, 9, channels), **square)
        add(f"conv-{channels}-binary", U2, BINARY, (40, 3, 3, channels),
            (1, 7, 9, channels), **square)
    add("conv-batch", U2, TERNARY, (20, 3, 3, 8), (3, 5, 5, 8), **square)
    add("conv-pointwise", U2, TERNARY, (70, 1, 1, 24), (1, 5, 5, 24))
    add("conv-zero-point", Codes(0, 3, 2), TERNARY, (20, 3, 3, 8),
        (1, 6, 6, 8), **square)
    add("conv-strides", U2, TERNARY, (20, 3, 3, 8), (1, 9, 11, 8),
        strides=(2, 2), **square)
    add("conv-dilated", U2, BINARY, (20, 3, 3, 8), (1, 9, 11, 8),
        dilations=(2, 2), padding=(2, 2, 2, 2))
    # Codes as results.
    add("requantize", U2, TERNARY, (64, 3, 3, 16), (1, 8, 8, 16),
        Requantize(U2, [0.07], bias=[int(v) for v in rng.integers(-9, 9, 64)]),
        **square)
    add("requantize-wide", U3, BINARY, (33, 72), (9, 72),
        Requantize(U8, [float(v) for v in rng.uniform(.1, 2, 33)]))
    return result


def count_look_ups(path, options, count):
    """Fails unless every layer became look-ups in tables of so many sums."""
    done = subprocess.run(
        ["a2q-opt", path, f"--convert-a2q-to-vector=isa={options.isa} "
         f"planes=never look-ups={options.sums}", "-o", os.devnull,
         "--remarks-filter=a2q-kernels"], capture_output=True, text=True)
    found = len(re.findall("the kernel is look-ups .* tables of "
                           f"{options.sums} sums", done.stderr))
    if found != count:
        sys.exit(f"{found} of {count} layers are look-ups\n{done.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--isa", default="avx2")
    parser.add_argument("--sums", type=int, default=16)
    parser.add_argument("--only", default="")
    parser.add_argument("--work")
    options = parser.parse_args()
    chosen = [l for l in layers() if l.name.startswith(options.only)]
    work = options.work or tempfile.mkdtemp(prefix="a2q-look-ups-")
    os.makedirs(work, exist_ok=True)
    library = kernels.compile_module(
        kernels.function([l.emit(i) for i, l in enumerate(chosen)]),
        options.isa, False, work, f" planes=never look-ups={options.sums}")
    count_look_ups(os.path.join(work, "in.mlir"), options, len(chosen))
    rng = np.random.default_rng(1)
    failures = sum(kernels.run(library, chosen, kind, rng)
                   for kind in ("random", "lo", "hi", "upper", "lower"))
    print(f"{len(chosen)} layers, {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
