# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of few units on planes, in lanes of 8, 16 and 32 bits, beside oneDNN.

    sparse.py --tools=build/release/bin [--json=sparse.json] [--only=CASE,...]
              [--isas=avx2,...] [--rounds=9] [--no-peers]
    sparse.py --from=sparse.json --markdown

Rates are dense-equivalent: they count all products of the layer, of which most
are zero and are never computed. What oneDNN runs is the same layer with dense
8-bit weights; its time does not depend on them. A layer is timed as a quarter
of what five of them in a row take longer than one: it reads planes and writes
planes, as inside of a network. The single layer, with a conversion before and
after, is a row of its own.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import run
from cases import SPARSE

# The processor that is compiled for, and the cap of oneDNN.
ISAS = {
    "avx2": ("haswell", "avx2"),
    "avx512bw": ("skylake-avx512", "avx512bw"),
    "avx512vbmi": ("icelake-server", "avx512vnni"),
}
LANES = ("auto", "16", "32")
DEPTH = 5


class Network:
    """Layers of one case in a row, compiled."""

    def __init__(self, case, isa, lanes, depth, options, work):
        self.case, self.depth = case, depth
        rng = np.random.default_rng(0)
        self.top = 2 ** case.bits - 1
        self.factor = np.float32(case.bits * 0.4 / case.units)
        self.weights, self.biases = [], []
        for _ in range(depth):
            w = np.zeros((case.channels, case.kernel, case.kernel,
                          case.inputs), np.int8)
            for row in w.reshape(case.channels, -1):
                places = rng.permutation(len(row))[:case.units]
                row[places] = rng.choice([-1, 1], case.units)
            self.weights.append(w)
            self.biases.append(rng.integers(-case.units, case.units + 1,
                                            case.channels) * self.top // 4)
        self.shape = (1, case.image, case.image, case.inputs)
        name = os.path.join(work, f"{case.name}-{isa}-{lanes}-{depth}")
        with open(name + ".mlir", "w") as f:
            f.write(self.text())
        commands = [
            [os.path.join(options.tools, "a2q-compile"), name + ".mlir", "-o",
             name + ".o", "--prefix=model", f"--isa={isa}",
             f"--target-cpu={ISAS[isa][0]}", f"--accumulator={lanes}",
             "--planes=always"],
            ["clang-22", "-O2", "-shared", "-fPIC",
             os.path.join(run.HERE, "timer.c"), name + ".o", "-o",
             name + ".so"]]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(" ".join(command) + "\n" + done.stderr[-2000:])
        self.library = ctypes.CDLL(name + ".so")
        self.library.model_workspace_size.restype = ctypes.c_size_t
        self.buffers = []
        size = self.library.model_workspace_size() + 64
        self.workspace = self.aligned(np.zeros(size, np.uint8))
        self.x = self.aligned(
            rng.integers(0, self.top + 1, self.shape).astype(np.uint8))
        self.y = self.aligned(np.zeros(self.shape, np.uint8))
        self.check()

    aligned = run.Kernel.aligned

    def text(self):
        case = self.case
        image = "tensor<" + "x".join(map(str, self.shape)) + "x{}>"
        codes, sums = image.format("!x"), image.format("!a2q.acc<32>")
        shape = "x".join(map(str, self.weights[0].shape))
        pad = [case.kernel // 2] * 4
        lines = [f"!x = !quant.uniform<u8<0:{self.top}>:f32, 0.1>",
                 "!w = !quant.uniform<i8<-1:1>:f32, 0.1>",
                 f"func.func @main(%v0: {codes}) -> {codes} {{"]
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            raw, wt = f"tensor<{shape}xi8>", f"tensor<{shape}x!w>"
            lines += [
                f'%c{i} = arith.constant dense<"0x{w.tobytes().hex()}"> : {raw}',
                f"%w{i} = quant.scast %c{i} : {raw} to {wt}",
                f"%a{i} = a2q.conv_2d %v{i}, %w{i} strides [1, 1] dilations "
                f"[1, 1] padding {pad} groups 1 : {codes}, {wt} -> {sums}",
                f"%v{i + 1} = a2q.requantize %a{i} multiplier "
                f"dense<0x{self.factor.view(np.uint32):08X}> : tensor<1xf32> "
                f"bias dense<{b.tolist()}> : tensor<{len(b)}xi64> "
                f": {sums} to {codes}"]
        return "\n".join(lines + [f"return %v{self.depth} : {codes}", "}\n"])

    def check(self):
        """Against sums of floats, which are exact integers up to 2^24."""
        self.time(1, 1)
        x, case = self.x.astype(np.float32), self.case
        pad, size = case.kernel // 2, case.image
        for w, b in zip(self.weights, self.biases):
            x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
            total = np.zeros(self.shape, np.float32) + b.astype(np.float32)
            for i in range(case.kernel):
                for j in range(case.kernel):
                    total += x[:, i:i + size, j:j + size] @ \
                        w[:, i, j].T.astype(np.float32)
            x = np.clip(np.rint(total * self.factor), 0, self.top)
        if not np.array_equal(x, self.y):
            sys.exit(f"{case.name}: wrong results")

    time = run.Kernel.time


class Pair:
    """A layer between two of its kind."""

    def __init__(self, one, many):
        self.one, self.many = one, many

    def time(self, batches, calls):
        calls = max(1, calls // DEPTH)
        one, many = self.one.time(batches, calls), self.many.time(batches,
                                                                  calls)
        return [(b - a) / (DEPTH - 1) for a, b in zip(one, many)]


def entries_of(case, options, work, peers):
    result = []
    for isa in options.isas.split(","):
        for lanes in LANES:
            one, many = (Network(case, isa, lanes, depth, options, work)
                         for depth in (1, DEPTH))
            who = "8-bit" if lanes == "auto" else f"{lanes}-bit"
            result.append(run.Entry(case, None, isa, who,
                                    Pair(one, many).time))
            if lanes == "auto":
                result.append(run.Entry(case, None, isa, "alone", one.time))
        if options.no_peers:
            continue
        if isa not in peers:
            peers[isa] = run.Peer("onednn", ISAS[isa][1])
        result.append(run.Entry(case, None, isa, "onednn",
                                lambda b, n, p=peers[isa]: p.time(case, b, n)))
    return result


def markdown(rows):
    rates = {(r["isa"], r["case"], r["who"]): r for r in rows if "gmacs" in r}
    names = ["8-bit", "16-bit", "32-bit", "alone", "onednn"]
    for isa in dict.fromkeys(r["isa"] for r in rows):
        print(f"\n`{isa}`\n\n| microseconds | " + " | ".join(names) +
              " | GMAC/s, dense-equivalent | times oneDNN |")
        print("| --- |" + " ---: |" * (len(names) + 2))
        for case in dict.fromkeys(r["case"] for r in rows):
            found = [rates.get((isa, case, who)) for who in names]
            cells = [f"{r['median_ns'] / 1e3:.1f}" if r else "" for r in found]
            own, peer = found[0], found[-1]
            cells.append(f"{own['gmacs']:.0f}" if own else "")
            cells.append(f"{peer['median_ns'] / own['median_ns']:.1f}"
                         if own and peer else "")
            print(f"| {case} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools")
    parser.add_argument("--from", dest="given")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--only", default=",".join(c.name for c in SPARSE))
    parser.add_argument("--isas", default=",".join(ISAS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    show = markdown if options.markdown else lambda r: run.table(r, {})
    if options.given:
        with open(options.given) as f:
            return show(json.load(f)["rows"])
    if not options.tools:
        parser.error("--tools or --from is needed")
    work = tempfile.mkdtemp(prefix="a2q-sparse-")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    peers, rows = {}, []
    for case in SPARSE:
        if case.name not in options.only.split(","):
            continue
        entries = entries_of(case, options, work, peers)
        for _ in range(options.rounds):
            for entry in entries:
                entry.round()
        rows += [entry.result() for entry in entries]
    show(rows)
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"cpu": run.cpu(), "rows": rows}, f, indent=1)


if __name__ == "__main__":
    main()
