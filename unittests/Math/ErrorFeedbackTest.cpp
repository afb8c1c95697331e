//===- ErrorFeedbackTest.cpp - Integers of a whole layer ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ErrorFeedback.h"

#include "a2q/Math/Constraining.h"
#include "a2q/Math/Correction.h"
#include "a2q/Math/IntegerProjection.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace a2q;

namespace {

struct Data {
  Moments moments;
  std::vector<double> weights;
};

/// Codes [0, 15] after a ReLU, a quarter as many causes as activations, and
/// Laplace weights of which the largest of a channel is `largest`.
Data makeData(size_t length, size_t channels, double largest, uint64_t seed,
              size_t samples = 512) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  size_t causes = std::max<size_t>(length / 4, 1);
  std::vector<double> mix(causes * length), size(length);
  for (double &value : mix)
    value = normal(random) / std::sqrt(static_cast<double>(causes));
  for (double &value : size)
    value = 4 * std::exp(0.5 * normal(random));
  std::vector<float> x(samples * length);
  for (size_t n = 0; n < samples; ++n) {
    std::vector<double> y(length);
    for (size_t j = 0; j < causes; ++j) {
      double cause = normal(random);
      for (size_t k = 0; k < length; ++k)
        y[k] += cause * mix[j * length + k];
    }
    for (size_t k = 0; k < length; ++k)
      x[n * length + k] = static_cast<float>(std::clamp(
          std::rint((y[k] + 0.5 * normal(random)) * size[k]), 0.0, 15.0));
  }
  MomentAccumulator accumulator(static_cast<int64_t>(length));
  EXPECT_TRUE(accumulator.add(x));
  Data data;
  data.moments = accumulator.take();
  std::exponential_distribution<double> magnitude;
  for (size_t c = 0; c < channels; ++c) {
    std::vector<double> row(length);
    double most = 0;
    for (double &value : row) {
      value = magnitude(random) * (random() % 2 ? 1 : -1);
      most = std::max(most, std::abs(value));
    }
    for (double value : row)
      data.weights.push_back(value * largest / most);
  }
  return data;
}

/// E[(sum of what the weights are off by)^2] of each channel.
std::vector<double> outputErrors(const LayerConstraint &layer,
                                 std::span<const ScaledIntegers> channels,
                                 const Moments &moments) {
  std::vector<double> off;
  for (size_t c = 0; c < channels.size(); ++c)
    for (size_t k = 0; k < layer.length; ++k)
      off.push_back(channels[c].scale *
                        static_cast<double>(channels[c].integers[k]) -
                    layer.channel(c)[k]);
  std::vector<double> errors;
  for (SumStatistics sum : sumStatistics(off, moments))
    errors.push_back(sum.variance + sum.mean * sum.mean);
  return errors;
}

double total(const std::vector<double> &values) {
  double sum = 0;
  for (double value : values)
    sum += value;
  return sum;
}

LayerResult run(std::string_view method, const LayerConstraint &layer,
                Moments &moments) {
  LayerResult result =
      lookupConstraintMethod(method)->constrainLayer(layer, &moments);
  EXPECT_EQ(result.refusal, "") << method;
  return result;
}

/// The prefix width of the widest tile, from its centre for Centred.
unsigned neededWidth(const LayerConstraint &layer, const ScaledIntegers &result,
                     Bound bound) {
  std::vector<Range> ranges = {layer.range};
  unsigned width = 1;
  forEachTile(layer.length, layer.tiles, [&](size_t begin, size_t end) {
    DotProduct dot = {std::span(result.integers).subspan(begin, end - begin),
                      ranges};
    width = std::max(width, boundChannel(dot, layer.weightBits).width(bound));
  });
  return width;
}

