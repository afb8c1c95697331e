#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the figures of results.jsonl into docs/training.md.

    page.py            rewrites what stands between the page's markers, and
                       docs/training.svg
    page.py --check    exits with 1 where the page is not what it would write

Markers are those of benchmarks/methods/page.py, whose means and intervals these
are. Needs only Python 3.
"""

import importlib.util
import json
import re
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"


def neighbour(name):
    """A module of benchmarks/methods, under a name of its own."""
    folder = str(HERE.parent / "methods")
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(
        f"methods_{name}", HERE.parent / "methods" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


methods_page = neighbour("page")
figure = neighbour("figure")
interval, percent, table = (methods_page.interval, methods_page.percent,
                            methods_page.table)

METHODS = ("projection", "projection-fixed-scale", "top-b", "a2q-plus",
           "centred-weight-norm", "brevitas-a2q-plus", "brevitas-a2q")
NARROW_METHODS = ("projection", "top-b", "a2q-plus")
COLOURS = {
    "projection": "#0072b2",
    "projection-fixed-scale": "#56b4e9",
    "top-b": "#e69f00",
    "a2q-plus": "#d55e00",
    "centred-weight-norm": "#cc79a7",
    "brevitas-a2q-plus": "#999999",
    "brevitas-a2q": "#555555",
}


class Data:
    def __init__(self, path):
        lines = path.read_text().splitlines() if path.exists() else []
        self.entries = [json.loads(line) for line in lines]

    def select(self, **wanted):
        for entry in self.entries:
            point = entry["point"]
            if all(point.get(name) == value for name, value in wanted.items()):
                yield entry["result"]

    def finals(self, task, bits=4, **wanted):
        """Results of one cell, a fold each."""
        wanted = {"method": None, "width": None, "tile": None,
                  "task": task, "activation_bits": bits, **wanted}
        return list(self.select(kind="final", **wanted))

    def accuracies(self, task, bits=4, name="accuracy", **wanted):
        return [result[name] for result in self.finals(task, bits, **wanted)]


def names(methods):
    return [f"`{method}`" for method in methods]


def counted(cell):
    """Mean, interval, and of how many runs."""
    return percent(cell) + (f" (n={len(cell)})" if cell else "")


def width_rows(data, task, name):
    rows = []
    for width in range(14, 7, -1):
        cells = [data.accuracies(task, name=name, width=width, method=method)
                 for method in METHODS]
        if any(cells):
            rows.append([str(width)] + [percent(cell) for cell in cells])
    return rows


def accuracy_table(data, task):
    folds = {len(data.accuracies(task, width=width, method=method))
             for width in range(8, 15) for method in METHODS} - {0}
    floats = [result["accuracy"] for result in data.select(kind="float", task=task)]
    count = " to ".join(map(str, sorted({min(folds), max(folds)}))) if folds else "no"
    note = (f"Without a constraint {percent(data.accuracies(task))} %, in floating "
            f"point {percent(floats)} %; {count} runs in a cell.")
    rows = width_rows(data, task, "accuracy")
    return table(["P", *names(METHODS)], rows) + (f"\n\n{note}" if rows else "")


def start_table(data, task):
    """Before training, batch-norm statistics estimated again."""
    return table(["P", *names(METHODS)], width_rows(data, task, "start"))


def narrow_table(data, task):
    """8-bit accumulators: whole K, tiles, activations of fewer bits."""
    rows = []
    shapes = [("whole K, A4", 4, None), ("tiles of 144, A4", 4, 144),
              ("tiles of 72, A4", 4, 72), ("whole K, A3", 3, None),
              ("whole K, A2", 2, None)]
    for title, bits, tile in shapes:
        cells = [data.finals(task, bits, width=8, tile=tile, method=method)
                 for method in NARROW_METHODS]
        if not any(cells):
            continue
        row = [title, counted(data.accuracies(task, bits))]
        row += [counted([result["accuracy"] for result in cell]) for cell in cells]
        sparsity = [result["sparsity"] for result in cells[0]]
        row.append(f"{statistics.mean(sparsity):.2f}" if sparsity else "-")
        rows.append(row)
    head = ["accumulators of 8 bits", "unconstrained", *names(NARROW_METHODS),
            "zeros, `projection`"]
    return table(head, rows)


def choice_table(data, task):
    """Learning rate, annealing and epochs that the search chose."""
    rows = []
    least = min((result["epochs"] for result in data.select(kind="final", task=task)),
                default=0)
    for width in (8, 10):
        cells = []
        for method in METHODS:
            chosen = {(r["rate"], r["annealed"], r["epochs"])
                      for r in data.finals(task, method=method, width=width)}
            cells.append(", ".join(
                f"{rate:g}" + (" annealed" if annealed else "")
                + (f", {epochs // least} x epochs" if epochs > least else "")
                for rate, annealed, epochs in sorted(chosen)) or "-")
        if set(cells) != {"-"}:
            rows.append([str(width)] + cells)
    return table(["P", *names(METHODS)], rows)


def speed_table(data):
    """From the group `speed`, else from what the other points took."""
    rows = []
    for task in ("digits", "mnist", "glyphs"):
        seconds = {}
        for result in data.select(kind="speed", task=task):
            seconds = {name: statistics.median(values)
                       for name, values in result["seconds"].items()}
        for method in () if seconds else (None, *METHODS):
            took = [entry["result"]["seconds_per_epoch"] for entry in data.entries
                    if entry["point"]["task"] == task
                    and entry["point"].get("method") == method
                    and "seconds_per_epoch" in entry["result"]]
            if took:
                seconds[method or "unconstrained"] = statistics.median(took)
        plain = seconds.get("unconstrained")
        if plain:
            ratios = [f"{seconds[method] / plain:.2f}" if method in seconds else "-"
                      for method in METHODS]
            rows.append([task, f"{plain:.2f}", *ratios])
    return table(["task", "unconstrained, s", *names(METHODS)], rows)


def latency_table(data, task):
    """Accuracy beside microseconds per image, networks of all sizes."""
    rows = []
    shapes = sorted({(entry["point"]["share"], entry["point"].get("width") or 0,
                      entry["point"].get("tile") or 0)
                     for entry in data.entries
                     if entry["point"]["kind"] == "latency"
                     and entry["point"]["task"] == task})
    for share, width, tile in shapes:
        cell = list(data.select(kind="latency", task=task, share=share,
                                width=width or None, tile=tile or None))
        name = f"latency-{task}-{share:g}-{width or 'dense'}-{tile or 'all'}"
        speeds = []
        for cpu in ("haswell", "avx512vnni"):
            times = [result["microseconds"].get(name)
                     for result in data.select(kind="timing", task=task, cpu=cpu)]
            # The compiler's choice of accumulators, or those held to: the faster.
            speeds.append(f"{min(times[0].values()):.2f}" if times and times[0] else "-")
        held = "nothing"
        if width:
            held = f"{width} bits" + (f", tiles of {tile}" if tile else "")
        zeros = statistics.mean(result["sparsity"] for result in cell)
        right = [r.get("program", r["accuracy"]) for r in cell]
        rows.append([f"{share:g}", held, percent(right),
                     f"{zeros:.2f}", *speeds])
    return table(["channels", "sums held to", "accuracy", "zeros", "AVX2, us",
                  "VNNI, us"], rows)


TABLES = {"accuracy": accuracy_table, "start": start_table,
          "narrow": narrow_table, "choice": choice_table, "speed": speed_table,
          "latency": latency_table}


def fill(text, data):
    def replace(match):
        name, *arguments = match[2].split()
        shown = TABLES[name](data, *arguments)
        if len(shown.splitlines()) < 3 or not re.search(r"\d", shown.splitlines()[2]):
            task = f" --task {arguments[0]}" if arguments else ""
            shown = f"Not measured yet: `benchmarks/training/run.py{task}`."
        return match[1] + shown + "\n" + match[3]
    return re.sub(methods_page.MARKER, replace, text)


def draw(data):
    figure.COLOURS, figure.DASHED = COLOURS, ("brevitas-a2q", "brevitas-a2q-plus")
    figure.LOW, figure.HIGH = 8, 14
    panels = []
    for task in ("digits", "mnist"):
        curves = {}
        for method in METHODS:
            points = [(width, data.accuracies(task, width=width, method=method))
                      for width in range(8, 15)]
            curves[method] = [(width, interval(values)[0])
                              for width, values in points if values]
        panels.append((task, curves))
    return figure.svg(panels)


def render(results):
    data, page = Data(results), DOCS / "training.md"
    return {page: fill(page.read_text(), data), DOCS / "training.svg": draw(data)}


if __name__ == "__main__":
    sys.exit(methods_page.write(__doc__, HERE / "results.jsonl", render))
