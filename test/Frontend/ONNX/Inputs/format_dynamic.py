# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of integers, and dynamic quantization as ONNX Runtime's quantize_dynamic
writes it: the zero point is known when the program runs."""

import numpy as np
from formats import case
from models import I8, U8, Graph
from onnx import TensorProto


def finish(g, x, dtype=np.float32):
    g.output(x, {np.float32: TensorProto.FLOAT, np.int32: TensorProto.INT32,
                 U8: TensorProto.UINT8}[dtype])
    return g.model()


def codes(g, shape, dtype=I8):
    info = np.iinfo(dtype)
    return g.constant(g.rng.integers(info.min, info.max + 1, shape), dtype)


def quantize(g, x, name="quantize"):
    """Codes, scale and zero point."""
    codes = g.node("DynamicQuantizeLinear", [x], name)
    g.nodes[-1].output.extend([name + "_scale", name + "_zero"])
    return codes, name + "_scale", name + "_zero"


@case()
def dynamic_quantize():
    g = Graph(opset=13)
    return finish(g, quantize(g, g.input("x", ("N", 7, 5), np.float32))[0], U8)


@case()
def dynamic_quantize_positive():
    # Without negative numbers the zero point is 0.
    g = Graph(opset=13)
    x = g.node("Relu", [g.input("x", ("N", 7, 5), np.float32)])
    return finish(g, quantize(g, x)[0], U8)


@case()
def matmul_integer():
    g = Graph(opset=13)
    x = g.input("x", ("N", 3, 21), U8)
    y = g.node("MatMulInteger", [x, codes(g, (21, 6)), g.constant(131, U8)], "matmul")
    return finish(g, y, np.int32)


@case()
def matmul_integer_columns():
    # A zero point for each column of the weights.
    g = Graph(opset=13)
    x = g.input("x", ("N", 21), U8)
    y = g.node("MatMulInteger", [x, codes(g, (21, 6), U8), "",
                                 g.constant([128, 130, 125, 128, 131, 127], U8)])
    return finish(g, y, np.int32)


@case()
def conv_integer():
    g = Graph(opset=13)
    x = g.input("x", (2, 3, 7, 6), U8)
    y = g.node("ConvInteger", [x, codes(g, (4, 3, 3, 2), U8), g.constant(77, U8),
                               g.constant(127, U8)], "conv", pads=[1, 0, 2, 1], strides=[2, 1])
    return finish(g, y, np.int32)


@case()
def conv_integer_computed():
    # The zero point is an input: padding is written as the program runs.
    g = Graph(opset=13)
    x, z = g.input("x", (2, 3, 7, 6), U8), g.input("z", (), U8)
    y = g.node("ConvInteger", [x, codes(g, (4, 3, 3, 2)), z], "conv", pads=[1, 0, 2, 1])
    return finish(g, y, np.int32)
