# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pictures of measured points. Needs Matplotlib: pip install 'a2q[plot]'."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from a2q._errors import Error
from a2q.sweep import Entry

__all__ = ["front", "pareto", "series"]

Series = dict[str, dict[float, list[float]]]


def _axes() -> Any:
    """Axes of a figure of their own, drawn without a display."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise Error(
            "a picture needs Matplotlib: pip install 'a2q[plot]'"
        ) from problem
    return Figure(figsize=(6.4, 4.2), layout="constrained").subplots()


def series(
    entries: Iterable[Entry],
    x: str = "width",
    y: str = "accuracy",
    by: Sequence[str] = ("method", "tile"),
) -> Series:
    """{name: {x: values of y}} of the entries of a sweep that have both.

    A name is made of what the points say under `by`, as far as they differ.
    """
    measured = [
        entry
        for entry in entries
        if x in entry["point"] and y in entry.get("result", {})
    ]
    differ = [
        axis
        for axis in by
        if len({str(entry["point"].get(axis)) for entry in measured}) > 1
    ]
    result: Series = {}
    for entry in measured:
        point = entry["point"]
        parts = [
            str(point[axis]) if axis == "method" else f"{axis} {point[axis]}"
            for axis in differ
            if point.get(axis) not in (None, 0)
        ]
        name = ", ".join(parts) or y
        values = result.setdefault(name, {}).setdefault(point[x], [])
        values.append(entry["result"][y])
    return result


def front(measured: Series) -> list[tuple[float, float]]:
    """The points that no other one beats: more accuracy than any at the same or a
    smaller width, means of repeated points, by width."""
    best: dict[float, float] = {}
    for curve in measured.values():
        for x, values in curve.items():
            best[x] = max(best.get(x, float("-inf")), statistics.mean(values))
    result: list[tuple[float, float]] = []
    for x in sorted(best):
        if not result or best[x] > result[-1][1]:
            result.append((x, best[x]))
    return result


def pareto(
    entries: Iterable[Entry],
    path: str | os.PathLike[str] | None = None,
    *,
    x: str = "width",
    y: str = "accuracy",
    by: Sequence[str] = ("method", "tile"),
    ax: Any = None,
) -> Any:
    """Draws accuracy against accumulator width, a curve for each method and tile,
    and the Pareto front; returns Matplotlib's axes.

    entries: of a2q.sweep.sweep or read. Repeated points are drawn as their mean,
        with a bar from the least to the largest. Failed points are left out.
    path: where to save the picture; the ending says the format.
    ax: axes to draw into, else a figure of their own.
    """
    measured = series(entries, x, y, by)
    if not measured:
        raise Error(f"no entry has '{x}' in its point and '{y}' in its result")
    axes = _axes() if ax is None else ax
    for name, curve in measured.items():
        xs = sorted(curve)
        means = [statistics.mean(curve[value]) for value in xs]
        below = [mean - min(curve[value]) for value, mean in zip(xs, means)]
        above = [max(curve[value]) - mean for value, mean in zip(xs, means)]
        axes.errorbar(xs, means, [below, above], marker="o", capsize=3, label=name)
    steps = front(measured)
    axes.step(
        [step[0] for step in steps],
        [step[1] for step in steps],
        where="post",
        color="black",
        linewidth=0.8,
        linestyle=":",
        label="Pareto front",
    )
    axes.set_xlabel("accumulator bits" if x == "width" else x)
    axes.set_ylabel("accuracy, %" if y == "accuracy" else y)
    axes.grid(alpha=0.3)
    axes.legend()
    if path is not None:
        axes.figure.savefig(os.fspath(path))
    return axes
