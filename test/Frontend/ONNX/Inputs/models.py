#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small quantized ONNX models for the importer's tests.

    models.py FOLDER

writes one NAME.onnx for each function below. Scales are powers of two, so that float32 arithmetic
on them is exact and any runtime gives the same answers.
"""

import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

U8, I8, I32 = np.uint8, np.int8, np.int32
MODELS = {}


def model(function):
    MODELS[function.__name__] = function
    return function


class Numbers:
    """Integers that look random and are the same everywhere."""

    def __init__(self):
        self.state = 7

    def integers(self, lo, end, shape):
        values = []
        for _ in range(int(np.prod(shape))):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            values.append(lo + (self.state >> 33) % (end - lo))
        return np.reshape(values, shape)


class Graph:
    """Builds a graph; values are their names."""

    def __init__(self, opset=13):
        self.nodes, self.inputs, self.outputs, self.initializers = [], [], [], []
        self.opset, self.count = opset, 0
        self.rng = Numbers()

    def fresh(self, hint):
        self.count += 1
        return f"{hint}_{self.count}"

    def input(self, name, shape, dtype=U8):
        element = numpy_helper.from_array(np.zeros((), dtype)).data_type
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def constant(self, values, dtype=None, name=None):
        array = np.asarray(values, dtype)
        name = name or self.fresh("c")
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op, inputs, name=None, domain="", **attributes):
        name = name or self.fresh(op.lower())
        node = helper.make_node(op, inputs, [name + "_out"], name=name,
                                domain=domain, **attributes)
        self.nodes.append(node)
        return name + "_out"

    def quantize(self, x, scale, zero, dtype=U8, clip=None, name=None, **attributes):
        x = self.node("QuantizeLinear",
                      [x, self.constant(scale, np.float32), self.constant(zero, dtype)],
                      name, **attributes)
        return self.clip(x, *clip, dtype) if clip else x

    def clip(self, x, lo, hi, dtype, name=None):
        bounds = [self.constant(v, dtype) if v is not None else "" for v in (lo, hi)]
        return self.node("Clip", [x] + bounds, name)

    def dequantize(self, x, scale, zero, dtype=U8, name=None, **attributes):
        scale, zero = np.float32(scale), np.asarray(zero)
        zero = np.broadcast_to(zero, scale.shape)
        return self.node("DequantizeLinear",
                         [x, self.constant(scale), self.constant(zero, dtype)], name,
                         **attributes)

    def codes(self, x, scale=0.5, zero=0, dtype=U8, clip=None):
        """An input's codes as real numbers."""
        if clip:
            x = self.clip(x, *clip, dtype)
        return self.dequantize(x, scale, zero, dtype)

    def weights(self, shape, axis=0, scale=None, zero=0, dtype=I8, lo=-7, hi=7,
                clip=True):
        """Dequantized random integers; scale None: one for each channel."""
        codes = self.rng.integers(lo, hi + 1, shape)
        x = self.constant(codes, dtype)
        if clip:
            x = self.clip(x, lo, hi, dtype)
        if scale is None:
            scale = 2.0 ** -self.rng.integers(2, 5, shape[axis])
        return self.dequantize(x, scale, zero, dtype, axis=axis), scale

    def bias(self, count, scale):
        """INT32 in units of `scale`."""
        codes = self.constant(self.rng.integers(-40, 40, count), I32)
        scale = np.broadcast_to(np.float32(scale), count)
        return self.dequantize(codes, scale, 0, I32, axis=0)

    def requantize(self, x, scale=4.0, zero=0, dtype=U8, clip=(0, 15), name=None):
        """Real numbers to codes and back."""
        return self.dequantize(self.quantize(x, scale, zero, dtype, clip, name),
                               scale, zero, dtype)

    def output(self, name, dtype=TensorProto.FLOAT, shape=None):
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def model(self):
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs,
                                  self.initializers)
        opsets = [helper.make_opsetid("com.microsoft", 1),
                  helper.make_opsetid("", self.opset)]
        result = helper.make_model(graph, opset_imports=opsets)
        result.ir_version = 8
        return result


