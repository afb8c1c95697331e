# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays as the extension takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import numpy.typing as npt

from a2q._errors import Error

if TYPE_CHECKING:
    from a2q._model import TensorSpec

Array = npt.NDArray[Any]
#: One array, several in order, or by name.
Arrays = Union[npt.ArrayLike, Sequence[npt.ArrayLike], Mapping[str, npt.ArrayLike]]


def as_array(values: npt.ArrayLike, what: str) -> Array:
    """numpy's view of the values; an Error for what is no array."""
    try:
        return np.asarray(values)
    except Exception as problem:
        raise Error(f"{what}: is no array: {problem}") from problem


def dense(values: npt.ArrayLike, dtype: Any, what: str, ndim: int) -> Array:
    """A C-contiguous array of exactly this dtype, of integers or of reals.

    Integers become any wider integer or real, reals become float64; nothing is
    rounded or cut off.
    """
    array = as_array(values, what)
    wanted = np.dtype(dtype)
    if not np.can_cast(array.dtype, wanted, "safe"):
        raise Error(
            f"{what}: holds {array.dtype}, which {wanted} cannot hold exactly; "
            f"convert it with .astype('{wanted}')"
        )
    if array.ndim != ndim:
        raise Error(
            f"{what}: has shape {list(array.shape)}, {ndim} dimensions are wanted"
        )
    return np.require(array, wanted, ["C", "A"])


def _check(spec: TensorSpec, value: npt.ArrayLike) -> Array:
    array = as_array(value, f"input '{spec.name}'")
    if array.dtype != np.dtype(spec.dtype):
        remedy = (
            f"; convert it with .astype('{spec.dtype}')"
            if array.dtype.kind in "biuf"
            else ""
        )
        raise Error(
            f"input '{spec.name}' takes {spec.describe()}, the array holds "
            f"{array.dtype}{remedy}"
        )
    # Other layouts are copied.
    return np.require(array, requirements=["C", "A"])


def bind(
    specs: Sequence[TensorSpec],
    positional: Sequence[npt.ArrayLike],
    named: Mapping[str, npt.ArrayLike],
) -> list[Array]:
    """One dense array for each input, in order."""
    names = ", ".join(f"'{spec.name}'" for spec in specs)
    if len(positional) > len(specs):
        raise Error(
            f"{len(positional)} arrays are too many; the network takes {names}"
        )
    values: dict[str, npt.ArrayLike] = {
        spec.name: value for spec, value in zip(specs, positional)
    }
    for name, value in named.items():
        if name not in {spec.name for spec in specs}:
            raise Error(f"the network has no input '{name}'; it takes {names}")
        if name in values:
            raise Error(f"input '{name}' is given twice")
        values[name] = value
    for spec in specs:
        if spec.name not in values:
            raise Error(
                f"input '{spec.name}' is missing; it takes {spec.describe()}"
            )
    return [_check(spec, values[spec.name]) for spec in specs]


def bind_any(specs: Sequence[TensorSpec], arrays: Arrays) -> list[Array]:
    """The same of one array, several in order, or several by name."""
    if isinstance(arrays, Mapping):
        return bind(specs, (), arrays)
    if isinstance(arrays, (list, tuple)) and (
        len(specs) != 1
        or (len(arrays) == 1 and getattr(arrays[0], "ndim", 0) == len(specs[0].shape))
    ):
        return bind(specs, arrays, {})
    return bind(specs, (arrays,), {})  # type: ignore[arg-type]


def allocate(
    inputs: Sequence[TensorSpec], arrays: Sequence[Array], outputs: Sequence[TensorSpec]
) -> dict[str, Array]:
    """Arrays for the outputs: as many runs as the first input has.

    The extension checks that all inputs agree.
    """
    runs = 1
    if inputs and inputs[0].shape and arrays[0].ndim:
        runs = max(1, arrays[0].shape[0] // inputs[0].shape[0])
    result: dict[str, Array] = {}
    for spec in outputs:
        shape = spec.shape
        if shape:
            shape = (shape[0] * runs, *shape[1:])
        result[spec.name] = np.empty(shape, spec.dtype)
    return result
