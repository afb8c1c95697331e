#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the table of results.json into docs/models.md, between its markers.

    page.py [--check]

--check exits with 1 where the page is not what it would write. Needs only Python 3.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "models.md"
NAMES = {"direction": "text direction classifier", "magika": "Magika v3.3",
         "ocr": "PP-OCRv6 recognition, small", "minilm": "MiniLM-L6-v2"}


def row(result):
    theirs, ours = result["onnxruntime"], result.get("a2q")
    cells = [NAMES[result["model"]], result["file"], str(result["samples"]),
             f"{100 * theirs['accuracy']:.1f} %"]
    if ours is None:
        return cells + ["refused", "-", "-"]
    same = "bitwise" if result["equal"] == 1 else f"{result['difference']:.1g}"
    return cells + [f"{100 * ours['accuracy']:.1f} %", same,
                    f"{100 * result['same_answer']:.1f} %"]


def table(results):
    head = ["model", "file", "samples", "ONNX Runtime", "a2q", "difference", "same answer"]
    order = list(NAMES)
    rows = [row(r) for r in sorted(results, key=lambda r: (order.index(r["model"]), r["file"]))]
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def main():
    page = PAGE.read_text()
    text = table(json.loads((HERE / "results.json").read_text()))
    written = re.sub(r"(<!-- table -->\n).*?(<!-- end -->)", lambda m: m[1] + text + "\n" + m[2],
                     page, flags=re.S)
    if "--check" in sys.argv:
        sys.exit(page != written and f"{PAGE} does not show results.json; run page.py")
    PAGE.write_text(written)


if __name__ == "__main__":
    main()
