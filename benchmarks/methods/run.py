#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the points of docs/methods.md.

    run.py --bin build/release --networks NETWORKS [--only GROUP] [--jobs N]

NETWORKS is what examples/mnist/train.py wrote. Each point becomes one line of
results.jsonl beside this file, as soon as it is known; points that stand there
are not measured again, so the command can be stopped and started at will.
page.py turns the lines into the page. Needs Python 3 with
numpy.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.jsonl"
NETWORKS = ("digits", "mnist")
SEEDS = range(5)
# How many held-out images the slow reference sees.
IMAGES = {"digits": 360, "mnist": 200}

TASK_METHODS = ("a2q-plus", "ep-init", "top-b", "optimal", "gpfq", "optq")
# Of what the report says of a constrained layer.
KEPT = ("output_error", "weight_error", "sparsity_after", "l1_after", "emptied")
TILE_METHODS = ("optimal", "optq", "a2q-plus", "top-b")
ALL_METHODS = ("a2q", "a2q-plus", "ep-init", "project", "optimal-fixed-scale",
               "top-b", "optimal", "gpfq", "optq")
# Bounds that a method may be held to beside its first one.
LAYER_POINTS = ("a2q:a2q", "a2q:centred", "a2q-plus:a2q-plus", "ep-init:a2q",
                "ep-init:centred", "project:exact", "project:centred",
                "optimal-fixed-scale:exact", "optimal-fixed-scale:centred",
                "top-b:exact", "top-b:centred", "optimal:exact",
                "optimal:centred", "gpfq:centred", "optq:centred")
FEEDBACK_EXACT = ("gpfq:exact", "optq:exact")


def key_of(point):
    return json.dumps(point, sort_keys=True)


class Tools:
    def __init__(self, build, networks):
        self.bin = build / "bin"
        self.layer_errors = build / "benchmarks/methods/a2q-layer-errors"
        self.networks = networks

    @staticmethod
    def call(*command):
        command = [str(part) for part in command]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def accuracy(self, model, network, *flags, folder=None):
        folder = folder or self.networks
        printed = self.call(
            self.bin / "a2q-run", model, *flags,
            f"--input={folder}/{network}-images.npy",
            f"--labels={folder}/{network}-labels.npy")
        return float(re.search(r"accuracy: ([0-9.]+) %", printed)[1])

    def quantize(self, point, model, report=None):
        """The quantized network of a point; returns the seconds it took."""
        network = point["network"]
        command = [
            self.bin / "a2q-quantize",
            self.networks / f"{network}-{point['seed']}.onnx",
            f"--calibration={self.networks}/{network}-calibration.npy",
            f"--weight-bits={point['weight_bits']}",
            f"--activation-bits={point['activation_bits']}", "-o", model]
        if report:
            command.append(f"--report={report}")
        if "width" in point:
            tile = f"x{point['tile']}" if "tile" in point else ""
            command.append(
                f"--constrain={point['width']}{tile}:{point['method']}")
        begin = time.monotonic()
        self.call(*command)
        return time.monotonic() - begin


def measure_layer(tools, point, _):
    shape = [point[name] for name in ("length", "weight_bits",
                                      "activation_bits", "correlation")]
    printed = tools.call(tools.layer_errors, *shape, point["widths"],
                         *point["methods"])
    return {"rows": [json.loads(line) for line in printed.splitlines()]}


def measure_task(tools, point, scratch):
    model, report = scratch / "model.mlir", scratch / "report.json"
    seconds = tools.quantize(point, model, report)
    layers = []
    for layer in json.loads(report.read_text())["layers"]:
        constraint = layer.get("constraint") or {}
        layers.append({"name": layer["name"]} | {
            name: constraint[name] for name in KEPT if name in constraint})
    return {"accuracy": tools.accuracy(model, point["network"]),
            "seconds": round(seconds, 3), "layers": layers}


def measure_float(tools, point, _):
    network = point["network"]
    model = tools.networks / f"{network}-{point['seed']}.onnx"
    return {"accuracy": tools.accuracy(model, network)}


