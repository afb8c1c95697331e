# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What operators mean in old and new operator sets."""

import numpy as np
from formats import case
from models import I8, U8, Graph


def finish(g, x, ir_version=8):
    g.output(x)
    model = g.model()
    model.ir_version = ir_version
    return model


@case(error=1e-6)
def softmax_11():
    # The sum is over the axis, 1 by default, and all that follow it.
    g = Graph(opset=11)
    x = g.input("x", ("N", 3, 4, 5), np.float32)
    return finish(g, g.node("Softmax", [g.node("Softmax", [x])], axis=2))


@case(error=1e-6)
def softmax_12_last():
    g = Graph(opset=12)
    x = g.node("Softmax", [g.input("x", ("N", 3, 4), np.float32)], axis=-1)
    return finish(g, g.node("Softmax", [x], axis=2))


@case()
def axes_11():
    # Axes are attributes.
    g = Graph(opset=11)
    x = g.node("Unsqueeze", [g.input("x", (2, 3), np.float32)], axes=[0, -1])
    x = g.node("Squeeze", [g.node("Relu", [x])], axes=[3])
    return finish(g, g.node("Dropout", [x], ratio=0.3))


def layer(opset, ir_version):
    g = Graph(opset)
    x = g.codes(g.input("x", ("N", 2, 6, 6), U8), 0.0371, 119)
    w = g.constant(g.rng.integers(-100, 101, (3, 2, 3, 3)), I8)
    w = g.dequantize(w, 0.071, 0, I8)
    y = g.node("Relu", [g.node("Conv", [x, w], "conv")])
    y = g.node("Clip", [g.quantize(y, 0.13, 0), "", g.constant(200, U8)])
    return finish(g, g.dequantize(y, 0.13, 0), ir_version)


@case("onnxruntime-optimized")
def layer_12():
    return layer(12, 7)


@case("onnxruntime-optimized")
def layer_25():
    return layer(25, 11)


@case("onnx", error=1e-6, codes=1)
def layer_26():
    return layer(26, 11)
