# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The guarantee in training, what prepare makes of a network, its refusals."""

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

import torch
import torch.nn.functional as F
from torch import nn

import a2q.torch
from a2q.torch import METHODS, Codes, QuantConv2d, QuantLinear
from fixtures import *


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tile", [None, 20])
def test_integers_fit_after_every_step(method, tile, float_network, images, step):
    model = a2q.torch.prepare(
        float_network, images, accumulator_width=8, tile=tile, method=method
    )
    # A rate at which scales and weights jump about.
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(6):
        for proof in a2q.torch.prove(model):
            assert proof.proven, proof
        assert step(model, optimizer) < 1e6
    held = [proof for proof in a2q.torch.prove(model) if proof.width]
    assert [proof.name for proof in held] == ["conv2", "conv3", "fc"]
    if method == "projection":
        # Nothing of the budget is left where weights are enough.
        assert all(proof.required.max() == 8 for proof in held)


@pytest.mark.parametrize("bound", ["exact", "centred"])
def test_signed_codes_fit(bound, images, labels):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)
    )
    model = a2q.torch.prepare(model, images, accumulator_width=9, bound=bound)
    assert model.get_submodule("3").input_codes == Codes(-8, 7)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(4):
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        assert all(proof.proven for proof in a2q.torch.prove(model))


def test_training_learns(float_network, images, step):
    model = a2q.torch.prepare(float_network, images, accumulator_width=9)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = [step(model, optimizer) for _ in range(40)]
    assert losses[-1] < 0.8 * losses[0]


def test_weights_and_scales_get_gradients(float_network, images, step):
    model = a2q.torch.prepare(float_network, images, accumulator_width=8)
    step(model, torch.optim.SGD(model.parameters(), lr=0.0))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_scale_is_found_together_with_the_integers():
    torch.manual_seed(0)
    weight = torch.randn(16, 300)

    def distance(**options):
        layer = QuantLinear(
            300, 16, accumulator_width=8, activation_bits=4, **options
        )
        layer.weight.data.copy_(weight)
        layer.quantize(accumulator_width=8, activation_bits=4, **options)
        with torch.no_grad():
            quantized = layer.weight_quantizer(layer.weight)
        return float((quantized - weight).square().sum())

    assert distance() < 0.9 * distance(scale_search=False)


def test_zeros_and_equal_weights_train(images):
    for method in METHODS:
        layer = QuantLinear(64, 4, accumulator_width=9, activation_bits=4, method=method)
        with torch.no_grad():
            layer.weight[0], layer.weight[1] = 0.0, 0.3
        layer.quantize(accumulator_width=9, activation_bits=4, method=method)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        for _ in range(3):
            loss = layer(images.flatten(1)).square().sum() + layer.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert a2q.torch.prove(layer)[0].proven
            assert torch.isfinite(layer.weight).all(), method


def test_prepare_shares_quantizers_and_takes_batch_norm(float_network, images):
    model = a2q.torch.prepare(float_network, images, accumulator_width=8)
    activations = [
        module for module in model.modules()
        if isinstance(module, a2q.torch.ActivationQuantizer)
    ]
    # The image, and behind each ReLU one that the residual add reads too.
    assert len(activations) == 4
    layers = a2q.torch.quantized_layers(model)
    assert isinstance(layers["conv2"].norm, nn.BatchNorm2d)
    assert layers["conv1"].weight_quantizer.bits == 8
    assert layers["conv1"].weight_quantizer.accumulator is None
    assert layers["fc"].input_codes == Codes(0, 15)
    # The float network is as it was.
    assert type(float_network.conv1) is nn.Conv2d
    names = [name for name, _ in model.named_modules() if "norm" in name]
    assert len(names) == 3


def test_folding_batch_norm_keeps_the_network(float_network, images):
    float_network.train()
    float_network(images)
    float_network.eval()
    wide = dict(weight_bits=16, activation_bits=16,
                input_layer=dict(weight_bits=16, activation_bits=16))
    for batch_norm in ("follow", "fold"):
        model = a2q.torch.prepare(
            float_network, images, batch_norm=batch_norm, **wide
        ).eval()
        layers = a2q.torch.quantized_layers(model)
        assert (layers["conv2"].norm is None) == (batch_norm == "fold")
        if batch_norm == "fold":
            assert torch.allclose(model(images), float_network(images), atol=2e-3)