def measure_emulated(tools, point, scratch):
    """Of one network without constraint, at all widths, on the first images."""
    model = scratch / "model.mlir"
    tools.quantize(point, model)
    for name in ("images", "labels"):
        file = f"{point['network']}-{name}.npy"
        array = np.load(tools.networks / file)
        np.save(scratch / file, array[:IMAGES[point["network"]]])
    low, high = map(int, point["widths"].split("-"))
    rows = [
        {"overflow": overflow, "width": width,
         "accuracy": tools.accuracy(model, point["network"],
                                    f"--emulate={overflow}:{width}",
                                    folder=scratch)}
        for width in range(low, high + 1)
        for overflow in ("wrap", "saturate")
    ]
    return {"rows": rows}


MEASURES = {"layer": measure_layer, "task": measure_task,
            "float": measure_float, "emulated": measure_emulated}


def network_points(kind, bits=(4, 4), seeds=SEEDS, **more):
    for network in NETWORKS:
        for seed in seeds:
            yield {"kind": kind, "network": network, "seed": seed,
                   "weight_bits": bits[0], "activation_bits": bits[1], **more}


def task_points():
    """Accuracy without training, beside the network that nothing constrains."""
    yield from network_points("task")
    for methods in (TASK_METHODS[:4], TASK_METHODS[4:]):
        for width in (10, 9, 11, 8, 12, 13, 14, 15, 16):
            for method in methods:
                yield from network_points("task", width=width, method=method)


def tile_points():
    for tile in (36, 144, 72):
        for method in TILE_METHODS:
            yield from network_points("task", width=8, tile=tile, method=method)


def error_points():
    """Output errors on the networks, of the first seed."""
    for bits in ((4, 4), (4, 8), (8, 8)):
        for width in range(8, 21):
            for method in ALL_METHODS:
                yield from network_points("task", bits, range(1), width=width,
                                          method=method)


def layer_points():
    for length, correlation, bits in [
            (576, 0.9, (4, 4)), (576, 0, (4, 4)), (576, 0.9, (4, 8)),
            (576, 0.9, (8, 8)), (4608, 0.9, (4, 4)), (4608, 0, (4, 4)),
            (4608, 0.9, (4, 8)), (4608, 0.9, (8, 8))]:
        methods = LAYER_POINTS + (FEEDBACK_EXACT if length == 576 else ())
        yield {"kind": "layer", "length": length, "correlation": correlation,
               "weight_bits": bits[0], "activation_bits": bits[1],
               "widths": "8-20", "methods": methods}


def float_points():
    for point in network_points("float"):
        del point["weight_bits"], point["activation_bits"]
        yield point


def emulation_points():
    yield from network_points("emulated", widths="6-17")


GROUPS = {"float": float_points, "tasks": task_points,
          "emulation": emulation_points, "layers": layer_points,
          "errors": error_points, "tiles": tile_points}


class Results:
    """The lines of the file; each point once."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        lines = path.read_text().splitlines() if path.exists() else []
        self.known = {key_of(json.loads(line)["point"]) for line in lines}

    def add(self, point, result):
        line = json.dumps({"point": point, "result": result}, sort_keys=True)
        with self.lock, self.path.open("a") as file:
            file.write(line + "\n")


def measure(tools, results, point):
    try:
        with tempfile.TemporaryDirectory() as scratch:
            result = MEASURES[point["kind"]](tools, point, Path(scratch))
    except RuntimeError as error:
        print(f"failed: {error}", file=sys.stderr, flush=True)
        return False
    results.add(point, result)
    shown = result.get("accuracy", "")
    print(f"{key_of(point)} {shown}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, metavar="BUILD",
                        help="build folder of a release build")
    parser.add_argument("--networks", type=Path, required=True)
    parser.add_argument("--only", choices=GROUPS, action="append")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    tools = Tools(args.bin, args.networks)
    results = Results(args.results)
    points = {}
    for group in args.only or GROUPS:
        for point in GROUPS[group]():
            points.setdefault(key_of(point), point)
    points = [point for key, point in points.items()
              if key not in results.known]
    print(f"{len(points)} points to measure", flush=True)
    with ThreadPoolExecutor(args.jobs) as pool:
        done = list(pool.map(lambda p: measure(tools, results, p), points))
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