def image(shape=("N", 2, 6, 6), dtype=U8, **codes):
    g = Graph()
    return g, g.codes(g.input("x", shape, dtype), dtype=dtype, **codes)


# ---------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------


def conv(shape, weights, bias=True, dtype=U8, zero=0, group=1, **attributes):
    g, x = image(shape, dtype, zero=zero)
    w, scale = g.weights(weights)
    inputs = [x, w] + ([g.bias(weights[0], 0.5 * scale)] if bias else [])
    y = g.node("Conv", inputs, "conv", group=group, **attributes)
    g.output(g.requantize(y, name="quantize"))
    return g.model()


@model
def conv_padded():
    return conv(("N", 2, 6, 6), (3, 2, 3, 3), pads=[1, 1, 1, 1])


@model
def conv_strided():
    # Sizes and pads that differ in every direction.
    return conv((1, 2, 9, 7), (3, 2, 3, 2), strides=[2, 1], pads=[0, 1, 2, 0],
                dilations=[1, 2], kernel_shape=[3, 2])


@model
def conv_depthwise():
    return conv((1, 4, 5, 5), (8, 1, 3, 3), group=4, bias=False)


@model
def conv_grouped():
    return conv((1, 4, 5, 5), (6, 2, 1, 1), group=2)


@model
def conv_same_upper():
    return conv((1, 1, 6, 5), (2, 1, 2, 2), auto_pad="SAME_UPPER", strides=[2, 1])


@model
def conv_same_lower():
    return conv((1, 1, 6, 5), (2, 1, 2, 2), auto_pad="SAME_LOWER", strides=[2, 1])


@model
def conv_valid():
    return conv((1, 1, 6, 5), (2, 1, 3, 3), auto_pad="VALID")


@model
def conv_zero_point():
    # Padding is the code 100, and the bias takes -100 * sum of the weights.
    return conv((1, 2, 4, 4), (3, 2, 3, 3), zero=100, pads=[1, 1, 1, 1])


@model
def conv_signed():
    return conv((1, 2, 4, 4), (3, 2, 3, 3), dtype=I8, zero=-3)


@model
def conv_float_weights():
    # FLOAT initializer, QuantizeLinear, Clip (which clamps), DequantizeLinear.
    g, x = image()
    scale = np.float32([0.25, 0.5, 0.125])
    w = g.constant(g.rng.integers(-9, 10, (3, 2, 3, 3)) * 0.25, np.float32)
    w = g.quantize(w, scale, np.zeros(3), I8, (-7, 7), axis=0)
    w = g.dequantize(w, scale, 0, I8, axis=0)
    g.output(g.requantize(g.node("Conv", [x, w], "conv")))
    return g.model()


@model
def conv_constant_nodes():
    # Clip bounds by Constant nodes behind the QuantizeLinear; unsorted ones.
    g, x = image()
    w, _ = g.weights((2, 2, 3, 3))
    q = g.quantize(g.node("Conv", [x, w], "conv"), 2.0, 0)
    for name, value in (("lo", 0), ("hi", 15)):
        g.node("Constant", [], name,
               value=numpy_helper.from_array(np.array(value, U8)))
    q = g.node("Clip", [q, "lo_out", "hi_out"])
    g.output(g.dequantize(q, 2.0, 0))
    g.nodes.reverse()
    return g.model()


@model
def relu_folded():
    # Codes of zero point 3 below a Relu start at 3.
    g, x = image()
    w, _ = g.weights((2, 2, 3, 3))
    y = g.node("Relu", [g.node("Conv", [x, w], "conv")], "relu")
    g.output(g.requantize(y, zero=3, clip=(0, 15), name="quantize"))
    return g.model()


@model
def relu6_folded():
    g, x = image()
    w, _ = g.weights((2, 2, 3, 3))
    y = g.node("Clip", [g.node("Conv", [x, w], "conv"),
                        g.constant(0.0, np.float32), g.constant(6.0, np.float32)])
    g.output(g.requantize(y, scale=0.5, clip=None))
    return g.model()