def test_folded_integers_compute_the_layer(float_network, images, step):
    model = a2q.torch.prepare(float_network, images, accumulator_width=9)
    step(model, torch.optim.Adam(model.parameters(), lr=0.01))
    model.eval()
    layer = a2q.torch.quantized_layers(model)["conv2"]
    folded = layer.folded()
    assert (folded.scale > 0).all() and (folded.weight[5] == 0).all()
    x = torch.randint(0, 16, (3, 8, 8, 8)).float()
    y = F.conv2d(x, folded.weight.float(), stride=2, padding=1)
    y = y * folded.scale.reshape(-1, 1, 1) + folded.bias.reshape(-1, 1, 1)
    assert torch.allclose(y, layer(x), atol=1e-4)


def test_overrides(float_network, images):
    overrides = {
        "conv*": dict(weight_bits=3, accumulator_width=10),
        "conv3": dict(tile=36, method="top-b"),
        "fc": None,
    }
    model = a2q.torch.prepare(
        float_network, images, accumulator_width=8, overrides=overrides
    )
    layers = a2q.torch.quantized_layers(model)
    assert set(layers) == {"conv1", "conv2", "conv3"}
    assert layers["conv1"].weight_quantizer.accumulator.width == 10
    assert layers["conv3"].weight_quantizer.accumulator.tile == 36
    assert layers["conv3"].weight_quantizer.method == "top-b"
    assert type(model.fc) is nn.Linear


def test_reestimated_statistics_are_those_of_the_data(float_network, images):
    model = a2q.torch.prepare(float_network, images, accumulator_width=8)
    layer = a2q.torch.quantized_layers(model)["conv2"]
    seen = {}
    hook = layer.norm.register_forward_pre_hook(
        lambda _, arguments: seen.update(x=arguments[0])
    )
    model.eval()
    a2q.torch.reestimate_batch_norm(model, [images])
    hook.remove()
    assert torch.allclose(layer.norm.running_mean, seen["x"].mean((0, 2, 3)), atol=1e-5)
    assert layer.norm.momentum == 0.1 and not layer.norm.training


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("method", METHODS)
def test_modules_of_other_types_are_held(method, dtype):
    torch.manual_seed(0)
    layer = QuantLinear(
        1024, 4, activation_bits=4, weight_bits=8, accumulator_width=16, method=method
    ).to(dtype)
    with torch.no_grad():
        layer.weight.mul_(8)
    y = layer(torch.rand(2, 1024, dtype=dtype))
    assert y.dtype == dtype
    y.sum().backward()
    assert torch.isfinite(layer.weight.grad).all()
    assert all(found.proven for found in a2q.torch.prove(layer))


@pytest.mark.parametrize("method", METHODS)
def test_wide_budgets_are_held(method):
    """Weights far beyond the clip, norms beyond what a float32 counts."""
    torch.manual_seed(0)
    layer = QuantLinear(
        4000, 8, activation_bits=2, weight_bits=16, accumulator_width=27, method=method
    )
    with torch.no_grad():
        layer.weight.mul_(100)
    assert layer.integers().abs().max() <= 2**15 - 1
    assert all(found.proven for found in a2q.torch.prove(layer))


def test_a_layer_used_alone():
    layer = QuantConv2d(3, 8, 3, padding=1, activation_bits=4, accumulator_width=8,
                        tile=9, signed_input=True)
    with pytest.raises(RuntimeError, match="no scale yet"):
        layer.eval()(torch.randn(2, 3, 8, 8))
    layer.train()(torch.randn(2, 3, 8, 8))
    proof = a2q.torch.prove(nn.Sequential(layer))[0]
    assert proof.proven and proof.required.shape == (8, 3)
    copy = QuantConv2d(3, 8, 3, padding=1, activation_bits=4, accumulator_width=8,
                       tile=9, signed_input=True)
    copy.load_state_dict(layer.state_dict())
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(copy.eval()(x), layer.eval()(x))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else x


