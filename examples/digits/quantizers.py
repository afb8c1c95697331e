# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantizers for training: weights held to an accumulator budget, activations.

A weight quantizer keeps free float weights and one learned scale per output
channel. Its forward pass gives the integers that will be exported; gradients
go straight through the rounding and the projection, inside the clip. So the
accumulator guarantee holds at every step of training and at its end.
"""

import torch
from torch import nn


def round_straight_through(x):
    """Rounds half to even; the gradient is that of the identity."""
    return x + (torch.round(x) - x).detach()


def accumulator_budget(width, activation_max):
    """The largest l1 norm of a channel whose centred accumulator has `width`
    bits when the activation codes are in [0, activation_max]."""
    return (2**width - 1) // activation_max


def project_onto_budget(u, budget, limit):
    """The integers nearest to `u` (channels x K) with |q| <= limit and, in
    every channel, an l1 norm of at most `budget`.

    The error is separable and convex, so the greedy choice is exact: round,
    then take away the units that cost least until the budget holds. Level k of
    a weight (its k-th unit) costs 2 (|u| - k) + 1; of one weight the highest
    level is always the cheapest, so the units removed are the top ones.
    """
    q = torch.round(u).clamp(-limit, limit)
    magnitude = q.abs()
    excess = (magnitude.sum(1) - budget).clamp(min=0).long()
    if not excess.any():
        return q
    levels = torch.arange(1, limit + 1, device=u.device)
    cost = 2 * (u.abs().unsqueeze(2) - levels) + 1
    present = levels <= magnitude.unsqueeze(2)
    cost = torch.where(present, cost, torch.inf).flatten(1)
    order = torch.argsort(cost, dim=1, stable=True)
    rank = torch.argsort(order, dim=1)
    removed = (rank < excess.unsqueeze(1)).view(present.shape).sum(2)
    return q.sign() * (magnitude - removed)


class WeightQuantizer(nn.Module):
    """Narrow-range signed weights of `bits` bits, one scale per channel.

    budget: the largest l1 norm per channel, or None.
    """

    def __init__(self, weight, bits, budget=None):
        super().__init__()
        self.shape = weight.shape
        self.limit = 2 ** (bits - 1) - 1
        self.budget = budget
        self.weight = nn.Parameter(weight.detach().flatten(1).clone())
        self.log_scale = nn.Parameter(torch.log2(self._search_scale()))

    def _project(self, u):
        if self.budget is None:
            return torch.round(u).clamp(-self.limit, self.limit)
        return project_onto_budget(u, self.budget, self.limit)

    def _search_scale(self):
        """The scale whose integers, budget included, are nearest to the float
        weights. The error is not monotone in the scale: a grid, not a descent.
        """
        weight = self.weight.detach()
        base = weight.abs().amax(1, keepdim=True) / self.limit
        best_error = best_scale = None
        for factor in [0.3 * 1.1**i for i in range(40)]:
            scale = base * factor
            error = (self._project(weight / scale) * scale - weight).pow(2)
            error = error.sum(1, keepdim=True)
            if best_error is None:
                best_error, best_scale = error, scale
            better = error < best_error
            best_error = torch.where(better, error, best_error)
            best_scale = torch.where(better, scale, best_scale)
        return best_scale

    def scale(self):
        return 2**self.log_scale

    def integers(self):
        with torch.no_grad():
            q = self._project(self.weight / self.scale())
        return q.to(torch.int64).view(self.shape)

    def forward(self):
        u = (self.weight / self.scale()).clamp(-self.limit, self.limit)
        q = u + (self._project(u.detach()) - u).detach()
        return (q * self.scale()).view(self.shape)


class ActivationQuantizer(nn.Module):
    """Unsigned activations of `bits` bits. Saturation at 0 is the ReLU.

    The scale is a power of two, learned through its rounded logarithm.
    """

    def __init__(self, bits, sample):
        super().__init__()
        self.limit = 2**bits - 1
        top = torch.quantile(sample.flatten()[: 1 << 20], 0.999).clamp(min=1e-3)
        self.log_scale = nn.Parameter(torch.log2(top / self.limit))

    def scale(self):
        return 2 ** round_straight_through(self.log_scale)

    def forward(self, x):
        scale = self.scale()
        return round_straight_through((x / scale).clamp(0, self.limit)) * scale
