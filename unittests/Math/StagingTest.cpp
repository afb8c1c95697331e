//===- StagingTest.cpp - Chains of accumulators ---------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Staging.h"
#include "a2q/Math/Centring.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace a2q;

namespace {

AccumulationProblem oneChannel(std::vector<int64_t> weights, Range range) {
  AccumulationProblem problem;
  problem.channels = 1;
  problem.length = static_cast<int64_t>(weights.size());
  problem.weights = std::move(weights);
  problem.ranges = {range};
  return problem;
}

//===----------------------------------------------------------------------===//
// Named cases
//===----------------------------------------------------------------------===//

// The example in Staging.h: three tiles [0, 1] at width 1 hand over [-1, 0]
// each.
TEST(Staging, ThreeTilesHandOverTheirStarts) {
  AccumulationProblem problem = oneChannel({1, 1, 1}, {0, 1});
  EXPECT_EQ(longestTiles(problem, 1, Bound::Centred),
            (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(longestTiles(problem, 1, Bound::Exact), std::nullopt);

  Schedule schedule;
  schedule.stages = {{{1, 2, 3}, 1, {-1, -1, -1}}, {{3}, 1, {}}};
  EXPECT_EQ(accumulatorInterval(problem, schedule, 0, 0, 1, 0),
            (Interval{-1, 0}));
  EXPECT_EQ(accumulatorInterval(problem, schedule, 0, 1, 0, 0),
            (Interval{-3, 0}));
  EXPECT_EQ(proveSchedule(problem, schedule)[1].prefixWidth, 3u);

  schedule.stages[1].starts = {1};
  std::vector<StageNeed> needs = proveSchedule(problem, schedule);
  EXPECT_EQ(needs[0].prefixWidth, 1u);
  EXPECT_EQ(needs[1].prefixWidth, 2u);
  EXPECT_EQ(needs[1].interval, (Interval{-2, 1}));
  EXPECT_EQ(schedule.startSum(0), -2);

  // Centred by the true sum [0, 3] instead.
  schedule.stages[1].starts = {-2};
  EXPECT_EQ(proveSchedule(problem, schedule)[1].interval, (Interval{-5, -2}));
  EXPECT_GT(proveSchedule(problem, schedule)[1].prefixWidth, 2u);
}

TEST(Staging, SeventeenWeightsInTwoLanes) {
  AccumulationProblem problem =
      oneChannel(std::vector<int64_t>(17, 1), {0, 15});
  Schedule schedule = Schedule::trivial(17);
  schedule.stages[0].starts = {-128};
  EXPECT_EQ(proveSchedule(problem, schedule)[0].prefixWidth, 8u);
  // Two lanes, the start in the first only: terms 0 1 4 5 8 9 12 13 16 and the
  // other eight.
  schedule.stages[0].lanes = 2;
  schedule.stages[0].starts = {-128, 0};
  EXPECT_EQ(accumulatorInterval(problem, schedule, 0, 0, 0, 0),
            (Interval{-128, 7}));
  EXPECT_EQ(accumulatorInterval(problem, schedule, 0, 0, 0, 1),
            (Interval{0, 120}));
  // Nine terms from start 0 reach 135.
  schedule.stages[0].starts = {0, -128};
  EXPECT_EQ(accumulatorInterval(problem, schedule, 0, 0, 0, 0),
            (Interval{0, 135}));
  EXPECT_EQ(proveSchedule(problem, schedule)[0].prefixWidth, 9u);
}

TEST(Staging, WholeKInOneStage) {
  AccumulationProblem problem =
      oneChannel(std::vector<int64_t>(16, 1), {0, 255});
  auto schedule = stageLosslessly(problem, 16);
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->stages.size(), 1u);
  EXPECT_TRUE(schedule->stages[0].starts.empty());
  // l1 = 257 fits 16 bits centred, and only so.
  problem = oneChannel(std::vector<int64_t>(257, 1), {0, 255});
  schedule = stageLosslessly(problem, 16);
  ASSERT_EQ(schedule->stages.size(), 1u);
  EXPECT_EQ(schedule->stages[0].starts, (std::vector<int64_t>{-32768}));
  EXPECT_EQ(proveSchedule(problem, *schedule)[0].prefixWidth, 16u);
  // One more unit spills. From 0 there would be three tiles, 128 units each.
  problem = oneChannel(std::vector<int64_t>(258, 1), {0, 255});
  schedule = stageLosslessly(problem, 16);
  ASSERT_EQ(schedule->stages.size(), 2u);
  EXPECT_EQ(schedule->stages[0].ends, (std::vector<int64_t>{257, 258}));
  EXPECT_EQ(schedule->stages[0].starts, (std::vector<int64_t>{-32768, 0}));
  EXPECT_EQ(schedule->stages[1].ends, (std::vector<int64_t>{258}));
}

TEST(Staging, StartZeroWhereItCostsNoTile) {
  // Signs in turn: 8 bits hold 16 terms from 0 ([-120, 120]) and 17 centred.
  // Both cut 20 terms in two.
  std::vector<int64_t> weights;
  for (int k = 0; k < 20; ++k)
    weights.push_back(k % 2 ? -1 : 1);
  AccumulationProblem problem = oneChannel(weights, {0, 15});
  auto schedule = stageLosslessly(problem, 8);
  ASSERT_TRUE(schedule);
  ASSERT_EQ(schedule->stages.size(), 2u);
  EXPECT_EQ(schedule->stages[0].tiles(), 2);
  EXPECT_TRUE(schedule->stages[0].starts.empty());
  EXPECT_TRUE(schedule->stages[1].starts.empty());
}

TEST(Staging, MiddleStageUnderEightBits) {
  // 600 terms of [0, 255]: one at a time in 8 bits, and 18 bits in all. Each
  // hands over [-128, 127], so 16 bits hold 256 of them from 0, 257 centred;
  // both make three tiles.
  AccumulationProblem problem =
      oneChannel(std::vector<int64_t>(600, 1), {0, 255});
  auto schedule = stageLosslessly(problem, 8);
  ASSERT_TRUE(schedule);
  ASSERT_EQ(schedule->stages.size(), 3u);
  EXPECT_EQ(schedule->stages[0].tiles(), 600);
  EXPECT_EQ(schedule->stages[1].ends, (std::vector<int64_t>{256, 512, 600}));
  EXPECT_TRUE(schedule->stages[1].starts.empty());
  std::vector<StageNeed> needs = proveSchedule(problem, *schedule);
  EXPECT_LE(needs[0].prefixWidth, 8u);
  EXPECT_LE(needs[1].prefixWidth, 16u);
  EXPECT_LE(needs[2].prefixWidth, 32u);
}

TEST(Staging, MisfitNamesTheChannel) {
  AccumulationProblem problem;
  problem.channels = 3;
  problem.length = 2;
  problem.weights = {1, 1, 1, 2, 1, 1};
  problem.ranges = {{0, 255}};
  int64_t misfit = -1;
  EXPECT_EQ(stageLosslessly(problem, 8, 1, &misfit), std::nullopt);
  EXPECT_EQ(misfit, 1);
  EXPECT_EQ(longestTiles(problem, 8, Bound::Exact, 1, &misfit), std::nullopt);
  EXPECT_EQ(misfit, 0);
}

TEST(Staging, GroupsHaveTheirRanges) {
  AccumulationProblem problem;
  problem.channels = 4;
  problem.groups = 2;
  problem.length = 2;
  problem.weights = {1, 1, 1, 1, 1, 1, 1, 1};
  problem.ranges = {{0, 1}, {0, 2}, {0, 4}, {0, 8}};
  EXPECT_EQ(prefixInterval(problem.dot(1)).hi, 3);
  EXPECT_EQ(prefixInterval(problem.dot(2)).hi, 12);
  AccumulationProblem swapped = reorder(problem, std::vector<int64_t>{1, 0});
  EXPECT_EQ(swapped.ranges,
            (std::vector<Range>{{0, 2}, {0, 1}, {0, 8}, {0, 4}}));
}

} // namespace
