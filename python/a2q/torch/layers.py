# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Drop-in layers: a convolution or linear layer with quantized weights, and
with quantized activations where it has a quantizer of its own for them."""

import inspect
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .budget import Accumulator, Codes
from .quantizers import ActivationQuantizer, weight_quantizer


@dataclass
class LayerIntegers:
    """What a quantized layer computes with, on the CPU.

    weight: int64 [channels, in, *kernel], in units of `scale`.
    scale: float32 [channels], positive.
    bias: float32 [channels]; batch norm is folded into all three.
    """

    weight: Tensor
    scale: Tensor
    bias: Optional[Tensor]


class QuantLayer:
    """What the quantized layers share; mixed into torch's own layers.

    weight_quantizer: see a2q.torch.quantizers.
    input_quantizer: of what the layer reads, or None where that is quantized
        already, in codes of `input_codes`.
    norm: batch norm that follows the layer, or None. Its factor goes into the
        scale of each channel, so it changes no integer.
    """

    def quantize(
        self,
        weight_bits: int = 4,
        accumulator_width: Optional[int] = None,
        tile: Optional[int] = None,
        method: str = "projection",
        bound: str = "centred",
        input_codes: Optional[Codes] = None,
        activation_bits: int = 8,
        signed_input: bool = False,
        norm: Optional[nn.Module] = None,
        image_channels: Optional[int] = None,
        **options,
    ):
        """Gives the layer its quantizers; weights start from what they are.

        input_codes: what the layer reads is quantized to these already. Without
            them it quantizes its input to `activation_bits`.
        accumulator_width: bits; None: the weights are held to nothing.
        image_channels: see Accumulator.
        options: for the method (projection: scale_search).
        """
        self.input_quantizer = None
        if input_codes is None:
            self.input_quantizer = ActivationQuantizer(activation_bits, signed_input)
            input_codes = self.input_quantizer.codes
        self.input_codes = input_codes
        held = None
        if accumulator_width is not None:
            held = Accumulator(
                accumulator_width, input_codes, tile, bound, image_channels
            )
        self.weight_quantizer = weight_quantizer(
            self.weight, weight_bits, held, method, **options
        )
        if hasattr(self.weight_quantizer, "start_weight"):
            start = self.weight_quantizer.start_weight(self.weight)
            self.weight.data.copy_(start)
        self.norm = norm
        return self

    def integers(self) -> Tensor:
        """The weights as int64 in units of the scale of their channel."""
        return self.weight_quantizer.integers(self.weight)

    def penalty(self) -> Tensor:
        return self.weight_quantizer.penalty(self.weight)

    @torch.no_grad()
    def folded(self) -> LayerIntegers:
        """Integers, scales and bias with batch norm folded in.

        A negative factor of batch norm turns the signs of the integers around; a
        factor of 0 makes them 0.
        """
        if self.input_quantizer is not None:
            check_finite(self.input_quantizer.scale(), "scales of its activations")
        weight = self.integers()
        scale = self.weight_quantizer.scale()
        check_finite(scale, "scales of its weights")
        bias = None if self.bias is None else self.bias.detach().clone()
        if self.norm is not None:
            factor = torch.rsqrt(self.norm.running_var + self.norm.eps)
            shift = -self.norm.running_mean * factor
            if self.norm.affine:
                factor, shift = (
                    factor * self.norm.weight,
                    shift * self.norm.weight + self.norm.bias,
                )
            check_finite(factor, "factors of its batch norm")
            bias = shift if bias is None else bias * factor + shift
            sign = factor.sign().to(torch.int64)
            weight = weight * sign.reshape(-1, *[1] * (weight.dim() - 1))
            scale = scale * factor.abs()
        if bias is not None:
            check_finite(bias, "biases")
        # A channel without weights has any scale.
        empty = weight.flatten(1).eq(0).all(1)
        scale = torch.where(empty, torch.ones_like(scale), scale)
        return LayerIntegers(
            weight.cpu(),
            scale.float().cpu(),
            None if bias is None else bias.float().cpu(),
        )

    def _run(self, x, operation):
        if self.input_quantizer is not None:
            x = self.input_quantizer(x)
        x = operation(x, self.weight_quantizer(self.weight), self.bias)
        return x if self.norm is None else self.norm(x)


def _split_options(kind, options):
    """The keywords of torch's layer and those of `quantize`."""
    known = inspect.signature(kind.__init__).parameters
    own = {name: value for name, value in options.items() if name in known}
    return own, {name: options[name] for name in options if name not in own}


