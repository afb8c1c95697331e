# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints layers of 64 channels, 3x3 on 28x28, with so many units per channel.

    sparse.py UNITS...

One layer per number; each reads the codes of the one before.
"""

import sys

import numpy as np

IMAGE = "tensor<1x28x28x64x!x>"
FILTER = "tensor<64x3x3x64x{}>"
SUMS = "tensor<1x28x28x64x!a2q.acc<16>>"


def main():
    rng = np.random.default_rng(0)
    print("!x = !quant.uniform<u8<0:15>:f32, 0.1>\n"
          "!w = !quant.uniform<i8<-7:7>:f32, 0.1>\n"
          f"func.func @main(%v0: {IMAGE}) -> {IMAGE} {{")
    for i, units in enumerate(map(int, sys.argv[1:])):
        weights = np.zeros((64, 576), np.int8)
        for row in weights:
            row[rng.permutation(576)[:units]] = rng.choice([-1, 1], units)
        print(f"""  %c{i} = arith.constant dense<"0x{weights.tobytes().hex()}"> :
      {FILTER.format("i8")}
  %w{i} = quant.scast %c{i} : {FILTER.format("i8")} to {FILTER.format("!w")}
  %a{i} = a2q.conv_2d %v{i}, %w{i} strides [1, 1] dilations [1, 1]
      padding [1, 1, 1, 1] groups 1 : {IMAGE}, {FILTER.format("!w")} -> {SUMS}
      loc("layer{i}")
  %v{i + 1} = a2q.requantize %a{i} multiplier dense<0.05> : tensor<1xf32>
      : {SUMS} to {IMAGE}""")
    print(f"  return %v{len(sys.argv) - 1} : {IMAGE}\n}}")


if __name__ == "__main__":
    main()
