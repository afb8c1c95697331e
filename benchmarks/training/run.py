#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the points of docs/training.md.

    pip install torch==2.13.0 brevitas==0.13.4 scikit-learn mlxtend
    PYTHONPATH=build/release/python python benchmarks/training/run.py

Each point becomes one line of results.jsonl beside this file, as soon as it is
known; points that stand there are not measured again, so the command can be
stopped and started at will. `--task`, `--only` and `--limit` choose what is
measured now. Runs on a GPU where PyTorch sees one, else on one thread.

Learning rate and width annealing of each method are chosen by the group `search`,
on a part of the training data; `longer` then tries twice the epochs with what was
best. `widths`, `tiles` and `codes` take what they found.
`borrowed` trains at 9 bits with what was best at 10, for `widths` takes what was
best at 8 there. `latency` trains networks of several sizes, dense ones and constrained ones, and
`timing` then measures all of them in turns.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

import a2q
import networks
import tasks
from store import Results, key_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.jsonl"

COMPARED = ("projection", "projection-fixed-scale", "top-b", "a2q-plus",
            "centred-weight-norm", "brevitas-a2q-plus", "brevitas-a2q")
WIDTHS = (8, 10, 9, 12, 11, 14)
SEARCH_WIDTHS = (8, 10)
RATES = (0.0005, 0.002, 0.005)
# Widths are annealed from so many bits more.
ANNEALED = 4
# Of the channels, in the comparison by latency.
SHARES = (1.0, 0.5, 0.25, 0.75, 1.5)
# By tile, where images are larger.
FINE_SHARES = {None: (0.25, 0.5, 1.0), 144: (0.5, 1.0)}
LATENCY_RATE = 0.002
LATENCY_FOLDS = 3
# What programs are compiled for: a processor with AVX2, and this one with VNNI.
TARGETS = {"haswell": {"target_cpu": "haswell"}, "avx512vnni": {"isa": "avx512vnni"}}
BORROWED = ("a2q-plus", "brevitas-a2q-plus", "projection", "centred-weight-norm")
NARROW_METHODS = ("projection", "top-b", "a2q-plus")


# Points

def base(task, kind, fold, bits=(4, 4), **more):
    return {"kind": kind, "task": task, "fold": fold, "weight_bits": bits[0],
            "activation_bits": bits[1], **more}


def search_points(task):
    """Rates, and annealing where the quantizer is ours."""
    for method in COMPARED:
        for width in SEARCH_WIDTHS:
            for rate in RATES:
                for annealed in (False, True):
                    if annealed and method in networks.BREVITAS:
                        continue
                    yield base(task, "search", 0, method=method, width=width,
                               rate=rate, annealed=annealed)
    for rate in RATES:
        yield base(task, "search", 0, rate=rate, annealed=False)


def longer_points(task):
    """Twice the epochs; rate and annealing are filled in when it is their turn."""
    for width in SEARCH_WIDTHS:
        for method in COMPARED:
            yield base(task, "search", 0, method=method, width=width, longer=2)
    yield base(task, "search", 0, longer=2)


def folds(task):
    return range(tasks.TASKS[task].folds)


def width_points(task):
    for fold in folds(task):
        yield base(task, "final", fold)
    for width in WIDTHS:
        for method in COMPARED:
            for fold in folds(task):
                yield base(task, "final", fold, method=method, width=width)


def borrowed_points(task):
    """Between the widths of the search, with the choice of the wider one."""
    for method in BORROWED:
        for fold in folds(task):
            yield base(task, "borrowed", fold, method=method, width=9, choice_of=10)


def tile_points(task):
    for tile in tasks.TASKS[task].tiles:
        for method in NARROW_METHODS:
            for fold in folds(task):
                yield base(task, "final", fold, method=method, width=8, tile=tile)


def code_points(task):
    """Activations of fewer bits, at 8 bits."""
    for bits in (3, 2):
        for fold in folds(task):
            yield base(task, "final", fold, (4, bits))
        for method in NARROW_METHODS:
            for fold in folds(task):
                yield base(task, "final", fold, (4, bits), method=method, width=8)


def latency_points(task):
    """Constrained networks beside narrower dense ones."""
    if task == "mnist-fine":
        for fold in folds(task):
            for tile, shares in FINE_SHARES.items():
                held = {"method": "projection", "width": 8, "tile": tile}
                for share in shares:
                    yield base(task, "latency", fold, share=share,
                               rate=LATENCY_RATE, annealed=False,
                               **(held if tile else {}))
        return
    for fold in folds(task)[:LATENCY_FOLDS]:
        for share in SHARES:
            for held in ({}, *({"method": "projection", "width": 8, "tile": tile}
                               for tile in (None, 144, 72))):
                yield base(task, "latency", fold, share=share, rate=LATENCY_RATE,
                           annealed=False, **held)