@model
def relu_codes():
    # A Relu of codes clamps them at the zero point.
    g, x = image(("N", 2, 3, 3), I8, zero=-5)
    g.output(g.node("Relu", [x], "relu"))
    return g.model()


@model
def clip_reals():
    g, x = image(("N", 2, 3, 3))
    g.output(g.node("Clip", [x, "", g.constant(6.0, np.float32)], "clip"))
    return g.model()


@model
def bias_multiple():
    # A FLOAT bias that is a multiple of s_x * s_w.
    g, x = image()
    w, _ = g.weights((2, 2, 3, 3), scale=0.25)
    b = g.constant([3 * 0.125, -5 * 0.125], np.float32)
    g.output(g.requantize(g.node("Conv", [x, w, b], "conv")))
    return g.model()


@model
def bias_real():
    g, x = image()
    w, _ = g.weights((2, 2, 3, 3), scale=0.25)
    b = g.constant([3.0625, -5.03125], np.float32)
    g.output(g.requantize(g.node("Conv", [x, w, b], "conv")))
    return g.model()


@model
def bias_added():
    # Conv without bias, and a constant per channel added behind it.
    g, x = image()
    w, scale = g.weights((2, 2, 3, 3), scale=0.25)
    y = g.node("Conv", [x, w], "conv")
    y = g.node("Add", [g.constant([[[1.0]], [[-2.0]]], np.float32), y])
    g.output(g.requantize(y))
    return g.model()


@model
def bias_added_to_rows():
    # Varies along the image: no bias, a real addition.
    g, x = image((1, 2, 2, 2))
    w, scale = g.weights((2, 2, 1, 1), scale=0.25)
    y = g.node("Conv", [x, w], "conv")
    y = g.node("Add", [y, g.constant([[1.0], [-2.0]], np.float32)])
    g.output(y)
    return g.model()


def weights_of(dtype, lo, hi, zero, clip, output_scale):
    g, x = image()
    scale = np.float32([0.25, 0.5])
    w, _ = g.weights((2, 2, 3, 3), scale=scale, dtype=dtype, zero=zero, lo=lo,
                     hi=hi, clip=clip)
    y = g.node("Conv", [x, w], "conv")
    g.output(g.requantize(y, output_scale, clip=None))
    return g.model()


@model
def weights_u8_128():
    return weights_of(U8, 0, 255, 128, False, 64)


@model
def weights_u4_zero_points():
    # Codes 0..15 with another zero point in each channel.
    return weights_of(U8, 0, 15, [8, 5], True, 8)


@model
def weights_u8():
    # Unsigned weights beyond int8, zero point 0.
    return weights_of(U8, 0, 255, 0, False, 512)


@model
def weights_int4():
    # INT4 (type 22) in raw_data, low bits first: 1, -8, 7, -1.
    g = Graph(opset=21)
    x = g.codes(g.input("x", (1, 4)))
    proto = TensorProto(name="w", data_type=22, dims=[1, 4], raw_data=b"\x81\xf7")
    g.initializers.append(proto)
    w = g.node("DequantizeLinear", ["w", g.constant(0.25, np.float32)])
    g.output(g.node("Gemm", [x, w], "gemm", transB=1))
    return g.model()


@model
def gemm():
    g = Graph()
    x = g.codes(g.input("x", ("N", 8)), clip=(0, 15))
    w, scale = g.weights((8, 3), axis=1)
    y = g.node("Gemm", [x, w, g.bias(3, 0.5 * scale)], "gemm")
    g.output(g.requantize(y))
    return g.model()


@model
def gemm_scalar_bias():
    g = Graph()
    x = g.codes(g.input("x", (2, 8)))
    w, _ = g.weights((3, 8))
    c = g.constant([[1.5]], np.float32)
    g.output(g.node("Gemm", [x, w, c], "gemm", transB=1, alpha=1.0, beta=1.0))
    return g.model()


