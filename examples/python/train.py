# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""# From a float network of PyTorch to an object file with 8-bit accumulators

Trains a small network on scikit-learn's digits, then trains it on with 4-bit
weights and activations whose sums fit 8 bits, exports it, proves the file, and
compiles it. Under a minute; what it needs is in `python/requirements-torch.txt`.
Run it as a script or as the notebook of the same name.
"""

# %%
import pathlib
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import a2q
import a2q.torch

output = pathlib.Path(tempfile.mkdtemp())
torch.manual_seed(0)
torch.set_num_threads(1)

# %% [markdown]
# A float network like any other, trained like any other.


# %%
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


# %%
digits = load_digits()
order = torch.randperm(len(digits.target))
images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)[order]
labels = torch.tensor(digits.target)[order]
seen, held_out = images[:1437], images[1437:]

network = Net()
train(network, seen, labels[:1437], 10, 3e-3)

# %% [markdown]
# `prepare` swaps its layers for ones of 4 bits whose sums fit 8 bits, in tiles of
# 144 products. They do so at every step of training; `prove` looks at the integers
# alone.

# %%
model = a2q.torch.prepare(network, seen[:256], accumulator_width=8, tile=144)
train(model, seen, labels[:1437], 10, 2e-3)
a2q.torch.reestimate_batch_norm(model, [seen])
for layer in a2q.torch.prove(model):
    print(layer)

# %% [markdown]
# Exported to ONNX, read back, and staged: tiles of 8 bits, which the report shows.

# %%
path = output / "digits.onnx"
a2q.torch.export(model, path, seen[:2])
exported = a2q.load(path).stage(inner=8)
print(exported.report())

# %% [markdown]
# The program computes what the trained network does.

# %%
program = exported.compile(prefix="digits")
for name, scores in (
    ("float", network.eval()(held_out).detach().numpy()),
    ("trained", model.eval()(held_out).detach().numpy()),
    ("compiled", program(held_out.numpy())),
):
    share = (np.asarray(scores).argmax(1) == labels[1437:].numpy()).mean()
    print(f"{name:<8} {share:8.2%}")

# %% [markdown]
# An object file and its C header, which need no runtime library.

# %%
program.save_object(output / "digits.o")
print(f"wrote digits.onnx, digits.o and digits.h to {output}")
