//===- StagingFactsTest.cpp - Chains of accumulators of normalized codes --===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Normalization.h"
#include "a2q/Math/Staging.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

using namespace a2q;

namespace {

AccumulationProblem problemOf(const Normalization &layer,
                              std::vector<int64_t> weights) {
  AccumulationProblem problem;
  problem.length = static_cast<int64_t>(layer.length());
  problem.channels = static_cast<int64_t>(weights.size()) / problem.length;
  problem.weights = std::move(weights);
  problem.ranges = {layer.lessZero()};
  problem.fact = layer.fact();
  return problem;
}

// Weights of 4 bits, codes of 8: by ranges 16 bits hold 86 of 384 terms, by the
// norm of the codes all of them.
TEST(StagingFacts, WholeSumsFitWithoutSpills) {
  Normalization layer{std::vector<float>(384, 1),
                      std::vector<float>(384, 0),
                      1.0f / 16,
                      0,
                      {-127, 127}};
  AccumulationProblem problem = problemOf(layer, std::vector<int64_t>(768, 3));
  auto schedule = stageLosslessly(problem, 16);
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->stages.size(), 1u);
  EXPECT_EQ(proveSchedule(problem, *schedule)[0].prefixWidth, 16u);

  problem.fact = std::nullopt;
  schedule = stageLosslessly(problem, 16);
  ASSERT_TRUE(schedule);
  EXPECT_EQ(schedule->stages.size(), 2u);
  EXPECT_EQ(schedule->stages[0].longestTile(), 86);
}

// A tile of n terms has the whole radius, but only n terms to share it.
TEST(StagingFacts, TilesAreLongerThanByRanges) {
  Normalization layer{std::vector<float>(384, 1),
                      std::vector<float>(384, 0),
                      1.0f / 4,
                      0,
                      {-127, 127}};
  AccumulationProblem problem = problemOf(layer, std::vector<int64_t>(384, 1));
  auto by = [&](unsigned width) {
    auto ends = longestTiles(problem, width, Bound::Exact);
    return ends ? (*ends)[0] : 0;
  };
  int64_t byNorm = by(11);
  // 4 * sqrt(384 n) + n / 2 <= 1023.
  EXPECT_GE(byNorm, 140);
  EXPECT_LE(byNorm, 150);
  problem.fact = std::nullopt;
  EXPECT_EQ(by(11), 8);
}

TEST(StagingFacts, MisfitIsNamed) {
  Normalization layer{std::vector<float>(4, 1),
                      std::vector<float>(4, 0),
                      1.0f / 16,
                      0,
                      {-127, 127}};
  AccumulationProblem problem = problemOf(layer, {1, 1, 1, 1, 1, 9, 1, 1});
  int64_t misfit = -1;
  EXPECT_FALSE(longestTiles(problem, 7, Bound::Exact, 1, &misfit));
  EXPECT_EQ(misfit, 1);
}

/// A layer's schedule and what it is simulated with.
struct Case {
  std::mt19937 random;
  Normalization layer;
  AccumulationProblem problem;
  Schedule schedule;
};

/// Random tiles in two or three stages, some starts, some lanes, some order.
Case randomCase(unsigned seed) {
  Case c{std::mt19937(seed), {}, {}, {}};
  std::mt19937 &random = c.random;
  size_t length = 4 + random() % 60;
  c.layer = randomLayer(random, length);
  c.problem = problemOf(c.layer, weightsWithin(random, 2 * length, 7));
  auto whole = static_cast<int64_t>(length);
  if (random() % 2 == 0) {
    c.schedule.order.resize(length);
    std::iota(c.schedule.order.begin(), c.schedule.order.end(), 0);
    std::shuffle(c.schedule.order.begin(), c.schedule.order.end(), random);
  }
  std::vector<int64_t> ends;
  for (int64_t end = 0; end < whole;) {
    end = std::min<int64_t>(end + 1 + random() % 16, whole);
    ends.push_back(end);
  }
  c.schedule.stages.push_back({ends, 1 + int64_t(random() % 2), {}});
  if (random() % 2 == 0) {
    std::vector<int64_t> some;
    for (int64_t end : ends)
      if (end == whole || random() % 3 == 0)
        some.push_back(end);
    c.schedule.stages.push_back({some, 1, {}});
  }
  c.schedule.stages.push_back({{whole}, 1, {}});
  std::uniform_int_distribution<int64_t> starts(-300, 300);
  for (StageSchedule &stage : c.schedule.stages)
    for (int64_t i = 0; i < 2 * stage.tiles() * stage.lanes; ++i)
      stage.starts.push_back(starts(random));
  return c;
}

/// Adds terms and tiles one by one and holds every value against its interval.
class Simulation {
public:
  explicit Simulation(const Case &c)
      : c(c), ordered(reorder(c.problem, c.schedule.order)) {
    for (int64_t channel = 0; channel < ordered.channels; ++channel)
      for (size_t s = 0; s < c.schedule.stages.size(); ++s)
        for (int64_t i = 0; i < accumulators(s); ++i)
          promised.push_back(accumulatorInterval(
              ordered, c.schedule, channel, static_cast<int64_t>(s),
              i / c.schedule.stages[s].lanes, i % c.schedule.stages[s].lanes));
  }

