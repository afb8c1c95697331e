//===- InputFactsTest.cpp - What is known of inputs beside ranges ---------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Normalization.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace a2q;

namespace {

//===----------------------------------------------------------------------===//
// Named cases
//===----------------------------------------------------------------------===//

// The example in InputFacts.h.
TEST(InputFacts, BallNeedsThreeBitsLessThanBox) {
  Normalization layer{std::vector<float>(384, 1), std::vector<float>(384, 0),
                      1.0f / 16};
  std::vector<int64_t> weights(384, 3);
  Range range = {-127, 127};
  DotProduct product{weights, {&range, 1}};
  EXPECT_EQ(signedWidth(finalInterval(product)), 19u);
  SumIntervals sums = boundSum(product, layer.fact());
  EXPECT_EQ(signedWidth(sums.final), 16u);
  EXPECT_EQ(signedWidth(sums.prefix), 16u);
  // 18,432 and 576, and what the margins add.
  EXPECT_GE(sums.final.hi, 19008);
  EXPECT_LE(sums.final.hi, 19008 + 1 + 24);
  EXPECT_EQ(sums.final.lo, -sums.final.hi);
}

// One clipped spike: that the mean is 0 says nothing of the codes. A bound that
// used it would project 3 (1, ..., 1) to 0 and leave 192 / 2 for rounding.
TEST(InputFacts, ClippedSpikeBreaksZeroMean) {
  Normalization layer{std::vector<float>(64, 1),
                      std::vector<float>(64, 0),
                      4.0f / 127,
                      0,
                      {-127, 127}};
  std::vector<float> spike(64, 0);
  spike[0] = 1;
  std::vector<int64_t> weights(64, 3);
  Wide reached = dot(weights, layer.run(spike));
  EXPECT_EQ(reached, -375);
  Range range = layer.codes;
  EXPECT_LE(boundSum({weights, {&range, 1}}, layer.fact()).final.lo, reached);
}

// One coordinate at 100 that moves by 200: the ends of the box are 27 above and
// 228 below.
TEST(InputFacts, SidesHaveDifferentDistances) {
  Ball ball{1, {100}, {200}, {0.5}};
  Range range = s8;
  for (int64_t weight : {1, -1}) {
    DotProduct product{{&weight, 1}, {&range, 1}};
    Interval expected = weight > 0 ? Interval{-100, 127} : Interval{-127, 100};
    EXPECT_EQ(boundSum(product, {ball, std::nullopt}).final, expected)
        << "from -100.5 to the end of the box, weight " << weight;
  }
}

// A code of -20 or more with a centre of -100 is clipped away from its centre:
// only its range counts, and the others keep the ball.
TEST(InputFacts, CentreOutsideOfCodesLeavesTheRange) {
  Normalization layer{{1, 1, 1, 1}, {-100, 0, 0, 0}, 1, 0, {-20, 127}};
  InputFact fact = layer.fact();
  EXPECT_TRUE(std::isinf(fact.ball->gain[0]));
  EXPECT_FALSE(std::isinf(fact.ball->gain[1]));
  std::vector<int64_t> weights = {1, 0, 0, 0};
  Range range = layer.codes;
  EXPECT_EQ(boundSum({weights, {&range, 1}}, fact).final, (Interval{-20, 127}));
  weights = {0, 1, 0, 0};
  // Norm 2 and half a step.
  EXPECT_EQ(boundSum({weights, {&range, 1}}, fact).final, (Interval{-2, 2}));
}

// Codes of centre 128: the complete sum stays near 128 * 64, its parts do not.
TEST(InputFacts, PartialSumsOfCentresCountBySign) {
  Normalization layer{
      std::vector<float>(64, 1), std::vector<float>(64, 128), 1, 0, {0, 255}};
  std::vector<int64_t> weights(64);
  for (size_t k = 0; k < 64; ++k)
    weights[k] = k % 2 == 0 ? 1 : -1;
  Range range = layer.codes;
  SumIntervals sums = boundSum({weights, {&range, 1}}, layer.fact());
  // What is left of a row that holds infinities may be any part of the centres.
  EXPECT_GE(sums.final.hi, 32 * 128);
  EXPECT_GE(sums.prefix.hi, 32 * 128 + 45);
  EXPECT_LE(sums.prefix.hi, 32 * 128 + 64 + 33);
}

// Two taps of 64 channels, each of radius 8. Where channel 0 of the second tap
// is NaN its code is 0, not -100, while the first tap still reaches its radius.
TEST(InputFacts, OneTapMayBeNaN) {
  constexpr size_t channels = 64;
  std::vector<int64_t> weights(2 * channels), codes(2 * channels);
  InputFact fact;
  fact.vectors = 2;
  Ball &ball = fact.ball.emplace();
  ball.radius = 8 * std::sqrt(2.0);
  for (size_t k = 0; k < 2 * channels; ++k) {
    bool isFirst = k % channels == 0;
    ball.centre.push_back(isFirst ? -100 : 0);
    ball.gain.push_back(isFirst ? 0 : 10);
    ball.slack.push_back(0.5);
    weights[k] = k < channels && !isFirst;
    codes[k] = weights[k] * 10; // norm sqrt(63) < 8
  }
  weights[channels] = 100;
  ASSERT_EQ(dot(weights, codes), 630);
  Range range = s8;
  SumIntervals sums = boundSum({weights, {&range, 1}}, fact);
  EXPECT_TRUE(sums.final.contains(Wide(630)));
  EXPECT_LT(sums.final.hi, 1000) << "the ball still counts";
  EXPECT_EQ(sums.final.lo, -10000 - 50 - 929)
      << "a centre, its rounding, and the radius of the others";
  EXPECT_TRUE(sums.prefix.contains(sums.final));
}

// Codes shifted by 128: the complete sum moves by a constant, but partial sums
// gather up to 192 * 3 * 128 of the centres.
TEST(InputFacts, ShiftedCodesKeepTheFinalWidth) {
  Normalization layer{std::vector<float>(384, 1),
                      std::vector<float>(384, 0),
                      1.0f / 16,
                      128,
                      {0, 255}};
  std::vector<int64_t> weights(384);
  for (size_t k = 0; k < 384; ++k)
    weights[k] = k % 2 == 0 ? 3 : -3;
  InputFact fact = layer.fact();
  Range range = layer.codes;
  fact.shift = 128;
  DotProduct product{weights, {&range, 1}};
  SumIntervals sums = boundSum(product, fact);
  EXPECT_EQ(signedWidth(sums.final), 16u);
  EXPECT_EQ(signedWidth(sums.prefix), 18u);
  EXPECT_EQ(signedWidth(prefixInterval(product)), 19u);
}

TEST(InputFacts, ZeroPointOutsideOfCodesSaysNothing) {
  double scales[] = {1.0};
  EXPECT_FALSE(
      quantized(normalizedBall(4, 0.25), scales, 200, s8, Rounding::HalfEven));
  EXPECT_FALSE(quantized(probabilities(4), 4, 1, -129, s8, Rounding::HalfEven));
}

TEST(InputFacts, HugeValuesAreLeftToTheirRanges) {
  Ball ball = normalizedBall(2, 0.5);
  std::vector<double> factors = {3e38, 1};
  ball = scaled(std::move(ball), factors);
  EXPECT_TRUE(std::isinf(ball.gain[0]));
  EXPECT_FALSE(std::isinf(ball.gain[1]));
}

// Infinities leave NaN, which is stored as the zero point, beside the offsets.
TEST(InputFacts, BoundsHoldWithoutFiniteInputs) {
  Normalization layer{std::vector<float>(4, 0.01f), {9, 9, -9, 9}, 0.1f};
  layer.subtractsMean = false;
  constexpr float inf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {inf, 1, inf, 1};
  std::vector<int64_t> codes = layer.run(values);
  EXPECT_EQ(codes, (std::vector<int64_t>{0, 90, 0, 90}));
  std::vector<int64_t> weights = {1, 1, 1, 1};
  Range range = layer.codes;
  SumIntervals sums = boundSum({weights, {&range, 1}}, layer.fact());
  EXPECT_TRUE(sums.final.contains(dot(weights, codes)));
}

TEST(InputFacts, RangesOfCoordinates) {
  Ball ball{2, {10, 10, 10}, {3, 100, 0}, {0.5, 0.5, 0.5}};
  EXPECT_EQ(coordinateRange(ball, 0, s8), (Range{0, 16}));
  EXPECT_EQ(coordinateRange(ball, 1, s8), s8);
  EXPECT_EQ(coordinateRange(ball, 2, s8), (Range{0, 10}));
}

//===----------------------------------------------------------------------===//
// Ball and box, randomized
//===----------------------------------------------------------------------===//

TEST(InputFacts, NoSampledInputLeavesTheBounds) {
  std::mt19937 random(17);
  for (int round = 0; round < 300; ++round) {
    size_t length = 1 + random() % 48;
    Normalization layer = randomLayer(random, length);
    std::vector<int64_t> weights = weightsWithin(random, length, 7);
    // Codes as they are, less the zero point, and in between.
    InputFact fact = layer.fact();
    fact.shift =
        random() % 2 == 0
            ? 0
            : std::uniform_int_distribution<int64_t>(-128, 128)(random);
    Range range = layer.lessZero();
    Range input = {range.lo + fact.shift, range.hi + fact.shift};
    DotProduct product{weights, {&input, 1}};
    SumIntervals sums = boundSum(product, fact);
    ASSERT_TRUE(sums.prefix.contains(sums.final));
    ASSERT_TRUE(finalInterval(product).contains(sums.final));
    ASSERT_TRUE(prefixInterval(product).contains(sums.prefix));
    std::vector<int64_t> part;
    for (size_t k = 0; k < length; ++k)
      if (random() % 3 == 0)
        part.push_back(static_cast<int64_t>(k));
    SumIntervals parts = boundTerms(product, fact, part);
    for (int sample = 0; sample < 40; ++sample) {
      std::vector<int64_t> codes =
          layer.run(randomValues(random, layer, weights));
      for (int64_t &code : codes)
        code += fact.shift;
      ASSERT_TRUE(sums.final.contains(dot(weights, codes)));
      Wide partial = 0, partOfAll = 0;
      for (int64_t k : part) {
        Range coordinate = coordinateRange(*fact.ball, k, range);
        ASSERT_LE(coordinate.lo, codes[k] - fact.shift);
        ASSERT_GE(coordinate.hi, codes[k] - fact.shift);
        partOfAll += static_cast<Wide>(weights[k]) * codes[k];
        partial += random() % 2 * static_cast<Wide>(weights[k]) * codes[k];
        ASSERT_TRUE(parts.prefix.contains(partial));
        ASSERT_TRUE(sums.prefix.contains(partial));
      }
      ASSERT_TRUE(parts.final.contains(partOfAll));
    }
  }
}

/// Whether n = (x - centre) / gain is in the ball.
bool isInBall(const Ball &ball, std::span<const int64_t> codes) {
  double squares = 0;
  for (size_t k = 0; k < codes.size(); ++k) {
    double distance =
        std::max(0.0, std::abs(static_cast<double>(codes[k]) - ball.centre[k]) -
                          0.5) /
        ball.gain[k];
    squares += distance * distance;
  }
  return squares <= ball.radius * ball.radius * (1 + 1e-9);
}

// With codes of 16 bits and small steps rounding is next to nothing, and the
// witness comes within 1 % of both ends, whatever share of the codes clips.
TEST(InputFacts, WitnessComesWithinOnePercent) {
  std::mt19937 random(23);
  for (int round = 0; round < 200; ++round) {
    size_t length = 8 + random() % 200;
    Normalization layer = randomLayer(random, length);
    layer.codes = {-20000, 24000};
    // From all within the box to most at its ends.
    layer.scale = std::exp2(-static_cast<float>(round % 6)) / 4000;
    layer.zeroPoint = 0;
    std::vector<int64_t> weights = weightsWithin(random, length, 127);
    Range range = layer.codes;
    DotProduct product{weights, {&range, 1}};
    InputFact fact = layer.fact();
    Interval sums = boundSum(product, fact).final;
    for (bool upper : {true, false}) {
      std::vector<int64_t> codes = ballWitness(product, fact, upper);
      ASSERT_TRUE(isInBall(*fact.ball, codes));
      for (int64_t code : codes)
        ASSERT_TRUE(range.lo <= code && code <= range.hi);
      auto reached = static_cast<double>(dot(weights, codes));
      auto end = static_cast<double>(upper ? sums.hi : sums.lo);
      ASSERT_LE(std::abs(reached), std::abs(end));
      ASSERT_GE(reached / end, 0.99)
          << "length " << length << " round " << round;
    }
  }
}

// The multiplier may be found from a wrong order and the bound would hold; with
// the right one it is the best point's value. All orders of saturation are
// tried on few coordinates: the largest feasible value is the bound's.
TEST(InputFacts, SupportFunctionOfBoxAndBallIsExact) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> reals(0.2, 3);
  for (int round = 0; round < 200; ++round) {
    size_t length = 1 + random() % 5;
    Ball ball;
    ball.radius = std::sqrt(static_cast<double>(length));
    std::vector<int64_t> weights;
    std::vector<Range> ranges;
    for (size_t k = 0; k < length; ++k) {
      weights.push_back(1 + static_cast<int64_t>(random() % 9));
      ball.centre.push_back(0);
      ball.gain.push_back(1e6 * reals(random));
      ball.slack.push_back(0);
      auto end = static_cast<int64_t>(1e6 * reals(random));
      ranges.push_back({-end, end});
    }
    double best = 0;
    for (unsigned saturated = 0; saturated < 1u << length; ++saturated) {
      double left = ball.radius * ball.radius, sum = 0, squares = 0;
      for (size_t k = 0; k < length; ++k) {
        double slope = static_cast<double>(weights[k]) * ball.gain[k];
        double reach = static_cast<double>(ranges[k].hi) / ball.gain[k];
        if (saturated >> k & 1) {
          left -= reach * reach;
          sum += slope * reach;
        } else {
          squares += slope * slope;
        }
      }
      if (left < 0)
        continue;
      bool feasible = true;
      for (size_t k = 0; k < length; ++k) {
        double slope = static_cast<double>(weights[k]) * ball.gain[k];
        double reach = static_cast<double>(ranges[k].hi) / ball.gain[k];
        feasible &= saturated >> k & 1 ||
                    slope * std::sqrt(left / squares) <= reach * (1 + 1e-12);
      }
      if (feasible)
        best = std::max(best, sum + std::sqrt(left * squares));
    }
    Interval sums = boundSum({weights, ranges}, {ball, std::nullopt}).final;
    EXPECT_GE(static_cast<double>(sums.hi), std::floor(best * (1 - 1e-12)));
    EXPECT_LE(static_cast<double>(sums.hi), best * (1 + 1e-9) + 1);
    EXPECT_EQ(sums.lo, -sums.hi);
  }
}

