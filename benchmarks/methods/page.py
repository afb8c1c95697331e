#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the figures of results.jsonl into docs/methods.md.

    page.py            rewrites what stands between the page's markers, and
                       docs/methods.svg
    page.py --check    exits with 1 where the page is not what it would write

A marker is a comment `<!-- table: NAME ARGUMENTS -->`; what follows up to
`<!-- end -->` is replaced. Needs only Python 3.
"""

import argparse
import json
import math
import re
import statistics
import sys
from pathlib import Path

import figure

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
SPEED = HERE.parent / "brevitas" / "results.json"

# Student's t, 95 % two-sided, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447,
           7: 2.365, 8: 2.306, 9: 2.262}
METHODS = ("a2q", "ep-init", "a2q-plus", "project", "optimal-fixed-scale",
           "top-b", "optimal", "gpfq", "optq")
TILE_METHODS = ("a2q-plus", "top-b", "optimal", "optq")
TASK_METHODS = ("ep-init", "a2q-plus", "top-b", "optimal", "gpfq", "optq")


def interval(values):
    """Mean and half of the 95 % interval of the mean; None of one value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    half = STUDENT[len(values) - 1] * math.sqrt(variance / len(values))
    return mean, half


def percent(values):
    """`97.5 ± 0.4`; a dash where nothing was measured."""
    if not values:
        return "-"
    mean, half = interval(values)
    return f"{mean:.1f}" if half is None else f"{mean:.1f} ± {half:.1f}"


def digits(value):
    """Three significant digits, without an exponent."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(places, 6)}f}"


def table(head, rows):
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    return "\n".join(lines + [" | ".join(row) for row in rows])


class Data:
    def __init__(self, path):
        lines = path.read_text().splitlines() if path.exists() else []
        self.entries = [json.loads(line) for line in lines]

    def select(self, **wanted):
        """(point, result) of the points with these entries; None: has none."""
        for entry in self.entries:
            point = entry["point"]
            if all(point.get(name) == value for name, value in wanted.items()):
                yield point, entry["result"]

    def accuracies(self, network, bits=(4, 4), **wanted):
        wanted = {"width": None, "tile": None, "method": None, **wanted}
        found = self.select(kind="task", network=network, weight_bits=bits[0],
                            activation_bits=bits[1], **wanted)
        return [result["accuracy"] for _, result in found]

    def floats(self, network):
        found = self.select(kind="float", network=network)
        return [result["accuracy"] for _, result in found]

    def emulated(self, network):
        """{overflow: {width: accuracies}}"""
        rows = {"wrap": {}, "saturate": {}}
        for _, result in self.select(kind="emulated", network=network):
            for row in result["rows"]:
                by_width = rows[row["overflow"]]
                by_width.setdefault(row["width"], []).append(row["accuracy"])
        return rows

    def layer_rows(self, length, correlation, weight_bits, activation_bits):
        found = self.select(kind="layer", length=length,
                            correlation=correlation, weight_bits=weight_bits,
                            activation_bits=activation_bits)
        return [row for _, result in found for row in result["rows"]]

    def network_error(self, network, bits, width, method, name):
        """Mean over layers of the first seed; None where nothing was measured.
        A layer without weights counts 1, also where its inputs are gone."""
        found = self.select(kind="task", network=network, seed=0, width=width,
                            method=method, weight_bits=bits[0],
                            activation_bits=bits[1], tile=None)
        for _, result in found:
            errors = [1 if layer.get("sparsity_after") == 1
                      else layer.get(name) or 0 for layer in result["layers"]]
            return sum(errors) / len(errors)
        return None


def accuracy_table(data, network):
    rows = []
    for width in range(16, 7, -1):
        cells = [percent(data.accuracies(network, width=width, method=method))
                 for method in TASK_METHODS]
        rows.append([str(width)] + cells)
    whole = percent(data.accuracies(network))
    floats = percent(data.floats(network))
    note = (f"Without a constraint {whole} %, in floating point {floats} %.")
    return table(["P", *TASK_METHODS], rows) + "\n\n" + note


def tile_table(data, network):
    rows = []
    for tile in (None, 144, 72, 36):
        cells = [percent(data.accuracies(network, width=8, method=method,
                                         tile=tile))
                 for method in TILE_METHODS]
        rows.append([str(tile or "whole K")] + cells)
    return table(["terms", *TILE_METHODS], rows)


def emulation_table(data, network):
    emulated = data.emulated(network)
    rows = []
    for width in sorted(emulated["wrap"], reverse=True):
        ours = [percent(data.accuracies(network, width=width, method=method))
                if width <= 16 else "-"
                for method in ("a2q-plus", "optimal", "optq")]
        cells = [percent(emulated[kind][width]) for kind in emulated]
        rows.append([str(width)] + cells + ours)
    head = ["P", "wraps", "saturates", "`a2q-plus`", "`optimal`", "`optq`"]
    return table(head, rows)


def columns(rows):
    """The methods of rows with each of their bounds, in the page's order."""
    measured = {(row["method"], row["bound"]) for row in rows}
    return [(method, bound) for method in METHODS
            for bound in ("a2q", "a2q-plus", "exact", "centred")
            if (method, bound) in measured]


def fold(rows):
    """The last rows, where they say the same, as one."""
    end = len(rows)
    while end > 1 and rows[end - 1][1:] == rows[end - 2][1:]:
        end -= 1
    if end < len(rows):
        rows = rows[:end - 1] + [[f"{rows[end - 1][0]}-{rows[-1][0]}"]
                                 + rows[end - 1][1:]]
    return rows


