# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bounds and projections on arrays, against brute force over small cases."""

import doctest
import itertools

import numpy as np
import pytest

import a2q
from a2q import bounds

RNG = np.random.default_rng(7)


def partial_sums(weights, lo, hi):
    """All sums of all subsets, by brute force over codes."""
    sums = set()
    for codes in itertools.product(range(lo, hi + 1), repeat=len(weights)):
        for chosen in itertools.product((0, 1), repeat=len(weights)):
            sums.add(sum(w * x * c for w, x, c in zip(weights, codes, chosen)))
    return min(sums), max(sums)


def signed_width(lo, hi):
    return next(p for p in range(1, 65) if -(2 ** (p - 1)) <= lo and hi < 2 ** (p - 1))


def test_documented_examples():
    failures, count = doctest.testmod(bounds)
    assert count > 5 and failures == 0


@pytest.mark.parametrize("codes", [(0, 3), (-2, 1), (1, 3)])
def test_widths_are_tight(codes):
    weights = RNG.integers(-3, 4, (12, 3))
    interval = bounds.prefix_interval(weights, codes)
    exact = bounds.exact_width(weights, codes)
    centred = bounds.centred_width(weights, codes)
    for row, (lo, hi), wide, narrow in zip(weights, interval, exact, centred):
        assert (lo, hi) == partial_sums(row, *codes)
        assert wide == signed_width(lo, hi)
        assert narrow == max(1, int(hi - lo).bit_length())


def test_bounds_are_in_order():
    weights = RNG.integers(-7, 8, (50, 40))
    widths = bounds.widths(weights, (0, 15))
    assert list(widths) == list(bounds.BOUNDS)
    assert (widths["centred"] <= widths["exact"]).all()
    assert (widths["exact"] <= widths["a2q-plus"]).all()
    assert (widths["exact"] <= widths["a2q"]).all()
    assert (widths["a2q"] <= widths["datatype"]).all()
    assert bounds.datatype_width(weights, (0, 15), weight_bits=4)[0] == 14


def test_witnesses_reach_the_ends():
    weights = RNG.integers(-7, 8, (20, 9))
    ends = bounds.final_interval(weights, (-8, 7))
    low = (weights * bounds.witness(weights, (-8, 7), upper=False)).sum(1)
    high = (weights * bounds.witness(weights, (-8, 7))).sum(1)
    assert np.array_equal(np.stack([low, high], 1), ends)


def test_one_channel_has_no_dimension():
    row = np.array([5, -3, 2, 6])
    assert bounds.exact_width(row, (0, 15)) == 9
    assert bounds.final_interval(row, (0, 15)).shape == (2,)
    assert a2q.project(row, 8, (0, 15)).shape == (4,)
    assert bounds.norms(row) == {"l1": 16, "pos": 13, "neg": 3}


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_integers_of_any_type(dtype):
    weights = np.array([[1, 2, 100]], dtype)
    assert bounds.exact_width(weights, (0, 255)).tolist() == [16]
    assert bounds.exact_width(weights[:, ::-1], (0, 255)).tolist() == [16]


@pytest.mark.parametrize("bound", ["a2q", "a2q-plus", "exact", "centred"])
@pytest.mark.parametrize("tile", [0, 16, 100])
def test_constrained_weights_fit(bound, tile):
    weights = RNG.normal(0, 3, (8, 70))
    found = a2q.nearest_integers(weights, 10, (0, 15), bound=bound, tile=tile)
    tiles = [found] if not tile else np.split(found, range(tile, 70, tile), axis=1)
    for part in tiles:
        assert (bounds.width(part, (0, 15), bound) <= 10).all()
    assert (bounds.width(found, (0, 15), bound) > 8).any()


def test_nearest_integers_are_nearest():
    """Nothing that fits is nearer, over all small integers."""
    weights = np.array([2.6, -1.4, 0.8, 0.3])
    found = a2q.nearest_integers(weights, 4, (0, 3), bound="a2q")
    budget = bounds.l1_budget(4, (0, 3), "a2q")
    best = min(
        (np.square(np.array(q) - weights).sum(), q)
        for q in itertools.product(range(-3, 4), repeat=4)
        if np.abs(q).sum() <= budget
    )
    assert np.square(found - weights).sum() == pytest.approx(best[0])
    assert np.abs(found).sum() <= budget


def test_moments_say_what_counts():
    weights = np.array([[1.4, 1.4]])
    for counts, index in (([9, 1], 0), ([1, 9], 1)):
        found = a2q.nearest_integers(weights, 2, (0, 1), bound="exact", moments=counts)
        assert found[0, index] == 1 and found[0, 1 - index] == 0