TEST(InputFacts, LargeBallIsTheBox) {
  std::mt19937 random(3);
  std::vector<int64_t> weights = weightsWithin(random, 100, 7);
  Ball ball{1e6, std::vector<double>(100, 3.0), std::vector<double>(100, 1.0),
            std::vector<double>(100, 0.5)};
  Range range = s8;
  DotProduct product{weights, {&range, 1}};
  SumIntervals sums = boundSum(product, {ball, std::nullopt});
  EXPECT_EQ(sums.final, finalInterval(product));
  EXPECT_EQ(sums.prefix, prefixInterval(product));
}

//===----------------------------------------------------------------------===//
// The simplex
//===----------------------------------------------------------------------===//

// All codes within their ranges whose sum is within the total.
TEST(InputFacts, SimplexIsExact) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    size_t length = 1 + random() % 4;
    std::vector<int64_t> weights = weightsWithin(random, length, 5);
    std::vector<Range> ranges;
    for (size_t k = 0; k < length; ++k)
      ranges.push_back({0, static_cast<int64_t>(random() % 5)});
    auto total = static_cast<int64_t>(random() % 9);
    Interval reached;
    std::function<void(size_t, int64_t, Wide)> visit = [&](size_t k,
                                                           int64_t left,
                                                           Wide sum) {
      if (k == length) {
        reached = join(reached, Interval{sum, sum});
        return;
      }
      for (int64_t code = 0; code <= std::min(left, ranges[k].hi); ++code)
        visit(k + 1, left - code, sum + static_cast<Wide>(weights[k]) * code);
    };
    visit(0, total, 0);
    InputFact fact{std::nullopt, Simplex{static_cast<double>(total)}};
    SumIntervals sums = boundSum({weights, ranges}, fact);
    EXPECT_EQ(sums.final, reached);
    EXPECT_EQ(sums.prefix, reached);
  }
}

