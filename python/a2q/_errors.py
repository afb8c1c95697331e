# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong, as one exception."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from a2q._model import Model


@dataclass(frozen=True)
class Diagnostic:
    """One message of the library.

    severity: "error", "warning", "remark" or "note".
    location: the layer or the place in a file that it is about; may be empty.
    notes: cause and remedy.
    """

    severity: str
    message: str
    location: str = ""
    notes: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        lines = [where + self.message]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


class Error(Exception):
    """Something that the library refuses or cannot do.

    diagnostics: what it said, in order.
    command: a command line that fails the same way, or None. What it reads
        besides the files that the network came from is what `save` writes.
    model: the network that the failing operation began with, or None.
    files: the arrays, or the text, that the command reads, by the files' names.
    """

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.diagnostics = diagnostics or (Diagnostic("error", message),)
        self.command: str | None = None
        self.model: Model | None = None
        self.files: dict[str, np.ndarray[Any, Any] | str] = {}

    def __str__(self) -> str:
        text = str(self.args[0])
        if self.command:
            text += f"\nreproduce: {self.command}"
            if self.files or self._reads_model():
                text += "\nafter:     error.save()"
        return text

    def _reads_model(self) -> bool:
        return self.model is not None and " model.mlir" in (self.command or "")

    def save(self, folder: str | os.PathLike[str] = ".") -> None:
        """Writes what the command reads, beside files that were there before:
        the network as model.mlir, arrays as .npy."""
        if self.model is not None and self._reads_model():
            self.model.save(os.path.join(folder, "model.mlir"))
        for name, contents in self.files.items():
            path = os.path.join(folder, name)
            if isinstance(contents, str):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(contents)
            else:
                np.save(path, contents)

    @classmethod
    def from_core(cls, messages: Iterable[Any]) -> Error:
        """What the extension raises: tuples of a Diagnostic's fields."""
        diagnostics = tuple(_diagnostic(message) for message in messages)
        errors = [d for d in diagnostics if d.severity == "error"]
        text = "\n".join(str(d) for d in errors or diagnostics)
        return cls(text, diagnostics)


def file_name(path: object) -> str:
    """The name that a path is, as text."""
    try:
        name = os.fsdecode(path)  # type: ignore[arg-type]
        name.encode()
    except (TypeError, UnicodeEncodeError) as problem:
        raise Error(f"{path!r} is no name of a file, in UTF-8") from problem
    return name


def _diagnostic(fields: Any) -> Diagnostic:
    severity, message, location, notes = fields
    return Diagnostic(
        severity, message, location, tuple(_diagnostic(note) for note in notes)
    )
