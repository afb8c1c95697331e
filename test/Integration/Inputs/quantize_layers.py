# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantizes a small float network and runs it.

    quantize_layers.py WORKDIR ISA ...

The network has what networks have: a convolution with a stride, one that pads
on unequal sides, a depthwise one, max pooling, a residual that wants reals, a
flattened image before a matrix product. Its activations get types from the
float network's own values, in several widths and signs. Compiled, each must
equal the reference bit for bit, and come as near to the float network, computed
here, as its bits allow.
"""

import os
import subprocess
import sys

import numpy as np

N = 5  # images; more than one, and no power of two
# bits of activations and weights, signed activations, largest relative error
# against the float network (measured: about half of it).
FORMATS = [(8, 8, False, 0.02), (8, 8, True, 0.02), (8, 4, False, 0.3),
           (4, 8, False, 0.17), (4, 4, False, 0.33), (4, 4, True, 0.44)]


def shape_text(shape):
    return "tensor<" + "x".join(map(str, shape)) + "xf32>"


class Network:
    """Builds TOSA line by line, and computes each value."""

    def __init__(self, x, bits, weight_bits, signed):
        self.rng = np.random.default_rng(3)
        self.bits, self.weight_bits, self.signed = bits, weight_bits, signed
        self.values = {"%x": x}
        self.lines = []
        self.constant("%zp", np.zeros(1))

    def constant(self, name, array):
        array = np.asarray(array, np.float32)
        self.lines.append(
            f'{name} = "tosa.const"() <{{values = dense<{array.tolist()}> : '
            f"{shape_text(array.shape)}}}> : () -> {shape_text(array.shape)}")
        self.values[name] = array

    def emit(self, name, op, operands, attributes, value):
        value = value.astype(np.float32)
        types = ", ".join(shape_text(self.values[o].shape) for o in operands)
        self.lines.append(f"{name} = tosa.{op} {', '.join(operands)} "
                          f"{{{attributes}}} : ({types}) -> "
                          f"{shape_text(value.shape)} loc(\"{name[1:]}\")")
        self.values[name] = value
        return name

    def type_of(self, name):
        """Codes from the smallest to the largest value, with an exact 0."""
        x = self.values[name]
        if self.signed:
            hi = 2 ** (self.bits - 1) - 1
            scale, zero, sign = np.abs(x).max() / hi, 0, "i"
            lo = -hi - 1
        else:
            lo, hi, sign = 0, 2 ** self.bits - 1, "u"
            scale = (max(x.max(), 0) - min(x.min(), 0)) / hi
            zero = int(np.rint(-min(x.min(), 0) / scale))
        return (f"a2q.activation = !quant.uniform<{sign}8<{lo}:{hi}>:f32, "
                f"{float(np.float32(scale))!r}:{zero}>, "
                f"a2q.weight_bits = {self.weight_bits} : i64")

    def conv(self, name, x, channels, kernel=3, stride=1, pad=(1, 1, 1, 1),
             depthwise=False):
        inputs = self.values[x].shape[3]
        shape = ((kernel, kernel, inputs, channels // inputs) if depthwise else
                 (channels, kernel, kernel, inputs))
        terms = kernel * kernel * (1 if depthwise else inputs)
        w = self.rng.normal(0, terms ** -0.5, shape).astype(np.float32)
        b = self.rng.normal(0, 0.2, channels)
        self.constant(name + "w", w)
        self.constant(name + "b", b)
        top, bottom, left, right = pad
        image = np.pad(self.values[x].astype(np.float64),
                       ((0, 0), (top, bottom), (left, right), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(
            image, (kernel, kernel), (1, 2))[:, ::stride, ::stride]
        # windows: [n, h, w, inputs, rows, columns]
        if depthwise:
            y = np.einsum("nhwirc,rcim->nhwim", windows, w)
            y = y.reshape(*y.shape[:3], channels)
        else:
            y = np.einsum("nhwirc,orci->nhwo", windows, w)
        op = "depthwise_conv2d" if depthwise else "conv2d"
        return self.emit(
            name, op, [x, name + "w", name + "b", "%zp", "%zp"],
            f"{self.type_of(x)}, acc_type = f32, "
            f"pad = array<i64: {top}, {bottom}, {left}, {right}>, "
            f"stride = array<i64: {stride}, {stride}>, "
            "dilation = array<i64: 1, 1>", y + b)

    def relu(self, name, x):
        return self.emit(name, "clamp", [x],
                         "min_val = 0.0 : f32, max_val = 3.4028235e38 : f32",
                         np.maximum(self.values[x], 0))

    def max_pool(self, name, x):
        image = np.pad(self.values[x], ((0, 0), (1, 0), (1, 0), (0, 0)),
                       constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(
            image, (3, 3), (1, 2))[:, ::2, ::2]
        return self.emit(name, "max_pool2d", [x],
                         "kernel = array<i64: 3, 3>, pad = array<i64: 1, 0, 1, "
                         "0>, stride = array<i64: 2, 2>", windows.max((4, 5)))

    def add(self, name, x, y):
        return self.emit(name, "add", [x, y], "",
                         self.values[x] + self.values[y])

    def reshape(self, name, x, shape):
        size = len(shape)
        self.lines.append(f"{name}s = tosa.const_shape {{values = dense<"
                          f"{list(shape)}> : tensor<{size}xindex>}} : () -> "
                          f"!tosa.shape<{size}>")
        value = self.values[x].reshape(shape)
        self.lines.append(f"{name} = tosa.reshape {x}, {name}s : ("
                          f"{shape_text(self.values[x].shape)}, !tosa.shape<"
                          f"{size}>) -> {shape_text(shape)}")
        self.values[name] = value
        return name

    def matmul(self, name, x, channels):
        terms = self.values[x].shape[2]
        w = self.rng.normal(0, terms ** -0.5, (1, terms, channels))
        w[0, :, 1] = 0  # a channel of nothing but its bias
        self.constant(name + "w", w)
        self.constant(name + "b", self.rng.normal(0, 0.2, (1, 1, channels)))
        self.emit(name + "m", "matmul", [x, name + "w", "%zp", "%zp"],
                  self.type_of(x), self.values[x].astype(np.float64) @ w)
        return self.emit(name, "add", [name + "m", name + "b"], "",
                         self.values[name + "m"] + self.values[name + "b"])

    def text(self, result):
        x, y = self.values["%x"].shape, self.values[result].shape
        return (f"func.func @net(%x: {shape_text(x)}) -> {shape_text(y)} {{\n"
                + "\n".join(self.lines)
                + f"\nreturn {result} : {shape_text(y)}\n}}\n")


def build(x, *format):
    net = Network(x, *format)
    stem = net.relu("%r1", net.conv("%stem", "%x", 16, stride=2,
                                    pad=(1, 0, 1, 0)))
    pooled = net.max_pool("%p1", net.conv("%wide", stem, 16, pad=(1, 1, 2, 0)))
    deep = net.relu("%r2", net.conv("%deep", pooled, 32, depthwise=True))
    point = net.conv("%point", deep, 16, kernel=1, pad=(0, 0, 0, 0))
    both = net.relu("%r3", net.add("%both", point, pooled))
    flat = net.reshape("%flat", both, (1, N, 144))
    logits = net.matmul("%fc", flat, 10)
    return net.text(logits), net.values[logits]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(" ".join(command) + "\n" + done.stderr[-3000:])


def main():
    work, targets = sys.argv[1], sys.argv[2:]
    os.makedirs(work, exist_ok=True)

    def path(name):
        return os.path.join(work, name)

    x = np.random.default_rng(1).normal(0, 1, (N, 12, 12, 3))
    np.save(path("x.npy"), x.astype(np.float32))
    for index, (bits, weight_bits, signed, most) in enumerate(FORMATS):
        text, expected = build(x.astype(np.float32), bits, weight_bits, signed)
        with open(path("float.mlir"), "w") as file:
            file.write(text)
        run("a2q-opt", path("float.mlir"), "-a2q-quantize-layers",
            "-mlir-print-debuginfo", "-o", path("net.mlir"))

        def compute(*options):
            run("a2q-run", path("net.mlir"), "--input=" + path("x.npy"),
                "--output=" + path("y.npy"), *options)
            return np.load(path("y.npy"))

        want = compute("--reference")
        name = f"W{weight_bits}A{bits}{' signed' if signed else ''}"
        error = (np.linalg.norm(want - expected) / np.linalg.norm(expected))
        assert error < most, f"{name}: relative error {error}, allowed {most}"
        # Every target with the widest and the narrowest, the rest with one.
        ends = index in (0, len(FORMATS) - 1)
        for target in targets if ends else targets[:1]:
            for width in ("auto", "8"):
                got = compute("--isa=" + target, "--accumulator=" + width)
                assert np.array_equal(want, got), (
                    f"{name} on {target}, accumulator {width}: "
                    f"{(want != got).sum()} of {want.size} differ")
        print(f"{name}: error {error:.3f}")


if __name__ == "__main__":
    main()
