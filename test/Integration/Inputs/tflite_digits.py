# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the converted network of examples/tflite against TFLite's recorded answers.

    tflite_digits.py SOURCES FOLDER IMAGES [options of a2q-run]
"""

import os
import subprocess
import sys

import numpy as np

sources, folder, count, *options = sys.argv[1:]
examples = os.path.join(sources, "examples")
os.makedirs(folder, exist_ok=True)
images = np.load(os.path.join(examples, "digits/images.npy")).reshape(-1, 8, 8, 1)
codes = np.rint(images.astype(np.float32) / np.float32(16 / 255)) - 128
x, y = os.path.join(folder, "x.npy"), os.path.join(folder, "y.npy")
np.save(x, codes.astype(np.int8)[:int(count)])
subprocess.run(["a2q-run", os.path.join(examples, "tflite/digits.mlir"), f"--input={x}",
                f"--output={y}", *options], check=True)
found = np.load(y)
expected = np.load(os.path.join(examples, "tflite/scores.npy"))[:int(count)]
assert found.dtype == expected.dtype, found.dtype
print(f"{(found == expected).all(1).sum()} of {len(expected)} images as TFLite")
