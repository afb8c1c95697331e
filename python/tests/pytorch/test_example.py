# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The example runs as it is written."""

import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/python/train.py"


def test_example_runs(tmp_path):
    pytest.importorskip("sklearn")
    result = subprocess.run(
        [sys.executable, str(EXAMPLE), str(tmp_path / "digits.o")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    shares = dict(re.findall(r"^(trained|compiled) +([\d.]+)%", result.stdout, re.M))
    assert shares["trained"] == shares["compiled"]
    assert float(shares["compiled"]) > 93
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "digits.h", "digits.o", "digits.onnx",
    ]  # fmt: skip
    # 512 products of the last layer in tiles of 144, or longer ones where they fit.
    layer = re.search(r"^fc .* 8 x (\d+), \d+ +(\d+)$", result.stdout, re.M)
    assert int(layer[1]) >= 144 and int(layer[2]) <= 4, result.stdout
