//===- Staging.cpp - Chains of accumulators -------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Staging.h"

#include "a2q/Math/Centring.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

namespace a2q {

DotProduct AccumulationProblem::dot(int64_t channel) const {
  std::span<const int64_t> row(weights.data() + channel * length,
                               static_cast<size_t>(length));
  std::span<const Range> codes(ranges);
  auto block = static_cast<size_t>(length);
  if (codes.size() != 1 && codes.size() != block) {
    int64_t group = channel / (channels / groups);
    codes = codes.subspan(static_cast<size_t>(group) * block, block);
  }
  return {row, codes};
}

SumIntervals AccumulationProblem::sum(int64_t channel) const {
  if (fact)
    return boundSum(dot(channel), *fact);
  return {finalInterval(dot(channel)), prefixInterval(dot(channel))};
}

AccumulationProblem reorder(const AccumulationProblem &problem,
                            std::span<const int64_t> order) {
  AccumulationProblem result = problem;
  if (order.empty())
    return result;
  auto length = static_cast<size_t>(problem.length);
  assert(order.size() == length && "the order is a permutation of the terms");
  for (size_t row = 0; row < problem.weights.size(); row += length)
    for (size_t p = 0; p < length; ++p)
      result.weights[row + p] = problem.weights[row + order[p]];
  if (problem.fact && problem.fact->ball)
    result.fact->ball = problem.fact->ball->select(order);
  if (problem.ranges.size() == 1)
    return result;
  for (size_t row = 0; row < problem.ranges.size(); row += length)
    for (size_t p = 0; p < length; ++p)
      result.ranges[row + p] = problem.ranges[row + order[p]];
  return result;
}

int64_t StageSchedule::longestTile() const {
  int64_t longest = 0;
  for (int64_t tile = 0; tile < tiles(); ++tile)
    longest = std::max(longest, ends[tile] - begin(tile));
  return longest;
}

Schedule Schedule::trivial(int64_t length) {
  Schedule schedule;
  schedule.stages.push_back({{length}, 1, {}});
  return schedule;
}

Wide Schedule::startSum(int64_t channel) const {
  Wide sum = 0;
  for (const StageSchedule &stage : stages)
    for (int64_t tile = 0; tile < stage.tiles(); ++tile)
      for (int64_t lane = 0; lane < stage.lanes; ++lane)
        sum += stage.start(channel, tile, lane);
  return sum;
}

//===----------------------------------------------------------------------===//
// What an accumulator holds
//===----------------------------------------------------------------------===//

namespace {
/// The values of one physical accumulator: when its tile ends, and at any time.
struct Held {
  Interval final;
  Interval prefix;

  /// One more term, at any place in the order.
  void add(Interval term) {
    final = final + term;
    prefix = prefix + join(term, Interval{0, 0});
  }
  Held from(Wide start) const { return {final + start, prefix + start}; }
};
} // namespace

/// The terms of one lane of an innermost tile.
static std::vector<int64_t> termsOfLane(int64_t begin, int64_t end,
                                        int64_t lane, int64_t lanes) {
  std::vector<int64_t> terms;
  for (int64_t p = begin; p < end; ++p)
    if (lanes == 1 || (p - begin) / 2 % lanes == lane)
      terms.push_back(p);
  return terms;
}

/// What one lane of an innermost tile holds, from start 0.
static Held heldByLane(const DotProduct &dot,
                       const std::optional<InputFact> &fact, int64_t begin,
                       int64_t end, int64_t lane, int64_t lanes) {
  if (fact) {
    SumIntervals sums =
        boundTerms(dot, *fact, termsOfLane(begin, end, lane, lanes));
    return {sums.final, sums.prefix};
  }
  Held held;
  if (lanes == 1) {
    for (int64_t p = begin; p < end; ++p)
      held.add(product(dot.weights[p], dot.range(p)));
    return held;
  }
  for (int64_t pair = begin + 2 * lane; pair < end; pair += 2 * lanes)
    for (int64_t p = pair; p < std::min(pair + 2, end); ++p)
      held.add(product(dot.weights[p], dot.range(p)));
  return held;
}

static Interval initialInterval(const AccumulationProblem &problem,
                                int64_t channel) {
  if (problem.initial.empty())
    return {};
  Range initial = problem.initial[channel];
  return {initial.lo, initial.hi};
}

namespace {
/// Walks the accumulators of one channel, innermost stage first, each from what
/// the stage below hands over. O(K) per channel, whatever the stages; with a
/// fact O(K log K) per stage.
class ChannelWalk {
public:
  ChannelWalk(const AccumulationProblem &problem, int64_t channel)
      : fact(problem.fact), dot(problem.dot(channel)),
        initial(initialInterval(problem, channel)) {}

