//===- StagingSimulationTest.cpp - Schedules, executed step by step -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The slow readable reference: every accumulator of a schedule is executed term
// by term, in random order and in the two worst ones, on random, extreme and
// witness inputs. It shares no code with the proof.
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Staging.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <random>

using namespace a2q;

namespace {

using Random = std::mt19937_64;

int64_t uniform(Random &random, int64_t lo, int64_t hi) {
  return lo +
         static_cast<int64_t>(random() % static_cast<uint64_t>(hi - lo + 1));
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// What one accumulator held while it ran.
struct Trace {
  int64_t lowest;
  int64_t highest;
  int64_t final;
};

/// Brings the terms of one accumulator into the order in which they are added.
using Arrange = std::function<void(std::vector<int64_t> &)>;

Trace accumulate(int64_t start, std::vector<int64_t> terms,
                 const Arrange &arrange) {
  arrange(terms);
  Trace trace = {start, start, start};
  for (int64_t term : terms) {
    trace.final += term;
    trace.lowest = std::min(trace.lowest, trace.final);
    trace.highest = std::max(trace.highest, trace.final);
  }
  return trace;
}

/// Traces of one channel: [stage][tile * lanes + lane].
using Traces = std::vector<std::vector<Trace>>;

Traces execute(const AccumulationProblem &problem, const Schedule &schedule,
               int64_t channel, const std::vector<int64_t> &inputs,
               int64_t initial, const Arrange &arrange) {
  Traces traces;
  for (size_t s = 0; s < schedule.stages.size(); ++s) {
    const StageSchedule &stage = schedule.stages[s];
    auto &here = traces.emplace_back();
    int64_t begin = 0;
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      std::vector<std::vector<int64_t>> terms(stage.lanes);
      int64_t end = stage.ends[tile];
      if (s == 0) {
        for (int64_t p = begin; p < end; ++p)
          terms[(p - begin) / 2 % stage.lanes].push_back(
              problem.weights[channel * problem.length + p] * inputs[p]);
      } else {
        const StageSchedule &below = schedule.stages[s - 1];
        for (int64_t t = 0; t < below.tiles(); ++t) {
          if (below.ends[t] <= begin || below.ends[t] > end)
            continue;
          int64_t handed = 0;
          for (int64_t lane = 0; lane < below.lanes; ++lane)
            handed += traces[s - 1][t * below.lanes + lane].final;
          terms[0].push_back(handed);
        }
      }
      if (s + 1 == schedule.stages.size())
        terms[0].push_back(initial);
      for (int64_t lane = 0; lane < stage.lanes; ++lane)
        here.push_back(
            accumulate(stage.start(channel, tile, lane), terms[lane], arrange));
      begin = end;
    }
  }
  return traces;
}

int64_t outermost(const Traces &traces) {
  int64_t sum = 0;
  for (const Trace &lane : traces.back())
    sum += lane.final;
  return sum;
}

//===----------------------------------------------------------------------===//
// Random problems and schedules
//===----------------------------------------------------------------------===//

/// Types, ReLU outputs, clips, and ranges that lack 0, the small ones first.
const Range codeRanges[] = {{0, 1},  {-2, 1}, {0, 3},  {0, 0},   {-5, -2},
                            {-8, 7}, {0, 15}, {3, 16}, {0, 255}, {200, 255}};

Range anyRange(Random &random, size_t among) {
  return codeRanges[random() % among];
}

/// Weights of at most `weightBits` bits.
AccumulationProblem anyProblem(Random &random, int64_t maxLength,
                               int64_t weightBits) {
  AccumulationProblem problem;
  problem.groups = uniform(random, 1, 2);
  problem.channels = problem.groups * uniform(random, 1, 3);
  problem.length = uniform(random, 1, maxLength);
  int64_t magnitude = int64_t(1) << uniform(random, 0, weightBits - 1);
  int64_t density = uniform(random, 1, 4);
  for (int64_t i = 0; i < problem.channels * problem.length; ++i)
    problem.weights.push_back(uniform(random, 0, 3) < density
                                  ? uniform(random, -magnitude, magnitude - 1)
                                  : 0);
  size_t ranges[] = {1, static_cast<size_t>(problem.length),
                     static_cast<size_t>(problem.groups * problem.length)};
  problem.ranges.resize(ranges[random() % 3]);
  size_t among = random() % 2 ? 5 : std::size(codeRanges);
  Range common = anyRange(random, among);
  for (Range &range : problem.ranges)
    range = random() % 2 ? common : anyRange(random, among);
  int64_t reach = random() % 4 ? 3000 : 100000;
  if (random() % 2)
    for (int64_t channel = 0; channel < problem.channels; ++channel) {
      int64_t lo = uniform(random, -reach, reach);
      problem.initial.push_back({lo, lo + uniform(random, 0, 100)});
    }
  return problem;
}

/// Up to three stages with nested ends, lanes and any starts.
Schedule anySchedule(Random &random, const AccumulationProblem &problem) {
  Schedule schedule;
  std::vector<int64_t> ends;
  for (int64_t end = 1; end <= problem.length; ++end)
    if (end == problem.length || random() % 3 == 0)
      ends.push_back(end);
  int64_t stages = uniform(random, 1, 3);
  for (int64_t s = 0; s < stages; ++s) {
    if (s + 1 == stages)
      ends = {problem.length};
    StageSchedule stage;
    stage.ends = ends;
    stage.lanes = s == 0 ? uniform(random, 1, 3) : 1;
    if (random() % 4)
      for (int64_t i = 0; i < problem.channels * stage.tiles() * stage.lanes;
           ++i)
        stage.starts.push_back(uniform(random, -200, 200));
    schedule.stages.push_back(stage);
    std::erase_if(ends, [&](int64_t end) {
      return end != problem.length && random() % 2;
    });
  }
  return schedule;
}

//===----------------------------------------------------------------------===//
// Promises
//===----------------------------------------------------------------------===//

/// Runs the schedule and holds it to what is promised.
class Execution {
public:
  Execution(const AccumulationProblem &problem, const Schedule &schedule)
      : problem(problem), schedule(schedule),
        needs(proveSchedule(problem, schedule)) {}

