# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weight and activation quantizers for training.

A weight quantizer maps the real weights of a layer to `scale * integers`, one
scale for each output channel. Its integers meet their accumulator's budget in
every forward pass, hence after every step of an optimizer. Gradients go
straight through rounding and projection. Scales are learned through their
logarithm, with the gradient of LSQ (Esser et al. 2020, section 2.1): where the
clip does not act, the difference between integer and real weight. Modules of
bfloat16 or float16 find their integers in float32.

  projection            the integers nearest to the weights within the budget
  a2q, a2q-plus         weight normalization g * v / |v|_1, truncated toward
                        zero (Colbert et al. 2023 and 2024, arXiv 2308.13504 and
                        2401.10432); the second removes the mean
  centred-weight-norm   the same under the centred bound, mean kept
  top-b                 the B largest weights of a budget of B as +-1
"""

from dataclasses import replace
from typing import Optional

import torch
from torch import Tensor, nn

from .budget import Accumulator, Codes
from .projection import Terms, at_least_float32, hold

# The bound whose budget a method meets where the caller names none.
METHODS = {
    "projection": "centred",
    "a2q": "a2q",
    "a2q-plus": "a2q-plus",
    "centred-weight-norm": "centred",
    "top-b": "centred",
}
# The smallest scale, as a logarithm: weights of an empty channel have none.
_LEAST_LOG_SCALE = -40.0


def straight_through(x: Tensor, forward: Tensor) -> Tensor:
    """`forward` to the last bit, with the gradient of `x`."""
    return forward.detach() + (x - x.detach())


def _log_scale(scale: Tensor) -> nn.Parameter:
    return nn.Parameter(torch.log2(scale.clamp(min=2.0**_LEAST_LOG_SCALE)))


def _best_scale(rows, integers, channels, otherwise):
    """The scale of least squared error for given integers, by channel."""
    product = (rows * integers).reshape(channels, -1).sum(1, keepdim=True)
    norm = integers.square().reshape(channels, -1).sum(1, keepdim=True)
    usable = (product > 0) & (norm > 0)
    return torch.where(usable, product / norm.clamp(min=1), otherwise)


class WeightQuantizer(nn.Module):
    """The integers nearest to the weights: no accumulator, no budget.

    weight: real weights [channels, in, *kernel] from which the scales start.
    bits: of the integers, in narrow range: 4 bits are [-7, 7].
    """

    method = "none"

    def __init__(self, weight: Tensor, bits: int, accumulator=None):
        super().__init__()
        if not 2 <= bits <= 16:
            raise ValueError(f"weights of {bits} bits, expected 2 to 16")
        self.bits = bits
        self.limit = 2 ** (bits - 1) - 1
        self.accumulator: Optional[Accumulator] = accumulator
        tiling = (accumulator.tile, accumulator.image_channels) if accumulator else ()
        self.terms = Terms(weight.shape, *tiling)
        with torch.no_grad():
            scale = self._start(self._rows(weight.detach()))
        self.log_scale = _log_scale(scale)

    def extra_repr(self) -> str:
        held = self.accumulator
        if held is None:
            return f"{self.bits} bits"
        tile = f", tiles of {held.tile}" if held.tile else ""
        return (
            f"{self.method}, {self.bits} bits, accumulators of {held.width} "
            f"bits by the {held.bound} bound{tile}"
        )

    def forward(self, weight: Tensor) -> Tensor:
        """`scale * integers`, in the weights' shape and type."""
        scale = self._scale()
        q = self._forward_integers(self._in_units(weight, scale))
        return self.terms.join(self._scaled(q, scale)).to(weight.dtype)

    @torch.no_grad()
    def integers(self, weight: Tensor) -> Tensor:
        """What forward multiplies by the scale, int64, in the weights' shape."""
        q = self._nearest(self._in_units(weight, self._scale()))
        return self.terms.join(q).to(torch.int64)

    @torch.no_grad()
    def scale(self) -> Tensor:
        """[channels]"""
        return self._scale().flatten()

    def penalty(self, weight: Tensor) -> Tensor:
        """What the loss is charged where the budget cuts; 0 for most methods."""
        return self.log_scale.new_zeros(())

    # What subclasses replace.

    def _start(self, rows: Tensor) -> Tensor:
        """The first scales [channels, 1] for the rows of a layer's weights."""
        return self._search_scale(rows, None)

    def _forward_integers(self, u: Tensor) -> Tensor:
        """Integers for the rows in units of the scale, with gradients."""
        clipped = u.clamp(-self.limit, self.limit)
        return straight_through(clipped, self._nearest(u.detach()))

    def _nearest(self, u: Tensor) -> Tensor:
        return hold(u, self.accumulator, self.limit)

    # What they share.

    def _rows(self, weight):
        return self.terms.split(at_least_float32(weight))

    def _scale(self):
        return torch.exp2(at_least_float32(self.log_scale))

    def _by_tile(self, scale: Tensor) -> Tensor:
        """[channels, 1] -> [rows, 1]"""
        return scale.repeat_interleave(self.terms.tiles, 0)

    def _in_units(self, weight, scale):
        return self._rows(weight) / self._by_tile(scale)

    def _scaled(self, q, scale):
        return q * self._by_tile(scale)

    def _search_scale(self, rows, accumulator):
        """The scale whose integers, budget included, are nearest to the weights,
        for each channel. The error is not monotone in the scale: a grid, then a
        few turns of best integers for the scale and best scale for the
        integers."""
        channels = self.terms.channels
        largest = rows.abs().reshape(channels, -1).amax(1, keepdim=True)
        base = largest.clamp(min=2.0**_LEAST_LOG_SCALE) / self.limit
        best_error = torch.full_like(base, torch.inf)
        best_scale = base.clone()

        def consider(scale):
            q = hold(rows / self._by_tile(scale), accumulator, self.limit)
            error = (self._scaled(q, scale) - rows).square()
            error = error.reshape(channels, -1).sum(1, keepdim=True)
            better = error < best_error
            best_error[better], best_scale[better] = error[better], scale[better]
            return q

        # Up to where only the largest weight is left, as one unit.
        top = 1.9 * self.limit if accumulator else 1.1
        steps = 48 if accumulator else 24
        for step in range(steps):
            consider(base * 0.3 * (top / 0.3) ** (step / (steps - 1)))
        for _ in range(3):
            q = consider(best_scale.clone())
            consider(_best_scale(rows, q, channels, best_scale))
        return best_scale


