# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a module of examples/torch-mlir and compares it with answers to all images.

    torch_digits.py MODULE.mlir LOGITS.npy SOURCES FOLDER [options of a2q-run]
"""

import os
import subprocess
import sys

import numpy as np

module, logits, sources, folder, *options = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
x, y = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
np.save(x, np.load(os.path.join(sources, "examples/digits/images.npy")).astype(np.int8))
subprocess.run(["a2q-run", module, f"--input={x}", f"--output={y}", *options], check=True)
found, expected = np.load(y), np.load(logits)
print(f"{(found == expected).all(1).sum()} of {len(expected)} images agree")
