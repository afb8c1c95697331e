#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every operator in every operator set in which it changed, compared with onnx's own
reference.

    opsets.py FOLDER [VERSION ...]   writes one model for each operator set and compares
    opsets.py --record               asks onnx (1.23) and writes opsets_expected.npz

The model of operator set 11 holds all operators that it has, that of each later one those
whose definition changed there, and that of the last all operators again. The recorded file
also says in which sets onnx changed what, and operators that the importer names as supported
must be among them: one that is added without a case here fails the test.
"""

import json
import os
import re
import subprocess
import sys

import numpy as np
from models import Graph, Numbers
from opset_cases import CASES

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "opsets_expected.npz")
FIRST, LAST = 11, 26
ERROR = 1e-5
# The reference computes these in sets before 13 as in later ones.
NEWER = ("Softmax", "LogSoftmax", "BatchNormalization")


class Model(Graph):
    """A graph whose inputs are shared by the cases, which have numbers of their own."""

    def __init__(self, opset):
        super().__init__(opset)
        self.arrays, self.results = {}, {}

    def shared(self, name, shape, dtype=np.float32):
        if name not in self.arrays:
            self.input(name, shape, dtype)
            rng = Numbers()
            if dtype is np.float32:
                array = rng.integers(-16, 17, shape) / 4
            elif dtype is np.bool_:
                array = rng.integers(0, 2, shape)
            else:
                array = rng.integers(*((0, 256) if dtype is np.uint8 else (-8, 9)), shape)
            self.arrays[name] = array.astype(dtype)
        return name

    def add(self, operator):
        self.rng = Numbers()
        self.results[operator] = CASES[operator](self, self.opset)

    def finish(self):
        for values in self.results.values():
            for value in values:
                self.output(value)
        model = self.model()
        model.ir_version = 10 if self.opset < 25 else 13
        return model


# ---------------------------------------------------------------------------
# Recording
# ---------------------------------------------------------------------------


def changes(operator):
    """The operator sets from FIRST on that define it anew."""
    import onnx.defs

    since = sorted(schema.since_version for schema in onnx.defs.get_all_schemas_with_history()
                   if schema.name == operator and schema.domain == "")
    before = [version for version in since if version <= FIRST]
    return ([FIRST] if before else []) + [v for v in since if FIRST < v <= LAST]


def answer(operator, version):
    """What onnx's reference says; ONNX Runtime where the reference cannot."""
    from onnx.reference import ReferenceEvaluator

    model = Model(version)
    model.add(operator)
    proto = model.finish()
    try:
        if operator in NEWER and version < 13:
            raise ValueError("its definition of 13 or later")
        return [np.asarray(array) for array in ReferenceEvaluator(proto).run(None, model.arrays)]
    except Exception as reason:
        import onnxruntime

        print(f"{operator} {version}: ONNX Runtime's answer, for {str(reason).strip()[:90]}")
        for output in proto.graph.output:
            output.ClearField("type")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options,
                                               providers=["CPUExecutionProvider"])
        return session.run(None, model.arrays)


def record():
    arrays, layout, versions = {}, {}, {}
    for operator in CASES:
        versions[operator] = changes(operator)
        before = None
        for version in versions[operator]:
            outputs = answer(operator, version)
            flat = np.concatenate([output.astype(np.float64).ravel() for output in outputs])
            form = [[str(output.dtype), output.shape] for output in outputs]
            # What only its types changed answers the same.
            if before is None or form != before[0] or not np.array_equal(flat, before[1], True):
                arrays[f"{operator}@{version}"] = flat
                layout[f"{operator}@{version}"] = form
            before = form, flat
    text = json.dumps({"layout": layout, "versions": versions})
    np.savez_compressed(EXPECTED, about=np.array(text), **arrays)


# ---------------------------------------------------------------------------
# Comparing
# ---------------------------------------------------------------------------


