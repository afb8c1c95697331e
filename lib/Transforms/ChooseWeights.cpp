//===- ChooseWeights.cpp - Integers for all channels of a layer -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChooseWeights.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

using namespace mlir;
using namespace a2q;

std::vector<uint32_t> Goal::ends(int64_t length) const {
  std::vector<uint32_t> result;
  if (isTiled(length))
    for (int64_t begin = 0; begin < length; begin += tile)
      result.push_back(static_cast<uint32_t>(std::min(begin + tile, length)));
  return result;
}

std::string Goal::text(int64_t length) const {
  if (isTiled(length))
    return bitsText(width) + " per " + std::to_string(tile) +
           (tile == 1 ? " term" : " terms");
  return bitsText(width);
}

bool Change::changesScales() const {
  return llvm::any_of(scales, [](double scale) { return scale != 1; });
}

Interval a2q::wholeSum(const AccumulationProblem &problem, int64_t channel) {
  Interval sum = problem.sum(channel).prefix;
  if (!problem.initial.empty()) {
    Range initial = withZero(problem.initial[channel]);
    sum = sum + Interval{initial.lo, initial.hi};
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// One channel
//===----------------------------------------------------------------------===//

static Range joinedRange(const DotProduct &dot) {
  Range joined = dot.ranges.front();
  for (Range range : dot.ranges)
    joined = join(joined, range);
  return joined;
}

/// What the partial sums of the terms from `begin` to `end` can be by their
/// ranges.
static Interval tileSum(const DotProduct &dot, size_t begin, size_t end) {
  DotProduct tile = dot;
  tile.weights = dot.weights.subspan(begin, end - begin);
  if (dot.ranges.size() > 1)
    tile.ranges = dot.ranges.subspan(begin, end - begin);
  return prefixInterval(tile);
}

/// The same by a fact.
static Interval tileSum(const DotProduct &dot, const InputFact &fact,
                        size_t begin, size_t end) {
  std::vector<int64_t> terms(end - begin);
  std::iota(terms.begin(), terms.end(), static_cast<int64_t>(begin));
  return boundTerms(dot, fact, terms).prefix;
}

/// Weights of `channel` instead of its own.
static DotProduct withWeights(const AccumulationProblem &problem,
                              int64_t channel,
                              std::span<const int64_t> weights) {
  DotProduct dot = problem.dot(channel);
  dot.weights = weights;
  return dot;
}

namespace {
/// The channels of one group that a method is to give new integers.
struct GroupChannels {
  int64_t group = 0;
  Range range = {}; ///< of their codes, joined over all terms
  SmallVector<int64_t> channels;
  /// Bits that any weight of each channel needs, of the sign that needs less.
  SmallVector<unsigned> least;
};
} // namespace

/// "channel 3", "channels 0, 2 and 5 to 9".
static std::string describe(ArrayRef<int64_t> channels) {
  SmallVector<std::string> parts;
  for (size_t i = 0; i < channels.size();) {
    size_t end = i + 1;
    while (end < channels.size() && channels[end] == channels[end - 1] + 1)
      ++end;
    if (end - i > 2) {
      parts.push_back(
          llvm::formatv("{0} to {1}", channels[i], channels[end - 1]).str());
      i = end;
    } else {
      parts.push_back(std::to_string(channels[i++]));
    }
  }
  std::string text = channels.size() == 1 ? "channel " : "channels ";
  for (auto [index, part] : llvm::enumerate(parts)) {
    if (index > 0)
      text += index + 1 == parts.size() ? " and " : ", ";
    text += part;
  }
  return text;
}

/// Bits that a weight with codes of this range needs: a positive one, if there
/// are any, or a negative one, if that needs less.
static unsigned leastWidth(const Goal &goal, Range range, bool positive,
                           bool negative) {
  unsigned least = ~0u;
  if (positive)
    least = goal.method->smallestWidth(range, goal.bound, {1, 0});
  if (negative)
    least =
        std::min(least, goal.method->smallestWidth(range, goal.bound, {0, 1}));
  return least;
}

/// What does not fit: " negative" where a weight of the other sign would.
static StringRef misfitSign(const Goal &goal, Range range) {
  bool positive = leastWidth(goal, range, true, false) <= goal.width;
  bool negative = leastWidth(goal, range, false, true) <= goal.width;
  return positive == negative ? "" : positive ? " negative" : " positive";
}

/// Refuses a width that leaves channels without a non-zero weight: one error
/// that names all of them, and the smallest width for each range of codes.
static LogicalResult checkWidth(AccumulatingOpInterface op, const Goal &goal,
                                ArrayRef<GroupChannels> groups) {
  SmallVector<GroupChannels> needs; // by range and width, whatever the group
  SmallVector<int64_t> all;
  for (const GroupChannels &group : groups)
    for (auto [channel, least] : llvm::zip_equal(group.channels, group.least)) {
      if (goal.width >= least)
        continue;
      all.push_back(channel);
      auto same = llvm::find_if(needs, [&](const GroupChannels &other) {
        return other.range == group.range && other.least.front() == least;
      });
      if (same == needs.end())
        needs.push_back({group.group, group.range, {channel}, {least}});
      else
        same->channels.push_back(channel);
    }
  if (all.empty())
    return success();
  InFlightDiagnostic error = op.emitError();
  StringRef sign = misfitSign(goal, needs.front().range);
  error << describe(all) << " would lose all "
        << (all.size() == 1 ? "its" : "their")
        << " weights: " << bitsText(goal.width)
        << (goal.width == 1 ? " holds" : " hold") << " no product of "
        << (sign.empty() ? "" : ("a" + sign + " weight and ").str())
        << "codes in [" << needs.front().range.lo << ", "
        << needs.front().range.hi << "]";
  for (const GroupChannels &some : needs) {
    Diagnostic &note = error.attachNote();
    note << "the smallest width that holds one is " << some.least.front();
    if (needs.size() > 1)
      note << " for codes in [" << some.range.lo << ", " << some.range.hi
           << "], of " << describe(some.channels);
  }
  return error;
}

//===----------------------------------------------------------------------===//
// All channels
//===----------------------------------------------------------------------===//

/// Rows of `length` values, each in the order of a schedule.
template <typename T>
static std::vector<T> inOrder(std::span<const T> rows, size_t length,
                              ArrayRef<int64_t> order) {
  std::vector<T> result(rows.begin(), rows.end());
  for (size_t row = 0; row < rows.size() && !order.empty(); row += length)
    for (size_t p = 0; p < length; ++p)
      result[row + p] = rows[row + order[p]];
  return result;
}

template <typename T>
static std::vector<T> inDefaultOrder(std::span<const T> rows, size_t length,
                                     ArrayRef<int64_t> order) {
  std::vector<T> result(rows.begin(), rows.end());
  for (size_t row = 0; row < rows.size() && !order.empty(); row += length)
    for (size_t p = 0; p < length; ++p)
      result[row + order[p]] = rows[row + p];
  return result;
}

/// Moments of terms in the order of a schedule.
static Moments inOrder(const Moments &moments, ArrayRef<int64_t> order) {
  Moments result = moments;
  for (size_t p = 0; p < order.size(); ++p) {
    result.mean[p] = moments.mean[order[p]];
    for (size_t q = 0; q < order.size(); ++q)
      result.products[p * order.size() + q] =
          moments.product(order[p], order[q]);
  }
  return result;
}

namespace {
/// Chooses the integers of one layer, its terms in the order of its schedule,
/// since tiles are cut from that.
class Chooser {
public:
  Chooser(const AccumulatingOp &layer, const Goal &goal, Range codes,
          const LayerStatistics &statistics, std::span<const double> reals,
          bool hasReals)
      : op(layer.op), goal(goal), codes(codes), statistics(statistics),
        seesAll(hasReals && goal.method->needsMoments()),
        order(layer.schedule().order),
        problem(reorder(layer.problem, layer.schedule().order)),
        reals(inOrder<double>(reals, problem.length, order)),
        ends(goal.ends(problem.length)) {}

  LogicalResult run(Change &change);
  /// The weights, in the default order.
  std::vector<int64_t> weights() const {
    return inDefaultOrder<int64_t>(problem.weights, problem.length, order);
  }

private:
  bool fits(int64_t channel, std::span<const int64_t> weights) const;
  bool fits(int64_t channel) const {
    return fits(channel, problem.dot(channel).weights);
  }
  double spare(int64_t channel, std::span<const int64_t> weights) const;
  bool knowsMore(const GroupChannels &group) const;
  GroupChannels channelsOf(int64_t group, bool all) const;
  LogicalResult run(const GroupChannels &group, Change &change);
  LayerResult constrain(ArrayRef<int64_t> channels, Range range,
                        std::span<const double> diagonal,
                        Moments *moments) const;
  void useSpare(const GroupChannels &group, std::span<const double> diagonal,
                Moments *moments, LayerResult &result) const;
  std::vector<bool> keepsOld(ArrayRef<int64_t> channels,
                             ArrayRef<ScaledIntegers> chosen,
                             const Moments &moments) const;
  LogicalResult take(int64_t channel, ScaledIntegers chosen, Change &change);

  AccumulatingOpInterface op;
  const Goal &goal;
  Range codes;
  const LayerStatistics &statistics;
  bool seesAll; ///< channels that fit take part
  std::vector<int64_t> order;
  AccumulationProblem problem;
  std::vector<double> reals; ///< what the weights stand for
  std::vector<uint32_t> ends;
};
} // namespace

/// Whether the products of each tile fit.
bool Chooser::fits(int64_t channel, std::span<const int64_t> weights) const {
  DotProduct dot = withWeights(problem, channel, weights);
  bool all = true;
  // Ranges are quicker to ask than a fact.
  forEachTile(weights.size(), ends, [&](size_t begin, size_t end) {
    all =
        all &&
        (goal.fits(tileSum(dot, begin, end)) ||
         (problem.fact && goal.fits(tileSum(dot, *problem.fact, begin, end))));
  });
  return all;
}

/// How often larger its sums could be, of the tile that has the least room.
double Chooser::spare(int64_t channel, std::span<const int64_t> weights) const {
  DotProduct dot = withWeights(problem, channel, weights);
  double most = std::exp2(goal.width - 1), result = most;
  forEachTile(weights.size(), ends, [&](size_t begin, size_t end) {
    // A few terms reach the ends of their ranges whatever the fact.
    Interval sum = problem.fact && end - begin >= 32
                       ? tileSum(dot, *problem.fact, begin, end)
                       : tileSum(dot, begin, end);
    auto lo = static_cast<double>(sum.lo), hi = static_cast<double>(sum.hi);
    double reached =
        goal.bound == Bound::Centred ? (hi - lo) / 2 : std::max(-lo, hi);
    if (reached > 0)
      result = std::min(result, (most - 0.5) / reached);
  });
  return result;
}

/// Whether sums are proven by more than one range for all terms, which is what
/// the budgets of methods are of. Published bounds stay what they are.
bool Chooser::knowsMore(const GroupChannels &group) const {
  if (goal.bound != Bound::Centred && goal.bound != Bound::Exact)
    return false;
  std::span<const Range> ranges = problem.dot(group.channels.front()).ranges;
  return problem.fact || llvm::any_of(ranges, [&](Range range) {
           return range != group.range;
         });
}

/// Channels that do not fit or, if `all` is set, have a weight.
GroupChannels Chooser::channelsOf(int64_t group, bool all) const {
  GroupChannels result;
  result.group = group;
  int64_t perGroup = problem.channels / problem.groups;
  for (int64_t channel = group * perGroup; channel < (group + 1) * perGroup;
       ++channel) {
    std::span<const double> row(reals.data() + channel * problem.length,
                                problem.length);
    bool positive = llvm::any_of(row, [](double real) { return real > 0; });
    bool negative = llvm::any_of(row, [](double real) { return real < 0; });
    if (fits(channel) && !(all && (positive || negative)))
      continue;
    if (result.channels.empty())
      result.range = joinedRange(problem.dot(channel));
    result.channels.push_back(channel);
    result.least.push_back(
        leastWidth(goal, result.range, positive || !negative, negative));
  }
  return result;
}

LogicalResult Chooser::run(Change &change) {
  SmallVector<GroupChannels> groups;
  for (int64_t group = 0; group < problem.groups; ++group)
    if (GroupChannels misfits = channelsOf(group, /*all=*/false);
        !misfits.channels.empty())
      groups.push_back(std::move(misfits));
  if (failed(checkWidth(op, goal, groups)))
    return failure();
  if (seesAll) {
    groups.clear();
    for (int64_t group = 0; group < problem.groups; ++group)
      groups.push_back(channelsOf(group, /*all=*/true));
  }
  for (const GroupChannels &group : groups)
    if (!group.channels.empty() &&
        goal.width >= leastWidth(goal, group.range, true, true) &&
        failed(run(group, change)))
      return failure();
  return success();
}

/// Which of these channels fit and lose no less on the calibration data by new
/// integers than by those that they have: what is fed back is a heuristic.
std::vector<bool> Chooser::keepsOld(ArrayRef<int64_t> channels,
                                    ArrayRef<ScaledIntegers> chosen,
                                    const Moments &moments) const {
  constexpr size_t most = 64; // channels a time: bounds the memory
  std::vector<bool> result(channels.size());
  SmallVector<size_t> fitting;
  std::vector<double> errors; // old and new, for each channel that fits
  auto add = [&](std::span<const int64_t> integers, double scale,
                 const double *reals) {
    for (auto [k, integer] : llvm::enumerate(integers))
      errors.push_back(scale * static_cast<double>(integer) - reals[k]);
  };
  auto compare = [&] {
    if (fitting.empty())
      return;
    std::vector<SumStatistics> sums = sumStatistics(errors, moments);
    for (auto [i, index] : llvm::enumerate(fitting))
      result[index] = LayerStatistics::energy({&sums[2 * i], 1}) <=
                      LayerStatistics::energy({&sums[2 * i + 1], 1});
    fitting.clear();
    errors.clear();
  };
  for (auto [index, channel] : llvm::enumerate(channels)) {
    if (!fits(channel))
      continue;
    if (fitting.size() == most)
      compare();
    fitting.push_back(index);
    const double *row = &reals[channel * problem.length];
    add(problem.dot(channel).weights, 1, row);
    add(chosen[index].integers, chosen[index].scale, row);
  }
  compare();
  return result;
}

/// Weights that meet the budget of one range for all terms.
LayerResult Chooser::constrain(ArrayRef<int64_t> channels, Range range,
                               std::span<const double> diagonal,
                               Moments *moments) const {
  LayerConstraint layer;
  layer.range = range;
  std::vector<double> rows;
  for (int64_t channel : channels) {
    auto row = reals.begin() + channel * problem.length;
    rows.insert(rows.end(), row, row + problem.length);
  }
  layer.weights = rows;
  layer.length = problem.length;
  layer.width = goal.width;
  // Methods count bits of signed weights.
  layer.weightBits = codeBits({std::min<int64_t>(codes.lo, -1), codes.hi});
  layer.bound = goal.bound;
  layer.tiles = ends;
  layer.diagonal = diagonal;
  LayerResult result = goal.method->constrainLayer(layer, moments);
  // Cutting a weight toward 0 only shrinks `pos` and `neg`.
  for (ScaledIntegers &chosen : result.channels)
    for (int64_t &weight : chosen.integers)
      weight = std::clamp(weight, codes.lo, codes.hi);
  return result;
}

/// The range as if codes were `factor` times smaller, at least one on a side
/// that has codes.
static Range dividedBy(Range range, double factor) {
  return {
      static_cast<int64_t>(std::floor(static_cast<double>(range.lo) / factor)),
      static_cast<int64_t>(std::ceil(static_cast<double>(range.hi) / factor))};
}

/// A budget is of one range, and the proof may know more: ranges of each input,
/// and facts of all together. What that leaves of the width is given to the
/// method as a smaller range, for as long as the proof admits its weights.
void Chooser::useSpare(const GroupChannels &group,
                       std::span<const double> diagonal, Moments *moments,
                       LayerResult &result) const {
  constexpr int stepsPerBit = 8;
  // By tiles methods take long, and the last steps bring little.
  int rounds = ends.empty() ? 3 : 1;
  struct Search {
    int fits = 0, next = 0, fails = 64 * stepsPerBit; // steps of the factor
  };
  std::vector<Search> searches(group.channels.size());
  auto aim = [&](size_t i) {
    Search &search = searches[i];
    double factor = spare(group.channels[i], result.channels[i].integers);
    int steps = static_cast<int>(stepsPerBit * std::log2(factor));
    search.next = std::min(search.fits + steps, search.fails - 1);
  };
  for (size_t i = 0; i < searches.size(); ++i)
    aim(i);
  for (int round = 0; round < rounds; ++round) {
    std::map<int, SmallVector<size_t>> sameRange;
    for (auto [i, search] : llvm::enumerate(searches))
      if (search.next > search.fits)
        sameRange[search.next].push_back(i);
    for (const auto &[steps, indices] : sameRange) {
      Range range = dividedBy(
          group.range, std::exp2(static_cast<double>(steps) / stepsPerBit));
      SmallVector<int64_t> channels = llvm::map_to_vector(
          indices, [&](size_t i) { return group.channels[i]; });
      LayerResult larger = constrain(channels, range, diagonal, moments);
      if (!larger.refusal.empty())
        return;
      for (auto [i, chosen] : llvm::zip_equal(indices, larger.channels)) {
        Search &search = searches[i];
        if (fits(group.channels[i], chosen.integers)) {
          search.fits = steps;
          result.channels[i] = std::move(chosen);
          aim(i);
        } else {
          search.fails = steps;
          search.next = (search.fits + search.fails) / 2;
        }
      }
    }
  }
}

/// These channels of a group: they read the same inputs.
LogicalResult Chooser::run(const GroupChannels &group, Change &change) {
  std::span<const double> known = statistics.diagonal(group.group);
  std::vector<double> diagonal(known.begin(), known.end());
  if (statistics.hasDiagonals())
    diagonal = inOrder<double>(diagonal, problem.length, order);
  std::optional<Moments> moments;
  if (goal.method->needsMoments())
    moments = inOrder(statistics.moments(group.group), order);
  Moments *given = moments ? &*moments : nullptr;
  LayerResult result = constrain(group.channels, group.range, diagonal, given);
  if (!result.refusal.empty())
    return op.emitError() << "weights cannot be constrained by '"
                          << StringRef(goal.method->name)
                          << "': " << result.refusal;
  if (knowsMore(group))
    useSpare(group, diagonal, given, result);
  std::vector<bool> keeps(group.channels.size());
  if (seesAll)
    keeps = keepsOld(group.channels, result.channels, *moments);
  for (auto [channel, chosen, keep] :
       llvm::zip_equal(group.channels, result.channels, keeps))
    if (!keep && failed(take(channel, std::move(chosen), change)))
      return failure();
  return success();
}

LogicalResult Chooser::take(int64_t channel, ScaledIntegers chosen,
                            Change &change) {
  std::copy(chosen.integers.begin(), chosen.integers.end(),
            problem.weights.begin() + channel * problem.length);
  change.scales[channel] = chosen.scale;
  ++change.channels;
  change.emptied += norms(chosen.integers).l1() == 0;
  if (fits(channel))
    return success();
  return op.emitError() << "channel " << channel << " does not fit "
                        << goal.text(problem.length)
                        << " after its weights were constrained";
}

/// New less old weights, in units of the old codes.
static std::vector<double>
errors(const Change &change, std::span<const double> before, int64_t length) {
  std::vector<double> result(before.size());
  for (size_t i = 0; i < before.size(); ++i)
    result[i] =
        change.scales[i / length] * static_cast<double>(change.weights[i]) -
        before[i];
  return result;
}

static double squares(std::span<const double> values) {
  double sum = 0;
  for (double value : values)
    sum += value * value;
  return sum;
}

static Wide largestNorm(AccumulationProblem &problem,
                        std::span<const int64_t> weights) {
  Wide largest = 0;
  for (int64_t c = 0; c < problem.channels; ++c)
    largest = std::max(
        largest,
        norms(weights.subspan(c * problem.length, problem.length)).l1());
  return largest;
}

FailureOr<Change> a2q::chooseWeights(const AccumulatingOp &layer,
                                     const Goal &goal, Range codes,
                                     const LayerStatistics &statistics,
                                     std::span<const double> reals) {
  AccumulationProblem problem = layer.problem;
  std::vector<double> before(reals.begin(), reals.end());
  if (before.empty())
    before.assign(problem.weights.begin(), problem.weights.end());
  Change change;
  change.scales.assign(problem.channels, 1);
  change.shifts.assign(problem.channels, 0);
  Chooser chooser(layer, goal, codes, statistics, before, !reals.empty());
  if (failed(chooser.run(change)))
    return failure();
  change.weights = chooser.weights();
  change.l1Before = largestNorm(problem, problem.weights);
  change.l1After = largestNorm(problem, change.weights);
  change.zerosBefore = llvm::count(problem.weights, 0);
  change.zerosAfter = llvm::count(change.weights, 0);
  std::vector<double> error = errors(change, before, problem.length);
  double energy = squares(before);
  change.error = energy > 0 ? squares(error) / energy : 0;
  if (statistics.hasDiagonals())
    change.before = statistics.of(before);
  if (statistics.hasMoments()) {
    energy = LayerStatistics::energy(change.before);
    change.outputError =
        energy > 0 ? LayerStatistics::energy(statistics.of(error)) / energy : 0;
  }
  return change;
}

void a2q::restoreSums(const LayerStatistics &statistics,
                      std::span<const int64_t> oldCodes, bool scale,
                      Change &change) {
  size_t length = oldCodes.size() / change.scales.size();
  std::vector<double> after(change.weights.begin(), change.weights.end());
  for (size_t i = 0; i < after.size(); ++i)
    after[i] *= change.scales[i / length];
  std::vector<SumStatistics> now = statistics.of(after);
  bool haveTargets = !statistics.targets().empty();
  const std::vector<SumStatistics> &old =
      haveTargets ? statistics.targets() : change.before;
  scale = scale && statistics.hasMoments();
  for (size_t c = 0; c < now.size(); ++c) {
    auto codes = [&](std::span<const int64_t> all) {
      return all.subspan(c * length, length);
    };
    bool same = change.scales[c] == 1 &&
                llvm::equal(codes(oldCodes), codes(change.weights));
    if (same && !haveTargets)
      continue;
    Correction correction =
        scale ? restoreStatistics(now[c], old[c]) : restoreMean(now[c], old[c]);
    change.scales[c] *= correction.factor;
    change.shifts[c] = correction.shift;
    change.meansRestored = true;
    change.variancesRestored |= scale;
  }
}