  /// What each accumulator of a stage holds from start 0, [tiles][lanes].
  /// Stages are visited in order; between two visits comes `handOver`.
  std::vector<Held> visit(const StageSchedule &stage, bool outermost) {
    std::vector<Held> held;
    held.reserve(stage.tiles() * stage.lanes);
    size_t term = 0;
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      if (below == nullptr) {
        for (int64_t lane = 0; lane < stage.lanes; ++lane)
          held.push_back(heldByLane(dot, fact, stage.begin(tile),
                                    stage.ends[tile], lane, stage.lanes));
        continue;
      }
      Held sum, starts;
      for (; term < handed.size() && below->ends[term] <= stage.ends[tile];
           ++term) {
        sum.add(handed[term]);
        starts.add({startsIn[term], startsIn[term]});
      }
      held.push_back(together(stage, tile, sum, starts));
    }
    if (outermost)
      held.front().add(initial);
    return held;
  }

  /// Records what the tiles of the stage, as visited, hand to the next one.
  void handOver(const StageSchedule &stage, int64_t channel,
                const std::vector<Held> &held) {
    std::vector<Interval> values(stage.tiles());
    std::vector<Wide> starts(stage.tiles(), 0);
    size_t term = 0;
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      for (; below && term < handed.size() &&
             below->ends[term] <= stage.ends[tile];
           ++term)
        starts[tile] += startsIn[term];
      for (int64_t lane = 0; lane < stage.lanes; ++lane) {
        Wide start = stage.start(channel, tile, lane);
        values[tile] =
            values[tile] + (held[tile * stage.lanes + lane].final + start);
        starts[tile] += start;
      }
      // One lane holds the tile as `visit` has bounded it.
      if (stage.lanes == 1)
        continue;
      Held all = {values[tile], {}};
      values[tile] =
          together(stage, tile, all, Held{}.from(starts[tile])).final;
    }
    handed = std::move(values);
    startsIn = std::move(starts);
    below = &stage;
  }

  const std::vector<Interval> &handedOver() const { return handed; }

private:
  /// The values that a tile holds, given a bound and the starts among them: by
  /// the fact its terms together may reach less.
  Held together(const StageSchedule &stage, int64_t tile, Held held,
                Held starts) const {
    if (!fact)
      return held;
    SumIntervals sums = boundTerms(
        dot, *fact, termsOfLane(stage.begin(tile), stage.ends[tile], 0, 1));
    return {intersection(held.final, sums.final + starts.final),
            intersection(held.prefix, sums.prefix + starts.prefix)};
  }

  const std::optional<InputFact> &fact;
  DotProduct dot;
  Interval initial;
  const StageSchedule *below = nullptr;
  /// What the tiles below hand over, and the starts left in it.
  std::vector<Interval> handed;
  std::vector<Wide> startsIn;
};
} // namespace

Interval accumulatorInterval(const AccumulationProblem &problem,
                             const Schedule &schedule, int64_t channel,
                             int64_t stage, int64_t tile, int64_t lane) {
  bool outermost = stage + 1 == static_cast<int64_t>(schedule.stages.size());
  const StageSchedule &here = schedule.stages[stage];
  Held held;
  if (stage == 0) {
    held = heldByLane(problem.dot(channel), problem.fact, here.begin(tile),
                      here.ends[tile], lane, here.lanes);
    if (outermost && lane == 0)
      held.add(initialInterval(problem, channel));
  } else {
    ChannelWalk walk(problem, channel);
    for (int64_t s = 0; s < stage; ++s) {
      const StageSchedule &below = schedule.stages[s];
      walk.handOver(below, channel, walk.visit(below, /*outermost=*/false));
    }
    held = walk.visit(here, outermost)[tile * here.lanes + lane];
  }
  return held.from(here.start(channel, tile, lane)).prefix;
}

