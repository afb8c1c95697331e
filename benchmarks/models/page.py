#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the tables of results.jsonl into docs/models.md and docs/models-layers.md, between their
markers.

    page.py [--check]

--check exits with 1 where a page is not what it would write. Needs only Python 3.
"""

import json
import re
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
PAGES = (DOCS / "models.md", DOCS / "models-layers.md")
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

    def gap(self, model, part):
        """What stands in place of a result."""
        return "refused" if (model, part) in self.points else "not measured"


def table(head, rows):
    lines = [" | ".join(cells) for cells in [head, ["---"] * len(head), *rows]]
    return "\n".join(f"| {line} |" for line in lines)


def percent(value):
    return f"{100 * value:.1f}"


def accuracy(results):
    head = ["model", "samples", "float", "W8A8", "32 bits", "staged 16", "16", "14", "12", "8x4"]
    parts = ("float", "32", "16", "constrained-16", "constrained-14", "constrained-12",
             "constrained-8x4")
    rows = []
    for model in results.models:
        points = {part: results.get(model, part) for part in parts}
        cells = [percent(point["accuracy"]) if point else results.gap(model, part)
                 for part, point in points.items()]
        real, wide = points["float"], points["32"]
        theirs = percent(wide["onnxruntime"]) if wide else results.gap(model, "32")
        rows.append([NAMES[model], str(real["samples"]) if real else "", cells[0], theirs,
                     *cells[1:]])
    return table(head, rows)


def calibrated(results):
    """The widths with and without data, of the models that have both."""
    widths = (16, 14, 12)
    head = ["model", *(f"{width} bits{data}" for width in widths for data in ("", ", data"))]
    rows = []
    for model in results.models:
        parts = [f"{kind}-{width}" for width in widths for kind in ("constrained", "calibrated")]
        points = {part: results.get(model, part) for part in parts}
        if any(point for part, point in points.items() if part.startswith("calibrated")):
            rows.append([NAMES[model],
                         *(percent(point["accuracy"]) if point else results.gap(model, part)
                           for part, point in points.items())])
    return table(head, rows)


def same(point):
    return "bitwise" if point["equal"] == 1 else f"{point['difference']:.1g}"


def agreement(results):
    head = ["model", "float", "same answer", "W8A8", "same answer",
            "ONNX Runtime with and without its optimizations", "same answer",
            "staged 16 and 32 bits"]
    rows = []
    for model in results.models:
        cells = [NAMES[model]]
        itself = (results.get(model, "32") or {}).get("onnxruntime_itself")
        for part, point in (("float", results.get(model, "float")),
                            ("32", results.get(model, "32")), ("32", itself)):
            cells += ([same(point), percent(point["same_answer"]) + " %"] if point else
                      [results.gap(model, part), ""])
        narrow = results.get(model, "16")
        cells.append(results.gap(model, "16") if not narrow else
                     "bitwise" if narrow["equal_to_32"] else "differ")
        rows.append(cells)
    return table(head, rows)


def span(values):
    """The least, the middle and the greatest."""
    low, high = min(values), max(values)
    middle = statistics.median_high(values)
    return f"{low}" if low == high else f"{low} / {middle} / {high}"


def widths(results):
    head = ["model", "layers", "data type", "l1", "A2Q+", "box", "facts", "centred",
            "final sum", "observed", "layers with facts"]
    rows = []
    for model in results.models:
        point = results.get(model, "widths")
        if not point:
            rows.append([NAMES[model], results.gap(model, "widths"), *[""] * (len(head) - 2)])
            continue
        layers = point["layers"]
        facts = sorted({layer["proof"] for layer in layers} - {"box"})
        named = [f"{sum(layer['proof'] == fact for layer in layers)} {fact}" for fact in facts]

        def column(key, layers=layers):
            values = [layer["width"][key] for layer in layers]
            return span([value for value in values if value is not None])

        rows.append([NAMES[model], str(len(layers)), column("datatype"), column("a2q"),
                     column("a2q-plus"), span([layer["box"] for layer in layers]), column("exact"),
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
            rows.append([NAMES[model], results.gap(model, "time"), *[""] * len(forms)])
            continue
        cells = []
        for form in forms:
            time = point["times"][form]
            low, high = time["quartiles"]
            cells.append(f"{time['median']:.3g} ({low:.3g}-{high:.3g})")
        rows.append([NAMES[model], *cells, f"{point['load']:.0f}"])
    return table(head, rows)


PARTS = ("widths", "float", "32", "16", "constrained-16", "constrained-14", "constrained-12",
         "constrained-8x4", "time")


def refused(results):
    """What has no figure: refused, in the words of the tool, or not measured."""
    lines = []
    for model in results.models:
        for part in PARTS:
            point = results.points.get((model, part))
            if not point:
                lines.append(f"- {NAMES[model]}, {part}: not measured")
            elif "error" in point:
                words = [line for line in point["error"].splitlines() if "error:" in line]
                what = words[0].split("error:")[1].strip() if words else point["error"]
                lines.append(f"- {NAMES[model]}, {part}: {what}")
    return "\n".join(lines) or "Nothing was refused, and every cell was measured."


def measured(results):
    """Which revisions of this project the figures are of."""
    revisions = {}
    for (_, part), point in results.points.items():
        revisions.setdefault(point["revision"], {})[part] = None
    if len(revisions) == 1:
        return f"All figures are of revision {next(iter(revisions))}."
    return "\n".join(f"- revision {revision}: {', '.join(parts)}"
                     for revision, parts in sorted(revisions.items()))


def layers(results):
    """One table for each model."""
    head = ["layer", "K", "channels", "proof", "data type", "l1", "A2Q+", "box", "facts",
            "centred", "final sum", "observed", "slack, tightest", "slack, loosest"]
    text = []
    for model in results.models:
        rows = []
        for layer in (results.get(model, "widths") or {"layers": []})["layers"]:
            width = [str(layer["width"][key] or "") for key in
                     ("datatype", "a2q", "a2q-plus", "exact", "centred")]
            slack = [f"{bits:.1f}" for bits in layer.get("slack") or []] or ["", ""]
            rows.append([f"`{layer['name']}`", str(layer["K"]), str(layer["channels"]),
                         layer["proof"], *width[:3], str(layer["box"]), *width[3:],
                         str(layer["final"]), str(layer.get("observed", "")), *slack])
        text += [f"## {NAMES[model]}", table(head, rows) if rows else "Not measured."]
    return "\n\n".join(text)


TABLES = {"accuracy": accuracy, "calibrated": calibrated, "agreement": agreement, "widths": widths, "slack": slack,
          "times": times, "refused": refused, "measured": measured, "layers": layers}


def main():
    results = Results(HERE / "results.jsonl")
    for path in PAGES:
        page = written = path.read_text()
        for name, make in TABLES.items():
            written = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)",
                             lambda m, make=make: m[1] + make(results) + "\n" + m[2],
                             written, flags=re.S)
        if "--check" in sys.argv and page != written:
            sys.exit(f"{path} does not show results.jsonl; run page.py")
        path.write_text(written)


if __name__ == "__main__":
    main()
