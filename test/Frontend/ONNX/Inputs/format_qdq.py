# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""QuantizeLinear and DequantizeLinear around float layers, compared with ONNX Runtime
as it runs them by default: it makes its QLinear kernels of them."""

import numpy as np
from formats import case
from models import I8, I32, U8, Graph
from onnx import TensorProto


def scales(g, *shape):
    return np.float32(g.rng.integers(300, 1000, shape) / 7919)


def start(g, shape, scale=0.0371, zero=119, dtype=U8):
    x = g.quantize(g.input("x", shape, np.float32), scale, zero, dtype)
    return g.dequantize(x, scale, zero, dtype)


def weights(g, shape, axis=0, dtype=I8, zero=0):
    info = np.iinfo(dtype)
    scale = scales(g, shape[axis])
    w = g.constant(g.rng.integers(info.min, info.max + 1, shape), dtype)
    return g.dequantize(w, scale, zero, dtype, axis=axis), scale


def bias(g, scale):
    codes = g.constant(g.rng.integers(-4000, 4000, scale.shape), I32)
    return g.dequantize(codes, scale, 0, I32, axis=0)


def finish(g, x, scale, zero, dtype=U8):
    q = g.quantize(x, scale, zero, dtype)
    g.output(g.dequantize(q, scale, zero, dtype))
    return g.model()


@case("onnxruntime-optimized")
def qdq_conv():
    g = Graph(opset=13)
    w, scale = weights(g, (5, 3, 3, 2))
    y = g.node("Conv", [start(g, (2, 3, 7, 6)), w, bias(g, np.float32(0.0371) * scale)],
               "conv", pads=[1, 0, 1, 0])
    return finish(g, g.node("Relu", [y]), 0.27, 0)


@case("onnxruntime-optimized")
def qdq_conv_signed():
    g = Graph(opset=13)
    w, scale = weights(g, (8, 1, 3, 3))
    y = g.node("Conv", [start(g, (2, 4, 6, 6), zero=-5, dtype=I8), w], "conv", group=4)
    return finish(g, y, 0.17, 7, I8)


@case("onnxruntime-optimized")
def qdq_gemm():
    g = Graph(opset=13)
    w, scale = weights(g, (10, 23))
    y = g.node("Gemm", [start(g, ("N", 23)), w, bias(g, np.float32(0.0371) * scale)], "gemm",
               transB=1)
    return finish(g, y, 0.47, 131)


@case("onnxruntime-optimized")
def qdq_matmul():
    g = Graph(opset=13)
    w, _ = weights(g, (19, 11), axis=1)
    return finish(g, g.node("MatMul", [start(g, ("N", 2, 19)), w], "matmul"), 0.41, 127)


def products(shape, *weights_shapes, zero=0):
    """A product with each of those weights, as one vector."""
    g = Graph(opset=13)
    x = start(g, shape)
    parts = []
    for of in weights_shapes:
        w = g.constant(g.rng.integers(-128, 128, of), I8)
        y = g.node("MatMul", [x, g.dequantize(w, scales(g, 1)[0], zero, I8)])
        parts.append(g.node("Reshape", [y, g.constant([-1], np.int64)]))
    return finish(g, g.node("Concat", parts, axis=0), 0.41, 127)


@case("onnxruntime-optimized", codes=1)
def qdq_matmul_ranks():
    # Matrices of weights, one matrix of higher rank, and a vector.
    return products((2, 5, 19), (2, 19, 11), (1, 1, 19, 11), (19,), zero=5)


@case("onnxruntime-optimized", codes=1)
def qdq_matmul_row():
    return products((19,), (19, 11), (3, 19, 11), (1, 19, 11), (19,))


@case("onnxruntime-optimized")
def qdq_matmul_real():
    # Sums that nothing quantizes: one float32 product.
    g = Graph(opset=13)
    w, _ = weights(g, (19, 11), axis=1)
    g.output(g.node("MatMul", [start(g, ("N", 2, 19)), w], "matmul"))
    return g.model()


@case("onnxruntime-optimized")
def qdq_float_weights():
    # Weights as the training left them, quantized in the file.
    g = Graph(opset=13)
    scale = scales(g, 5)
    w = g.constant(g.rng.integers(-512, 513, (5, 3, 3, 3)) / 391, np.float32)
    w = g.quantize(w, scale / 4, np.zeros(5), I8, axis=0)
    w = g.dequantize(w, scale / 4, 0, I8, axis=0)
    return finish(g, g.node("Conv", [start(g, (2, 3, 6, 6)), w], "conv"), 0.07, 120)


@case("onnxruntime-optimized", codes=1)
def qdq_residual():
    # The Add's float32 order differs; the Conv before it is exact.
    g = Graph(opset=13)
    x = start(g, (2, 3, 6, 6))
    w, scale = weights(g, (3, 3, 3, 3))
    y = g.quantize(g.node("Conv", [x, w], "conv", pads=[1, 1, 1, 1]), 0.113, 128)
    y = g.node("Add", [x, g.dequantize(y, 0.113, 128)])
    q = g.quantize(y, 0.125, 117, name="sum")
    g.output(q, TensorProto.UINT8)
    return g.model()


@case("onnxruntime-optimized")
def qdq_gemm_alpha():
    # The factor is part of the scale of the sums.
    g = Graph(opset=13)
    w, _ = weights(g, (23, 10), axis=1)
    y = g.node("Gemm", [start(g, ("N", 23)), w], "gemm", alpha=0.37)
    return finish(g, y, 0.17, 131)


@case("onnxruntime-optimized", error=1e-6)
def qdq_gemm_beta():
    # Half a bias is no integer, and a transposed operand no row of codes.
    g = Graph(opset=13)
    w, scale = weights(g, (10, 23))
    x = start(g, ("N", 23))
    y = g.node("Gemm", [x, w, bias(g, np.float32(0.0371) * scale)], "gemm", transB=1, beta=0.5)
    z = g.node("Gemm", [start_of(g, "z", (23, 4)), w], "turned", transA=1, transB=1)
    y = g.node("Concat", [g.node("Reshape", [v, g.constant([-1], np.int64)]) for v in (y, z)],
               axis=0)
    g.output(y)
    return g.model()


def start_of(g, name, shape):
    x = g.quantize(g.input(name, shape, np.float32), 0.0371, 119, U8)
    return g.dequantize(x, 0.0371, 119, U8)


@case("onnxruntime-optimized")
def qdq_conv_unsigned_weights():
    g = Graph(opset=13)
    w, scale = weights(g, (5, 3, 3, 2), dtype=U8, zero=121)
    y = g.node("Conv", [start(g, (2, 3, 7, 6)), w], "conv", pads=[1, 0, 1, 0])
    return finish(g, y, 0.27, 113)


@case("onnxruntime-optimized")
def qdq_gemm_unsigned_weights():
    g = Graph(opset=13)
    w, scale = weights(g, (10, 23), dtype=U8, zero=0)
    y = g.node("Gemm", [start(g, ("N", 23)), w, bias(g, np.float32(0.0371) * scale)], "gemm",
               transB=1)
    return finish(g, y, 1.47, 131)


@case("onnxruntime-optimized", codes=1)
def qdq_conv_transpose():
    # The runtime sums float32 products, so a sum near a tie may take the other code.
    g = Graph(opset=13)
    w, scale = weights(g, (3, 4, 3, 2), axis=1)
    y = g.node("ConvTranspose", [start(g, (2, 3, 5, 4)), w, bias(g, np.float32(0.0371) * scale)],
               "up", strides=[2, 3], pads=[1, 0, 1, 0])
    g.output(g.quantize(y, 0.21, 113, name="codes"), TensorProto.UINT8)
    return g.model()


@case("onnxruntime-optimized", codes=1)
def qdq_resize():
    # Linear between codes: real numbers, rounded in other orders.
    g = Graph(opset=13)
    x = start(g, (2, 3, 5, 4))
    y = g.node("Resize", [x, "", g.constant([1, 1, 2, 2], np.float32)], "resize", mode="linear")
    g.output(g.quantize(y, 0.0371, 119, name="codes"), TensorProto.UINT8)
    return g.model()
