# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs kernels on random, extreme and witness inputs against exact integers.

    kernels.py --isa=portable [--check] [--only=PREFIX] [--work=DIR]
    kernels.py --check --wrong=type|argument|channel

One module holds all layers; it is compiled once per instruction set.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
import cases  # noqa: E402

CFLAGS = {
    "portable": [],
    "avx2": ["-mavx2"],
    "avx512bw": ["-mavx2", "-mavx512f", "-mavx512bw", "-mavx512vl"],
    "avx512vnni": ["-mavx2", "-mavx512f", "-mavx512bw", "-mavx512vl",
                   "-mavx512vnni"],
    "avx512vbmi": ["-mavx2", "-mavx512f", "-mavx512bw", "-mavx512vl",
                   "-mavx512vnni", "-mavx512vbmi"],
}

REPORT = r"""
#include <stdio.h>
#include <stdlib.h>
void a2q_check_failed(const char *layer, long long channel, long long stage,
                      long long value, long long lo, long long hi) {
  printf("%s: channel %lld, stage %lld holds %lld, promised [%lld, %lld]\n",
         layer, channel, stage, value, lo, hi);
  fflush(stdout);
  exit(1);
}
"""


def function(parts):
    """One function of (arguments, lines, results)."""
    args, lines, results = [], [], []
    for a, b, c in parts:
        args += a
        lines += b
        results += c
    return "".join([
        "func.func @main(" + ", ".join(f"{n}: {t}" for n, t in args),
        ") -> (" + ", ".join(t for _, t in results) + ") {\n  ",
        "\n  ".join(lines), "\n  return ",
        ", ".join(n for n, _ in results), " : ",
        ", ".join(t for _, t in results), "\n}\n"])


def compile_module(text, isa, check, work, more=""):
    def path(name):
        return os.path.join(work, name)

    with open(path("in.mlir"), "w") as f:
        f.write(text)
    with open(path("report.c"), "w") as f:
        f.write(REPORT)
    options = f"isa={isa}{more}" + (" check-accumulators=true" if check else "")
    for command in (
            ["a2q-opt", path("in.mlir"), f"--a2q-to-llvm-pipeline={options}",
             "-o", path("llvm.mlir")],
            ["mlir-translate", "--mlir-to-llvmir", path("llvm.mlir"), "-o",
             path("out.ll")],
            ["clang", "-O1", "-Wno-override-module", "-fPIC", "-shared",
             *CFLAGS[isa], path("out.ll"), path("report.c"), "-o",
             path("out.so")]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(" ".join(command) + "\n" + done.stderr[-3000:])
    return ctypes.CDLL(path("out.so"))


def inputs_of(layer, kind, rng):
    x, w = layer.x, layer.weights.astype(layer.w.dtype)
    if layer.dynamic:
        w = rng.integers(layer.w.lo, layer.w.hi + 1, w.shape).astype(w.dtype)
        if kind in ("lo", "hi"):
            w[...] = layer.w.lo if kind == "lo" else layer.w.hi
    if kind == "random":
        codes = rng.integers(x.lo, x.hi + 1, layer.shape)
    elif kind in ("lo", "hi"):
        codes = np.full(layer.shape, x.lo if kind == "lo" else x.hi)
    else:  # Each position has the upper or lower witness of some channel.
        codes = np.zeros(layer.shape, np.int64)
        if layer.conv:
            # The pixels under the first window; the rest follow its period.
            flat = layer.weights[0]
            h, wd, inner = flat.shape
            for index in np.ndindex(layer.shape):
                q = flat[index[1] % h, index[2] % wd, index[3] % inner]
                codes[index] = x.hi if (q > 0) == (kind == "upper") else x.lo
        else:
            rows = codes.reshape(-1, layer.length)
            flat = w.reshape(-1, layer.length)
            for r in range(len(rows)):
                q = flat[r % len(flat)]
                rows[r] = np.where((q > 0) == (kind == "upper"), x.hi, x.lo)
    return np.ascontiguousarray(codes.astype(x.dtype)), np.ascontiguousarray(w)


def run(library, layers, kind, rng):
    sets = [inputs_of(layer, kind, rng) for layer in layers]
    ins, outs, expected = [], [], []
    for layer, (x, w) in zip(layers, sets):
        ins.append(x)
        if layer.dynamic:
            ins.append(w)
        for value in layer.expect(x, w):
            expected.append((layer.name, value))
            outs.append(np.zeros_like(value))
    call(library, ins, outs)
    return compare(expected, outs, kind)


def call(library, ins, outs):
    pointers = lambda arrays: (ctypes.c_void_p * len(arrays))(
        *[a.ctypes.data for a in arrays])
    library.model_workspace_size.restype = ctypes.c_size_t
    size = library.model_workspace_size() + 64
    # What a workspace holds before must not matter.
    workspace = ctypes.create_string_buffer(b"\x5a" * size, size)
    status = library.model_run(pointers(ins), pointers(outs), workspace)
    assert status == 0, f"status {status}"


def compare(expected, outs, kind):
    failures = 0
    for (name, want), got in zip(expected, outs):
        if not np.array_equal(want, got):
            at = tuple(np.argwhere(want != got)[0])
            print(f"FAIL {name} on {kind}: at {at} expected {want[at]}, "
                  f"found {got[at]} ({(want != got).sum()} of {want.size})")
            failures += 1
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--isa", default="portable", choices=CFLAGS)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--wrong", choices=["type", "argument", "channel"])
    parser.add_argument("--work")
    options = parser.parse_args()
    layers = cases.wrong(options.wrong) if options.wrong else cases.layers()
    layers = [l for l in layers if l.name.startswith(options.only)]
    work = options.work or tempfile.mkdtemp(prefix="a2q-kernels-")
    os.makedirs(work, exist_ok=True)
    library = compile_module(
        function([l.emit(i) for i, l in enumerate(layers)]), options.isa, options.check, work)
    rng = np.random.default_rng(1)
    failures = sum(run(library, layers, kind, rng)
                   for kind in ("random", "lo", "hi", "upper", "lower"))
    print(f"{len(layers)} layers, {failures} failures")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
