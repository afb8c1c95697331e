//===- IntegerProjectionTest.cpp - Nearest integers within a budget -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/IntegerProjection.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <random>

using namespace a2q;

namespace {

/// The least error of any integers in [-limit, limit] for each (pos, neg), by
/// trying all of them.
class Exhaustive {
public:
  Exhaustive(std::span<const double> u, std::span<const double> h,
             int64_t limit)
      : u(u), h(h), limit(limit) {
    visit(0, 0, 0, 0);
  }
  double best(const Budget &budget) const {
    double least = std::numeric_limits<double>::infinity();
    for (auto [key, error] : errors)
      if (budget.admits({key.first, key.second}))
        least = std::min(least, error);
    return least;
  }

private:
  void visit(size_t i, int64_t pos, int64_t neg, double error) {
    if (i == u.size()) {
      auto [entry, isNew] = errors.try_emplace({pos, neg}, error);
      if (!isNew)
        entry->second = std::min(entry->second, error);
      return;
    }
    for (int64_t q = -limit; q <= limit; ++q) {
      double difference = static_cast<double>(q) - u[i];
      visit(i + 1, pos + std::max<int64_t>(q, 0),
            neg + std::max<int64_t>(-q, 0),
            error + (h.empty() ? 1.0 : h[i]) * difference * difference);
    }
  }
  std::span<const double> u, h;
  int64_t limit;
  std::map<std::pair<int64_t, int64_t>, double> errors;
};

std::vector<double> sample(size_t length, int kind, std::mt19937_64 &random) {
  std::normal_distribution<double> normal;
  std::vector<double> u(length);
  for (double &value : u) {
    value = 2 * normal(random);
    if (kind == 1) // ties between weights and between integers
      value = std::round(2 * value) / 2;
    if (kind == 2) // beyond the weights' range, mostly of one sign
      value = 4 * value + 3;
  }
  return u;
}

// All K <= 6 and M <= 3, all kinds of budgets at every width, with and without
// the diagonal: no integers are nearer.
TEST(NearestIntegers, OptimalByExhaustion) {
  std::mt19937_64 random(21);
  std::uniform_real_distribution<double> diagonal(0, 3);
  std::vector<Range> ranges = {{0, 3}, {-2, 1}, {-1, 4}, {0, 1}, {-3, 0}};
  size_t compared = 0;
  for (size_t length = 1; length <= 6; ++length)
    for (unsigned bits : {2, 3})
      for (int trial = 0; trial < 6; ++trial) {
        std::vector<double> u = sample(length, trial % 3, random);
        std::vector<double> h(trial % 2 ? length : 0);
        for (double &value : h)
          value = random() % 4 ? diagonal(random) : 0.0;
        int64_t limit = narrowLimit(bits);
        Exhaustive all(u, h, limit);
        for (Range range : ranges)
          for (Bound bound :
               {Bound::A2Q, Bound::A2QPlus, Bound::Exact, Bound::Centred})
            for (unsigned width = 1; width <= 7; ++width) {
              Budget budget = budgetOf(bound, width, range);
              std::vector<int64_t> q = nearestIntegers(u, budget, limit, h);
              ASSERT_TRUE(budget.admits(norms(q)));
              for (int64_t value : q)
                ASSERT_LE(std::abs(value), limit);
              ASSERT_NEAR(squaredError(u, q, 1, h), all.best(budget), 1e-9)
                  << toString(bound) << " P = " << width << " K = " << length;
              ++compared;
            }
      }
  EXPECT_GT(compared, 10000u);
}

/// One unit after the other, the cheapest first: the definition of the greedy
/// method, for lengths that exhaustion does not reach.
std::vector<int64_t> oneByOne(std::span<const double> u, int64_t budget,
                              int64_t limit, std::span<const double> h) {
  std::vector<int64_t> q(u.size());
  int64_t l1 = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    q[i] = std::clamp<int64_t>(std::llround(u[i]), -limit, limit);
    l1 += std::abs(q[i]);
  }
  for (; l1 > budget; --l1) {
    size_t best = u.size();
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < u.size(); ++i) {
      if (q[i] == 0)
        continue;
      double cut = std::abs(u[i]) - static_cast<double>(std::abs(q[i]));
      double cost = (h.empty() ? 1 : h[i]) * (2 * cut + 1);
      if (cost < least) {
        least = cost;
        best = i;
      }
    }
    q[best] -= q[best] > 0 ? 1 : -1;
  }
  return q;
}

TEST(NearestIntegers, EqualsOneByOne) {
  std::mt19937_64 random(22);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 60; ++trial) {
    std::vector<double> u(1 + random() % 300), h(trial % 2 ? u.size() : 0);
    for (double &value : u)
      value = std::exp(2 * normal(random)) * (random() % 2 ? 1 : -1);
    for (double &value : h)
      value = std::exp(2 * normal(random));
    int64_t limit = trial % 3 ? 7 : 127;
    unsigned width = 6 + trial % 6;
    Budget budget = budgetOf(Bound::Centred, width, {0, 15});
    std::vector<int64_t> q = nearestIntegers(u, budget, limit, h);
    std::vector<int64_t> expected =
        oneByOne(u, static_cast<int64_t>(budget.largestPos(0)), limit, h);
    EXPECT_TRUE(budget.admits(norms(q)));
    EXPECT_EQ(q, expected);
  }
}

