# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a notebook as Jupyter does, without Jupyter."""

import ast
import contextlib
import io
import json
import tempfile

from conftest import ROOT

EXAMPLES = ROOT / "examples" / "python"


def run(name, monkeypatch, folder):
    """(what it prints, the values that cells end with). Files that it makes land
    in `folder`."""
    path = EXAMPLES / f"{name}.ipynb"
    cells = json.loads(path.read_text())["cells"]
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    printed, values, names = io.StringIO(), [], {"__name__": "__main__"}
    with contextlib.redirect_stdout(printed):
        for number, cell in enumerate(cells):
            if cell["cell_type"] != "code":
                continue
            tree = ast.parse("".join(cell["source"]))
            where = f"{path.name}, cell {number}"
            last = tree.body[-1]
            if isinstance(last, ast.Expr):
                tree.body.pop()
            exec(compile(tree, where, "exec"), names)
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), where, "eval"), names)
                values += [] if value is None else [value]
    return printed.getvalue(), values
