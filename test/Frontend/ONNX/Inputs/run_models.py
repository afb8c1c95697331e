#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imports and runs every model of models.py, and compares bit for bit with what
ONNX Runtime answered.

    run_models.py FOLDER           compares
    run_models.py --record         asks ONNX Runtime (1.31) and writes expected.npz
"""

import os
import subprocess
import sys

import numpy as np
from models import MODELS, Numbers
from onnx import TensorProto

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.npz")
BATCH = 3
DTYPES = {TensorProto.FLOAT: np.float32, TensorProto.UINT8: np.uint8,
          TensorProto.INT8: np.int8, TensorProto.INT16: np.int16}


def feed(value):
    """Codes over the whole of their type; multiples of 1/16 from -32 to 32."""
    tensor = value.type.tensor_type
    shape = [dim.dim_value or BATCH for dim in tensor.shape.dim]
    dtype = DTYPES[tensor.elem_type]
    if dtype is np.float32:
        return (Numbers().integers(-512, 513, shape) / 16).astype(dtype)
    info = np.iinfo(dtype)
    return Numbers().integers(info.min, info.max + 1, shape).astype(dtype)


def record():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    outputs = {}
    for name, build in MODELS.items():
        model = build()
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feeds = {value.name: feed(value) for value in model.graph.input}
        (outputs[name],) = session.run(None, feeds)
    np.savez_compressed(EXPECTED, **outputs)


def differences(folder, name, model, expected):
    """A text, or None when the outputs are equal."""
    path = os.path.join(folder, name)
    with open(path + ".onnx", "wb") as file:
        file.write(model.SerializeToString())
    (value,) = model.graph.input
    np.save(path + ".x.npy", feed(value))
    symbolic = value.type.tensor_type.shape.dim[0].dim_param
    batch = [f"--batch={BATCH}"] if symbolic else []
    for command in (
        ["a2q-translate", "--import-onnx", path + ".onnx", "-o", path + ".mlir", *batch],
        ["a2q-run", path + ".mlir", "--input", path + ".x.npy", "--output",
         path + ".y.npy"],
    ):
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            return f"{' '.join(command)}: {run.stderr}"
    found = np.load(path + ".y.npy")
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype} {found.shape}, not {expected.dtype} {expected.shape}"
    wrong = np.flatnonzero(found.ravel() != expected.ravel())
    if wrong.size:
        at = wrong[0]
        return (f"{wrong.size} of {found.size} differ, the first at {at}: "
                f"{found.ravel()[at]}, not {expected.ravel()[at]}")
    return None


def main():
    if sys.argv[1] == "--record":
        return record()
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    expected = np.load(EXPECTED)
    wrong = 0
    for name, build in MODELS.items():
        text = differences(folder, name, build(), expected[name])
        if text:
            wrong += 1
            print(f"{name}: {text}", file=sys.stderr)
    print(f"{len(MODELS) - wrong} of {len(MODELS)} models give the expected outputs")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
