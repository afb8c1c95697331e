# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page and the example run as they are written."""

import contextlib
import io
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text()


def test_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert len(blocks) == 5
    code = "\n".join(blocks).replace('"digits.o"', f'"{tmp_path}/digits.o"')
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/python.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert {"98.61%", "9", "34", "conv1"} <= set(lines)
    # What the page shows of the error is what was printed.
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S)
    shown = re.findall(r"^    (\w.*)$", prose, re.M)
    assert len(shown) == 3
    for line in shown:
        assert line in lines
    assert sorted(os.listdir(tmp_path)) == ["digits.h", "digits.o"]


def test_example_runs(tmp_path):
    example = ROOT / "examples" / "python" / "digits.py"
    result = subprocess.run(
        [sys.executable, str(example), str(tmp_path / "digits.o")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "digits.h").exists()
    assert re.search(r"8 bits .* 9\d\.\d\d%", result.stdout), result.stdout