std::vector<StageNeed> proveSchedule(const AccumulationProblem &problem,
                                     const Schedule &schedule) {
  std::vector<StageNeed> needs(schedule.stages.size());
  for (int64_t channel = 0; channel < problem.channels; ++channel) {
    ChannelWalk walk(problem, channel);
    for (size_t s = 0; s < schedule.stages.size(); ++s) {
      const StageSchedule &stage = schedule.stages[s];
      std::vector<Held> held =
          walk.visit(stage, s + 1 == schedule.stages.size());
      StageNeed &need = needs[s];
      for (size_t i = 0; i < held.size(); ++i) {
        int64_t tile = static_cast<int64_t>(i) / stage.lanes;
        int64_t lane = static_cast<int64_t>(i) % stage.lanes;
        Held here = held[i].from(stage.start(channel, tile, lane));
        need.finalWidth = std::max(need.finalWidth, signedWidth(here.final));
        unsigned prefixWidth = signedWidth(here.prefix);
        bool first = channel == 0 && i == 0;
        if (!first && prefixWidth <= need.prefixWidth)
          continue;
        need.prefixWidth = prefixWidth;
        need.channel = channel;
        need.tile = tile;
        need.lane = lane;
        need.interval = here.prefix;
      }
      if (s + 1 < schedule.stages.size())
        walk.handOver(stage, channel, held);
    }
  }
  return needs;
}

//===----------------------------------------------------------------------===//
// Choosing tiles and starts
//===----------------------------------------------------------------------===//

static bool fits(Interval prefix, unsigned width, Bound bound) {
  assert((bound == Bound::Exact || bound == Bound::Centred) &&
         "tiles are proven by their own intervals");
  return bound == Bound::Centred ? spanWidth(prefix) <= width
                                 : signedWidth(prefix) <= width;
}

/// Longest runs of units such that every row fits, where `fitsRow(row, begin,
/// end)` says whether the units of a run do: shorter runs then do too. Each row
/// is searched only as far as the rows before it fit.
static std::optional<std::vector<int64_t>>
longestRunsOf(int64_t rows, int64_t units,
              const std::function<bool(int64_t, int64_t, int64_t)> &fitsRow,
              int64_t *misfitRow) {
  std::vector<int64_t> ends;
  for (int64_t begin = 0; begin < units; begin = ends.back()) {
    int64_t end = units;
    for (int64_t row = 0; row < rows; ++row) {
      if (fitsRow(row, begin, end))
        continue;
      int64_t fitting = begin, tooLong = end;
      while (tooLong - fitting > 1) {
        int64_t middle = fitting + (tooLong - fitting) / 2;
        (fitsRow(row, begin, middle) ? fitting : tooLong) = middle;
      }
      if (fitting == begin) {
        if (misfitRow)
          *misfitRow = row;
        return std::nullopt;
      }
      end = fitting;
    }
    ends.push_back(end);
  }
  return ends;
}

/// Longest runs of units such that every row's sum fits. `prefixOf(row, unit)`
/// is what the unit adds to the row's prefix interval (0 included). Each unit
/// is asked for once. The result counts units.
static std::optional<std::vector<int64_t>>
longestRuns(int64_t rows, int64_t units,
            const std::function<Interval(int64_t, int64_t)> &prefixOf,
            unsigned width, Bound bound, int64_t *misfitRow) {
  std::vector<int64_t> ends;
  std::vector<Interval> sums(rows), added(rows);
  for (int64_t unit = 0; unit < units; ++unit) {
    bool extends = true;
    for (int64_t row = 0; row < rows; ++row) {
      added[row] = prefixOf(row, unit);
      if (!fits(added[row], width, bound)) {
        if (misfitRow)
          *misfitRow = row;
        return std::nullopt;
      }
      extends = extends && fits(sums[row] + added[row], width, bound);
    }
    if (!extends) {
      ends.push_back(unit);
      std::fill(sums.begin(), sums.end(), Interval{});
    }
    for (int64_t row = 0; row < rows; ++row)
      sums[row] = sums[row] + added[row];
  }
  ends.push_back(units);
  return ends;
}

