#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""refused_nodes.py FOLDER: models in which several nodes cannot be imported."""

import os
import sys

import numpy as np
from models import U8, Graph


def top_k(g, x, name):
    if not any(tensor.name == "k" for tensor in g.initializers):
        g.constant([99], np.int64, "k")
    return g.node("TopK", [x, "k"], name)


def forms():
    g = Graph()
    x = g.input("x", (2, 8), np.float32)
    g.output(g.node("Add", [top_k(g, x, "most"), top_k(g, x, "more")]))
    return g.model()


def several():
    g = Graph()
    x = g.input("x", (2, 8), np.float32)
    c = g.quantize(x, 0.5, 0)
    most = g.node("Relu", [top_k(g, x, "most")])
    top_k(g, x, "more")
    g.node("Flatten", [x], "at 9", axis=9)
    g.node("Flatten", [x], "axes", axes=[1])
    step = [g.constant(0.5, np.float32), g.constant(0, U8)]
    g.node("QLinearAdd", [c] + step + [c] + step + [step[0], ""], "sum", "com.microsoft")
    g.output(g.node("Add", [most, g.node("LRN", [x], "norm")]))
    return g.model()


def one():
    g = Graph()
    x = g.input("x", (2, 8), np.float32)
    g.output(g.node("Add", [top_k(g, x, "most"), g.node("LRN", [x], "norm")]))
    return g.model()


def open_shape():
    g = Graph()
    g.output(g.node("LRN", [g.input("x", ("N", "M"), np.float32)], "norm"))
    return g.model()


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for name, build in (("several", several), ("forms", forms), ("one", one), ("open", open_shape)):
        with open(os.path.join(sys.argv[1], name + ".onnx"), "wb") as file:
            file.write(build().SerializeToString())


if __name__ == "__main__":
    main()
