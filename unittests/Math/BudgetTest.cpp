//===- BudgetTest.cpp - What the weights of one accumulator may be --------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Budget.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace a2q;

namespace {

/// The width that the bound's own function asks for one channel of these norms.
unsigned widthOf(Bound bound, Norms norms, Range range) {
  std::vector<int64_t> weights = {static_cast<int64_t>(norms.pos),
                                  -static_cast<int64_t>(norms.neg)};
  std::vector<Range> ranges = {range};
  return boundChannel({weights, ranges}, 8).width(bound);
}

// Two-sided: what the budget of P admits needs at most P bits, what it does not
// admit needs more.
TEST(Budget, AdmitsWhatFits) {
  std::vector<Range> ranges = {{0, 15}, {-8, 7}, {-3, 12}, {0, 16},
                               {0, 0},  {-9, 0}, {5, 9},   {-7, 7},
                               {0, 1},  {-1, 0}, {-9, -2}, {-1, 15}};
  for (Bound bound : {Bound::A2Q, Bound::A2QPlus, Bound::Exact, Bound::Centred})
    for (Range range : ranges)
      for (unsigned width = 1; width <= 9; ++width) {
        Budget budget = budgetOf(bound, width, range);
        for (int64_t pos = 0; pos < 20; ++pos)
          for (int64_t neg = 0; neg < 20; ++neg)
            ASSERT_EQ(budget.admits({pos, neg}),
                      widthOf(bound, {pos, neg}, range) <= width)
                << toString(bound) << " [" << range.lo << ", " << range.hi
                << "] P = " << width << ", " << pos << ", " << neg;
      }
}

TEST(Budget, LargestNorms) {
  for (Range range : {Range{0, 15}, Range{-8, 7}, Range{-3, 12}, Range{-9, 0}})
    for (Bound bound :
         {Bound::A2Q, Bound::A2QPlus, Bound::Exact, Bound::Centred})
      for (unsigned width = 1; width <= 9; ++width) {
        Budget budget = budgetOf(bound, width, range);
        for (Wide other = 0; other < 20; ++other) {
          Wide pos = budget.largestPos(other), neg = budget.largestNeg(other);
          EXPECT_EQ(pos >= 0, budget.admits({0, other}));
          EXPECT_EQ(neg >= 0, budget.admits({other, 0}));
          EXPECT_FALSE(budget.admits({pos + 1, other}));
          EXPECT_FALSE(budget.admits({other, neg + 1}));
          EXPECT_TRUE(pos < 0 || budget.admits({pos, other}));
          EXPECT_TRUE(neg < 0 || budget.admits({other, neg}));
        }
      }
  Budget free = budgetOf(Bound::Exact, 8, {0, 0});
  EXPECT_EQ(free.largestPos(0), Budget::noLimit);
}

TEST(Budget, Kinds) {
  EXPECT_TRUE(budgetOf(Bound::A2Q, 8, {-8, 7}).isL1());
  EXPECT_TRUE(budgetOf(Bound::Centred, 8, {0, 15}).isL1());
  EXPECT_FALSE(budgetOf(Bound::A2QPlus, 8, {0, 15}).isL1());
  EXPECT_TRUE(budgetOf(Bound::A2QPlus, 8, {-8, 7}).separatesSigns());
  EXPECT_TRUE(budgetOf(Bound::Exact, 8, {0, 15}).separatesSigns());
  EXPECT_FALSE(budgetOf(Bound::Exact, 8, {-8, 7}).separatesSigns());
}

TEST(Budget, SmallestWidth) {
  // 15 and -15: 5 bits from start 0; 4 bits hold [-8, 7] and [0, 15] centred.
  EXPECT_EQ(smallestWidth(Bound::Exact, {0, 15}), 5u);
  EXPECT_EQ(smallestWidth(Bound::Centred, {0, 15}), 4u);
  EXPECT_EQ(smallestWidth(Bound::A2Q, {0, 15}), 6u);
  EXPECT_EQ(smallestWidth(Bound::A2QPlus, {0, 15}), 5u);
  EXPECT_EQ(smallestWidth(Bound::Exact, {-8, 7}), 5u);
  // By sign: +1 gives [-8, 7], -1 gives [-7, 8].
  EXPECT_EQ(smallestWidth(Bound::Exact, {-8, 7}, {1, 0}), 4u);
  EXPECT_EQ(smallestWidth(Bound::Exact, {-8, 7}, {0, 1}), 5u);
  EXPECT_EQ(smallestWidth(Bound::Exact, {0, 16}, {1, 0}), 6u);
  EXPECT_EQ(smallestWidth(Bound::Exact, {0, 16}, {0, 1}), 5u);
  EXPECT_EQ(smallestWidth(Bound::Centred, {-8, 7}, {0, 1}), 4u);
  EXPECT_EQ(smallestWidth(Bound::Exact, {0, 0}), 1u);
}

TEST(Budget, NonFiniteWeightsAreFound) {
  double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(firstNonFinite(std::vector<double>{1, -2, 0}), 3u);
  EXPECT_EQ(firstNonFinite(std::vector<double>{1, -infinity, 0}), 1u);
  EXPECT_EQ(firstNonFinite(std::vector<double>{std::nan(""), infinity}), 0u);
}

TEST(Budget, Tiles) {
  std::vector<std::pair<size_t, size_t>> seen;
  auto visit = [&](size_t begin, size_t end) { seen.push_back({begin, end}); };
  std::vector<uint32_t> ends = {64, 100};
  forEachTile(100, ends, visit);
  EXPECT_EQ(seen, (decltype(seen){{0, 64}, {64, 100}}));
  seen.clear();
  forEachTile(7, {}, visit);
  EXPECT_EQ(seen, (decltype(seen){{0, 7}}));
  seen.clear();
  forEachTile(0, {}, visit);
  EXPECT_TRUE(seen.empty());
}

} // namespace
