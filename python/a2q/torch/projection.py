# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The integers nearest to real weights within a budget, on tensors.

The method is that of a2q/Math/IntegerProjection.h: round, then take away the
units that cost least. Unit k of a weight u costs `2 (|u| - k) + 1`, so for a
threshold t the units that stay are those with `|u| - k + 1/2 > t`, and a weight
keeps `ceil(|u| - 1/2 - t)` of them. The smallest t that meets the budget is
found by bisection for all channels at once: passes over the weights and no
sort, on any device.

Norms are exact whatever the type of the weights: bfloat16 and float16 are
computed with as float32, and sums that a float32 cannot count are int64.
"""

import math
from typing import Optional, Union

import torch
from torch import Tensor

from .budget import Accumulator

# Up to where a float32 holds every integer.
_FLOAT_COUNTS = 1 << 24
# Halvings after which a threshold is known to the last bit of a float32.
_HALVINGS = 40


def at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _norms(q, limit):
    """The sums [rows, 1] of integers in [0, limit], exactly."""
    fits = q.shape[1] * limit < _FLOAT_COUNTS
    return q.sum(1, keepdim=True, dtype=q.dtype if fits else torch.int64)


def nearest_integers(u: Tensor, budget: Union[int, Tensor], limit: int) -> Tensor:
    """The integers |q| <= limit nearest to `u` [rows, terms] whose l1 norm is at
    most `budget` (one number, or [rows, 1]) in each row; of u's dtype, or float32
    where that is narrower.

    Units that cost the same go in order of their index. Rejects what is not
    finite.
    """
    u = at_least_float32(u)
    if isinstance(budget, Tensor):
        budget = budget.to(torch.int64)
    magnitude = u.abs()
    finite = torch.isfinite(magnitude.sum(1))
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise ValueError(f"weights of row {row} are not finite; training diverged")
    q = magnitude.round().clamp_(max=limit)
    over = _norms(q, limit) > budget
    if over.any():
        reduced = _largest_units(magnitude, budget, limit, over)
        q = torch.where(over, torch.minimum(reduced, q), q)
    return torch.copysign(q, u)


def _largest_units(magnitude, budget, limit, over):
    """The units of largest `magnitude - k`, as many as the budget allows."""
    shifted = magnitude - 0.5
    on_cpu = magnitude.device.type == "cpu"

    def kept(threshold):
        return (shifted - threshold).ceil_().clamp_(0, limit)

    # `high` always meets the budget, `low` never does.
    high = magnitude.amax(1, keepdim=True)
    low = torch.zeros_like(high)
    count = _norms(kept(high), limit)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        units = _norms(kept(middle), limit)
        fits = units <= budget
        high = torch.where(fits, middle, high)
        low = torch.where(fits, low, middle)
        count = torch.where(fits, units, count)
        # Elsewhere looking costs more than going on.
        if on_cpu and ((count == budget) | ~over).all():
            return kept(high)
    # What is left are ties: units that no float32 tells apart.
    q = kept(high)
    tied = kept(low) > q
    spare = budget - _norms(q, limit)
    return q + (tied & (tied.cumsum(1, dtype=torch.int64) <= spare))


class Terms:
    """Weights [channels, in, *kernel] as rows of terms that share an
    accumulator: kernel position first, then input channel, cut into tiles. The
    last tile of a channel is filled with zeros.

    image_channels: weights are [channels, image_channels * positions], of a
        flattened image, whose positions are what kernel positions are.
    """

    def __init__(self, shape, tile=None, image_channels=None):
        self.shape = tuple(shape)
        self.channels = self.shape[0]
        self.length = math.prod(self.shape[1:])
        self.kernel = self.shape
        if image_channels is not None:
            if len(self.shape) != 2 or self.length % image_channels:
                raise ValueError(
                    f"weights of shape {list(self.shape)} do not read an image of "
                    f"{image_channels} channels"
                )
            self.kernel = (self.channels, image_channels, -1)
        self.tile = min(tile or self.length, self.length)
        self.tiles = -(-self.length // self.tile)
        self.padding = self.tiles * self.tile - self.length

    def split(self, weight: Tensor) -> Tensor:
        """[channels * tiles, terms of a tile]"""
        rows = weight.reshape(self.kernel).movedim(1, -1)
        rows = rows.reshape(self.channels, self.length)
        if self.padding:
            rows = torch.nn.functional.pad(rows, (0, self.padding))
        return rows.reshape(-1, self.tile)

    def join(self, rows: Tensor) -> Tensor:
        """What `split` took apart."""
        rows = rows.reshape(self.channels, -1)[:, : self.length]
        order = (self.channels, *self.kernel[2:], self.kernel[1])
        return rows.reshape(order).movedim(-1, 1).reshape(self.shape)


def hold(u: Tensor, accumulator: Optional[Accumulator], limit: int) -> Tensor:
    """The integers nearest to `u` [rows, terms] that each row's accumulator can
    take; without an accumulator the nearest ones."""
    if accumulator is None:
        return at_least_float32(u).round().clamp_(-limit, limit)
    if accumulator.budget is not None:
        return nearest_integers(u, accumulator.budget, limit)
    pos, neg = accumulator.sign_budgets()
    positive = nearest_integers(u.clamp(min=0), pos, limit)
    return positive + nearest_integers(u.clamp(max=0), neg, limit)
