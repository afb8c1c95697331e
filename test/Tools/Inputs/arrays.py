# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes good and bad .npy files into a folder."""

import os
import sys

import numpy as np


def path(name):
    return os.path.join(sys.argv[1], name)


x = np.arange(6, dtype=np.float32).reshape(2, 3)
np.save(path("x.npy"), x)
np.save(path("y.npy"), x.astype(np.int8))
np.save(path("double.npy"), x.astype(np.float64))
np.save(path("shape.npy"), x.reshape(3, 2))
np.save(path("twice.npy"), np.concatenate([x, x]))
np.save(path("fortran.npy"), np.asfortranarray(x))
with open(path("x.npy"), "rb") as f:
    good = f.read()
with open(path("short.npy"), "wb") as f:
    f.write(good[:-1])
with open(path("header.npy"), "wb") as f:
    f.write(good[:20])
with open(path("garbage.mlir"), "w") as f:
    f.write("garbage\n")