std::optional<std::vector<int64_t>>
longestTiles(const AccumulationProblem &problem, unsigned width, Bound bound,
             int64_t granularity, int64_t *misfit, int64_t lanes) {
  assert(granularity >= 1 && lanes >= 1 && "empty granule");
  assert((lanes == 1 || granularity % (2 * lanes) == 0) &&
         "a granule meets every lane equally often");
  int64_t length = problem.length;
  // Rounded up without a sum that a huge granularity would overflow.
  int64_t units = (length - 1) / granularity + 1;
  std::vector<DotProduct> dots;
  for (int64_t channel = 0; channel < problem.channels; ++channel)
    dots.push_back(problem.dot(channel));
  auto held = [&](int64_t row, int64_t begin, int64_t end) {
    return heldByLane(dots[row / lanes], problem.fact, begin * granularity,
                      std::min(end * granularity, length), row % lanes, lanes)
        .prefix;
  };
  auto prefixOf = [&](int64_t row, int64_t unit) {
    return held(row, unit, unit + 1);
  };
  auto fitsRow = [&](int64_t row, int64_t begin, int64_t end) {
    return fits(held(row, begin, end), width, bound);
  };
  int64_t row = 0, rows = problem.channels * lanes;
  // By a fact sums do not grow term by term.
  auto ends = problem.fact
                  ? longestRunsOf(rows, units, fitsRow, &row)
                  : longestRuns(rows, units, prefixOf, width, bound, &row);
  if (!ends) {
    if (misfit)
      *misfit = row / lanes;
    return std::nullopt;
  }
  for (int64_t &end : *ends)
    end = std::min(end * granularity, length);
  return ends;
}

namespace {
/// Builds a schedule stage by stage, innermost first.
class ScheduleBuilder {
public:
  ScheduleBuilder(const AccumulationProblem &problem, int64_t *misfit)
      : problem(problem), misfit(misfit) {
    for (int64_t channel = 0; channel < problem.channels; ++channel)
      walks.emplace_back(problem, channel);
  }

  /// Lossless staging; see stageLosslessly.
  std::optional<Schedule> stage(unsigned inner, int64_t granularity,
                                int64_t lanes);
  /// New starts for the stages of a schedule; see centreStarts.
  Schedule centre(const Schedule &given);

private:
  bool addWhole(unsigned width, int64_t lanes);
  bool addInner(unsigned width, int64_t granularity, int64_t lanes);
  void addMiddle(unsigned width);
  bool addOutermost(unsigned inner);

  unsigned widest(const StageSchedule &stage, bool outermost, Bound bound,
                  int64_t *where = nullptr);
  unsigned widestSum(Bound bound, int64_t *where = nullptr);
  void append(std::vector<int64_t> ends, int64_t lanes, unsigned width,
              bool outermost);

  const AccumulationProblem &problem;
  int64_t *misfit;
  std::vector<ChannelWalk> walks;
  Schedule schedule;
};
} // namespace

/// Of two ways to cut, the one without starts unless the other has fewer tiles.
static std::optional<std::vector<int64_t>>
fewerTiles(std::optional<std::vector<int64_t>> exact,
           std::optional<std::vector<int64_t>> centred) {
  if (exact && centred && exact->size() <= centred->size())
    return exact;
  return centred;
}

/// Appends a stage of `width` bits with these tile ends. An accumulator that
/// fits from 0 starts at 0, every other at its centre.
void ScheduleBuilder::append(std::vector<int64_t> ends, int64_t lanes,
                             unsigned width, bool outermost) {
  // The walks keep pointing to the stages that they have left behind.
  assert(schedule.stages.size() < schedule.stages.capacity());
  StageSchedule &stage =
      schedule.stages.emplace_back(StageSchedule{std::move(ends), lanes, {}});
  bool anyStart = false;
  for (int64_t channel = 0; channel < problem.channels; ++channel) {
    std::vector<Held> held = walks[channel].visit(stage, outermost);
    for (const Held &accumulator : held) {
      bool fromZero = fits(accumulator.prefix, width, Bound::Exact);
      Wide start = fromZero ? 0 : centredStart(accumulator.prefix);
      stage.starts.push_back(static_cast<int64_t>(start));
      anyStart = anyStart || start != 0;
    }
    if (!outermost)
      walks[channel].handOver(stage, channel, held);
  }
  if (!anyStart)
    stage.starts.clear();
}

/// The width that the next stage needs, worst accumulator of worst channel.
unsigned ScheduleBuilder::widest(const StageSchedule &stage, bool outermost,
                                 Bound bound, int64_t *where) {
  unsigned widest = 1;
  for (size_t channel = 0; channel < walks.size(); ++channel)
    for (const Held &held : walks[channel].visit(stage, outermost)) {
      unsigned width = bound == Bound::Centred ? spanWidth(held.prefix)
                                               : signedWidth(held.prefix);
      if (width <= widest)
        continue;
      widest = width;
      if (where)
        *where = static_cast<int64_t>(channel);
    }
  return widest;
}

