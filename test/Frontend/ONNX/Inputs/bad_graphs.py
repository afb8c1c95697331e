# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files, graphs and inputs that are refused."""

import numpy as np
from cases import bad
from models import Graph, conv_padded, image


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


@bad("uses ONNX operator set 10, supported are 11 to 26")
def opset_10():
    return with_opset(10)


@bad("uses ONNX operator set 99, supported are 11 to 26")
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


@bad("returns output 'x' twice")
def output_twice():
    g = Graph()
    x = g.input("x", (1,), np.float32)
    g.output(x)
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


@bad("node 's' (SpaceToDepth): attribute 'mode' is not supported")
def space_to_depth_mode():
    g, x = image()
    g.output(g.node("SpaceToDepth", [x], "s", blocksize=2, mode="CRD"))
    return g.model()


@bad("node 'b' (BatchNormalization): output 'mean' is not supported, only the first one is")
def refused_once():
    # What is said of it once is not said again, though training is not supported either.
    g = Graph(14)
    x = g.input("x", (1, 2, 3, 3), np.float32)
    inputs = [x] + [g.constant([1, 1], np.float32) for _ in range(4)]
    g.output(g.node("BatchNormalization", inputs, "b", training_mode=1))
    g.nodes[-1].output.append("mean")
    g.output("mean")
    return g.model()


@bad("node 'p' (MaxPool): output 'indices' is not supported, only the first one is")
def second_output():
    # One that nobody reads is no error.
    g, x = image()
    g.output(g.node("MaxPool", [x], "p", kernel_shape=[2, 2]))
    g.nodes[-1].output.append("indices")
    g.node("Relu", ["indices"])
    return g.model()


# ---------------------------------------------------------------------------
# Inputs
# ---------------------------------------------------------------------------


@bad("input 'x' has an unknown size in dimension 2, only the batch (dimension 0) may be left open")
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


@bad("input 'x' has element type FLOAT16; supported are FLOAT, BOOL, UINT8, UINT16 and signed integers of 8 to 64 bits")
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
