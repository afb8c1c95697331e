#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains the digits network in floating point, then quantization-aware, and
writes the float network and both quantized editions.

    digits-float.onnx the float network; takes the images as float32
    digits-w4a4.onnx  4-bit weights, 4-bit inner activations
    digits-acc8.onnx  the same, and every layer but the first is held to an
                      8-bit accumulator over its whole reduction length
    images.npy        the held-out test images, uint8 [360, 1, 8, 8], 0..16
    labels.npy        their digits, uint8 [360]

README.md says what to install. One thread, fixed seeds, a minute or two.
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

from export import IntegerLayer, build_float_digits, build_model, save_model
from quantizers import ActivationQuantizer, WeightQuantizer, accumulator_budget

TEST_IMAGES = 360
SPLIT_SEED = 0
WEIGHT_BITS = 4
ACTIVATION_BITS = 4
ACTIVATION_MAX = 2**ACTIVATION_BITS - 1
SCALE_BITS = 8
CONVS = ("conv1", "conv2", "conv3")


def load_split():
    """(train images, train labels, test images, test labels): codes 0..16."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None]
    labels = digits.target.astype(np.uint8)
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
    train, test = order[:-TEST_IMAGES], order[-TEST_IMAGES:]
    return images[train], labels[train], images[test], labels[test]


class DigitsNet(nn.Module):
    """conv1 - conv2 (stride 2) - conv3 with a residual add - fc.

    In floating point until `quantize` is called.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, stride=2, bias=False)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.fc = nn.Linear(32 * 4 * 4, 10)
        self.norm = nn.ModuleDict(
            {name: nn.BatchNorm2d(getattr(self, name).out_channels) for name in CONVS}
        )
        self.weight_quantizers = nn.ModuleDict()
        self.activation_quantizers = nn.ModuleDict()

    def quantize(self, first_bits, budget, sample):
        """Adds the quantizers; activation scales start from `sample`."""
        for name in (*CONVS, "fc"):
            first = name == "conv1"
            self.weight_quantizers[name] = WeightQuantizer(
                getattr(self, name).weight,
                first_bits if first else WEIGHT_BITS,
                None if first else budget,
            )
        with torch.no_grad():
            self.train()
            self(sample, calibrate=True)

    def _weight(self, name):
        if name in self.weight_quantizers:
            return self.weight_quantizers[name]()
        return getattr(self, name).weight

    def _conv(self, name, x):
        stride = getattr(self, name).stride
        x = F.conv2d(x, self._weight(name), stride=stride, padding=1)
        return self.norm[name](x)

    def _activation(self, name, x, calibrate):
        if calibrate:
            quantizer = ActivationQuantizer(ACTIVATION_BITS, F.relu(x))
            self.activation_quantizers[name] = quantizer
        if name in self.activation_quantizers:
            return self.activation_quantizers[name](x)
        return F.relu(x)

    def forward(self, x, calibrate=False):
        x = self._activation("conv1", self._conv("conv1", x), calibrate)
        x = self._activation("conv2", self._conv("conv2", x), calibrate)
        x = self._activation("conv3", self._conv("conv3", x) + x, calibrate)
        return F.linear(x.flatten(1), self._weight("fc"), self.fc.bias)


