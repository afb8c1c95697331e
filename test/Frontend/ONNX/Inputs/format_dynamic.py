# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of integers, and dynamic quantization as ONNX Runtime's quantize_dynamic
writes it: the zero point is known when the program runs."""

import numpy as np
from formats import case
from models import I8, U8, Graph
from onnx import TensorProto

MS = "com.microsoft"


def finish(g, x, dtype=np.float32):
    g.output(x, {np.float32: TensorProto.FLOAT, np.int32: TensorProto.INT32,
                 U8: TensorProto.UINT8}[dtype])
    return g.model()


def codes(g, shape, dtype=I8):
    info = np.iinfo(dtype)
    return g.constant(g.rng.integers(info.min, info.max + 1, shape), dtype)


def reals(g, *shape):
    return g.constant(g.rng.integers(-512, 513, shape) / 391, np.float32)


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
def matmul_integer_batched_weights():
    # A matrix of weights for each of two products of all rows.
    g = Graph(opset=13)
    x = g.input("x", ("N", 1, 4, 21), U8)
    y = g.node("MatMulInteger", [x, codes(g, (2, 21, 6)), g.constant(131, U8),
                                 g.constant(3, I8)], "matmul")
    return finish(g, y, np.int32)


@case()
def matmul_integer_batched_computed():
    # The same; the zero point of the rows is an input.
    g = Graph(opset=13)
    x, z = g.input("x", (4, 21), U8), g.input("z", (), U8)
    y = g.node("MatMulInteger", [x, codes(g, (2, 21, 6), U8), z, g.constant(125, U8)], "matmul")
    return finish(g, y, np.int32)


@case()
def matmul_integer_vectors():
    # One row, and the zero point known as the program runs.
    g = Graph(opset=13)
    x, z = g.input("x", (21,), U8), g.input("z", (), U8)
    y = g.node("MatMulInteger", [x, codes(g, (21, 6)), z], "matmul")
    return finish(g, y, np.int32)


@case()
def matmul_integer_activations():
    # Both sides are computed; their zero points are constants.
    g = Graph(opset=13)
    x, y = g.input("x", (4, 3, 21), U8), g.input("v", (4, 21, 6), I8)
    y = g.node("MatMulInteger", [x, y, g.constant(131, U8), g.constant(-7, I8)], "matmul")
    return finish(g, y, np.int32)


@case()
def matmul_integer_matrices():
    # Two matrices, whose zero points are inputs.
    g = Graph(opset=13)
    x, y = g.input("x", (7, 21), U8), g.input("v", (21, 6), I8)
    z = [g.input("xz", (), U8), g.input("yz", (1,), I8)]
    return finish(g, g.node("MatMulInteger", [x, y] + z, "matmul"), np.int32)


@case()
def matmul_integer_scores():
    # What quantize_dynamic makes of attention: one batch is shared by several.
    g = Graph(opset=13)
    q, qs, qz = quantize(g, g.input("q", (2, 3, 5, 16), np.float32), "q")
    k, ks, kz = quantize(g, g.input("k", (3, 16, 7), np.float32), "k")
    y = g.node("MatMulInteger", [q, k, qz, kz], "scores")
    y = g.node("Cast", [y], to=TensorProto.FLOAT)
    return finish(g, g.node("Mul", [y, g.node("Mul", [qs, ks])]))


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


@case()
def conv_integer_sequence():
    # The same along one dimension, and with a constant zero point.
    g = Graph(opset=13)
    x, z = g.input("x", (2, 3, 9), U8), g.input("z", (), U8)
    w = codes(g, (4, 3, 3))
    y = g.node("ConvInteger", [x, w, z], "computed", pads=[2, 1])
    c = g.node("ConvInteger", [x, w, g.constant(101, U8)], "constant", pads=[2, 1])
    return finish(g, g.node("Concat", [y, c], axis=2), np.int32)


def linear(g, x, shape, name, bias=True):
    """What quantize_dynamic makes of MatMul and Add."""
    q, s, z = quantize(g, x, name + "_quantize")
    y = g.node("MatMulInteger", [q, codes(g, shape, U8), z, g.constant(121, U8)], name)
    y = g.node("Cast", [y], to=TensorProto.FLOAT)
    y = g.node("Mul", [y, g.node("Mul", [s, g.constant(0.0137, np.float32)])])
    return g.node("Add", [y, reals(g, shape[1])]) if bias else y


@case()
def dynamic_linear():
    g = Graph(opset=13)
    return finish(g, linear(g, g.input("x", ("N", 4, 33), np.float32), (33, 9), "linear"))


@case(error=1e-6)
def dynamic_network():
    # The code of a second layer may depend on the last bit of the first one's scale.
    g = Graph(opset=13)
    x = linear(g, g.input("x", ("N", 33), np.float32), (33, 16), "first")
    return finish(g, linear(g, g.node("Relu", [x]), (16, 5), "second", False))


@case()
def dynamic_conv():
    g = Graph(opset=13)
    q, s, z = quantize(g, g.input("x", (2, 3, 7, 6), np.float32))
    y = g.node("ConvInteger", [q, codes(g, (4, 3, 3, 3), U8), z, g.constant(129, U8)], "conv",
               pads=[1, 1, 1, 1], strides=[2, 2])
    y = g.node("Cast", [y], to=TensorProto.FLOAT)
    y = g.node("Mul", [y, g.node("Mul", [s, g.constant([0.0137], np.float32)])])
    return finish(g, g.node("Add", [y, reals(g, 1, 4, 1, 1)]))


@case(error=1e-6)
def dynamic_quantize_matmul():
    # One node for all: its kernel adds the bias in one operation.
    g = Graph(opset=13)
    y = g.node("DynamicQuantizeMatMul", [
        g.input("x", ("N", 33), np.float32), codes(g, (33, 9)),
        g.constant(g.rng.integers(100, 300, 9) / 7919, np.float32),
        g.constant(np.zeros(9), I8), reals(g, 9)], "matmul", domain=MS)
    return finish(g, y)


@case(error=1e-6)
def matmul_integer_to_float():
    g = Graph(opset=13)
    y = g.node("MatMulIntegerToFloat", [
        g.input("x", ("N", 33), U8), codes(g, (33, 9)), g.constant(0.071, np.float32),
        g.constant([0.0137], np.float32), g.constant(99, U8)], "matmul", domain=MS)
    return finish(g, y)
