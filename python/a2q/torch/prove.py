# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The widths that a network's integers need, from the integers alone."""

from dataclasses import dataclass
from typing import Optional

import numpy as np
from torch import Tensor, nn

from a2q import bounds

from .budget import Codes
from .layers import check_finite, quantized_layers
from .projection import Terms
from .quantizers import ActivationQuantizer


@dataclass
class LayerProof:
    """Of one layer: what its accumulators need and what they have.

    required: bits by channel and tile [channels, tiles], from a centred start
        where the bound is `centred`, else from 0.
    width: bits of the accumulator; None where the layer has no constraint.
    """

    name: str
    codes: Codes
    required: np.ndarray
    width: Optional[int]
    sparsity: float

    @property
    def proven(self) -> bool:
        return self.width is None or int(self.required.max()) <= self.width

    def __str__(self):
        worst = np.unravel_index(self.required.argmax(), self.required.shape)
        needs = int(self.required.max())
        text = f"{self.name}: {needs} bits (channel {worst[0]}, tile {worst[1]})"
        if self.width is not None:
            verdict = "fits" if self.proven else "does not fit"
            text += f", {verdict} {self.width}"
        return f"{text}, {100 * self.sparsity:.0f} % zeros"


def prove(model: nn.Module) -> list[LayerProof]:
    """The proof of each quantized layer of a network, as trained so far: of the
    integers that `export` writes, batch norm folded in."""
    for name, module in model.named_modules():
        if isinstance(module, ActivationQuantizer):
            try:
                check_finite(module.scale(), "scales of activations")
            except ValueError as error:
                raise ValueError(f"layer '{name}': {error}") from error
    proofs = []
    for name, layer in quantized_layers(model).items():
        quantizer = layer.weight_quantizer
        held = quantizer.accumulator
        width, bound = (held.width, held.bound) if held else (None, "exact")
        proofs.append(
            proof_of(
                name,
                quantizer.terms,
                _exported_integers(name, layer),
                layer.input_codes,
                width,
                "centred" if bound == "centred" else "exact",
            )
        )
    return proofs


def _exported_integers(name, layer) -> Tensor:
    try:
        return layer.folded().weight
    except ValueError as error:
        raise ValueError(f"layer '{name}': {error}") from error


def proof_of(
    name: str,
    terms: Terms,
    weight: Tensor,
    codes: Codes,
    width: Optional[int],
    bound: str,
) -> LayerProof:
    """The proof of a layer's integers; every partial sum in any order fits."""
    rows = np.ascontiguousarray(terms.split(weight).cpu().numpy(), np.int64)
    required = bounds.width(rows, codes=(codes.lo, codes.hi), bound=bound)
    required = np.asarray(required).reshape(terms.channels, terms.tiles)
    return LayerProof(name, codes, required, width, float((weight == 0).float().mean()))
