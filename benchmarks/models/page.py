#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the tables of results.jsonl into docs/models.md, between their markers.

    page.py [--check]

--check exits with 1 where the page is not what it would write. Needs only Python 3.
"""

import json
import re
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "models.md"
NAMES = {"digits": "digits", "mnist": "MNIST 5k", "direction": "text direction classifier",
         "magika": "Magika v3.3", "ocr": "PP-OCRv6 recognition, small",
         "minilm": "MiniLM-L6-v2"}


class Results:
    def __init__(self, path):
        lines = map(json.loads, path.read_text().splitlines())
        self.points = {(line["model"], line["part"]): line for line in lines}
        self.models = [name for name in NAMES if any(name == key[0] for key in self.points)]

    def get(self, model, part):
        """A result, if there is one and the program was not refused."""
        point = self.points.get((model, part), {})
        return None if not point or "error" in point else point


def table(head, rows):
    lines = [" | ".join(cells) for cells in [head, ["---"] * len(head), *rows]]
    return "\n".join(f"| {line} |" for line in lines)


def percent(point, key="accuracy"):
    return f"{100 * point[key]:.1f}" if point else "-"


def accuracy(results):
    head = ["model", "samples", "float", "W8A8", "32 bits", "staged 16", "16", "14", "12", "8x4"]
    rows = []
    for model in results.models:
        points = [results.get(model, part) for part in
                  ("float", "32", "16", "constrained-16", "constrained-14", "constrained-12",
                   "constrained-8x4")]
        theirs = points[1] and points[1].get("onnxruntime")
        rows.append([NAMES[model], str(points[0]["samples"]) if points[0] else "-",
                     percent(points[0]), f"{100 * theirs:.1f}" if theirs is not None else "-",
                     *map(percent, points[1:])])
    return table(head, rows)


def same(point):
    return "bitwise" if point["equal"] == 1 else f"{point['difference']:.1g}"


def agreement(results):
    head = ["model", "float", "same answer", "W8A8", "same answer",
            "ONNX Runtime with and without its optimizations", "staged 16 and 32 bits"]
    rows = []
    for model in results.models:
        real, wide, narrow = (results.get(model, part) for part in ("float", "32", "16"))
        cells = [NAMES[model]]
        for point in (real, wide):
            cells += [same(point), percent(point, "same_answer") + " %"] if point else ["-", "-"]
        itself = wide and wide.get("onnxruntime_itself")
        cells.append(same(itself) if itself else "-")
        cells.append("-" if not narrow else "bitwise" if narrow["equal_to_32"] else "differ")
        rows.append(cells)
    return table(head, rows)


def span(values):
    """The least, the middle and the greatest."""
    low, high = min(values), max(values)
    middle = statistics.median_high(values)
    return f"{low}" if low == high else f"{low} / {middle} / {high}"


def widths(results):
    head = ["model", "layers", "data type", "l1", "box", "facts", "centred", "final sum",
            "observed", "layers with facts"]
    rows = []
    for model in results.models:
        point = results.get(model, "widths")
        if not point:
            continue
        layers = point["layers"]
        facts = sorted({layer["proof"] for layer in layers} - {"box"})
        named = [f"{sum(layer['proof'] == fact for layer in layers)} {fact}" for fact in facts]

        def column(key, layers=layers):
            values = [layer["width"][key] for layer in layers]
            return span([value for value in values if value is not None])

        rows.append([NAMES[model], str(len(layers)), column("datatype"), column("a2q"),
                     span([layer["box"] for layer in layers]), column("exact"),
                     column("centred"), span([layer["final"] for layer in layers]),
                     span([layer["observed"] for layer in layers if "observed" in layer]),
                     ", ".join(named) or "none"])
    return table(head, rows)


def slack(results):
    head = ["model", "samples", "the tightest channel", "the loosest channel", "largest slack in"]
    rows = []
    for model in results.models:
        point = results.get(model, "widths")
        layers = [layer for layer in (point or {"layers": []})["layers"] if layer.get("slack")]
        if not layers:
            continue
        loosest = max(layers, key=lambda layer: layer["slack"][1])
        rows.append([NAMES[model], str(point["samples"]),
                     span([f"{layer['slack'][0]:.1f}" for layer in
                           sorted(layers, key=lambda layer: layer["slack"][0])]),
                     span([f"{layer['slack'][1]:.1f}" for layer in
                           sorted(layers, key=lambda layer: layer["slack"][1])]),
                     f"`{loosest['name']}`, {loosest['slack'][1]:.1f} bits"])
    return table(head, rows)


def times(results):
    forms = ("onnxruntime float", "a2q float", "onnxruntime quantized", "a2q 32", "a2q 16")
    head = ["model", "ONNX Runtime float", "a2q float", "ONNX Runtime W8A8", "a2q W8A8, 32 bits",
            "a2q W8A8, staged 16", "load"]
    rows = []
    for model in results.models:
        point = results.get(model, "time")
        if not point:
            continue
        cells = []
        for form in forms:
            time = point["times"][form]
            low, high = time["quartiles"]
            cells.append(f"{time['median']:.3g} ({low:.3g}-{high:.3g})")
        rows.append([NAMES[model], *cells, f"{point['load']:.0f}"])
    return table(head, rows)


def refused(results):
    """What could not be measured, in the words of the tool."""
    lines = []
    for (model, part), point in results.points.items():
        if "error" in point:
            words = [line for line in point["error"].splitlines() if "error:" in line]
            what = words[0].split("error:")[1].strip() if words else point["error"]
            lines.append(f"- {NAMES[model]}, {part}: {what}")
    return "\n".join(lines) or "Nothing was refused."


TABLES = {"accuracy": accuracy, "agreement": agreement, "widths": widths, "slack": slack,
          "times": times, "refused": refused}


def main():
    page, results = PAGE.read_text(), Results(HERE / "results.jsonl")
    written = page
    for name, make in TABLES.items():
        written = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)",
                         lambda m, text=make(results): m[1] + text + "\n" + m[2],
                         written, flags=re.S)
    if "--check" in sys.argv:
        sys.exit(page != written and f"{PAGE} does not show results.jsonl; run page.py")
    PAGE.write_text(written)


if __name__ == "__main__":
    main()
