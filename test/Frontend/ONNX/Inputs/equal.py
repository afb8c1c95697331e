#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""equal.py A.npy B.npy: fails unless the arrays are equal, bit for bit."""

import sys

import numpy as np

a, b = map(np.load, sys.argv[1:])
if a.dtype != b.dtype or a.shape != b.shape:
    sys.exit(f"{a.dtype} {a.shape}, not {b.dtype} {b.shape}")
if not np.array_equal(a, b):
    sys.exit(f"{np.sum(a != b)} of {a.size} differ, by up to {np.abs(a - b).max()}")