TEST(ErrorFeedback, WorkedExample) {
  Moments moments = {2, 100, {0, 0}, {1, 0.9, 0.9, 1}};
  std::vector<double> weights = {0.6, 0.6};
  LayerConstraint layer = {weights, 2, 10, {0, 15}, 4};
  for (std::string_view method : {"gpfq-fixed-scale", "optq-fixed-scale"}) {
    LayerResult result = run(method, layer, moments);
    const std::vector<int64_t> &q = result.channels[0].integers;
    EXPECT_TRUE(q == (std::vector<int64_t>{1, 0}) ||
                q == (std::vector<int64_t>{0, 1}));
    EXPECT_NEAR(outputErrors(layer, result.channels, moments)[0], 0.088, 1e-12);
  }
  EXPECT_EQ(run("optimal-fixed-scale", layer, moments).channels[0].integers,
            (std::vector<int64_t>{1, 1}));
}

// Depthwise: groups of one channel, kernels of 9 or fewer weights. No channel
// at all is a layer too.
TEST(ErrorFeedback, SmallGroups) {
  for (size_t length : {1, 2, 9}) {
    Data data = makeData(length, 1, 7, 40 + length);
    for (std::string_view method : {"gpfq", "optq", "optq-fixed-scale"})
      for (unsigned width : {3, 6, 20}) {
        LayerConstraint layer = {data.weights, length, width, {0, 15}, 4};
        LayerResult result = run(method, layer, data.moments);
        ASSERT_EQ(result.channels.size(), 1u);
        EXPECT_LE(neededWidth(layer, result.channels[0], Bound::Centred),
                  width);
        // 3 bits hold no product of a code in [0, 15].
        if (width == 3) {
          EXPECT_EQ(result.channels[0].integers,
                    std::vector<int64_t>(length, 0));
        }
        layer.weights = {};
        EXPECT_TRUE(run(method, layer, data.moments).channels.empty());
      }
  }
}

// Weights and activations far from 1, weights of 1 and of 32 bits: whatever
// overflows on the way, the budget is kept and no scale is 0, negative or NaN.
TEST(ErrorFeedback, ExtremeUnits) {
  Data data = makeData(20, 2, 10, 50);
  for (double unit : {1e-300, 1e-20, 1e20, 1e160, 1e300})
    for (double square : {1e-200, 1.0, 1e200})
      for (unsigned bits : {1, 4, 32})
        for (std::string_view method :
             {"gpfq", "optq", "gpfq-fixed-scale", "optq-fixed-scale"}) {
          Data scaled = data;
          for (double &weight : scaled.weights)
            weight *= unit;
          for (double &product : scaled.moments.products)
            product *= square;
          LayerConstraint layer = {scaled.weights, 20, 9, {0, 15}, bits};
          for (const ScaledIntegers &channel :
               run(method, layer, scaled.moments).channels) {
            EXPECT_LE(neededWidth(layer, channel, Bound::Centred), 9);
            EXPECT_TRUE(std::isfinite(channel.scale) && channel.scale > 0);
            if (bits == 1) {
              EXPECT_EQ(channel.integers, std::vector<int64_t>(20, 0));
            }
          }
        }
}

// From the width where a few weights are left to the one where all of them fit.
// 150 activations: more than two blocks of columns, and no multiple of one.
TEST(ErrorFeedback, BeatsOptimalAtEveryWidth) {
  Data data = makeData(150, 8, 10, 1);
  for (unsigned width = 8; width <= 20; ++width) {
    LayerConstraint layer = {data.weights, 150, width,
                             {0, 15},      4,   Bound::Centred};
    auto errorOf = [&](std::string_view method) {
      return total(outputErrors(
          layer, run(method, layer, data.moments).channels, data.moments));
    };
    double optimal = errorOf("optimal"), fixed = errorOf("optimal-fixed-scale");
    for (std::string_view method : {"gpfq", "optq"})
      EXPECT_LT(errorOf(method), 0.85 * optimal) << method << " at " << width;
    for (std::string_view method : {"gpfq-fixed-scale", "optq-fixed-scale"})
      EXPECT_LT(errorOf(method), 0.95 * fixed) << method << " at " << width;
  }
}

