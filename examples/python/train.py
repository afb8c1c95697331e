# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a float network of PyTorch to an object file with 8-bit accumulators.

Trains a small network on scikit-learn's digits, then trains it on with 4-bit
weights and activations whose sums fit 8 bits, exports it, proves the file, and
compiles it. Under a minute; what it needs is in python/requirements-torch.txt.

    PYTHONPATH=build/release/python build/venv/bin/python examples/python/train.py
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import a2q
import a2q.torch


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, stride=2, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return self.fc(x.flatten(1))


def train(model: nn.Module, images, labels, epochs: int, rate: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(images)).split(64):
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    digits = load_digits()
    order = torch.randperm(len(digits.target))
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)[order]
    labels = torch.tensor(digits.target)[order]
    seen, held_out = images[:1437], images[1437:]

    network = Net()
    train(network, seen, labels[:1437], 10, 3e-3)
    model = a2q.torch.prepare(network, seen[:256], accumulator_width=8, tile=144)
    train(model, seen, labels[:1437], 10, 2e-3)
    a2q.torch.reestimate_batch_norm(model, [seen])
    for layer in a2q.torch.prove(model):
        print(layer)

    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "digits.o")
    path = target.with_suffix(".onnx")
    a2q.torch.export(model, path, seen[:2])
    exported = a2q.load(path).stage(inner=8)
    print(exported.report())
    program = exported.compile(prefix="digits")
    for name, scores in (
        ("float", network.eval()(held_out).detach().numpy()),
        ("trained", model.eval()(held_out).detach().numpy()),
        ("compiled", program(held_out.numpy())),
    ):
        share = (np.asarray(scores).argmax(1) == labels[1437:].numpy()).mean()
        print(f"{name:<8} {share:8.2%}")
    program.save_object(target)
    print(f"wrote {path}, {target} and its header")


if __name__ == "__main__":
    main()
