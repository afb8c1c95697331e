//===- ActivationRangeTest.cpp - Codes for observed activations -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ActivationRange.h"
#include "a2q/Math/Requantization.h"

#include <cfloat>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace a2q;

namespace {

Histogram histogramOf(const std::vector<float> &values) {
  Histogram histogram;
  EXPECT_TRUE(histogram.add(values));
  return histogram;
}

/// What a ReLU leaves of noise, or the noise, with a tail: one value in a
/// hundred is four times as large.
std::vector<float> activations(size_t count, unsigned seed, bool relu) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::bernoulli_distribution tail(0.01);
  std::vector<float> values(count);
  for (float &value : values) {
    value = normal(random) * (tail(random) ? 4 : 1);
    if (relu)
      value = std::max(value, 0.0f);
  }
  return values;
}

double meanError(const std::vector<float> &values, Range codes, float scale) {
  double sum = 0;
  for (float value : values) {
    double real = double(quantize(value, scale, 0, codes)) * scale;
    sum += (real - value) * (real - value);
  }
  return sum / values.size();
}

TEST(RangeRule, Parses) {
  EXPECT_EQ(parseRangeRule("min-max"), RangeRule{RangeRule::MinMax});
  EXPECT_EQ(parseRangeRule("mse"), RangeRule{RangeRule::Mse});
  EXPECT_EQ(parseRangeRule("kl"), RangeRule{RangeRule::Kl});
  EXPECT_EQ(parseRangeRule("percentile:99.9"),
            (RangeRule{RangeRule::Percentile, 99.9}));
  for (const char *bad :
       {"", "minmax", "percentile", "percentile:", "percentile:0",
        "percentile:101", "percentile:99x", "percentile:nan", "mse:1"})
    EXPECT_EQ(parseRangeRule(bad), std::nullopt) << bad;
}

TEST(ActivationRange, MinMaxCoversAllValues) {
  RangeRule rule{RangeRule::MinMax};
  EXPECT_EQ(chooseActivationCodes(histogramOf({0, 1, 7.5f}), 4, rule),
            (ActivationCodes{{0, 15}, 0.5f}));
  // 7 codes above 0, 8 below.
  EXPECT_EQ(chooseActivationCodes(histogramOf({-1, 3.5f}), 4, rule),
            (ActivationCodes{{-8, 7}, 0.5f}));
  EXPECT_EQ(chooseActivationCodes(histogramOf({-4, 3}), 4, rule),
            (ActivationCodes{{-8, 7}, 0.5f}));
  EXPECT_EQ(chooseActivationCodes(histogramOf({3}), 1, rule),
            (ActivationCodes{{0, 1}, 3}));
}

// 80 values of 1, 19 of 2 and one of 4, in 3 codes above 0 or 1.
TEST(ActivationRange, EachRuleByHand) {
  std::vector<float> values(80, 1.0f);
  values.insert(values.end(), 19, 2.0f);
  values.push_back(4);
  Histogram histogram = histogramOf(values);
  auto scale = [&](unsigned bits, RangeRule rule) {
    auto chosen = chooseActivationCodes(histogram, bits, rule);
    EXPECT_EQ(chosen->codes, (Range{0, (1 << bits) - 1}));
    return double(chosen->scale);
  };
  double bin = histogram.binWidth();
  EXPECT_EQ(scale(2, {RangeRule::MinMax}), float(4.0 / 3));
  // The 80th and the 90th of 100 values, and the largest.
  EXPECT_NEAR(scale(2, {RangeRule::Percentile, 80}), 1.0 / 3, bin);
  EXPECT_NEAR(scale(2, {RangeRule::Percentile, 90}), 2.0 / 3, bin);
  EXPECT_NEAR(scale(2, {RangeRule::Percentile, 100}), 4.0 / 3, bin);
  // Codes 1, 2 and 3 of all: 80 (s-1)^2 + 19 (2s-2)^2 + (3s-4)^2 is least where
  // 80 (s-1) + 76 (s-1) + 9 s - 12 = 0.
  EXPECT_NEAR(scale(2, {RangeRule::Mse}), 168.0 / 165, bin);
  // One code: its value is the mean, (80 + 38 + 4) / 100.
  EXPECT_NEAR(scale(1, {RangeRule::Mse}), 1.22, bin);
  // Three levels of one value each lose nothing, so nothing is clipped where
  // codes reach: the widest of equals.
  EXPECT_EQ(scale(2, {RangeRule::Kl}), float(4.0 / 3));
}

