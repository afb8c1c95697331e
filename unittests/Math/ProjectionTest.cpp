//===- ProjectionTest.cpp - Weights onto an accumulator's budget ----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Projection.h"

#include <algorithm>
#include <cmath>
#include <functional>
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

/// The threshold by its definition (Duchi et al. 2008, figure 1).
std::vector<double> sortedProjection(std::vector<double> u, double radius) {
  std::vector<double> sorted;
  for (double value : u)
    sorted.push_back(std::abs(value));
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  if (l1(u) <= radius)
    return u;
  long double sum = 0, theta = 0;
  for (size_t j = 0; j < sorted.size(); ++j) {
    sum += sorted[j];
    long double candidate = (sum - radius) / static_cast<long double>(j + 1);
    if (sorted[j] >= candidate)
      theta = candidate;
  }
  for (double &value : u)
    value = std::copysign(
        static_cast<double>(std::max(std::abs(value) - theta, 0.0L)), value);
  return u;
}

void expectAsSorted(std::vector<double> u, double radius) {
  std::vector<double> expected = sortedProjection(u, radius);
  double scale = 0;
  for (double value : u)
    scale = std::max(scale, std::abs(value));
  ASSERT_TRUE(projectOntoL1Ball(u, radius));
  for (size_t i = 0; i < u.size(); ++i)
    ASSERT_NEAR(u[i], expected[i], 1e-12 * scale) << "at " << i;
}

TEST(L1Ball, EqualsTheSortedDefinition) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<double> u(1 + random() % 700);
    for (double &value : u) {
      value = normal(random);
      if (trial % 3 == 1) // heavy tails
        value = std::copysign(std::exp(6 * value), value);
      if (trial % 3 == 2) // ties and zeros
        value = std::round(value);
    }
    double norm = l1(u);
    for (double share : {1e-9, 0.01, 0.3, 0.9, 0.999999, 1.0, 2.0})
      expectAsSorted(u, share * norm);
  }
}

TEST(L1Ball, MadeUpInputs) {
  expectAsSorted({}, 1);
  expectAsSorted(std::vector<double>(1000, 0.3), 7);
  expectAsSorted(std::vector<double>(1000, 0.0), 0);
  expectAsSorted({0, -0.0, 5, -0.0, 5, -5}, 3);
  double tiny = std::numeric_limits<double>::denorm_min();
  expectAsSorted({tiny, -tiny, 3 * tiny, 2}, 1);
  expectAsSorted({tiny, -tiny, 3 * tiny}, 2 * tiny);
  // Each is more than all later ones together: one leaves per mean.
  std::vector<double> powers;
  for (int k = 0; k < 900; ++k)
    powers.push_back(std::ldexp(k % 2 ? -1.0 : 1.0, 400 - k));
  for (double radius : {1e-200, 1e-100, 1.0, 1e50, 1e120})
    expectAsSorted(powers, radius);
}

TEST(L1Ball, SumsThatOverflow) {
  double huge = std::numeric_limits<double>::max();
  std::vector<double> u = {huge, -huge, huge, 1};
  ASSERT_TRUE(projectOntoL1Ball(u, 3.0));
  EXPECT_EQ(u, (std::vector<double>{0, 0, 0, 0})); // 1 is below max's noise
  u = {huge, -huge, huge / 2};
  ASSERT_TRUE(projectOntoL1Ball(u, huge));
  EXPECT_NEAR(u[0] / huge, 0.5, 1e-12);
  EXPECT_NEAR(u[1] / huge, -0.5, 1e-12);
  EXPECT_NEAR(u[2] / huge, 0.0, 1e-12);
}

TEST(L1Ball, RefusesWhatIsNoNumber) {
  double infinity = std::numeric_limits<double>::infinity();
  double nan = std::numeric_limits<double>::quiet_NaN();
  for (double bad : {infinity, -infinity, nan}) {
    std::vector<double> u = {1, bad, 2};
    EXPECT_FALSE(projectOntoL1Ball(u, 1));
    EXPECT_EQ(u[0], 1);
    EXPECT_EQ(u[2], 2);
  }
  std::vector<double> u = {1, 2};
  EXPECT_FALSE(projectOntoL1Ball(u, -1));
  EXPECT_FALSE(projectOntoL1Ball(u, nan));
  EXPECT_TRUE(projectOntoL1Ball(u, infinity));
  EXPECT_EQ(u, (std::vector<double>{1, 2}));
}

