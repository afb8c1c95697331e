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
  Interval sum = prefixInterval(problem.dot(channel));
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

/// Whether the products of each tile fit.
static bool fits(const Goal &goal, const DotProduct &dot) {
  bool all = true;
  std::vector<uint32_t> ends = goal.ends(dot.weights.size());
  forEachTile(dot.weights.size(), ends, [&](size_t begin, size_t end) {
    DotProduct tile = dot;
    tile.weights = dot.weights.subspan(begin, end - begin);
    if (dot.ranges.size() > 1)
      tile.ranges = dot.ranges.subspan(begin, end - begin);
    all = all && goal.fits(prefixInterval(tile));
  });
  return all;
}

/// Refuses a width that leaves a channel without a non-zero weight.
static LogicalResult checkWidth(AccumulatingOpInterface op, const Goal &goal,
                                int64_t channel, Range range) {
  unsigned smallest = goal.method->smallestWidth(range, goal.bound);
  if (goal.width >= smallest)
    return success();
  InFlightDiagnostic error =
      op.emitError() << "channel " << channel
                     << " would lose all its weights: " << bitsText(goal.width)
                     << (goal.width == 1 ? " holds" : " hold")
                     << " no product of codes in [" << range.lo << ", "
                     << range.hi << "]";
  error.attachNote() << "the smallest width that holds one is " << smallest;
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
          const LayerStatistics &statistics, std::span<const double> reals)
      : op(layer.op), goal(goal), codes(codes), statistics(statistics),
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
  LogicalResult run(int64_t group, ArrayRef<int64_t> misfits, Change &change);
  LogicalResult take(int64_t channel, ScaledIntegers chosen, Change &change);

  AccumulatingOpInterface op;
  const Goal &goal;
  Range codes;
  const LayerStatistics &statistics;
  std::vector<int64_t> order;
  AccumulationProblem problem;
  std::vector<double> reals; ///< what the weights stand for
  std::vector<uint32_t> ends;
};
} // namespace

LogicalResult Chooser::run(Change &change) {
  int64_t perGroup = problem.channels / problem.groups;
  for (int64_t group = 0; group < problem.groups; ++group) {
    SmallVector<int64_t> misfits;
    for (int64_t channel = group * perGroup; channel < (group + 1) * perGroup;
         ++channel)
      if (!fits(goal, problem.dot(channel)))
        misfits.push_back(channel);
    if (!misfits.empty() && failed(run(group, misfits, change)))
      return failure();
  }
  return success();
}

/// The channels of a group that do not fit: they read the same inputs.
LogicalResult Chooser::run(int64_t group, ArrayRef<int64_t> misfits,
                           Change &change) {
  LayerConstraint layer;
  layer.range = joinedRange(problem.dot(misfits.front()));
  if (failed(checkWidth(op, goal, misfits.front(), layer.range)))
    return failure();
  std::vector<double> rows;
  for (int64_t channel : misfits) {
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
  std::vector<double> diagonal(statistics.diagonal(group).begin(),
                               statistics.diagonal(group).end());
  if (statistics.hasDiagonals())
    diagonal = inOrder<double>(diagonal, problem.length, order);
  layer.diagonal = diagonal;
  std::optional<Moments> moments;
  if (goal.method->needsMoments())
    moments = inOrder(statistics.moments(group), order);
  LayerResult result =
      goal.method->constrainLayer(layer, moments ? &*moments : nullptr);
  if (!result.refusal.empty())
    return op.emitError() << "weights cannot be constrained by '"
                          << StringRef(goal.method->name)
                          << "': " << result.refusal;
  for (auto [channel, chosen] : llvm::zip_equal(misfits, result.channels))
    if (failed(take(channel, std::move(chosen), change)))
      return failure();
  return success();
}

LogicalResult Chooser::take(int64_t channel, ScaledIntegers chosen,
                            Change &change) {
  // Cutting a weight toward 0 only shrinks `pos` and `neg`.
  for (int64_t &weight : chosen.integers)
    weight = std::clamp(weight, codes.lo, codes.hi);
  std::copy(chosen.integers.begin(), chosen.integers.end(),
            problem.weights.begin() + channel * problem.length);
  change.scales[channel] = chosen.scale;
  ++change.channels;
  change.emptied += norms(chosen.integers).l1() == 0;
  if (fits(goal, problem.dot(channel)))
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
  Chooser chooser(layer, goal, codes, statistics, before);
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
