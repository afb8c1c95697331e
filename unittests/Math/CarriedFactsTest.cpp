//===- CarriedFactsTest.cpp - Facts of codes that are computed with -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codes of normalizations that become values again, are added, clamped, put
// side by side, and stored as codes once more: what the program computes in
// float32 beside what is proven of it.
//
//===----------------------------------------------------------------------===//

#include "Normalization.h"

#include <gtest/gtest.h>
#include <limits>

using namespace a2q;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

/// The fact of a ball of codes.
InputFact factOf(std::optional<Ball> ball, int64_t vectors = 1) {
  InputFact fact;
  fact.ball = std::move(ball);
  fact.vectors = vectors;
  return fact;
}

/// Values of codes less their zero point.
std::vector<float> dequantize(std::span<const int64_t> codes, float scale) {
  std::vector<float> values;
  for (int64_t code : codes)
    values.push_back(static_cast<float>(code) * scale);
  return values;
}

/// Codes of values, less the zero point.
std::vector<int64_t> quantizeAll(std::span<const float> values, float scale,
                                 int64_t zeroPoint, Range codes) {
  std::vector<int64_t> result;
  for (float value : values)
    result.push_back(quantize(value, scale, zeroPoint, codes) - zeroPoint);
  return result;
}

std::vector<double> reals(std::span<const float> values) {
  return {values.begin(), values.end()};
}

Ball quantizedBall(const Ball &ball, float scale, int64_t zeroPoint,
                   Range codes) {
  double scales[] = {scale};
  return *quantized(ball, scales, zeroPoint, codes, Rounding::HalfEven);
}

Ball dequantizedBall(const Ball &ball, float scale) {
  double scales[] = {scale};
  return dequantized(ball, scales);
}

/// Inputs of a normalization, now and then with infinities.
std::vector<float> anyValues(std::mt19937 &random, const Normalization &layer,
                             std::span<const int64_t> weights) {
  std::vector<float> values = randomValues(random, layer, weights);
  if (random() % 8 == 0)
    for (float &value : values)
      if (random() % 4 == 0)
        value = random() % 2 == 0 ? inf : -inf;
  return values;
}

// Codes to values, a gain and an offset for each, and codes of another scale,
// whose zero point is where values of 0 are.
TEST(CarriedFacts, RequantizedCodesStayWithinTheirBounds) {
  std::mt19937 random(41);
  for (int round = 0; round < 200; ++round) {
    size_t length = 1 + random() % 48;
    Normalization layer = randomLayer(random, length);
    std::vector<int64_t> weights = weightsWithin(random, length, 7);
    std::vector<float> gains = normals(random, length, 1, 0.5f);
    std::vector<float> offsets = normals(random, length, 0, 0.5f);
    float scale =
        layer.scale * (0.3f + 0.1f * static_cast<float>(random() % 20));
    auto zero = static_cast<int64_t>(random() % 40) - 20;
    Ball ball = dequantizedBall(*layer.fact().ball, layer.scale);
    ball = shifted(scaled(std::move(ball), reals(gains)), reals(offsets));
    InputFact fact = factOf(quantizedBall(ball, scale, zero, s8));
    Range range = {s8.lo - zero, s8.hi - zero};
    DotProduct product{weights, {&range, 1}};
    SumIntervals sums = boundSum(product, fact);
    for (int sample = 0; sample < 40; ++sample) {
      std::vector<float> values =
          dequantize(layer.run(anyValues(random, layer, weights)), layer.scale);
      for (size_t k = 0; k < length; ++k)
        values[k] = values[k] * gains[k] + offsets[k];
      std::vector<int64_t> codes = quantizeAll(values, scale, zero, s8);
      ASSERT_TRUE(sums.final.contains(dot(weights, codes)));
      Wide partial = 0;
      for (size_t k = 0; k < length; ++k) {
        partial += random() % 2 * static_cast<Wide>(weights[k]) * codes[k];
        Range coordinate = coordinateRange(*fact.ball, k, range);
        ASSERT_TRUE(coordinate.lo <= codes[k] && codes[k] <= coordinate.hi);
      }
      ASSERT_TRUE(sums.prefix.contains(partial));
    }
  }
}