def train(net, images, labels, epochs, learning_rate, batch=64):
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    steps = epochs * ((len(images) + batch - 1) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for begin in range(0, len(images), batch):
            pick = order[begin : begin + batch]
            loss = F.cross_entropy(net(images[pick]), labels[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def settle_statistics(net, images):
    """Batch norm's statistics of the whole training set, in one batch."""
    for norm in net.norm.values():
        norm.momentum = 1.0
    net.train()
    with torch.no_grad():
        net(images)
    net.eval()


def accuracy(net, images, labels):
    net.eval()
    with torch.no_grad():
        return (net(images).argmax(1) == labels).float().mean().item()


def round_scale(scale):
    """The nearest float32 with SCALE_BITS significant bits.

    With such weight scales and power-of-two activation scales every value that
    a float evaluation of the exported model meets is exact: the order of its
    sums cannot matter, and any runtime must give the same bits.
    """
    mantissa, exponent = np.frexp(scale.astype(np.float64))
    mantissa = np.rint(mantissa * 2**SCALE_BITS) / 2**SCALE_BITS
    return np.ldexp(mantissa, exponent).astype(np.float32)


def export_layer(net, name, input_scale):
    """The integers of one layer, its batch norm folded into scale and bias."""
    quantizer = net.weight_quantizers[name]
    weight = quantizer.integers().numpy()
    scale = quantizer.scale().detach().double().numpy().reshape(-1)
    if name == "fc":
        bias = net.fc.bias.detach().double().numpy()
    else:
        norm = net.norm[name]
        deviation = torch.sqrt(norm.running_var.double() + norm.eps)
        factor = (norm.weight.double() / deviation).detach().numpy()
        mean = norm.running_mean.double().numpy()
        bias = norm.bias.detach().double().numpy() - mean * factor
        # Scales are positive: a negative factor changes the integers' signs.
        sign = np.where(factor < 0, -1, 1)
        weight = weight * sign.reshape(-1, 1, 1, 1)
        scale = scale * np.abs(factor)
    scale = round_scale(scale)
    bias = np.rint(bias / (scale.astype(np.float64) * input_scale))
    return IntegerLayer(
        name=name,
        weight=weight.astype(np.int8),
        weight_limit=quantizer.limit,
        weight_scale=scale,
        bias=bias.astype(np.int32),
        stride=1 if name == "fc" else getattr(net, name).stride[0],
    )


def check_budgets(layers, budget):
    """The guarantee, once more, on the integers that are written."""
    for layer in layers:
        magnitude = np.abs(layer.weight.astype(np.int64))
        assert magnitude.max() <= layer.weight_limit, layer.name
        if budget is not None and layer.name != "conv1":
            l1 = magnitude.reshape(len(magnitude), -1).sum(1)
            assert l1.max() <= budget, (layer.name, l1.max(), budget)


def export_edition(net, path, budget):
    scales = {
        name: float(quantizer.scale().detach())
        for name, quantizer in net.activation_quantizers.items()
    }
    inputs = {"conv1": 1.0, "conv2": scales["conv1"], "conv3": scales["conv2"]}
    inputs["fc"] = scales["conv3"]
    layers = [export_layer(net, name, inputs[name]) for name in (*CONVS, "fc")]
    check_budgets(layers, budget)
    save_model(build_model(layers, scales, ACTIVATION_MAX), path)
    return layers


def describe(layers):
    for layer in layers:
        magnitude = np.abs(layer.weight.astype(np.int64)).reshape(len(layer.weight), -1)
        print(
            f"    {layer.name}: K = {magnitude.shape[1]}, "
            f"largest l1 = {magnitude.sum(1).max()}, "
            f"zeros = {100 * np.mean(magnitude == 0):.1f} %"
        )


def train_float(seed, epochs):
    """The float network of a seed, and its accuracy on the test images."""
    train_images, train_labels, test_images, test_labels = load_split()
    images = torch.tensor(train_images, dtype=torch.float32)
    labels = torch.tensor(train_labels, dtype=torch.int64)
    torch.manual_seed(seed)
    net = DigitsNet()
    train(net, images, labels, epochs, 2e-3)
    held_out = torch.tensor(test_images, dtype=torch.float32)
    return net, accuracy(net, held_out, torch.tensor(test_labels))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train_images, train_labels, test_images, test_labels = load_split()
    np.save(args.output / "images.npy", test_images)
    np.save(args.output / "labels.npy", test_labels)
    images = torch.tensor(train_images, dtype=torch.float32)
    labels = torch.tensor(train_labels, dtype=torch.int64)
    held_out = torch.tensor(test_images, dtype=torch.float32)
    truth = torch.tensor(test_labels, dtype=torch.int64)

    base, share = train_float(args.seed, args.float_epochs)
    print(f"float: {100 * share:.2f} %", flush=True)
    save_model(build_float_digits(base), args.output / "digits-float.onnx")

    editions = (
        ("digits-w4a4.onnx", WEIGHT_BITS, None),
        ("digits-acc8.onnx", 8, accumulator_budget(8, ACTIVATION_MAX)),
    )
    for file, first_bits, budget in editions:
        torch.manual_seed(args.seed)
        net = copy.deepcopy(base)
        net.quantize(first_bits, budget, images[:256])
        train(net, images, labels, args.epochs, 1e-3)
        settle_statistics(net, images)
        print(f"{file}: {100 * accuracy(net, held_out, truth):.2f} %", flush=True)
        describe(export_edition(net, args.output / file, budget))


if __name__ == "__main__":
    main()
