# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of codes that are refused."""

import numpy as np
from cases import bad
from models import I8, I32, U8, Graph, image
from onnx import TensorProto


def conv_with(weights, bias=None, shape=(1, 2, 4, 4), scale=0.25, zero=0, dtype=I8,
              clip=None, axis=0, **attributes):
    g, x = image(shape)
    w = g.constant(weights, dtype, "w")
    if clip:
        w = g.clip(w, *clip, dtype, "clip")
    w = g.dequantize(w, scale, zero, dtype, "w", axis=axis)
    inputs = [x, w] + ([g.constant(bias, np.float32, "b")] if bias else [])
    g.output(g.node("Conv", inputs, "conv", **attributes))
    return g.model()


ONES = np.ones((3, 2, 3, 3))


@bad("node 'clip' (Clip): input 'w' holds 9 at index 4, outside the range [-7, 7] that the node declares")
def weights_outside_clip():
    weights = ONES.copy()
    weights[0, 0, 1, 1] = 9
    return conv_with(weights, clip=(-7, 7))


@bad("node 'conv' (Conv): input 'w_out' holds a weight that is 59950 above its zero point; supported are differences from -50 to 32767")
def weights_zero_point():
    return conv_with(ONES * 60000, zero=50, dtype=np.uint16)


@bad("node 'conv' (Conv): input 'w_out' has shape 0x2x3x3: there is nothing to sum")
def weights_empty():
    return conv_with(np.ones((0, 2, 3, 3)))


@bad("node 'conv' (Conv): input 'w_out' has shape 3x2x3, expected rank 4")
def weights_rank():
    return conv_with(np.ones((3, 2, 3)))


@bad("node 'conv' (Conv): input 'w_out' has scales along axis 1, supported is the output channel, axis 0")
def weights_axis():
    return conv_with(ONES, scale=[0.5, 0.5], axis=1)


@bad("node 'conv' (Conv): input 'w_out' has type INT32; supported are weights of at most 16 bits")
def weights_int32():
    return conv_with(ONES, dtype=I32)


@bad("node 'conv' (Conv): input 'relu_out' is computed, weights must be constant")
def weights_computed():
    g, x = image()
    g.output(g.node("Conv", [x, g.node("Relu", [x], "relu")], "conv"))
    return g.model()


@bad("node 'conv' (Conv): input 'dequantizelinear_3_out' has shape 1x2x2x2x2, supported is 1-D and 2-D convolution (rank 3 and 4)")
def conv_3d():
    return conv_with(ONES, shape=(1, 2, 2, 2, 2))


@bad("node 'conv' (Conv): input 'b' has shape 2, expected one value for each of 3 output channels")
def bias_shape():
    return conv_with(ONES, bias=[1, 2])


@bad("node 'conv' (Conv): input 'b' holds nan in channel 1")
def bias_nan():
    return conv_with(ONES, bias=[1, np.nan, 2])


@bad("node 'conv' (Conv): input 'dequantizelinear_3_out' must be a constant bias: FLOAT, or a DequantizeLinear of integers")
def bias_computed():
    g, x = image()
    w, _ = g.weights((3, 2, 2, 2))
    g.output(g.node("Conv", [x, w, x], "conv"))
    return g.model()


@bad("node 'conv' (Conv): 2 groups do not divide 2 input and 3 output channels into filters of 2 input channels")
def groups():
    return conv_with(ONES, group=2)


@bad("node 'conv' (Conv): kernel_shape [2, 2] is not that of the weights, [3, 3]")
def kernel_shape():
    return conv_with(ONES, kernel_shape=[2, 2])


@bad("node 'conv' (Conv): the kernel spans 5 positions, the padded image has 4")
def kernel_too_large():
    return conv_with(ONES, dilations=[2, 1])


@bad("node 'conv' (Conv): pads [0, -1, 0, 0] must be 4 integers of at least 0 (2-D)")
def negative_pads():
    return conv_with(ONES, pads=[0, -1, 0, 0])


@bad("node 'conv' (Conv): strides [0, 1] must be 2 integers of at least 1 (2-D)")
def stride_zero():
    return conv_with(ONES, strides=[0, 1])


@bad("node 'conv' (Conv): pads [1073741824, 0, 0, 0] holds 1073741824, the most is 1048576")
def huge_pads():
    return conv_with(ONES, pads=[1 << 30, 0, 0, 0])


@bad("node 'conv' (Conv): kernel_shape [3, 1099511627776] holds 1099511627776, the most is 1048576")
def huge_kernel():
    return conv_with(ONES, kernel_shape=[3, 1 << 40])


@bad("node 'conv' (Conv): dilations [4611686018427387904, 1] holds 4611686018427387904, the most "
     "is 1048576")
def huge_dilations():
    return conv_with(ONES, dilations=[1 << 62, 1])


@bad("node 'conv' (Conv): auto_pad 'SAME' is not supported")
def auto_pad():
    return conv_with(ONES, auto_pad="SAME")


@bad("node 'conv' (Conv): its result has shape 65536x3x1048578x2, sizes must be positive and their product at most 2^31")
def result_too_large():
    return conv_with(ONES, shape=(1 << 16, 2, 4, 4), pads=[1 << 19, 0, 1 << 19, 0])


@bad("node 'q' (QuantizeLinear): channel 0 would be multiplied by 7.888609e-31 / 1.701412e+38 = 0.000000e+00, which must be normal and finite")
def multiplier():
    g = Graph()
    x = g.dequantize(g.input("x", (1, 4)), 2.0**-50, 0)
    w, _ = g.weights((3, 4), scale=2.0**-50)
    y = g.node("Gemm", [x, w], "gemm", transB=1)
    g.output(g.quantize(y, 2.0**127, 0, name="q"), TensorProto.UINT8)
    return g.model()


@bad("node 'gemm' (Gemm): input 'dequantizelinear_3_out' has shape 1x4, expected a last dimension of 5 as the weights have")
def gemm_length():
    g, x = image((1, 4))
    w, _ = g.weights((3, 5))
    g.output(g.node("Gemm", [x, w], "gemm", transB=1))
    return g.model()


@bad("node 'matmul' (MatMul): input 'dequantizelinear_7_out' has shape 0x3: there is nothing to sum")
def matmul_empty():
    # K = 0.
    g, x = image((1, 4))
    w, _ = g.weights((0, 3), axis=1, clip=False)
    g.output(g.node("MatMul", [x, w], "matmul"))
    return g.model()