class ProjectedWeights(WeightQuantizer):
    """The integers nearest to the weights within the budget, in every forward
    pass; scale and integers start together unless `scale_search` is off."""

    method = "projection"

    def __init__(self, weight, bits, accumulator, scale_search=True):
        self._searches = scale_search
        super().__init__(weight, bits, accumulator)

    def _start(self, rows):
        return self._search_scale(rows, self.accumulator if self._searches else None)


class LargestWeights(WeightQuantizer):
    """The baseline: of every tile the largest weights that the budget admits, as
    +-1 with a learned scale."""

    method = "top-b"

    def __init__(self, weight, bits, accumulator):
        if accumulator.budget is None:
            raise ValueError(
                "top-b needs a budget that both signs share; take the bound 'centred'"
            )
        super().__init__(weight, bits, accumulator)
        self.limit = 1

    def _start(self, rows):
        q = self._nearest(rows)
        channels = self.terms.channels
        mean = rows.abs().reshape(channels, -1).mean(1, keepdim=True)
        return _best_scale(rows, q, channels, mean)

    def _forward_integers(self, u):
        return straight_through(u.clamp(-1, 1), self._nearest(u.detach()))

    def _nearest(self, u):
        count = min(self.accumulator.budget, u.shape[1])
        largest = u.abs().topk(count, 1).indices
        ones = torch.zeros_like(u).scatter_(1, largest, 1.0)
        return ones * u.sign()


class NormalizedWeights(WeightQuantizer):
    """Weight normalization: rows `g * v / |v|_1` with `g` at most what the budget
    allows, truncated toward zero. The layer's weight is `v`; it starts as the
    Euclidean projection onto the budget (EP-init)."""

    method = "a2q"

    def __init__(self, weight, bits, accumulator):
        super().__init__(weight, bits, accumulator)
        rows = self._direction(self._rows(self.start_weight(weight)))
        norm = rows.abs().sum(1, keepdim=True)
        self.log_norm = _log_scale(norm)

    @torch.no_grad()
    def start_weight(self, weight: Tensor) -> Tensor:
        """The `v` from which training starts, for real weights."""
        rows = self._direction(self._rows(weight.detach()))
        radius = self._by_tile(self._scale()) * self._limit()
        return self.terms.join(_project_onto_l1_ball(rows, radius))

    def penalty(self, weight):
        scale = self._by_tile(self._scale())
        return (self._norm() - scale * self._limit()).relu().sum()

    def _norm(self):
        return torch.exp2(at_least_float32(self.log_norm))

    def _limit(self) -> float:
        return float(self.accumulator.norm_limit)

    def _direction(self, rows):
        return rows

    def _in_units(self, weight, scale):
        v = self._direction(self._rows(weight))
        norm = v.abs().sum(1, keepdim=True)
        norm = torch.where(norm > 0, norm, torch.ones_like(norm))
        g = self._norm() / self._by_tile(scale)
        return v / norm * g.clamp(max=self._limit())

    def _forward_integers(self, u):
        return straight_through(u, self._nearest(u.detach()))

    def _nearest(self, u):
        # Norms are float: what they let through by rounding is taken off here.
        truncated = u.trunc().clamp_(-self.limit, self.limit)
        return hold(truncated, self.accumulator, self.limit)