// Probabilities of 8 bits, rounded down, times values of 8 bits: 16 bits for
// any length.
TEST(InputFacts, ProbabilitiesTimesValuesFitSixteenBits) {
  constexpr size_t length = 4096;
  std::vector<int64_t> ones(length, 1);
  Range codes = {0, 255}, values = {-128, 127};
  Range products = {255 * -128, 255 * 127};
  auto simplex = quantized(probabilities(length), length, 1.0 / 255, 0, codes,
                           Rounding::Floor);
  ASSERT_TRUE(simplex);
  EXPECT_EQ(simplex->total, 255);
  InputFact fact{std::nullopt, simplex, 0, values};
  SumIntervals sums = boundSum({ones, {&products, 1}}, fact);
  EXPECT_EQ(sums.final, (Interval{-32640, 32385}));
  EXPECT_EQ(signedWidth(sums.prefix), 16u);
  EXPECT_EQ(signedWidth(finalInterval({ones, {&products, 1}})), 28u);
}

TEST(InputFacts, RoundedProbabilities) {
  Range codes = {0, 255};
  // At most 256.26 + 10 / 2, and for long rows twice 256.26.
  EXPECT_EQ(
      quantized(probabilities(10), 10, 1.0 / 256, 0, codes, Rounding::HalfEven)
          ->total,
      261);
  EXPECT_EQ(quantized(probabilities(5000), 5000, 1.0 / 256, 0, codes,
                      Rounding::HalfEven)
                ->total,
            512);
}