// A NaN is the zero point, 0.0 as a value, and 5 with what is added then: as
// codes 50, while the normalized value itself would be -30 + 50.
TEST(CarriedFacts, NaNRestsWhereTheNextStepsPutIt) {
  Normalization layer{std::vector<float>(4, 0.01f), {-3, -3, -3, -3}, 0.1f};
  layer.subtractsMean = false;
  std::vector<float> values = {inf, 1, inf, 1};
  std::vector<float> real = dequantize(layer.run(values), layer.scale);
  for (float &value : real)
    value += 5;
  std::vector<int64_t> codes = quantizeAll(real, 0.1f, 0, s8);
  EXPECT_EQ(codes, (std::vector<int64_t>{50, 20, 50, 20}));
  double offsets[] = {5};
  Ball ball = shifted(dequantizedBall(*layer.fact().ball, 0.1f), offsets);
  InputFact fact = factOf(quantizedBall(ball, 0.1f, 0, s8));
  std::vector<int64_t> weights = {1, -1, 1, -1};
  Range range = s8;
  SumIntervals sums = boundSum({weights, {&range, 1}}, fact);
  EXPECT_TRUE(sums.final.contains(dot(weights, codes)));
  EXPECT_LE(sums.final.hi, 64) << "4 half steps, twice";
  EXPECT_EQ(coordinateRange(*fact.ball, 0, s8), (Range{19, 51}));
}

// Residual sums: of two normalizations, as values or from codes.
TEST(CarriedFacts, SumsOfTwoNormalizationsStayWithinTheirBounds) {
  std::mt19937 random(43);
  for (int round = 0; round < 200; ++round) {
    size_t length = 1 + random() % 48;
    Normalization a = randomLayer(random, length);
    Normalization b = randomLayer(random, length);
    std::vector<int64_t> weights = weightsWithin(random, length, 7);
    Ball first = dequantizedBall(*a.fact().ball, a.scale);
    Ball second = dequantizedBall(*b.fact().ball, b.scale);
    Ball sum = sumOf(first, second);
    InputFact fact = factOf(quantizedBall(sum, 0.07f, 3, s8), 2);
    Range range = {s8.lo - 3, s8.hi - 3};
    SumIntervals sums = boundSum({weights, {&range, 1}}, fact);
    for (int sample = 0; sample < 40; ++sample) {
      auto of = [&](const Normalization &layer) {
        return dequantize(layer.run(anyValues(random, layer, weights)),
                          layer.scale);
      };
      std::vector<float> values = of(a), others = of(b);
      for (size_t k = 0; k < length; ++k)
        values[k] += others[k];
      Wide reached = dot(weights, quantizeAll(values, 0.07f, 3, s8));
      ASSERT_TRUE(sums.final.contains(reached));
    }
  }
}

// Not yet codes: a NaN of either is one of the sum, and 0 as a code, while the
// other elements still move.
TEST(CarriedFacts, SumsOfValuesMayBeNaNInPart) {
  Ball one{4, std::vector<double>(16, 3.0), std::vector<double>(16, 1.0),
           std::vector<double>(16, 0.0)};
  InputFact fact = factOf(quantizedBall(sumOf(one, one), 1, 0, s8), 2);
  std::vector<int64_t> weights(16, 1), codes(16);
  for (size_t k = 0; k < 16; ++k) {
    weights[k] = k < 8 ? 1 : -1;
    // The first is at its centre, 3, and NaN in the last eight; the second has
    // norm 4 in the first eight.
    codes[k] = k < 8 ? 7 : 0;
  }
  Range range = s8;
  Interval sums = boundSum({weights, {&range, 1}}, fact).final;
  EXPECT_TRUE(sums.contains(dot(weights, codes)));
}

