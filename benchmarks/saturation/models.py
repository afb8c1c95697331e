#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole networks on a processor without VNNI, as they are and mended.

    models.py FOLDER --packages FOLDER_OF_UNPACKED_WHEELS [--task digits ...]
              [--inputs 40] [--a2q-check build/release/bin/a2q-check]
              [--results results.json]

For each task of tasks.py: quantizes the network with ONNX Runtime, applies the
remedies of vendors (reduce_range; half of the range for the first layer, as
NNCF does) and a2q-check --saturation --fix=lossless and --fix=all, and runs all
of them on the test data under QEMU's Haswell, by default and in exact mode.
Prints, and writes to the results, how many answers are right and how many
differ from those of the file's own exact mode, and the time of one thread on
this processor. page.py makes the tables of docs/saturation.md of them.

Needs onnx, onnxruntime, scikit-learn, pillow (PyPI; tried with onnxruntime
1.31.1), the wheels magika 1.0.3 and rapidocr-onnxruntime 1.4.4, and
qemu-user-static and fonts-dejavu (Debian).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

import runtime


def check(tool, model, report, *options):
    """Exit status and report; layers alone where the file cannot be read."""
    for more in ([], ["--by-type"]):
        done = subprocess.run([tool, "--saturation", str(model),
                               f"--report={report}", *options, *more],
                              capture_output=True, text=True)
        if done.returncode != 1 or "error:" not in done.stderr:
            return done.returncode, json.loads(pathlib.Path(report).read_text())
    sys.exit(done.stderr)


def mend(tool, model, mode):
    result = model.with_name(f"{model.stem}-{mode}.onnx")
    status, report = check(tool, model, result.with_suffix(".json"),
                           f"--fix={mode}", "-o", str(result))
    print(f"{result.name}: exit status {status}", flush=True)
    return result


def judge(tool, task, model, folder, exact, found, base):
    """One row of a model with these outputs, in exact mode and by default;
    `base` are the exact ones of the 8-bit model."""
    _, report = check(tool, model, folder / "report.json")
    counts = {answer: sum(layer["answer"] == answer
                          for layer in report["layers"])
              for answer in ("safe", "unsafe", "unknown")}
    answer = found.argmax(axis=1)
    few = task.test[:40]
    row = {"model": model.name, "layers": counts, "ranges": report["ranges"],
           "inputs": len(found),
           "right_exact": int(task.correct(exact).sum()),
           "right_avx2": int(task.correct(found).sum()),
           "other_answers": int((answer != exact.argmax(axis=1)).sum()),
           "other_outputs": int((found != exact).any(axis=1).sum()),
           "largest_difference": float(np.abs(found - exact).max()),
           "changed_by_remedy": int((exact.argmax(axis=1) !=
                                     base.argmax(axis=1)).sum()),
           "same_outputs_as_original": bool((exact == base).all()),
           "milliseconds": runtime.processor_time(model, few),
           "milliseconds_exact": runtime.processor_time(model, few, True),
           "bytes": model.stat().st_size}
    print(json.dumps(row), flush=True)
    return row


def measure(task, folder, tool):
    import tasks

    inputs = folder / f"{task.name}-test.npy"
    np.save(inputs, task.test)
    full = tasks.quantize(task, folder, False)
    reduced = tasks.quantize(task, folder, True)
    half = tasks.first_layer_of(full, reduced,
                                folder / f"{task.name}-first-layer.onnx")
    variants = {"8 bits": full, "reduce_range": reduced,
                "first layer": half,
                "lossless": mend(tool, full, "lossless"),
                "all": mend(tool, full, "all")}
    outputs = runtime.emulated(folder, list(variants.values()), inputs)
    rows = {name: judge(tool, task, model, folder, *found, outputs[0][0])
            for (name, model), found in zip(variants.items(), outputs)}
    float_outputs = runtime.run(folder, task.model, inputs, "here")
    fixes = {mode: json.loads(
        variants[mode].with_suffix(".json").read_text())["fix"]["layers"]
        for mode in ("lossless", "all")}
    steps = {mode: {} for mode in fixes}
    for mode, layers in fixes.items():
        for layer in layers:
            key = ", ".join(layer["steps"])
            steps[mode][key] = steps[mode].get(key, 0) + 1
    return {"reference": task.reference, "inputs": len(task.test),
            "right_float": int(task.correct(float_outputs).sum()),
            "rows": rows, "steps": steps,
            "gathers": {mode: sum(layer["gathers"] for layer in layers)
                        for mode, layers in fixes.items()},
            "terms": {mode: [sum(layer["terms"][side] for layer in layers)
                             for side in (0, 1)]
                      for mode, layers in fixes.items()}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--packages", type=pathlib.Path)
    parser.add_argument("--task", action="append")
    parser.add_argument("--inputs", type=int,
                        help="so many of the test data; emulation is slow")
    parser.add_argument("--a2q-check", default="build/release/bin/a2q-check")
    parser.add_argument("--results", type=pathlib.Path)
    args = parser.parse_args()
    import onnxruntime
    import tasks

    args.folder.mkdir(parents=True, exist_ok=True)
    results = {"onnxruntime": onnxruntime.__version__,
               "cpu": next(line.split(":")[1].strip()
                           for line in open("/proc/cpuinfo")
                           if line.startswith("model name")), "tasks": {}}
    if args.results and args.results.exists():
        results = json.loads(args.results.read_text()) | {
            key: results[key] for key in ("onnxruntime", "cpu")}
    for name in args.task or tasks.TASKS:
        task = tasks.TASKS[name](args.packages, args.folder)
        if args.inputs:
            task.test = task.test[:args.inputs]
            task.labels = task.labels[:args.inputs]
        results["tasks"][name] = measure(task, args.folder, args.a2q_check)
        if args.results:
            args.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
