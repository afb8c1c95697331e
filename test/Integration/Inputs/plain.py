# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Integer programs of TOSA or linalg against numpy.

    plain.py tosa|linalg FOLDER [--isa=portable] [--keep]

The cases become a2q ops, which are proven, staged and compiled. With --keep they
stay what they are and go through MLIR's own lowerings, so that the definitions in
numpy are held against those, too.
"""

import argparse
import ctypes
import os
import re
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
import kernels  # noqa: E402


def text(shape, kind):
    return f"tensor<{'x'.join([*map(str, shape), kind])}>"


class Case:
    """A function body. Integers of memory are signless."""

    def __init__(self, name, kept=True):
        self.name, self.kept = name, kept
        self.args, self.lines, self.results, self.arrays, self.expected = [], [], [], [], []
        self.prefix = re.sub(r"\W", "_", name)

    def value(self):
        return f"%{self.prefix}_{len(self.lines)}_"

    def input(self, array, kind):
        """An argument of a type as "i8"."""
        array = np.ascontiguousarray(array)
        name = f"%{self.prefix}_arg{len(self.args)}"
        self.args.append((name, text(array.shape, kind)))
        self.arrays.append(array.astype(f"i{int(kind[1:]) // 8}"))
        return name, text(array.shape, kind)

    def constant(self, array, kind):
        array = np.asarray(array)
        name, shown = self.value(), text(array.shape, kind)
        values = str(array.tolist()) if array.size > 1 else str(array.reshape(-1)[0].item())
        self.lines.append(
            f'{name} = "tosa.const"() {{values = dense<{values}> : {shown}}} : () -> {shown}')
        return name, shown

    def op(self, line, operands, result):
        """`line` has {} for the operands' names; types follow by themselves."""
        name = self.value()
        names = [operand for operand, _ in operands]
        self.lines.append(f"{name} = {line.format(*names)} : "
                          f"({', '.join(kind for _, kind in operands)}) -> {result}")
        return name, result

    def raw(self, line, result):
        name = self.value()
        self.lines.append(f"{name} = {line}")
        return name, result

    def output(self, value, expected, kind):
        """`expected` are integers that the type holds."""
        self.results.append(value)
        dtype = np.dtype(f"{'u' if kind[0] == 'u' else 'i'}{int(kind[1:]) // 8}")
        cast = np.asarray(expected, np.int64).astype(dtype)
        assert np.array_equal(cast, expected), f"{self.name}: expected values leave {kind}"
        self.expected.append(np.ascontiguousarray(cast.view(f"i{dtype.itemsize}")))


def module(cases):
    args = [arg for case in cases for arg in case.args]
    results = [result for case in cases for result in case.results]
    lines = [line for case in cases for line in case.lines]
    return "".join([
        "func.func @main(", ", ".join(f"{n}: {t}" for n, t in args), ") -> (",
        ", ".join(t for _, t in results), ") {\n  ", "\n  ".join(lines), "\n  return ",
        ", ".join(n for n, _ in results), " : ", ", ".join(t for _, t in results), "\n}\n"])


def run_tool(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(" ".join(command) + "\n" + done.stderr[-3000:])
    return done


def compile_cases(cases, options):
    def path(name):
        return os.path.join(options.folder, name)

    with open(path("in.mlir"), "w") as f:
        f.write(module(cases))
    with open(path("report.c"), "w") as f:
        f.write(kernels.REPORT)
    source = path("in.mlir")
    if not options.keep:
        done = run_tool(["a2q-opt", source, "--canonicalize", "--convert-tosa-to-a2q",
                         "--convert-linalg-to-a2q", "-o", path("a2q.mlir")])
        with open(path("a2q.mlir")) as f:
            left = set(re.findall(r"(?:tosa|linalg)\.\w*(?:conv|mat|vec|dot)\w*", f.read()))
        if left or "stays as it is" in done.stderr:
            sys.exit(f"not converted: {', '.join(sorted(left))}\n{done.stderr[:3000]}")
        run_tool(["a2q-opt", path("a2q.mlir"), "--a2q-prove-pipeline",
                  "--a2q-stage-accumulators=inner=16", "--a2q-verify-accumulators",
                  "-o", path("proven.mlir")])
        source = path("proven.mlir")
    run_tool(["a2q-opt", source, f"--a2q-to-llvm-pipeline=isa={options.isa}", "-o",
              path("llvm.mlir")])
    run_tool(["mlir-translate", "--mlir-to-llvmir", path("llvm.mlir"), "-o", path("out.ll")])
    run_tool(["clang", "-O1", "-Wno-override-module", "-fPIC", "-shared",
              *kernels.CFLAGS[options.isa], path("out.ll"), path("report.c"), "-o",
              path("out.so")])
    return ctypes.CDLL(path("out.so"))


def run(library, cases):
    ins = [array for case in cases for array in case.arrays]
    wanted = [(case.name, array) for case in cases for array in case.expected]
    outs = [np.zeros_like(array) for _, array in wanted]

    def pointers(arrays):
        return (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])

    library.model_workspace_size.restype = ctypes.c_size_t
    workspace = ctypes.create_string_buffer(library.model_workspace_size() + 64)
    status = library.model_run(pointers(ins), pointers(outs), workspace)
    assert status == 0, f"status {status}"
    failures = 0
    for (name, want), got in zip(wanted, outs):
        if not np.array_equal(want, got):
            at = tuple(np.argwhere(want != got)[0])
            print(f"FAIL {name}: at {at} expected {want[at]}, found {got[at]} "
                  f"({(want != got).sum()} of {want.size})")
            failures += 1
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dialect", choices=["tosa", "linalg"])
    parser.add_argument("folder")
    parser.add_argument("--isa", default="portable", choices=kernels.CFLAGS)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if options.dialect == "tosa":
        from tosa_cases import cases
    else:
        from linalg_cases import cases
    os.makedirs(options.folder, exist_ok=True)
    chosen = [case for case in cases() if case.name.startswith(options.only)]
    if options.keep:
        chosen = [case for case in chosen if case.kept]
    failures = run(compile_cases(chosen, options), chosen)
    if failures:
        sys.exit(f"{failures} results differ")
    print(f"{len(chosen)} cases agree with numpy")


if __name__ == "__main__":
    main()
