# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a network whose layers have work for several threads.

A convolution with few channels (its positions are shared) and one with many
(its channels are), a depthwise one, one whose weights are nearly all 0 (a list of
planes), and a product with a single row.
"""

import sys

import numpy as np

RNG = np.random.default_rng(1)
LINES, RESULTS, TYPES = [], [], []


def dims(shape):
    return "x".join(map(str, shape))


def layer(name, op, x, source, shape, result, multiplier, geometry="",
          density=1.0):
    codes = RNG.integers(-7, 8, shape)
    if density < 1:
        codes = np.sign(codes) * (RNG.random(shape) < density)
    raw = codes.astype(np.int8).tobytes().hex()
    sums = f"tensor<{dims(result)}x!a2q.acc<32>>"
    codes = f"tensor<{dims(result)}x!x>"
    LINES.append(f"""
  %{name}c = arith.constant dense<"0x{raw}"> : tensor<{dims(shape)}xi8>
  %{name}w = quant.scast %{name}c : tensor<{dims(shape)}xi8>
    to tensor<{dims(shape)}x!w>
  %{name}a = a2q.{op} {x}, %{name}w {geometry}
    : tensor<{dims(source)}x!x>, tensor<{dims(shape)}x!w> -> {sums}
  %{name} = a2q.requantize %{name}a multiplier dense<{multiplier}>
    : tensor<1xf32> rounding half_even : {sums} to {codes}""")
    RESULTS.append("%" + name)
    TYPES.append(codes)


def conv(name, channels, pad, groups, multiplier, density=1.0):
    size = 18 + 2 * pad
    layer(name, "conv_2d", "%x", (1, 20, 20, 32), (channels, 3, 3, 32 // groups),
          (1, size, size, channels), multiplier,
          f"strides [1, 1] dilations [1, 1] padding {[pad] * 4} groups {groups}",
          density)


conv("narrow", 24, 1, 1, 0.005)
conv("wide", 64, 0, 1, 0.005)
conv("depthwise", 32, 0, 32, 0.05)
conv("sparse", 128, 1, 1, 0.2, 0.02)
LINES.append("""
  %row = tensor.collapse_shape %x [[0], [1, 2, 3]]
    : tensor<1x20x20x32x!x> into tensor<1x12800x!x>""")
layer("product", "matmul", "%row", (1, 12800), (64, 12800), (1, 64), 0.001)

with open(sys.argv[1], "w") as f:
    f.write(f"""!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.1>
func.func @main(%x: tensor<1x20x20x32x!x>) -> ({", ".join(TYPES)}) {{
{"".join(LINES)}
  return {", ".join(RESULTS)} : {", ".join(TYPES)}
}}
""")