// All bounds, tiles that are no multiple of anything, both kinds of codes.
TEST(ErrorFeedback, KeepsTheBudgetOfEveryTile) {
  Data data = makeData(90, 5, 12, 2);
  std::vector<uint32_t> uneven = {1, 30, 37, 90};
  for (std::string_view method : {"gpfq", "optq", "optq-fixed-scale"})
    for (Bound bound :
         {Bound::Exact, Bound::Centred, Bound::A2Q, Bound::A2QPlus})
      for (Range range : {Range{0, 15}, Range{-8, 7}, Range{-3, 200}})
        for (TileEnds tiles : {TileEnds(), TileEnds(uneven)})
          for (unsigned width : {5, 8, 11, 14}) {
            LayerConstraint layer = {data.weights, 90,   width, range, 4,
                                     bound,        tiles};
            for (const ScaledIntegers &channel :
                 run(method, layer, data.moments).channels) {
              EXPECT_LE(neededWidth(layer, channel, bound), width)
                  << method << " " << toString(bound);
              EXPECT_GT(channel.scale, 0);
              for (int64_t value : channel.integers)
                EXPECT_LE(std::abs(value), 7);
            }
          }
}

// Asked for 18 bits, the published implementation returned weights that need 19
// (8-bit codes and weights, all of one sign). Ours need 18, and no less.
TEST(ErrorFeedback, EighteenBitsAreEighteenBits) {
  Data data = makeData(200, 4, 127, 3);
  for (double &weight : data.weights)
    weight = std::abs(weight) + 20;
  for (Range range : {Range{0, 255}, Range{-128, 127}})
    for (std::string_view method : {"gpfq", "optq", "gpfq-fixed-scale"}) {
      LayerConstraint layer = {data.weights, 200, 18, range, 8, Bound::Exact};
      for (const ScaledIntegers &channel :
           run(method, layer, data.moments).channels)
        EXPECT_EQ(neededWidth(layer, channel, Bound::Exact), 18u) << method;
    }
}

TEST(ErrorFeedback, MomentsAreGivenBackToTheLastBit) {
  Data data = makeData(130, 3, 10, 4);
  Moments before = data.moments;
  for (std::string_view method : {"gpfq", "optq"}) {
    LayerConstraint layer = {data.weights, 130, 10, {0, 15}, 4};
    run(method, layer, data.moments);
    EXPECT_EQ(data.moments.products, before.products);
    EXPECT_EQ(data.moments.mean, before.mean);
  }
  // After a refusal as well.
  for (size_t k = 0; k < 130; ++k)
    data.moments.products[5 * 130 + k] = data.moments.products[9 * 130 + k];
  for (size_t k = 0; k < 130; ++k)
    data.moments.products[k * 130 + 5] = data.moments.products[k * 130 + 9];
  before = data.moments;
  LayerConstraint layer = {data.weights, 130, 10, {0, 15}, 4};
  layer.damping = 0;
  LayerResult result =
      lookupConstraintMethod("optq")->constrainLayer(layer, &data.moments);
  EXPECT_TRUE(result.channels.empty());
  EXPECT_EQ(data.moments.products, before.products);
}

/// (scale q - u)^T (M + damping) (scale q - u) at the best scale.
double formError(const LayerConstraint &layer, std::span<const int64_t> q,
                 const Moments &moments, double damping) {
  auto product = [&](auto &&a, auto &&b) {
    double sum = 0;
    for (size_t i = 0; i < layer.length; ++i)
      for (size_t j = 0; j < layer.length; ++j)
        sum += a(i) * b(j) * (moments.product(i, j) + (i == j ? damping : 0.0));
    return sum;
  };
  auto integer = [&](size_t i) { return static_cast<double>(q[i]); };
  auto weight = [&](size_t i) { return layer.weights[i]; };
  double qu = product(integer, weight), qq = product(integer, integer);
  return product(weight, weight) - (qu > 0 ? qu * qu / qq : 0);
}