def check_finite(values: Tensor, what: str) -> None:
    """A ValueError where training diverged."""
    if not torch.isfinite(values).all():
        raise ValueError(f"{what} are not finite; training diverged")


class QuantConv2d(QuantLayer, nn.Conv2d):
    """nn.Conv2d with the keywords of QuantLayer.quantize beside its own.

        QuantConv2d(64, 64, 3, padding=1, activation_bits=4, accumulator_width=8)
    """

    def __init__(self, *args, **options):
        own, quantization = _split_options(nn.Conv2d, options)
        nn.Conv2d.__init__(self, *args, **own)
        check_padding(self)
        self.quantize(**quantization)

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x, self._convolution)

    def _convolution(self, x, weight, bias):
        return F.conv2d(
            x, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )


class QuantConv1d(QuantLayer, nn.Conv1d):
    """nn.Conv1d with the keywords of QuantLayer.quantize beside its own."""

    def __init__(self, *args, **options):
        own, quantization = _split_options(nn.Conv1d, options)
        nn.Conv1d.__init__(self, *args, **own)
        check_padding(self)
        self.quantize(**quantization)

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x, self._convolution)

    def _convolution(self, x, weight, bias):
        return F.conv1d(
            x, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )


class QuantLinear(QuantLayer, nn.Linear):
    """nn.Linear with the keywords of QuantLayer.quantize beside its own."""

    def __init__(self, *args, **options):
        own, quantization = _split_options(nn.Linear, options)
        nn.Linear.__init__(self, *args, **own)
        self.quantize(**quantization)

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x, F.linear)


def check_padding(layer: nn.Module) -> None:
    """Padding with anything but zeros is no convolution of codes alone."""
    if layer.padding_mode != "zeros":
        raise ValueError(
            f"padding_mode '{layer.padding_mode}' is not supported, only 'zeros'; "
            "pad with a layer of its own"
        )


_QUANTIZED = {
    nn.Conv2d: QuantConv2d,
    nn.Conv1d: QuantConv1d,
    nn.Linear: QuantLinear,
}


def can_quantize(layer: nn.Module) -> bool:
    return type(layer) in _QUANTIZED


def quantized_like(layer: nn.Module, **options) -> nn.Module:
    """The quantized layer in place of a float one, which keeps its weights."""
    kind = _QUANTIZED[type(layer)]
    result = kind.__new__(kind)
    nn.Module.__init__(result)
    for name, value in vars(layer).items():
        # Strides, paddings and the like; what begins with _ is torch's own.
        if not name.startswith("_") or name == "_reversed_padding_repeated_twice":
            setattr(result, name, value)
    result.weight = nn.Parameter(layer.weight.detach().clone())
    result.bias = None
    if layer.bias is not None:
        result.bias = nn.Parameter(layer.bias.detach().clone())
    if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        check_padding(result)
    return result.quantize(**options)


def quantized_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The quantized layers of a model by their names."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, QuantLayer)
    }


def penalty(model: nn.Module) -> Tensor:
    """The sum of what the layers charge the loss: 0 unless a method normalizes
    weights."""
    total = sum(layer.penalty() for layer in quantized_layers(model).values())
    return total if isinstance(total, Tensor) else torch.zeros(())