TEST(ActivationRange, HasNoSignedCodesOfOneBit) {
  for (auto kind : {RangeRule::MinMax, RangeRule::Percentile, RangeRule::Mse,
                    RangeRule::Kl}) {
    EXPECT_EQ(chooseActivationCodes(histogramOf({-1, 1}), 1, {kind}),
              std::nullopt);
    EXPECT_TRUE(chooseActivationCodes(histogramOf({0, 1}), 1, {kind}));
  }
}

TEST(ActivationRange, TakesDegenerateValues) {
  for (auto kind : {RangeRule::MinMax, RangeRule::Percentile, RangeRule::Mse,
                    RangeRule::Kl})
    for (unsigned bits : {1u, 4u, 8u, 16u}) {
      RangeRule rule{kind, 99};
      Range codes = {0, (1 << bits) - 1};
      for (const std::vector<float> &dead :
           {std::vector<float>{}, std::vector<float>(100, 0.0f)})
        EXPECT_EQ(chooseActivationCodes(histogramOf(dead), bits, rule),
                  (ActivationCodes{codes, 1}));
      // Scales stay positive, normal and finite.
      for (float value : {FLT_TRUE_MIN, 1e-20f, 5.0f, FLT_MAX}) {
        auto chosen = chooseActivationCodes(histogramOf({value}), bits, rule);
        ASSERT_TRUE(chosen);
        EXPECT_GE(chosen->scale, FLT_MIN);
        EXPECT_LE(chosen->scale, FLT_MAX);
      }
      // One value among a hundred zeros is not lost.
      std::vector<float> rare(100, 0.0f);
      rare.push_back(2);
      auto chosen = chooseActivationCodes(histogramOf(rare), bits, rule);
      EXPECT_GT(quantize(2, chosen->scale, 0, codes), 0);
    }
}

TEST(ActivationRange, PercentileIsThatOfTheValues) {
  for (bool relu : {true, false}) {
    std::vector<float> values = activations(20000, 5, relu), sorted = values;
    for (float &value : sorted)
      value = std::abs(value);
    std::sort(sorted.begin(), sorted.end());
    Histogram histogram = histogramOf(values);
    for (double percentile : {90.0, 99.0, 99.9, 100.0}) {
      auto chosen = chooseActivationCodes(histogram, 4,
                                          {RangeRule::Percentile, percentile});
      double clip = double(chosen->scale) * double(chosen->codes.hi);
      size_t rank = static_cast<size_t>(percentile / 100 * sorted.size());
      // Signed codes have one more below 0, so all may need less than 100 %.
      auto all = chooseActivationCodes(histogram, 4, {RangeRule::MinMax});
      double exact =
          std::min<double>(sorted[std::min(rank, sorted.size()) - 1],
                           double(all->scale) * double(all->codes.hi));
      EXPECT_NEAR(clip, exact, histogram.binWidth() + 1e-6);
    }
  }
}

