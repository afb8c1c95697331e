#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Float ONNX models, and those where only some layers are quantized.

suite.py says how it is run; the answers are in float_expected.npz.
"""

import numpy as np
from models import Graph as IntegerGraph
from onnx import TensorProto, helper
from suite import Suite

model = Suite("float models", "float_expected.npz",
              lambda found, expected: np.abs(found - expected) < 2e-6 * np.abs(expected).max())


class Graph(IntegerGraph):
    def __init__(self, opset=15):
        super().__init__(opset)

    def input(self, name, shape, dtype=np.float32):
        return super().input(name, shape, dtype)

    def reals(self, *shape, name=None):
        return self.constant(self.rng.integers(-512, 513, shape) / 256, np.float32, name)

    def conv(self, x, shape, bias=True, name=None, **attributes):
        inputs = [x, self.reals(*shape)] + ([self.reals(shape[0])] if bias else [])
        return self.node("Conv", inputs, name, **attributes)

    def norm(self, x, channels, **attributes):
        positive = self.constant(self.rng.integers(128, 513, [channels]) / 256, np.float32)
        return self.node("BatchNormalization", [
            x, self.reals(channels), self.reals(channels), self.reals(channels), positive],
            **attributes)

    def finish(self, x):
        self.outputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, None))
        return self.model()


def simple(shape, op, *constants, **attributes):
    """One node whose other inputs are constants of these shapes."""
    g = Graph()
    x = g.input("x", shape)
    return g.finish(g.node(op, [x] + [g.reals(*c) for c in constants], **attributes))


# Geometry. Sizes are odd, so that no two are confused.


@model
def conv():
    g = Graph()
    return g.finish(g.conv(g.input("x", ("N", 3, 9, 7)), (5, 3, 3, 2), pads=[1, 0, 2, 1]))


@model
def conv_strided():
    # The last row and column of the padded image are under no window.
    g = Graph()
    return g.finish(g.conv(g.input("x", (1, 3, 10, 8)), (5, 3, 3, 2), False,
                           strides=[2, 3], dilations=[2, 1], pads=[0, 1, 0, 1]))


@model
def conv_cropped():
    # Without padding to give up, the image itself is cut.
    g = Graph()
    return g.finish(g.conv(g.input("x", (2, 2, 8, 9)), (3, 2, 3, 3), strides=[2, 4]))


@model
def conv_same_lower():
    g = Graph()
    return g.finish(g.conv(g.input("x", (1, 2, 6, 5)), (3, 2, 2, 2), strides=[2, 1],
                           auto_pad="SAME_LOWER"))


@model
def conv_depthwise():
    # Two filters for each channel.
    g = Graph()
    return g.finish(g.conv(g.input("x", (2, 4, 6, 5)), (8, 1, 3, 3), group=4,
                           strides=[2, 2], pads=[1, 1, 1, 1]))


@model
def conv_grouped():
    g = Graph()
    return g.finish(g.conv(g.input("x", (2, 6, 5, 4)), (9, 2, 3, 3), group=3,
                           name="grouped", pads=[1, 1, 1, 1]))


# Matrix products


@model
def gemm():
    g = Graph()
    x = g.input("x", ("N", 7))
    x = g.node("Gemm", [x, g.reals(5, 7), g.reals(5)], transB=1)
    x = g.node("Relu", [x])
    return g.finish(g.node("Gemm", [x, g.reals(5, 3), g.reals(1)], alpha=0.5, beta=2.0))


@model
def matmul():
    g = Graph()
    x = g.node("MatMul", [g.input("x", (2, 3, 7)), g.reals(7, 5)])
    x = g.node("Add", [g.reals(5), x])
    return g.finish(g.node("MatMul", [x, g.reals(5, 1)]))


# Normalization and functions


@model
def batch_norm():
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 5, 4)), (4, 3, 3, 3))
    x = g.node("Relu", [g.norm(x, 4, epsilon=0.01)])
    x = g.node("Flatten", [x])
    x = g.node("Gemm", [x, g.reals(6, 24)], transB=1)
    return g.finish(g.norm(x, 6))


@model
def functions():
    g = Graph()
    x = g.input("x", (2, 3, 4, 5))
    parts = [g.node(op, [x], **attributes) for op, attributes in (
        ("Sigmoid", {}), ("Tanh", {}), ("HardSwish", {}), ("HardSigmoid", {}),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}), ("LeakyRelu", {}),
        ("LeakyRelu", {"alpha": 1.5}))]
    parts.append(g.node("PRelu", [x, g.reals(3, 1, 1)]))
    parts.append(g.node("Clip", [x, g.constant(-1, np.float32), g.constant(0.5, np.float32)]))
    return g.finish(g.node("Concat", parts, axis=-2))


@model
def softmax():
    g = Graph()
    x = g.node("Mul", [g.input("x", (2, 3, 4)), g.constant(9, np.float32)])
    x = g.node("Softmax", [x], axis=1)
    return g.finish(g.node("Softmax", [x]))


@model
def softmax_channels():
    g = Graph()
    return g.finish(g.node("Softmax", [g.conv(g.input("x", (2, 3, 4, 4)), (5, 3, 1, 1))],
                           axis=1))


# Arithmetic with numpy's broadcasting


@model
def arithmetic():
    g = Graph()
    x = g.input("x", (2, 3, 4, 5))
    image = g.conv(x, (3, 3, 1, 1))  # channels last, the input is not
    x = g.node("Mul", [image, g.reals(3, 1, 1)])
    x = g.node("Sub", [g.reals(4, 1), x])
    x = g.node("Add", [x, g.reals(1, 3, 1, 5)])
    x = g.node("Div", [x, g.constant(3, np.float32)])
    x = g.node("Add", [x, g.node("GlobalAveragePool", [image])])
    rows = g.node("Flatten", [g.input("row", (1, 5))], axis=0)
    return g.finish(g.node("Mul", [x, rows]))


@model
def gate():
    # Squeeze-and-excitation, as mobile networks have it.
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 6, 6)), (4, 3, 3, 3))
    s = g.node("GlobalAveragePool", [x])
    s = g.node("Relu", [g.conv(s, (2, 4, 1, 1))])
    s = g.node("HardSigmoid", [g.conv(s, (4, 2, 1, 1))])
    return g.finish(g.node("Mul", [x, s]))


# Pooling


@model
def max_pool():
    g = Graph()
    x = g.node("MaxPool", [g.input("x", (2, 3, 9, 8))], kernel_shape=[3, 2],
               strides=[2, 2], pads=[1, 0, 0, 1])
    return g.finish(g.node("MaxPool", [x], kernel_shape=[2, 2], dilations=[2, 1]))


@model
def average_pool():
    g = Graph()
    x = g.node("AveragePool", [g.input("x", (2, 3, 9, 8))], kernel_shape=[3, 2],
               strides=[2, 2], pads=[1, 0, 0, 1])
    x = g.node("AveragePool", [x], kernel_shape=[2, 2], pads=[1, 1, 1, 1],
               count_include_pad=1)
    return g.finish(g.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2]))


@model
def reduce_mean():
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 5, 4)), (6, 3, 1, 1))
    x = g.node("Add", [x, g.node("ReduceMean", [x], axes=[2, -1])])
    x = g.node("ReduceMean", [x], axes=[3, 2], keepdims=0)
    return g.finish(g.node("MatMul", [x, g.reals(6, 2)]))


# Shapes


@model
def shapes():
    g = Graph()
    x = g.conv(g.input("x", (2, 3, 4, 4)), (6, 3, 1, 1))
    x = g.node("Concat", [x, g.node("Identity", [x])], axis=1)
    x = g.node("Dropout", [x, g.constant(0.5, np.float32)])
    x = g.node("Reshape", [x, g.constant([2, 3, -1, 4], np.int64)])
    x = g.node("Transpose", [x], perm=[2, 0, 3, 1])
    x = g.node("Unsqueeze", [x, g.constant([0, -1], np.int64)])
    return g.finish(g.node("Squeeze", [x, g.constant([0], np.int64)]))


# Networks


def cnn(g, x):
    x = g.node("Relu", [g.norm(g.conv(x, (8, 1, 3, 3), pads=[1] * 4, name="first"), 8)])
    x = g.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    y = g.conv(x, (8, 1, 3, 3), group=8, pads=[1] * 4, name="depthwise")
    y = g.node("Clip", [y, g.constant(0, np.float32), g.constant(6, np.float32)])
    x = g.node("Add", [x, g.conv(y, (8, 8, 1, 1), name="pointwise")])
    return g.node("Flatten", [x])


@model
def network():
    g = Graph()
    x = cnn(g, g.input("x", ("N", 1, 8, 8)))
    x = g.node("Gemm", [x, g.reals(10, 128), g.reals(10)], "classifier", transB=1, alpha=0.05)
    return g.finish(g.node("Softmax", [x]))


@model
def shared_weights():
    g = Graph()
    w = g.reals(3, 3, 1, 1)
    x = g.node("Relu", [g.node("Conv", [g.input("x", (1, 3, 4, 4)), w])])
    return g.finish(g.node("Conv", [x, w]))


@model
def partly_quantized():
    # The last layer is quantized, its codes come from real numbers. Scales are powers
    # of two and inputs multiples of 1/4, so that nothing rounds either way.
    g = Graph()
    x = g.node("Relu", [g.node("Conv", [g.input("x", (1, 2, 4, 4)),
                                        g.constant(np.full((3, 2, 1, 1), 0.5), np.float32)])])
    codes = g.quantize(x, 0.25, 0)
    w, _ = g.weights((4, 3, 3, 3), scale=0.125)
    x = g.node("Conv", [g.dequantize(codes, 0.25, 0), w], "integers")
    return g.finish(g.conv(x, (2, 4, 1, 1), name="reals"))


@model
def weights_only():
    # Weights are codes, activations are real numbers: the layer is float.
    g = Graph()
    w, _ = g.weights((4, 3, 3, 3), scale=0.125)
    return g.finish(g.node("Conv", [g.input("x", (1, 3, 4, 4)), w]))


if __name__ == "__main__":
    model.main()