  void check(Random &random) {
    ASSERT_EQ(needs.size(), schedule.stages.size());
    reachedPrefix.assign(needs.size(), 1);
    reachedFinal.assign(needs.size(), 1);
    for (int64_t channel = 0; channel < problem.channels; ++channel) {
      for (int trial = 0; trial < 4; ++trial)
        checkInputs(channel, random, trial % 2);
      checkExtremes(channel);
    }
    // Two-sided: some input and order reach the widths.
    for (size_t s = 0; s < needs.size(); ++s) {
      EXPECT_EQ(needs[s].prefixWidth, reachedPrefix[s]) << "stage " << s;
      EXPECT_EQ(needs[s].finalWidth, reachedFinal[s]) << "stage " << s;
      EXPECT_EQ(needs[s].interval,
                promised(needs[s].channel, s, needs[s].tile, needs[s].lane));
      EXPECT_EQ(signedWidth(needs[s].interval), needs[s].prefixWidth);
    }
  }

private:
  Interval promised(int64_t channel, size_t stage, int64_t tile,
                    int64_t lane) const {
    return accumulatorInterval(problem, schedule, channel,
                               static_cast<int64_t>(stage), tile, lane);
  }

  Range initial(int64_t channel) const {
    return problem.initial.empty() ? Range{0, 0} : problem.initial[channel];
  }

  /// Random or extreme inputs in random order stay inside, and the decoded
  /// value is the plain sum.
  void checkInputs(int64_t channel, Random &random, bool extreme) {
    DotProduct dot = problem.dot(channel);
    auto pick = [&](Range range) {
      if (extreme)
        return random() % 2 ? range.lo : range.hi;
      return uniform(random, range.lo, range.hi);
    };
    std::vector<int64_t> inputs;
    for (size_t k = 0; k < dot.length(); ++k)
      inputs.push_back(pick(dot.range(k)));
    auto shuffle = [&](std::vector<int64_t> &terms) {
      std::shuffle(terms.begin(), terms.end(), random);
    };
    run(channel, inputs, pick(initial(channel)), shuffle);
  }

