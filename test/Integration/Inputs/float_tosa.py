#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Float networks of TOSA operations against numpy, compiled and, without options,
by the reference.

    float_tosa.py FOLDER [options of a2q-run]
"""

import os
import subprocess
import sys

import numpy as np

RANDOM = np.random.default_rng(7)


def text(*shape):
    return f"tensor<{'x'.join(map(str, shape))}xf32>"


def weights(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


class Net:
    """A function of one input; `apply` appends an operation to the last value."""

    def __init__(self, *shape):
        self.x = weights(*shape)
        self.y = self.x.astype(np.float64)
        self.shape = shape
        self.value, self.lines = "%x", []
        self.zero = self.constant(np.zeros(1, np.float32))

    def name(self):
        return f"%v{len(self.lines)}"

    def constant(self, array):
        name = self.name()
        kind = text(*array.shape)
        data = array.astype("<f4").tobytes().hex().upper()
        self.lines.append(
            f'{name} = "tosa.const"() {{values = dense<"0x{data}"> : {kind}}} : () -> {kind}')
        return name

    def constant_i8(self):
        """The shift of a product, which reals do not have."""
        name = self.name()
        self.lines.append(f'{name} = "tosa.const"() {{values = dense<0> : tensor<1xi8>}} : '
                          "() -> tensor<1xi8>")
        return name

    def apply(self, op, operands, attributes, result, extra=None):
        kinds = ", ".join(text(*shape) for _, shape in operands)
        names = ", ".join(name for name, _ in operands)
        if extra:
            names, kinds = f"{names}, {extra[0]}", f"{kinds}, {extra[1]}"
        name = self.name()
        self.lines.append(
            f"{name} = tosa.{op} {names} {attributes} : ({kinds}) -> {text(*result.shape)}")
        self.value, self.y = name, result

    def last(self):
        return self.value, self.y.shape

    def reshape(self, *shape):
        size = self.name()
        self.lines.append(
            f'{size} = "tosa.const_shape"() {{values = dense<{list(shape)}> : '
            f"tensor<{len(shape)}xindex>}} : () -> !tosa.shape<{len(shape)}>")
        name = self.name()
        self.lines.append(
            f"{name} = tosa.reshape {self.value}, {size} : ({text(*self.y.shape)}, "
            f"!tosa.shape<{len(shape)}>) -> {text(*shape)}")
        self.value, self.y = name, self.y.reshape(shape)

    def module(self):
        body = "\n  ".join(self.lines)
        return (f'func.func @main(%x: {text(*self.shape)} {{a2q.name = "x"}}) -> '
                f'({text(*self.y.shape)} {{a2q.name = "y"}}) {{\n  {body}\n'
                f"  return {self.value} : {text(*self.y.shape)}\n}}\n")


def windows(x, kernel, stride, pad, dilation, fill):
    """[N, OH, OW, KH, KW, C]"""
    top, bottom, left, right = pad
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    view = np.lib.stride_tricks.sliding_window_view(x, span, (1, 2))
    view = view[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)


def array(values):
    return f"array<i64: {', '.join(map(str, values))}>"


def conv(net, filters, kernel, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1)):
    w, b = weights(filters, *kernel, net.y.shape[3]), weights(filters)
    y = np.einsum("nhwklc,fklc->nhwf", windows(net.y, kernel, stride, pad, dilation, 0), w) + b
    operands = [net.last(), (net.constant(w), w.shape), (net.constant(b), b.shape),
                (net.zero, [1]), (net.zero, [1])]
    net.apply("conv2d", operands, f"{{acc_type = f32, stride = {array(stride)}, "
              f"pad = {array(pad)}, dilation = {array(dilation)}}}", y)


def depthwise(net, multiplier, kernel, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1)):
    channels = net.y.shape[3]
    w, b = weights(*kernel, channels, multiplier), weights(channels * multiplier)
    y = np.einsum("nhwklc,klcm->nhwcm", windows(net.y, kernel, stride, pad, dilation, 0), w)
    operands = [net.last(), (net.constant(w), w.shape), (net.constant(b), b.shape),
                (net.zero, [1]), (net.zero, [1])]
    net.apply("depthwise_conv2d", operands,
              f"{{acc_type = f32, stride = {array(stride)}, pad = {array(pad)}, "
              f"dilation = {array(dilation)}}}", y.reshape(*y.shape[:3], -1) + b)


def matmul(net, columns):
    w = weights(1, net.y.shape[2], columns)
    net.apply("matmul", [net.last(), (net.constant(w), w.shape), (net.zero, [1]),
                         (net.zero, [1])], "", net.y @ w)


def pool(net, kernel, stride, pad=(0, 0, 0, 0)):
    attributes = f"kernel = {array(kernel)}, stride = {array(stride)}, pad = {array(pad)}"
    view = windows(net.y, kernel, stride, pad, (1, 1), -np.inf)
    net.apply("max_pool2d", [net.last()], f"{{{attributes}}}", view.max((3, 4)))


def average(net, kernel):
    view = windows(net.y, kernel, kernel, (0, 0, 0, 0), (1, 1), 0)
    net.apply("avg_pool2d", [net.last(), (net.zero, [1]), (net.zero, [1])],
              f"{{acc_type = f32, kernel = {array(kernel)}, stride = {array(kernel)}, "
              "pad = array<i64: 0, 0, 0, 0>}", view.mean((3, 4)))


def relu(net):
    net.apply("clamp", [net.last()], "{min_val = 0.0 : f32, max_val = 0x7F800000 : f32}",
              np.maximum(net.y, 0))


def unary(net, op, function):
    net.apply(op, [net.last()], "", function(net.y))


def binary(net, op, function, *shape):
    # Near 1, so that deep networks keep their size.
    w = 1 + weights(*shape) / 8
    net.apply(op, [net.last(), (net.constant(w), w.shape)],
              "", function(net.y, w))


def small_cnn():
    net = Net(3, 9, 7, 3)  # no size is a multiple of a vector
    conv(net, 19, (3, 2), (2, 1), (1, 1, 2, 1))
    relu(net)
    depthwise(net, 1, (3, 3), pad=(2, 2, 2, 2), dilation=(2, 2))
    binary(net, "add", np.add, 1, 1, 1, 19)
    pool(net, (2, 2), (1, 1), (0, 1, 1, 0))
    conv(net, 33, (1, 1))  # one more than two vectors of 16
    average(net, (net.y.shape[1], net.y.shape[2]))
    net.reshape(1, 3, 33)
    matmul(net, 5)
    return net


def depthwise_multiplier():
    net = Net(1, 6, 6, 4)
    depthwise(net, 3, (3, 3), (2, 2), (1, 0, 1, 0))
    relu(net)
    return net


def tall_matmul():
    net = Net(1, 37, 65)
    matmul(net, 48)
    binary(net, "sub", np.subtract, 1, 1, 48)
    matmul(net, 1)
    return net


def curves():
    net = Net(4, 31)
    unary(net, "sigmoid", lambda x: 1 / (1 + np.exp(-x)))
    unary(net, "exp", np.exp)
    unary(net, "tanh", np.tanh)
    unary(net, "reciprocal", lambda x: 1 / x)
    unary(net, "erf", np.vectorize(__import__("math").erf))
    return net


def check(folder, build, options):
    net = build()
    path = os.path.join(folder, build.__name__)
    with open(path + ".mlir", "w") as file:
        file.write(net.module())
    np.save(path + ".x.npy", net.x)
    for how in [[]] if options else [[], ["--reference"]]:
        subprocess.run(["a2q-run", path + ".mlir", "--input", path + ".x.npy",
                        "--output", path + ".y.npy", *options, *how], check=True)
        found = np.load(path + ".y.npy")
        assert found.shape == net.y.shape, (build.__name__, found.shape)
        error = np.abs(found - net.y).max() / np.abs(net.y).max()
        assert error < 2e-6, (build.__name__, how, error)


def main():
    nets = [small_cnn, depthwise_multiplier, tall_matmul, curves]
    os.makedirs(sys.argv[1], exist_ok=True)
    for build in nets:
        check(sys.argv[1], build, sys.argv[2:])
    print(f"{len(nets)} networks agree with numpy")


if __name__ == "__main__":
    main()
