//===- SaturationTest.cpp - What pmaddubsw loses --------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Saturation.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace a2q;

namespace {

std::vector<int64_t> identity(int64_t length) {
  std::vector<int64_t> order(length);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

Wide exactSum(const std::vector<int64_t> &weights,
              const std::vector<int64_t> &inputs) {
  Wide sum = 0;
  for (size_t k = 0; k < weights.size(); ++k)
    sum += static_cast<Wide>(weights[k]) * inputs[k];
  return sum;
}

/// Every input of the corners and a few in between: losses are monotone in each
/// code, but the test does not rely on it.
template <typename F>
void forEachInput(const std::vector<Range> &ranges, F visit) {
  std::vector<int64_t> inputs(ranges.size());
  auto recurse = [&](auto &&self, size_t k) -> void {
    if (k == ranges.size())
      return visit(inputs);
    int64_t step = std::max<int64_t>(1, (ranges[k].hi - ranges[k].lo) / 5);
    for (int64_t x = ranges[k].lo;; x = std::min(x + step, ranges[k].hi)) {
      inputs[k] = x;
      self(self, k + 1);
      if (x == ranges[k].hi)
        return;
    }
  };
  recurse(recurse, 0);
}

} // namespace

TEST(Saturation, PairsAreNeighboursAndBeginAnew) {
  using Pairs = std::vector<TermPair>;
  EXPECT_EQ(pairNeighbours(identity(4), 4), (Pairs{{0, 1}, {2, 3}}));
  EXPECT_EQ(pairNeighbours(identity(5), 5), (Pairs{{0, 1}, {2, 3}, {4, -1}}));
  // Two runs of three, as two pixels of three channels.
  EXPECT_EQ(pairNeighbours(identity(6), 3),
            (Pairs{{0, 1}, {2, -1}, {3, 4}, {5, -1}}));
  EXPECT_EQ(pairNeighbours(identity(2), 1), (Pairs{{0, -1}, {1, -1}}));
  std::vector<int64_t> order = {2, 0, 3, 1};
  EXPECT_EQ(pairNeighbours(order, 4), (Pairs{{2, 0}, {3, 1}}));
  EXPECT_EQ(pairNeighbours({}, 1), Pairs());
}

TEST(Saturation, OperandsAreBytes) {
  std::vector<int64_t> weights = {127, -128};
  std::vector<Range> codes = {{0, 255}};
  EXPECT_TRUE(areByteOperands({weights, codes}));
  codes = {{0, 256}};
  EXPECT_FALSE(areByteOperands({weights, codes}));
  codes = {{-1, 5}};
  EXPECT_FALSE(areByteOperands({weights, codes}));
  codes = {{0, 255}};
  weights = {128, 0};
  EXPECT_FALSE(areByteOperands({weights, codes}));
  weights = {0, -129};
  EXPECT_FALSE(areByteOperands({weights, codes}));
}

TEST(Saturation, LossOfOneSum) {
  EXPECT_EQ(saturationLoss(32767), 0);
  EXPECT_EQ(saturationLoss(32768), 1);
  EXPECT_EQ(saturationLoss(-32768), 0);
  EXPECT_EQ(saturationLoss(-32770), -2);
}

TEST(Saturation, WorkedExample) {
  std::vector<int64_t> weights = {127, 127, -128, 64};
  std::vector<Range> codes = {{0, 255}};
  DotProduct dot{weights, codes};
  std::vector<TermPair> pairs = pairNeighbours(identity(4), 4);
  EXPECT_EQ(pairInterval(dot, pairs[0]), (Interval{0, 64770}));
  EXPECT_EQ(pairInterval(dot, pairs[1]), (Interval{-32640, 16320}));
  SaturationLoss loss = saturate(dot, pairs);
  EXPECT_EQ(loss.pairs, 1);
  EXPECT_EQ(loss.first, pairs[0]);
  EXPECT_EQ(loss.loss, (Interval{0, 32003}));
  EXPECT_EQ(loss.worst(), 32003);
}

// One more code decides.
TEST(Saturation, EndsAreSharp) {
  std::vector<TermPair> pairs = pairNeighbours(identity(2), 2);
  std::vector<int64_t> weights = {127, 127};
  std::vector<Range> codes = {{0, 255}, {0, 3}};
  EXPECT_EQ(saturate({weights, codes}, pairs).pairs, 0); // 32766
  codes = {{0, 255}, {0, 4}};
  EXPECT_EQ(saturate({weights, codes}, pairs).worst(), 126);
  weights = {-128, -128};
  codes = {{0, 255}, {0, 1}};
  EXPECT_EQ(saturate({weights, codes}, pairs).pairs, 0); // -32768
  codes = {{0, 255}, {0, 2}};
  EXPECT_EQ(saturate({weights, codes}, pairs).loss, (Interval{-128, 0}));
}

// Seven-bit weights, or codes of at most 128 with weights of at least -127,
// never saturate: the vendors' remedies.
TEST(Saturation, VendorRemediesAreSafe) {
  std::vector<int64_t> weights = {64, 64};
  std::vector<Range> codes = {{0, 255}};
  EXPECT_EQ(anyPairInterval({weights, codes}).hi, 32640);
  weights = {-64, -64};
  EXPECT_EQ(anyPairInterval({weights, codes}).lo, -32640);
  weights = {127, 127};
  codes = {{0, 128}};
  EXPECT_EQ(anyPairInterval({weights, codes}).hi, 32512);
}

TEST(Saturation, LossLacksZeroWhereNothingHelps) {
  std::vector<int64_t> weights = {127, 127};
  std::vector<Range> codes = {{200, 255}};
  SaturationLoss loss =
      saturate({weights, codes}, pairNeighbours(identity(2), 2));
  EXPECT_EQ(loss.loss, (Interval{50800 - 32767, 64770 - 32767}));
}

TEST(Saturation, NothingToSum) {
  std::vector<Range> codes = {{0, 255}};
  DotProduct dot{{}, codes};
  EXPECT_EQ(saturate(dot, {}).pairs, 0);
  EXPECT_EQ(anyPairInterval(dot), (Interval{0, 0}));
}

// Random weights and ranges, orders and runs: the interval of the loss is what
// the inputs reach, both ends by the witnesses, and the count is that of the
// pairs that some input saturates.
TEST(Saturation, MatchesEveryInput) {
  std::mt19937 random(7);
  auto pick = [&](int64_t lo, int64_t hi) {
    return std::uniform_int_distribution<int64_t>(lo, hi)(random);
  };
  int64_t saturating = 0;
  for (int trial = 0; trial < 200; ++trial) {
    int64_t length = pick(1, 5), extreme = trial % 2 ? 127 : -128;
    std::vector<int64_t> weights(length), order = identity(length);
    std::vector<Range> ranges(length);
    for (int64_t &weight : weights)
      weight = pick(0, 2) ? extreme : pick(-128, 127);
    for (Range &range : ranges) {
      int64_t lo = pick(0, 3) ? 0 : pick(0, 255);
      range = {lo, pick(0, 1) ? 255 : pick(lo, 255)};
    }
    std::ranges::shuffle(order, random);
    std::vector<TermPair> pairs = pairNeighbours(order, pick(1, length));
    DotProduct dot{weights, ranges};
    ASSERT_TRUE(areByteOperands(dot));

    SaturationLoss loss = saturate(dot, pairs);
    Interval any = anyPairInterval(dot);
    std::vector<Interval> reached;
    std::vector<bool> saturates(pairs.size());
    forEachInput(ranges, [&](const std::vector<int64_t> &inputs) {
      Wide lost =
          exactSum(weights, inputs) - saturatingSum(weights, inputs, pairs);
      reached.push_back({lost, lost});
      for (size_t i = 0; i < pairs.size(); ++i) {
        std::vector<TermPair> one = {pairs[i]};
        Wide sum = weights[pairs[i].first] * inputs[pairs[i].first];
        if (pairs[i].second >= 0)
          sum += weights[pairs[i].second] * inputs[pairs[i].second];
        saturates[i] =
            saturates[i] || saturatingSum(weights, inputs, one) != sum;
        EXPECT_TRUE(any.contains(sum));
        EXPECT_TRUE(pairInterval(dot, pairs[i]).contains(sum));
      }
    });
    Interval all = reached.front();
    for (Interval value : reached)
      all = join(all, value);
    EXPECT_EQ(loss.loss, all);
    auto count = static_cast<int64_t>(std::ranges::count(saturates, true));
    EXPECT_EQ(loss.pairs, count);
    if (count) {
      auto first = std::ranges::find(saturates, true) - saturates.begin();
      EXPECT_EQ(loss.first, pairs[first]);
    }
    std::vector<int64_t> upper = upperWitness(dot), lower = lowerWitness(dot);
    EXPECT_EQ(exactSum(weights, upper) - saturatingSum(weights, upper, pairs),
              loss.loss.hi);
    EXPECT_EQ(exactSum(weights, lower) - saturatingSum(weights, lower, pairs),
              loss.loss.lo);
    saturating += count;
  }
  EXPECT_GT(saturating, 50); // the trials are not all harmless
}

// The convention-free interval is reached by some two terms.
TEST(Saturation, AnyPairIsTight) {
  std::mt19937 random(11);
  auto pick = [&](int64_t lo, int64_t hi) {
    return std::uniform_int_distribution<int64_t>(lo, hi)(random);
  };
  for (int trial = 0; trial < 200; ++trial) {
    int64_t length = pick(1, 6);
    std::vector<int64_t> weights(length);
    std::vector<Range> ranges(length);
    for (int64_t k = 0; k < length; ++k) {
      weights[k] = pick(-128, 127);
      int64_t lo = pick(0, 2) ? 0 : pick(0, 255);
      ranges[k] = {lo, pick(lo, 255)};
    }
    DotProduct dot{weights, ranges};
    Interval most = pairInterval(dot, {0, -1});
    for (int64_t i = 0; i < length; ++i) {
      most = join(most, pairInterval(dot, {i, -1}));
      for (int64_t j = 0; j < i; ++j)
        most = join(most, pairInterval(dot, {i, j}));
    }
    EXPECT_EQ(anyPairInterval(dot), most);
  }
}
