# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the weights of one accumulator may be, in exact integers.

A *budget* is the largest l1 norm of the weights that share an accumulator, or
the largest sum of each sign. The conditions are those of a2q/Math/Budget.h.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Optional

BOUNDS = ("centred", "exact", "a2q", "a2q-plus")


@dataclass(frozen=True)
class Codes:
    """The integers [lo, hi] that an activation code can take; they hold 0."""

    lo: int
    hi: int

    def __post_init__(self):
        if not (self.lo <= 0 < self.hi):
            raise ValueError(
                f"codes in [{self.lo}, {self.hi}]: the range must hold 0 and a "
                "positive code"
            )

    @classmethod
    def of(cls, bits: int, signed: bool) -> "Codes":
        """All codes of a type: [0, 2**bits - 1] or [-2**(bits-1), 2**(bits-1) - 1]."""
        lowest = 2 if signed else 1
        if not lowest <= bits <= 16:
            raise ValueError(f"activations of {bits} bits, expected {lowest} to 16")
        if signed:
            return cls(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return cls(0, 2**bits - 1)

    @property
    def signed(self) -> bool:
        return self.lo < 0

    @property
    def bits(self) -> int:
        """Of the smallest integer type that holds them."""
        if self.signed:
            return max((-self.lo - 1).bit_length(), self.hi.bit_length()) + 1
        return self.hi.bit_length()


@dataclass(frozen=True)
class Accumulator:
    """What the weights of a layer are held to.

    width: bits of one accumulator.
    codes: what it is multiplied with.
    tile: terms that share an accumulator, in the order kernel row, kernel
        column, input channel; None: the whole reduction length.
    bound: the guarantee. `centred` allows the accumulator a start of its own,
        `exact` starts it at 0.
    image_channels: of the image that a linear layer reads flattened, channel by
        channel. The compiler keeps channels innermost, so its tiles run over the
        pixels first, as those of a kernel do.
    """

    width: int
    codes: Codes
    tile: Optional[int] = None
    bound: str = "centred"
    image_channels: Optional[int] = None

    def __post_init__(self):
        if self.bound not in BOUNDS:
            known = ", ".join(BOUNDS)
            raise ValueError(f"bound '{self.bound}' is unknown; there are {known}")
        if not 2 <= self.width <= 62:
            raise ValueError(f"accumulators of {self.width} bits, expected 2 to 62")
        if self.tile is not None and self.tile < 1:
            raise ValueError(f"tiles of {self.tile} terms, expected at least 1")
        pos, neg = self.sign_budgets()
        if max(pos, neg) < 1:
            codes = f"[{self.codes.lo}, {self.codes.hi}]"
            raise ValueError(
                f"no weight but 0 fits an accumulator of {self.width} bits with "
                f"codes in {codes} by the bound '{self.bound}'; widen the "
                "accumulator or take fewer activation bits"
            )

    @property
    def norm_limit(self) -> Fraction:
        """The largest l1 norm of real weights by the bound's own formula."""
        codes, width = self.codes, self.width
        if self.bound == "a2q":
            magnitude = 2 ** (codes.bits - codes.signed)
            return Fraction(2 ** (width - 1) - 1, magnitude)
        if self.bound == "a2q-plus":
            return Fraction(2**width - 2, 2**codes.bits - 1)
        if self.bound == "centred":
            return Fraction(2**width - 1, codes.hi - codes.lo)
        return Fraction(2 ** (width - 1) - 1, max(codes.hi, -codes.lo))

    @property
    def budget(self) -> Optional[int]:
        """The largest l1 norm of integers; None where each sign has its own."""
        return None if self._separates_signs() else int(self.norm_limit)

    def sign_budgets(self) -> tuple[int, int]:
        """The largest sums of positive and of negative weights."""
        if self.bound == "a2q-plus":
            half = int(self.norm_limit / 2)
            return half, half
        if self._separates_signs():
            # The positive side's for both: batch norm that is folded may turn
            # signs around.
            half = (2 ** (self.width - 1) - 1) // self.codes.hi
            return half, half
        budget = int(self.norm_limit)
        return budget, budget

    def _separates_signs(self) -> bool:
        """Signed codes share both conditions of `exact` between the signs; the
        l1 norm is held to the stricter one there."""
        if self.bound == "exact":
            return not self.codes.signed
        return self.bound == "a2q-plus"
