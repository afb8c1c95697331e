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

/// What one lane of an innermost tile holds, from start 0.
static Held heldByLane(const DotProduct &dot, int64_t begin, int64_t end,
                       int64_t lane, int64_t lanes) {
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
/// the stage below hands over. O(K) per channel, whatever the stages.
class ChannelWalk {
public:
  ChannelWalk(const AccumulationProblem &problem, int64_t channel)
      : dot(problem.dot(channel)), initial(initialInterval(problem, channel)) {}

  /// What each accumulator of a stage holds from start 0, [tiles][lanes].
  /// Stages are visited in order; between two visits comes `handOver`.
  std::vector<Held> visit(const StageSchedule &stage, bool outermost) {
    std::vector<Held> held;
    held.reserve(stage.tiles() * stage.lanes);
    size_t term = 0;
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      if (below == nullptr) {
        for (int64_t lane = 0; lane < stage.lanes; ++lane)
          held.push_back(heldByLane(dot, stage.begin(tile), stage.ends[tile],
                                    lane, stage.lanes));
        continue;
      }
      Held sum;
      for (; term < handed.size() && below->ends[term] <= stage.ends[tile];
           ++term)
        sum.add(handed[term]);
      held.push_back(sum);
    }
    if (outermost)
      held.front().add(initial);
    return held;
  }

  /// Records what the tiles of the stage, as visited, hand to the next one.
  void handOver(const StageSchedule &stage, int64_t channel,
                const std::vector<Held> &held) {
    handed.assign(stage.tiles(), Interval{});
    for (int64_t tile = 0; tile < stage.tiles(); ++tile)
      for (int64_t lane = 0; lane < stage.lanes; ++lane)
        handed[tile] = handed[tile] + (held[tile * stage.lanes + lane].final +
                                       stage.start(channel, tile, lane));
    below = &stage;
  }

  const std::vector<Interval> &handedOver() const { return handed; }

private:
  DotProduct dot;
  Interval initial;
  const StageSchedule *below = nullptr;
  std::vector<Interval> handed;
};
} // namespace

/// What a tile holds in all lanes together, starts left in, when it ends.
static Interval handedByTile(const AccumulationProblem &problem,
                             const Schedule &schedule, int64_t channel,
                             int64_t stage, int64_t tile);

/// What one accumulator holds, with its start.
static Held heldBy(const AccumulationProblem &problem, const Schedule &schedule,
                   int64_t channel, int64_t stage, int64_t tile, int64_t lane) {
  const StageSchedule &here = schedule.stages[stage];
  int64_t begin = here.begin(tile), end = here.ends[tile];
  Held held;
  if (stage == 0) {
    held = heldByLane(problem.dot(channel), begin, end, lane, here.lanes);
  } else {
    const std::vector<int64_t> &ends = schedule.stages[stage - 1].ends;
    auto first = std::upper_bound(ends.begin(), ends.end(), begin);
    auto last = std::upper_bound(first, ends.end(), end);
    for (auto below = first; below != last; ++below)
      held.add(handedByTile(problem, schedule, channel, stage - 1,
                            below - ends.begin()));
  }
  if (stage + 1 == static_cast<int64_t>(schedule.stages.size()) && lane == 0)
    held.add(initialInterval(problem, channel));
  return held.from(here.start(channel, tile, lane));
}

static Interval handedByTile(const AccumulationProblem &problem,
                             const Schedule &schedule, int64_t channel,
                             int64_t stage, int64_t tile) {
  Interval handed;
  for (int64_t lane = 0; lane < schedule.stages[stage].lanes; ++lane)
    handed =
        handed + heldBy(problem, schedule, channel, stage, tile, lane).final;
  return handed;
}

Interval accumulatorInterval(const AccumulationProblem &problem,
                             const Schedule &schedule, int64_t channel,
                             int64_t stage, int64_t tile, int64_t lane) {
  return heldBy(problem, schedule, channel, stage, tile, lane).prefix;
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
  auto prefixOf = [&](int64_t row, int64_t unit) {
    int64_t begin = unit * granularity;
    return heldByLane(dots[row / lanes], begin,
                      std::min(begin + granularity, length), row % lanes, lanes)
        .prefix;
  };
  int64_t row = 0;
  auto ends = longestRuns(problem.channels * lanes, units, prefixOf, width,
                          bound, &row);
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