// Long rows, where a sample of the costs narrows the search: uneven costs,
// equal ones, and budgets from nearly nothing to nearly all.
TEST(NearestIntegers, LongRowsEqualOneByOne) {
  std::mt19937_64 random(25);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 5; ++trial) {
    std::vector<double> u(700 + 97 * trial), h(trial % 2 ? u.size() : 0);
    for (double &value : u) {
      value = 2 * normal(random);
      if (trial == 2)
        value = std::round(value);
      if (trial >= 3)
        value *= std::exp(normal(random));
    }
    for (double &value : h)
      value = std::exp(3 * normal(random));
    for (int64_t l1 : {1, 40, 300, 600, 1200}) {
      Budget budget = {{1, 1, l1}, {1, 1, l1}};
      std::vector<int64_t> q = nearestIntegers(u, budget, 7, h);
      std::vector<int64_t> expected = oneByOne(u, l1, 7, h);
      EXPECT_EQ(norms(q).l1(), norms(expected).l1());
      double error = squaredError(u, expected, 1, h);
      EXPECT_NEAR(squaredError(u, q, 1, h), error, 1e-9 * error);
    }
  }
}

// The worked example of the header.
TEST(NearestIntegers, UsesTheWholeBudget) {
  std::vector<double> u = {2.6, -1.4, 0.8, 0.3};
  Budget budget = {{1, 1, 3}, {1, 1, 3}};
  EXPECT_EQ(nearestIntegers(u, budget, 7), (std::vector<int64_t>{2, -1, 0, 0}));
}

TEST(NearestIntegers, EqualWeights) {
  std::vector<double> u(1000, 0.9), h(1000, 0.0);
  Budget budget = {{1, 1, 400}, {1, 1, 400}};
  EXPECT_EQ(norms(nearestIntegers(u, budget, 7)).l1(), 400);
  EXPECT_EQ(norms(nearestIntegers(u, budget, 7, h)).l1(), 400);
  std::vector<double> large(1000, 1e6);
  budget = {{1, 1, 123456789}, {1, 1, 123456789}};
  EXPECT_EQ(norms(nearestIntegers(large, budget, 1 << 20, h)).l1(), 123456789);
  EXPECT_EQ(norms(nearestIntegers(large, budget, 1 << 20)).l1(), 123456789);
}

TEST(NearestIntegers, ExtremeValuesStayInside) {
  double huge = std::numeric_limits<double>::max();
  std::vector<double> u = {huge, -huge, 5e-324, 0, 1e300, 3};
  std::vector<double> h = {1, 0, 1, 1, 1e-300, 2};
  for (Range range : {Range{0, 15}, Range{-8, 7}})
    for (Bound bound : {Bound::A2QPlus, Bound::Exact, Bound::Centred})
      for (unsigned width = 1; width < 14; ++width) {
        Budget budget = budgetOf(bound, width, range);
        EXPECT_TRUE(budget.admits(norms(nearestIntegers(u, budget, 127))));
        EXPECT_TRUE(budget.admits(norms(nearestIntegers(u, budget, 127, h))));
      }
}

TEST(NearestIntegers, NoLimitRoundsAndClips) {
  std::vector<double> u = {0.5, -0.5, 1.5, 90, -0.49999999999999994, 2.6};
  Budget free = budgetOf(Bound::Exact, 8, {0, 0});
  EXPECT_EQ(nearestIntegers(u, free, 7),
            (std::vector<int64_t>{0, 0, 1, 7, 0, 3}));
  EXPECT_TRUE(nearestIntegers({}, free, 7).empty());
}

// Each tile has the budget of a whole accumulator.
TEST(NearestIntegers, PerTile) {
  std::mt19937_64 random(23);
  std::vector<double> u = sample(100, 2, random);
  std::vector<uint32_t> ends = {10, 11, 50, 100};
  Budget budget = budgetOf(Bound::Exact, 8, {-8, 7});
  std::vector<int64_t> q = nearestIntegers(u, budget, 7, {}, ends);
  forEachTile(u.size(), ends, [&](size_t begin, size_t end) {
    std::span<const double> part = std::span(u).subspan(begin, end - begin);
    std::vector<int64_t> alone = nearestIntegers(part, budget, 7);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), q.begin() + begin));
  });
}

// Inside the budget, and never nearer than the nearest.
TEST(ProjectedIntegers, RoundsWithinTheBudget) {
  std::mt19937_64 random(24);
  std::vector<Range> ranges = {{0, 15}, {-8, 7}, {-3, 12}};
  for (int trial = 0; trial < 60; ++trial) {
    std::vector<double> u = sample(1 + random() % 40, trial % 3, random);
    for (Range range : ranges)
      for (Bound bound : {Bound::A2QPlus, Bound::Exact, Bound::Centred})
        for (unsigned width = 4; width < 10; ++width) {
          Budget budget = budgetOf(bound, width, range);
          std::vector<int64_t> q = projectedIntegers(u, budget, 7);
          EXPECT_TRUE(budget.admits(norms(q)));
          EXPECT_LE(squaredError(u, nearestIntegers(u, budget, 7)),
                    squaredError(u, q) + 1e-9);
        }
  }
  EXPECT_EQ(projectedIntegers(std::vector<double>{3.7, -0.8},
                              {{2, 2, 5}, {2, 2, 5}}, 7),
            (std::vector<int64_t>{2, 0}));
}

} // namespace
