# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pictures of sweeps."""

import subprocess
import sys

import pytest

import a2q
from a2q.plot import front, pareto, series


def entry(width, accuracy, method="optimal", **more):
    return {"point": {"width": width, "method": method, **more},
            "result": {"accuracy": accuracy}}


ENTRIES = [
    entry(8, 50, "top-b"), entry(10, 90, "top-b"), entry(12, 89, "top-b"),
    entry(8, 40), entry(8, 44), entry(10, 95), entry(12, 98, tile=36),
    {"point": {"width": 9, "method": "optimal"}, "error": "ValueError: no"},
]  # fmt: skip


def test_series_have_names_and_all_values():
    found = series(ENTRIES)
    assert found["optimal"] == {8: [40, 44], 10: [95]}
    assert found["optimal, tile 36"] == {12: [98]}
    assert set(found) == {"top-b", "optimal", "optimal, tile 36"}
    assert set(series([entry(8, 1), entry(9, 2)])) == {"accuracy"}


def test_front_only_rises():
    assert front(series(ENTRIES)) == [(8, 50), (10, 95), (12, 98)]
    assert front(series(ENTRIES[:3])) == [(8, 50), (10, 90)]


def test_picture_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    for ending in ("png", "svg"):
        path = tmp_path / f"pareto.{ending}"
        axes = pareto(ENTRIES, path)
        assert path.stat().st_size > 5000
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "optimal, tile 36" in names and "Pareto front" in names
    again = pareto(ENTRIES[:3], ax=axes)
    assert again is axes


def test_nothing_to_draw_is_said():
    with pytest.raises(a2q.Error, match="no entry has 'width'"):
        pareto([{"point": {}, "result": {"accuracy": 1}}])


def test_missing_extra_is_named():
    code = (
        "import sys; sys.modules['matplotlib.figure'] = None\n"
        "import a2q.plot\n"
        "try:\n"
        "    a2q.plot.pareto([{'point': {'width': 8}, 'result': {'accuracy': 1}}])\n"
        "except a2q.Error as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'a2q[plot]'" in run.stdout, run.stderr
