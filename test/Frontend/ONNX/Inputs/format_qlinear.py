# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that take and give codes, as ONNX Runtime's QOperator format has them.

Its kernels requantize in float32, round(sum * (xs * ws / ys)) + yz, at every
optimization level. Sums, products and averages of codes use other float32 orders on
each machine: those may differ by one code."""

import numpy as np
from formats import case
from models import I8, I32, U8, Graph
from onnx import TensorProto

MS = "com.microsoft"


def scale(g, *shape):
    return g.constant(g.rng.integers(300, 1000, shape or (1,)).reshape(shape) / 7919,
                      np.float32)


def codes(g, shape, dtype, lo=None, hi=None):
    info = np.iinfo(dtype)
    lo, hi = info.min if lo is None else lo, info.max if hi is None else hi
    return g.constant(g.rng.integers(lo, hi + 1, shape), dtype)


def biases(g, count):
    return g.constant(g.rng.integers(-4000, 4000, (count,)), I32)


def finish(g, x, dtype):
    g.output(x, {U8: TensorProto.UINT8, I8: TensorProto.INT8,
                 np.float32: TensorProto.FLOAT}[dtype])
    return g.model()


def conv(dtype, weight_dtype, shape, weights, per_channel=True, bias=True, zero=3,
         weight_zero=0, output_scale=0.61, **attributes):
    g = Graph(opset=13)
    x = g.input("x", shape, dtype)
    count = weights[0]
    channels = (count,) if per_channel else ()
    inputs = [x, scale(g), g.constant(zero, dtype), codes(g, weights, weight_dtype),
              scale(g, *channels),
              g.constant(np.broadcast_to(weight_zero, channels), weight_dtype),
              g.constant(output_scale, np.float32), g.constant(zero + 4, dtype)]
    if bias:
        inputs.append(biases(g, count))
    return finish(g, g.node("QLinearConv", inputs, "conv", **attributes), dtype)


@case()
def qlinear_conv():
    # What ONNX Runtime's quantizer writes: u8 activations, s8 weights per channel.
    return conv(U8, I8, ("N", 3, 9, 7), (5, 3, 3, 2), pads=[1, 0, 2, 1], strides=[2, 1],
                output_scale=2.37)


@case()
def qlinear_conv_signed():
    return conv(I8, I8, (2, 4, 6, 5), (8, 1, 3, 3), group=4, bias=False, zero=-7,
                pads=[1, 1, 1, 1])


@case()
def qlinear_conv_unsigned():
    # Weights of u8 with one zero point.
    return conv(U8, U8, (2, 3, 6, 5), (4, 3, 3, 3), False, zero=121, weight_zero=131,
                output_scale=2.3)


@case()
def qlinear_matmul():
    g = Graph(opset=13)
    x = g.input("x", ("N", 2, 19), U8)
    y = g.node("QLinearMatMul", [
        x, scale(g), g.constant(117, U8), codes(g, (19, 11), I8), scale(g, 11),
        g.constant(np.zeros(11), I8), g.constant(1.57, np.float32), g.constant(129, U8)],
        "matmul")
    return finish(g, y, U8)


@case()
def qlinear_matmul_unsigned():
    g = Graph(opset=13)
    x = g.input("x", ("N", 19), U8)
    y = g.node("QLinearMatMul", [
        x, scale(g), g.constant(117, U8), codes(g, (19, 11), U8), scale(g),
        g.constant(126, U8), g.constant(1.57, np.float32), g.constant(129, U8)], "matmul")
    return finish(g, y, U8)


@case()
def qlinear_matmul_batched():
    g = Graph(opset=13)
    x = g.input("x", (2, 4, 19), U8)
    y = g.node("QLinearMatMul", [
        x, scale(g), g.constant(117, U8), codes(g, (2, 19, 11), I8), scale(g),
        g.constant(-3, I8), g.constant(1.57, np.float32), g.constant(129, U8)], "matmul")
    return finish(g, y, U8)


def gemm(output, **attributes):
    g = Graph(opset=13)
    x = g.input("x", ("N", 23), U8)
    shape = (10, 23) if attributes.get("transB") else (23, 10)
    inputs = [x, scale(g), g.constant(7, U8), codes(g, shape, I8), scale(g, 10),
              g.constant(np.zeros(10), I8), biases(g, 10)]
    if output:
        inputs += [g.constant(1.93, np.float32), g.constant(128, U8)]
    return finish(g, g.node("QGemm", inputs, "gemm", domain=MS, **attributes),
                  U8 if output else np.float32)


@case()
def qgemm():
    return gemm(True, transB=1)


@case()
def qgemm_alpha():
    return gemm(True, alpha=0.3)


@case()
def qgemm_real():
    return gemm(False, alpha=0.9, transB=1)


def binary(op, dtype=U8, output_scale=0.083, batch="N", other=("N", 3, 5, 4)):
    g = Graph(opset=13)
    a, b = g.input("a", (batch, 3, 5, 4), dtype), g.input("b", other, dtype)
    y = g.node(op, [a, scale(g), g.constant(13, dtype), b, scale(g), g.constant(-3 % 120, dtype),
                    g.constant(output_scale, np.float32), g.constant(21, dtype)],
               "op", domain=MS)
    return finish(g, y, dtype)


@case(codes=1)
def qlinear_add():
    return binary("QLinearAdd")


@case(codes=1)
def qlinear_add_signed():
    return binary("QLinearAdd", I8, batch=2, other=(1, 3, 1, 1))


@case(codes=1)
def qlinear_mul():
    return binary("QLinearMul", output_scale=0.53)


def unary(op, shape=("N", 5, 6, 6), dtype=U8, output_scale=0.02, zero=3, input_zero=117, **attributes):
    g = Graph(opset=13)
    x = g.input("x", shape, dtype)
    y = g.node(op, [x, g.constant(0.031, np.float32), g.constant(input_zero, dtype),
                    g.constant(output_scale, np.float32), g.constant(zero, dtype)],
               "op", domain=MS, **attributes)
    return finish(g, y, dtype)


@case(codes=1)
def qlinear_global_average_pool():
    return unary("QLinearGlobalAveragePool", output_scale=0.0131, zero=100)


@case(codes=1)
def qlinear_average_pool():
    return unary("QLinearAveragePool", dtype=I8, input_zero=-9, output_scale=0.0131, kernel_shape=[3, 2],
                 strides=[2, 1], pads=[1, 0, 1, 0])


@case(codes=1)
def qlinear_sigmoid():
    return unary("QLinearSigmoid", output_scale=1 / 256, zero=0)


@case(codes=1)
def qlinear_leaky_relu():
    return unary("QLinearLeakyRelu", alpha=0.21, zero=30)


@case(codes=1)
def qlinear_softmax():
    return unary("QLinearSoftmax", ("N", 7), output_scale=1 / 256, zero=0, axis=-1, opset=13)


@case()
def qlinear_concat():
    # One part has the scale of the result, so that its codes stay as they are.
    g = Graph(opset=13)
    a, b = g.input("a", ("N", 3, 5, 4), U8), g.input("b", ("N", 2, 5, 4), U8)
    s, z = g.constant(0.0713, np.float32), g.constant(19, U8)
    y = g.node("QLinearConcat", [s, z, a, s, z, b, scale(g), g.constant(113, U8)], "concat",
               domain=MS, axis=1)
    return finish(g, y, U8)


@case(codes=1)
def qlinear_network():
    # A residual block: no real number is seen anywhere in the file. A code that
    # differs after the Add can move one sum of the classifier.
    g = Graph(opset=13)
    x = g.input("x", ("N", 1, 8, 8), U8)

    def block(x, weights, name, zero=0):
        return g.node("QLinearConv", [
            x, g.constant(0.047, np.float32), g.constant(zero, U8),
            codes(g, weights, I8, -30, 30), scale(g, weights[0]),
            g.constant(np.zeros(weights[0]), I8), g.constant(0.047, np.float32),
            g.constant(0, U8), biases(g, weights[0])], name, pads=[1, 1, 1, 1])

    s, z = g.constant(0.047, np.float32), g.constant(0, U8)
    y = block(block(x, (6, 1, 3, 3), "first"), (6, 6, 3, 3), "second")
    x = g.node("QLinearAdd", [y, s, z, y, s, z, g.constant(0.094, np.float32), z], "add",
               domain=MS)
    x = g.node("QLinearGlobalAveragePool", [x, g.constant(0.094, np.float32), z, s, z], "pool",
               domain=MS)
    x = g.node("Flatten", [x], "flatten")
    y = g.node("QGemm", [x, s, z, codes(g, (10, 6), I8), scale(g), g.constant(0, I8),
                         biases(g, 10), g.constant(0.9, np.float32), g.constant(110, U8)],
               "classifier", domain=MS, transB=1)
    return finish(g, y, U8)
