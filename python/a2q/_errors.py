# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong, as one exception."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    command: a command line that fails the same way, or None. Where it reads
        `model.mlir`, that is what `error.model.save("model.mlir")` writes.
    model: the network that the failing operation began with, or None.
    """

    def __init__(self, message: str, diagnostics: tuple[Diagnostic, ...] = ()):
        super().__init__(message)
        self.diagnostics = diagnostics or (Diagnostic("error", message),)
        self.command: str | None = None
        self.model: Model | None = None

    def __str__(self) -> str:
        text = str(self.args[0])
        if self.command:
            text += f"\nreproduce: {self.command}"
            if self.model is not None and " model.mlir" in self.command:
                text += '\nafter:     error.model.save("model.mlir")'
        return text

    @classmethod
    def from_core(cls, messages: Iterable[Any]) -> Error:
        """What the extension raises: tuples of a Diagnostic's fields."""
        diagnostics = tuple(_diagnostic(message) for message in messages)
        errors = [d for d in diagnostics if d.severity == "error"]
        text = "\n".join(str(d) for d in errors or diagnostics)
        return cls(text, diagnostics)


def _diagnostic(fields: Any) -> Diagnostic:
    severity, message, location, notes = fields
    return Diagnostic(
        severity, message, location, tuple(_diagnostic(note) for note in notes)
    )