def test_refusals(float_network, images):
    def refused(match, network=float_network, sample=images, **options):
        with pytest.raises(ValueError, match=match):
            a2q.torch.prepare(network, sample, **options)

    refused("layer 'conv2': no weight but 0 fits", accumulator_width=3)
    refused("the override 'conv9' names no layer; there are conv1",
            overrides={"conv9": None})
    refused("has the option 'width'", overrides={"fc": dict(width=8)})
    refused("method 'a3q' is unknown", accumulator_width=8, method="a3q")
    refused("weights of 1 bits", weight_bits=1)
    refused("torch.fx cannot trace", network=Branching(), sample=torch.ones(2, 4))
    refused("no convolution or linear layer", network=nn.Sequential(nn.ReLU()))
    refused("activations are not finite", sample=images * float("inf"))
    with pytest.raises(TypeError, match="no option 'widht'"):
        QuantLinear(4, 4, widht=8)
    circular = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"))
    refused("padding_mode 'circular' is not supported", network=circular)


def test_turned_signs_fit():
    """What is proven is what batch norm leaves of the signs."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 5), nn.BatchNorm2d(4)
    )
    with torch.no_grad():
        model[2].weight.fill_(-1)
        model[3].weight.fill_(-1)
    model = a2q.torch.prepare(
        model, torch.rand(4, 3, 8, 8), activation_bits=1, accumulator_width=8,
        bound="exact",
    )
    layer = a2q.torch.quantized_layers(model)["2"]
    sums = layer.folded().weight.flatten(1).sum(1)
    assert 0 < sums.max() <= 127
    assert all(proof.proven for proof in a2q.torch.prove(model))


class Reading(nn.Module):
    """A linear layer behind a convolution of 4 channels on 4x4 pixels."""

    def __init__(self, between, terms):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.between = between
        self.fc = nn.Linear(terms, 8)

    def forward(self, x):
        return self.fc(self.between(torch.relu(self.conv(x))))


@pytest.mark.parametrize(
    "between, terms, channels",
    [
        (lambda x: x.flatten(1), 64, 4),
        (lambda x: F.max_pool2d(x, 2).reshape(x.size(0), -1), 16, 4),
        (lambda x: x.permute(0, 2, 3, 1).flatten(1), 64, None),
        (lambda x: x, 4, None),
        (lambda x: x.flatten(2), 16, None),
    ],
)
def test_tiles_of_an_image_only_where_it_is_flattened(between, terms, channels):
    model = a2q.torch.prepare(
        Reading(between, terms), torch.rand(2, 1, 4, 4), accumulator_width=8, tile=8
    )
    held = a2q.torch.quantized_layers(model)["fc"].weight_quantizer.accumulator
    assert held.image_channels == channels


def test_diverged_networks_are_refused(float_network, images):
    model = a2q.torch.prepare(float_network, images, accumulator_width=8)
    layer = a2q.torch.quantized_layers(model)["conv2"]
    with torch.no_grad():
        layer.norm.weight[0] = float("nan")
    for refuse in (
        lambda: a2q.torch.prove(model),
        lambda: a2q.torch.export(model, "/nowhere/model.onnx", images),
    ):
        with pytest.raises(ValueError, match="layer 'conv2': factors of its batch norm"):
            refuse()


@pytest.mark.parametrize(
    "options", [{"accumulator_width": 8.5}, {"tile": 2.5}, {"weight_bits": 3.5}]
)
def test_fractions_of_bits_are_refused(options, float_network, images):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is .*an integer"):
        a2q.torch.prepare(float_network, images, **options)


def test_what_prepare_cannot_take(float_network, images):
    with pytest.raises(ValueError, match="not empty"):
        a2q.torch.prepare(float_network, images[:0])
    tied = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match="share their weights"):
        a2q.torch.prepare(tied, torch.rand(4, 8))
    transposed = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ConvTranspose2d(4, 2, 3))
    with pytest.warns(UserWarning, match="'1' .ConvTranspose2d. stays in floating"):
        a2q.torch.prepare(transposed, images)
