#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the tables of results.json into docs/saturation.md, between its markers.

    page.py [--check]

--check exits with 1 where the page is not what it would write. Needs only
Python 3.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "saturation.md"
FILES = {"8 bits": "8-bit weights", "reduce_range": "`reduce_range`",
         "first layer": "half range, first layer",
         "lossless": "`--fix`", "all": "`--fix=all`"}
PLACES = {"exact": "exact mode", "here": "VNNI", "avx2": "AVX2"}


def table(head, rows):
    """The first column is text, the others are numbers where their head ends
    with a space."""
    rule = ["---:" if name.endswith(" ") else "---" for name in head]
    lines = [[name.strip() for name in head], rule, *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def example(results):
    """The digits network on three processors."""
    rows = []
    for name, found in results["example"].items():
        count, label = found["inputs"], FILES[name]
        if name == "reduce_range":
            label = "7-bit weights (`reduce_range`)"
        for row in found["rows"]:
            # An exact file is exact everywhere: one line says so.
            if name == "reduce_range" and row["place"] != "avx2":
                continue
            cells = [label, PLACES[row["place"]], f"{row['right'] / count:.2%}"]
            if row["place"] == "exact":
                cells += ["", "", ""]
            else:
                cells += [str(row["other_answers"]),
                          f"{row['other_logits']:.1%}",
                          f"{row['largest_difference']:.3g}"]
            rows.append(cells)
            label = ""
    return table(["file", "processor", "right ", "other answers ",
                  "other logits ", "largest difference "], rows)


def witnesses(results):
    return table(["layer", "channel ", "foretold loss ", "code, AVX2 ",
                  "code, exact mode "],
                 [[row["layer"], *(str(row[key]) for key in
                                   ("channel", "loss", "avx2", "exact"))]
                  for row in results["example"]["8 bits"]["witnesses"]])


def network(task):
    count = task["inputs"]
    lines = [f"{task['reference']}, {count} inputs, float "
             f"{task['right_float'] / count:.1%}:", ""]
    rows = []
    for key, row in task["rows"].items():
        layers = row["layers"]
        rows.append([FILES[key],
                     f"{layers['unsafe']} of {sum(layers.values())}",
                     f"{row['right_exact'] / count:.1%}",
                     f"{row['right_avx2'] / count:.1%}",
                     str(row["other_answers"]), str(row["other_outputs"]),
                     f"{row['milliseconds']:.3g}",
                     f"{row['milliseconds_exact']:.3g}"])
    lines += [table(["file", "unsafe layers ", "right, exact ", "right, AVX2 ",
                     "other answers ", "other outputs ", "ms ",
                     "ms, exact mode "], rows), ""]
    for mode, steps in task["steps"].items():
        text = "; ".join(f"{number} {step}" for step, number in steps.items())
        before, after = task["terms"][mode]
        option = "--fix" if mode == "lossless" else f"--fix={mode}"
        lines.append(f"- `{option}`: {text}. {task['gathers'][mode]} of them by "
                     f"a Gather. Products of mended layers: {before} to {after}.")
    return "\n".join(lines)


def networks(results):
    return "\n\n".join(network(task) for task in results["tasks"].values())


def main():
    page = PAGE.read_text()
    results = json.loads((HERE / "results.json").read_text())
    written = page
    for part in (example, witnesses, networks):
        text = part(results)
        written, count = re.subn(
            rf"(<!-- {part.__name__} -->\n\n).*?(\n\n<!-- end -->)",
            lambda m: m[1] + text + m[2], written, flags=re.S)
        if count != 1:
            sys.exit(f"{PAGE} has no place for the {part.__name__}")
    if "--check" in sys.argv:
        sys.exit(page != written and f"{PAGE} does not show results.json; run page.py")
    PAGE.write_text(written)


if __name__ == "__main__":
    main()
