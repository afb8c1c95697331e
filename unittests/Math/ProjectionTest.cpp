//===- ProjectionTest.cpp - Weights onto an accumulator's budget ----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Projection.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace a2q;

namespace {

double l1(const std::vector<double> &u) {
  double sum = 0;
  for (double value : u)
    sum += std::abs(value);
  return sum;
}

double squaredDistance(const std::vector<double> &a,
                       const std::vector<double> &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

void expectFits(const std::vector<int64_t> &q, unsigned width, Range range) {
  std::vector<Range> ranges = {range};
  Norms reached = norms(q);
  Wide half = l1Budget(Bound::A2QPlus, width, range) / 2;
  EXPECT_LE(reached.pos, half);
  EXPECT_LE(reached.neg, half);
  EXPECT_LE(a2qPlusWidth(reached, range), width);
  EXPECT_TRUE(signedInterval(width).contains(prefixInterval({q, ranges})));
}

TEST(L1Ball, InsideStaysOutsideLandsOnTheSphere) {
  std::vector<double> u = {1, -2, 0.5};
  projectOntoL1Ball(u, 3.5);
  EXPECT_EQ(u, (std::vector<double>{1, -2, 0.5}));
  projectOntoL1Ball(u, 2);
  // theta = 0.5: (1 - t) + (2 - t) = 2, and 0.5 - t is 0.
  EXPECT_DOUBLE_EQ(u[0], 0.5);
  EXPECT_DOUBLE_EQ(u[1], -1.5);
  EXPECT_DOUBLE_EQ(u[2], 0);
  projectOntoL1Ball(u, 0);
  EXPECT_EQ(l1(u), 0);
}

// The nearest point of a convex set is the one from which no other point of the
// set lies in the direction of u.
TEST(L1Ball, NoPointOfTheBallIsNearer) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> u(1 + random() % 12);
    for (double &value : u)
      value = 3 * normal(random);
    double radius = 0.1 + 0.01 * static_cast<double>(random() % 500);
    std::vector<double> v = u;
    projectOntoL1Ball(v, radius);
    EXPECT_LE(l1(v), radius + 1e-9);
    double distance = squaredDistance(u, v);
    for (int other = 0; other < 50; ++other) {
      std::vector<double> w(u.size());
      for (size_t i = 0; i < w.size(); ++i)
        w[i] = v[i] + 0.1 * normal(random);
      if (double norm = l1(w); norm > radius)
        for (double &value : w)
          value *= radius / norm;
      EXPECT_GE(squaredDistance(u, w), distance - 1e-9);
    }
  }
}

TEST(A2QPlus, RandomRowsHold) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<double> u(1 + random() % 200);
    for (double &value : u)
      value = 4 * normal(random) + (trial % 3 == 0 ? 2.0 : 0.0);
    Range range = trial % 2 ? Range{0, 15} : Range{-8, 7};
    unsigned width = 5 + trial % 10;
    std::vector<int64_t> q = projectA2QPlus(u, width, range, 4);
    expectFits(q, width, range);
    for (int64_t value : q) {
      EXPECT_LE(value, 7);
      EXPECT_GE(value, -7);
    }
  }
}

// Soft-thresholding leaves the 40 alone on its side; without the mean removed a
// second time it keeps 16 units of one sign, which reach 240 > 127.
TEST(A2QPlus, MeanIsRemovedTwice) {
  std::vector<double> u(101, -0.4);
  u[0] = 40;
  std::vector<int64_t> q = projectA2QPlus(u, 8, {0, 15}, 8);
  expectFits(q, 8, {0, 15});
  EXPECT_EQ(q[0], 8);
}

// The same with few enough values to see the second pass: the other side gets
// its share of the budget. {16.93, 0, 0, 0, 0} has mean 3.39; less that, and
// scaled by 0.625, it is {8.47, -2.12, ...}.
TEST(A2QPlus, SecondPassSharesTheBudget) {
  std::vector<double> u = {30, -8, -8, -7, -7};
  EXPECT_EQ(projectA2QPlus(u, 8, {0, 15}, 8),
            (std::vector<int64_t>{8, -2, -2, -2, -2}));
}

