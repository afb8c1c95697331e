# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The examples that train run as they are written, as notebooks and as scripts."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("sklearn")

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from notebooks import EXAMPLES, run


def check_trained(printed, folder):
    shares = dict(re.findall(r"^(trained|compiled) +([\d.]+)%", printed, re.M))
    assert shares["trained"] == shares["compiled"]
    assert float(shares["compiled"]) > 93
    assert sorted(path.name for path in folder.glob("*/digits.*")) == [
        "digits.h", "digits.o", "digits.onnx",
    ]  # fmt: skip
    # 512 products of the last layer in tiles of 144, or longer ones where they fit.
    layer = re.search(r"^fc .* 8 x (\d+), \d+ +(\d+)$", printed, re.M)
    assert int(layer[1]) >= 144 and int(layer[2]) <= 4, printed


def test_from_floats_to_an_object_file(monkeypatch, tmp_path):
    printed, _ = run("train", monkeypatch, tmp_path)
    check_trained(printed, tmp_path)


def test_the_script_does_the_same(tmp_path):
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "train.py")], capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    check_trained(result.stdout, tmp_path)


def test_a_brevitas_model(monkeypatch, tmp_path):
    pytest.importorskip("brevitas")
    pytest.importorskip("onnx")
    printed, _ = run("from_brevitas", monkeypatch, tmp_path)
    trained = float(re.search(r"^trained: ([\d.]+)%$", printed, re.M)[1])
    found = re.search(r"^compiled: ([\d.]+)%, differs by (\S+)$", printed, re.M)
    assert float(found[1]) == trained > 80 and float(found[2]) < 1e-3
    # What Brevitas held, by its integers and by the file.
    assert re.search(r"^3: 12 bits", printed, re.M)
    assert re.search(r"^/3/Conv .* 12 +12 12 ", printed, re.M), printed