/// The width of the sum of all that the stages so far hand over.
unsigned ScheduleBuilder::widestSum(Bound bound, int64_t *where) {
  return widest({{problem.length}, 1, {}}, /*outermost=*/true, bound, where);
}

/// One stage for everything, where the sum fits. Several lanes only from start
/// 0: their sum is then in the proven interval, as any subset of terms is.
bool ScheduleBuilder::addWhole(unsigned width, int64_t lanes) {
  Bound bound = lanes == 1 ? Bound::Centred : Bound::Exact;
  if (widestSum(bound) > width)
    return false;
  append({problem.length}, lanes, width, /*outermost=*/true);
  return true;
}

bool ScheduleBuilder::addInner(unsigned width, int64_t granularity,
                               int64_t lanes) {
  auto centred =
      longestTiles(problem, width, Bound::Centred, granularity, misfit, lanes);
  auto exact =
      longestTiles(problem, width, Bound::Exact, granularity, nullptr, lanes);
  auto ends = fewerTiles(std::move(exact), std::move(centred));
  if (!ends)
    return false;
  append(std::move(*ends), lanes, width, /*outermost=*/false);
  return true;
}

/// Greedy over what the tiles below hand over: their ends are the granules.
void ScheduleBuilder::addMiddle(unsigned width) {
  const StageSchedule &below = schedule.stages.back();
  auto prefixOf = [&](int64_t channel, int64_t tile) {
    return join(walks[channel].handedOver()[tile], Interval{0, 0});
  };
  auto runs = [&](Bound bound) {
    return longestRuns(problem.channels, below.tiles(), prefixOf, width, bound,
                       nullptr);
  };
  auto ends = fewerTiles(runs(Bound::Exact), runs(Bound::Centred));
  if (!ends) // So many lanes that one tile exceeds the stage: it is no use.
    return;
  for (int64_t &end : *ends)
    end = below.ends[end - 1];
  append(std::move(*ends), 1, width, /*outermost=*/false);
}

static std::optional<unsigned> machineWidth(unsigned width) {
  for (unsigned candidate : {8u, 16u, 32u, 64u})
    if (width <= candidate)
      return candidate;
  return std::nullopt;
}

bool ScheduleBuilder::addOutermost(unsigned inner) {
  int64_t worst = 0;
  unsigned sum = widestSum(Bound::Centred, &worst);
  auto width = machineWidth(std::max(sum, inner));
  if (!width) {
    if (misfit)
      *misfit = worst;
    return false;
  }
  // Channels that fit this width from 0 do start there; when all do, centring
  // would not have saved a machine width and there are no starts.
  append({problem.length}, 1, *width, /*outermost=*/true);
  return true;
}

std::optional<Schedule>
ScheduleBuilder::stage(unsigned inner, int64_t granularity, int64_t lanes) {
  schedule.stages.reserve(3);
  if (addWhole(inner, lanes))
    return schedule;
  if (!addInner(inner, granularity, lanes))
    return std::nullopt;
  if (inner <= 8 && widestSum(Bound::Centred) > 16)
    addMiddle(16);
  if (!addOutermost(inner))
    return std::nullopt;
  return schedule;
}

Schedule ScheduleBuilder::centre(const Schedule &given) {
  schedule.order = given.order;
  schedule.stages.reserve(given.stages.size());
  for (size_t s = 0; s < given.stages.size(); ++s) {
    const StageSchedule &stage = given.stages[s];
    bool outermost = s + 1 == given.stages.size();
    append(stage.ends, stage.lanes, widest(stage, outermost, Bound::Centred),
           outermost);
  }
  return schedule;
}

Schedule centreStarts(const AccumulationProblem &problem,
                      const Schedule &schedule) {
  return ScheduleBuilder(problem, nullptr).centre(schedule);
}

std::optional<Schedule> stageLosslessly(const AccumulationProblem &problem,
                                        unsigned inner, int64_t granularity,
                                        int64_t *misfit, int64_t lanes) {
  return ScheduleBuilder(problem, misfit).stage(inner, granularity, lanes);
}

} // namespace a2q
