# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""QONNX as Brevitas and FINN write it, compared with the package qonnx.

Inputs are multiples of 1/16 and the scales of quantizers here 1/8, so that every
second quotient is a tie."""

import numpy as np
from formats import case
from models import Graph
from onnx import helper

DOMAIN = "qonnx.custom_op.general"


class QonnxGraph(Graph):
    def __init__(self, version=1):
        super().__init__(opset=13)
        self.version = version

    def input(self, name, shape):
        return super().input(name, shape, np.float32)

    def reals(self, *shape):
        return self.constant(self.rng.integers(-512, 513, shape) / 391, np.float32)

    def op(self, op, inputs, name=None, **attributes):
        inputs = [x if isinstance(x, str) else self.constant(x, np.float32) for x in inputs]
        return self.node(op, inputs, name, domain=DOMAIN, **attributes)

    def quant(self, x, scale=0.125, zero=0, bits=4, op="Quant", signed=1, narrow=0,
              mode="ROUND", name=None):
        return self.op(op, [x, scale, zero, bits], name, signed=signed, narrow=narrow,
                       rounding_mode=mode)

    def finish(self, x):
        self.output(x)
        model = self.model()
        model.opset_import.append(helper.make_opsetid(DOMAIN, self.version))
        return model


def activation(**options):
    g = QonnxGraph()
    return g.finish(g.quant(g.input("x", (7, 61)), **options))


def modes(zero):
    """All rounding modes side by side."""
    g = QonnxGraph()
    x = g.input("x", (7, 61))
    parts = [g.quant(x, zero=zero, bits=5, mode=mode) for mode in (
        "ROUND", "half_even", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")]
    return g.finish(g.node("Concat", parts, axis=1))


@case("qonnx")
def quant_modes():
    return modes(0)


@case("qonnx")
def quant_modes_odd_zero_point():
    # Ties go to another side than QuantizeLinear's.
    return modes(3)


@case("qonnx")
def quant_modes_negative_zero_point():
    return modes(-2)


@case("qonnx")
def quant_unsigned():
    return activation(signed=0, bits=3, zero=1)


@case("qonnx")
def quant_narrow():
    return activation(narrow=1, bits=4)


@case("qonnx")
def quant_narrow_unsigned():
    return activation(narrow=1, signed=0, bits=4, zero=7)


@case("qonnx")
def quant_one_bit():
    # A signed bit is +1 or -1.
    return activation(bits=1, scale=0.37)


@case("qonnx")
def quant_sixteen_bits():
    return activation(bits=16, scale=0.00013)


@case("qonnx")
def int_quant():
    return activation(op="IntQuant", mode="HALF_UP")


@case("qonnx")
def bipolar_quant():
    g = QonnxGraph()
    return g.finish(g.op("BipolarQuant", [g.input("x", (7, 61)), 0.37]))


def layer(g, x, shape, name, bits=4, scale=None, **attributes):
    """A convolution by quantized weights, with a quantized bias."""
    if scale is None:
        scale = g.rng.integers(100, 300, (shape[0], 1, 1, 1)) / 1000
    w = g.quant(g.reals(*shape), scale, bits=bits, narrow=1)
    b = g.quant(g.reals(shape[0]), 0.125 * np.reshape(scale, -1), bits=16)
    return g.node("Conv", [x, w, b], name, **attributes)


# Sums are exact integers here and float32 there.


@case("qonnx", error=1e-6)
def quant_conv():
    g = QonnxGraph()
    x = g.quant(g.input("x", (2, 3, 7, 6)), signed=0, bits=3)
    return g.finish(layer(g, x, (4, 3, 3, 2), "conv", pads=[1, 0, 1, 0]))


@case("qonnx", error=1e-6)
def quant_conv_signed_zero_point():
    g = QonnxGraph()
    x = g.quant(g.input("x", (2, 3, 7, 6)), bits=8, zero=-5)
    return g.finish(layer(g, x, (4, 3, 3, 2), "conv", bits=3))


@case("qonnx", error=1e-6)
def quant_ternary_weights():
    # Two bits, narrow: -1, 0 and 1.
    g = QonnxGraph()
    x = g.quant(g.input("x", (2, 3, 7, 6)), bits=8)
    return g.finish(layer(g, x, (4, 3, 3, 3), "conv", bits=2, scale=0.7))


@case("qonnx", error=1e-6)
def quant_matmul():
    # What Brevitas writes for a linear layer: Transpose, MatMul, Add.
    g = QonnxGraph()
    x = g.quant(g.input("x", (5, 13)))
    w = g.quant(g.reals(6, 13), g.rng.integers(100, 300, (6, 1)) / 1000, narrow=1)
    w = g.node("Transpose", [w], perm=[1, 0])
    y = g.node("MatMul", [x, w], "matmul")
    return g.finish(g.node("Add", [g.reals(6), y]))


@case("qonnx", error=1e-6)
def bipolar_weights():
    g = QonnxGraph()
    x = g.op("BipolarQuant", [g.input("x", (5, 33)), 0.9])
    w = g.op("BipolarQuant", [g.reals(6, 33), g.rng.integers(100, 300, (6, 1)) / 1000])
    return g.finish(g.node("Gemm", [x, w], "gemm", transB=1))


@case("qonnx", error=1e-6)
def quant_network():
    # Scales are powers of two, so that no code depends on the last bit of a sum.
    g = QonnxGraph()
    x = g.quant(g.input("x", (2, 1, 8, 8)))
    x = g.node("Relu", [layer(g, x, (6, 1, 3, 3), "first", scale=0.25, pads=[1, 1, 1, 1])])
    x = g.quant(x, 0.5, signed=0)
    y = layer(g, x, (6, 6, 3, 3), "second", scale=0.125, pads=[1, 1, 1, 1])
    x = g.quant(g.node("Add", [x, g.quant(y, 0.5)]), 0.5, bits=5)
    x = g.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = g.node("Flatten", [x])
    w = g.quant(g.reals(10, 96), 0.25, narrow=1)
    return g.finish(g.node("Gemm", [x, w, g.reals(10)], "classifier", transB=1))


def trunc(version, **attributes):
    g = QonnxGraph(version)
    x = g.quant(g.input("x", (7, 61)), 0.03125, bits=8)
    inputs = [x, 0.03125, 0, 8, 4] if version == 1 else [x, 0.03125, 0, 8, 0.5, 4]
    return g.finish(g.op("Trunc", inputs, **attributes))


@case("qonnx")
def trunc_v1():
    return trunc(1, rounding_mode="FLOOR")


@case("qonnx")
def trunc_v1_ceil():
    return trunc(1, rounding_mode="ceil")


@case("qonnx")
def trunc_v2():
    return trunc(2, rounding_mode="ROUND", signed=1, narrow=1)


@case("qonnx")
def trunc_v2_unsigned():
    return trunc(2, rounding_mode="FLOOR", signed=0, narrow=0)


def trunc_modes(version, **attributes):
    """All rounding modes side by side; codes of 8 bits lose 4, ties among them."""
    g = QonnxGraph(version)
    x = g.quant(g.input("x", (7, 61)), 0.03125, bits=8)
    inputs = [x, 0.03125, 0, 8, 4] if version == 1 else [x, 0.03125, 0, 8, 0.5, 4]
    parts = [g.op("Trunc", inputs, rounding_mode=mode, **attributes) for mode in (
        "ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")]
    return g.finish(g.node("Concat", parts, axis=1))


@case("qonnx")
def trunc_v2_modes():
    return trunc_modes(2, signed=1, narrow=0)


@case("qonnx")
def trunc_v2_modes_unsigned():
    return trunc_modes(2, signed=0, narrow=1)


@case("qonnx", error=1e-6)
def quant_unsigned_weights():
    # Weights from 0 to 15 with zero point 7.
    g = QonnxGraph()
    x = g.quant(g.input("x", (5, 13)))
    w = g.quant(g.reals(13, 6), 0.125, zero=7, bits=4, signed=0)
    return g.finish(g.node("MatMul", [x, w], "matmul"))


def thresholds(g, channels, count):
    return np.sort(g.rng.integers(-40, 41, (channels, count)), axis=1) / 16


def multi_threshold(shape, channels, count=15, **attributes):
    g = QonnxGraph()
    x = g.input("x", shape)
    return g.finish(g.op("MultiThreshold", [x, thresholds(g, channels, count)],
                         out_dtype="INT8", **attributes))


@case("qonnx")
def multi_threshold_channels():
    return multi_threshold((2, 3, 5, 4), 3, out_bias=-8.0)


@case("qonnx")
def multi_threshold_rows():
    return multi_threshold((9, 7), 1)


@case("qonnx")
def multi_threshold_channels_last():
    return multi_threshold((2, 5, 4, 3), 3, data_layout="NHWC", out_bias=2.0)


@case("qonnx")
def multi_threshold_scaled():
    return multi_threshold((2, 3, 5, 4), 3, out_scale=0.25, out_bias=-1.0)


@case("qonnx")
def multi_threshold_bipolar():
    return multi_threshold((2, 3, 5, 4), 3, 1, out_scale=2.0, out_bias=-1.0)


@case("qonnx", error=1e-6)
def finn_network():
    # As FINN leaves it: weights are integers in float32, thresholds carry the scales.
    g = QonnxGraph()
    x = g.op("MultiThreshold", [g.input("x", (2, 3, 6, 6)), thresholds(g, 1, 255)],
             out_dtype="UINT8")
    w = g.constant(g.rng.integers(-7, 8, (4, 3, 3, 3)), np.float32)
    x = g.node("Conv", [x, w], "conv")
    x = g.op("MultiThreshold", [x, np.sort(g.rng.integers(-9000, 9000, (4, 15)), axis=1)],
             out_dtype="INT4", out_bias=-8.0)
    x = g.node("Flatten", [x])
    w = g.constant(g.rng.integers(-7, 8, (64, 10)), np.float32)
    x = g.node("MatMul", [x, w], "matmul")
    x = g.node("Mul", [x, g.constant(0.0371, np.float32)])
    return g.finish(g.node("Add", [x, g.reals(10)]))
