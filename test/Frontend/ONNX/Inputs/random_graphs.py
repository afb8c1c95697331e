#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random networks of quantized and float operators, compared with ONNX Runtime.

    random_graphs.py FOLDER [COUNT [FIRST]]    COUNT networks from seed FIRST on

Scales and numbers are powers of two times small integers, so that float32 is exact on them
and equality is bit for bit; networks that end in functions which round are compared to 1e-5.
"""

import os
import subprocess
import sys

import numpy as np
from models import I8, U8, Graph

F, L = np.float32, np.int64


class Network(Graph):
    """Values are (name, shape, step): the step divides all numbers, or is None where they
    may be anything."""

    def __init__(self, seed):
        super().__init__(int(np.random.default_rng(seed).integers(13, 22)))
        self.random = np.random.default_rng(seed)
        self.exact = True

    def pick(self, *choices):
        return choices[self.random.integers(len(choices))]

    def quantized(self, x, shape):
        """Codes of 8 or 4 bits of either sign, and back."""
        dtype = self.pick(U8, I8)
        info = np.iinfo(dtype)
        zero = int(self.pick(0, 0, self.random.integers(info.min // 2, info.max // 2)))
        clip = None
        if self.random.random() < 0.3:
            lo = zero if dtype is U8 else zero - 8
            clip = (max(info.min, lo), min(info.max, lo + 15))
        scale = 2.0 ** -int(self.random.integers(0, 5))
        return self.requantize(x, scale, zero, dtype, clip), shape

    def weights_of(self, shape, axis):
        bits = self.pick(4, 8)
        most = 2 ** (bits - 1) - 1
        codes = self.constant(self.random.integers(-most, most + 1, shape), I8)
        if self.random.random() < 0.5:
            return self.dequantize(codes, 2.0 ** -int(self.random.integers(2, 6)), 0, I8)
        scale = 2.0 ** -self.random.integers(2, 6, shape[axis]).astype(float)
        return self.dequantize(codes, scale, 0, I8, axis=axis)

    def bias_of(self, count):
        return self.constant(self.random.integers(-512, 512, count) / 256, F)

    # Operators of images. --------------------------------------------------------------

    def conv(self, x, shape):
        n, c, h, w = shape
        group = self.pick(1, 1, c)
        out = group * int(self.random.integers(1, 4))
        k = [min(int(self.random.integers(1, 4)), size) for size in (h, w)]
        pads = [int(self.random.integers(0, size)) for size in k] * 2
        strides = [int(self.random.integers(1, 3)) for _ in k]
        inputs = [x, self.weights_of((out, c // group, *k), 0)]
        if self.random.random() < 0.5:
            inputs.append(self.bias_of(out))
        y = self.node("Conv", inputs, pads=pads, strides=strides, group=group)
        sizes = [(size + 2 * pad - kernel) // stride + 1
                 for size, pad, kernel, stride in zip((h, w), pads, k, strides)]
        return self.quantized(y, (n, out, *sizes))

    def conv_transpose(self, x, shape):
        n, c, h, w = shape
        out, k, s = int(self.random.integers(1, 4)), int(self.random.integers(1, 4)), 2
        y = self.node("ConvTranspose", [x, self.weights_of((c, out, k, k), 1)], strides=[s, s])
        return self.quantized(y, (n, out, (h - 1) * s + k, (w - 1) * s + k))

    def max_pool(self, x, shape):
        n, c, h, w = shape
        k = [min(2, h), min(3, w)]
        y = self.node("MaxPool", [x], kernel_shape=k, strides=[1, 2])
        return y, (n, c, h - k[0] + 1, (w - k[1]) // 2 + 1)

    def average_pool(self, x, shape):
        n, c, h, w = shape
        if h < 2 or w < 2:
            return x, shape
        y = self.node("AveragePool", [x], kernel_shape=[2, 2])
        return self.quantized(y, (n, c, h - 1, w - 1))

    def depth_to_space(self, x, shape):
        n, c, h, w = shape
        if c % 4:
            return x, shape
        y = self.node("DepthToSpace", [x], blocksize=2, mode=self.pick("DCR", "CRD"))
        return y, (n, c // 4, h * 2, w * 2)

    def to_rows(self, x, shape):
        return self.node("Flatten", [x]), (shape[0], int(np.prod(shape[1:])))

    def attend(self, x, shape):
        """Codes times codes."""
        n, c, h, w = shape
        y = self.node("Transpose", [x], perm=[0, 1, 3, 2])
        y, _ = self.quantized(y, shape)
        return self.quantized(self.node("MatMul", [x, y]), (n, c, h, h))

    # Operators of rows. ----------------------------------------------------------------

    def gemm(self, x, shape):
        out = int(self.random.integers(1, 9))
        inputs = [x, self.weights_of((out, shape[1]), 0), self.bias_of(out)]
        return self.quantized(self.node("Gemm", inputs, transB=1), (shape[0], out))

    def matmul(self, x, shape):
        out = int(self.random.integers(1, 9))
        y = self.node("MatMul", [x, self.weights_of((shape[-1], out), 1)])
        if self.random.random() < 0.5:
            y = self.node("Add", [self.bias_of(out), y])
        return self.quantized(y, (*shape[:-1], out))

    def to_image(self, x, shape):
        n, k = shape
        if k % 4:
            return x, shape
        return self.node("Reshape", [x, self.constant([n, k // 4, 2, 2], L)]), (n, k // 4, 2, 2)

    # Operators of any. -----------------------------------------------------------------

    def relu(self, x, shape):
        return self.node("Relu", [x]), shape

    def clipped(self, x, shape):
        lo, hi = sorted(self.random.integers(-8, 8, 2) / 4)
        return self.node("Clip", [x, self.constant(lo, F), self.constant(hi, F)]), shape

    def leaky(self, x, shape):
        return self.quantized(self.node("LeakyRelu", [x], alpha=0.125), shape)

    def residual(self, x, shape):
        y, _ = self.quantized(self.node(self.pick("Neg", "Relu", "Abs"), [x]), shape)
        return self.quantized(self.node(self.pick("Add", "Sub", "Max", "Min"), [x, y]), shape)

    def squared(self, x, shape):
        return self.quantized(self.node("Mul", [x, x]), shape)

    def concat(self, x, shape):
        axis = int(self.random.integers(1, len(shape)))
        y, _ = self.quantized(self.node("Neg", [x]), shape)
        sizes = list(shape)
        sizes[axis] *= 2
        return self.node("Concat", [x, y], axis=axis), tuple(sizes)

    def turned(self, x, shape):
        order = [0] + [1 + int(i) for i in self.random.permutation(len(shape) - 1)]
        return self.node("Transpose", [x], perm=order), tuple(shape[i] for i in order)

    def sliced(self, x, shape):
        axis = int(self.random.integers(1, len(shape)))
        start = int(self.random.integers(0, shape[axis]))
        step = self.pick(1, 2, -1)
        ends = -2**31 if step < 0 else 2**31
        inputs = [self.constant([value], L) for value in (start, ends, axis, step)]
        sizes = list(shape)
        sizes[axis] = len(range(shape[axis])[start::step])
        return self.node("Slice", [x] + inputs), tuple(sizes)

    def padded(self, x, shape):
        pads = [0] * len(shape) * 2
        for at in range(1, len(shape)):
            pads[at], pads[at + len(shape)] = map(int, self.random.integers(0, 2, 2))
        sizes = tuple(size + pads[at] + pads[at + len(shape)] for at, size in enumerate(shape))
        return self.node("Pad", [x, self.constant(pads, L)], mode=self.pick("constant", "edge")), sizes

    def finish(self, x, shape):
        """Some networks end in functions that round."""
        end = self.pick("Softmax", "ReduceMean", "ReduceMax", "Sigmoid", None, None, None)
        if end is not None:
            self.exact = end == "ReduceMax"
            x = self.node(end, [x]) if end == "Sigmoid" else (
                self.node(end, [x], axis=-1) if end == "Softmax" else self.node(end, [x]))
        self.output(x)


IMAGE = ("conv", "conv", "conv", "conv_transpose", "max_pool", "average_pool", "depth_to_space",
         "to_rows", "attend")
ROWS = ("gemm", "matmul", "to_image")
ANY = ("relu", "clipped", "leaky", "residual", "squared", "concat", "turned", "sliced", "padded")


def network(seed):
    g = Network(seed)
    shape = (2, int(g.random.integers(1, 6)), int(g.random.integers(1, 9)),
             int(g.random.integers(1, 9)))
    x, _ = g.quantized(g.input("x", shape, F), shape)
    for _ in range(g.random.integers(1, 10)):
        if np.prod(shape) > 20000:
            break
        name = g.pick(*(IMAGE if len(shape) == 4 else ROWS), *ANY)
        x, shape = getattr(g, name)(x, shape)
    g.finish(x, shape)
    return g


def answer(proto, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def difference(folder, seed):
    g = network(seed)
    proto = g.model()
    shape = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    x = (g.random.integers(-128, 129, shape) / 16).astype(F)
    path = os.path.join(folder, str(seed))
    with open(path + ".onnx", "wb") as file:
        file.write(proto.SerializeToString())
    np.save(path + ".x.npy", x)
    expected = answer(proto, x)
    run = subprocess.run(["a2q-run", path + ".onnx", "--input", path + ".x.npy", "--output",
                          path + ".y.npy"], capture_output=True, text=True)
    if run.returncode:
        return run.stderr or f"status {run.returncode}"
    found = np.load(path + ".y.npy")
    if found.shape != expected.shape:
        return f"shape {found.shape}, not {expected.shape}"
    equal = found == expected if g.exact else np.isclose(found, expected, 1e-5, 1e-5)
    if equal.all():
        return None
    at = np.argmin(equal)
    return (f"{found.ravel()[at]} at {at}, not {expected.ravel()[at]}; "
            f"{np.sum(~equal)} of {equal.size} differ; "
            + " ".join(node.op_type for node in proto.graph.node
                       if node.op_type not in ("QuantizeLinear", "DequantizeLinear")))


def main():
    folder = sys.argv[1]
    count, first = (int(value) for value in (sys.argv[2:] + ["50", "0"][len(sys.argv) - 2:]))
    os.makedirs(folder, exist_ok=True)
    wrong = 0
    for seed in range(first, first + count):
        text = difference(folder, seed)
        if text:
            wrong += 1
            print(f"seed {seed}: {text}", file=sys.stderr)
    print(f"{count - wrong} of {count} random networks agree")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
