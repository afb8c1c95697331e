# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests share: the demo's network, and where the tools are."""

import os
import pathlib
import subprocess

import numpy as np
import pytest

import a2q

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits"

#: Two inputs, two outputs, of which one is named by nobody.
TWO = """
func.func @main(
    %a: tensor<2x3xf32> {a2q.name = "a"}, %b: tensor<2x3xf32> {a2q.name = "b"})
    -> (tensor<2x3xf32> {a2q.name = "sum"}, tensor<2x3xf32>) {
  %s = arith.addf %a, %b : tensor<2x3xf32>
  %d = arith.subf %a, %b : tensor<2x3xf32>
  return %s, %d : tensor<2x3xf32>, tensor<2x3xf32>
}
"""


def run_command(error, folder):
    """What the command that reproduces an error does in this folder."""
    path = os.environ["A2Q_TOOLS"] + os.pathsep + os.environ["PATH"]
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", error.command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
    )


@pytest.fixture(scope="session")
def digits():
    return a2q.load(DIGITS / "digits-w4a4.onnx")


@pytest.fixture(scope="session")
def compiled(digits):
    return digits.compile()


@pytest.fixture(scope="session")
def images():
    return np.load(DIGITS / "images.npy")


@pytest.fixture(scope="session")
def labels():
    return np.load(DIGITS / "labels.npy")


@pytest.fixture(scope="session")
def two():
    return a2q.parse(TWO)


@pytest.fixture
def tool():
    """Runs a tool of the same build and returns what it prints."""
    folder = os.environ.get("A2Q_TOOLS")
    if not folder:
        pytest.skip("A2Q_TOOLS names no folder of tools")

    def run(name, *arguments, status=0):
        result = subprocess.run(
            [os.path.join(folder, name), *map(str, arguments)],
            capture_output=True,
            text=True,
        )
        assert result.returncode == status, result.stderr
        return result.stdout

    return run
