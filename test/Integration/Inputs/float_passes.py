#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Folding and equalization leave what a float network computes.

    float_passes.py FOLDER
"""

import os
import subprocess
import sys

import numpy as np
from float_tosa import (Net, average, binary, conv, depthwise, matmul, pool, relu)


def factors(net):
    """A factor per channel, from 1/64 to 64, and a summand: a batch norm."""
    channels = net.y.shape[-1]
    shape = (1,) * (net.y.ndim - 1) + (channels,)
    scale = np.exp2(np.linspace(-6, 6, channels)).astype(np.float32).reshape(shape)
    shift = net.constant_i8()
    net.apply("mul", [net.last(), (net.constant(scale), scale.shape)], "", net.y * scale,
              extra=(shift, "tensor<1xi8>"))
    binary(net, "add", np.add, *shape)


def leaky(net):
    before = net.last()
    alpha = np.full((1,) * net.y.ndim, 0.1, np.float32)
    y = net.y
    net.apply("mul", [before, (net.constant(alpha), alpha.shape)], "", y * alpha,
              extra=(net.constant_i8(), "tensor<1xi8>"))
    net.apply("maximum", [before, net.last()], "", np.maximum(y, y * alpha))


def chain():
    net = Net(2, 9, 9, 3)
    conv(net, 8, (3, 3), pad=(1, 1, 1, 1))
    factors(net)
    relu(net)
    pool(net, (3, 3), (2, 2))
    depthwise(net, 2, (3, 3), pad=(1, 1, 1, 1))
    factors(net)
    leaky(net)
    conv(net, 12, (3, 3), (1, 1), pad=(1, 1, 1, 1), dilation=(1, 1))
    factors(net)
    relu(net)
    average(net, (2, 2))
    net.reshape(1, 2, 48)
    matmul(net, 20)
    factors(net)
    relu(net)
    matmul(net, 5)
    return net


def two_readers():
    """A layer whose result two layers read, which are then added."""
    net = Net(1, 4, 4, 3)
    conv(net, 6, (1, 1))
    factors(net)
    relu(net)
    value, y = net.value, net.y
    conv(net, 4, (3, 3), pad=(1, 1, 1, 1))
    one = net.last(), net.y
    net.value, net.y = value, y
    conv(net, 4, (1, 1))
    net.apply("add", [one[0], net.last()], "", net.y + one[1])
    relu(net)
    return net


def run(path, x, y):
    subprocess.run(["a2q-run", path, "--input", x, "--output", y], check=True)
    return np.load(y)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for build in (chain, two_readers):
        net = build()
        path = os.path.join(folder, build.__name__)
        with open(path + ".mlir", "w") as file:
            file.write(net.module())
        np.save(path + ".x.npy", net.x)
        changed = path + ".changed.mlir"
        remarks = subprocess.run(
            ["a2q-opt", path + ".mlir", "--a2q-fold-affine", "--a2q-equalize", "-o", changed,
             "--remarks-filter=a2q-.*"], check=True, capture_output=True, text=True).stderr
        for file in (path + ".mlir", changed):
            found = run(file, path + ".x.npy", path + ".y.npy")
            error = np.abs(found - net.y).max() / np.abs(net.y).max()
            assert error < 1e-5, (file, error)
        print(f"{build.__name__}: {remarks.count('equalized with')} pairs, "
              f"{remarks.count('folded: ')} folds")


if __name__ == "__main__":
    main()