  void run(std::span<const int64_t> codes) {
    std::vector<int64_t> inputs(codes.begin(), codes.end());
    for (size_t p = 0; p < c.schedule.order.size(); ++p)
      inputs[p] = codes[c.schedule.order[p]];
    at = 0;
    for (int64_t channel = 0; channel < ordered.channels; ++channel)
      runChannel(channel, inputs);
  }

  const AccumulationProblem &problem() const { return ordered; }
  const std::vector<Interval> &intervals() const { return promised; }

private:
  int64_t accumulators(size_t stage) const {
    return c.schedule.stages[stage].tiles() * c.schedule.stages[stage].lanes;
  }

  void runChannel(int64_t channel, std::span<const int64_t> inputs) {
    DotProduct dot = ordered.dot(channel);
    std::vector<Wide> terms;
    for (size_t p = 0; p < inputs.size(); ++p)
      terms.push_back(static_cast<Wide>(dot.weights[p]) * inputs[p]);
    std::vector<int64_t> ends(inputs.size());
    std::iota(ends.begin(), ends.end(), 1);
    for (const StageSchedule &stage : c.schedule.stages) {
      std::vector<Wide> handed(stage.tiles());
      size_t term = 0;
      for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
        std::vector<Wide> lanes(stage.lanes);
        for (int64_t lane = 0; lane < stage.lanes; ++lane)
          check(lanes[lane] = stage.start(channel, tile, lane), lane);
        for (size_t p = 0;
             term < terms.size() && ends[term] <= stage.ends[tile];
             ++term, ++p) {
          int64_t lane = static_cast<int64_t>(p) / 2 % stage.lanes;
          check(lanes[lane] += terms[term], lane);
        }
        for (Wide lane : lanes)
          handed[tile] += lane;
        at += stage.lanes;
      }
      terms = std::move(handed);
      ends = stage.ends;
    }
  }

  void check(Wide value, int64_t lane) {
    EXPECT_TRUE(promised[at + lane].contains(value))
        << toString(value) << " leaves " << toString(promised[at + lane].lo)
        << ".." << toString(promised[at + lane].hi);
  }

  const Case &c;
  AccumulationProblem ordered;
  std::vector<Interval> promised;
  size_t at = 0;
};

TEST(StagingFacts, NoSampledInputLeavesAnAccumulator) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Case c = randomCase(seed);
    Simulation simulation(c);
    std::span<const int64_t> weights = c.problem.weights;
    for (int sample = 0; sample < 20; ++sample)
      simulation.run(c.layer.run(randomValues(
          c.random, c.layer,
          weights.subspan(sample % 2 * c.layer.length(), c.layer.length()))));
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// The proof names the widths of these very intervals, and none is wider than by
// ranges alone.
TEST(StagingFacts, ProofIsOfTheAccumulators) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    Case c = randomCase(seed);
    AccumulationProblem ordered = reorder(c.problem, c.schedule.order);
    std::vector<StageNeed> needs = proveSchedule(ordered, c.schedule);
    AccumulationProblem byRanges = ordered;
    byRanges.fact = std::nullopt;
    for (size_t s = 0; s < needs.size(); ++s) {
      const StageSchedule &stage = c.schedule.stages[s];
      unsigned widest = 1;
      for (int64_t channel = 0; channel < ordered.channels; ++channel)
        for (int64_t i = 0; i < stage.tiles() * stage.lanes; ++i) {
          auto held = [&](const AccumulationProblem &problem) {
            return accumulatorInterval(problem, c.schedule, channel,
                                       static_cast<int64_t>(s), i / stage.lanes,
                                       i % stage.lanes);
          };
          ASSERT_TRUE(held(byRanges).contains(held(ordered)));
          widest = std::max(widest, signedWidth(held(ordered)));
        }
      ASSERT_EQ(needs[s].prefixWidth, widest);
      ASSERT_LE(needs[s].finalWidth, widest);
    }
  }
}

TEST(StagingFacts, LosslessSchedulesKeepTheirWidths) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Case c = randomCase(seed);
    for (unsigned width : {9u, 11u, 13u}) {
      auto schedule = stageLosslessly(c.problem, width);
      if (!schedule)
        continue;
      std::vector<StageNeed> needs = proveSchedule(c.problem, *schedule);
      ASSERT_LE(needs.front().prefixWidth, width) << "seed " << seed;
      Case staged = c;
      staged.schedule = *schedule;
      Simulation simulation(staged);
      for (int sample = 0; sample < 5; ++sample)
        simulation.run(c.layer.run(randomValues(
            c.random, c.layer,
            std::span(c.problem.weights).first(c.layer.length()))));
      ASSERT_FALSE(HasFailure()) << "seed " << seed << " width " << width;
    }
  }
}

} // namespace
