# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether a quantized model is exact on every x86."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from a2q import _core
from a2q._arrays import Array, Arrays, bind_any
from a2q._errors import Error, file_name
from a2q._model import Path, load, named_shapes, shape_options
from a2q._page import Document


@dataclass(frozen=True)
class LayerSaturation:
    """One layer; docs/saturation.schema.json describes `data`.

    answer: "safe", "unsafe" or "unknown". reason: why nothing is known, or why
    pairs do not matter; may be None.
    """

    name: str
    op: str
    answer: str
    reason: str | None
    data: dict[str, Any]


class SaturationReport(Document[LayerSaturation]):
    """What a2q-check --saturation says of a model; docs/saturation.schema.json
    describes `to_dict()`.

    answer: "safe", "unsafe" or "unknown", of all layers together.
    """

    def __init__(self, text: str, table: str, model: str = ""):
        super().__init__(text, table, model)
        self.answer: str = self._data["answer"]
        self.isa: str = self._data["isa"]
        self.layers = tuple(
            LayerSaturation(
                layer["name"], layer["op"], layer["answer"], layer["reason"], layer
            )
            for layer in self._data["layers"]
        )

    def __repr__(self) -> str:
        return f"<a2q.SaturationReport {self.answer}, {len(self)} layers>"


def check(
    path: Path,
    isa: str = "avx2",
    by_type: bool = False,
    calibration: Arrays | None = None,
    shapes: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
) -> SaturationReport:
    """Whether runtimes on a processor without VNNI compute what the model says.

    isa: ssse3, avx2, avx512, avxvnni, avx512vnni or amx. by_type: look at the
    layers of an .onnx file alone, with all codes that their types hold; for
    models that `load` refuses. calibration: inputs of the network; ranges are
    then those seen on them, observed and not proven. shapes: as of `load`.
    """
    name = file_name(path)
    wanted = named_shapes(shapes)
    if wanted and (by_type or not name.endswith(".onnx")):
        raise Error("shapes are for .onnx files, without by_type")
    if by_type and (not name.endswith(".onnx") or calibration is not None):
        raise Error("by_type is for .onnx files, without calibration")
    arrays: list[Array] = []
    if calibration is not None:
        arrays = bind_any(load(name, shapes=shapes).inputs, calibration)
    try:
        text, table = _core.check_saturation(
            name, str(isa), bool(by_type), wanted, arrays
        )
    except Error as error:
        if calibration is None:
            parts = ["a2q-check --saturation", f"--isa={isa}", shlex.quote(name)]
            parts += ["--by-type"] if by_type else shape_options(wanted)
            error.command = " ".join(parts)
        raise
    return SaturationReport(text, table, name)
