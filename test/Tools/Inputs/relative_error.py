# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints how far one array is from another, and fails beyond a limit.

    relative_error.py found.npy wanted.npy limit

The error is |found - wanted|^2 / |wanted - mean|^2.
"""

import sys

import numpy as np

found, wanted = np.load(sys.argv[1]), np.load(sys.argv[2])
error = np.sum((found - wanted) ** 2) / np.sum((wanted - wanted.mean(0)) ** 2)
print(f"relative error {error:.5f}")
if not error <= float(sys.argv[3]):
    sys.exit(f"{error} is more than {sys.argv[3]}")
