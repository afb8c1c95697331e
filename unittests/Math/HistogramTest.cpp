//===- HistogramTest.cpp - Distribution of observed reals -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Histogram.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace a2q;

namespace {

using Bin = Histogram::Bin;

std::vector<float> laplace(size_t count, unsigned seed, double zeros = 0) {
  std::mt19937 random(seed);
  std::exponential_distribution<float> magnitude(3);
  std::bernoulli_distribution negative, zero(zeros);
  std::vector<float> values(count);
  for (float &value : values)
    value = zero(random)
                ? 0.0f
                : (negative(random) ? -1.0f : 1.0f) * magnitude(random);
  return values;
}

void expectSame(const Histogram &a, const Histogram &b) {
  EXPECT_EQ(a.count(), b.count());
  EXPECT_EQ(a.min(), b.min());
  EXPECT_EQ(a.max(), b.max());
  std::vector<Bin> left = a.bins(), right = b.bins();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].lo, right[i].lo);
    EXPECT_EQ(left[i].hi, right[i].hi);
    EXPECT_EQ(left[i].count, right[i].count);
    EXPECT_NEAR(left[i].sum, right[i].sum, 1e-9);
  }
}

TEST(Histogram, CountsWhatLiesInEachBin) {
  std::vector<float> values = laplace(5000, 1, 0.3);
  Histogram histogram;
  ASSERT_TRUE(histogram.add(values));
  uint64_t seen = 0;
  double top = histogram.max();
  for (Bin bin : histogram.bins()) {
    uint64_t count = 0;
    double sum = 0;
    for (float value : values)
      // The last bin is cut at the largest value, which lies in it.
      if (bin.lo == bin.hi
              ? value == bin.lo
              : value != 0 && value >= bin.lo &&
                    (value < bin.hi || (value == bin.hi && bin.hi == top))) {
        ++count;
        sum += value;
      }
    EXPECT_EQ(bin.count, count) << bin.lo;
    EXPECT_NEAR(bin.sum, sum, 1e-9);
    EXPECT_LE(bin.hi - bin.lo, histogram.binWidth());
    seen += count;
  }
  EXPECT_EQ(seen, values.size());
  EXPECT_EQ(histogram.min(), *std::min_element(values.begin(), values.end()));
  EXPECT_EQ(histogram.max(), *std::max_element(values.begin(), values.end()));
  // The documented resolution.
  EXPECT_GE(histogram.binWidth() * 2048, histogram.maxMagnitude());
  EXPECT_LE(histogram.binWidth() * 1024, histogram.maxMagnitude());
}

// Blocks of 1 make the range grow step by step, blocks of 977 in few steps, and
// the largest value first makes it never grow.
TEST(Histogram, IsTheSameInAnyOrderAndSplit) {
  std::vector<float> values = laplace(3000, 2, 0.1);
  values.push_back(1e-30f);
  values.push_back(-77.0f);
  Histogram whole;
  ASSERT_TRUE(whole.add(values));
  std::sort(values.begin(), values.end(),
            [](float a, float b) { return std::abs(a) < std::abs(b); });
  for (size_t block : {size_t(1), size_t(977)}) {
    Histogram ascending;
    for (size_t at = 0; at < values.size(); at += block) {
      std::span<const float> part(values.data() + at,
                                  std::min(block, values.size() - at));
      ASSERT_TRUE(ascending.add(part));
    }
    expectSame(whole, ascending);
  }
  std::reverse(values.begin(), values.end());
  Histogram descending;
  ASSERT_TRUE(descending.add(values));
  expectSame(whole, descending);
}

TEST(Histogram, ZerosAreABinBetweenTheSigns) {
  Histogram histogram;
  ASSERT_TRUE(histogram.add(std::vector<float>{0, 3, -1, 0}));
  std::vector<Bin> bins = histogram.bins();
  ASSERT_EQ(bins.size(), 3u);
  EXPECT_EQ(bins[0].mean(), -1);
  EXPECT_EQ(bins[1].lo, 0);
  EXPECT_EQ(bins[1].hi, 0);
  EXPECT_EQ(bins[1].count, 2u);
  EXPECT_EQ(bins[2].mean(), 3);
  Histogram negative;
  ASSERT_TRUE(negative.add(std::vector<float>{-2, 0}));
  EXPECT_EQ(negative.bins().back().hi, 0);
  EXPECT_EQ(negative.bins().size(), 2u);
}

TEST(Histogram, FoldsMagnitudes) {
  std::vector<float> values = laplace(4000, 3, 0.2), absolute = values;
  for (float &value : absolute)
    value = std::abs(value);
  Histogram both, folded;
  ASSERT_TRUE(both.add(values));
  ASSERT_TRUE(folded.add(absolute));
  std::vector<Bin> left = both.magnitudes(), right = folded.bins();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    EXPECT_EQ(left[i].count, right[i].count);
    EXPECT_NEAR(left[i].sum, right[i].sum, 1e-9);
  }
}

TEST(Histogram, RefusesWhatIsNoNumber) {
  Histogram histogram;
  ASSERT_TRUE(histogram.add(std::vector<float>{1, 2}));
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(histogram.add(std::vector<float>{1, std::nanf("")}));
  EXPECT_FALSE(histogram.add(std::vector<float>{std::nanf(""), 1}));
  EXPECT_FALSE(histogram.add(std::vector<float>{infinity}));
  EXPECT_FALSE(histogram.add(std::vector<float>{1, -infinity, 1}));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.max(), 2);
  EXPECT_TRUE(histogram.add({}));
}

TEST(Histogram, TakesTheEndsOfFloat) {
  Histogram histogram;
  ASSERT_TRUE(histogram.add(std::vector<float>{FLT_TRUE_MIN}));
  EXPECT_EQ(histogram.bins().front().mean(), FLT_TRUE_MIN);
  ASSERT_TRUE(histogram.add(std::vector<float>{FLT_MAX, -FLT_MAX}));
  EXPECT_EQ(histogram.bins().size(), 3u);
  EXPECT_EQ(histogram.count(), 3u);
  EXPECT_EQ(histogram.maxMagnitude(), FLT_MAX);
}

} // namespace