@model
def matmul():
    # Rank 3, the bias added from the left.
    g = Graph()
    x = g.codes(g.input("x", (2, 3, 8)))
    w, _ = g.weights((8, 4), axis=1, scale=0.25)
    y = g.node("MatMul", [x, w], "matmul")
    y = g.node("Add", [g.bias(4, 0.125), y], "add")
    g.output(g.requantize(y))
    return g.model()


@model
def matmul_transposed():
    # Weights [N, K] behind a Transpose.
    g = Graph()
    x = g.codes(g.input("x", (2, 8)))
    w, _ = g.weights((4, 8))
    y = g.node("MatMul", [x, g.node("Transpose", [w], perm=[1, 0])], "matmul")
    g.output(y)
    return g.model()


@model
def mlp():
    # ONNX Runtime's QDQ style: per-tensor scales of shape [] and [1], UINT8
    # activations with zero points, Relu as saturation, quantized output.
    g = Graph()
    x = g.quantize(g.input("x", ("N", 16), np.float32), 0.125, 128, name="x_q")
    x = g.dequantize(x, 0.125, 128)
    w, scale = g.weights((16, 12), axis=1, scale=0.25, lo=-128, hi=127, clip=False)
    y = g.node("MatMul", [x, w], "hidden")
    y = g.node("Add", [y, g.bias(12, 0.125 * 0.25)], "hidden_bias")
    y = g.requantize(y, 0.5, 0, clip=None, name="hidden_q")
    w, scale = g.weights((4, 12), scale=0.25, lo=-128, hi=127, clip=False)
    y = g.node("Gemm", [y, w, g.bias(4, 0.125)], "logits", transB=1)
    q = g.quantize(y, 32.0, 100, name="logits_q")
    g.output(q, TensorProto.UINT8)
    return g.model()


@model
def sixteen_bits():
    # 16-bit activations, which ONNX Runtime writes in its own domain.
    g = Graph()
    x = g.input("x", (2, 8), np.int16)
    scale, zero = g.constant(0.5, np.float32), g.constant(7, np.int16)
    x = g.node("DequantizeLinear", [x, scale, zero], domain="com.microsoft")
    w, _ = g.weights((3, 8))
    y = g.node("Gemm", [x, w], "gemm", transB=1)
    y = g.node("QuantizeLinear", [y, scale, zero], domain="com.microsoft")
    g.output(y, TensorProto.INT16)
    return g.model()


# ---------------------------------------------------------------------------
# Everything else
# ---------------------------------------------------------------------------


@model
def residual():
    # The sums are codes for one reader and real numbers for another.
    g, x = image(("N", 2, 4, 4), clip=(0, 15))
    w, _ = g.weights((2, 2, 3, 3))
    y = g.requantize(g.node("Conv", [x, w], "conv", pads=[1, 1, 1, 1]))
    g.output(g.requantize(g.node("Add", [x, y], "add")))
    return g.model()


@model
def branches():
    # One quantization, clipped for one of its readers only.
    g, x = image(("N", 2, 4, 4))
    w, _ = g.weights((2, 2, 1, 1))
    q = g.quantize(g.node("Conv", [x, w], "conv"), 2.0, 0)
    a = g.dequantize(g.clip(q, 2, 9, U8, "clip"), 2.0, 2)
    g.output(g.node("Add", [a, g.dequantize(q, 2.0, 0)]))
    return g.model()


@model
def broadcast():
    g, x = image((2, 3, 2, 2))
    c = g.constant(np.arange(3).reshape(1, 3, 1, 1), np.float32)
    g.output(g.node("Add", [g.constant(2.0, np.float32), g.node("Add", [x, c])]))
    return g.model()


@model
def flatten_gemm():
    g, x = image(("N", 2, 4, 3))
    w, _ = g.weights((3, 2, 2, 2))
    y = g.requantize(g.node("Conv", [x, w], "conv"))
    y = g.node("Flatten", [y], "flatten")
    w, _ = g.weights((4, 18))
    g.output(g.node("Gemm", [y, w], "gemm", transB=1))
    return g.model()


