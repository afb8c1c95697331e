# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels beside their peers, in alternating runs on one core.

    run.py --tools=build/release/bin [--json=kernels.json] [--only=CASE,...]
           [--widths=w4a8,...] [--isas=avx2,...] [--rounds=9] [--no-peers]
    run.py --tools=build/release/bin --sub-byte [--json=sub-byte.json] ...
    run.py --from=kernels.json --markdown

Needs numpy and clang; for the peers torch, onnx and onnxruntime. Every kernel
is compared with exact integers before it is timed. A round times everything
once, so that a machine that slows down slows all; the table has the median over
the rounds and, behind it, half the distance between the quartiles in percent.
"""

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile

import numpy as np

from cases import (CASES, ISAS, SUB_BYTE, SUB_BYTE_CASES, SUB_BYTE_ISAS,
                   WIDTHS)

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH_NS = 30e6  # what one measurement lasts


def codes(bits, signed):
    if signed:  # Symmetric, as weights are quantized.
        return -(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1
    return 0, 2 ** bits - 1


class Kernel:
    """One case, compiled by a2q-compile."""

    def __init__(self, case, widths, isa, who, options, work):
        self.case = case
        rng = np.random.default_rng(0)
        if widths in SUB_BYTE:
            values, xbits, _ = SUB_BYTE[widths]
            wbits, (wlo, whi) = 2, (min(values), max(values))
            flags = ["--accumulator=16", "--planes=never", "--look-ups=" +
                     ("always" if who == "look-ups" else "never")]
        else:
            wbits, xbits, _ = WIDTHS[widths]
            wlo, whi = codes(wbits, True)
            values = range(wlo, whi + 1)
            flags = [f"--accumulator={who.split()[1]}"]
        xlo, xhi = codes(xbits, False)
        if case.rows:
            self.xshape = (case.rows, case.length)
            wshape = (case.channels, case.length)
            self.yshape = (case.rows, case.channels)
            op, geometry = "matmul", ""
        else:
            self.xshape = (1, case.image, case.image, case.inputs)
            wshape = (case.channels, case.kernel, case.kernel,
                      case.inputs // case.groups)
            self.yshape = (1, case.output, case.output, case.channels)
            op = "conv_2d"
            geometry = (f"strides {[case.stride] * 2} dilations [1, 1] padding "
                        f"{[case.kernel // 2] * 4} groups {case.groups}")
        self.w = rng.choice(values, wshape).astype(np.int8)
        self.x = rng.integers(xlo, xhi + 1, self.xshape).astype(np.uint8)
        self.factor = np.float32(
            2.0 ** (7 - wbits - xbits) / np.sqrt(np.prod(wshape[1:])) * 16)
        dims = lambda shape: "x".join(map(str, shape))
        xt = f"tensor<{dims(self.xshape)}x!x>"
        wt = f"tensor<{dims(wshape)}x!w>"
        raw = f"tensor<{dims(wshape)}xi8>"
        sum_ = f"tensor<{dims(self.yshape)}x!a2q.acc<32>>"
        yt = f"tensor<{dims(self.yshape)}x!y>"
        name = os.path.join(work, f"{case.name}-{widths}-{isa}-{who}"
                            .replace(" ", "-"))
        with open(name + ".mlir", "w") as f:
            f.write(f"""!x = !quant.uniform<u8<{xlo}:{xhi}>:f32, 0.1>
