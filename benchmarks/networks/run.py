# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole networks beside their peers, in alternating runs.

    run.py --tools=build/release/bin [--json=networks.json] [--work=FOLDER]
           [--only=NETWORK,...] [--widths=w4a8,...] [--caps=avx2,...]
           [--batches=1,8] [--threads=1,2] [--rounds=7] [--without=iree,...]
    run.py --from=networks.json [--markdown] [--plot=networks.svg]

Every runtime gets one ONNX file. Needs clang-22 and, from PyPI, numpy 2.4.6,
onnx 1.23.2, onnxruntime 1.31.1, openvino 2026.4.1, iree-base-compiler and
iree-base-runtime 3.13.0; ai-edge-litert 2.3.0 and tensorflow 2.21.0 for XNNPACK,
whose file TensorFlow quantizes by itself (tflite.py); matplotlib for the plot. What is not installed is
left out with its reason. Runtimes that take long are called three times. A folder
WORK is kept with the models and programs in it, which are not made again.

A round times everything once, so that a machine that slows down slows all; the
table has the median over the rounds and half the distance between the quartiles
in percent, of the time of all threads together and of the clock on the wall.
Outputs are compared in the same run, in codes: how many differ from those of
the first a2q row, and by how much. All a2q rows of a network must be equal.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from cases import CAPS, NETWORKS, WIDTHS

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH_NS = 40e6  # what one measurement lasts, at least one call
SLOW_NS = 100e6  # a call that takes longer is measured three times


def shell(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(command) + "\n" + done.stderr[-2000:])


class Model:
    """One ONNX file with its input."""

    def __init__(self, network, widths, batch, work):
        import numpy as np
        import onnx
        self.network, self.widths, self.batch = network, widths, batch
        self.stem = os.path.join(work, f"{network.name}-{widths}-{batch}")
        self.path, self.input = self.stem + ".onnx", self.stem + ".npy"
        if not os.path.exists(self.input):
            import build
            model, x = build.build(network, widths, batch)
            onnx.checker.check_model(model)
            onnx.save(model, self.path)
            np.save(self.input, x)
        graph = onnx.load(self.path).graph
        (output,) = graph.output
        self.shape = [d.dim_value for d in output.type.tensor_type.shape.dim]
        self.type = str(onnx.helper.tensor_dtype_to_np_dtype(
            output.type.tensor_type.elem_type))
        constants = {c.name: c for c in graph.initializer}
        last = next(n for n in graph.node if output.name in n.output)
        self.unit = None  # of a code of the output
        if last.op_type == "DequantizeLinear":
            scale = onnx.numpy_helper.to_array(constants[last.input[1]])
            self.unit = float(scale)


