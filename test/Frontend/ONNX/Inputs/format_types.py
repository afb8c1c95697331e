# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Codes of 2, 4 and 16 bits, in both packings, and scales for each block.

Runtimes hold packed codes in bytes of raw_data, low bits first, or in entries of
int32_data, a byte each."""

import numpy as np
from formats import case
from models import I8, U8, Graph
from onnx import TensorProto

UINT4, INT4, UINT2, INT2 = 21, 22, 25, 26


def packed(g, shape, data_type, fields=False, codes=None):
    """A constant of random codes, or of these."""
    bits = 2 if data_type in (UINT2, INT2) else 4
    if codes is None:
        codes = g.rng.integers(0, 2**bits, shape)
    codes = np.ravel(codes) % 2**bits
    codes = np.append(codes, np.zeros(-codes.size % (8 // bits), int))
    bytes_ = sum(codes[i::8 // bits] << (bits * i) for i in range(8 // bits))
    tensor = TensorProto(name=g.fresh("packed"), data_type=data_type, dims=shape)
    if fields:
        tensor.int32_data.extend(int(byte) for byte in bytes_)
    else:
        tensor.raw_data = bytes_.astype(np.uint8).tobytes()
    g.initializers.append(tensor)
    return tensor.name


def finish(g, x, ir_version=10):
    g.output(x)
    model = g.model()
    model.ir_version = ir_version
    return model


def layer(data_type, opset, fields=False, zero=False, runtime_ir=10):
    """5 x 13 weights, an odd count, of one scale and zero point a row."""
    g = Graph(opset)
    x = g.codes(g.input("x", ("N", 13), U8), 0.0371, 119)
    inputs = [packed(g, (5, 13), data_type, fields),
              g.constant(g.rng.integers(300, 1000, 5) / 7919, np.float32)]
    if zero:
        inputs.append(packed(g, (5,), data_type, fields, [7, 8, 9, 3, 0]))
    w = g.node("DequantizeLinear", inputs, axis=0)
    return finish(g, g.node("Gemm", [x, w], "gemm", transB=1), runtime_ir)


@case("onnx", error=1e-6)
def weights_int4():
    return layer(INT4, 21)


@case("onnx", error=1e-6)
def weights_uint4_fields():
    return layer(UINT4, 21, fields=True, zero=True)


@case("onnx", error=1e-6)
def weights_int2():
    return layer(INT2, 25, runtime_ir=13)


@case("onnx", error=1e-6)
def weights_uint2_fields():
    return layer(UINT2, 25, fields=True, runtime_ir=13)


def words(dtype, domain, opset, zero):
    g = Graph(opset)
    x = g.input("x", ("N", 11), dtype)
    s, z = g.constant(0.000371, np.float32), g.constant(zero, dtype)
    x = g.node("DequantizeLinear", [x, s, z], domain=domain)
    w, _ = g.weights((5, 11), scale=0.071, lo=-100, hi=100, clip=False)
    y = g.node("Gemm", [x, w], "gemm", transB=1)
    y = g.node("QuantizeLinear", [y, g.constant(0.0137, np.float32), z], domain=domain)
    g.output(y, {np.uint16: TensorProto.UINT16, np.int16: TensorProto.INT16}[dtype])
    model = g.model()
    model.ir_version = 10
    return model


@case("onnxruntime-optimized")
def words_signed():
    return words(np.int16, "com.microsoft", 13, 7)


@case("onnxruntime-optimized")
def words_unsigned():
    return words(np.uint16, "", 21, 31117)


def blocks(data_type, shape, axis, size, zero=False, codes=None):
    """Weights with a scale for each block, of a float layer or of one of codes."""
    g = Graph(21)
    if codes:
        x = g.codes(g.input("x", ("N", 5, shape[0]), codes), 0.0371, 19, codes)
    else:
        x = g.input("x", ("N", shape[0]), np.float32)
    count = list(shape)
    count[axis] = -(-shape[axis] // size)
    inputs = [packed(g, shape, data_type),
              g.constant(g.rng.integers(300, 1000, count) / 7919, np.float32)]
    if zero:
        inputs.append(packed(g, count, data_type))
    w = g.node("DequantizeLinear", inputs, axis=axis, block_size=size)
    return finish(g, g.node("MatMul", [x, w], "matmul"))


@case(error=1e-6)
def blocks_of_inputs():
    # As language models have them: along the reduction; the last block is shorter.
    return blocks(INT4, (38, 6), 0, 16)


@case(error=1e-6)
def blocks_of_outputs():
    return blocks(UINT4, (7, 32), 1, 16, zero=True)


@case(error=1e-6)
def blocks_of_codes():
    # Each block is a product of integers.
    return blocks(INT4, (48, 6), 0, 16, codes=U8)


@case(error=1e-6)
def blocks_of_codes_and_zero_points():
    return blocks(UINT4, (32, 6), 0, 8, zero=True, codes=I8)


@case("onnxruntime-optimized")
def shared_and_listed():
    # Initializers that are inputs too, and shared by layers.
    g = Graph(13)
    w, _ = g.weights((6, 6), scale=0.0371, lo=-100, hi=100, clip=False)
    x = g.codes(g.input("x", ("N", 6), I8), 0.071, -3, I8)
    x = g.requantize(g.node("Gemm", [x, w], "first", transB=1), 0.37, 11, I8, None)
    model = finish(g, g.node("Gemm", [x, w], "second", transB=1), 8)
    for tensor in g.initializers:
        value = model.graph.input.add(name=tensor.name)
        value.type.tensor_type.elem_type = tensor.data_type
        for size in tensor.dims:
            value.type.tensor_type.shape.dim.add(dim_value=size)
        if not tensor.dims:
            value.type.tensor_type.shape.SetInParent()
    return model
