# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package as it is installed: what it needs, and its types."""

import os
import pathlib
import subprocess
import sys

import pytest

import a2q
from conftest import DIGITS, ROOT

PACKAGE = pathlib.Path(a2q.__file__).parent


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )


def test_import_loads_numpy_and_nothing_else():
    result = python(
        "import sys, numpy\n"
        "before = set(sys.modules)\n"
        "import a2q\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'a2q', 'numpy'}))"
    )
    assert result.stdout == "[]\n", result.stderr


def test_missing_extra_is_named():
    result = python(
        "import sys\n"
        "sys.modules['pandas'] = None\n"
        "import a2q\n"
        f"report = a2q.load({str(DIGITS / 'digits-w4a4.onnx')!r}).prove()\n"
        "try:\n"
        "    report.to_pandas()\n"
        "except a2q.Error as error:\n"
        "    print(error)\n"
    )
    assert "pip install 'a2q[pandas]'" in result.stdout, result.stderr


def test_training_names_its_extra():
    result = python(
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import a2q\n"
        "try:\n"
        "    import a2q.torch\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    assert "pip install 'a2q[torch]'" in result.stdout, result.stderr


def test_version_is_the_projects():
    assert f'version = "{a2q.__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert (
        f"project(A2Q VERSION {a2q.__version__} "
        in (ROOT / "CMakeLists.txt").read_text()
    )


def test_all_names_exist_and_are_documented():
    for name in a2q.__all__:
        value = getattr(a2q, name)
        assert value.__doc__, name
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "_core.pyi").exists()


def test_types_are_strict():
    pytest.importorskip("mypy")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull]
        + ["--config-file", str(ROOT / "pyproject.toml"), "-p", "a2q"],
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(PACKAGE.parent)},
    )
    assert result.returncode == 0, result.stdout + result.stderr
