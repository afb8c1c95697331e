#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Asks ONNX Runtime which products it adds in 16 bits.

    qemu-x86_64-static -cpu Haswell-v4 python3 pairs.py

For every two terms of a small layer there is one output channel whose weights
are 127 for these two and 0 else. All codes are 255. A channel that is
32767 instead of 64770 tells that its two terms meet in one pmaddubsw. Prints
the pairs of each layer, numbered kernel row, kernel column, input channel, as
a2q-check does, and fails where they are not the neighbours that a2q-check
assumes: of im2col for convolutions and of rows for matrix products, none for
depthwise convolutions and none in exact mode.

Needs onnx and onnxruntime (PyPI; tried with 1.31.1). On a processor with VNNI
nothing saturates, hence QEMU.
"""

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from saturating_pairs import neighbours, pairs_of, report

ort.set_default_logger_severity(3)
EXACT = {"session.x64quantprecision": "1"}
COMMON = {"one": np.float32(1), "zero_u": np.uint8(0), "zero_s": np.int8(0),
          # 64770 becomes 200, 32767 becomes 101.
          "scale": np.float32(64770 / 200)}


def run(op, inputs, x, options, domain="", **attributes):
    node = helper.make_node(op, ["x", "one", "zero_u", "w", "one", "zero_s"] +
                            inputs[1], ["y"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(value), name)
         for name, value in {**COMMON, "w": inputs[0]}.items()])
    model = helper.make_model(graph, opset_imports=[
        helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 8
    session_options = ort.SessionOptions()
    session_options.intra_op_num_threads = 1
    for key, value in options.items():
        session_options.add_session_config_entry(key, value)
    session = ort.InferenceSession(model.SerializeToString(), session_options,
                                   providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def convolution(inputs, height, width, group=1, outputs=16, options={}):
    """`outputs` channels of the first group; the others are 0."""
    def sums(weights):
        w = np.zeros((group * outputs, inputs, height, width), np.int8)
        w[:outputs] = weights.reshape(outputs, height, width,
                                      inputs).transpose(0, 3, 1, 2)
        x = np.full((1, group * inputs, height + 1, width + 1), 255, np.uint8)
        return run("QLinearConv", (w, ["scale", "zero_u"]), x, options,
                   group=group)[0, :outputs, 0, 0]
    return pairs_of(inputs * height * width, outputs, sums)


def product(terms, rows, op, options={}):
    def sums(weights):
        x = np.full((rows, terms), 255, np.uint8)
        if op == "QGemm":
            return run(op, (weights, ["", "scale", "zero_u"]), x, options,
                       domain="com.microsoft", transB=1)[0]
        return run(op, (weights.T.copy(), ["scale", "zero_u"]), x, options)[0]
    return pairs_of(terms, 16, sums)


def main():
    cases = [
        ("3 channels, 3x3", convolution(3, 3, 3), neighbours(27)),
        ("4 channels, 2x2", convolution(4, 2, 2), neighbours(16)),
        ("1 channel, 3x3", convolution(1, 3, 3), neighbours(9)),
        ("2 groups of 3, 1x3", convolution(3, 1, 3, group=2), neighbours(9)),
        ("depthwise, 16 channels", convolution(1, 3, 3, 16, 1), []),
        ("depthwise, 5 channels", convolution(1, 3, 3, 5, 1), []),
        ("depthwise, twice 5", convolution(1, 3, 3, 5, 2), neighbours(9)),
        ("QLinearMatMul, 1 row", product(7, 1, "QLinearMatMul"), neighbours(7)),
        ("QLinearMatMul, 3 rows", product(7, 3, "QLinearMatMul"),
         neighbours(7)),
        ("QGemm, 3 rows", product(7, 3, "QGemm"), neighbours(7)),
        ("exact, 3 channels", convolution(3, 3, 3, options=EXACT), []),
        ("exact, QGemm", product(7, 3, "QGemm", EXACT), []),
    ]
    report(cases, "this processor has VNNI")


if __name__ == "__main__":
    main()
