# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantization that is refused."""

import numpy as np
from cases import bad
from models import I8, I32, U8, Graph, image
from onnx import TensorProto


def scaled(scale, zero=0, zero_type=U8):
    g = Graph()
    x = g.input("x", (1, 2))
    g.output(g.node("DequantizeLinear", [x, g.constant(scale, np.float32, "s"),
                                         g.constant(zero, zero_type, "z")], "d"))
    return g.model()


@bad("node 'd' (DequantizeLinear): input 's' has scale nan at index 0, scales are positive, normal and finite")
def scale_nan():
    return scaled(np.nan)


@bad("node 'd' (DequantizeLinear): input 's' has scale -5.000000e-01 at index 0, scales are positive, normal and finite")
def scale_negative():
    return scaled(-0.5)


@bad("node 'd' (DequantizeLinear): input 's' has scale 0.000000e+00 at index 0, scales are positive, normal and finite")
def scale_zero():
    return scaled(0)


@bad("node 'd' (DequantizeLinear): input 's' has scale INF at index 0, scales are positive, normal and finite")
def scale_infinite():
    return scaled(np.inf)


@bad("node 'd' (DequantizeLinear): input 's' has one scale per channel, activations need one per tensor")
def scale_per_channel():
    return scaled([0.5, 0.25], [0, 0])


@bad("node 'd' (DequantizeLinear): input 's' has 3 scales along axis 1 of a tensor of shape 1x2")
def scale_count():
    return scaled([0.5] * 3, [0] * 3)


@bad("node 'd' (DequantizeLinear): input 's' has type FLOAT and shape 1x1, a scale is a FLOAT scalar or vector")
def scale_shape():
    return scaled([[0.5]], [[0]])


@bad("node 'd' (DequantizeLinear): input 'z' has type INT8 and shape scalar, expected UINT8 and the shape of the scale, scalar")
def zero_point_type():
    return scaled(0.5, 0, I8)


@bad("node 'd' (DequantizeLinear): input 'z' has type UINT8 and shape 2, expected UINT8 and the shape of the scale, scalar")
def zero_point_shape():
    return scaled(0.5, [0, 0])


@bad("node 'd' (DequantizeLinear): input 'x' is computed, the scale must be constant")
def scale_computed():
    g = Graph()
    x = g.input("x", ())
    g.output(g.node("DequantizeLinear", [x, x], "d"))
    return g.model()


@bad("node 'd' (DequantizeLinear): zero point 20 is outside the range of the codes, [0, 15]")
def zero_point_outside():
    g = Graph()
    x = g.clip(g.input("x", (1, 2)), 0, 15, U8)
    g.output(g.dequantize(x, 0.5, 20, name="d"))
    return g.model()


@bad("node 'q' (QuantizeLinear): zero point 20 is outside the range of the codes, [0, 15]")
def zero_point_outside_clip():
    g, x = image()
    g.output(g.quantize(x, 0.5, 20, clip=(0, 15), name="q"), TensorProto.UINT8)
    return g.model()


@bad("node 'd' (DequantizeLinear): input 'z' is not 0; INT32 values have zero point 0 in ONNX")
def zero_point_of_int32():
    g = Graph()
    bias = g.constant([1, 2], I32, "b")
    g.output(g.node("DequantizeLinear", [bias, g.constant(0.5, np.float32, "s"),
                                         g.constant(1, I32, "z")], "d"))
    return g.model()


@bad("node 'q' (QuantizeLinear): quantizes to INT32; supported are integers of at most 16 bits")
def quantize_to_int32():
    g, x = image()
    g.output(g.quantize(x, 0.5, 0, I32, name="q"), TensorProto.INT32)
    return g.model()


@bad("node 'q' (QuantizeLinear): block_size 2 is not supported, only one scale per tensor or axis")
def block_size():
    g, x = image()
    g.output(g.quantize(x, 0.5, 0, name="q", block_size=2), TensorProto.UINT8)
    return g.model()


@bad("node 'd' (DequantizeLinear): input 'relu_out' holds real numbers, expected integers")
def dequantize_reals():
    g, x = image()
    x = g.node("Relu", [x], "relu")
    g.output(g.node("DequantizeLinear", [x, g.constant(0.5, np.float32)], "d"))
    return g.model()


@bad("node 'c' (Clip): the range [9, 3] is empty")
def clip_empty():
    g = Graph()
    x = g.clip(g.input("x", (1, 2)), 9, 3, U8, "c")
    g.output(x, TensorProto.UINT8)
    return g.model()


@bad("node 'c' (Clip): the codes are from 0 to 3, none of them in [5, 9]")
def clip_disjoint():
    g = Graph()
    x = g.clip(g.input("x", (1, 2)), 0, 3, U8)
    g.output(g.clip(x, 5, 9, U8, "c"), TensorProto.UINT8)
    return g.model()


@bad("node 'c' (Clip): input 'c_1' has type INT8 and shape scalar, expected a scalar of type UINT8")
def clip_type():
    g = Graph()
    x = g.clip(g.input("x", (1, 2)), 0, 3, I8, "c")
    g.output(x, TensorProto.UINT8)
    return g.model()


@bad("node 'c' (Clip): input 'lo' must be a FLOAT scalar, not NaN")
def clip_nan():
    g, x = image()
    g.output(g.node("Clip", [x, g.constant(np.nan, np.float32, "lo")], "c"))
    return g.model()
