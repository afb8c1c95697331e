//===- CorrectionTest.cpp - Restore a sum's mean and variance -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Correction.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace a2q;

namespace {

/// Of sums computed one by one.
SumStatistics measured(std::span<const double> sums) {
  double mean = 0, variance = 0;
  for (double sum : sums)
    mean += sum / static_cast<double>(sums.size());
  for (double sum : sums)
    variance += (sum - mean) * (sum - mean) / static_cast<double>(sums.size());
  return {mean, variance};
}

TEST(Correction, WorkedExample) {
  Moments moments = {2, 4, {1, 1}, {2, 1, 1, 2}};
  std::vector<double> weights = {3, 1, 3, 0};
  std::vector<SumStatistics> statistics = sumStatistics(weights, moments);
  EXPECT_EQ(statistics, (std::vector<SumStatistics>{{4, 10}, {3, 9}}));
  Correction correction = restoreStatistics(statistics[1], statistics[0]);
  EXPECT_NEAR(correction.factor, 1.0541, 5e-5);
  EXPECT_NEAR(correction.shift, 0.8377, 5e-5);
  EXPECT_EQ(restoreMean(statistics[1], statistics[0]), (Correction{1, 1}));
}

// 70 channels: more than one block of them. The corrected sums of the very
// vectors that made the moments have the old mean and variance.
TEST(Correction, RestoresMeanAndVarianceOfTheData) {
  constexpr size_t length = 21, count = 400, channels = 70;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0, 2);
  std::vector<float> x(length * count);
  for (size_t n = 0; n < count; ++n) {
    double common = normal(random);
    for (size_t k = 0; k < length; ++k)
      x[n * length + k] =
          static_cast<float>(std::abs(std::round(normal(random) + common)));
  }
  MomentAccumulator accumulator(length);
  ASSERT_TRUE(accumulator.add(x));
  Moments moments = accumulator.take();

  std::vector<double> before(channels * length), now(channels * length);
  for (size_t i = 0; i < before.size(); ++i) {
    before[i] = normal(random);
    now[i] = std::trunc(before[i]);
  }
  auto was = sumStatistics(before, moments), is = sumStatistics(now, moments);
  ASSERT_EQ(was.size(), channels);
  for (size_t c = 0; c < channels; ++c) {
    Correction correction = restoreStatistics(is[c], was[c]);
    std::vector<double> oldSums, newSums;
    for (size_t n = 0; n < count; ++n) {
      double oldSum = 0, newSum = 0;
      for (size_t k = 0; k < length; ++k) {
        oldSum += before[c * length + k] * x[n * length + k];
        newSum += now[c * length + k] * x[n * length + k];
      }
      oldSums.push_back(oldSum);
      newSums.push_back(correction.factor * newSum + correction.shift);
    }
    SumStatistics wanted = measured(oldSums), got = measured(newSums);
    EXPECT_NEAR(wanted.mean, was[c].mean, 1e-9 * (1 + std::abs(wanted.mean)));
    EXPECT_NEAR(wanted.variance, was[c].variance, 1e-9 * wanted.variance);
    EXPECT_NEAR(got.mean, wanted.mean, 1e-9 * (1 + std::abs(wanted.mean)));
    EXPECT_NEAR(got.variance, wanted.variance, 1e-9 * wanted.variance);
  }
}

TEST(Correction, NothingToScale) {
  // An emptied channel, and one whose inputs never change.
  EXPECT_EQ(restoreStatistics({0, 0}, {5, 2}), (Correction{1, 5}));
  EXPECT_EQ(restoreStatistics({3, 2}, {5, 0}), (Correction{1, 2}));
  EXPECT_EQ(restoreStatistics({3, 0}, {3, 0}), (Correction{1, 0}));
  // x = 7 / 3 always: what the squares leave is rounding, not variance.
  double x = 7.0 / 3;
  Moments constant = {2, 9, {x, x}, {x * x, x * x, x * x, x * x}};
  for (double weight : {0.1, 1.0, 1e3 / 7})
    EXPECT_EQ(
        sumStatistics(std::vector<double>{weight, weight / 3}, constant)[0]
            .variance,
        0);
}

} // namespace