// Two balls of one shape: exactly the Minkowski sum, whatever the sizes.
TEST(CarriedFacts, SumOfSimilarBallsIsExact) {
  for (double size : {0.01, 1.0, 30.0}) {
    Ball a{8, std::vector<double>(64, 0.0), std::vector<double>(64, 1000.0),
           std::vector<double>(64, 0.0)};
    Ball b = a;
    for (double &gain : b.gain)
      gain *= size;
    std::vector<int64_t> weights(64, 1);
    Range range = {-10000000, 10000000};
    Interval sums =
        boundSum({weights, {&range, 1}}, factOf(sumOf(a, b), 2)).final;
    double expected = 8 * 8 * 1000 * (1 + size);
    EXPECT_GE(static_cast<double>(sums.hi), expected);
    EXPECT_LE(static_cast<double>(sums.hi), expected * 1.0001 + 1);
  }
}

TEST(CarriedFacts, ValuesPlusARangeStayWithinTheirBounds) {
  std::mt19937 random(47);
  std::uniform_real_distribution<float> added(-0.5f, 2);
  for (int round = 0; round < 200; ++round) {
    size_t length = 1 + random() % 48;
    Normalization layer = randomLayer(random, length);
    std::vector<int64_t> weights = weightsWithin(random, length, 7);
    Ball ball =
        plusRange(dequantizedBall(*layer.fact().ball, layer.scale), -0.5, 2);
    ball = clamped(std::move(ball), -4, 4);
    InputFact fact = factOf(quantizedBall(ball, 0.05f, 0, s8));
    Range range = s8;
    SumIntervals sums = boundSum({weights, {&range, 1}}, fact);
    for (int sample = 0; sample < 40; ++sample) {
      std::vector<float> values =
          dequantize(layer.run(anyValues(random, layer, weights)), layer.scale);
      for (size_t k = 0; k < length; ++k) {
        float most = weights[k] > 0 ? 2.0f : -0.5f;
        values[k] += random() % 2 == 0 ? most : added(random);
        values[k] = std::clamp(values[k], -4.0f, 4.0f);
      }
      Wide reached = dot(weights, quantizeAll(values, 0.05f, 0, s8));
      ASSERT_TRUE(sums.final.contains(reached));
    }
  }
}

// Side by side, with coordinates of which only the range is known, and parts.
TEST(CarriedFacts, ConcatenatedCodesStayWithinTheirBounds) {
  std::mt19937 random(53);
  for (int round = 0; round < 100; ++round) {
    Normalization a = randomLayer(random, 1 + random() % 20);
    Normalization b = randomLayer(random, 1 + random() % 20);
    b.zeroPoint = a.zeroPoint;
    size_t free = random() % 3, length = a.length() + b.length() + free;
    std::optional<Ball> ball = concatenated(*a.fact().ball, *b.fact().ball,
                                            /*areCodes=*/true);
    ball = concatenated(*ball, unboundedBall(free), /*areCodes=*/true);
    ASSERT_EQ(ball->length(), length);
    std::vector<int64_t> picked;
    for (size_t k = random() % 2; k < length; k += 1 + random() % 2)
      picked.push_back(static_cast<int64_t>(k));
    if (picked.empty())
      continue;
    std::vector<int64_t> all = weightsWithin(random, length, 7), weights;
    for (int64_t k : picked)
      weights.push_back(all[static_cast<size_t>(k)]);
    Range range = a.lessZero();
    SumIntervals sums =
        boundSum({weights, {&range, 1}}, factOf(ball->select(picked), 2));
    for (int sample = 0; sample < 40; ++sample) {
      std::span<const int64_t> w = all;
      std::vector<int64_t> codes = a.run(anyValues(random, a, w));
      std::vector<int64_t> more =
          b.run(anyValues(random, b, w.subspan(a.length())));
      codes.insert(codes.end(), more.begin(), more.end());
      while (codes.size() < length)
        codes.push_back(random() % 2 == 0 ? range.lo : range.hi);
      Wide reached = 0;
      for (int64_t k : picked)
        reached += static_cast<Wide>(all[static_cast<size_t>(k)]) *
                   codes[static_cast<size_t>(k)];
      ASSERT_TRUE(sums.final.contains(reached));
    }
  }
}

