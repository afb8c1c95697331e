# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that fit an accumulator, on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from a2q import _core
from a2q._arrays import dense
from a2q._errors import Error
from a2q.bounds import Codes, Integers, code_range, natural

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Constrained:
    """integers: [channels, K]. scales: [channels], in units of the old scale of
    each channel; 1 where the method does not change it. `integers * scales` is
    what stands for the weights."""

    integers: Integers
    scales: Reals


def _real_channels(weights: npt.ArrayLike) -> tuple[Reals, bool]:
    array = np.asarray(weights)
    single = array.ndim == 1
    return dense(array[None] if single else array, np.float64, "weights", 2), single


def _moments(moments: npt.ArrayLike | None, length: int) -> Reals:
    if moments is None:
        return np.empty(0)
    array = dense(moments, np.float64, "moments", 1)
    if array.shape[0] != length:
        raise Error(f"moments: there are {array.shape[0]}, one for each of "
                    f"{length} weights is wanted")
    if not (np.isfinite(array) & (array >= 0)).all():
        raise Error("moments: are squares: finite and not negative")
    return array


def project(
    weights: npt.ArrayLike,
    width: int,
    codes: Codes,
    bound: str = "centred",
    tile: int = 0,
) -> Reals:
    """The nearest real weights whose sums fit, [channels, K].

    weights: [channels, K] in units of their scale. width: bits of an
    accumulator. codes: smallest and largest activation code. tile: products
    that share an accumulator, 0 for all of them.

    Rounding the result to nearest may leave the budget; `nearest_integers` does
    not.
    """
    array, single = _real_channels(weights)
    lo, hi = code_range(codes)
    out = array.copy()
    _core.project(
        out, natural(width, "width", 1, 64), lo, hi, str(bound), natural(tile, "tile")
    )
    return out[0] if single else out


def nearest_integers(
    weights: npt.ArrayLike,
    width: int,
    codes: Codes,
    weight_bits: int = 8,
    bound: str = "centred",
    tile: int = 0,
    moments: npt.ArrayLike | None = None,
) -> Integers:
    """The nearest integer weights whose sums fit, [channels, K].

    Arguments as for `project`. weight_bits: results are in narrow range, 4 bits
    are [-7, 7]. moments: [K], how much the error of each weight counts, such as
    the mean square of its activation.
    """
    array, single = _real_channels(weights)
    lo, hi = code_range(codes)
    out = np.empty(array.shape, np.int64)
    _core.nearest_integers(
        array,
        natural(width, "width", 1, 64),
        lo,
        hi,
        natural(weight_bits, "weight_bits", 2, 53),
        str(bound),
        natural(tile, "tile"),
        _moments(moments, array.shape[1]),
        out,
    )
    return out[0] if single else out


def constrain_weights(
    weights: npt.ArrayLike,
    width: int,
    codes: Codes,
    weight_bits: int = 8,
    method: str = "optimal",
    bound: str | None = None,
    tile: int = 0,
    moments: npt.ArrayLike | None = None,
) -> Constrained:
    """Integer weights whose sums fit, and their scales, by one of `methods()`.

    Arguments as for `nearest_integers`. bound: one of the method's, or None for
    its first. Methods with error feedback (optq, gpfq) need the activations of
    a network: `Model.constrain` with calibration data.
    """
    array, single = _real_channels(weights)
    lo, hi = code_range(codes)
    integers = np.empty(array.shape, np.int64)
    scales = np.empty(array.shape[0])
    _core.constrain_weights(
        array,
        natural(width, "width", 1, 64),
        lo,
        hi,
        natural(weight_bits, "weight_bits", 2, 53),
        str(method),
        "" if bound is None else str(bound),
        natural(tile, "tile"),
        _moments(moments, array.shape[1]),
        integers,
        scales,
    )
    if single:
        return Constrained(integers[0], scales)
    return Constrained(integers, scales)


def methods() -> tuple[str, ...]:
    """The names of the methods that constrain weights; docs/methods.md."""
    return tuple(_core.method_names())