!w = !quant.uniform<i8<{wlo}:{whi}>:f32, 0.1>
!y = !quant.uniform<u8:f32, 0.1>
func.func @main(%x: {xt}) -> {yt} {{
  %c = arith.constant dense<"0x{self.w.tobytes().hex()}"> : {raw}
  %w = quant.scast %c : {raw} to {wt}
  %a = a2q.{op} %x, %w {geometry} : {xt}, {wt} -> {sum_}
  %y = a2q.requantize %a multiplier dense<0x{
      self.factor.view(np.uint32):08X}> : tensor<1xf32> rounding half_even
      : {sum_} to {yt}
  return %y : {yt}
}}
""")
        compile_ = [os.path.join(options.tools, "a2q-compile"), name + ".mlir",
                    "-o", name + ".o", "--prefix=model", f"--isa={isa}",
                    f"--target-cpu={SUB_BYTE_ISAS[isa][0]}", *flags]
        link = ["clang-22", "-O2", "-shared", "-fPIC",
                os.path.join(HERE, "timer.c"), name + ".o", "-o", name + ".so"]
        for command in (compile_, link):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(" ".join(command) + "\n" + done.stderr[-2000:])
        self.library = ctypes.CDLL(name + ".so")
        self.library.model_workspace_size.restype = ctypes.c_size_t
        size = self.library.model_workspace_size()
        # Buffers that begin where cache lines do, as an allocator would.
        self.buffers = []
        self.y = self.aligned(np.zeros(self.yshape, np.uint8))
        self.x = self.aligned(self.x)
        self.workspace = self.aligned(np.zeros(size + 64, np.uint8))
        self.check()

    def aligned(self, array):
        raw = np.zeros(array.nbytes + 64, np.uint8)
        self.buffers.append(raw)
        first = -raw.ctypes.data % 64
        view = raw[first:first + array.nbytes].view(array.dtype)
        view = view.reshape(array.shape)
        view[...] = array
        return view

    def exact(self):
        case, x = self.case, self.x.astype(np.int64)
        w = self.w.astype(np.int64)
        if case.rows:
            return x @ w.T
        pad, size = case.kernel // 2, case.output
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        total = np.zeros(self.yshape, np.int64)
        for i in range(case.kernel):
            for j in range(case.kernel):
                pixel = x[:, i:i + size * case.stride:case.stride,
                          j:j + size * case.stride:case.stride]
                if case.groups == 1:
                    total += pixel @ w[:, i, j].T
                else:  # depthwise
                    total += pixel * w[:, i, j, 0]
        return total

    def check(self):
        self.time(1, 1)
        real = self.exact().astype(np.float32) * self.factor
        want = np.clip(np.rint(real), 0, 255).astype(np.uint8)
        if not np.array_equal(want, self.y):
            sys.exit(f"{self.case.name}: wrong results")

    def time(self, batches, calls):
        pointer = lambda a: ctypes.c_void_p(a.ctypes.data)
        one = ctypes.c_void_p * 1
        times = (ctypes.c_double * batches)()
        status = self.library.time_model(
            one(pointer(self.x)), one(pointer(self.y)),
            pointer(self.workspace), batches, calls, times)
        assert status == 0
        return list(times)


class Peer:
    """A worker process; see worker.py."""

    def __init__(self, peer, isa):
        env = dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1",
                   PYTHONWARNINGS="ignore")
        cap = SUB_BYTE_ISAS[isa][1] if isa else ""
        if peer == "onednn":
            env["ONEDNN_MAX_CPU_ISA"] = cap
        if peer.startswith("fbgemm"):
            env["FBGEMM_ENABLE_INSTRUCTIONS"] = \
                "AVX2" if cap == "AVX2" else "AVX512"
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "worker.py"), peer], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, cwd=HERE)

    def time(self, case, batches, calls):
        self.process.stdin.write(f"{case.name} {batches} {calls}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Entry:
    """Something that is timed, with its samples in nanoseconds."""

    def __init__(self, case, widths, isa, who, time):
        self.case, self.widths, self.isa, self.who = case, widths, isa, who
        self.measure, self.samples, self.error = time, [], None

    def round(self):
        if self.error:
            return
        if not self.samples:
            once = self.measure(1, 2)
            if isinstance(once, str):
                self.error = once
                return
            self.calls = max(1, int(BATCH_NS / once[0]))
        self.samples += self.measure(1, self.calls)

    def result(self):
        row = {"case": self.case.name, "widths": self.widths, "isa": self.isa,
               "who": self.who}
        if self.error:
            return row | {"error": self.error}
        low, median, high = np.percentile(self.samples, [25, 50, 75])
        return row | {
            "gmacs": self.case.macs / median,
            "best_gmacs": self.case.macs / min(self.samples),
            "spread": (high - low) / 2 / median, "median_ns": median,
            "samples_ns": self.samples}


class Ceiling:
    """Instructions without loads; see ceiling.c."""

    def __init__(self, work):
        self.program = os.path.join(work, "ceiling")
        subprocess.run(["clang-22", "-O3", os.path.join(HERE, "ceiling.c"),
                        "-o", self.program], check=True)

    def rate(self, form):
        return float(subprocess.run([self.program, form, "0.05"], check=True,
                                    capture_output=True, text=True).stdout)


def cpu():
    with open("/proc/cpuinfo") as f:
        facts = dict(line.split(":", 1) for line in f.read().split("\n\n")[0]
                     .splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    return {"model": facts.get("model name", platform.processor()),
            "family": facts.get("cpu family"), "number": facts.get("model"),
            "flags": facts.get("flags", "")}


def table(rows, ceiling):
    print(f"{'case':<10} {'widths':<6} {'isa':<11} {'kernel':<10} "
          f"{'GMAC/s':>7} {'±%':>4} {'best':>7} {'µs':>9}")
    for row in rows:
        head = (f"{row['case']:<10} {row['widths'] or '-':<6} "
                f"{row['isa'] or 'any':<11} {row['who']:<10} ")
        if "error" in row:
            print(head + row["error"][:60])
        else:
            print(head + f"{row['gmacs']:7.1f} {row['spread'] * 100:4.0f} "
                  f"{row['best_gmacs']:7.1f} {row['median_ns'] / 1e3:9.1f}")
    for form, rates in ceiling.items():
        print(f"{'ceiling':<10} {'':<6} {form:<22} {np.median(rates):7.1f} "
              f"{'':4} {max(rates):7.1f}")


def markdown(rows, ceiling):
    """The tables of docs/performance.md: one per instruction set."""
    rates = {(r["case"], r["isa"], r["who"], r["widths"]): r["gmacs"]
             for r in rows if "gmacs" in r}
    cases = list(dict.fromkeys(r["case"] for r in rows))
    for isa in dict.fromkeys(r["isa"] for r in rows if r["isa"]):
        ours = [(f"a2q {bits}", widths) for widths in WIDTHS
                for bits in ISAS[isa][2]]
        peers = [("onednn", isa), ("fbgemm", isa), ("fbgemm16", isa)]
        if isa == list(ISAS)[-1]:
            peers.append(("ort", None))
        names = [f"{who[4:]}-bit {widths.upper()}" for who, widths in ours]
        names += [who + ("" if cap else " (uncapped)") for who, cap in peers]
        top = ", ".join(f"{form.rsplit('-', 1)[1]}-bit {np.median(r):.0f}"
                        for form, r in ceiling.items()
                        if form.rsplit("-", 1)[0] == isa)
        print(f"\n`{isa}`, ceilings: {top}\n")
        print("| GMAC/s | " + " | ".join(names) + " |")
        print("| --- |" + " ---: |" * len(names))
        for case in cases:
            cells = [rates.get((case, isa, who, widths))
                     for who, widths in ours]
            cells += [rates.get((case, cap, who, None)) for who, cap in peers]
            print(f"| {case} | " + " | ".join(
                "" if rate is None else f"{rate:.0f}" for rate in cells)
                + " |")


def sub_byte(rows, _):
    """The tables of look-ups: one per instruction set."""
    rates = {(r["case"], r["isa"], r["who"], r["widths"]): r["gmacs"]
             for r in rows if "gmacs" in r}
    cases = list(dict.fromkeys(r["case"] for r in rows))
    for isa in dict.fromkeys(r["isa"] for r in rows if r["isa"]):
        peers = [(p, cap) for p, cap in (
            ("onednn", isa), ("fbgemm", isa), ("fbgemm16", isa),
            ("nbits", None)) if any((c, cap, p, None) in rates for c in cases)]
        print(f"\n`{isa}`\n")
        names = [*SUB_BYTE, "products", *(p for p, _ in peers)]
        print("| GMAC/s | " + " | ".join(names) + " |")
        print("| --- |" + " ---: |" * len(names))
        for case in cases:
            products = rates.get((case, isa, "products", "ternary-a2"))
            beside = [products] + [rates.get((case, cap, p, None))
                                   for p, cap in peers]
            cells = ["" if rate is None else f"{rate:.0f}" for rate in
                     [rates.get((case, isa, "look-ups", w))
                      for w in SUB_BYTE] + beside]
            print(f"| {case} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools")
    parser.add_argument("--from", dest="given")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--sub-byte", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--widths")
    parser.add_argument("--isas")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    every, widths, isas = CASES, WIDTHS, ISAS
    if options.sub_byte:
        every, widths, isas = SUB_BYTE_CASES, SUB_BYTE, SUB_BYTE_ISAS
    if options.given:
        with open(options.given) as f:
            saved = json.load(f)
        show = sub_byte if options.sub_byte else markdown
        show = show if options.markdown else table
        return show(saved["rows"], saved["ceilings"])
    if not options.tools:
        parser.error("--tools or --from is needed")
    def chosen(names, all_):
        return [n for n in all_ if not names or n in names.split(",")]
    names = chosen(options.only, [c.name for c in every])
    cases = [c for c in every if c.name in names]
    widths, limits = chosen(options.widths, widths), isas
    isas = chosen(options.isas, isas)
    work = tempfile.mkdtemp(prefix="a2q-bench-")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    program = Ceiling(work)
    ceiling = {f"{isa}-{bits}": [] for isa in isas for bits in limits[isa][2]}
    entries, peers = [], {}
    for case in cases:
        for isa in isas:
            for each in widths:
                forms = [f"a2q {bits}" for bits in limits[isa][2]]
                if options.sub_byte:  # Products take any weights alike.
                    forms = ["look-ups", "products"][:1 + (
                        each == "ternary-a2")]
                for who in forms:
                    kernel = Kernel(case, each, isa, who, options, work)
                    entries.append(Entry(case, each, isa, who, kernel.time))
        if options.no_peers:
            continue
        for peer, caps in (("onednn", isas), ("fbgemm", isas),
                           ("fbgemm16", isas),
                           ("nbits" if options.sub_byte else "ort", [None])):
            for isa in caps:
                if peer.startswith("fbgemm") and "avx512v" in isa:
                    continue  # Its cap knows no difference.
                key = (peer, isa)
                if key not in peers:
                    peers[key] = Peer(*key)
                entries.append(Entry(
                    case, None, isa, peer,
                    lambda b, n, c=case, p=peers[key]: p.time(c, b, n)))
    for _ in range(options.rounds):
        for entry in entries:
            entry.round()
        for form, rates in ceiling.items():
            rates.append(program.rate(form))
    rows = [entry.result() for entry in entries]
    table(rows, ceiling)
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"cpu": cpu(), "ceilings": ceiling, "rows": rows}, f,
                      indent=1)


if __name__ == "__main__":
    main()
