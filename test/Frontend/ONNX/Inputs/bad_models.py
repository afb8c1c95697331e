#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that the importer refuses, each with the error that it must give.

    bad_models.py FOLDER

writes the models below FOLDER, imports each with a2q-translate, and fails
unless there is exactly one error, it says what is expected here, the exit
status is 1, and no output file is left.
"""

import os
import subprocess
import sys

import numpy as np
from models import I8, I32, U8, Graph, conv_padded, image, pool
from onnx import TensorProto, helper

CASES = []


def bad(message, *options):
    def register(function):
        CASES.append((function.__name__, function, message, options))
        return function

    return register


# ---------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------


@bad("is not an ONNX model, or is truncated")
def truncated():
    return conv_padded().SerializeToString()[:-20]


@bad("is not an ONNX model: it has no graph with outputs")
def empty_file():
    return b""


@bad("is not an ONNX model, or is truncated")
def text_file():
    return b"func.func @main() { return }\n"


def with_opset(version):
    m = conv_padded()
    m.opset_import[1].version = version
    return m


@bad("uses ONNX operator set 12, supported are 13 to 25")
def opset_12():
    return with_opset(12)


@bad("uses ONNX operator set 99, supported are 13 to 25")
def opset_99():
    return with_opset(99)


@bad("does not say which ONNX operator set it uses")
def no_opset():
    m = conv_padded()
    del m.opset_import[1]
    return m


# ---------------------------------------------------------------------------
# Graphs
# ---------------------------------------------------------------------------


@bad("has unsupported operators: 2 LRN ('first', ...), 1 ai.custom.Relu ('r')")
def operators():
    g, x = image()
    x = g.node("LRN", [x], "first")
    x = g.node("Relu", [x], "r", domain="ai.custom")
    g.output(g.node("LRN", [x], "second"))
    return g.model()


@bad("node 'a' (Relu): is part of a cycle, or depends on one")
def cycle():
    g = Graph()
    g.node("Relu", ["b_out"], "a")
    g.output(g.node("Relu", ["a_out"], "b"))
    return g.model()


@bad("node 'a' (Relu): input 'nowhere' is not defined")
def undefined_input():
    g = Graph()
    g.output(g.node("Relu", ["nowhere"], "a"))
    return g.model()


@bad("output 'nowhere' is not defined")
def undefined_output():
    g, x = image()
    g.output("nowhere")
    return g.model()


@bad("node 'a' (Relu): output 'a_out' is already defined")
def defined_twice():
    g, x = image()
    g.node("Relu", [x], "a")
    g.output(g.node("Relu", [x], "a"))
    return g.model()


@bad("defines initializer 'c' twice")
def initializer_twice():
    g, x = image()
    g.constant(1, np.float32, "c")
    g.constant(2, np.float32, "c")
    g.output(x)
    return g.model()


@bad("defines input 'x' twice")
def input_twice():
    g, x = image()
    g.input("x", (1,))
    g.output(x)
    return g.model()


@bad("output 'c' is constant; supported are outputs that depend on an input")
def constant_output():
    g, x = image()
    g.output(g.constant(1, np.float32, "c"))
    return g.model()


@bad("node 'f' (Flatten): attribute 'axis' has type FLOAT, expected INT")
def attribute_type():
    g, x = image()
    g.output(g.node("Flatten", [x], "f", axis=1.0))
    return g.model()


@bad("node 'f' (Flatten): attribute 'axes' is not supported")
def unknown_attribute():
    g, x = image()
    g.output(g.node("Flatten", [x], "f", axes=[1]))
    return g.model()


@bad("node 'f' (Flatten): has 2 inputs, expected 1 to 1")
def input_count():
    g, x = image()
    g.output(g.node("Flatten", [x, x], "f"))
    return g.model()


@bad("node 'f' (Add): input 1 is missing")
def missing_input():
    g, x = image()
    g.output(g.node("Add", [x, ""], "f"))
    return g.model()


@bad("node 'p' (MaxPool): output 'indices' is not supported, only the first one is")
def second_output():
    g, x = image()
    g.output(g.node("MaxPool", [x], "p", kernel_shape=[2, 2]))
    g.nodes[-1].output.append("indices")
    return g.model()


# ---------------------------------------------------------------------------
# Inputs
# ---------------------------------------------------------------------------


@bad("input 'x' has an unknown size in dimension 2, only the batch (dimension 0) may be symbolic")
def unknown_size():
    g, x = image((1, 2, "H", 6))
    g.output(x)
    return g.model()


@bad("input 'x' has no known shape")
def unknown_shape():
    g, x = image()
    g.inputs[0].type.tensor_type.ClearField("shape")
    g.output(x)
    return g.model()


@bad("input 'x' has shape 1x0x6x6, sizes must be positive and their product at most 2^31")
def empty_input():
    g, x = image((1, 0, 6, 6))
    g.output(x)
    return g.model()


@bad("input 'x' has shape 1x-2x6x6, sizes must be positive and their product at most 2^31")
def negative_input():
    g, x = image((1, -2, 6, 6))
    g.output(x)
    return g.model()


@bad("input 'x' has shape 4294967296x4294967296, sizes must be positive and their product at most 2^31")
def huge_input():
    g, x = image((1 << 32, 1 << 32))
    g.output(x)
    return g.model()


@bad("input 'x' has element type FLOAT16; supported are FLOAT, UINT8, INT8, UINT16 and INT16")
def input_type():
    g = Graph()
    g.input("x", (1,), np.float16)
    g.output("x")
    return g.model()


@bad("input 'x' has a fixed batch of 1, a batch of 2 was asked for", "--batch=2")
def fixed_batch():
    g, x = image((1, 2))
    g.output(x)
    return g.model()


@bad("a batch of 0 was asked for, it is at least 1", "--batch=0")
def no_batch():
    return conv_padded()


# ---------------------------------------------------------------------------
# Constant tensors
# ---------------------------------------------------------------------------


def with_tensor(**fields):
    """Adds the tensor `c` of the given fields to an input."""
    g, x = image((1, 4))
    g.initializers.append(TensorProto(name="c", **fields))
    g.output(g.node("Add", [x, "c"], "add"))
    return g.model()


@bad("node 'add' (Add): input 'c' has 12 bytes of data, 4 of FLOAT needs 16")
def payload_size():
    return with_tensor(data_type=1, dims=[4], raw_data=b"\0" * 12)


@bad("node 'add' (Add): input 'c' has 3 elements of data, 4 of FLOAT needs 4")
def field_size():
    return with_tensor(data_type=1, dims=[4], float_data=[1, 2, 3])


@bad("node 'add' (Add): input 'c' has shape -4, sizes must not be negative nor their product beyond 2^31")
def negative_dims():
    return with_tensor(data_type=1, dims=[-4], raw_data=b"")


@bad("node 'add' (Add): input 'c' has shape 4294967296x4294967296, sizes must not be negative nor their product beyond 2^31")
def huge_dims():
    return with_tensor(data_type=1, dims=[1 << 32, 1 << 32], raw_data=b"")


@bad("node 'add' (Add): input 'c' has element type FLOAT16; supported are FLOAT and signed and unsigned integers")
def half_precision():
    return with_tensor(data_type=10, dims=[4], raw_data=b"\0" * 8)


@bad("node 'add' (Add): input 'c' holds 300, which is no UINT8")
def value_outside_type():
    return with_tensor(data_type=2, dims=[1], int32_data=[300])


@bad("node 'add' (Add): input 'c' holds integers, expected real numbers (a DequantizeLinear)")
def integers_for_reals():
    return with_tensor(data_type=2, dims=[1], int32_data=[3])


def external(**entries):
    m = with_tensor(data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        m.graph.initializer[-1].external_data.add(key=key, value=value)
    return m


@bad("input 'c' has external data in 'FOLDER/absent.bin': No such file or directory")
def external_absent():
    return external(location="absent.bin")


@bad("input 'c' has external data at '../up.bin', expected a file below the model's folder")
def external_above():
    return external(location="../up.bin")


@bad("input 'c' has external data beyond the end of 'FOLDER/empty_file.onnx'")
def external_short():
    return external(location="empty_file.onnx", offset="0", length="16")


# ---------------------------------------------------------------------------
# Quantization
# ---------------------------------------------------------------------------


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


# ---------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------


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


@bad("node 'conv' (Conv): input 'w_out' holds a weight that is 200 above its zero point; supported are differences from -50 to 127")
def weights_zero_point():
    return conv_with(ONES * 250, zero=50, dtype=U8)


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


@bad("node 'conv' (Conv): input 'dequantizelinear_3_out' has shape 1x2x4, supported is 2-D convolution (rank 4)")
def conv_1d():
    return conv_with(ONES, shape=(1, 2, 4))


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


@bad("node 'gemm' (Gemm): has alpha 5.000000e-01, beta 1.000000e+00 and transA 0; supported are 1, 1 and 0")
def gemm_alpha():
    g, x = image((1, 4))
    w, _ = g.weights((4, 3), axis=1)
    g.output(g.node("Gemm", [x, w], "gemm", alpha=0.5))
    return g.model()


@bad("node 'gemm' (Gemm): input 'dequantizelinear_3_out' has shape 1x4, expected rank 2 or more and a last dimension of 5 as the weights have")
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


# ---------------------------------------------------------------------------
# Layers of real numbers
# ---------------------------------------------------------------------------


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


@bad("node 'conv' (Conv): input 'x' has shape 1x2x4, supported is 2-D convolution (rank 4)")
def real_conv_1d():
    return real_conv(np.ones((3, 2, 3)), shape=(1, 2, 4))


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


@bad("node 'gemm' (Gemm): has transA 1; supported is 0")
def real_gemm_transposed():
    g, x = real_graph((2, 3))
    w = g.constant(np.ones((2, 4)), np.float32)
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


@bad("node 'mean' (ReduceMean): is over the axes [1] of shape 1x2x4x4, supported are rows and columns, [2, 3] of rank 4")
def mean_of_channels():
    g, x = real_graph()
    g.output(g.node("ReduceMean", [x], "mean", axes=[1]))
    return g.model()


@bad("node 'concat' (Concat): input 'y' has shape 1x3x5x4, beside 1x2x4x4 along axis 1")
def concat_shapes():
    g, x = real_graph()
    y = g.input("y", (1, 3, 5, 4), np.float32)
    g.output(g.node("Concat", [x, y], "concat", axis=1))
    return g.model()


@bad("node 'dropout' (Dropout): has 3 inputs, expected 1 to 2")
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


# ---------------------------------------------------------------------------
# Everything else
# ---------------------------------------------------------------------------


@bad("node 'add' (Add): shapes 1x2x6x6 and 5 do not broadcast")
def not_broadcast():
    g, x = image()
    g.output(g.node("Add", [x, g.constant([1] * 5, np.float32)], "add"))
    return g.model()


@bad("node 'f' (Flatten): axis 7 is outside a shape of rank 4")
def flatten_axis():
    g, x = image()
    g.output(g.node("Flatten", [x], "f", axis=7))
    return g.model()


def reshaped(shape, dtype=np.int64):
    g, x = image(("N", 2, 6, 6))
    g.output(g.node("Reshape", [x, g.constant(shape, dtype, "shape")], "r"))
    return g.model()


@bad("node 'r' (Reshape): input 'dequantizelinear_3_out' has shape 1x2x6x6, which does not have as many elements as 5x14")
def reshape_count():
    return reshaped([5, -1])


@bad("node 'r' (Reshape): input 'shape' asks for size -1 in dimension 1")
def reshape_inferred_twice():
    return reshaped([-1, -1])


@bad("node 'r' (Reshape): input 'shape' has type INT32 and shape 1, expected a vector of INT64")
def reshape_type():
    return reshaped([-1], I32)


@bad("node 't' (Transpose): perm [0, 1, 1, 2] is no permutation of 4 dimensions")
def permutation():
    g, x = image()
    g.output(g.node("Transpose", [x], "t", perm=[0, 1, 1, 2]))
    return g.model()


@bad("node 'pool' (MaxPool): ceil_mode is not supported")
def ceil_mode():
    return pool("MaxPool", kernel_shape=[2, 2], ceil_mode=1)


@bad("node 'pool' (MaxPool): a padding of 2 leaves nothing to pool in a kernel that spans 2")
def pool_padding():
    return pool("MaxPool", kernel_shape=[2, 2], pads=[2, 0, 0, 0])


@bad("node 'pool' (MaxPool): has no kernel_shape")
def pool_kernel():
    return pool("MaxPool")


@bad("node 'pool' (AveragePool): input 'dequantizelinear_3_out' has shape 1x2x5, supported is 2-D pooling (rank 4)")
def pool_1d():
    return pool("AveragePool", shape=(1, 2, 5), kernel_shape=[2])


@bad("node 'pool' (AveragePool): input 'x' holds integers, expected real numbers (a DequantizeLinear)")
def pool_codes():
    g = Graph()
    x = g.input("x", (1, 2, 4, 4))
    g.output(g.node("AveragePool", [x], "pool", kernel_shape=[2, 2]))
    return g.model()


def problem(folder, name, build, message, options):
    """What is wrong with the importer's answer, or None."""
    path = os.path.join(folder, name + ".onnx")
    output = os.path.join(folder, name + ".mlir")
    result = build()
    with open(path, "wb") as file:
        file.write(result if isinstance(result, bytes) else result.SerializeToString())
    run = subprocess.run(["a2q-translate", "--import-onnx", path, "-o", output, *options],
                         capture_output=True, text=True)
    errors = [l for l in run.stderr.splitlines() if "error: " in l]
    if run.returncode != 1:
        return f"exit status {run.returncode}\n{run.stderr}"
    if len(errors) != 1:
        return f"{len(errors)} errors\n{run.stderr}"
    # The expectation may leave out the file, and the node before it.
    if not errors[0].endswith(message.replace("FOLDER", folder)):
        return f"expected {message}\n      got {errors[0]}"
    if os.path.exists(output):
        return "left an output file"
    return None


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    wrong = 0
    for case in CASES:
        text = problem(folder, *case)
        if text:
            wrong += 1
            print(f"{case[0]}: {text}", file=sys.stderr)
    print(f"{len(CASES) - wrong} of {len(CASES)} models are refused as they should be")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