@model
def flatten_output():
    # Returned in ONNX's order.
    g, x = image(("N", 2, 4, 3))
    w, _ = g.weights((3, 2, 2, 2))
    y = g.requantize(g.node("Conv", [x, w], "conv"))
    y = g.node("Reshape", [y, g.constant([0, -1], np.int64)], "reshape")
    g.output(y)
    return g.model()


@model
def reshape():
    g, x = image((2, 2, 3, 4))
    y = g.node("Reshape", [x, g.constant([4, -1, 2], np.int64)], "reshape")
    g.output(g.node("Identity", [y]))
    return g.model()


@model
def transpose():
    g, x = image((2, 2, 3, 4))
    y = g.node("Transpose", [x], "transpose", perm=[0, 2, 3, 1])
    g.output(g.node("Transpose", [y], perm=[3, 0, 1, 2]))
    return g.model()


@model
def transpose_image():
    # To channels last and back around a convolution: no transposition is left.
    g = Graph()
    x = g.codes(g.input("x", (1, 4, 4, 2)))
    x = g.node("Transpose", [x], perm=[0, 3, 1, 2])
    w, _ = g.weights((3, 2, 3, 3))
    y = g.requantize(g.node("Conv", [x, w], "conv"))
    g.output(g.node("Transpose", [y], perm=[0, 2, 3, 1]))
    return g.model()


def pool(op, dtype=U8, shape=(1, 2, 5, 5), zero=0, **attributes):
    g, x = image(shape, dtype, zero=zero)
    g.output(g.node(op, [x], "pool", **attributes))
    return g.model()


@model
def max_pool():
    return pool("MaxPool", kernel_shape=[2, 2], strides=[2, 2])


@model
def max_pool_padded():
    return pool("MaxPool", I8, kernel_shape=[3, 2], pads=[1, 0, 1, 1],
                strides=[2, 1], dilations=[1, 2])


@model
def max_pool_sums():
    # Of sums that nothing has quantized: real numbers.
    g, x = image((1, 2, 5, 5))
    w, _ = g.weights((2, 2, 2, 2))
    y = g.node("Conv", [x, w], "conv")
    g.output(g.node("MaxPool", [y], "pool", kernel_shape=[2, 2], pads=[1, 1, 0, 0]))
    return g.model()


@model
def max_pool_codes():
    # Between QuantizeLinear and DequantizeLinear.
    g = Graph()
    x = g.node("MaxPool", [g.input("x", (1, 2, 4, 4))], "pool",
               kernel_shape=[2, 2])
    g.output(x, TensorProto.UINT8)
    return g.model()


@model
def average_pool():
    return pool("AveragePool", kernel_shape=[2, 2], strides=[2, 2],
                shape=(1, 2, 4, 4))


@model
def average_pool_padded():
    return pool("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0])


@model
def average_pool_include_pad():
    return pool("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0],
                count_include_pad=1)


@model
def global_average_pool():
    g, x = image(("N", 2, 4, 4))
    y = g.requantize(g.node("GlobalAveragePool", [x], "pool"), 0.5)
    w, _ = g.weights((3, 2))
    y = g.node("Gemm", [g.node("Flatten", [y]), w], "gemm", transB=1)
    g.output(y)
    return g.model()


@model
def input_clipped():
    # Codes of an input are clamped, because a caller may feed any.
    g, x = image(("N", 1, 2, 2), I8, clip=(-8, 7))
    w, _ = g.weights((2, 1, 2, 2))
    g.output(g.requantize(g.node("Conv", [x, w], "conv"), 0.125, 128, clip=None))
    return g.model()


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, build in MODELS.items():
        with open(os.path.join(folder, name + ".onnx"), "wb") as file:
            file.write(build().SerializeToString())


if __name__ == "__main__":
    main()
