//===- WeightScaleTest.cpp - Integers of weights against all there are ----===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/WeightScale.h"

#include "a2q/Math/IntegerProjection.h"

#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace a2q;

namespace {

using Reals = std::vector<double>;

/// The least error over all integers of the limit, each with its best scale.
double leastError(const Reals &w, int64_t limit, const Reals &h) {
  std::vector<int64_t> q(w.size(), -limit);
  double least = squaredError(w, std::vector<int64_t>(w.size(), 0), 1, h);
  for (;;) {
    least = std::min(least, squaredError(w, q, bestScale(w, q, h), h));
    size_t i = 0;
    for (; i < q.size() && q[i] == limit; ++i)
      q[i] = -limit;
    if (i == q.size())
      return least;
    ++q[i];
  }
}

double errorOf(const Reals &w, const ScaledIntegers &found,
               const Reals &h = {}) {
  return squaredError(w, found.integers, found.scale, h);
}

TEST(WeightScaleTest, IsTheBestOfAll) {
  std::mt19937 rng(7);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(0, 1);
  for (size_t size : {1, 2, 3, 4})
    for (int64_t limit : {1, 2, 3})
      for (int repeat = 0; repeat < 30; ++repeat) {
        Reals w, h;
        for (size_t i = 0; i < size; ++i) {
          // Heavy tails, so that cutting off pays.
          w.push_back(std::pow(normal(rng), 3));
          h.push_back(repeat % 5 == 0 ? 0.0 : uniform(rng));
        }
        if (repeat % 5 == 0)
          h[0] = 1;
        for (const Reals &weights : {Reals(), h}) {
          ScaledIntegers found = nearestScaledIntegers(w, limit, weights);
          for (int64_t q : found.integers)
            EXPECT_LE(std::abs(q), limit);
          double least = leastError(w, limit, weights);
          EXPECT_NEAR(errorOf(w, found, weights), least, 1e-9 * (1 + least))
              << "size " << size << " limit " << limit << " repeat " << repeat;
        }
      }
}

/// Multiples of a scale are found, whatever the unit.
TEST(WeightScaleTest, FindsWhatIsThere) {
  for (double unit : {1.0, 0.037, 1e-30, 1e-300, 1e300}) {
    std::vector<int64_t> q = {7, -7, 3, 0, -1, 5};
    Reals w;
    for (int64_t integer : q)
      w.push_back(static_cast<double>(integer) * unit);
    ScaledIntegers found = nearestScaledIntegers(w, 7);
    EXPECT_EQ(found.integers, q);
    EXPECT_NEAR(found.scale / unit, 1, 1e-12);
  }
}

/// More units than are sorted: 3,000 weights of 8 and of 12 bits. The grid may
/// not lose against the scale that cuts nothing off, nor against its
/// neighbourhood.
TEST(WeightScaleTest, ManyUnits) {
  std::mt19937 rng(11);
  std::normal_distribution<double> normal;
  Reals w;
  for (int i = 0; i < 3000; ++i)
    w.push_back(normal(rng));
  double largest = 0;
  for (double value : w)
    largest = std::max(largest, std::abs(value));
  for (int64_t limit : {127, 2047}) {
    double found = errorOf(w, nearestScaledIntegers(w, limit));
    double best = INFINITY;
    for (int step = 0; step < 400; ++step) {
      double scale =
          largest / static_cast<double>(limit) * (0.4 + 0.002 * step);
      double error = 0;
      for (double value : w) {
        double q =
            std::clamp(std::nearbyint(value / scale),
                       -static_cast<double>(limit), static_cast<double>(limit));
        error += (q * scale - value) * (q * scale - value);
      }
      best = std::min(best, error);
    }
    EXPECT_LE(found, 1.01 * best);
  }
}

TEST(WeightScaleTest, NothingToRepresent) {
  ScaledIntegers zero = nearestScaledIntegers(Reals{0, 0}, 7);
  EXPECT_EQ(zero.scale, 1);
  EXPECT_EQ(zero.integers, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(nearestScaledIntegers(Reals{1e-310}, 7).integers.front(), 0);
  EXPECT_TRUE(nearestScaledIntegers(Reals(), 7).integers.empty());
  // Only a zero counts: the others count alike then.
  EXPECT_EQ(nearestScaledIntegers(Reals{0, 2}, 7, Reals{1, 0}).integers[1],
            nearestScaledIntegers(Reals{0, 2}, 7).integers[1]);
  // What does not count is cut off, however large.
  EXPECT_EQ(nearestScaledIntegers(Reals{1e200, 2, -1e-200}, 1, Reals{0, 1, 0})
                .integers,
            (std::vector<int64_t>{1, 1, 0}));
}

} // namespace
