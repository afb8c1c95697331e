# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks that are compared: float networks prepared by each method.

All have the same activation quantizers and the same batch norms. Brevitas'
weight quantizers stand in the same places, told what codes they read, and begin
where ours do: scales of least squared error and EP-init, which Brevitas leaves
to its user.
"""

from dataclasses import replace

import torch
from torch import nn

import a2q.torch

# Of this project, beside the method's name: options of prepare().
METHODS = {
    "a2q": dict(method="a2q"),
    "a2q-plus": dict(method="a2q-plus"),
    "centred-weight-norm": dict(method="centred-weight-norm"),
    "projection": dict(method="projection"),
    "projection-fixed-scale": dict(method="projection", scale_search=False),
    "top-b": dict(method="top-b"),
}
BREVITAS = {
    "brevitas-a2q": "Int8AccumulatorAwareWeightQuant",
    "brevitas-a2q-plus": "Int8AccumulatorAwareZeroCenterWeightQuant",
}


class BrevitasLayer(nn.Module):
    """A layer of Brevitas that reads codes of ours; its batch norm behind it."""

    def __init__(self, layer, weight_bits, width, quantizer):
        super().__init__()
        import brevitas.nn
        import brevitas.quant
        from brevitas.quant_tensor import IntQuantTensor

        self.tensor = IntQuantTensor
        quant = getattr(brevitas.quant, quantizer).let(
            bit_width=weight_bits, accumulator_bit_width=width
        )
        bias = layer.bias is not None
        if isinstance(layer, nn.Linear):
            own = brevitas.nn.QuantLinear(
                layer.in_features, layer.out_features, bias=bias, weight_quant=quant
            )
        else:
            own = brevitas.nn.QuantConv2d(
                layer.in_channels, layer.out_channels, layer.kernel_size,
                stride=layer.stride, padding=layer.padding, groups=layer.groups,
                bias=bias, weight_quant=quant,
            )  # fmt: skip
        own.load_state_dict(layer_state(layer), strict=False)
        self.layer = own.to(layer.weight.device)
        self.norm = layer.norm
        self.codes = layer.input_codes
        self.width = width

    @torch.no_grad()
    def start(self, quantizer, weight):
        """Begins with the scales, norms and weights of one of our quantizers."""
        self.layer.weight.copy_(quantizer.start_weight(weight))
        theirs = self.layer.weight_quant.tensor_quant
        normalization = theirs.pre_scaling_impl
        for parameter, value in (
            (theirs.scaling_impl.value, quantizer.log_scale),
            (normalization.scaling_impl.value, quantizer.log_scale),
            (normalization.value, quantizer.log_norm),
        ):
            parameter.copy_(value.reshape(parameter.shape))

    def forward(self, x):
        # Scales do not matter to the weights; they are in x already.
        y = self.layer(self._with_codes(x))
        y = getattr(y, "value", y)
        return y if self.norm is None else self.norm(y)

    def _with_codes(self, x):
        return self.tensor(
            x,
            scale=torch.ones((), device=x.device),
            zero_point=torch.zeros((), device=x.device),
            bit_width=torch.tensor(float(self.codes.bits), device=x.device),
            signed=self.codes.signed,
            training=self.training,
        )

    def penalty(self):
        quantizer = self.layer.weight_quant.tensor_quant.pre_scaling_impl
        bits = torch.tensor(
            float(self.codes.bits), device=self.layer.weight.device
        )
        limit = quantizer.calc_max_l1_norm(bits, self.codes.signed)
        scale = torch.exp2(quantizer.scaling_impl.value)
        return (torch.exp2(quantizer.value) - scale * limit).relu().sum()

    @torch.no_grad()
    def integers(self):
        shape = (1, self.layer.weight.shape[1], *[8] * (self.layer.weight.dim() - 2))
        x = torch.zeros(shape, device=self.layer.weight.device)
        quantized = self.layer.quant_weight(self._with_codes(x))
        return quantized.int(float_datatype=False).to(torch.int64)


def layer_state(layer):
    names = ("weight", "bias")
    return {n: t for n, t in layer.state_dict().items() if n in names}


def build(network, sample, point):
    """The network of a point, ready to train."""
    options = dict(
        weight_bits=point["weight_bits"], activation_bits=point["activation_bits"]
    )
    method, width = point.get("method"), point.get("width")
    if method is None or method in BREVITAS:
        model = a2q.torch.prepare(network, sample, **options)
        if method:
            _take_brevitas(model, sample, point)
        return model
    return a2q.torch.prepare(
        network, sample, accumulator_width=width, tile=point.get("tile"),
        **METHODS[method], **options,
    )  # fmt: skip


def _take_brevitas(model, sample, point):
    for name, layer in a2q.torch.quantized_layers(model).items():
        if layer.weight_quantizer.bits != point["weight_bits"]:
            continue  # reads the images, nothing constrains it
        parent, _, leaf = name.rpartition(".")
        own = BrevitasLayer(
            layer, point["weight_bits"], point["width"], BREVITAS[point["method"]]
        )
        method = point["method"].removeprefix("brevitas-")
        held = a2q.torch.Accumulator(point["width"], layer.input_codes)
        ours = a2q.torch.weight_quantizer(
            layer.weight, point["weight_bits"], held, method
        )
        own.start(ours, layer.weight)
        if not torch.equal(own.integers(), ours.integers(own.layer.weight)):
            different = (own.integers() != ours.integers(own.layer.weight)).sum()
            if different > own.layer.weight.numel() // 1000:
                raise RuntimeError(
                    f"{name}: {different} integers are not those of Brevitas")
        setattr(model.get_submodule(parent), leaf, own)
    # A sample has to pass before a quantizer knows what it reads.
    with torch.no_grad():
        model.train()(sample)
    a2q.torch.reestimate_batch_norm(model, [sample])


def penalty(model):
    """() -> what the loss is charged."""
    theirs = [m for m in model.modules() if isinstance(m, BrevitasLayer)]
    if theirs:
        return lambda: sum(layer.penalty() for layer in theirs)
    return lambda: a2q.torch.penalty(model)


def set_width(model, width):
    """Holds all constrained layers to another width, for annealing."""
    for layer in a2q.torch.quantized_layers(model).values():
        quantizer = layer.weight_quantizer
        if quantizer.accumulator is not None:
            quantizer.accumulator = replace(quantizer.accumulator, width=width)


def facts(model, point):
    """Sparsity of the constrained layers and the widest accumulator's bits."""
    zeros, widest = [], 0
    for module in model.modules():
        if isinstance(module, BrevitasLayer):
            q, codes, bound = module.integers(), module.codes, "exact"
            terms = a2q.torch.projection.Terms(q.shape)
            proof = a2q.torch.proof_of("", terms, q, codes, point["width"], bound)
            zeros.append(proof.sparsity)
            widest = max(widest, int(proof.required.max()))
    for proof in a2q.torch.prove(model):
        if proof.width is not None or point.get("method") is None:
            zeros.append(proof.sparsity)
            widest = max(widest, int(proof.required.max()))
    return {
        "sparsity": round(sum(zeros) / len(zeros), 4),
        "widest": widest,
    }
