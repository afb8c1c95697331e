#!/usr/bin/env python3
# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the training's quantizers, by enumeration. Skipped without PyTorch."""

import itertools
import unittest

try:
    import torch

    import quantizers
except ImportError:
    torch = None


@unittest.skipIf(torch is None, "torch not installed")
class Projection(unittest.TestCase):
    def test_nearest_integers_within_the_budget(self):
        generator = torch.Generator().manual_seed(0)
        limit = 3
        grid = itertools.product(range(-limit, limit + 1), repeat=4)
        candidates = torch.tensor(list(grid), dtype=torch.float32)
        u = 8 * torch.rand(50, 4, generator=generator) - 4
        for budget in range(13):
            q = quantizers.project_onto_budget(u, budget, limit)
            self.assertLessEqual(q.abs().sum(1).max(), budget)
            self.assertLessEqual(q.abs().max(), limit)
            feasible = candidates[candidates.abs().sum(1) <= budget]
            best = (feasible[None] - u[:, None]).pow(2).sum(2).min(1).values
            torch.testing.assert_close((q - u).pow(2).sum(1), best)

    def test_budget(self):
        self.assertEqual(quantizers.accumulator_budget(8, 15), 17)
        self.assertEqual(quantizers.accumulator_budget(16, 255), 257)

    def test_exported_integers_are_those_of_the_forward_pass(self):
        torch.manual_seed(0)
        weight = torch.randn(6, 5, 3, 3)
        quantizer = quantizers.WeightQuantizer(weight, bits=4, budget=17)
        integers = quantizer.integers()
        self.assertLessEqual(integers.abs().flatten(1).sum(1).max(), 17)
        scale = quantizer.scale().view(-1, 1, 1, 1)
        torch.testing.assert_close(quantizer(), integers * scale)
        quantizer().sum().backward()
        self.assertTrue(quantizer.weight.grad.abs().sum() > 0)
        self.assertTrue(quantizer.log_scale.grad.abs().sum() > 0)

    def test_activation_scale_is_a_power_of_two(self):
        x = torch.linspace(-1, 5, 1000)
        quantizer = quantizers.ActivationQuantizer(4, x.clamp(min=0))
        scale = quantizer.scale().item()
        self.assertEqual(scale, 0.25)
        codes = quantizer(x) / scale
        torch.testing.assert_close(codes, codes.round())
        self.assertEqual((codes.min(), codes.max()), (0, 15))


if __name__ == "__main__":
    unittest.main()
