# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of real numbers, and normalization, that are refused."""

import numpy as np
from cases import bad
from models import I8, Graph


ONES = np.ones((3, 2, 3, 3))


def real_graph(shape=(1, 2, 4, 4)):
    g = Graph()
    return g, g.input("x", shape, np.float32)


def real_conv(weights, bias=None, shape=(1, 2, 4, 4), **attributes):
    g, x = real_graph(shape)
    inputs = [x, g.constant(weights, np.float32, "w")]
    inputs += [g.constant(bias, np.float32, "b")] if bias else []
    g.output(g.node("Conv", inputs, "conv", **attributes))
    return g.model()


@bad("node 'conv' (Conv): input 'w' holds nan at index 0")
def real_weights_nan():
    return real_conv(ONES * np.nan)


@bad("node 'conv' (Conv): input 'w' holds -INF at index 4")
def real_weights_infinite():
    weights = ONES.copy()
    weights[0, 0, 1, 1] = -np.inf
    return real_conv(weights)


@bad("node 'conv' (Conv): input 'b' holds nan in channel 1")
def real_bias_nan():
    return real_conv(ONES, [0, np.nan, 0])


@bad("node 'conv' (Conv): input 'b' has shape 2, expected one value for each of 3 output channels")
def real_bias_shape():
    return real_conv(ONES, [0, 0])


@bad("node 'conv' (Conv): input 'w' has shape 0x2x3x3: there is nothing to sum")
def real_weights_empty():
    return real_conv(np.ones((0, 2, 3, 3)))


@bad("node 'conv' (Conv): input 'w' has shape 3x2, expected rank 4")
def real_weights_rank():
    return real_conv(np.ones((3, 2)))


@bad("node 'conv' (Conv): input 'x' has shape 1x2, supported is 1-D and 2-D convolution (rank 3 and 4)")
def real_conv_rows():
    return real_conv(np.ones((3, 2)), shape=(1, 2))


@bad("node 'conv' (Conv): 2 groups do not divide 2 input and 3 output channels into filters of 2 input channels")
def real_groups():
    return real_conv(ONES, group=2)


@bad("node 'conv' (Conv): input 'x' holds integers, expected real numbers (a DequantizeLinear)")
def codes_in_real_layer():
    g = Graph()
    x = g.input("x", (1, 2, 4, 4))
    g.output(g.node("Conv", [x, g.constant(ONES, np.float32)], "conv"))
    return g.model()


@bad("node 'conv' (Conv): input 'w' holds integers, expected real numbers (a DequantizeLinear)")
def codes_as_weights():
    g, x = real_graph()
    g.output(g.node("Conv", [x, g.constant(ONES, I8, "w")], "conv"))
    return g.model()


@bad("node 'gemm' (Gemm): the shapes 2x3 and 3x4 cannot be multiplied")
def real_gemm_transposed():
    g, x = real_graph((2, 3))
    w = g.constant(np.ones((3, 4)), np.float32)
    g.output(g.node("Gemm", [x, w], "gemm", transA=1))
    return g.model()


@bad("node 'matmul' (MatMul): input 'x' has shape 2x3, expected rank 2 or more and a last dimension of 4 as the weights have")
def real_matmul_length():
    g, x = real_graph((2, 3))
    g.output(g.node("MatMul", [x, g.constant(np.ones((4, 5)), np.float32)], "matmul"))
    return g.model()


def norm(variance, scale=(1, 1), **attributes):
    g, x = real_graph()
    inputs = [g.constant(v, np.float32, n) for n, v in
              (("s", scale), ("b", (0, 0)), ("m", (0, 0)), ("v", variance))]
    g.output(g.node("BatchNormalization", [x, *inputs], "bn", **attributes))
    return g.model()


@bad("node 'bn' (BatchNormalization): channel 1 has variance -1.000000e+00 and epsilon 1.000000e-05, which normalize nothing: a variance is at least 0, and positive with epsilon")
def variance_negative():
    return norm((1, -1))


@bad("node 'bn' (BatchNormalization): channel 0 has variance 0.000000e+00 and epsilon 0.000000e+00, which normalize nothing: a variance is at least 0, and positive with epsilon")
def variance_zero():
    return norm((0, 1), epsilon=0.0)


@bad("node 'bn' (BatchNormalization): input 'v' holds nan at index 0")
def variance_nan():
    return norm((np.nan, 1))


@bad("node 'bn' (BatchNormalization): input 's' has shape 3, expected one value for each of 2 channels")
def norm_channels():
    return norm((1, 1), scale=(1, 1, 1))


@bad("node 'bn' (BatchNormalization): training_mode is not supported, only inference")
def norm_training():
    return norm((1, 1), training_mode=1)


@bad("node 'softmax' (Softmax): axis 4 is outside a shape of rank 4")
def softmax_axis():
    g, x = real_graph()
    g.output(g.node("Softmax", [x], "softmax", axis=4))
    return g.model()


@bad("node 'mean' (ReduceMean): axes holds axis 4, outside a shape of rank 4")
def mean_axis():
    g, x = real_graph()
    g.output(g.node("ReduceMean", [x], "mean", axes=[4]))
    return g.model()


@bad("node 'concat' (Concat): input 'y' has shape 1x3x5x4, beside 1x2x4x4 along axis 1")
def concat_shapes():
    g, x = real_graph()
    y = g.input("y", (1, 3, 5, 4), np.float32)
    g.output(g.node("Concat", [x, y], "concat", axis=1))
    return g.model()


@bad("node 'dropout' (Dropout): input 'training' asks for training, it must be false")
def dropout_training():
    g, x = real_graph()
    g.output(g.node("Dropout", [x, g.constant(0.5, np.float32),
                                g.constant(True, np.bool_, "training")], "dropout"))
    return g.model()


@bad("node 'squeeze' (Squeeze): input 'x' has shape 1x2x4x4, dimension 1 is not 1")
def squeeze_size():
    g, x = real_graph()
    g.output(g.node("Squeeze", [x, g.constant([1], np.int64)], "squeeze"))
    return g.model()


@bad("node 'unsqueeze' (Unsqueeze): input 'axes' holds axis 9, outside a shape of rank 5")
def unsqueeze_axis():
    g, x = real_graph()
    g.output(g.node("Unsqueeze", [x, g.constant([9], np.int64, "axes")], "unsqueeze"))
    return g.model()