// No unit put on or taken off lowers the error: nothing of the budget is left
// that could be used.
TEST(ErrorFeedback, NoSingleUnitImproves) {
  std::vector<uint32_t> halves = {5, 10};
  int checked = 0;
  for (uint64_t seed = 10; seed < 30; ++seed) {
    Data data = makeData(10, 1, 10, seed);
    std::vector<double> diagonal = data.moments.diagonal();
    double damping = 0.01 * total(diagonal) / 10;
    for (TileEnds tiles : {TileEnds(), TileEnds(halves)})
      for (unsigned width : {6, 8, 10}) {
        LayerConstraint layer = {data.weights, 10,   width, {0, 15}, 4,
                                 Bound::Exact, tiles};
        Budget budget = budgetOf(Bound::Exact, width, {0, 15});
        for (std::string_view method : {"gpfq", "optq"}) {
          std::vector<int64_t> q =
              run(method, layer, data.moments).channels[0].integers;
          double error = formError(layer, q, data.moments, damping);
          auto isInside = [&] {
            bool inside = true;
            forEachTile(10, tiles, [&](size_t begin, size_t end) {
              inside &= budget.admits(
                  norms(std::span(q).subspan(begin, end - begin)));
            });
            for (int64_t value : q)
              inside &= std::abs(value) <= 7;
            return inside;
          };
          ASSERT_TRUE(isInside());
          for (int64_t &value : q)
            for (int step : {-1, 1}) {
              value += step;
              if (isInside()) {
                ++checked;
                EXPECT_GE(formError(layer, q, data.moments, damping),
                          error * (1 - 1e-8))
                    << method << " seed " << seed << " width " << width;
              }
              value -= step;
            }
        }
      }
  }
  EXPECT_GT(checked, 500);
}

TEST(ErrorFeedback, SingularMoments) {
  // Two activations that are always the same; 512 samples of 40.
  Data same = makeData(40, 2, 10, 6);
  Moments &moments = same.moments;
  moments.mean[8] = moments.mean[3];
  for (size_t k = 0; k < 40; ++k)
    moments.products[8 * 40 + k] = moments.products[3 * 40 + k];
  for (size_t k = 0; k < 40; ++k)
    moments.products[k * 40 + 8] = moments.products[k * 40 + 3];
  LayerConstraint layer = {same.weights, 40, 12, {0, 15}, 4};
  // Damped, as by default, they serve.
  EXPECT_EQ(run("optq", layer, moments).channels.size(), 2u);
  layer.damping = 0;
  // As good as singular is singular: the factor would be rounding errors.
  LayerResult result =
      lookupConstraintMethod("optq")->constrainLayer(layer, &moments);
  EXPECT_TRUE(result.channels.empty());
  EXPECT_NE(result.refusal.find("the moments are singular: activation "),
            std::string::npos)
      << result.refusal;
  // Path following divides by the diagonal only.
  EXPECT_EQ(run("gpfq", layer, moments).channels.size(), 2u);
}

// No activation is ever anything but 0: the nearest integers, whatever the
// moments' order.
TEST(ErrorFeedback, NoLiveActivation) {
  Data data = makeData(40, 2, 10, 6);
  LayerConstraint layer = {data.weights, 40, 9, {0, 15}, 4, Bound::Centred};
  Budget budget = budgetOf(Bound::Centred, 9, {0, 15});
  for (double samples : {10., 90.}) {
    Moments zero = {40, samples, std::vector<double>(40),
                    std::vector<double>(1600)};
    for (std::string_view method : {"gpfq", "optq"}) {
      std::vector<ScaledIntegers> free = run(method, layer, zero).channels;
      std::vector<ScaledIntegers> fixed =
          run(std::string(method) + "-fixed-scale", layer, zero).channels;
      for (size_t c = 0; c < 2; ++c) {
        ScaledIntegers best = searchScale(layer.channel(c), budget, 7);
        EXPECT_EQ(free[c].integers, best.integers) << method;
        EXPECT_EQ(free[c].scale, best.scale) << method;
        EXPECT_GT(norms(free[c].integers).l1(), 0) << method;
        EXPECT_EQ(fixed[c].integers,
                  nearestIntegers(layer.channel(c), budget, 7))
            << method;
      }
    }
    // What is always 0 has no products.
    zero.products[1] = zero.products[40] = 1;
    EXPECT_EQ(
        lookupConstraintMethod("optq")->constrainLayer(layer, &zero).refusal,
        "the mean product of activations 0 and 1 is 1, and their mean squares "
        "are 0 and 0");
  }
}

