# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""# A Brevitas model

A network trained with Brevitas' A2Q+, its accumulators proven, exported and
compiled. Run it in its folder, as a script or as the notebook of the same
name. It needs `python/requirements-torch.txt`.
"""

# %%
import pathlib
import tempfile

import brevitas.nn as qnn
import torch
import torch.nn.functional as F
from brevitas.export import export_onnx_qcdq
from brevitas.quant import (
    Int8AccumulatorAwareZeroCenterWeightQuant,
    Int8WeightPerChannelFloat,
    Uint8ActPerTensorFloat,
)
from sklearn.datasets import load_digits

import a2q.torch.brevitas

output = pathlib.Path(tempfile.mkdtemp())
torch.manual_seed(0)
torch.set_num_threads(1)

# %% [markdown]
# Weights of the middle layer are held to an accumulator of 12 bits by Brevitas. For
# that it has to know what the layer reads: `return_quant_tensor=True`.

# %%
codes = Uint8ActPerTensorFloat.let(bit_width=4)
held = Int8AccumulatorAwareZeroCenterWeightQuant.let(
    bit_width=4, accumulator_bit_width=12
)
free = Int8WeightPerChannelFloat.let(bit_width=4)
model = torch.nn.Sequential(
    qnn.QuantIdentity(act_quant=codes, return_quant_tensor=True),
    qnn.QuantConv2d(1, 16, 3, padding=1, weight_quant=free, bias=False),
    qnn.QuantReLU(act_quant=codes, return_quant_tensor=True),
    qnn.QuantConv2d(16, 32, 3, stride=2, weight_quant=held, bias=False),
    qnn.QuantReLU(act_quant=codes, return_quant_tensor=True),
    torch.nn.Flatten(),
    qnn.QuantLinear(32 * 9, 10, weight_quant=free, bias=False),
)

# %%
digits = load_digits()
order = torch.randperm(len(digits.target))
images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)[order]
labels = torch.tensor(digits.target)[order]
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
for _ in range(6):
    for batch in torch.randperm(1437).split(64):
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()
with torch.no_grad():
    expected = model(images[1437:]).numpy()
print(f"trained: {(expected.argmax(1) == labels[1437:].numpy()).mean():.2%}")

# %% [markdown]
# What the layers need, from the integers that Brevitas gives: no export is wanted
# for that.

# %%
for proof in a2q.torch.brevitas.prove(model, images[:64]):
    print(proof)

# %% [markdown]
# Brevitas' QCDQ export is read as it is, and computes the same. Its QONNX export is
# read as well, but of layers like the middle one Brevitas 0.13 writes the weights
# before their normalization, and so another network (docs/onnx.md has a remedy).

# %%
path = output / "model.onnx"
export_onnx_qcdq(model, args=images[:1], export_path=str(path), dynamo=False)
network = a2q.load(path)
scores = network.compile()(images[1437:].numpy())
share = (scores.argmax(1) == labels[1437:].numpy()).mean()
print(f"compiled: {share:.2%}, differs by {abs(scores - expected).max():.2g}")
print(network.prove())
