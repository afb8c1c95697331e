# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The file of results of benchmarks/training, through kills."""

import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks/training"), *sys.path])
    import store

    return store


def points(path):
    return [json.loads(line)["point"]["x"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("cut, left", [(0, [1, 2]), (1, [1, 2]), (9, [1])])
def test_a_last_line_that_was_cut_off(store, cut, left, tmp_path):
    path = tmp_path / "results.jsonl"
    results = store.Results(path)
    results.add({"x": 1}, {"accuracy": 3})
    results.add({"x": 2}, {"accuracy": 4})
    text = path.read_text()
    path.write_text(text[: len(text) - cut])
    results = store.Results(path)
    assert points(path) == left and (results.of({"x": 2}) is None) == (cut == 9)
    results.add({"x": 3}, {"accuracy": 5})
    assert points(path) == [*left, 3]


def test_a_kill_while_a_point_is_replaced(store, monkeypatch, tmp_path):
    path = tmp_path / "results.jsonl"
    results = store.Results(path)
    results.add({"x": 1}, {"accuracy": 3})
    results.add({"x": 2}, {"accuracy": 4})

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            results.add({"x": 1}, {"accuracy": 9})
    assert points(path) == [1, 2] and store.Results(path).of({"x": 1}) == {"accuracy": 3}
    store.Results(path).add({"x": 1}, {"accuracy": 9})
    assert points(path) == [2, 1] and os.listdir(tmp_path) == ["results.jsonl"]