// Values with constants around them, whole vectors of those among others, with
// an offset behind.
TEST(CarriedFacts, PaddedVectorsStayWithinTheirBounds) {
  std::mt19937 random(59);
  for (int round = 0; round < 200; ++round) {
    Normalization layer = randomLayer(random, 1 + random() % 48);
    size_t before = random() % 4, length = layer.length() + before;
    std::vector<int64_t> weights = weightsWithin(random, length, 7);
    std::vector<float> offsets = normals(random, length, 0, 0.5f);
    float constant = 0.5f * static_cast<float>(random() % 9) - 2;
    Ball ball = dequantizedBall(*layer.fact().ball, layer.scale);
    Ball constants = constantBall(before, constant, constant);
    constants.rest = constants.centre;
    ball = *concatenated(constants, ball, /*areCodes=*/false);
    ball = covering(std::move(ball), constant, constant);
    ball = shifted(std::move(ball), reals(offsets));
    InputFact fact = factOf(quantizedBall(ball, 0.05f, 7, s8));
    Range range = {s8.lo - 7, s8.hi - 7};
    SumIntervals sums = boundSum({weights, {&range, 1}}, fact);
    for (int sample = 0; sample < 40; ++sample) {
      std::span<const int64_t> w = weights;
      std::vector<float> values(before, constant);
      std::vector<float> inner = dequantize(
          layer.run(anyValues(random, layer, w.subspan(before))), layer.scale);
      if (sample % 8 == 0)
        inner.assign(layer.length(), constant);
      values.insert(values.end(), inner.begin(), inner.end());
      for (size_t k = 0; k < length; ++k)
        values[k] += offsets[k];
      std::vector<int64_t> codes = quantizeAll(values, 0.05f, 7, s8);
      ASSERT_TRUE(sums.final.contains(dot(weights, codes)));
    }
  }
}

TEST(CarriedFacts, ValuesOfOneSideOnlyCannotBeSetBesideCodes) {
  Ball values = normalizedBall(4, 0.25);
  Ball restored = dequantizedBall(values, 1);
  EXPECT_FALSE(concatenated(values, restored, /*areCodes=*/false));
  EXPECT_TRUE(concatenated(values, restored, /*areCodes=*/true));
  EXPECT_TRUE(concatenated(restored, restored, /*areCodes=*/false));
}

// What rounding did to either side adds up.
TEST(CarriedFacts, SlackOfBothSidesCounts) {
  Ball still{1, std::vector<double>(8, 0.0), std::vector<double>(8, 0.0),
             std::vector<double>(8, 2.0)};
  InputFact fact = factOf(quantizedBall(sumOf(still, still), 1, 0, s8), 2);
  std::vector<int64_t> weights(8, 1);
  Range range = s8;
  Interval sums = boundSum({weights, {&range, 1}}, fact).final;
  EXPECT_GE(sums.hi, 8 * 4);
  EXPECT_LE(sums.hi, 8 * 4 + 4);
}

// A NaN that has become 0, then 5, is 3 behind a clip.
TEST(CarriedFacts, ClipsMoveWhatRests) {
  Ball ball{0, {-3}, {1}, {0}};
  double scales[] = {1}, offsets[] = {5};
  ball = clamped(shifted(dequantized(ball, scales), offsets), 0, 3);
  EXPECT_EQ(coordinateRange(ball, 0, s8), (Range{2, 3}));
}

TEST(CarriedFacts, ClampedAwayFromTheCentreLeavesTheRange) {
  Ball ball{1, {0, 5}, {1, 1}, {0, 0}};
  Ball result = clamped(ball, -1, 3);
  EXPECT_FALSE(std::isinf(result.gain[0]));
  EXPECT_TRUE(std::isinf(result.gain[1]));
}

} // namespace