/// Checks that no admitted point near `v` is nearer to `u`, by the condition of
/// optimality along random directions.
void expectNearest(const std::vector<double> &u, const std::vector<double> &v,
                   const Budget &budget, std::mt19937_64 &random) {
  auto excess = [&](const std::vector<double> &w) {
    double pos = 0, neg = 0, most = 0;
    for (double value : w)
      (value > 0 ? pos : neg) += std::abs(value);
    for (const Budget::Condition &condition : {budget.upper, budget.lower})
      if (condition.pos + condition.neg > 0)
        most = std::max(most, (static_cast<double>(condition.pos) * pos +
                               static_cast<double>(condition.neg) * neg) /
                                  static_cast<double>(condition.limit));
    return most;
  };
  ASSERT_LE(excess(v), 1 + 1e-9);
  std::normal_distribution<double> normal;
  double distance = squaredDistance(u, v);
  for (int other = 0; other < 100; ++other) {
    std::vector<double> w(u.size());
    double reach = other % 2 ? 0.1 : 0.001;
    for (size_t i = 0; i < w.size(); ++i)
      w[i] = v[i] + reach * normal(random);
    if (double most = excess(w); most > 1)
      for (double &value : w)
        value /= most;
    ASSERT_GE(squaredDistance(u, w), distance - 1e-9);
  }
}

TEST(ProjectOntoBudget, NoAdmittedPointIsNearer) {
  std::mt19937_64 random(12);
  std::normal_distribution<double> normal;
  std::vector<Range> ranges = {{0, 15}, {-8, 7}, {-3, 12}, {-7, 7}, {-9, 0}};
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> u(1 + random() % 12);
    for (double &value : u)
      value = 5 * normal(random) + (trial % 4 == 3 ? 4 : 0);
    for (Range range : ranges)
      for (Bound bound :
           {Bound::A2Q, Bound::A2QPlus, Bound::Exact, Bound::Centred}) {
        Budget budget = budgetOf(bound, 6 + trial % 4, range);
        std::vector<double> v = u;
        ASSERT_TRUE(projectOntoBudget(v, budget));
        expectNearest(u, v, budget, random);
      }
  }
}

TEST(ProjectOntoBudget, SumsThatOverflow) {
  double huge = std::numeric_limits<double>::max();
  std::vector<double> u = {huge, -huge, 3, huge / 4};
  ASSERT_TRUE(projectOntoBudget(u, budgetOf(Bound::Exact, 8, {-3, 12})));
  for (double value : u)
    EXPECT_LE(std::abs(value), huge * 1e-12);
  u = {1, std::numeric_limits<double>::infinity()};
  EXPECT_FALSE(projectOntoBudget(u, budgetOf(Bound::Exact, 8, {-3, 12})));
  EXPECT_FALSE(projectOntoBudget(u, budgetOf(Bound::Exact, 8, {0, 15})));
  EXPECT_EQ(u[0], 1);
}

// Signed codes: 12 pos + 3 neg <= 127 and 3 pos + 12 neg <= 128. With much of
// both signs both conditions bind, pos = 8.44 and neg = 8.56.
TEST(ProjectOntoBudget, BothConditionsBind) {
  Budget budget = budgetOf(Bound::Exact, 8, {-3, 12});
  std::vector<double> u = {10, 9, -10, -9, 0.1};
  ASSERT_TRUE(projectOntoBudget(u, budget));
  double pos = (127 * 12 - 128 * 3) / 135.0, neg = (128 * 12 - 127 * 3) / 135.0;
  EXPECT_NEAR(u[0], (pos + 1) / 2, 1e-12);
  EXPECT_NEAR(u[1], (pos - 1) / 2, 1e-12);
  EXPECT_NEAR(u[2], -(neg + 1) / 2, 1e-12);
  EXPECT_NEAR(u[3], -(neg - 1) / 2, 1e-12);
  EXPECT_EQ(u[4], 0);
}

} // namespace
