#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the notebooks beside the scripts that they are made of.

    notebooks.py            writes them
    notebooks.py --check    exits with 1 when one is not what its script says

A script with cells, which begin with `# %%`, is a notebook: what it begins with is
its first text, and comments under `# %% [markdown]` are the others. Notebooks have
no outputs; run them for these.
"""

import ast
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def cells_of(source):
    """[(kind, text)] of a script; empty when it has no cells."""
    head, *rest = source.split("\n# %%")
    if not rest:
        return []
    cells = [("markdown", ast.get_docstring(ast.parse(head)))]
    for cell in rest:
        mark, _, text = cell.partition("\n")
        if mark.strip() == "[markdown]":
            lines = text.strip("\n").splitlines()
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
            cells.append(("markdown", text))
        elif text.strip():
            cells.append(("code", text.strip("\n")))
    return cells


def notebook_of(source):
    """The notebook's JSON; None for a script without cells."""
    cells = []
    for number, (kind, text) in enumerate(cells_of(source)):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {},
                "source": text.splitlines(keepends=True)}
        if kind == "code":
            cell.update(execution_count=None, outputs=[])
        cells.append(cell)
    if not cells:
        return None
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4,
                "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main(arguments):
    check = arguments == ["--check"]
    if arguments and not check:
        sys.exit(__doc__)
    status = 0
    for script in sorted(HERE.glob("*.py")):
        wanted = notebook_of(script.read_text())
        path = script.with_suffix(".ipynb")
        if wanted is None:
            continue
        if not check:
            path.write_text(wanted)
        elif not path.exists() or path.read_text() != wanted:
            print(f"{path} is not what {script.name} says: run notebooks.py")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