def test_project_is_the_nearest_point():
    weights = RNG.normal(0, 2, (6, 30))
    near = a2q.project(weights, 7, (0, 3))
    radius = (2**7 - 1) / 3
    assert (np.abs(near).sum(1) <= radius + 1e-9).all()
    inside = near * 0.5
    assert (
        np.square(near - weights).sum(1) <= np.square(inside - weights).sum(1)
    ).all()
    assert np.array_equal(a2q.project(inside, 7, (0, 3)), inside)


@pytest.mark.parametrize(
    "method", [m for m in a2q.methods() if not m.startswith(("optq", "gpfq"))]
)
def test_methods(method):
    weights = RNG.normal(0, 2, (5, 64))
    result = a2q.constrain_weights(weights, 9, (0, 15), weight_bits=4, method=method)
    assert result.integers.shape == weights.shape and result.scales.shape == (5,)
    assert np.abs(result.integers).max() <= 7
    assert (bounds.centred_width(result.integers, (0, 15)) <= 9).all()


def test_methods_that_need_a_network():
    for method in ("optq", "gpfq"):
        with pytest.raises(a2q.Error, match="moments"):
            a2q.constrain_weights(np.ones((2, 4)), 9, (0, 15), method=method)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bounds.width([[1.5]], (0, 15)), "round them"),
        (lambda: bounds.width([[1]], (5, 3)), "is empty"),
        (lambda: bounds.width([[1]], (0, 2**40)), "more than 32 bits"),
        (lambda: bounds.width([[1]], 15), "smallest and the largest code"),
        (lambda: bounds.width([[1]], (0, 1.5)), "takes an integer"),
        (lambda: bounds.width([[2**40]], (0, 15)), "at most 32 bits"),
        (lambda: bounds.width([[2**64]], (0, 15)), "weights"),
        (lambda: bounds.width([[1]], (0, 15), "tight"), "unknown bound 'tight'"),
        (lambda: bounds.width([[[1]]], (0, 15)), "2 dimensions"),
        (lambda: bounds.l1_budget(0, (0, 15)), "from 1 to 64"),
        (lambda: a2q.project([[np.nan]], 8, (0, 15)), "weight 0 is nan"),
        (lambda: a2q.project([["a"]], 8, (0, 15)), "cannot hold exactly"),
        (lambda: a2q.project([[1.0]], 8, (0, 15), tile=-1), "from 0"),
        (
            lambda: a2q.nearest_integers([[3.0]], 3, (0, 15)),
            "the narrowest accumulator is 4 bits",
        ),
        (
            lambda: a2q.constrain_weights([[3.0]], 3, (0, 15)),
            "the narrowest accumulator is 4 bits",
        ),
        (
            lambda: a2q.constrain_weights([[3.0]], 8, (0, 15), method="best"),
            "expected one of a2q, a2q-plus",
        ),
        (
            lambda: a2q.constrain_weights([[3.0]], 8, (0, 15), "4"),
            "weight_bits is '4'",
        ),
        (
            lambda: a2q.nearest_integers([[1.0, 2]], 8, (0, 15), moments=[1]),
            "one for each of 2",
        ),
        (
            lambda: a2q.nearest_integers([[1.0]], 8, (0, 15), moments=[-1]),
            "not negative",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(a2q.Error, match=message):
        call()


def test_empty_arrays():
    assert bounds.width(np.zeros((0, 5), int), (0, 15)).shape == (0,)
    assert bounds.width(np.zeros((2, 0), int), (0, 15)).tolist() == [1, 1]
    assert a2q.project(np.zeros((0, 5)), 8, (0, 15)).shape == (0, 5)
    assert a2q.nearest_integers(np.zeros((2, 0)), 8, (0, 15)).shape == (2, 0)


def test_sums_beyond_int64_are_refused():
    weights = np.array([[0, 0], [-(2**31), -(2**31)]])
    with pytest.raises(a2q.Error, match="the sums of channel 1 do not fit int64"):
        bounds.final_interval(weights, (0, 2**32 - 1))


def test_large_weights_are_refused():
    with pytest.raises(a2q.Error, match="at most 4.29497e"):
        a2q.project([[1e16, 1e16]], 8, (0, 15))
    with pytest.raises(a2q.Error, match="at most 4.29497e"):
        a2q.nearest_integers([[1e17, 1.0]], 8, (0, 15))
    with pytest.raises(a2q.Error, match="at most 32 bits"):
        a2q.bounds.norms([[2**62] * 3])
    with pytest.raises(a2q.Error, match="at most 32 bits"):
        a2q.bounds.norms([[-(2**63), 0]])
    with pytest.raises(a2q.Error, match="do not fit weight_bits of 2; they need 8"):
        a2q.bounds.width([[-100] * 100], (0, 255), "datatype", weight_bits=2)


def test_the_default_type_is_the_smallest():
    smallest = a2q.bounds.width([[-128]], (0, 15), "datatype")
    assert smallest == a2q.bounds.width([[-128]], (0, 15), "datatype", weight_bits=8)
