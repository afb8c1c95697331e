//===- ConstrainingTest.cpp - Methods that meet a budget ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Constraining.h"

#include "a2q/Math/IntegerProjection.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace a2q;

namespace {

/// The widest tile's bits under a bound.
unsigned neededWidth(std::span<const int64_t> q, TileEnds tiles, Range range,
                     Bound bound) {
  std::vector<Range> ranges = {range};
  unsigned width = 1;
  forEachTile(q.size(), tiles, [&](size_t begin, size_t end) {
    DotProduct dot = {q.subspan(begin, end - begin), ranges};
    width = std::max(width, boundChannel(dot, 8).width(bound));
  });
  return width;
}

TEST(Constraining, NamesAreSortedAndFound) {
  std::span<const ConstraintMethod> methods = constraintMethods();
  EXPECT_TRUE(std::is_sorted(
      methods.begin(), methods.end(),
      [](const auto &a, const auto &b) { return a.name < b.name; }));
  for (const ConstraintMethod &method : methods) {
    EXPECT_EQ(lookupConstraintMethod(method.name), &method);
    if (!method.fixedScale.empty()) {
      EXPECT_TRUE(method.changesScale);
      const ConstraintMethod *fixed = lookupConstraintMethod(method.fixedScale);
      ASSERT_TRUE(fixed);
      EXPECT_FALSE(fixed->changesScale);
      for (Bound bound : method.bounds)
        EXPECT_TRUE(fixed->allows(bound));
    }
  }
  EXPECT_EQ(lookupConstraintMethod("magic"), nullptr);
}

/// Moments with this diagonal, and half of the possible correlation.
Moments correlated(std::span<const double> diagonal) {
  Moments moments;
  moments.length = static_cast<int64_t>(diagonal.size());
  moments.samples = 100;
  for (double square : diagonal)
    moments.mean.push_back(std::sqrt(square / 2));
  for (size_t i = 0; i < diagonal.size(); ++i)
    for (size_t j = 0; j < diagonal.size(); ++j)
      moments.products.push_back((i == j ? 1.0 : 0.5) *
                                 std::sqrt(diagonal[i] * diagonal[j]));
  return moments;
}

/// One channel by a method of either kind; moments count where it needs them.
ScaledIntegers constrainOne(const ConstraintMethod &method,
                            const ChannelConstraint &channel) {
  if (!method.needsMoments())
    return method.constrain(channel);
  size_t length = channel.weights.size();
  std::vector<double> ones(length, 1);
  Moments moments =
      correlated(channel.moments.empty() ? std::span<const double>(ones)
                                         : channel.moments);
  LayerResult result = method.constrainLayer(
      {channel.weights, length, channel.width, channel.range,
       channel.weightBits, channel.bound, channel.tiles},
      &moments);
  EXPECT_EQ(result.refusal, "");
  return result.channels.empty() ? ScaledIntegers() : result.channels[0];
}

// Every method under each of its bounds, whole and in tiles, at every width:
// the width is met, weights keep their bits and the scale stays where it must.
TEST(Constraining, EveryMethodKeepsItsPromise) {
  std::mt19937_64 random(41);
  std::normal_distribution<double> normal(0, 3);
  std::vector<uint32_t> ends = {7, 20, 36};
  for (int trial = 0; trial < 6; ++trial) {
    std::vector<double> u(36), moments(36);
    for (size_t i = 0; i < u.size(); ++i) {
      u[i] = normal(random) + (trial % 3 == 1 ? 2 : 0);
      moments[i] = static_cast<double>(random() % 5);
    }
    for (const ConstraintMethod &method : constraintMethods())
      for (Bound bound : method.bounds)
        for (Range range : {Range{0, 15}, Range{-8, 7}, Range{3, 9}})
          for (unsigned width = 1; width <= 10; ++width) {
            ChannelConstraint channel = {u, width, range, 4, bound};
            if (trial % 2)
              channel.tiles = ends;
            if (trial == 5)
              channel.moments = moments;
            ScaledIntegers result = constrainOne(method, channel);
            ASSERT_EQ(result.integers.size(), u.size());
            EXPECT_LE(neededWidth(result.integers, channel.tiles, range, bound),
                      width)
                << method.name << " " << toString(bound);
            for (int64_t value : result.integers)
              EXPECT_LE(std::abs(value), 7);
            EXPECT_GT(result.scale, 0);
            EXPECT_TRUE(method.changesScale || result.scale == 1);
          }
  }
}

TEST(Constraining, FirstBoundIsTheDefault) {
  std::vector<double> u = {7, 6, -5, 3, 1};
  for (const ConstraintMethod &method : constraintMethods()) {
    ScaledIntegers chosen = constrainOne(method, {u, 8, {0, 15}, 4});
    EXPECT_EQ(chosen.integers,
              constrainOne(method, {u, 8, {0, 15}, 4, method.bounds.front()})
                  .integers);
    EXPECT_EQ(method.smallestWidth({0, 15}),
              smallestWidth(method.bounds.front(), {0, 15}));
  }
}

// At the smallest width a channel of one weight keeps it, whatever its sign;
// below it one of the signs is lost.
TEST(Constraining, SmallestWidth) {
  for (const ConstraintMethod &method : constraintMethods())
    for (Bound bound : method.bounds)
      for (Range range : {Range{0, 15}, Range{-8, 7}, Range{0, 16}}) {
        unsigned smallest = method.smallestWidth(range, bound);
        for (double sign : {1.0, -1.0}) {
          std::vector<double> u = {sign * 5};
          std::vector<int64_t> q =
              constrainOne(method, {u, smallest, range, 4, bound}).integers;
          if (method.name != "a2q-plus") { // one weight is its own mean
            EXPECT_NE(q[0], 0) << method.name << " " << toString(bound);
          }
        }
        bool lost = false;
        for (double sign : {1.0, -1.0}) {
          std::vector<double> u = {sign * 5};
          lost |= constrainOne(method, {u, smallest - 1, range, 4, bound})
                      .integers[0] == 0;
        }
        EXPECT_TRUE(lost) << method.name << " " << toString(bound);
      }
}

TEST(Constraining, AllZeroChannel) {
  std::vector<double> u(9, 0.0);
  for (const ConstraintMethod &method : constraintMethods()) {
    ScaledIntegers result = constrainOne(method, {u, 8, {0, 15}, 4});
    EXPECT_EQ(result.integers, std::vector<int64_t>(9, 0));
    EXPECT_EQ(result.scale, 1);
  }
}

// Said, and zeros: never a crash, never numbers made of NaN.
TEST(Constraining, Refusals) {
  double infinity = std::numeric_limits<double>::infinity();
  double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> good = {1, -20, 3};
  std::vector<double> withNaN = {1, nan, 3}, withInfinity = {1, 2, -infinity};
  std::vector<double> two = {1, 1}, negative = {1, -1, 1},
                      noNumber = {1, 1, nan};
  std::vector<uint32_t> backwards = {2, 1, 3}, beyond = {2, 4}, partly = {1, 2},
                        empty = {0, 3}, right = {1, 3};
  Range range = {0, 15};
  using Channel = ChannelConstraint;
  const std::pair<Channel, std::string> refused[] = {
      {{withNaN, 8, range, 4}, "weight 1 is nan, expected a finite number"},
      {{withInfinity, 8, range, 4},
       "weight 2 is -inf, expected a finite number"},
      {{good, 0, range, 4}, "an accumulator has from 1 to 126 bits, found 0"},
      {{good, 127, range, 4},
       "an accumulator has from 1 to 126 bits, found 127"},
      {{good, 8, range, 0}, "weights have from 1 to 32 bits, found 0"},
      {{good, 8, range, 33}, "weights have from 1 to 32 bits, found 33"},
      {{good, 8, range, 4, {}, backwards},
       "a tile of 3 terms cannot be [2, 1)"},
      {{good, 8, range, 4, {}, beyond}, "a tile of 3 terms cannot be [2, 4)"},
      {{good, 8, range, 4, {}, empty}, "a tile of 3 terms cannot be [0, 0)"},
      {{good, 8, range, 4, {}, partly}, "tiles cover 2 of 3 terms"},
      {{good, 8, range, 4, {}, {}, two}, "2 moments for 3 weights"},
      {{good, 8, range, 4, {}, {}, negative},
       "moment 1 is -1.000000, expected a number of at least 0"},
      {{good, 8, range, 4, {}, {}, noNumber},
       "moment 2 is nan, expected a number of at least 0"}};
  for (const ConstraintMethod &method : constraintMethods()) {
    Moments moments = correlated(std::vector<double>{1, 2, 3});
    for (const auto &[channel, text] : refused) {
      LayerResult layer = method.constrainLayer(
          {channel.weights, 3, channel.width, channel.range, channel.weightBits,
           channel.bound, channel.tiles, channel.moments},
          &moments);
      EXPECT_EQ(layer.refusal, "channel 0: " + text);
      EXPECT_TRUE(layer.channels.empty());
      if (method.needsMoments())
        continue;
      EXPECT_EQ(method.refusal(channel), text);
      EXPECT_EQ(method.constrain(channel).integers, std::vector<int64_t>(3, 0));
    }
    if (method.needsMoments()) {
      std::string refusal = method.refusal({good, 8, range, 4});
      EXPECT_EQ(refusal, "method '" + std::string(method.name) +
                             "' needs a whole layer");
      EXPECT_EQ(method.constrain({good, 8, range, 4}).integers,
                std::vector<int64_t>(3, 0));
      continue;
    }
    EXPECT_EQ(method.refusal({good, 8, range, 4, {}, right, good}),
              "moment 1 is -20.000000, expected a number of at least 0");
    EXPECT_EQ(method.refusal({good, 8, range, 4, {}, right}), "");
    EXPECT_EQ(method.refusal({good, 8, range, 4, Bound::DataType}),
              "method '" + std::string(method.name) +
                  "' has no bound 'datatype'");
  }
}

// A layer of two channels is its channels, weighed by the moments' diagonal.
TEST(Constraining, LayersOfChannelMethods) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal(0, 3);
  std::vector<double> u(24), diagonal(12);
  for (double &value : u)
    value = normal(random);
  for (double &value : diagonal)
    value = static_cast<double>(1 + random() % 9);
  Moments moments = correlated(diagonal);
  // The square root's square is not the diagonal to the last bit.
  diagonal = moments.diagonal();
  std::vector<uint32_t> ends = {5, 12};
  for (const ConstraintMethod &method : constraintMethods()) {
    if (method.needsMoments())
      continue;
    LayerConstraint layer = {u, 12, 8, {0, 15}, 4, {}, ends};
    auto check = [&](Moments *given, std::span<const double> weights) {
      LayerResult result = method.constrainLayer(layer, given);
      EXPECT_EQ(result.refusal, "");
      ASSERT_EQ(result.channels.size(), 2u);
      for (size_t c : {0, 1}) {
        ScaledIntegers one = method.constrain(
            {layer.channel(c), 8, {0, 15}, 4, {}, ends, weights});
        EXPECT_EQ(result.channels[c].integers, one.integers) << method.name;
        EXPECT_EQ(result.channels[c].scale, one.scale);
      }
    };
    check(nullptr, {});
    check(&moments, diagonal);
    layer.diagonal = diagonal;
    check(nullptr, diagonal);
  }
}