  /// The witnesses, in the order that reaches furthest, reach both ends of
  /// every accumulator of every stage.
  void checkExtremes(int64_t channel) {
    DotProduct dot = problem.dot(channel);
    Traces upper = run(channel, upperWitness(dot), initial(channel).hi,
                       [](std::vector<int64_t> &terms) {
                         std::sort(terms.rbegin(), terms.rend());
                       });
    Traces lower = run(channel, lowerWitness(dot), initial(channel).lo,
                       [](std::vector<int64_t> &terms) {
                         std::sort(terms.begin(), terms.end());
                       });
    for (size_t s = 0; s < upper.size(); ++s)
      for (size_t i = 0; i < upper[s].size(); ++i) {
        int64_t lanes = schedule.stages[s].lanes;
        Interval reached = {lower[s][i].lowest, upper[s][i].highest};
        ASSERT_EQ(reached, promised(channel, s, i / lanes, i % lanes))
            << "stage " << s << " accumulator " << i;
        reachedPrefix[s] = std::max(reachedPrefix[s], signedWidth(reached));
        reachedFinal[s] =
            std::max(reachedFinal[s],
                     signedWidth({lower[s][i].final, upper[s][i].final}));
      }
  }

  Traces run(int64_t channel, const std::vector<int64_t> &inputs,
             int64_t initial, const Arrange &arrange) {
    Traces traces =
        execute(problem, schedule, channel, inputs, initial, arrange);
    for (size_t s = 0; s < traces.size(); ++s)
      for (size_t i = 0; i < traces[s].size(); ++i) {
        int64_t lanes = schedule.stages[s].lanes;
        Trace trace = traces[s][i];
        Interval held = {trace.lowest, trace.highest};
        EXPECT_TRUE(promised(channel, s, i / lanes, i % lanes).contains(held));
        EXPECT_TRUE(signedInterval(needs[s].prefixWidth).contains(held));
        EXPECT_TRUE(signedInterval(needs[s].finalWidth).contains(trace.final));
      }
    int64_t sum = initial;
    for (int64_t p = 0; p < problem.length; ++p)
      sum += problem.weights[channel * problem.length + p] * inputs[p];
    EXPECT_EQ(outermost(traces) - schedule.startSum(channel), sum);
    return traces;
  }

