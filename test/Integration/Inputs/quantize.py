# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds compiled a2q.quantize and a2q.dequantize against exact fractions.

    quantize.py WORKDIR [option of a2q-run ...]

Every rounding meets every type on ties, neighbours of ties, NaN, infinities,
signed zeros, saturating values and random ones.
"""

import itertools
import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np

ROUNDINGS = ["half_even", "half_up", "half_away", "toward_zero", "floor"]
# text of the type, lo, hi, scales, zero points, NumPy type
TYPES = [
    ("u8:f32, 0.5:3", 0, 255, [0.5], [3], np.uint8),
    ("u4:f32, 0.1", 0, 15, [0.1], [0], np.uint8),
    ("i4<-7:7>:f32, 0.3", -7, 7, [0.3], [0], np.int8),
    ("i16:f32, 0.001:-300", -32768, 32767, [0.001], [-300], np.int16),
    ("u16:f32, 0.5:65535", 0, 65535, [0.5], [65535], np.uint16),
    ("i32:f32, 0.125:-2147483648", -2**31, 2**31 - 1, [0.125], [-2**31],
     np.int32),
    ("u8:f32:1, {0.5:3, 0.1:250}", 0, 255, [0.5, 0.1], [3, 250], np.uint8),
]


def round_exactly(value, rounding):
    floor = math.floor(value)
    if floor == value:
        return floor
    half = value - floor - Fraction(1, 2)
    up = {
        "half_even": half > 0 or (half == 0 and floor % 2 == 1),
        "half_up": half >= 0,
        "half_away": half > 0 or (half == 0 and floor >= 0),
        "toward_zero": floor < 0,
        "floor": False,
    }[rounding]
    return floor + up


def quantize(x, rounding, lo, hi, scale, zero):
    with np.errstate(all="ignore"):
        quotient = np.float32(x) / np.float32(scale)
    if np.isnan(quotient):
        code = zero
    elif np.isinf(quotient):
        code = hi if quotient > 0 else lo
    else:
        code = round_exactly(Fraction(float(quotient)), rounding) + zero
    return min(max(code, lo), hi)


def inputs():
    rng = np.random.default_rng(5)
    ties = np.arange(-20, 20, dtype=np.float32) / 4
    near = np.concatenate([np.nextafter(ties, np.float32(-np.inf)),
                           np.nextafter(ties, np.float32(np.inf))])
    # 2**23 + 1 is the first odd integer of which a half is lost.
    large = [s * v for s in (1, -1) for v in
             (127.4, 127.5, 255.5, 32767.5, 65535.5, 2.0**23 + 1, 2.0**24,
              2.0**31, 2.0**32, 3e38, np.inf, 1e-45, 0.0, 0.49999997)]
    values = np.concatenate([ties, near, np.array(large + [np.nan], np.float32),
                             rng.normal(0, 1, 200).astype(np.float32),
                             rng.normal(0, 300, 200).astype(np.float32)])
    if len(values) % 2:
        values = np.append(values, np.float32(1))
    return values.reshape(-1, 2).astype(np.float32)


def main():
    work, options = sys.argv[1], sys.argv[2:]
    os.makedirs(work, exist_ok=True)
    path = lambda name: os.path.join(work, name)
    x = inputs()
    shape = f"{x.shape[0]}x{x.shape[1]}"
    body, names, types = [], [], []
    cases = list(itertools.product(ROUNDINGS, TYPES))
    for number, (rounding, (text, *_)) in enumerate(cases):
        codes = f"tensor<{shape}x!quant.uniform<{text}>>"
        body += [f"%q{number} = a2q.quantize %x rounding {rounding} : "
                 f"tensor<{shape}xf32> to {codes}",
                 f"%d{number} = a2q.dequantize %q{number} : {codes} to "
                 f"tensor<{shape}xf32>"]
        names += [f"%q{number}", f"%d{number}"]
        types += [codes, f"tensor<{shape}xf32>"]
    with open(path("quantize.mlir"), "w") as f:
        f.write(f"func.func @main(%x: tensor<{shape}xf32>) -> "
                f"({', '.join(types)}) {{\n  " + "\n  ".join(body) +
                f"\n  return {', '.join(names)} : {', '.join(types)}\n}}\n")
    np.save(path("x.npy"), x)
    files = [path(f"y{i}.npy") for i in range(len(names))]
    subprocess.run(["a2q-run", path("quantize.mlir"), "--input", path("x.npy"),
                    *[f"--output={f}" for f in files], *options], check=True)

    for number, (rounding, (text, lo, hi, scales, zeros, kind)) in enumerate(
            cases):
        got = np.load(files[2 * number])
        assert got.dtype == kind, (text, got.dtype)
        for index, value in np.ndenumerate(x):
            scale = scales[index[1] % len(scales)]
            zero = zeros[index[1] % len(zeros)]
            expected = quantize(value, rounding, lo, hi, scale, zero)
            assert got[index] == expected, (
                f"{text}, {rounding}: {value!r} gave {got[index]}, "
                f"expected {expected}")
        real = np.load(files[2 * number + 1])
        scale = np.array(scales, np.float32)
        # One rounding to float32 of an exact difference, then one product.
        difference = (got.astype(np.int64) - np.array(zeros)).astype(np.float32)
        assert np.array_equal(real, difference * scale), (text, rounding)
    print(f"{len(cases)} cases of {x.size} values agree")


main()