TEST(Constraining, LayerRefusals) {
  std::vector<double> u = {1, -20, 3, 4};
  Moments moments = correlated(std::vector<double>{1, 2});
  const ConstraintMethod &optq = *lookupConstraintMethod("optq");
  EXPECT_EQ(optq.constrainLayer({u, 3, 8, {0, 15}, 4}, &moments).refusal,
            "4 weights are no channels of 3");
  EXPECT_EQ(optq.constrainLayer({u, 0, 8, {0, 15}, 4}, &moments).refusal,
            "4 weights are no channels of 0");
  EXPECT_EQ(optq.constrainLayer({u, 4, 8, {0, 15}, 4}, &moments).refusal,
            "moments of 2 activations for 4 weights");
  EXPECT_EQ(optq.constrainLayer({u, 2, 8, {0, 15}, 4}, nullptr).refusal,
            "method 'optq' needs moments");
  EXPECT_EQ(optq.constrainLayer({u, 2, 8, {0, 15}, 4}, &moments).refusal, "");
}

// Moments that are 0 wherever a weight is not say nothing.
TEST(Constraining, MomentsOfNoWeight) {
  std::vector<double> u = {5, -3, 0, 2, 6, -1};
  std::vector<double> none = {0, 0, 4, 0, 0, 0};
  for (const ConstraintMethod &method : constraintMethods()) {
    if (method.needsMoments())
      continue;
    ChannelConstraint channel = {u, 8, {0, 15}, 4};
    ScaledIntegers expected = method.constrain(channel);
    channel.moments = none;
    ScaledIntegers result = method.constrain(channel);
    EXPECT_EQ(result.integers, expected.integers) << method.name;
    EXPECT_EQ(result.scale, expected.scale) << method.name;
  }
}

} // namespace