// Against all scales of a fine grid, with the values themselves.
TEST(ActivationRange, MseFindsTheLeastError) {
  for (bool relu : {true, false})
    for (unsigned bits : {2u, 3u, 4u, 6u, 8u}) {
      std::vector<float> values = activations(3000, 6 + bits, relu);
      Histogram histogram = histogramOf(values);
      auto chosen = chooseActivationCodes(histogram, bits, {RangeRule::Mse});
      double found = meanError(values, chosen->codes, chosen->scale);
      double least = DBL_MAX;
      double most = histogram.maxMagnitude() / (double(chosen->codes.hi) - 0.5);
      for (int step = 1; step <= 400; ++step)
        least = std::min(
            least, meanError(values, chosen->codes, float(most * step / 400)));
      EXPECT_LE(found, least * 1.002) << "bits " << bits << " relu " << relu;
      auto covering =
          chooseActivationCodes(histogram, bits, {RangeRule::MinMax});
      if (bits <= 4)
        EXPECT_LT(found,
                  0.8 * meanError(values, covering->codes, covering->scale));
    }
}

TEST(ActivationRange, MseKeepsALattice) {
  std::vector<float> values;
  for (int i = 0; i <= 15; ++i)
    values.push_back(0.1f * i);
  auto chosen = chooseActivationCodes(histogramOf(values), 4, {RangeRule::Mse});
  EXPECT_NEAR(chosen->scale, 0.1, 1e-4);
  for (int i = 0; i <= 15; ++i)
    EXPECT_EQ(quantize(values[i], chosen->scale, 0, chosen->codes), i);
}

/// The publication's loop, step by step, on counts of magnitudes.
size_t referenceKl(std::vector<double> bins, size_t levels) {
  size_t best = 0;
  double least = DBL_MAX;
  for (size_t i = levels; i <= bins.size(); ++i) {
    std::vector<double> p(bins.begin(), bins.begin() + i), q(i, 0.0);
    for (size_t j = i; j < bins.size(); ++j)
      p[i - 1] += bins[j];
    for (size_t level = 0; level < levels; ++level) {
      size_t from = level * i / levels, to = (level + 1) * i / levels;
      double sum = 0, filled = 0;
      for (size_t j = from; j < to; ++j) {
        sum += bins[j];
        filled += bins[j] != 0;
      }
      for (size_t j = from; j < to; ++j)
        q[j] = bins[j] != 0 ? sum / filled : 0;
    }
    double sumP = 0, sumQ = 0, divergence = 0;
    for (size_t j = 0; j < i; ++j) {
      sumP += p[j];
      sumQ += q[j];
    }
    for (size_t j = 0; j < i; ++j)
      if (p[j] > 0)
        divergence += p[j] / sumP * std::log((p[j] / sumP) / (q[j] / sumQ));
    if (divergence <= least) { // the widest of equals
      least = divergence;
      best = i;
    }
  }
  return best;
}

TEST(ActivationRange, KlIsThePublishedLoop) {
  for (bool relu : {true, false})
    for (unsigned bits : {4u, 8u}) {
      std::vector<float> values = activations(30000, 20 + bits, relu);
      Histogram histogram = histogramOf(values);
      auto chosen = chooseActivationCodes(histogram, bits, {RangeRule::Kl});
      double width = histogram.binWidth();
      std::vector<double> bins(size_t(histogram.maxMagnitude() / width) + 1);
      for (float value : values)
        if (value != 0)
          bins[size_t(std::abs(value) / width)] += 1;
      size_t best = referenceKl(bins, size_t(chosen->codes.hi) + 1);
      double clip =
          std::min((double(best) + 0.5) * width, histogram.maxMagnitude());
      EXPECT_NEAR(chosen->scale, clip / double(chosen->codes.hi), 1e-6);
      // The tail is worth clipping where codes are few.
      if (bits == 4)
        EXPECT_LT(clip, 0.9 * histogram.maxMagnitude());
    }
}

// Grey values: with all of them clipped to the first, the divergence is 0.
TEST(ActivationRange, KlKeepsALattice) {
  std::vector<float> values;
  for (int i = 0; i <= 16; ++i)
    values.insert(values.end(), 20 - i, float(i));
  for (unsigned bits : {4u, 8u}) {
    auto chosen =
        chooseActivationCodes(histogramOf(values), bits, {RangeRule::Kl});
    EXPECT_EQ(chosen->scale, 16.0f / float(chosen->codes.hi));
  }
}

} // namespace