  const AccumulationProblem &problem;
  const Schedule &schedule;
  std::vector<StageNeed> needs;
  std::vector<unsigned> reachedPrefix, reachedFinal;
};

TEST(StagingSimulation, AnyScheduleKeepsItsPromises) {
  Random random(11);
  for (int trial = 0; trial < 150; ++trial) {
    AccumulationProblem problem = anyProblem(random, 24, 8);
    Schedule schedule = anySchedule(random, problem);
    Execution(problem, schedule).check(random);
    ASSERT_FALSE(HasFailure()) << "trial " << trial;
  }
}

// Centred starts keep their promises too, and need the narrowest widths that
// any starts can have, stage by stage: the widest span below decides.
TEST(StagingSimulation, CentredStarts) {
  Random random(15);
  int narrower = 0;
  for (int trial = 0; trial < 150; ++trial) {
    AccumulationProblem problem = anyProblem(random, 24, 8);
    Schedule given = anySchedule(random, problem);
    Schedule centred = centreStarts(problem, given);
    Execution(problem, centred).check(random);
    ASSERT_FALSE(HasFailure()) << "trial " << trial;
    std::vector<StageNeed> before = proveSchedule(problem, given);
    std::vector<StageNeed> after = proveSchedule(problem, centred);
    EXPECT_LE(after[0].prefixWidth, before[0].prefixWidth);
    narrower += after[0].prefixWidth < before[0].prefixWidth;
    for (size_t s = 0; s < after.size(); ++s) {
      const StageSchedule &stage = centred.stages[s];
      EXPECT_EQ(stage.ends, given.stages[s].ends);
      EXPECT_EQ(stage.lanes, given.stages[s].lanes);
      unsigned span = 1;
      for (int64_t c = 0; c < problem.channels; ++c)
        for (int64_t tile = 0; tile < stage.tiles(); ++tile)
          for (int64_t lane = 0; lane < stage.lanes; ++lane)
            span = std::max(span, spanWidth(accumulatorInterval(
                                      problem, centred, c, s, tile, lane)));
      EXPECT_EQ(after[s].prefixWidth, span);
    }
  }
  EXPECT_GT(narrower, 30);
}

bool granuleFits(const AccumulationProblem &problem, int64_t channel,
                 int64_t begin, int64_t end, unsigned width, Bound bound,
                 int64_t lanes) {
  DotProduct dot = problem.dot(channel);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Wide lo = 0, hi = 0;
    for (int64_t p = begin; p < end; ++p) {
      if ((p - begin) / 2 % lanes != lane)
        continue;
      Wide a = Wide(dot.weights[p]) * dot.range(p).lo;
      Wide b = Wide(dot.weights[p]) * dot.range(p).hi;
      lo += std::min<Wide>({a, b, 0});
      hi += std::max<Wide>({a, b, 0});
    }
    Wide half = Wide(1) << (width - 1);
    if (bound == Bound::Exact ? lo < -half || hi > half - 1
                              : hi - lo > 2 * half - 1)
      return false;
  }
  return true;
}

/// The fewest tiles by dynamic programming; 0 when there is no way to cut.
int64_t fewestTiles(const AccumulationProblem &problem, unsigned width,
                    Bound bound, int64_t granularity, int64_t lanes) {
  std::vector<int64_t> tiles(problem.length + 1, 0);
  for (int64_t end = 1; end <= problem.length; ++end) {
    if (end % granularity != 0 && end != problem.length)
      continue;
    for (int64_t begin = 0; begin < end; begin += granularity) {
      if (begin > 0 && tiles[begin] == 0)
        continue;
      bool fit = true;
      for (int64_t channel = 0; channel < problem.channels; ++channel)
        fit = fit &&
              granuleFits(problem, channel, begin, end, width, bound, lanes);
      if (fit && (tiles[end] == 0 || tiles[begin] + 1 < tiles[end]))
        tiles[end] = tiles[begin] + 1;
    }
  }
  return tiles[problem.length];
}

TEST(StagingSimulation, GreedyIsOptimal) {
  Random random(12);
  int64_t cut = 0, refused = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    AccumulationProblem problem = anyProblem(random, 14, 3);
    unsigned width = uniform(random, 3, 9);
    Bound bound = trial % 2 ? Bound::Exact : Bound::Centred;
    int64_t lanes = uniform(random, 1, 2);
    int64_t granularity =
        lanes == 1 ? uniform(random, 1, 3) : 2 * lanes * uniform(random, 1, 2);
    int64_t misfit = -1;
    auto ends =
        longestTiles(problem, width, bound, granularity, &misfit, lanes);
    int64_t fewest = fewestTiles(problem, width, bound, granularity, lanes);
    ASSERT_EQ(ends ? static_cast<int64_t>(ends->size()) : 0, fewest);
    if (!ends) {
      ++refused;
      bool fits = true;
      for (int64_t b = 0; b < problem.length; b += granularity)
        fits = fits && granuleFits(problem, misfit, b,
                                   std::min(b + granularity, problem.length),
                                   width, bound, lanes);
      EXPECT_FALSE(fits) << "channel " << misfit << " is not to blame";
      continue;
    }
    cut += ends->size() > 1;
    EXPECT_EQ(ends->back(), problem.length);
  }
  // The cases are worth something: both outcomes occur often.
  EXPECT_GT(cut, 30);
  EXPECT_GT(refused, 30);
}

