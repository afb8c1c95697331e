# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Brevitas: the same integers from the same parameters, and its models."""

import numpy as np
import pytest

pytest.importorskip("brevitas", reason="Brevitas is not installed")

import brevitas.nn as qnn
import torch
from brevitas.quant import (
    Int8AccumulatorAwareWeightQuant,
    Int8AccumulatorAwareZeroCenterWeightQuant,
    Int8WeightPerChannelFloat,
    Uint8ActPerTensorFloat,
)

import a2q.torch.brevitas as converter
from a2q.torch import Accumulator, Codes, weight_quantizer

QUANTIZERS = {
    "a2q": Int8AccumulatorAwareWeightQuant,
    "a2q-plus": Int8AccumulatorAwareZeroCenterWeightQuant,
}


def network(quantizer):
    activation = Uint8ActPerTensorFloat.let(bit_width=4)
    return torch.nn.Sequential(
        qnn.QuantReLU(act_quant=activation, return_quant_tensor=True),
        qnn.QuantConv2d(8, 16, 3, padding=1, bias=False, weight_quant=quantizer),
    )


@pytest.fixture
def sample():
    return torch.randn(4, 8, 6, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", QUANTIZERS)
@pytest.mark.parametrize("width", [11, 12, 14])
def test_integers_are_those_of_brevitas(method, width, sample):
    torch.manual_seed(width)
    model = network(QUANTIZERS[method].let(bit_width=4, accumulator_bit_width=width))
    layer = model[1]
    # Integers come from this scale; what they are multiplied by is another one.
    normalization = layer.weight_quant.tensor_quant.pre_scaling_impl
    log_scale = normalization.scaling_impl.value
    with torch.no_grad():
        # Scales at which the clip and the budget both act.
        log_scale += torch.rand(16, 1, 1, 1) - 0.4
    expected = converter.layers(model, sample)[0]

    accumulator = Accumulator(width, Codes.of(4, False))
    ours = weight_quantizer(layer.weight, 4, accumulator, method)
    with torch.no_grad():
        ours.log_scale.copy_(log_scale.reshape(-1, 1))
        ours.log_norm.copy_(normalization.value.reshape(-1, 1))
    integers = ours.integers(layer.weight.detach())
    # Truncation of sums in another order may fall on the other side.
    different = (integers != expected.weight).sum()
    assert different <= 2
    assert expected.weight.abs().sum() > 0


def test_widths_of_a_brevitas_model(sample):
    model = network(Int8WeightPerChannelFloat.let(bit_width=4))
    model.train()(sample)
    (proof,) = converter.prove(model, sample, width=8)
    assert model.training
    assert not proof.proven and 10 <= proof.required.max() <= 16
    layer = converter.layers(model, sample)[0]
    value = layer.weight.float() * layer.scale.reshape(-1, 1, 1, 1)
    assert np.allclose(value, model[1].quant_weight().value.detach(), atol=1e-6)
    assert layer.codes == Codes(0, 15)


@pytest.mark.parametrize("form", ["qcdq", "qonnx"])
def test_exports_of_brevitas_compute_the_same(form, tmp_path):
    pytest.importorskip("onnx")
    import brevitas.export

    import a2q

    torch.manual_seed(3)
    codes = Uint8ActPerTensorFloat.let(bit_width=4)
    plain = Int8WeightPerChannelFloat.let(bit_width=4)
    model = torch.nn.Sequential(
        qnn.QuantIdentity(act_quant=codes, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, padding=1, weight_quant=plain, bias=False),
        qnn.QuantReLU(act_quant=codes, return_quant_tensor=True),
        torch.nn.Flatten(),
        qnn.QuantLinear(8 * 36, 5, weight_quant=plain, bias=False),
    )
    x = torch.rand(4, 3, 6, 6)
    model.train()(x)
    with torch.no_grad():
        expected = model.eval()(x)
    expected = getattr(expected, "value", expected).numpy()
    export = {
        "qcdq": brevitas.export.export_onnx_qcdq, "qonnx": brevitas.export.export_qonnx,
    }[form]  # fmt: skip
    path = tmp_path / "model.onnx"
    export(model, args=x[:1], export_path=str(path), dynamo=False)
    network = a2q.load(path)
    assert np.allclose(network.compile()(x.numpy()), expected, atol=1e-4)
    needed = [int(proof.required.max()) for proof in converter.prove(model, x)]
    assert [layer.widths["exact"] for layer in network.prove()] == needed


def test_a_layer_that_reads_floats_is_refused(sample):
    quantizer = Int8WeightPerChannelFloat.let(bit_width=4)
    layer = qnn.QuantConv2d(8, 16, 3, weight_quant=quantizer)
    with pytest.raises(ValueError, match="return_quant_tensor=True"):
        converter.layers(torch.nn.Sequential(torch.nn.ReLU(), layer), sample)
