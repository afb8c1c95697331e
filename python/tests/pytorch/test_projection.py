# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Budgets and the projection onto them, beside slow references."""

import itertools

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

import torch

import a2q
from a2q.torch import Accumulator, Codes, nearest_integers
from a2q.torch.projection import Terms, hold


def greedy(u, budget, limit):
    """Takes the cheapest unit off, one by one, in float64."""
    u = np.asarray(u, np.float64)
    q = np.clip(np.rint(np.abs(u)), 0, limit)
    while q.sum() > budget:
        cost = np.where(q > 0, 2 * (np.abs(u) - q) + 1, np.inf)
        q[cost.argmin()] -= 1
    return np.sign(u) * q


def error(u, q):
    return float(((np.asarray(u, np.float64) - np.asarray(q, np.float64)) ** 2).sum())


@pytest.mark.parametrize("limit", [1, 7, 127])
@pytest.mark.parametrize("budget", [0, 1, 17, 60, 1000])
def test_nearest_integers_are_those_of_the_greedy_choice(budget, limit):
    u = np.random.RandomState(budget + limit).laplace(size=(9, 41)) * 2.5
    u = u.astype(np.float32)
    q = nearest_integers(torch.tensor(u), budget, limit).numpy()
    for row, integers in zip(u, q):
        assert np.array_equal(integers, np.rint(integers))
        assert np.abs(integers).sum() <= budget and np.abs(integers).max() <= limit
        expected = error(row, greedy(row, budget, limit))
        assert error(row, integers) == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_no_integers_are_nearer():
    random = np.random.RandomState(3)
    grid = [np.array(q) for q in itertools.product(range(-3, 4), repeat=4)]
    for _ in range(40):
        u = random.normal(size=4).astype(np.float32) * 2
        q = nearest_integers(torch.tensor(u[None]), 4, 3)[0].numpy()
        best = min(error(u, g) for g in grid if np.abs(g).sum() <= 4)
        assert error(u, q) == pytest.approx(best, abs=1e-5)


def test_the_budget_is_used_among_equal_weights():
    u = torch.full((2, 50), 1.3)
    u[1] *= -1
    q = nearest_integers(u, 17, 7)
    assert q[0].sum() == 17 and q[1].sum() == -17


def test_rows_within_the_budget_are_rounded():
    u = torch.tensor([[2.4, -1.6, 0.2], [7.0, 7.0, 7.0]])
    assert nearest_integers(u, 4, 7).tolist()[0] == [2, -2, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused(bad):
    u = torch.zeros(3, 5)
    u[1, 2] = bad
    with pytest.raises(ValueError, match="row 1 are not finite"):
        nearest_integers(u, 4, 7)


@pytest.mark.parametrize("width, bits, terms", [(27, 2, 4000), (27, 3, 1501)])
def test_norms_that_no_float32_counts_are_held(width, bits, terms):
    accumulator = Accumulator(width, Codes.of(bits, False))
    assert accumulator.budget > 1 << 24
    limit = 2**15 - 1
    u = torch.randn(16, terms, generator=torch.Generator().manual_seed(1)) * limit * 2
    norms = hold(u, accumulator, limit).to(torch.int64).abs().sum(1)
    assert (norms == accumulator.budget).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bound", ["centred", "exact"])
def test_narrow_floats_are_held(dtype, bound):
    accumulator = Accumulator(16, Codes.of(4, False), bound=bound)
    u = torch.randn(8, 1024, generator=torch.Generator().manual_seed(2)).to(dtype) * 90
    q = hold(u, accumulator, 2**11 - 1)
    assert torch.equal(q, hold(u.float(), accumulator, 2**11 - 1))
    positive, negative = accumulator.sign_budgets()
    norms = q.to(torch.int64).abs().sum(1)
    assert (norms <= (accumulator.budget or positive + negative)).all()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bound", ["centred", "exact", "a2q", "a2q-plus"])
@pytest.mark.parametrize("width", [8, 11, 13])
def test_held_integers_fit_and_use_the_width(bound, width, signed):
    codes = Codes.of(4, signed)
    accumulator = Accumulator(width, codes, bound=bound)
    u = torch.tensor(np.random.RandomState(width).normal(size=(20, 900)) * 3)
    q = hold(u, accumulator, 7).numpy().astype(np.int64)
    guarantee = "centred" if bound == "centred" else "exact"
    needed = a2q.bounds.width(q, (codes.lo, codes.hi), guarantee)
    assert needed.max() <= width
    if bound in ("centred", "exact"):
        assert needed.min() == width


def test_budgets_are_those_of_the_library():
    for width in range(5, 33):
        for codes in (Codes.of(4, False), Codes.of(8, False), Codes.of(4, True)):
            try:
                budget = Accumulator(width, codes).budget
            except ValueError:
                budget = 0
            known = a2q.bounds.l1_budget(width, (codes.lo, codes.hi), "centred")
            assert budget == known


def test_the_distance_is_that_of_the_library():
    u = np.random.RandomState(5).laplace(size=(16, 300)).astype(np.float32) * 3
    ours = hold(torch.tensor(u), Accumulator(9, Codes.of(4, False)), 7).numpy()
    theirs = a2q.nearest_integers(u, 9, (0, 15), weight_bits=4)
    for row, q, other in zip(u, ours, theirs):
        assert error(row, q) == pytest.approx(error(row, other), rel=1e-6)


def test_tiles_follow_kernel_positions_and_each_meets_the_budget():
    weight = torch.arange(2 * 3 * 4.0).reshape(2, 3, 2, 2)
    terms = Terms(weight.shape, 5)
    rows = terms.split(weight)
    # Kernel position (0, 0) of the three input channels, then (0, 1).
    assert rows[0].tolist() == [0, 4, 8, 1, 5]
    assert rows.shape == (2 * 3, 5) and rows[2].tolist() == [7, 11, 0, 0, 0]
    assert torch.equal(terms.join(rows), weight)
    held = hold(rows, Accumulator(8, Codes.of(4, False), 5), 7)
    assert held.abs().sum(1).max() == 17


def test_tiles_of_a_flattened_image_follow_its_pixels():
    # Three channels of four pixels.
    weight = torch.arange(12.0).reshape(1, 12)
    terms = Terms(weight.shape, 6, image_channels=3)
    rows = terms.split(weight)
    assert rows[0].tolist() == [0, 4, 8, 1, 5, 9]
    assert torch.equal(terms.join(rows), weight)
    with pytest.raises(ValueError, match="do not read an image of 5 channels"):
        Terms(weight.shape, 6, image_channels=5)


def test_a_width_without_weights_is_refused():
    with pytest.raises(ValueError, match="no weight but 0 fits an accumulator of 3"):
        Accumulator(3, Codes.of(4, False))
    Accumulator(4, Codes.of(4, False))
    with pytest.raises(ValueError, match="bound 'cntred' is unknown"):
        Accumulator(8, Codes.of(4, False), bound="cntred")
