# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pairs.py and pairs_torch.py share: how a runtime is asked which products
it adds in 16 bits, and what is said of its answers."""

import itertools
import sys

import numpy as np


def pairs_of(terms, outputs, codes):
    """The pairs that saturate; `codes` maps weights [outputs, terms] to output
    codes, a multiple of `outputs` channels at a time."""
    pairs = list(itertools.combinations(range(terms), 2))
    found = []
    for begin in range(0, len(pairs), outputs):
        some = pairs[begin: begin + outputs]
        weights = np.zeros((outputs, terms), np.int8)
        for channel, pair in enumerate(some):
            weights[channel, list(pair)] = 127
        found += [pair for pair, code in zip(some, codes(weights)) if code < 150]
    return found


def neighbours(terms, run=None):
    """Every two neighbours within runs of terms; by default all are one run."""
    run = run or terms
    return [(i, i + 1) for begin in range(0, terms, run)
            for i in range(begin, begin + run - 1, 2)]


def report(cases, who):
    """Prints the pairs of each case, (name, found, expected), and exits: with 0
    where all are as expected."""
    wrong = 0
    for name, found, expected in cases:
        wrong += found != expected
        print(f"{name:24} {'as assumed' if found == expected else 'OTHER':10} "
              f"{' '.join(f'{a}+{b}' for a, b in found) or 'none'}")
    if not any(found for _, found, _ in cases):
        sys.exit(f"nothing saturates: {who}")
    sys.exit(wrong > 0)