/// A2Q+ by its definition, the threshold found by bisection. NaN where the
/// result is too near to an integer for truncation to be decided.
std::vector<double> slowA2QPlus(std::vector<double> v, double radius) {
  auto centre = [&] {
    double mean = 0;
    for (double value : v)
      mean += value / static_cast<double>(v.size());
    for (double &value : v)
      value -= mean;
  };
  centre();
  auto shrunk = [&](double theta) {
    double sum = 0;
    for (double value : v)
      sum += std::max(std::abs(value) - theta, 0.0);
    return sum;
  };
  double lo = 0, hi = 1e6;
  for (int step = 0; step < 200 && shrunk(0) > radius; ++step)
    (shrunk((lo + hi) / 2) > radius ? lo : hi) = (lo + hi) / 2;
  for (double &value : v)
    value = std::copysign(std::max(std::abs(value) - lo, 0.0), value);
  centre();
  double norm = l1(v);
  for (double &value : v) {
    value *= std::min(1.0, radius / norm);
    if (std::abs(value - std::round(value)) < 1e-6 && std::abs(value) > 0.5)
      value = std::numeric_limits<double>::quiet_NaN();
  }
  return v;
}

TEST(A2QPlus, AgainstTheDefinition) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  int compared = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<double> u(2 + random() % 60);
    for (double &value : u)
      value = std::exp(2 * normal(random)) * (random() % 2 ? 1 : -1);
    unsigned width = 7 + trial % 4;
    double radius = ((1 << width) - 2) / 15.0;
    std::vector<double> expected = slowA2QPlus(u, radius);
    std::vector<int64_t> q = projectA2QPlus(u, width, {0, 15}, 16);
    for (size_t i = 0; i < u.size(); ++i) {
      if (std::isnan(expected[i]))
        continue;
      ++compared;
      ASSERT_EQ(q[i], static_cast<int64_t>(expected[i]));
    }
  }
  EXPECT_GT(compared, 5000);
}

// The mean of equal values is not exact, so what is left is noise around 0.
TEST(A2QPlus, NearConstantRowHolds) {
  std::vector<double> u(16, 0.3);
  std::vector<int64_t> q = projectA2QPlus(u, 9, {0, 15}, 4);
  EXPECT_EQ(q, std::vector<int64_t>(16, 0));
  for (double &value : u)
    value = 1e6 * 0.3;
  u[3] += 1e-9;
  expectFits(projectA2QPlus(u, 9, {0, 15}, 4), 9, {0, 15});
}

TEST(A2QPlus, ZeroedChannelGivesZeros) {
  EXPECT_EQ(projectA2QPlus(std::vector<double>(8, 0.0), 8, {0, 15}, 4),
            std::vector<int64_t>(8, 0));
  EXPECT_TRUE(projectA2QPlus({}, 8, {0, 15}, 4).empty());
  // Width 1 has no budget at all.
  std::vector<double> u = {3, -3};
  EXPECT_EQ(projectA2QPlus(u, 1, {0, 15}, 4), (std::vector<int64_t>{0, 0}));
}

// A row that is in the budget to the last unit stays: +-8.466 truncate to 8.
TEST(A2QPlus, UsesItsHalves) {
  std::vector<double> u = {8, -8};
  EXPECT_EQ(projectA2QPlus(u, 8, {0, 15}, 8), (std::vector<int64_t>{8, -8}));
  u = {100, -100};
  EXPECT_EQ(projectA2QPlus(u, 8, {0, 15}, 8), (std::vector<int64_t>{8, -8}));
}

// Near 2^57 a double has steps of 32, so that the sums of the two signs are off
// by many units. The check after truncation has to catch it.
TEST(A2QPlus, FloatNoiseIsCaught) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> magnitude(0.9, 1.1);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> u(80);
    for (size_t i = 0; i < u.size(); ++i)
      u[i] = 1e22 * magnitude(random) * (i % 2 ? -1 : 1);
    expectFits(projectA2QPlus(u, 58, {0, 1}, 53), 58, {0, 1});
  }
}

TEST(A2QPlus, ZeroRangeIsUnlimited) {
  std::vector<double> u = {90, -90, 3, -3};
  EXPECT_EQ(projectA2QPlus(u, 8, {0, 0}, 8),
            (std::vector<int64_t>{90, -90, 3, -3}));
}

TEST(A2QPlus, ClipsToTheWeightType) {
  std::vector<double> u = {90, -90, 3, -3};
  EXPECT_EQ(projectA2QPlus(u, 16, {0, 1}, 4),
            (std::vector<int64_t>{7, -7, 3, -3}));
}

} // namespace
