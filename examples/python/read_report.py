# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""# Reading a report

What is proven of a network's accumulators, and what to do about it. Run it in its
folder, as a script or as the notebook of the same name.
"""

# %%
import pathlib
import tempfile

import numpy as np

import a2q

digits = pathlib.Path("../digits")
output = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# The model has weights and activations of 4 bits. `prove` finds the narrowest
# accumulator of each layer; it prints as a table, and a notebook shows a page with
# every bound, histograms of the channels, and advice.

# %%
model = a2q.load(digits / "digits-w4a4.onnx")
report = model.prove()
print(report)
report.save(output / "digits.html")
report

# %% [markdown]
# Layers have names. `widths` are the bits that each bound asks for, in the worst
# channel: by the data types alone, and better the more a bound knows of the weights.

# %%
layer = report["conv2"]
for bound, bits in layer.widths.items():
    print(f"{bound:<12} {bits} bits")
print(f"{layer.reduction_length} products in each of {len(layer.channels)} channels")

# %% [markdown]
# The worst channel is the one that sets the width. `prefix` is all that its partial
# sums can be, in any order and for any input.

# %%
worst = max(range(len(layer.channels)), key=lambda c: layer.channels[c].prefix_width)
channel = layer.channels[worst]
print(f"channel {worst}: l1 norm {channel.l1}, sums in {list(channel.prefix)}")
print(f"{channel.prefix_width} bits, {channel.centred_width} from the best start")
needed = np.array([channel.prefix_width for channel in layer.channels])
print("channels by bits:", dict(zip(*map(list, np.unique(needed, return_counts=True)))))

# %% [markdown]
# Without changing any sum: tiles that fit 8 bits, summed in wider accumulators.
# `spills` is how often an output's sum is widened.

# %%
for layer in model.stage(inner=8).report():
    tiles = ", ".join(f"{s.width} bits x {s.terms}" for s in layer.stages)
    print(f"{layer.name:<8} {tiles:<36} {layer.spills} spills")

# %% [markdown]
# With other weights: the nearest ones whose sums fit 10 bits. The report then holds
# what that cost.

# %%
images = np.load(digits / "images.npy")
labels = np.load(digits / "labels.npy")
narrow = model.constrain(width=10, calibration=images[:200])
for layer in narrow.report():
    change = layer.constraint
    print(f"{layer.name:<8} error of the sums {change['output_error']:.3%}, zeros "
          f"{change['sparsity_before']:.0%} -> {change['sparsity_after']:.0%}")
for name, network in (("as it was", model), ("10 bits", narrow)):
    right = network.compile()(images).argmax(1) == labels
    print(f"{name:<10} {right.mean():.2%}")
narrow.report().save(output / "digits-10.html")
print(f"pages in {output}")
