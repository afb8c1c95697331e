# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is proven of a network, as data."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from a2q._errors import Error
from a2q._page import Document

if TYPE_CHECKING:
    import pandas

    from a2q._model import Model


@dataclass(frozen=True)
class Stage:
    """One accumulator of a layer's chain, innermost first.

    width: bits. terms: the most products that it takes before it is widened.
    tiles: how often it begins anew for one output element.
    """

    width: int
    terms: int
    tiles: int


@dataclass(frozen=True)
class ChannelReport:
    """One output channel: whole K, without bias.

    l1, pos, neg: norms of its integer weights.
    final, prefix: smallest and largest complete sum, and partial sum.
    *_width: bits that hold them; `centred_width` from the best start.
    """

    l1: int
    pos: int
    neg: int
    final: tuple[int, int]
    prefix: tuple[int, int]
    final_width: int
    prefix_width: int
    centred_width: int

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> ChannelReport:
        known = {key: data[key] for key in cls.__dataclass_fields__}
        for key in ("final", "prefix"):
            known[key] = tuple(known[key])
        return cls(**known)


@dataclass(frozen=True)
class LayerReport:
    """One accumulating layer; docs/report.schema.json describes `data`.

    reduction_length: K, products for one output element.
    widths: bits that each bound asks of one accumulator for all K products, in
        the worst channel; None where a bound says nothing.
    accumulator: the type that was proven, as text. spills: widenings for one
        output element.
    costs: microseconds that the compiler estimates for one run, by the kind of
        processor; empty where it does not. They compare, and are not measured.
    """

    name: str
    op: str
    reduction_length: int
    widths: dict[str, int | None]
    accumulator: str
    stages: tuple[Stage, ...]
    spills: int
    costs: dict[str, float]
    channels: tuple[ChannelReport, ...]
    constraint: dict[str, Any] | None
    notes: tuple[str, ...]
    data: dict[str, Any]

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> LayerReport:
        return cls(
            name=data["name"],
            op=data["op"],
            reduction_length=data["reduction_length"],
            widths=dict(data["width"]),
            accumulator=data["accumulator"],
            stages=tuple(
                Stage(s["width"], s["terms"], s["tiles"]) for s in data["stages"]
            ),
            spills=data["spills"],
            costs={cost["isa"]: cost["microseconds"] for cost in data["costs"]},
            channels=tuple(
                ChannelReport.from_data(channel) for channel in data["per_channel"]
            ),
            constraint=data["constraint"],
            notes=tuple(data["notes"]),
            data=data,
        )


class Report(Document[LayerReport]):
    """What is proven of a network's accumulators, layer by layer.

    Prints as the table of a2q-check; iterates over its layers; `report["conv1"]`
    is the layer of that name. docs/report.schema.json describes `to_dict()`.

    model: the network with the accumulators that the report speaks of.
    target: the processor that it is compiled for, or None.
    """

    def __init__(self, text: str, table: str, model: Model):
        super().__init__(text, table, "")
        self.model = model
        self.target: str | None = self._data["target"]
        self.layers = tuple(
            LayerReport.from_data(layer) for layer in self._data["layers"]
        )

    def __repr__(self) -> str:
        return f"<a2q.Report of {len(self)} layers>"

    def to_pandas(self, per_channel: bool = False) -> pandas.DataFrame:
        """A row for each layer, or for each channel of each layer.

        Needs pandas: pip install 'a2q[pandas]'.
        """
        pandas = optional("pandas", "pandas")
        rows: list[dict[str, Any]] = []
        for layer in self.layers:
            if not per_channel:
                rows.append(
                    {
                        "layer": layer.name,
                        "op": layer.op,
                        "K": layer.reduction_length,
                        "channels": len(layer.channels),
                        **layer.widths,
                        "accumulator": layer.accumulator,
                        "spills": layer.spills,
                        "sparsity": layer.data["weights"]["sparsity"],
                        **{f"us, {isa}": us for isa, us in layer.costs.items()},
                    }
                )
                continue
            for index, channel in enumerate(layer.data["per_channel"]):
                row = {"layer": layer.name, "channel": index, **channel}
                for key in ("final", "prefix"):
                    row[f"{key}_lo"], row[f"{key}_hi"] = row.pop(key)
                rows.append(row)
        return pandas.DataFrame(rows)


def optional(name: str, extra: str) -> Any:
    """A package that is not needed by everyone, or an error with the remedy."""
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise Error(
            f"this needs {name}, which cannot be imported ({problem}); "
            f"install it with: pip install 'a2q[{extra}]'"
        ) from problem
