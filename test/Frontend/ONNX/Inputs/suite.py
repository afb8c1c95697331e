#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that a2q-run must answer as ONNX Runtime answered them.

A script that registers models in a `Suite` and calls `main` is run as

    script.py FOLDER               writes one NAME.onnx for each model
    script.py FOLDER --run         and compares with what ONNX Runtime answered
    script.py --record [NAME ...]  asks ONNX Runtime (1.31); of all, or of those named
"""

import os
import subprocess
import sys

import numpy as np
from models import Numbers
from onnx import TensorProto

DTYPES = {TensorProto.FLOAT: np.float32, TensorProto.UINT8: np.uint8,
          TensorProto.INT8: np.int8, TensorProto.INT32: np.int32,
          TensorProto.INT64: np.int64, TensorProto.BOOL: np.bool_}


def feeds(proto):
    """Reals: multiples of 1/4 from -4 to 4. Integers: -8 to 8; truth values."""
    numbers = Numbers()
    for value in proto.graph.input:
        kind = value.type.tensor_type
        dtype = DTYPES[kind.elem_type]
        shape = [dim.dim_value or 3 for dim in kind.shape.dim]
        if dtype is np.float32:
            array = numbers.integers(-16, 17, shape) / 4
        elif dtype is np.bool_:
            array = numbers.integers(0, 2, shape)
        elif dtype in (np.int8, np.uint8):
            info = np.iinfo(dtype)
            array = numbers.integers(info.min, info.max + 1, shape)
        else:
            array = numbers.integers(-8, 9, shape)
        yield value.name, array.astype(dtype)


class Suite:
    """`kind` names the models in the last line, `expected` the file of answers beside the
    script; `close(found, expected)` says element by element which agree."""

    def __init__(self, kind, expected, close):
        self.kind, self.close, self.models = kind, close, {}
        self.expected = os.path.join(os.path.dirname(os.path.abspath(__file__)), expected)

    def __call__(self, function):
        self.models[function.__name__] = function
        return function

    def record(self, names):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        outputs = dict(np.load(self.expected)) if names else {}
        for name in names or self.models:
            proto = self.models[name]()
            proto.ir_version = 10
            session = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
            (outputs[name],) = session.run(None, dict(feeds(proto)))
        np.savez_compressed(self.expected, **outputs)

    def difference(self, path, proto, expected):
        """A text, or None when the outputs agree."""
        arguments = []
        for value, array in feeds(proto):
            np.save(f"{path}.{value}.npy", array)
            arguments += ["--input", f"{value}={path}.{value}.npy"]
        run = subprocess.run(["a2q-run", path + ".onnx", *arguments, "--output", path + ".out.npy"],
                             capture_output=True, text=True)
        if run.returncode:
            return run.stderr or f"status {run.returncode}"
        found = np.load(path + ".out.npy")
        if found.shape != expected.shape or found.dtype != expected.dtype:
            return f"{found.dtype} {found.shape}, not {expected.dtype} {expected.shape}"
        close = self.close(found, expected)
        if close.all():
            return None
        at = np.argmin(close)
        return (f"{found.ravel()[at]} at {at}, not {expected.ravel()[at]}; "
                f"{np.sum(~close)} of {close.size} differ")

    def main(self):
        if sys.argv[1] == "--record":
            return self.record(sys.argv[2:])
        folder = sys.argv[1]
        os.makedirs(folder, exist_ok=True)
        wrong = 0
        expected = np.load(self.expected) if "--run" in sys.argv else None
        for name, build in self.models.items():
            proto = build()
            path = os.path.join(folder, name)
            with open(path + ".onnx", "wb") as file:
                file.write(proto.SerializeToString())
            text = self.difference(path, proto, expected[name]) if expected else None
            if text:
                wrong += 1
                print(f"{name}: {text}", file=sys.stderr)
        print(f"{len(self.models) - wrong} of {len(self.models)} {self.kind} agree")
        sys.exit(wrong != 0)
