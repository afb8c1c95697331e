# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The integers of networks that Brevitas trains, as they are.

    layers = a2q.torch.brevitas.layers(model, images)
    for proof in a2q.torch.brevitas.prove(model, images):
        print(proof)
"""

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor, nn

from .budget import Codes
from .prepare import Sample, _arguments
from .projection import Terms
from .prove import LayerProof, proof_of


@dataclass
class BrevitasLayer:
    """weight: int64, in units of `scale` [channels]. codes: what it reads."""

    name: str
    weight: Tensor
    scale: Tensor
    bias: Optional[Tensor]
    codes: Codes


@torch.no_grad()
def layers(model: nn.Module, sample: Sample) -> list[BrevitasLayer]:
    """The convolutions and linear layers of a Brevitas model.

    sample: inputs of the model, for weight quantizers that know what the layer
        reads (those of A2Q do) and for the codes themselves.
    """
    kind = _layer_class()
    found = {n: m for n, m in model.named_modules() if isinstance(m, kind)}
    if not found:
        raise ValueError("the model has no quantized layer of Brevitas")
    read = {}

    def recorder(name):
        def record(_, arguments):
            read[name] = arguments[0]

        return record

    hooks = [m.register_forward_pre_hook(recorder(n)) for n, m in found.items()]
    training = {module: module.training for module in model.modules()}
    try:
        model.eval()
        model(*_arguments(sample))
        return [_convert(n, m, read[n]) for n, m in found.items() if n in read]
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in training.items():
            module.training = mode


def prove(
    model: nn.Module, sample: Sample, width: Optional[int] = None, bound="exact"
) -> list[LayerProof]:
    """What the accumulators of each layer need; `width`: what they have."""
    return [
        proof_of(
            layer.name,
            Terms(layer.weight.shape),
            layer.weight,
            layer.codes,
            width,
            bound,
        )
        for layer in layers(model, sample)
    ]


def _layer_class():
    try:
        from brevitas.nn.quant_layer import QuantWeightBiasInputOutputLayer
    except ImportError as error:
        raise ImportError("a2q.torch.brevitas needs Brevitas: pip install brevitas") from error
    return QuantWeightBiasInputOutputLayer


def _convert(name, layer, x):
    if not layer.weight_quant.is_quant_enabled:
        raise ValueError(f"layer '{name}': its weights are not quantized")
    if layer.input_quant.is_quant_enabled:
        x = layer.input_quant(x)
    if getattr(x, "bit_width", None) is None:
        raise ValueError(
            f"layer '{name}': what it reads is not quantized, or the layer before "
            "hides it; give that layer return_quant_tensor=True"
        )
    codes = Codes.of(int(x.bit_width), bool(x.signed))
    weight = layer.quant_weight(x)
    if (weight.zero_point != 0).any() or (x.zero_point != 0).any():
        raise ValueError(f"layer '{name}': zero points other than 0 are not supported")
    scale = weight.scale.flatten()
    if scale.numel() == 1:
        scale = scale.expand(weight.value.shape[0])
    bias = None if layer.bias is None else layer.bias.detach().clone()
    integers = weight.int(float_datatype=False).to(torch.int64)
    return BrevitasLayer(name, integers, scale.detach().clone(), bias, codes)
