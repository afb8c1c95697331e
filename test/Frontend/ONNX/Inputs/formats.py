#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models in the forms that quantizers write, compared with what their own runtime
answered.

    formats.py FOLDER           writes the models, runs them and compares
    formats.py --record         asks the runtimes and writes formats_expected.npz

Scales are no powers of two, so that every float32 operation rounds: a model that
agrees here is computed by the same operations in the same order.
"""

import os
import subprocess
import sys

import numpy as np

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats_expected.npz")
BATCH = 3
MODELS = {}


class Case:
    def __init__(self, build, runtime, codes, error):
        self.build, self.runtime, self.codes, self.error = build, runtime, codes, error


def case(runtime="onnxruntime", codes=0, error=0):
    """Registers a model that `runtime` answers. Integers may differ by `codes`, real
    numbers by `error` of the largest one; 0 is bit for bit."""

    def register(build):
        MODELS[build.__name__] = Case(build, runtime, codes, error)
        return build

    return register


def feeds(proto):
    """Codes over the whole of their type; real numbers of a bell shape, in 16ths."""
    rng = np.random.default_rng(5)
    constants = {tensor.name for tensor in proto.graph.initializer}
    for value in proto.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = [dim.dim_value or BATCH for dim in tensor.shape.dim]
        dtype = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16,
                 5: np.int16}[tensor.elem_type]
        if dtype is np.float32:
            yield value.name, (np.round(rng.normal(size=shape) * 16) / 16).astype(dtype)
        else:
            info = np.iinfo(dtype)
            yield value.name, rng.integers(info.min, info.max + 1, shape).astype(dtype)


def answer(name, case):
    """What the runtime of the format says; only for --record."""
    proto = case.build()
    arrays = dict(feeds(proto))
    if case.runtime == "qonnx":
        import onnx
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.core.onnx_exec import execute_onnx
        from qonnx.transformation.infer_shapes import InferShapes

        onnx.IR_VERSION = 8  # it runs each node by ONNX Runtime
        model = ModelWrapper(proto)
        for tensor in list(proto.graph.input):
            shape = model.get_tensor_shape(tensor.name)
            model.set_tensor_shape(tensor.name, [size or BATCH for size in shape])
        model = model.transform(InferShapes())
        (output,) = execute_onnx(model, arrays).values()
        return output
    if case.runtime == "onnx":
        from onnx.reference import ReferenceEvaluator

        (output,) = ReferenceEvaluator(proto).run(None, arrays)
        return output
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = (
        level.ORT_ENABLE_ALL if case.runtime == "onnxruntime-optimized"
        else level.ORT_DISABLE_ALL)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    (output,) = session.run(None, arrays)
    return output


def difference(folder, name, case, expected):
    """A text, or None when the outputs agree."""
    proto = case.build()
    path = os.path.join(folder, name)
    with open(path + ".onnx", "wb") as file:
        file.write(proto.SerializeToString())
    arguments = []
    for value, array in feeds(proto):
        np.save(f"{path}.{value}.npy", array)
        arguments += ["--input", f"{value}={path}.{value}.npy"]
    run = subprocess.run(["a2q-run", path + ".onnx", *arguments, "--output", path + ".y.npy"],
                         capture_output=True, text=True)
    if run.returncode:
        return run.stderr
    found = np.load(path + ".y.npy")
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype} {found.shape}, not {expected.dtype} {expected.shape}"
    if np.ptp(expected) == 0:
        return "expects the same number everywhere, which tests nothing"
    far = np.abs(found.astype(np.float64) - expected).ravel()
    limit = case.codes or case.error * np.abs(expected).max()
    wrong = np.flatnonzero(far > limit)
    if wrong.size:
        at = wrong[np.argmax(far[wrong])]
        return (f"{wrong.size} of {found.size} differ by more than {limit:g}, most at {at}: "
                f"{found.ravel()[at]}, not {expected.ravel()[at]}")
    return None


def main():
    # The files that register models, one for each format.
    import format_dynamic  # noqa: F401
    import format_opsets  # noqa: F401
    import format_qdq  # noqa: F401
    import format_qlinear  # noqa: F401
    import format_qonnx  # noqa: F401
    import format_types  # noqa: F401

    if sys.argv[1] == "--record":
        outputs = {name: answer(name, case) for name, case in MODELS.items()}
        np.savez_compressed(EXPECTED, **outputs)
        return
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    expected = np.load(EXPECTED)
    wanted = sys.argv[2:] or MODELS
    wrong = 0
    for name in wanted:
        text = difference(folder, name, MODELS[name], expected[name])
        if text:
            wrong += 1
            print(f"{name}: {text}", file=sys.stderr)
    print(f"{len(wanted) - wrong} of {len(wanted)} models agree")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    # One module whether it is run or imported.
    sys.modules["formats"] = sys.modules["__main__"]
    main()