def timing_points(task):
    for target in TARGETS:
        yield {"kind": "timing", "task": task, "cpu": target}


def speed_points(task):
    yield {"kind": "speed", "task": task, "width": 10}


GROUPS = {"search": search_points, "longer": longer_points,
          "widths": width_points, "borrowed": borrowed_points,
          "tiles": tile_points, "codes": code_points, "speed": speed_points,
          "latency": latency_points, "timing": timing_points}


# Measuring

class Lab:
    def __init__(self, results, cache, device):
        self.results, self.cache, self.device = results, cache, device
        self.loaded = {}

    def data(self, task, fold):
        if (task, fold) not in self.loaded:
            loaded = tasks.TASKS[task].load(fold, self.cache)
            self.loaded = {(task, fold): loaded.to(self.device)}
        return self.loaded[task, fold]

    def float_network(self, task, fold, data, search, share=1.0):
        """Trained once and kept in the cache; its accuracy is a point of its own."""
        description = tasks.TASKS[task]
        classes = int(max(data.labels.max(), data.test_labels.max())) + 1
        network = description.network(classes, share).to(self.device)
        name = f"{task}-{fold}{'-search' if search else ''}"
        name += ".pt" if share == 1 else f"-{share:g}.pt"
        path = self.cache / name
        if path.exists():
            network.load_state_dict(torch.load(path, map_location=self.device))
            return network
        torch.manual_seed(fold)
        network = description.network(classes, share).to(self.device)
        tasks.train(network, data, description.float_epochs, description.float_rate,
                    fold)
        torch.save(network.state_dict(), path)
        if not search and share == 1:
            point = {"kind": "float", "task": task, "fold": fold}
            result = {"accuracy": round(tasks.accuracy(network, data), 3)}
            if key_of(point) not in self.results.known:
                self.results.add(point, result)
        return network

    def choice(self, point, longer=True):
        """{rate, annealed, longer} that the search found best, at the nearest
        width that it tried; of equals the first, thus the shorter. A task without
        a search of its own takes what was best for digits."""
        for task in (point["task"], "digits"):
            found = [
                (entry["result"]["accuracy"], entry["point"])
                for entry in self.results.entries
                if entry["point"]["kind"] == "search"
                and entry["point"]["task"] == task
                and entry["point"].get("method") == point.get("method")
                and (longer or "longer" not in entry["point"])
            ]
            if found:
                break
        else:
            raise SystemExit(f"no search for {point['task']} yet: --only search")
        width = point.get("choice_of", point.get("width"))
        if width is not None:
            tried = {other["width"] for _, other in found}
            nearest = min(tried, key=lambda w: (abs(w - width), w))
            found = [pair for pair in found if pair[1]["width"] == nearest]
        best = max(found, key=lambda pair: pair[0])[1]
        return {"rate": best["rate"], "annealed": best["annealed"],
                "longer": best.get("longer", 1)}

    def is_known(self, point):
        """Whether it is measured, with what the search would choose now."""
        result = self.results.of(point)
        if result is None or point["kind"] != "final":
            return result is not None
        chosen = self.choice(point)
        epochs = tasks.TASKS[point["task"]].epochs * chosen["longer"]
        return (result["rate"], result["annealed"], result["epochs"]) == (
            chosen["rate"], chosen["annealed"], epochs
        )

    def complete(self, point):
        """A point of the group `longer` with the best rate and annealing so far."""
        if "longer" in point and "rate" not in point:
            # Not with what was longer already.
            return {**self.choice(point, longer=False), **point}
        return point

    def train(self, point):
        return self.trained(point)[1]

    def trained(self, point):
        """The network of a point and its results."""
        task, fold, search = point["task"], point["fold"], point["kind"] == "search"
        data = self.data(task, fold)
        if search:
            data = data.without_test()
        chosen = point if "rate" in point else self.choice(point)
        rate, annealed = chosen["rate"], chosen["annealed"]
        network = self.float_network(task, fold, data, search, point.get("share", 1.0))
        sample = data.images[:512]
        model = networks.build(network, sample, point)
        start = tasks.accuracy(model, data)
        epochs = tasks.TASKS[task].epochs
        if search:
            epochs = tasks.TASKS[task].search_epochs or epochs
        epochs *= chosen.get("longer", 1)
        begin = time.process_time()
        tasks.train(model, data, epochs, rate, fold, networks.penalty(model),
                    annealing(model, point["width"], epochs) if annealed else None)
        seconds = time.process_time() - begin
        result = {
            "accuracy": round(tasks.accuracy(model, data), 3),
            "start": round(start, 3),
            "rate": rate,
            "annealed": annealed,
            "epochs": epochs,
            "seconds_per_epoch": round(seconds / epochs, 4),
            **networks.facts(model, point),
        }
        return model, result

    def latency(self, point):
        """Accuracy; the network is kept for `timing`. Of large images with integer
        biases, which programs are faster with, so the program's own as well."""
        model, result = self.trained(point)
        data = self.data(point["task"], point["fold"])
        integer = point["task"] == "mnist-fine"
        if point["fold"] and not integer:
            return result
        fold = f"-{point['fold']}" if point["fold"] else ""
        path = self.cache / f"{latency_name(point)}{fold}.onnx"
        a2q.torch.export(model.cpu(), path, data.images[:2].cpu(),
                         bias="integer" if integer else "real")
        if integer:
            result["program"] = program_accuracy(path, data)
        return result

    def timing(self, point):
        """Microseconds per image, of the thread's processor time: medians of runs
        on the same images, all networks in turns. Each by the accumulators that
        the compiler chooses and, where it is held to a width, by these."""
        images = self.data(point["task"], 0).test_images[:64].cpu().numpy()
        programs = {}
        for other in latency_points(point["task"]):
            path = self.cache / f"{latency_name(other)}.onnx"
            if other["fold"] or not path.exists():
                continue
            network = a2q.load(path)
            choices = {"auto": network}
            if other.get("width"):
                choices["held"] = network.stage(inner=other["width"])
            for choice, chosen in choices.items():
                program = chosen.compile(**TARGETS[point["cpu"]])
                program(images)
                programs[latency_name(other), choice] = program
        times = {key: [] for key in programs}
        for _ in range(31):
            for key, program in programs.items():
                begin = time.thread_time()
                for _ in range(4):
                    program(images)
                times[key].append(1e6 * (time.thread_time() - begin) / 4 / len(images))
        found = {}
        for (name, choice), values in times.items():
            found.setdefault(name, {})[choice] = round(statistics.median(values), 3)
        return {"microseconds": found}

    def speed(self, point):
        """Seconds per epoch, the methods in turns."""
        data = self.data(point["task"], 0)
        network = self.float_network(point["task"], 0, data, False)
        seconds = {}
        for turn in range(4):
            for method in (None, *COMPARED):
                shape = base(point["task"], "speed", 0)
                if method:
                    shape.update(method=method, width=point["width"])
                model = networks.build(network, data.images[:256], shape)
                begin = time.process_time()
                tasks.train(model, data, 1, 1e-3, turn, networks.penalty(model))
                if turn:  # the first one warms up
                    name = method or "unconstrained"
                    seconds.setdefault(name, []).append(
                        round(time.process_time() - begin, 4))
        return {"seconds": seconds}

    def measure(self, point):
        kinds = {"speed": self.speed, "latency": self.latency, "timing": self.timing}
        return kinds.get(point["kind"], self.train)(point)