TEST(InputFacts, NoSampledProbabilitiesLeaveTheBounds) {
  std::mt19937 random(29);
  for (int round = 0; round < 400; ++round) {
    size_t length = 1 + random() % 600;
    Rounding rounding =
        random() % 2 == 0 ? Rounding::HalfEven : Rounding::Floor;
    float scale = 1.0f / static_cast<float>(200 + random() % 100);
    Range codes = {0, 255};
    // Equal values make the most codes round up.
    std::vector<float> values =
        normals(random, length, 0, random() % 2 == 0 ? 0 : 4);
    float largest = *std::max_element(values.begin(), values.end()), sum = 0;
    for (float &value : values)
      sum += value = std::exp(value - largest);
    std::vector<int64_t> weights = weightsWithin(random, length, 127);
    std::vector<int64_t> quantizedCodes;
    Wide total = 0;
    for (float value : values) {
      quantizedCodes.push_back(
          quantize(value * (1 / sum), scale, 0, codes, rounding));
      total += quantizedCodes.back();
    }
    auto simplex =
        quantized(probabilities(length), length, scale, 0, codes, rounding);
    ASSERT_LE(static_cast<double>(total), simplex->total);
    SumIntervals sums =
        boundSum({weights, {&codes, 1}}, {std::nullopt, simplex});
    ASSERT_TRUE(sums.final.contains(dot(weights, quantizedCodes)));
    ASSERT_TRUE(prefixInterval({weights, {&codes, 1}}).contains(sums.prefix));
  }
}

