//===- ReachedFactsTest.cpp - Programs at the ends of their bounds --------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The other side of soundness: for each fact float32 inputs that bring the
// program, normalization or softmax and quantizer together, within 1 % of both
// ends of what is proven. A bound that became loose fails here. Codes have 16
// bits, so that rounding does not hide anything.
//
//===----------------------------------------------------------------------===//

#include "Normalization.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace a2q;

namespace {

constexpr Range s16 = {-32768, 32767};

InputFact factOf(Ball ball, int64_t vectors = 1) {
  InputFact fact;
  fact.ball = std::move(ball);
  fact.vectors = vectors;
  return fact;
}

/// Within 1 % of the end, and not beyond it.
void expectNear(Wide reached, const Interval &sums, bool upper) {
  EXPECT_TRUE(sums.contains(reached));
  auto end = static_cast<double>(upper ? sums.hi : sums.lo);
  EXPECT_GE(static_cast<double>(reached) / end, 0.99)
      << (upper ? "up" : "down");
}

/// A layer that clips at +-`clip` steps, and the ranges of its codes.
Normalization fineLayer(std::mt19937 &random, size_t length) {
  Normalization layer = randomLayer(random, length);
  layer.subtractsMean = false;
  layer.scale = 1.0f / 1024;
  layer.zeroPoint = 0;
  layer.codes = s16;
  return layer;
}

/// The normalized values that the inputs of a witness stand for.
std::vector<float> behindCodes(const Ball &ball,
                               std::span<const int64_t> codes) {
  std::vector<float> values;
  for (size_t k = 0; k < codes.size(); ++k)
    values.push_back(static_cast<float>(
        (static_cast<double>(codes[k]) - ball.centre[k]) / ball.gain[k]));
  return values;
}

/// Values along the weights reach both ends of the bound.
void expectBothEnds(const Normalization &layer,
                    const std::vector<int64_t> &weights) {
  Range range = layer.codes;
  Interval sums = boundSum({weights, {&range, 1}}, layer.fact()).final;
  for (bool upper : {true, false}) {
    std::vector<float> values;
    for (size_t k = 0; k < weights.size(); ++k)
      values.push_back(static_cast<float>(weights[k]) * layer.gains[k] *
                       (upper ? 1.0f : -1.0f));
    expectNear(dot(weights, layer.run(values)), sums, upper);
  }
}

TEST(ReachedFacts, RMSNorm) {
  std::mt19937 random(61);
  for (int round = 0; round < 100; ++round) {
    size_t length = 4 + random() % 300;
    Normalization layer = fineLayer(random, length);
    std::vector<int64_t> weights = weightsWithin(random, length, 7);
    weights[0] = 1;
    expectBothEnds(layer, weights);
  }
}

// Deviations sum to 0, so weights that do not are bounded loosely; in pairs of
// opposite products they reach the bound.
TEST(ReachedFacts, LayerNorm) {
  std::mt19937 random(67);
  for (int round = 0; round < 100; ++round) {
    size_t pairs = 4 + random() % 100;
    Normalization layer = fineLayer(random, 2 * pairs);
    layer.subtractsMean = true;
    std::vector<int64_t> weights = weightsWithin(random, 2 * pairs, 7);
    weights[0] = 1;
    for (size_t k = 0; k < 2 * pairs; k += 2) {
      weights[k + 1] = weights[k];
      layer.gains[k + 1] = -layer.gains[k];
    }
    expectBothEnds(layer, weights);
  }
}

// Codes that clip, from none to nearly all: the intersection of ball and box.
// A clip of the values moves the same ends.
TEST(ReachedFacts, Clip) {
  std::mt19937 random(71);
  for (int round = 0; round < 120; ++round) {
    size_t length = 8 + random() % 200;
    Normalization layer = fineLayer(random, length);
    auto most = static_cast<int64_t>(8192 >> round % 4);
    layer.codes = {-most - 100, most};
    // A centre outside of the codes would leave its coordinate to the range.
    for (float &offset : layer.offsets)
      offset = std::clamp(offset, -0.3f, 0.3f);
    Ball ball = *layer.fact().ball;
    bool isValue = round % 2 == 0;
    if (isValue) {
      // What the network clips, it clips before it rounds.
      double lo = static_cast<double>(layer.codes.lo) / 1024,
             hi = static_cast<double>(layer.codes.hi) / 1024;
      double scales[] = {1.0 / 1024}, inverse[] = {1024.0};
      std::vector<double> gains(layer.gains.begin(), layer.gains.end());
      std::vector<double> offsets(layer.offsets.begin(), layer.offsets.end());
      Ball values = shifted(
          scaled(normalizedBall(length, 1.0 / static_cast<double>(length)),
                 gains),
          offsets);
      EXPECT_NEAR(values.gain[0] * inverse[0], ball.gain[0],
                  1e-3 * ball.gain[0]);
      ball = *quantized(clamped(std::move(values), lo, hi), scales, 0, s16,
                        Rounding::HalfEven);
    }
    std::vector<int64_t> weights = weightsWithin(random, length, 127);
    weights[0] = 1;
    Range range = layer.codes;
    DotProduct product{weights, {&range, 1}};
    InputFact fact = factOf(ball);
    Interval sums = boundSum(product, fact).final;
    for (bool upper : {true, false}) {
      std::vector<int64_t> codes = ballWitness(product, fact, upper);
      std::vector<float> values = behindCodes(ball, codes);
      expectNear(dot(weights, layer.run(values)), sums, upper);
    }
  }
}

// Each channel with a range of its own: an end per term, with the ball and
// without.
TEST(ReachedFacts, RangesPerChannel) {
  std::mt19937 random(73);
  for (int round = 0; round < 100; ++round) {
    size_t length = 8 + random() % 100;
    Normalization layer = fineLayer(random, length);
    InputFact fact = layer.fact();
    std::vector<int64_t> weights = weightsWithin(random, length, 127);
    weights[0] = 1;
    std::vector<Range> ranges;
    for (size_t k = 0; k < length; ++k)
      ranges.push_back({-1000 - static_cast<int64_t>(random() % 2000),
                        1000 + static_cast<int64_t>(random() % 2000)});
    DotProduct product{weights, ranges};
    Interval box = finalInterval(product), both = boundSum(product, fact).final;
    EXPECT_TRUE(box.contains(both));
    for (bool upper : {true, false}) {
      Wide corner = 0;
      for (size_t k = 0; k < length; ++k)
        corner += static_cast<Wide>(weights[k]) *
                  ((weights[k] > 0) == upper ? ranges[k].hi : ranges[k].lo);
      EXPECT_EQ(corner, upper ? box.hi : box.lo);
      std::vector<float> values =
          behindCodes(*fact.ball, ballWitness(product, fact, upper));
      std::vector<int64_t> codes = layer.run(values);
      for (size_t k = 0; k < length; ++k)
        codes[k] = std::clamp(codes[k], ranges[k].lo, ranges[k].hi);
      expectNear(dot(weights, codes), both, upper);
    }
  }
}

// Two normalizations side by side share one radius; parts of the weights that
// weigh alike use it up.
TEST(ReachedFacts, Concatenation) {
  std::mt19937 random(79);
  for (int round = 0; round < 100; ++round) {
    size_t half = 8 + random() % 60;
    Normalization layer = fineLayer(random, half);
    // Of several vectors any may be NaN, which no offset may profit from.
    layer.offsets.assign(half, 0.0f);
    std::vector<int64_t> part = weightsWithin(random, half, 7);
    part[0] = 1;
    std::vector<int64_t> weights = part;
    weights.insert(weights.end(), part.begin(), part.end());
    Ball ball = *layer.fact().ball;
    Range range = layer.codes;
    Interval sums =
        boundSum({weights, {&range, 1}},
                 factOf(*concatenated(ball, ball, /*areCodes=*/true), 2))
            .final;
    for (bool upper : {true, false}) {
      std::vector<float> values;
      for (size_t k = 0; k < half; ++k)
        values.push_back(static_cast<float>(part[k]) * layer.gains[k] *
                         (upper ? 1.0f : -1.0f));
      expectNear(2 * dot(part, layer.run(values)), sums, upper);
    }
  }
}

/// softmax as a program computes it, and its codes.
std::vector<int64_t> softmaxCodes(std::span<const float> logits, float scale,
                                  Rounding rounding) {
  float most = *std::max_element(logits.begin(), logits.end()), sum = 0;
  std::vector<float> powers;
  for (float logit : logits)
    sum += powers.emplace_back(std::exp(logit - most));
  std::vector<int64_t> codes;
  for (float power : powers)
    codes.push_back(quantize(power / sum, scale, 0, {0, 255}, rounding));
  return codes;
}

TEST(ReachedFacts, Softmax) {
  std::mt19937 random(83);
  for (int round = 0; round < 100; ++round) {
    size_t length = 2 + random() % 500;
    std::vector<int64_t> weights = weightsWithin(random, length, 127);
    weights.front() = 5;
    weights.back() = -5;
    Range codes = {0, 255};
    InputFact fact;
    fact.simplex = quantized(probabilities(length), length, 1.0f / 255, 0,
                             codes, Rounding::Floor);
    Interval sums = boundSum({weights, {&codes, 1}}, fact).final;
    for (bool upper : {true, false}) {
      auto best = upper ? std::max_element(weights.begin(), weights.end())
                        : std::min_element(weights.begin(), weights.end());
      std::vector<float> logits(length, 0.0f);
      logits[static_cast<size_t>(best - weights.begin())] = 200;
      // The scale is a float a little above 1/255: the largest code is 254.
      expectNear(
          dot(weights, softmaxCodes(logits, 1.0f / 255, Rounding::Floor)), sums,
          upper);
    }
  }
}

// Rounded to nearest, 510 probabilities of one half step or a little more are
// codes of 1 each: twice what they sum to.
TEST(ReachedFacts, SoftmaxRoundedToNearest) {
  size_t length = 509;
  Range codes = {0, 255};
  std::vector<int64_t> weights(length, 100);
  InputFact fact;
  fact.simplex = quantized(probabilities(length), length, 1.0f / 255, 0, codes,
                           Rounding::HalfEven);
  Interval sums = boundSum({weights, {&codes, 1}}, fact).final;
  std::vector<float> logits(length, 0.0f);
  expectNear(dot(weights, softmaxCodes(logits, 1.0f / 255, Rounding::HalfEven)),
             sums, true);
}

// Padding of a constant that is in the ball costs nothing, any other moves its
// surface to where it is.
TEST(ReachedFacts, Padding) {
  std::mt19937 random(89);
  for (int round = 0; round < 100; ++round) {
    size_t length = 8 + random() % 60;
    Normalization layer = fineLayer(random, length);
    layer.gains.assign(length, 1.0f);
    layer.offsets.assign(length, 0.0f);
    double constant = 300.0 * static_cast<double>(random() % 6);
    Ball codes = *layer.fact().ball;
    Ball ball = covering(codes, constant, constant);
    bool isInside = constant <= 1024;
    EXPECT_EQ(ball.radius == codes.radius, isInside);
    std::vector<int64_t> weights(length, 3);
    Range range = layer.codes;
    Interval sums =
        boundSum({weights, {&range, 1}}, factOf(std::move(ball))).final;
    std::vector<float> ones(length, 1.0f);
    std::vector<int64_t> padded(length, static_cast<int64_t>(constant));
    Wide reached =
        std::max(dot(weights, layer.run(ones)), dot(weights, padded));
    expectNear(reached, sums, true);
  }
}

} // namespace
