# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How many bits a sum of products needs, per channel.

Weights are an integer array of shape [channels, K] (or [K] for one channel),
`codes` is the pair (lo, hi) of the smallest and the largest activation code,
both included. A bias is not in the sums: it is one more term. Bits are those of
a signed accumulator.

The bounds, from loose to tight, are "datatype", "a2q", "a2q-plus", "exact" and
"centred"; docs/methods.md and include/a2q/Math/Bounds.h say what each knows.

>>> import numpy as np
>>> weights = np.array([[5, -3, 2, 6]])
>>> width(weights, codes=(0, 15)).tolist()
[9]
>>> width(weights, codes=(0, 15), bound="centred").tolist()
[8]
>>> prefix_interval(weights, codes=(0, 15)).tolist()
[[-45, 195]]
>>> l1_budget(8, codes=(0, 15), bound="centred")
17
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from a2q import _core
from a2q._arrays import as_array, dense
from a2q._errors import Error

#: From loose to tight.
BOUNDS = ("datatype", "a2q", "a2q-plus", "exact", "centred")

Integers = npt.NDArray[np.int64]
Codes = tuple[int, int]

__all__ = [
    "BOUNDS",
    "a2q_plus_width",
    "a2q_width",
    "centred_width",
    "datatype_width",
    "exact_width",
    "final_interval",
    "l1_budget",
    "norms",
    "prefix_interval",
    "smallest_width",
    "width",
    "widths",
    "witness",
]


def integer(value: object, what: str) -> int:
    """An integer of 64 bits, whatever kind of number it is written as."""
    try:
        result = int(value)  # type: ignore[call-overload]
        if result != value:
            raise ValueError(value)
    except (TypeError, ValueError, OverflowError) as problem:
        raise Error(f"{what} is {value!r}; it takes an integer") from problem
    if not -(2**63) <= result < 2**63:
        raise Error(f"{what} is {result}, which does not fit 64 bits")
    return int(result)


def natural(value: object, what: str, least: int = 0, most: int = 2**31 - 1) -> int:
    """An integer in a range."""
    result = integer(value, what)
    if not least <= result <= most:
        raise Error(f"{what} is {result}; it takes a number from {least} to {most}")
    return result


def code_range(codes: Any) -> Codes:
    """The pair (lo, hi)."""
    try:
        lo, hi = codes
    except (TypeError, ValueError) as problem:
        raise Error(
            f"codes is {codes!r}; it takes the smallest and the largest code, (lo, hi)"
        ) from problem
    return integer(lo, "the smallest code"), integer(hi, "the largest code")


def _channels(weights: npt.ArrayLike) -> tuple[Integers, bool]:
    """[channels, K], and whether there was one channel without its dimension."""
    array = as_array(weights, "weights")
    if array.dtype == np.bool_ or array.dtype.kind not in "iu":
        raise Error(
            f"weights: are integers, the array holds {array.dtype}; round them, "
            "or constrain them with a2q.constrain_weights"
        )
    single = array.ndim == 1
    return dense(array[None] if single else array, np.int64, "weights", 2), single


def width(
    weights: npt.ArrayLike,
    codes: Codes,
    bound: str = "exact",
    weight_bits: int | None = None,
) -> Integers:
    """Bits that the bound asks for, [channels].

    weight_bits: of the weights' type, for "datatype"; by default the smallest
        that holds all weights.
    """
    array, single = _channels(weights)
    lo, hi = code_range(codes)
    least, most = int(array.min(initial=0)), int(array.max(initial=1))
    needed = max(most.bit_length(), (-least - 1).bit_length() if least else 0) + 1
    if weight_bits is None:
        weight_bits = min(needed, 53)
    elif bound == "datatype" and natural(weight_bits, "weight_bits", 1, 53) < needed:
        raise Error(
            f"weights from {least} to {most} do not fit weight_bits of "
            f"{int(weight_bits)}; they need {needed}"
        )
    out = np.empty((array.shape[0], 1), np.int64)
    _core.widths(
        array, lo, hi, str(bound), natural(weight_bits, "weight_bits", 1, 53), out
    )
    return out[0, 0] if single else out[:, 0]


def widths(
    weights: npt.ArrayLike, codes: Codes, weight_bits: int | None = None
) -> dict[str, Integers]:
    """The same for every bound, by name."""
    return {bound: width(weights, codes, bound, weight_bits) for bound in BOUNDS}


def datatype_width(
    weights: npt.ArrayLike, codes: Codes, weight_bits: int | None = None
) -> Integers:
    """Bits for any K weights of this type, [channels] (Colbert et al. 2023)."""
    return width(weights, codes, "datatype", weight_bits)


def a2q_width(weights: npt.ArrayLike, codes: Codes) -> Integers:
    """Bits for any weights of this l1 norm, [channels] (A2Q)."""
    return width(weights, codes, "a2q")


def a2q_plus_width(weights: npt.ArrayLike, codes: Codes) -> Integers:
    """Bits when each sign has half of the register, [channels] (A2Q+)."""
    return width(weights, codes, "a2q-plus")


def exact_width(weights: npt.ArrayLike, codes: Codes) -> Integers:
    """Bits that hold every partial sum in any order, [channels]; tight."""
    return width(weights, codes, "exact")


def centred_width(weights: npt.ArrayLike, codes: Codes) -> Integers:
    """The same from the best constant start, [channels]; tight."""
    return width(weights, codes, "centred")


def norms(weights: npt.ArrayLike) -> dict[str, Integers]:
    """Sums of magnitudes, [channels]: "l1", of positive "pos" and negative "neg"."""
    array, single = _channels(weights)
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        raise Error(
            f"weights from {int(array.min())} to {int(array.max())}; weights have "
            "at most 32 bits"
        )
    pos = np.where(array > 0, array, 0).sum(axis=1)
    neg = -np.where(array < 0, array, 0).sum(axis=1)
    result = {"l1": pos + neg, "pos": pos, "neg": neg}
    return {key: value[0] if single else value for key, value in result.items()}


def _intervals(weights: npt.ArrayLike, codes: Codes, prefix: bool) -> Integers:
    array, single = _channels(weights)
    lo, hi = code_range(codes)
    out = np.empty((array.shape[0], 2), np.int64)
    _core.intervals(array, lo, hi, prefix, out)
    return out[0] if single else out


def final_interval(weights: npt.ArrayLike, codes: Codes) -> Integers:
    """The smallest and the largest complete sum, [channels, 2]."""
    return _intervals(weights, codes, False)


def prefix_interval(weights: npt.ArrayLike, codes: Codes) -> Integers:
    """The smallest and the largest partial sum in any order, [channels, 2]."""
    return _intervals(weights, codes, True)


def witness(weights: npt.ArrayLike, codes: Codes, upper: bool = True) -> Integers:
    """Codes that reach the upper (or lower) end of the final interval.

    Shape [channels, K].
    """
    array, single = _channels(weights)
    lo, hi = code_range(codes)
    out = np.empty_like(array)
    _core.witnesses(array, lo, hi, bool(upper), out)
    return out[0] if single else out


def l1_budget(width: int, codes: Codes, bound: str = "a2q") -> int:
    """The largest l1 norm of integer weights that an accumulator allows.

    width: its bits, from 1 to 64.
    """
    lo, hi = code_range(codes)
    return int(
        _core.l1_budget(str(bound), natural(width, "width", 1, 64), lo, hi)
    )


def smallest_width(codes: Codes, bound: str = "exact") -> int:
    """The fewest bits that leave room for a weight of either sign."""
    lo, hi = code_range(codes)
    return _core.smallest_width(str(bound), lo, hi)