class Entry:
    """A runtime with a model, in a process of its own."""

    def __init__(self, cap, runner, model, threads, options, work):
        self.cap, self.runner, self.model = cap, runner, model
        self.threads, self.samples, self.error = threads, [], None
        name = f"{runner.name}-{cap.name}".replace(" ", "-")
        stem = f"{model.stem}-{name}-{threads}"
        self.output = stem + ".out.npy"
        job = {"runner": runner.name, "model": model.path,
               "input": model.input, "output": self.output,
               "threads": threads, "options": dict(runner.options),
               "shape": model.shape, "type": model.type}
        try:
            if runner.name.startswith("a2q"):
                job["library"] = self.compile(stem, options)
            if runner.name == "litert":
                job["model"] = self.convert()
        except RuntimeError as error:
            self.error = str(error)
            return
        with open(stem + ".json", "w") as f:
            json.dump(job, f)
        env = dict(os.environ, OMP_NUM_THREADS=str(threads),
                   **dict(runner.environment))
        cores = sorted(os.sched_getaffinity(0))[-threads:]
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "worker.py"), stem + ".json"],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, cwd=HERE,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))

    def compile(self, stem, options):
        if os.path.exists(stem + ".so"):
            return stem + ".so"
        facts = dict(self.runner.options)
        command = [os.path.join(options.tools, "a2q-compile"),
                   self.model.path, "-o", stem + ".o", "--prefix=model",
                   f"--isa={facts['isa']}", f"--target-cpu={facts['cpu']}",
                   f"--accumulator={facts['accumulator']}",
                   f"--planes={facts.get('planes', 'auto')}"]
        link = ["clang-22", "-O2", "-shared", "-fPIC",
                os.path.join(HERE, "timer.c"), stem + ".o", "-o", stem + ".so"]
        if self.threads > 1:
            command.append(f"--threads={self.threads}")
            link += ["-fopenmp", "-Wl,-rpath,/usr/lib/llvm-22/lib"]
        shell(*command)
        shell(*link)
        return stem + ".so"

    def convert(self):
        """A TFLite file with codes of its own."""
        model = self.model
        path = f"{model.stem.replace('-' + model.widths, '')}.tflite"
        if model.widths != "w8a8":
            raise RuntimeError("its quantizer has weights of 8 bits only")
        if not os.path.exists(path):
            shell(sys.executable, os.path.join(HERE, "tflite.py"),
                  model.network.name, str(model.batch), path)
        return path

    def wait(self):
        if self.error:
            return
        answer = self.read()
        if answer != "ready":
            self.error = answer

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else "the process ended"

    def round(self):
        if self.error:
            return
        if len(self.samples) > 3 and self.samples[0][1] > SLOW_NS:
            return
        calls = 1
        if self.samples:
            calls = max(1, int(BATCH_NS / self.samples[0][1]))
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        answer = self.read()
        if isinstance(answer, str):
            self.error = answer
        else:
            self.samples.append(answer)

    def close(self):
        if not self.error:
            self.process.stdin.close()
            self.process.wait()

    def result(self, reference):
        import numpy as np
        model = self.model
        row = {"network": model.network.name, "widths": model.widths,
               "batch": model.batch, "threads": self.threads,
               "cap": self.cap.name, "runner": self.runner.name}
        if self.error:
            return row | {"error": self.error}
        samples = np.array(self.samples[1:])  # The first warms up.
        for i, clock in enumerate(("wall", "cpu")):
            low, median, high = np.percentile(samples[:, i], [25, 50, 75])
            row[clock + "_ms"] = median / 1e6
            row[clock + "_spread"] = (high - low) / 2 / median
        row["samples_ns"] = samples.tolist()
        if reference is not None and self.runner.name != "litert":
            got = np.load(self.output)
            unit = model.unit or float(np.abs(reference).max())
            apart = np.abs(got.ravel() - reference.ravel()) / unit
            if model.unit:
                apart = np.rint(apart)
            row["differ"] = float(np.mean(apart != 0))
            row["largest"] = float(apart.max())
            row["in_codes"] = bool(model.unit)
        return row


def measure(model, threads, options, work):
    """The rows of one model."""
    import numpy as np
    entries = []
    for cap in CAPS:
        if cap.name not in options.caps.split(","):
            continue
        for runner in cap.runners:
            names = {runner.name, runner.name.split()[0]}
            has_units = bool(WIDTHS.get(model.widths, WIDTHS["w8a8"]).units)
            if names & set(options.without.split(",")) or \
                    runner.of_units not in (None, has_units):
                continue
            entries.append(Entry(cap, runner, model, threads, options, work))
    for entry in entries:
        entry.wait()
    for _ in range(options.rounds + 1):
        for entry in entries:
            entry.round()
    for entry in entries:
        entry.close()
    first = next((e for e in entries if not e.error
                  and e.runner.name.startswith("a2q")), None)
    path = first.output if first else model.stem + ".expected.npy"
    reference = np.load(path) if os.path.exists(path) else None
    if first:
        np.save(model.stem + ".expected.npy", reference)
    rows = [entry.result(reference) for entry in entries]
    for row in rows:
        if row["runner"].startswith("a2q") and row.get("differ") and \
                row["in_codes"]:
            sys.exit(f"{row['network']}: programs for {row['cap']} differ")
    return rows