def program_accuracy(path, data):
    scores = a2q.load(path).compile()(data.test_images.cpu().numpy())
    right = scores.argmax(1) == data.test_labels.cpu().numpy()
    return round(100 * float(right.mean()), 3)


def latency_name(point):
    held = f"{point.get('width') or 'dense'}-{point.get('tile') or 'all'}"
    return f"latency-{point['task']}-{point['share']:g}-{held}"


def annealing(model, width, epochs):
    """A bit less in equal steps over the first half of the epochs."""
    def each_epoch(epoch):
        left = ANNEALED - ANNEALED * 2 * epoch // epochs
        networks.set_width(model, width + max(0, left))
    return each_epoch


def wanted(point, args):
    """Whether the filters of the command line let it pass; those on what a point
    does not have do."""
    asked = ((args.width, point.get("width")), (args.fold, point.get("fold")))
    if any(values and value is not None and value not in values
           for values, value in asked):
        return False
    return not args.method or point.get("method", "none") in args.method


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=tasks.TASKS, action="append")
    parser.add_argument("--only", choices=GROUPS, action="append")
    parser.add_argument("--width", type=int, action="append",
                        help="of the points with a width, these")
    parser.add_argument("--fold", type=int, action="append")
    parser.add_argument("--method", action="append", help="'none' without a constraint")
    parser.add_argument("--limit", type=float, default=float("inf"),
                        help="begin no point after so many minutes")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--cache", type=Path, default=Path("build/training"))
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    results = Results(args.results)
    lab = Lab(results, args.cache, device)
    begin = time.monotonic()
    for task in args.task or ("digits", "mnist"):
        for group in args.only or GROUPS:
            for point in map(lab.complete, GROUPS[group](task)):
                if lab.is_known(point):
                    continue
                if not wanted(point, args):
                    continue
                if time.monotonic() - begin > 60 * args.limit:
                    return 0
                result = lab.measure(point)
                results.add(point, result)
                print(key_of(point), result.get("accuracy", ""), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
