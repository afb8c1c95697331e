# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Examples that are scripts and notebooks: the same, and both run."""

import json
import os
import re
import subprocess
import sys

import pytest

from notebooks import EXAMPLES, run


def test_notebooks_are_what_the_scripts_say():
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "notebooks.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    found = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
    assert found == [
        "from_brevitas.ipynb", "read_report.ipynb", "sweep_widths.ipynb", "train.ipynb",
    ]  # fmt: skip
    for name in found:
        notebook = json.loads((EXAMPLES / name).read_text())
        assert notebook["nbformat"] == 4
        assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_reading_a_report(monkeypatch, tmp_path):
    printed, (report,) = run("read_report", monkeypatch, tmp_path)
    assert "datatype" in printed and "centred" in printed
    assert report._repr_html_().startswith("<iframe")
    shares = dict(re.findall(r"^(as it was|10 bits) +([\d.]+)%$", printed, re.M))
    assert float(shares["as it was"]) > 98 and float(shares["10 bits"]) > 90
    pages = sorted(path.name for path in tmp_path.glob("*/*.html"))
    assert pages == ["digits-10.html", "digits.html"]


def test_a_sweep_with_its_plot(monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    printed, values = run("sweep_widths", monkeypatch, tmp_path)
    (picture,) = tmp_path.glob("*/sweep.svg")
    assert picture.stat().st_size > 5000
    assert [type(value).__name__ for value in values] == ["Figure"]
    bits = dict(re.findall(r"^(optimal|a2q-plus): (\d+) bits$", printed, re.M))
    assert 8 <= int(bits["optimal"]) < int(bits["a2q-plus"]) <= 16


def test_the_script_does_the_same(tmp_path):
    result = subprocess.run(
        [sys.executable, "read_report.py"], cwd=EXAMPLES, capture_output=True,
        text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert str(tmp_path) in result.stdout
