# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers that run.py measures, each with the reason why it is there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    reason: str
    rows: int = 0  # of a matrix product; 0: a convolution
    channels: int = 0
    length: int = 0  # of a matrix product
    image: int = 0  # height and width
    inputs: int = 0
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    units: int = 0  # weights of 1 or -1 in a channel; 0: dense
    bits: int = 4  # of the activations of such a layer

    @property
    def output(self):
        return (self.image + 2 * (self.kernel // 2) - self.kernel) \
            // self.stride + 1

    @property
    def macs(self):
        if self.rows:
            return self.rows * self.channels * self.length
        return self.output ** 2 * self.channels * self.kernel ** 2 \
            * self.inputs // self.groups


CASES = [
    Case("gemm", "a 3x3 convolution 256 to 256 at 14x14 after im2col: long "
         "sums, weights that fill half of a level-2 cache",
         rows=196, channels=256, length=2304),
    Case("gemv", "one row: nothing is reused, weights stream from level 2",
         rows=1, channels=1024, length=1024),
    Case("conv3x3", "the first stage of ResNet18: a large image, K = 576",
         image=56, inputs=64, channels=64, kernel=3),
    Case("conv1x1", "K = 64: what surrounds the loop shows",
         image=56, inputs=64, channels=128),
    Case("depthwise", "one product per weight and position, as in MobileNet",
         image=112, inputs=32, channels=32, kernel=3, groups=32),
]

# Layers of few units, their places and signs random, each between two of its
# kind. Measured by sparse.py.
SPARSE = [
    Case("units-56", "17 units of 4-bit codes fill an 8-bit lane: one tile",
         image=56, inputs=64, channels=64, kernel=3, units=17),
    Case("units-28", "the second stage of ResNet18", image=28, inputs=128,
         channels=128, kernel=3, units=17),
    Case("units-14", "rows shorter than a vector", image=14, inputs=256,
         channels=256, kernel=3, units=17),
    Case("units-7", "an image of one vector: nothing shares an index",
         image=7, inputs=512, channels=512, kernel=3, units=17),
    Case("binary-digits", "2-bit codes: 85 units in one tile",
         image=56, inputs=64, channels=64, kernel=3, units=85, bits=2),
    Case("tiles", "12 % dense, 17 units in each 144 weights: many tiles",
         image=28, inputs=128, channels=128, kernel=3, units=136),
    Case("pointwise", "a quarter of the weights of a 1x1 layer",
         image=28, inputs=128, channels=128, units=32),
]

# Bits of weights and activations, and why.
WIDTHS = {
    "w4a8": (4, 8, "tiles of tens of products in 16 bits"),
    "w4a4": (4, 4, "hundreds to thousands of products in 16 bits"),
    "w8a8": (8, 8, "pairs saturate: no 16-bit accumulator without VNNI"),
}

# Weights of one or two bits, drawn evenly from these values, bits of the
# activations, and why. Measured with look-ups and with products.
SUB_BYTE = {
    "binary-a2": ((-1, 1), 2, "one bit of each weight, sums and differences"),
    "ternary-a2": ((-1, 0, 1), 2, "two bits, 21 look-ups in a byte"),
    "w2a2": ((-2, -1, 0, 1), 2, "as ternary: no more than other digits"),
    "w2a4": ((-2, -1, 0, 1), 4, "wider codes fill a byte with 4 look-ups"),
}
SUB_BYTE_CASES = [
    Case("gemm", "see above", rows=196, channels=256, length=2304),
    Case("gemm8", "eight rows, as few as share the weights",
         rows=8, channels=1024, length=1024),
    Case("conv3x3", "nine windows read a table", image=56, inputs=64,
         channels=64, kernel=3),
    Case("conv3x3-14", "more channels", image=14, inputs=256, channels=256,
         kernel=3),
    Case("conv1x1", "a table is read for 128 channels only",
         image=56, inputs=64, channels=128),
    Case("fc", "batch of 64, as behind a pooling", rows=64, channels=1000,
         length=512),
    Case("gemv4096", "one row: weights stream, 2 or 4 MiB of them",
         rows=1, channels=4096, length=4096),
]

# Instructions of the kernels; the processor that they are compiled for, so that
# no register is used which the cap denies; the cap of oneDNN; accumulators.
ISAS = {
    "avx2": ("haswell", "AVX2", (16, 32)),
    "avx512bw": ("skylake-avx512", "AVX512_CORE", (16, 32)),
    "avx512vnni": ("cascadelake", "AVX512_CORE_VNNI", (32,)),
}
SUB_BYTE_ISAS = {
    **ISAS,
    "avx512vbmi": ("icelake-server", "AVX512_CORE_VNNI", (32,)),
}