class Recorded:
    def __init__(self):
        self.arrays = np.load(EXPECTED)
        about = json.loads(str(self.arrays["about"]))
        self.layout, self.versions = about["layout"], about["versions"]

    def outputs(self, operator, version):
        """What was recorded for the version, or for the last one before it."""
        version = max(v for v in range(FIRST, version + 1) if f"{operator}@{v}" in self.layout)
        flat, at = self.arrays[f"{operator}@{version}"], 0
        for dtype, shape in self.layout[f"{operator}@{version}"]:
            count = int(np.prod(shape))
            yield flat[at:at + count].astype(dtype).reshape(shape)
            at += count


def run(model, folder):
    """The outputs by name, or the error as text."""
    path = os.path.join(folder, f"opset{model.opset}")
    with open(path + ".onnx", "wb") as file:
        file.write(model.finish().SerializeToString())
    command = ["a2q-run", path + ".onnx"]
    for name, array in model.arrays.items():
        np.save(f"{path}.{name}.npy", array)
        command += ["--input", f"{name}={path}.{name}.npy"]
    names = [value for values in model.results.values() for value in values]
    for name in names:
        command += ["--output", f"{name}={path}.{name}.npy"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        return result.stderr or f"status {result.returncode}"
    return {name: np.load(f"{path}.{name}.npy") for name in names}


def difference(found, expected):
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype} {found.shape}, not {expected.dtype} {expected.shape}"
    if np.issubdtype(expected.dtype, np.floating):
        equal = np.isclose(found, expected, ERROR, ERROR, equal_nan=True)
    else:
        equal = found == expected
    if equal.all():
        return None
    at = np.argmin(equal)
    return (f"{found.ravel()[at]} at {at}, not {expected.ravel()[at]}; "
            f"{np.sum(~equal)} of {equal.size} differ")


def compare(version, operators, recorded, folder):
    """How many operators differ."""
    model = Model(version)
    for operator in operators:
        model.add(operator)
    outputs = run(model, folder)
    if isinstance(outputs, str):
        print(f"operator set {version}: {outputs}", file=sys.stderr)
        return len(operators)
    wrong = 0
    for operator, values in model.results.items():
        texts = []
        for at, (value, expected) in enumerate(zip(values, recorded.outputs(operator, version))):
            text = difference(outputs[value], expected)
            if text:
                texts.append(f"{operator} of operator set {version}, value {at}: {text}")
        wrong += bool(texts)
        print(*texts, sep="\n", end="\n" if texts else "", file=sys.stderr)
    return wrong


def unnamed(folder):
    """Operators of the standard that the importer names and that have no case here."""
    model = Model(FIRST)
    model.output(model.node("NoSuchOperator", [model.shared("rows", (2, 3, 4))]))
    path = os.path.join(folder, "unknown.onnx")
    with open(path, "wb") as file:
        file.write(model.model().SerializeToString())
    error = subprocess.run(["a2q-translate", "--import-onnx", path],
                           capture_output=True, text=True).stderr
    (supported,) = re.findall("supported are (.*)", error)
    # ONNX Runtime writes this one into the standard's domain.
    known = set(CASES) | {"SimplifiedLayerNormalization"}
    return [name for name in supported.split(", ") if "." not in name and name not in known]


def main():
    if sys.argv[1] == "--record":
        return record()
    folder, wanted = sys.argv[1], [int(version) for version in sys.argv[2:]]
    os.makedirs(folder, exist_ok=True)
    recorded, wrong, count = Recorded(), 0, 0
    for version in wanted or range(FIRST, LAST + 1):
        operators = [name for name, since in recorded.versions.items() if
                     (version == LAST or version in since) and since[0] <= version]
        if operators:
            wrong += compare(version, operators, recorded, folder)
            count += len(operators)
    missing = unnamed(folder)
    if missing:
        print(f"have no case: {', '.join(missing)}", file=sys.stderr)
    print(f"{count - wrong} of {count} forms of operators agree")
    sys.exit(wrong != 0 or bool(missing))


if __name__ == "__main__":
    main()
