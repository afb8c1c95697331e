# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""# A sweep with its plot

Accuracy over accumulator widths, methods and tiles, as lines of a file. Run it in
its folder, as a script or as the notebook of the same name. It needs Matplotlib:
`pip install 'a2q[plot,sweep]'`.
"""

# %%
import pathlib
import tempfile

import numpy as np

import a2q.plot
from a2q.sweep import ConstrainedAccuracy, grid, read, search, sweep

digits = pathlib.Path("../digits")
output = pathlib.Path(tempfile.mkdtemp())
results = output / "sweep.jsonl"

# %% [markdown]
# What is measured at each point. Any function of a point will do; this one holds
# the weights of a network to what the point says and runs it on labelled images.

# %%
np.save(output / "calibration.npy", np.load(digits / "images.npy")[:100])
evaluate = ConstrainedAccuracy(
    digits / "digits-w4a4.onnx",
    digits / "images.npy",
    digits / "labels.npy",
    output / "calibration.npy",
)

# %% [markdown]
# Each point becomes a line of the file as soon as it is known: a sweep that was
# stopped goes on where it was. `jobs=4` takes four processes, `client=` a Dask
# cluster.

# %%
points = grid(method=["optimal", "a2q-plus"], tile=[0], width=[8, 10, 12])
points += grid(method=["optimal"], tile=[36], width=[8, 9])
for entry in sweep(evaluate, points, results, progress=False):
    said = entry.get("error") or f"{entry['result']['accuracy']:.2f} %"
    print(entry["point"], said)

# %%
axes = a2q.plot.pareto(read(results), output / "sweep.svg")
axes.figure

# %% [markdown]
# Where only the narrowest width that will do is wanted, a bisection measures fewer
# points; those that are in the file already cost nothing.

# %%
found = search(
    evaluate,
    grid(method=["optimal", "a2q-plus"], tile=[0]),
    results,
    good=lambda result: result["accuracy"] >= 95,
    values=range(6, 17),
    progress=False,
)
for entry in found:
    print(f"{entry['point']['method']}: {entry['point']['width']} bits")
print(f"results and picture in {output}")
