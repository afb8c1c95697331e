//===- RequantizationTest.cpp - From accumulators to codes ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Requantization.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace a2q;

namespace {

constexpr Rounding allRoundings[] = {Rounding::HalfEven, Rounding::HalfUp,
                                     Rounding::HalfAway, Rounding::TowardZero,
                                     Rounding::Floor};

Wide magnitude(Wide value) { return value < 0 ? -value : value; }

/// Rounds `numerator / denominator` by the definition of each mode, trying
/// every integer of a window. Nothing is shared with the code under test.
Wide slowRound(Wide numerator, Wide denominator, Rounding rounding) {
  Wide best = 0;
  bool found = false;
  Wide near = numerator / denominator;
  for (Wide n = near - 3; n <= near + 3; ++n) {
    Wide product = n * denominator;
    if (rounding == Rounding::Floor) {
      if (product <= numerator && (!found || n > best))
        best = n, found = true;
      continue;
    }
    if (rounding == Rounding::TowardZero) {
      bool inside = magnitude(product) <= magnitude(numerator) &&
                    (n == 0 || (n > 0) == (numerator > 0));
      if (inside && (!found || magnitude(n) > magnitude(best)))
        best = n, found = true;
      continue;
    }
    if (!found) {
      best = n, found = true;
      continue;
    }
    Wide distance = magnitude(product - numerator);
    Wide bestDistance = magnitude(best * denominator - numerator);
    bool tie = distance == bestDistance;
    bool wins = rounding == Rounding::HalfEven ? n % 2 == 0
                : rounding == Rounding::HalfUp ? n > best
                                               : magnitude(n) > magnitude(best);
    if (distance < bestDistance || (tie && wins))
      best = n;
  }
  return best;
}

int64_t slowClamp(Wide value, Range codes) {
  if (value < codes.lo)
    return codes.lo;
  if (value > codes.hi)
    return codes.hi;
  return static_cast<int64_t>(value);
}

TEST(Requantize, IntegerAllSmallCases) {
  Range codes = {-1000, 1000};
  for (Rounding rounding : allRoundings)
    for (unsigned shift = 0; shift <= 5; ++shift)
      for (int64_t multiplier : {1, 2, 3, 5, 7, 31})
        for (int64_t sum = -70; sum <= 70; ++sum)
          ASSERT_EQ(requantize(sum, multiplier, shift, 3, codes, rounding),
                    slowClamp(slowRound(Wide(sum) * multiplier,
                                        Wide(1) << shift, rounding) +
                                  3,
                              codes))
              << sum << " * " << multiplier << " >> " << shift;
}

TEST(Requantize, IntegerRandom) {
  std::mt19937_64 random(4);
  for (int trial = 0; trial < 20000; ++trial) {
    unsigned shift = random() % 63;
    auto multiplier = static_cast<int64_t>(random() >> (1 + random() % 63));
    auto sum = static_cast<int64_t>(random()) >> (random() % 64);
    if (multiplier == 0)
      continue;
    auto zeroPoint = static_cast<int64_t>(random() % 256) - 128;
    Range codes = trial % 2 ? Range{-128, 127} : Range{INT64_MIN, INT64_MAX};
    for (Rounding rounding : allRoundings)
      ASSERT_EQ(requantize(sum, multiplier, shift, zeroPoint, codes, rounding),
                slowClamp(slowRound(Wide(sum) * multiplier, Wide(1) << shift,
                                    rounding) +
                              zeroPoint,
                          codes));
  }
}

// TOSA's apply_scale_32, as its specification writes it, at both sides of 0, at
// ties, and at the shifts where the second rounding begins and ends.
TEST(Requantize, DoubleRounding) {
  Range codes = {INT32_MIN, INT32_MAX};
  auto specified = [](int64_t value, int64_t multiplier, unsigned shift) {
    int64_t round = int64_t(1) << (shift - 1);
    if (shift > 31 && value >= 0)
      round += 1 << 30;
    if (shift > 31 && value < 0)
      round -= 1 << 30;
    return (value * multiplier + round) >> shift;
  };
  std::mt19937_64 random(9);
  for (unsigned shift : {2u, 30u, 31u, 32u, 33u, 40u, 61u, 62u})
    for (int64_t multiplier :
         {int64_t(1), int64_t(3), int64_t(1) << 30, (int64_t(1) << 31) - 1})
      for (int trial = 0; trial < 2000; ++trial) {
        int64_t limit = std::min<int64_t>(INT32_MAX, int64_t(1) << (shift - 1));
        int64_t sum =
            trial < 200 ? trial - 100 : static_cast<int64_t>(random()) % limit;
        sum = std::clamp(sum, -limit, limit - 1);
        ASSERT_EQ(
            requantize(sum, multiplier, shift, 0, codes, Rounding::Double),
            std::clamp<int64_t>(specified(sum, multiplier, shift), codes.lo,
                                codes.hi))
            << sum << " * " << multiplier << " >> " << shift;
      }
  // A half is rounded away from 0 only where there is a second rounding.
  EXPECT_EQ(requantize(-1, 1 << 30, 31, 0, codes, Rounding::Double), 0);
  EXPECT_EQ(requantize(-2, 1 << 30, 32, 0, codes, Rounding::Double), -1);
  EXPECT_EQ(requantize(2, 1 << 30, 32, 0, codes, Rounding::Double), 1);
}

// sum * multiplier does not fit 128 bits; the quotient may or may not.
TEST(Requantize, IntegerProductsBeyond128Bits) {
  Range codes = {0, 255};
  Wide huge = Wide(1) << 120;
  EXPECT_EQ(requantize(huge, INT64_MAX, 0, 0, codes), 255);
  EXPECT_EQ(requantize(-huge, INT64_MAX, 0, 0, codes), 0);
  EXPECT_EQ(requantize(huge, INT64_MAX, 62, 7, codes), 255);
  EXPECT_EQ(requantize(-huge, INT64_MAX, 62, 7, codes), 0);
  // (2^70 + 1) * 2^61 / 2^62 = 2^69 + 1/2
  EXPECT_EQ(requantize((Wide(1) << 70) + 1, int64_t(1) << 61, 62, 0, codes),
            255);
  EXPECT_EQ(
      requantize(Wide(101), int64_t(1) << 61, 62, 0, codes, Rounding::HalfEven),
      50);
  EXPECT_EQ(
      requantize(Wide(101), int64_t(1) << 61, 62, 0, codes, Rounding::HalfUp),
      51);
}

TEST(Requantize, Ties) {
  Range codes = {-128, 127};
  struct Case {
    int64_t halves;
    int64_t even, up, away, zero, floor;
  };
  for (Case c : {Case{1, 0, 1, 1, 0, 0}, Case{3, 2, 2, 2, 1, 1},
                 Case{5, 2, 3, 3, 2, 2}, Case{-1, 0, 0, -1, 0, -1},
                 Case{-3, -2, -1, -2, -1, -2}, Case{-5, -2, -2, -3, -2, -3},
                 Case{4, 2, 2, 2, 2, 2}, Case{-4, -2, -2, -2, -2, -2}}) {
    int64_t expected[] = {c.even, c.up, c.away, c.zero, c.floor};
    for (int mode = 0; mode < 5; ++mode) {
      Rounding rounding = allRoundings[mode];
      EXPECT_EQ(requantize(c.halves, 1, 1, 0, codes, rounding), expected[mode]);
      EXPECT_EQ(requantize(c.halves, 0.5f, 0, codes, rounding), expected[mode]);
      EXPECT_EQ(
          quantize(static_cast<float>(c.halves), 2.0f, 0, codes, rounding),
          expected[mode]);
    }
  }
}

TEST(Quantize, DefaultIsHalfEven) {
  Range u8 = {0, 255};
  EXPECT_EQ(quantize(0.5f, 1.0f, 0, u8), 0);
  EXPECT_EQ(quantize(1.5f, 1.0f, 0, u8), 2);
  EXPECT_EQ(quantize(2.5f, 1.0f, 0, u8), 2);
  EXPECT_EQ(requantize(Wide(5), 0.5f, 0, u8), 2);
}

// Every float with two fraction bits, against exact rationals.
TEST(Quantize, AgainstTheDefinition) {
  Range codes = {-50, 60};
  for (Rounding rounding : allRoundings)
    for (int quarters = -400; quarters <= 400; ++quarters)
      ASSERT_EQ(
          quantize(static_cast<float>(quarters), 4.0f, 5, codes, rounding),
          slowClamp(slowRound(quarters, 4, rounding) + 5, codes));
}

// The float32 quotient 0.3f / 0.2f is 1.5 and ties to 2; the double quotient of
// the same floats is above 1.5. The division is part of the definition.
TEST(Quantize, DividesInFloat32) {
  float value = 0.3f, scale = 0.2f;
  EXPECT_EQ(value / scale, 1.5f);
  EXPECT_GT(static_cast<double>(value) / static_cast<double>(scale), 1.5);
  EXPECT_EQ(quantize(value, scale, 1, {0, 255}), 3);
  EXPECT_EQ(quantize(-value, scale, 1, {-8, 7}, Rounding::HalfUp), 0);
}

// 16777217 is not a float32: it becomes 16777216 before it is multiplied.
TEST(Requantize, SumIsRoundedToFloat32First) {
  EXPECT_EQ(requantize(Wide(16777217), 1.0f, 0, {0, INT64_MAX}), 16777216);
  EXPECT_EQ(requantize(Wide(16777219), 1.0f, 0, {0, INT64_MAX}), 16777220);
  // 16777219 * 0.75 = 12582914.25, but 16777220 * 0.75 = 12582915.
  EXPECT_EQ(requantize(Wide(16777219), 0.75f, 0, {0, INT64_MAX}), 12582915);
}

TEST(Quantize, SaturatesAndTakesNaNForZero) {
  float infinity = std::numeric_limits<float>::infinity();
  float nan = std::numeric_limits<float>::quiet_NaN();
  Range u4 = {0, 15}, s8 = {-128, 127};
  EXPECT_EQ(quantize(1e30f, 1e-5f, 0, u4), 15);
  EXPECT_EQ(quantize(-1e30f, 1e-5f, 8, u4), 0);
  EXPECT_EQ(quantize(infinity, 1.0f, 3, s8), 127);
  EXPECT_EQ(quantize(-infinity, 1.0f, 3, s8), -128);
  EXPECT_EQ(quantize(nan, 1.0f, 3, s8), 3);
  EXPECT_EQ(quantize(nan, 1.0f, 300, s8), 127);
  EXPECT_EQ(requantize(Wide(7), nan, -5, s8), -5);
  EXPECT_EQ(requantize(Wide(-7), infinity, 0, s8), -128);
  EXPECT_EQ(quantize(1e9f, 1.0f, 0, {INT64_MIN, INT64_MAX}), 1000000000);
  EXPECT_EQ(quantize(infinity, 1.0f, -1, {INT64_MIN, INT64_MAX}), INT64_MAX);
}

// Range analysis evaluates only the ends of an interval.
TEST(Requantize, Monotone) {
  Range codes = {-100, 100};
  for (Rounding rounding : allRoundings) {
    int64_t last = codes.lo, lastInteger = codes.lo;
    for (int sum = -3000; sum <= 3000; ++sum) {
      int64_t code = requantize(Wide(sum), 0.0371f, 4, codes, rounding);
      int64_t integer = requantize(Wide(sum), 77, 11, 4, codes, rounding);
      ASSERT_GE(code, last);
      ASSERT_GE(integer, lastInteger);
      last = code;
      lastInteger = integer;
    }
  }
}

} // namespace
