//===- IntervalTest.cpp - Widths of intervals and ranges ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Interval.h"

#include <gtest/gtest.h>

using namespace a2q;

namespace {

/// The definitions of the widths, one bit at a time.
unsigned slowSignedWidth(Interval interval) {
  unsigned width = 1;
  while (!signedInterval(width).contains(interval))
    ++width;
  return width;
}

unsigned slowSpanWidth(Interval interval) {
  unsigned width = 1;
  while (interval.hi - interval.lo > (static_cast<Wide>(1) << width) - 1)
    ++width;
  return width;
}

TEST(Interval, WidthsOfAllSmallIntervals) {
  for (int lo = -70; lo <= 70; ++lo)
    for (int hi = lo; hi <= 70; ++hi) {
      Interval interval = {lo, hi};
      EXPECT_EQ(signedWidth(interval), slowSignedWidth(interval))
          << lo << ".." << hi;
      EXPECT_EQ(spanWidth(interval), slowSpanWidth(interval))
          << lo << ".." << hi;
    }
}

// A width computed from a float log2 is off by one here: 2^60 - 1, 2^60 and
// 2^60 + 1 are one double.
TEST(Interval, NeighboursOfPowersOfTwo) {
  for (unsigned bits = 1; bits <= 120; ++bits) {
    Wide power = static_cast<Wide>(1) << bits;
    EXPECT_EQ(signedWidth({0, power - 1}), bits + 1);
    EXPECT_EQ(signedWidth({0, power}), bits + 2);
    EXPECT_EQ(signedWidth({-power, 0}), bits + 1);
    EXPECT_EQ(signedWidth({-power - 1, 0}), bits + 2);
    EXPECT_EQ(spanWidth({-1, power - 2}), bits);
    EXPECT_EQ(spanWidth({-1, power - 1}), bits + 1);
  }
}

TEST(Interval, RegisterHoldsItself) {
  for (unsigned width = 1; width <= 126; ++width) {
    EXPECT_EQ(signedWidth(signedInterval(width)), width);
    EXPECT_EQ(spanWidth(signedInterval(width)), width);
  }
}

TEST(Interval, CodeBits) {
  EXPECT_EQ(codeBits({0, 0}), 1u);
  EXPECT_EQ(codeBits({0, 1}), 1u);
  EXPECT_EQ(codeBits({0, 15}), 4u);
  EXPECT_EQ(codeBits({0, 16}), 5u); // The digits images: 0..16 are 5 bits.
  EXPECT_EQ(codeBits({200, 255}), 8u);
  EXPECT_EQ(codeBits({-1, 0}), 1u);
  EXPECT_EQ(codeBits({-1, 1}), 2u);
  EXPECT_EQ(codeBits({-8, 7}), 4u);
  EXPECT_EQ(codeBits({-8, 8}), 5u);
  EXPECT_EQ(codeBits({-9, 0}), 5u);
  EXPECT_EQ(codeBits({INT64_MIN, INT64_MAX}), 64u);
  EXPECT_EQ(codeBits({0, INT64_MAX}), 63u);
}

TEST(Interval, RangesJoin) {
  EXPECT_EQ(join(Range{1, 3}, Range{-2, 2}), (Range{-2, 3}));
  EXPECT_EQ(withZero({200, 255}), (Range{0, 255}));
  EXPECT_EQ(withZero({-7, -3}), (Range{-7, 0}));
  EXPECT_EQ(withZero({-7, 3}), (Range{-7, 3}));
}

TEST(Interval, ProductsAreTight) {
  for (int64_t w = -3; w <= 3; ++w)
    for (int64_t lo = -4; lo <= 4; ++lo)
      for (int64_t hi = lo; hi <= 4; ++hi)
        for (int64_t wHi = w; wHi <= 3; ++wHi) {
          Interval all = {w * lo, w * lo};
          for (int64_t v = w; v <= wHi; ++v)
            for (int64_t x = lo; x <= hi; ++x)
              all = join(all, Interval{v * x, v * x});
          EXPECT_EQ(product(Range{w, wHi}, Range{lo, hi}), all);
          if (w == wHi) {
            EXPECT_EQ(product(w, Range{lo, hi}), all);
          }
        }
  EXPECT_EQ(product(INT64_MIN, Range{INT64_MIN, 0}).hi, static_cast<Wide>(1)
                                                            << 126);
}

TEST(Interval, DecimalText) {
  EXPECT_EQ(toString(Wide(0)), "0");
  EXPECT_EQ(toString(Wide(-65280)), "-65280");
  EXPECT_EQ(toString(Wide(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(toString(signedInterval(126).hi),
            "42535295865117307932921825928971026431");
  EXPECT_EQ(
      toString(static_cast<Wide>(static_cast<unsigned __int128>(1) << 127)),
      "-170141183460469231731687303715884105728");
}

} // namespace