//===----------------------------------------------------------------------===//
// Products of activations
//===----------------------------------------------------------------------===//

// A row in a ball times a column of codes of which only the range is known.
TEST(InputFacts, BallTimesRangesHolds) {
  std::mt19937 random(31);
  for (int round = 0; round < 100; ++round) {
    size_t length = 1 + random() % 64;
    Normalization layer = randomLayer(random, length);
    Range column = {-static_cast<int64_t>(random() % 9),
                    static_cast<int64_t>(random() % 9)};
    std::vector<int64_t> ones(length, 1);
    Interval products = product(layer.lessZero(), column);
    Range range = {static_cast<int64_t>(products.lo),
                   static_cast<int64_t>(products.hi)};
    InputFact fact = layer.fact();
    fact.factor = column;
    DotProduct all{ones, {&range, 1}};
    SumIntervals sums = boundSum(all, fact);
    ASSERT_TRUE(finalInterval(all).contains(sums.final));
    for (int sample = 0; sample < 40; ++sample) {
      std::vector<int64_t> weights(length);
      for (int64_t &weight : weights)
        weight = random() % 2 == 0 ? column.lo : column.hi;
      std::vector<int64_t> codes =
          layer.run(randomValues(random, layer, weights));
      ASSERT_TRUE(sums.final.contains(dot(weights, codes)));
    }
  }
}

} // namespace