def cpu():
    with open("/proc/cpuinfo") as f:
        facts = dict(line.split(":", 1) for line in f.read().split("\n\n")[0]
                     .splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    return {"model": facts.get("model name"),
            "family": facts.get("cpu family"), "number": facts.get("model"),
            "flags": facts.get("flags", "")}


def packages():
    from importlib import metadata
    found = {}
    for name in ("numpy", "onnxruntime", "openvino", "iree-base-compiler",
                 "ai-edge-litert"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return found


def agreement(row):
    if "differ" not in row:
        return ""
    if not row["differ"]:
        return "equal"
    if not row["in_codes"]:
        return f"{row['largest']:.0e}"
    return f"{row['largest']:.0f} in {row['differ'] * 100:.1f} %"


def table(rows):
    print(f"{'network':<12} {'widths':<6} {'batch':>5} {'thr':>3} "
          f"{'isa':<11} {'runtime':<18} {'cpu ms':>9} {'±%':>4} "
          f"{'wall ms':>9} {'±%':>4}  differs")
    for r in rows:
        head = (f"{r['network']:<12} {r['widths']:<6} {r['batch']:>5} "
                f"{r['threads']:>3} {r['cap']:<11} {r['runner']:<18} ")
        if "error" in r:
            print(head + r["error"].splitlines()[-1][:80])
        else:
            print(head + f"{r['cpu_ms']:9.3f} {r['cpu_spread'] * 100:4.0f} "
                  f"{r['wall_ms']:9.3f} {r['wall_spread'] * 100:4.0f}  "
                  + agreement(r), flush=True)


def clock(row):
    """Waiting for a core is no work, but two threads work at once."""
    return "cpu" if row["threads"] == 1 else "wall"


def in_order(rows):
    """As the cases have them."""
    networks = [n.name for n in NETWORKS]
    runners = [(c.name, r.name) for c in CAPS for r in c.runners]
    return sorted(rows, key=lambda r: (
        r["threads"], r["batch"], networks.index(r["network"]), r["widths"],
        runners.index((r["cap"], r["runner"]))))


def markdown(rows):
    """The tables of docs/performance.md: one per threads and batch."""
    keys = dict.fromkeys((r["threads"], r["batch"]) for r in rows)
    for threads, batch in keys:
        some = [r for r in rows
                if (r["threads"], r["batch"]) == (threads, batch)]
        columns = list(dict.fromkeys((r["network"], r["widths"])
                                     for r in some))
        print(f"\nMilliseconds, batch {batch}, {threads} thread"
              f"{'s' if threads > 1 else ''}\n")
        print("| isa | runtime | " + " | ".join(
            f"{n} {w.upper()}" for n, w in columns) + " |")
        print("| --- | --- |" + " ---: |" * len(columns))
        for cap, runner in [(c.name, r.name) for c in CAPS for r in c.runners]:
            if not any((r["cap"], r["runner"]) == (cap, runner) and
                       clock(r) + "_ms" in r for r in some):
                continue
            cells = []
            for column in columns:
                row = next((r for r in some
                            if (r["network"], r["widths"]) == column and
                            (r["cap"], r["runner"]) == (cap, runner)), {})
                value = row.get(clock(row) + "_ms") if row else None
                text = "" if value is None else (
                    f"{value:.3g}" if value < 1000 else f"{value:.0f}")
                if row.get("differ") and row["in_codes"]:
                    text += f" ({agreement(row)})"
                cells.append(text)
            print(f"| {cap} | {runner} | " + " | ".join(cells) + " |")


def plot(rows, path):
    """Bars of one thread and batch 1, in time relative to OpenVINO's."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "a2q"
    import matplotlib.pyplot as plt
    rows = [r for r in rows if r["threads"] == 1 and r["batch"] == 1
            and "cpu_ms" in r and r["runner"] != "iree"
            and r["network"] != "digits"]  # That is what a call costs.
    caps = list(dict.fromkeys(r["cap"] for r in rows))
    models = list(dict.fromkeys((r["network"], r["widths"]) for r in rows))
    figure, axes = plt.subplots(len(caps), 1, sharex=True,
                                figsize=(9, 2.1 * len(caps)))
    colours = {}
    for axis, cap in zip(axes if len(caps) > 1 else [axes], caps):
        here = [r for r in rows if r["cap"] == cap]
        runners = list(dict.fromkeys(r["runner"] for r in here))
        base = {(r["network"], r["widths"]): r["cpu_ms"] for r in here
                if r["runner"] == "openvino"}
        for i, runner in enumerate(runners):
            points = [(k, base[m] / r["cpu_ms"]) for k, m in enumerate(models)
                      for r in here if r["runner"] == runner and m in base
                      and (r["network"], r["widths"]) == m]
            colour = colours.setdefault(runner, f"C{len(colours)}")
            axis.bar([k + (i + 0.5) / (len(runners) + 1) for k, _ in points],
                     [v for _, v in points], 0.8 / (len(runners) + 1),
                     label=runner, color=colour)
        axis.axhline(1, color="0.6", linewidth=0.8)
        axis.set_ylabel(cap)
        axis.set_ylim(0, 2.6)
        axis.legend(fontsize=7, frameon=False, ncols=len(runners),
                    loc="upper left")
        axis.spines[["top", "right"]].set_visible(False)
    axis.set_xticks([k + 0.4 for k in range(len(models))],
                    [f"{n}\n{w.upper()}" for n, w in models], fontsize=8)
    figure.suptitle("Speed relative to OpenVINO at the same instructions, one "
                    "thread, batch 1", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def merge(old, new):
    """Rows that were measured again replace those that were there."""
    key = lambda r: (r["network"], r["widths"], r["batch"], r["threads"],
                     r["cap"], r["runner"])
    again = {key(r) for r in new}
    return [r for r in old if key(r) not in again] + new


def save(rows, path):
    old = []
    if os.path.exists(path):
        with open(path) as f:
            old = json.load(f)["rows"]
    with open(path, "w") as f:
        json.dump({"cpu": cpu(), "packages": packages(),
                   "rows": merge(old, rows)}, f, indent=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools")
    parser.add_argument("--from", dest="given")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--plot")
    parser.add_argument("--json")
    parser.add_argument("--work")
    parser.add_argument("--only", default=",".join(n.name for n in NETWORKS))
    parser.add_argument("--widths", default=",".join(
        dict.fromkeys(w for n in NETWORKS for w in n.widths)))
    parser.add_argument("--caps", default=",".join(c.name for c in CAPS))
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--without", default="")
    options = parser.parse_args()
    if options.given:
        with open(options.given) as f:
            rows = in_order(json.load(f)["rows"])
        if options.plot:
            plot(rows, options.plot)
        return markdown(rows) if options.markdown else table(rows)
    if not options.tools:
        parser.error("--tools or --from is needed")
    work = options.work or tempfile.mkdtemp(prefix="a2q-networks-")
    os.makedirs(work, exist_ok=True)
    for network in NETWORKS:
        if network.name not in options.only.split(","):
            continue
        for widths in network.widths:
            if widths not in options.widths.split(","):
                continue
            for batch in network.batches:
                if str(batch) not in options.batches.split(","):
                    continue
                model = Model(network, widths, batch, work)
                for threads in network.threads:
                    if str(threads) in options.threads.split(","):
                        new = measure(model, threads, options, work)
                        table(new)
                        if options.json:
                            save(new, options.json)


if __name__ == "__main__":
    main()
