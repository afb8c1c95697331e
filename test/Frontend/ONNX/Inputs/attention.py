#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes FOLDER/attention.onnx, quantized scores, softmax, and probabilities times values, and
FOLDER/shifted.onnx, the same with zero points; with an argument more runs both wide and narrow and
compares with numpy, as they are or as they come back from an export.

    attention.py FOLDER [run | export]
"""

import os
import subprocess
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HEADS, ROWS, LENGTH, WIDTH = 2, 5, 40, 16
# The type of the codes and the zero point. What is left of the values' codes fits 8 bits again.
PLAIN = {"query": (np.int8, 0), "key": (np.int8, 0), "value": (np.int8, 0), "share": (np.uint8, 0)}
SHIFTED = {"query": (np.int8, -5), "key": (np.uint8, 120), "value": (np.uint8, 128),
           "share": (np.uint8, 0)}
SCALES = {"query": 0.03, "key": 0.03, "value": 0.02, "share": 1 / 255}


def quantized(nodes, initializers, name, kind, value, zeros):
    scale, zero = kind + ".scale", kind + ".zero"
    initializers.append(numpy_helper.from_array(np.float32(SCALES[kind]), scale))
    code, point = zeros[kind]
    initializers.append(numpy_helper.from_array(np.array(point, code), zero))
    nodes.append(helper.make_node("QuantizeLinear", [value, scale, zero], [name + ".q"]))
    nodes.append(helper.make_node("DequantizeLinear", [name + ".q", scale, zero], [name]))
    return name


def model(zeros):
    nodes, initializers = [], []
    query = quantized(nodes, initializers, "q", "query", "query", zeros)
    key = quantized(nodes, initializers, "k", "key", "key", zeros)
    value = quantized(nodes, initializers, "v", "value", "value", zeros)
    nodes.append(helper.make_node("MatMul", [query, key], ["scores"], name="scores"))
    nodes.append(helper.make_node("Softmax", ["scores"], ["shares"], axis=-1))
    share = quantized(nodes, initializers, "p", "share", "shares", zeros)
    nodes.append(helper.make_node("MatMul", [share, value], ["mixed"], name="mix"))

    def info(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, HEADS, *shape])

    graph = helper.make_graph(
        nodes, "attention",
        [info("query", ROWS, WIDTH), info("key", WIDTH, LENGTH), info("value", LENGTH, WIDTH)],
        [info("mixed", ROWS, WIDTH)], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def codes(x, kind, zeros):
    """Less their zero point."""
    code, point = zeros[kind]
    info = np.iinfo(code)
    return np.clip(np.rint(x / np.float32(SCALES[kind])) + point, info.min, info.max) - point


def expected(query, key, value, zeros):
    scores = codes(query, "query", zeros) @ codes(key, "key", zeros)
    scores = scores * SCALES["query"] * SCALES["key"]
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares = (powers / powers.sum(-1, keepdims=True)).astype(np.float32)
    mixed = codes(shares, "share", zeros) @ codes(value, "value", zeros)
    return mixed * SCALES["share"] * SCALES["value"]


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, zeros in (("attention", PLAIN), ("shifted", SHIFTED)):
        path = os.path.join(folder, name + ".onnx")
        with open(path, "wb") as file:
            file.write(model(zeros).SerializeToString())
        if sys.argv[2:] == ["export"]:
            path = exported(path)
        if len(sys.argv) > 2:
            compare(path, folder, zeros)


def exported(path):
    network, back = path + ".mlir", path + ".back.onnx"
    subprocess.run(["a2q-translate", "--import-onnx", path, "-o", network], check=True)
    subprocess.run(["a2q-translate", "--export-onnx", network, "-o", back], check=True)
    return back


def compare(path, folder, zeros):
    random = np.random.default_rng(3)
    shapes = {"query": (ROWS, WIDTH), "key": (WIDTH, LENGTH), "value": (LENGTH, WIDTH)}
    inputs = {name: random.normal(size=(1, HEADS, *shape)).astype(np.float32)
              for name, shape in shapes.items()}
    # Everything on one value, and everything on its largest code.
    inputs["query"][0, 0, 0] = 10
    inputs["key"][0, 0, :, 7] = 10
    inputs["value"][0, 0, 7] = 10
    arguments = []
    for name, array in inputs.items():
        np.save(os.path.join(folder, name + ".npy"), array)
        arguments += ["--input", f"{name}={os.path.join(folder, name)}.npy"]
    found = {}
    for width in (32, 16):
        output = os.path.join(folder, "mixed.npy")
        subprocess.run(["a2q-run", path, *arguments, "--output", output,
                        f"--accumulator={width}"], check=True)
        found[width] = np.load(output)
    assert np.array_equal(found[32], found[16])
    # A probability next to the middle of two codes may round either way.
    error = np.abs(found[32] - expected(**inputs, zeros=zeros)).max()
    assert error <= 3 * 128 * SCALES["share"] * SCALES["value"], error
    print("narrow products equal wide ones")


if __name__ == "__main__":
    main()