/// Every start that is not 0 has a reason.
void expectStartsEarnTheirPlace(const AccumulationProblem &problem,
                                const Schedule &schedule,
                                const std::vector<unsigned> &widths) {
  for (size_t s = 0; s < schedule.stages.size(); ++s) {
    const StageSchedule &stage = schedule.stages[s];
    for (int64_t c = 0; c < problem.channels; ++c)
      for (int64_t tile = 0; tile < stage.tiles(); ++tile)
        for (int64_t lane = 0; lane < stage.lanes; ++lane) {
          Wide start = stage.start(c, tile, lane);
          Interval held =
              accumulatorInterval(problem, schedule, c, s, tile, lane);
          EXPECT_TRUE(signedInterval(widths[s]).contains(held));
          if (start != 0) {
            EXPECT_FALSE(signedInterval(widths[s]).contains(held + -start));
          }
        }
  }
}

TEST(StagingSimulation, LosslessSchedules) {
  Random random(13);
  int64_t stagesSeen[4] = {}, started = 0;
  for (int trial = 0; trial < 700; ++trial) {
    AccumulationProblem problem = anyProblem(random, 60, trial % 2 ? 1 : 4);
    unsigned inner = trial % 3 == 0 ? 16 : trial % 3 == 1 ? 8 : 11;
    int64_t lanes = uniform(random, 1, 2);
    int64_t granularity = lanes == 1 ? uniform(random, 1, 2) : 4;
    int64_t misfit = -1;
    auto schedule =
        stageLosslessly(problem, inner, granularity, &misfit, lanes);
    auto fewest = longestTiles(problem, inner, Bound::Centred, granularity,
                               nullptr, lanes);
    if (!schedule) {
      EXPECT_FALSE(fewest);
      EXPECT_GE(misfit, 0);
      continue;
    }
    ++stagesSeen[schedule->stages.size()];
    EXPECT_EQ(schedule->stages[0].ends.size(), fewest->size());
    EXPECT_EQ(schedule->stages.back().tiles(), 1);
    for (size_t s = 1; s < schedule->stages.size(); ++s)
      EXPECT_TRUE(std::includes(schedule->stages[s - 1].ends.begin(),
                                schedule->stages[s - 1].ends.end(),
                                schedule->stages[s].ends.begin(),
                                schedule->stages[s].ends.end()));
    std::vector<StageNeed> needs = proveSchedule(problem, *schedule);
    std::vector<unsigned> widths = {inner};
    if (needs.size() == 3)
      widths.push_back(16);
    if (needs.size() > 1)
      widths.push_back(needs.back().prefixWidth <= std::max(8u, inner)
                           ? std::max(8u, inner)
                       : needs.back().prefixWidth <= 16 ? 16
                                                        : 32);
    expectStartsEarnTheirPlace(problem, *schedule, widths);
    for (const StageSchedule &stage : schedule->stages)
      started += !stage.starts.empty();
    Execution(problem, *schedule).check(random);
    ASSERT_FALSE(HasFailure()) << "trial " << trial;
  }
  for (int stages = 1; stages <= 3; ++stages)
    EXPECT_GT(stagesSeen[stages], 10) << stages << " stages";
  EXPECT_GT(started, 30);
}

// Exact tiles are preferred when they are as few: no inner start then.
TEST(StagingSimulation, NoStartsWhenExactHasAsFewTiles) {
  Random random(14);
  for (int trial = 0; trial < 100; ++trial) {
    AccumulationProblem problem = anyProblem(random, 40, 4);
    auto schedule = stageLosslessly(problem, 11);
    auto exact = longestTiles(problem, 11, Bound::Exact);
    if (!schedule || schedule->stages.size() == 1 || !exact)
      continue;
    bool asFew =
        static_cast<int64_t>(exact->size()) == schedule->stages[0].tiles();
    EXPECT_EQ(schedule->stages[0].starts.empty(), asFew) << trial;
  }
}

} // namespace