// The same for one channel of a layer, whose weights are all on such.
TEST(ErrorFeedback, ChannelWithoutLiveActivation) {
  Data data = makeData(40, 2, 10, 6);
  for (size_t dead = 0; dead < 20; ++dead) {
    data.moments.mean[dead] = 0;
    for (size_t k = 0; k < 40; ++k)
      data.moments.products[dead * 40 + k] =
          data.moments.products[k * 40 + dead] = 0;
    data.weights[20 + dead] = 0;
  }
  LayerConstraint layer = {data.weights, 40, 9, {0, 15}, 4, Bound::Centred};
  ScaledIntegers best =
      searchScale(layer.channel(0), budgetOf(Bound::Centred, 9, {0, 15}), 7);
  for (std::string_view method : {"gpfq", "optq"}) {
    std::vector<ScaledIntegers> channels =
        run(method, layer, data.moments).channels;
    EXPECT_EQ(channels[0].integers, best.integers) << method;
    EXPECT_NE(channels[1].integers, best.integers) << method;
  }
}

// Few samples for the number of activations: nearly exact on so little data,
// and still no further off on other data than need be. Moments that say they
// are of many samples are damped less, and what comes of that is worse.
TEST(ErrorFeedback, FewSamplesAreDampedMore) {
  double damped = 0, undamped = 0;
  for (uint64_t seed = 8; seed < 12; ++seed) {
    Data few = makeData(120, 3, 10, seed, /*samples=*/40);
    Data others = makeData(120, 3, 10, seed, /*samples=*/2000);
    LayerConstraint layer = {few.weights, 120, 13, {0, 15}, 4, Bound::Centred};
    double optimal = total(outputErrors(
        layer, run("optimal", layer, few.moments).channels, few.moments));
    Moments bold = few.moments;
    bold.samples = 240;
    for (std::string_view method : {"gpfq", "optq"}) {
      std::vector<ScaledIntegers> found =
          run(method, layer, few.moments).channels;
      EXPECT_LT(total(outputErrors(layer, found, few.moments)), 0.4 * optimal);
      damped += total(outputErrors(layer, found, others.moments));
      undamped += total(outputErrors(layer, run(method, layer, bold).channels,
                                     others.moments));
    }
  }
  EXPECT_LT(damped, 0.95 * undamped);
}

// What is always 0 costs no budget that another weight can use.
TEST(ErrorFeedback, DeadActivationsComeLast) {
  Data data = makeData(30, 4, 10, 7);
  for (size_t dead : {0, 7, 29})
    for (size_t k = 0; k < 30; ++k) {
      data.moments.mean[dead] = 0;
      data.moments.products[dead * 30 + k] = 0;
      data.moments.products[k * 30 + dead] = 0;
    }
  LayerConstraint tight = {data.weights, 30, 8, {0, 15}, 4, Bound::Centred};
  LayerConstraint wide = tight;
  wide.width = 20;
  for (std::string_view method : {"gpfq", "optq"}) {
    for (const ScaledIntegers &channel :
         run(method, tight, data.moments).channels)
      for (size_t dead : {0, 7, 29})
        EXPECT_EQ(channel.integers[dead], 0);
    // With room for all they are rounded like any other.
    std::vector<ScaledIntegers> channels =
        run(method, wide, data.moments).channels;
    for (size_t c = 0; c < 4; ++c)
      for (size_t dead : {0, 7, 29})
        EXPECT_LE(std::abs(channels[c].scale *
                               static_cast<double>(channels[c].integers[dead]) -
                           wide.channel(c)[dead]),
                  std::max(channels[c].scale, std::abs(wide.channel(c)[dead]) -
                                                  6 * channels[c].scale));
  }
}

} // namespace
