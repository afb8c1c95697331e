#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Asks PyTorch's two x86 engines which products they add in 16 bits.

    ONEDNN_MAX_CPU_ISA=AVX2 python3 pairs_torch.py onednn
    qemu-x86_64-static -cpu Haswell-v4 python3 pairs_torch.py fbgemm

As pairs.py does of ONNX Runtime: an output channel for every two terms, with
weights 127 for these two and codes of 255. Terms are numbered kernel row,
kernel column, input channel. Fails where the pairs are not those that a2q-check
assumes: `channels` of oneDNN, `im2col` of FBGEMM, which pairs the taps of
depthwise convolutions too. Needs torch (PyPI; tried with 2.13.0); oneDNN can be
told to do without VNNI, FBGEMM needs QEMU.
"""

import sys
import warnings

import numpy as np
import torch
from saturating_pairs import neighbours, pairs_of, report

warnings.filterwarnings("ignore")
SCALE = 64770 / 200  # 64770 becomes 200, 32767 becomes 101


def quantized(array):
    return torch._make_per_tensor_quantized_tensor(torch.from_numpy(array), 1, 0)


def convolution(inputs, height, width, groups=1, outputs=16, padding=0):
    """The kernel covers the image, or its middle where there is padding."""
    def codes(weights):
        w = np.tile(weights, (groups, 1)).reshape(-1, height, width, inputs)
        packed = torch.ops.quantized.conv2d_prepack(
            quantized(w.transpose(0, 3, 1, 2).copy()), None, [1, 1],
            [padding, padding], [1, 1], groups)
        x = np.full((1, groups * inputs, height, width), 255, np.uint8)
        y = torch.ops.quantized.conv2d(quantized(x), packed, SCALE, 0)
        return y.int_repr().numpy()[0, :outputs, padding, padding]
    return pairs_of(inputs * height * width, outputs, codes)


def linear(terms, rows):
    def codes(weights):
        packed = torch.ops.quantized.linear_prepack(quantized(weights), None)
        x = np.full((rows, terms), 255, np.uint8)
        y = torch.ops.quantized.linear(quantized(x), packed, SCALE, 0)
        return y.int_repr().numpy()[0]
    return pairs_of(terms, 16, codes)


def main():
    engine = sys.argv[1]
    torch.set_num_threads(1)
    torch.backends.quantized.engine = engine
    onednn = engine == "onednn"
    cases = [
        ("linear, 1 row", linear(7, 1), neighbours(7)),
        ("linear, 3 rows", linear(7, 3), neighbours(7)),
        ("3 channels, 2x2", convolution(3, 2, 2),
         neighbours(12, 3 if onednn else 12)),
        ("4 channels, 1x2", convolution(4, 1, 2), neighbours(8)),
        ("1 channel, 3x3", convolution(1, 3, 3),
         [] if onednn else neighbours(9)),
        ("8 groups of 4, 3x1", convolution(4, 3, 1, 8, 4), neighbours(12)),
        ("depthwise, 8 channels", convolution(1, 3, 3, 8, 1, padding=1),
         [] if onednn else neighbours(9)),
        ("depthwise, 16 channels", convolution(1, 3, 3, 16, 1),
         [] if onednn else neighbours(9)),
    ]
    report(cases, "the engine uses VNNI")


if __name__ == "__main__":
    main()
