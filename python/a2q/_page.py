# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reports as files and in notebooks."""

from __future__ import annotations

import html
import os

from a2q import _core
from a2q._errors import Error


def save(text: str, model: str, path: str | os.PathLike[str]) -> None:
    """Writes the JSON `text`, or the page around it, by the name's ending.

    model: the file that the report is of; may be empty.
    """
    name = os.fspath(path)
    if not name.endswith((".json", ".html")):
        raise Error(
            f"cannot write report '{name}': the name must end in .json or .html"
        )
    contents = _core.page(text, model) if name.endswith(".html") else text
    with open(name, "w", encoding="utf-8") as file:
        file.write(contents)


def frame(text: str, model: str) -> str:
    """The page inside a notebook, apart from the notebook's styles and data."""
    page = html.escape(_core.page(text, model))
    return (
        f'<iframe srcdoc="{page}" sandbox="allow-scripts" title="a2q report"'
        ' style="width:100%;height:640px;border:0"></iframe>'
    )
