# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What all reports are: data, a table, a page."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from a2q import _core
from a2q._errors import Error, file_name

Layer = TypeVar("Layer")


class Document(Generic[Layer]):
    """A report of layers. Prints as its table, iterates over its layers, and is a
    page in a notebook.

    layers: in program order.
    """

    layers: tuple[Layer, ...]

    def __init__(self, text: str, table: str, file: str):
        """text: JSON. file: what the report is of, as the page says; or empty."""
        self._text = text
        self._table = table
        self._file = file
        self._data: dict[str, Any] = json.loads(text)

    def __str__(self) -> str:
        return self._table.rstrip("\n")

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> Layer:
        """The layer of this name; KeyError without one."""
        for layer in self.layers:
            if layer.name == name:  # type: ignore[attr-defined]
                return layer
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """The data of the report's JSON schema, a copy."""
        data: dict[str, Any] = json.loads(self._text)
        return data

    def to_json(self) -> str:
        """The text that --report=file.json writes."""
        return self._text

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes JSON, or a page for a browser, by the name's ending."""
        name = file_name(path)
        if not name.endswith((".json", ".html")):
            raise Error(
                f"cannot write report '{name}': the name must end in .json or .html"
            )
        contents = self._page() if name.endswith(".html") else self._text
        try:
            with open(name, "w", encoding="utf-8") as file:
                file.write(contents)
        except OSError as problem:
            raise Error(f"cannot write report '{name}': {problem}") from problem

    def _page(self) -> str:
        return str(_core.page(self._text, self._file))

    def _repr_html_(self) -> str:
        """The page inside a notebook, apart from the notebook's styles and data."""
        return (
            f'<iframe srcdoc="{html.escape(self._page())}" sandbox="allow-scripts"'
            ' title="a2q report" style="width:100%;height:640px;border:0"></iframe>'
        )
