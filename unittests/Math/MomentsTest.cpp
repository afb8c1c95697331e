//===- MomentsTest.cpp - What calibration keeps of a layer's inputs -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Moments.h"

#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace a2q;

namespace {

std::vector<float> codes(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float &value : values)
    value = static_cast<float>(static_cast<int>(random() % 256) - 128);
  return values;
}

// 300 vectors: a full block of 256 and a part of one. 37 activations: more than
// one square of the mirrored triangle, and no multiple of it.
TEST(Moments, ExactForCodes) {
  constexpr size_t length = 37, count = 300;
  std::vector<float> x = codes(length * count, 1);
  MomentAccumulator accumulator(length);
  // In two calls of uneven size.
  std::span<const float> all(x);
  ASSERT_TRUE(accumulator.add(all.first(length * 270)));
  ASSERT_TRUE(accumulator.add(all.subspan(length * 270)));
  Moments moments = accumulator.take();
  EXPECT_EQ(moments.length, 37);
  EXPECT_EQ(moments.samples, 300);
  EXPECT_EQ(moments.refusal(37), "");
  for (size_t i = 0; i < length; ++i) {
    int64_t first = 0;
    for (size_t n = 0; n < count; ++n)
      first += static_cast<int64_t>(x[n * length + i]);
    EXPECT_EQ(moments.mean[i], static_cast<double>(first) / 300);
    for (size_t j = 0; j < length; ++j) {
      int64_t second = 0;
      for (size_t n = 0; n < count; ++n)
        second += static_cast<int64_t>(x[n * length + i]) *
                  static_cast<int64_t>(x[n * length + j]);
      EXPECT_EQ(moments.product(i, j), static_cast<double>(second) / 300);
    }
    EXPECT_EQ(moments.diagonal()[i], moments.product(i, i));
  }
  // Taken is taken.
  Moments none = accumulator.take();
  EXPECT_EQ(none.samples, 0);
  EXPECT_EQ(none.products, std::vector<double>(length * length, 0));
}

TEST(Moments, BadVectorsAddNothing) {
  MomentAccumulator accumulator(2);
  ASSERT_TRUE(accumulator.add(std::vector<float>{1, 2}));
  for (float bad : {std::numeric_limits<float>::quiet_NaN(),
                    std::numeric_limits<float>::infinity()})
    EXPECT_FALSE(accumulator.add(std::vector<float>{3, 4, 5, bad}));
  Moments moments = accumulator.take();
  EXPECT_EQ(moments.samples, 1);
  EXPECT_EQ(moments.products, (std::vector<double>{1, 2, 2, 4}));
}

TEST(Moments, Refusals) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  Moments good = {2, 5, {1, 1}, {2, 1, 1, 3}};
  EXPECT_EQ(good.refusal(2), "");
  EXPECT_EQ(good.refusal(3), "moments of 2 activations for 3 weights");
  Moments short1 = {2, 5, {1}, {2, 1, 1, 3}};
  EXPECT_EQ(short1.refusal(2), "moments of 2 activations need 2 means and 4 "
                               "products, found 1 and 4");
  Moments none = {2, 0, {1, 1}, {2, 1, 1, 3}};
  EXPECT_EQ(none.refusal(2),
            "moments of 0.000000 samples, expected at least one");
  Moments badMean = {2, 5, {1, nan}, {2, 1, 1, 3}};
  EXPECT_EQ(badMean.refusal(2),
            "the mean of activation 1 is nan, expected a finite number");
  Moments badProduct = {2, 5, {1, 1}, {2, 1, nan, 3}};
  EXPECT_EQ(badProduct.refusal(2), "the mean product of activations 1 and 0 is "
                                   "nan, expected a finite number");
  Moments negative = {2, 5, {1, 1}, {2, 1, 1, -3}};
  EXPECT_EQ(negative.refusal(2), "the mean product of activations 1 and 1 is "
                                 "-3.000000, expected at least 0");
}

// |E[x y]|^2 <= E[x^2] E[y^2] for whatever distribution.
TEST(Moments, ContradictoryProducts) {
  Moments good = {2, 5, {0, 0}, {2, -4, -4, 8}};
  EXPECT_EQ(good.refusal(2), "");
  Moments rounded = {2, 5, {0, 0}, {2, 4 + 1e-12, 4 + 1e-12, 8}};
  EXPECT_EQ(rounded.refusal(2), "");
  for (double product : {4.0001, -4.0001, 1e99}) {
    Moments bad = {2, 5, {0, 0}, {2, product, product, 8}};
    EXPECT_NE(bad.refusal(2).find("and their mean squares are 2 and 8"),
              std::string::npos)
        << bad.refusal(2);
  }
  // Also where squares are as small as numbers are.
  double least = std::numeric_limits<double>::denorm_min();
  Moments small = {2, 5, {0, 0}, {least, least, least, least}};
  EXPECT_EQ(small.refusal(2), "");
}

// Products of codes are below 1e20; far larger ones would overflow in sums.
TEST(Moments, LargeSquares) {
  Moments large = {2, 5, {0, 0}, {1, 0, 0, 1e250}};
  EXPECT_EQ(large.refusal(2), "");
  std::string refusal =
      "the mean square of activation 1 is 1e+300, expected at most 1e+250";
  large.products = {1, 0, 0, 1e300};
  EXPECT_EQ(large.refusal(2), refusal);
  large.products = {1, 1e300};
  EXPECT_EQ(large.refusal(2, /*orSquares=*/true), refusal);
}

} // namespace
