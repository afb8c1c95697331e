# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks and data that the tests share."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)


class Residual(nn.Module):
    """Padding, stride, a residual add, pooling on codes, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, stride=2, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16, 16, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16 * 4, 10)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        x = F.relu(self.norm3(self.conv3(x)) + x)
        return self.fc(F.max_pool2d(x, 2).flatten(1))


@pytest.fixture
def float_network():
    torch.manual_seed(0)
    network = Residual()
    with torch.no_grad():
        # A factor that is negative and one that is 0: both are folded later.
        network.norm2.weight[3] = -0.7
        network.norm2.weight[5] = 0.0
        network.norm2.bias.uniform_(-0.2, 0.5)
    return network


@pytest.fixture
def images():
    return torch.tensor(np.random.RandomState(0).rand(64, 1, 8, 8), dtype=torch.float32)


@pytest.fixture
def labels():
    return torch.tensor(np.random.RandomState(1).randint(0, 10, 64))


@pytest.fixture
def step(images, labels):
    """Takes one step of an optimizer on a model."""
    import a2q.torch

    def step(model, optimizer):
        model.train()
        loss = F.cross_entropy(model(images), labels) + a2q.torch.penalty(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step
