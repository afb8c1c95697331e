//===- CentringTest.cpp - Accumulators that start off zero ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Centring.h"
#include "a2q/Math/Bounds.h"

#include <gtest/gtest.h>

using namespace a2q;

namespace {

TEST(Centring, StartMakesTheSpanFitAndNoStartFitsLess) {
  for (int lo = -40; lo <= 0; ++lo)
    for (int hi = 0; hi <= 40; ++hi) {
      Interval interval = {lo, hi};
      unsigned width = spanWidth(interval);
      Wide start = centredStart(interval);
      EXPECT_TRUE(signedInterval(width).contains(interval + start));
      EXPECT_TRUE(signedInterval(width).contains(start));
      if (width == 1)
        continue;
      for (int other = -100; other <= 100; ++other)
        EXPECT_FALSE(signedInterval(width - 1).contains(interval + other));
    }
}

// start = -ceil((lo + hi) / 2), whatever the signs.
TEST(Centring, RoundsUp) {
  EXPECT_EQ(centredStart({0, 255}), -128);
  EXPECT_EQ(centredStart({-255, 0}), 127);
  EXPECT_EQ(centredStart({-3, 0}), 1);
  EXPECT_EQ(centredStart({0, 1}), -1);
  EXPECT_EQ(centredStart({-1, 0}), 0);
  EXPECT_EQ(centredStart({-8, 7}), 0);
}

// A centred bound belongs to one accumulator: nine of the seventeen terms in a
// second register that starts at 0 do not fit the width that one register has.
TEST(Centring, SeventeenWeightsDoNotSplit) {
  std::vector<int64_t> weights(17, 1);
  std::vector<Range> ranges = {{0, 15}};
  Interval whole = prefixInterval({weights, ranges});
  EXPECT_EQ(spanWidth(whole), 8u);
  EXPECT_EQ(centredStart(whole), -128);
  EXPECT_EQ(whole + centredStart(whole), (Interval{-128, 127}));

  std::span<const int64_t> nine(weights.data(), 9);
  Interval second = prefixInterval({nine, ranges});
  EXPECT_EQ(second.hi, 135);
  EXPECT_FALSE(signedInterval(8).contains(second));
  // With its own start it does fit.
  EXPECT_TRUE(signedInterval(8).contains(second + centredStart(second)));
}

// With signed codes stored at a zero point the seventeen terms need 9 bits from
// start 0 ([-136, 119]), one more than centred.
TEST(Centring, ZeroPointFormCanNeedMore) {
  std::vector<int64_t> weights(17, 1);
  std::vector<Range> ranges = {{0, 15}};
  ChannelBounds bounds = boundChannel({weights, ranges}, 2);
  EXPECT_EQ(bounds.centred, 8u);
  EXPECT_EQ(bounds.zeroPoint, 9u);
  EXPECT_EQ(bounds.exact, 9u);
}

} // namespace