def layer_table(data, length, correlation, weight_bits, activation_bits, name):
    rows = data.layer_rows(int(length), float(correlation), int(weight_bits),
                           int(activation_bits))
    heads = columns(rows)
    cells = {(row["width"], row["method"], row["bound"]): row[name]
             for row in rows}
    body = [[str(width)] + [digits(cells.get((width, *head))) for head in heads]
            for width in sorted({row["width"] for row in rows})]
    titles = [method if bound in (method, "") else f"{method}, {bound}"
              for method, bound in heads]
    return table(["P", *titles], fold(body))


def network_table(data, network, weight_bits, activation_bits, name):
    bits = int(weight_bits), int(activation_bits)
    rows = []
    for width in range(8, 21):
        errors = [data.network_error(network, bits, width, method, name)
                  for method in METHODS]
        if any(error is not None for error in errors):
            rows.append([str(width)] + [digits(error) for error in errors])
    return table(["P", *METHODS], fold(rows))


# (better, worse): what is claimed of output errors at every width.
CLAIMS = [("optimal", "a2q-plus"), ("optimal", "top-b"), ("gpfq", "optimal"),
          ("optq", "optimal")]


def count_claim(better, worse, pairs):
    """One row: how often `better` loses less, and where it does not."""
    pairs = [(width, a, b) for width, a, b in pairs
             if a is not None and b is not None and max(a, b) > 0]
    wins = sum(a < b for _, a, b in pairs)
    lost = [f"{width} ({digits(a)}, {digits(b)})"
            for width, a, b in pairs if a > b]
    equal = len(pairs) - wins - len(lost)
    return [f"`{better}` before `{worse}`", f"{wins} of {len(pairs)}",
            str(equal), ", ".join(lost) or "-"]


def claims_table(data):
    rows = []
    shapes = sorted({tuple(point[name] for name in
                           ("length", "correlation", "weight_bits",
                            "activation_bits"))
                     for point, _ in data.select(kind="layer")})
    for shape in shapes:
        cells = {(row["width"], row["method"]): row["output_error"]
                 for row in data.layer_rows(*shape)
                 if row["bound"] in ("centred", "a2q-plus")}
        title = (f"K = {shape[0]}, W{shape[2]}A{shape[3]}, "
                 f"correlation {shape[1]:g}")
        for better, worse in CLAIMS:
            pairs = [(width, cells.get((width, better)),
                      cells.get((width, worse))) for width in range(8, 21)]
            rows.append([title] + count_claim(better, worse, pairs))
    for network in ("digits", "mnist"):
        for bits in ((4, 4), (4, 8), (8, 8)):
            for better, worse in CLAIMS:
                pairs = [(width, *(data.network_error(network, bits, width,
                                                      method, "output_error")
                                   for method in (better, worse)))
                         for width in range(8, 21)]
                row = count_claim(better, worse, pairs)
                if not row[1].endswith("of 0"):
                    title = f"{network}, W{bits[0]}A{bits[1]}"
                    rows.append([title] + row)
    return table(["layer", "claim", "holds", "equal", "fails at P (errors)"],
                 rows)


def summary(values):
    """Median and range of seconds."""
    if not values:
        return "-"
    low, high = digits(min(values)), digits(max(values))
    return f"{digits(statistics.median(values))} ({low} to {high})"


def speed_table(_):
    """What benchmarks/brevitas/compare.py measured."""
    run = json.loads(SPEED.read_text())
    rows = []
    for case in run["cases"]:
        theirs, ours = case["brevitas"], case["a2q"]
        ratio = "-"
        if theirs:
            ratio = f"{statistics.median(theirs) / statistics.median(ours):.1f}"
        rows.append([case["case"], summary(theirs), summary(ours), ratio,
                     digits(case.get("brevitas_error")),
                     digits(case.get("a2q_error"))])
    head = ["case", "Brevitas, s", "a2q, s", "times faster",
            "output error of Brevitas", "of a2q"]
    note = (f"{run['processor']}, one thread, torch {run['torch']}, Brevitas "
            f"{run['brevitas']}; processor time, median and range.")
    return table(head, rows) + "\n\n" + note


TABLES = {"accuracy": accuracy_table, "tiles": tile_table,
          "emulation": emulation_table, "layer": layer_table,
          "network": network_table, "claims": claims_table,
          "speed": speed_table}
MARKER = re.compile(r"(<!-- table: ([^>]*?) -->\n).*?(<!-- end -->)", re.S)


def fill(text, data):
    def replace(match):
        name, *arguments = match[2].split()
        return match[1] + TABLES[name](data, *arguments) + "\n" + match[3]
    return MARKER.sub(replace, text)


def draw(data):
    panels = []
    for network in ("digits", "mnist"):
        curves = {}
        for overflow, by_width in data.emulated(network).items():
            curves[f"unconstrained, {overflow}s"] = by_width
        for method in ("a2q-plus", "top-b", "optimal", "optq"):
            curves[method] = {
                width: data.accuracies(network, width=width, method=method)
                for width in range(8, 17)}
        panels.append((network, {
            name: [(width, interval(values)[0])
                   for width, values in sorted(by_width.items()) if values]
            for name, by_width in curves.items()}))
    return figure.svg(panels)


def write(description, results, render):
    """The command line of a page: render(results) gives {path: text}.

    Writes what differs; with --check it only says so, and the status is 1.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    stale = False
    for path, text in render(args.results).items():
        if path.exists() and path.read_text() == text:
            continue
        stale = True
        if args.check:
            print(f"{path} is not what {sys.argv[0]} writes", file=sys.stderr)
        else:
            path.write_text(text)
    return 1 if args.check and stale else 0


def render(results):
    data, page = Data(results), DOCS / "methods.md"
    return {page: fill(page.read_text(), data), DOCS / "methods.svg": draw(data)}


if __name__ == "__main__":
    sys.exit(write(__doc__, HERE / "results.jsonl", render))
