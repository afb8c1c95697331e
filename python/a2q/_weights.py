# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that fit an accumulator, on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from a2q import _core
from a2q._arrays import as_array, dense
from a2q._errors import Error
from a2q.bounds import Codes, Integers, code_range, natural

#: Leaves 21 bits of a float64 to fractions.
_LARGEST_WEIGHT = 2.0**32

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Constrained:
    """integers: [channels, K]. scales: [channels], in units of the old scale of
    each channel; 1 where the method does not change it. `integers * scales` is
    what stands for the weights."""

    integers: Integers
    scales: Reals


@dataclass(frozen=True)
class _Problem:
    """Arguments that the functions below share, checked.

    weights: [channels, K]; `single` where they came as [K].
    """

    weights: Reals
    single: bool
    width: int
    codes: Codes
    tile: int

    @classmethod
    def of(
        cls, weights: npt.ArrayLike, width: int, codes: Codes, tile: int
    ) -> _Problem:
        array = as_array(weights, "weights")
        single = array.ndim == 1
        return cls(
            dense(array[None] if single else array, np.float64, "weights", 2),
            single,
            natural(width, "width", 1, 64),
            code_range(codes),
            natural(tile, "tile"),
        )

    @property
    def length(self) -> int:
        return int(self.weights.shape[1])

    def give(self, result: Any) -> Any:
        """One channel where one was given."""
        return result[0] if self.single else result


def _moments(moments: npt.ArrayLike | None, length: int) -> Reals:
    """One for each weight; none for equal ones."""
    if moments is None:
        return np.empty(0)
    array = dense(moments, np.float64, "moments", 1)
    if array.shape[0] != length:
        raise Error(f"moments: there are {array.shape[0]}, one for each of "
                    f"{length} weights is wanted")
    if not (np.isfinite(array) & (array >= 0)).all():
        raise Error("moments: are squares: finite and not negative")
    return array


def _products(moments: npt.ArrayLike | None, length: int) -> Reals | None:
    """Moments that are all products, [K, K]; None where they are not."""
    if moments is None or as_array(moments, "moments").ndim != 2:
        return None
    array = dense(moments, np.float64, "moments", 2)
    if array.shape != (length, length):
        raise Error(f"moments: have shape {list(array.shape)}, for {length} weights "
                    f"[{length}] or [{length}, {length}] is wanted")
    if not np.isfinite(array).all():
        raise Error("moments: are products: finite")
    if not np.allclose(array, array.T, rtol=1e-6, atol=0):
        raise Error("moments: products are the same both ways: a symmetric array")
    return array


def _check_magnitude(weights: Reals) -> None:
    """Differences between weights in units of their scale lose their fractions
    where float64 does."""
    largest = float(np.abs(weights).max(initial=0))
    if np.isfinite(largest) and largest > _LARGEST_WEIGHT:
        raise Error(
            f"a weight has the magnitude {largest:g}; weights in units of their "
            f"scale are at most {_LARGEST_WEIGHT:g}\nnote: divide them by a scale"
        )


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
    given = _Problem.of(weights, width, codes, tile)
    _check_magnitude(given.weights)
    out = given.weights.copy()
    _core.project(out, given.width, *given.codes, str(bound), given.tile)
    return cast(Reals, given.give(out))


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
    given = _Problem.of(weights, width, codes, tile)
    _check_magnitude(given.weights)
    out = np.empty(given.weights.shape, np.int64)
    _core.nearest_integers(
        given.weights,
        given.width,
        *given.codes,
        natural(weight_bits, "weight_bits", 2, 53),
        str(bound),
        given.tile,
        _moments(moments, given.length),
        out,
    )
    return cast(Integers, given.give(out))


def constrain_weights(
    weights: npt.ArrayLike,
    width: int,
    codes: Codes,
    weight_bits: int = 8,
    method: str = "optimal",
    bound: str | None = None,
    tile: int = 0,
    moments: npt.ArrayLike | None = None,
    samples: int | None = None,
) -> Constrained:
    """Integer weights whose sums fit, and their scales, by one of `methods()`.

    Arguments as for `nearest_integers`. bound: one of the method's, or None for
    its first. moments: [K], or all products of the activations that a sum
    multiplies, E[x x^T], [K, K], which methods with error feedback need; x are
    differences from the zero point, in units of codes. samples: how many vectors
    x the products are the mean of; None where there were plenty.
    """
    given = _Problem.of(weights, width, codes, tile)
    products = _products(moments, given.length)
    # At least twice as many as weights are plenty.
    count = 2 * max(given.length, 1) if samples is None else samples
    integers = np.empty(given.weights.shape, np.int64)
    scales = np.empty(len(given.weights))
    _core.constrain_weights(
        given.weights,
        given.width,
        *given.codes,
        natural(weight_bits, "weight_bits", 2, 53),
        str(method),
        "" if bound is None else str(bound),
        given.tile,
        _moments(moments if products is None else None, given.length),
        np.empty((0, 0)) if products is None else products,
        natural(count, "samples", 1),
        integers,
        scales,
    )
    return Constrained(given.give(integers), scales)


def methods() -> tuple[str, ...]:
    """The names of the methods that constrain weights; docs/methods.md."""
    return tuple(_core.method_names())