class ZeroCentredWeights(NormalizedWeights):
    """Weight normalization of rows without their mean."""

    method = "a2q-plus"

    def _direction(self, rows):
        if not self.terms.padding:
            return rows - rows.mean(1, keepdim=True)
        # Terms that only fill the last tile stay 0 and do not count.
        present = self.terms.split(torch.ones(self.terms.shape, device=rows.device))
        mean = rows.sum(1, keepdim=True) / present.sum(1, keepdim=True)
        return (rows - mean) * present


class CentredNormalizedWeights(NormalizedWeights):
    method = "centred-weight-norm"


def _project_onto_l1_ball(rows, radius):
    """The nearest rows with an l1 norm of at most `radius` (Duchi et al. 2008)."""
    magnitude = rows.abs()
    descending = magnitude.sort(1, descending=True).values
    count = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    threshold = (descending.cumsum(1) - radius) / count
    last = (descending > threshold).sum(1, keepdim=True).clamp(min=1)
    threshold = threshold.gather(1, last - 1).clamp(min=0)
    projected = rows.sign() * (magnitude - threshold).clamp(min=0)
    inside = magnitude.sum(1, keepdim=True) <= radius
    return torch.where(inside, rows, projected)


_CLASSES = {
    kind.method: kind
    for kind in (
        ProjectedWeights,
        NormalizedWeights,
        ZeroCentredWeights,
        CentredNormalizedWeights,
        LargestWeights,
    )
}


def weight_quantizer(
    weight: Tensor,
    bits: int,
    accumulator: Optional[Accumulator] = None,
    method: str = "projection",
    **options,
) -> WeightQuantizer:
    """The quantizer of a method by name; without an accumulator the plain one."""
    if method not in METHODS:
        raise ValueError(f"method '{method}' is unknown; there are {', '.join(METHODS)}")
    known = ("scale_search",) if method == "projection" else ()
    for name in options:
        if name not in known:
            raise TypeError(f"method '{method}' has no option '{name}'")
    if accumulator is None:
        return WeightQuantizer(weight, bits)
    fixed = METHODS[method]
    if method in ("a2q", "a2q-plus", "centred-weight-norm"):
        accumulator = replace(accumulator, bound=fixed)
    return _CLASSES[method](weight, bits, accumulator, **options)


class ActivationQuantizer(nn.Module):
    """Activations as `scale * code`, one learned scale for the tensor (LSQ).

    Unsigned codes saturate at 0: after a ReLU nothing is lost. The scale starts
    from the first tensor seen in training, or by `start`.
    """

    def __init__(self, bits: int, signed: bool = False):
        super().__init__()
        self.codes = Codes.of(bits, signed)
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.register_buffer("started", torch.tensor(False))

    def extra_repr(self) -> str:
        return f"codes [{self.codes.lo}, {self.codes.hi}]"

    @torch.no_grad()
    def start(self, sample: Tensor) -> None:
        """Takes the scale of least squared error on `sample`."""
        values = sample.detach().flatten().float()
        if values.numel() > 1 << 18:
            values = values[:: values.numel() // (1 << 17)]
        if not torch.isfinite(values).all():
            raise ValueError("activations are not finite; a scale cannot start from them")
        largest = values.abs().max().clamp(min=1e-6)
        best_error, best = None, largest
        for step in range(40):
            scale = largest / self.codes.hi * 0.05 * 22 ** (step / 39)
            code = (values / scale).round().clamp(self.codes.lo, self.codes.hi)
            error = (code * scale - values).square().mean()
            if best_error is None or error < best_error:
                best_error, best = error, scale
        self.log_scale.copy_(torch.log2(best))
        self.started.fill_(True)

    @torch.no_grad()
    def scale(self) -> Tensor:
        return torch.exp2(self.log_scale)

    def forward(self, x: Tensor) -> Tensor:
        if not self.started:
            if not self.training:
                raise RuntimeError(
                    "an activation quantizer has no scale yet; run the network once "
                    "in training mode, or give prepare() a sample"
                )
            self.start(x)
        scale = torch.exp2(self.log_scale)
        u = (x / scale).clamp(self.codes.lo, self.codes.hi)
        return straight_through(u, u.detach().round()) * scale
