//===- Accumulators.cpp - What an accumulating op sums --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Accumulators.h"

#include "RangeState.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// AccumulatingOp
//===----------------------------------------------------------------------===//

Schedule AccumulatingOp::schedule() const {
  AccumulatingOpInterface accumulating = op;
  if (ScheduleAttr attr = accumulating.getAccumulatorSchedule())
    return attr.toSchedule();
  return Schedule::trivial(problem.length);
}

/// The schedule with the starts of one channel only.
static Schedule scheduleOfChannel(const Schedule &schedule, int64_t channel) {
  Schedule result = schedule;
  for (StageSchedule &stage : result.stages) {
    if (stage.starts.empty())
      continue;
    auto count = stage.tiles() * stage.lanes;
    auto begin = stage.starts.begin() + channel * count;
    stage.starts = std::vector<int64_t>(begin, begin + count);
  }
  return result;
}

std::vector<StageNeed> AccumulatingOp::prove(const Schedule &schedule) const {
  AccumulationProblem ordered = reorder(problem, schedule.order);
  int64_t channels = 0;
  for (const StageSchedule &stage : schedule.stages)
    channels = std::max<int64_t>(channels, stage.starts.size() /
                                               (stage.tiles() * stage.lanes));
  if (constantWeights || channels <= 1)
    return proveSchedule(ordered, schedule);
  // One channel of products stands for all, but each has its own starts.
  std::vector<StageNeed> worst;
  for (int64_t channel = 0; channel < channels; ++channel) {
    std::vector<StageNeed> needs =
        proveSchedule(ordered, scheduleOfChannel(schedule, channel));
    if (channel == 0) {
      worst = std::move(needs);
      continue;
    }
    for (auto [most, need] : llvm::zip_equal(worst, needs)) {
      unsigned finalWidth = std::max(most.finalWidth, need.finalWidth);
      if (need.prefixWidth > most.prefixWidth) {
        most = need;
        most.channel = channel;
      }
      most.finalWidth = finalWidth;
    }
  }
  return worst;
}

ChannelBounds AccumulatingOp::boxBounds(int64_t channel) const {
  return boundChannel(problem.dot(channel), constantWeights ? weightBits : 1);
}

ChannelBounds AccumulatingOp::bounds(int64_t channel) const {
  ChannelBounds result = boxBounds(channel);
  if (!problem.fact)
    return result;
  SumIntervals sums = problem.sum(channel);
  result.final = sums.final;
  result.prefix = sums.prefix;
  result.exact = signedWidth(sums.prefix);
  result.centred = spanWidth(sums.prefix);
  result.finalWidth = signedWidth(sums.final);
  return result;
}

Interval AccumulatingOp::sum(int64_t channel) const {
  Interval result = problem.sum(channel).final;
  if (problem.initial.empty())
    return result;
  Range initial = problem.initial[channel];
  return result + Interval{initial.lo, initial.hi};
}

//===----------------------------------------------------------------------===//
// Collecting the problem
//===----------------------------------------------------------------------===//

/// `range - offset`, unless that leaves 64 bits.
static std::optional<Range> subtract(Range range, int64_t offset) {
  Wide lo = Wide(range.lo) - offset, hi = Wide(range.hi) - offset;
  if (lo < INT64_MIN || hi > INT64_MAX)
    return std::nullopt;
  return Range{static_cast<int64_t>(lo), static_cast<int64_t>(hi)};
}

static LogicalResult fail(std::string &reason, const Twine &what) {
  reason = what.str();
  return failure();
}

namespace {
/// Fills an AccumulatingOp step by step; each step names its own obstacle.
class Collector {
public:
  Collector(AccumulatingOpInterface op, RangeLookup lookup, FactLookup facts,
            std::string &reason)
      : op(op), lookup(lookup), facts(facts), reason(reason) {}

  FailureOr<AccumulatingOp> run() {
    result.op = op;
    if (failed(collectShape()) || failed(collectActivations()) ||
        failed(collectWeights()) || failed(collectInitial()))
      return failure();
    collectFact();
    return std::move(result);
  }

private:
  LogicalResult collectShape();
  LogicalResult collectActivations();
  LogicalResult collectWeights();
  LogicalResult collectProducts();
  LogicalResult collectInitial();
  void collectFact();
  void collectSecondFact();
  void useFact(const AxisFact &fact, std::optional<int64_t> offset,
               ArrayRef<int64_t> indices, Range other);

  AccumulatingOpInterface op;
  RangeLookup lookup;
  FactLookup facts;
  std::string &reason;
  AccumulatingOp result;
  /// What the activations are multiplied by where that is no constant.
  Range factor = {1, 1};
};
} // namespace

LogicalResult Collector::collectShape() {
  std::optional<int64_t> length = op.getReductionLength();
  if (!length || *length <= 0)
    return fail(reason, "its reduction length is not known");
  result.problem.length = *length;
  result.problem.groups = op.getNumGroups();
  // Without weights all channels have the same products.
  std::optional<int64_t> channels = op.getNumChannels();
  result.problem.channels = channels.value_or(0);
  return success();
}

LogicalResult Collector::collectActivations() {
  std::optional<ElementRanges> ranges =
      lookup(op.getActivations(), op.hasUnsignedActivations());
  if (!ranges)
    return fail(reason, "the range of its activations is not known");
  std::optional<int64_t> offset = op.getActivationOffset();
  if (!offset)
    return fail(reason, "the zero point of its activations is not constant");
  std::optional<int64_t> padding = op.getPaddingCode();
  for (Range &range : ranges->ranges) {
    if (padding)
      range = join(range, Range{*padding, *padding});
    std::optional<Range> difference = subtract(range, *offset);
    if (!difference)
      return fail(reason, "its activations leave 64 bits");
    range = *difference;
  }
  result.activations = ranges->joined();
  AccumulationProblem &problem = result.problem;
  if (ranges->isUniform() || op.getActivationAxis() < 0 ||
      ranges->axis != op.getActivationAxis()) {
    problem.ranges = {result.activations};
    return success();
  }
  for (int64_t group = 0; group < problem.groups; ++group)
    for (int64_t term = 0; term < problem.length; ++term)
      problem.ranges.push_back(
          ranges->ranges[op.getActivationChannel(group, term)]);
  return success();
}

/// Bits of a signed type that holds all codes of the range.
static unsigned signedBits(Range range) {
  return signedWidth(Interval{range.lo, range.hi});
}

LogicalResult Collector::collectWeights() {
  FailureOr<SmallVector<int64_t>> codes = op.getWeightCodes();
  if (failed(codes))
    return collectProducts();
  AccumulationProblem &problem = result.problem;
  if (problem.channels <= 0)
    return fail(reason, "its number of channels is not known");
  if (static_cast<int64_t>(codes->size()) != problem.channels * problem.length)
    return fail(reason, "its weights do not match its shape");
  problem.weights.assign(codes->begin(), codes->end());
  std::optional<int64_t> offset = op.getWeightOffset();
  Range type{};
  for (int64_t code : *codes)
    type = join(type, Range{code, code});
  // The type's range may be wider than what occurs, and the data-type bound is
  // about types; only what is subtracted moves it.
  Type element = getElementTypeOrSelf(op.getWeights().getType());
  if (auto quantized = dyn_cast<quant::QuantizedType>(element)) {
    type = join(type, codeRange(quantized));
  } else if (auto integer = dyn_cast<IntegerType>(element);
             integer && integer.getWidth() <= 32 && offset) {
    bool isUnsigned = integer.isUnsigned() || op.hasUnsignedWeights();
    int64_t count = int64_t(1) << integer.getWidth();
    Range storage =
        isUnsigned ? Range{0, count - 1} : Range{-count / 2, count / 2 - 1};
    type = join(type, *subtract(storage, *offset));
  }
  result.weightBits = signedBits(type);
  return success();
}

/// Two activation operands: every term is a product of two ranges, the weights
/// are 1, and one channel stands for all.
LogicalResult Collector::collectProducts() {
  std::optional<ElementRanges> ranges =
      lookup(op.getWeights(), op.hasUnsignedWeights());
  if (!ranges)
    return fail(reason, "the range of its second operand is not known");
  std::optional<int64_t> offset = op.getWeightOffset();
  if (!offset)
    return fail(reason, "the zero point of its second operand is not constant");
  std::optional<Range> codes = subtract(ranges->joined(), *offset);
  if (!codes)
    return fail(reason, "its second operand leaves 64 bits");
  factor = *codes;
  AccumulationProblem &problem = result.problem;
  for (Range &range : problem.ranges) {
    Interval terms = product(*codes, range);
    if (!signedInterval(64).contains(terms))
      return fail(reason, "its products leave 64 bits");
    range = {static_cast<int64_t>(terms.lo), static_cast<int64_t>(terms.hi)};
  }
  if (problem.groups > 1) {
    // One channel stands for all groups: join them, term by term.
    int64_t perGroup = problem.length;
    for (size_t i = perGroup; i < problem.ranges.size(); ++i) {
      Range &first = problem.ranges[i % perGroup];
      first = join(first, problem.ranges[i]);
    }
    if (problem.ranges.size() > 1)
      problem.ranges.resize(perGroup);
    problem.groups = 1;
  }
  problem.channels = 1;
  problem.weights.assign(problem.length, 1);
  result.weightBits = signedBits(*codes);
  result.constantWeights = false;
  return success();
}

LogicalResult Collector::collectInitial() {
  Value initial = op.getInitialValue();
  if (!initial)
    return success();
  std::optional<ElementRanges> ranges = lookup(initial, false);
  if (!ranges)
    return fail(reason, "the range of its initial value is not known");
  auto type = dyn_cast<ShapedType>(initial.getType());
  AccumulationProblem &problem = result.problem;
  // All that a wide register holds: nothing is known, and no sum can be added.
  unsigned bits =
      getElementTypeOrSelf(initial.getType()).isInteger()
          ? getElementTypeOrSelf(initial.getType()).getIntOrFloatBitWidth()
          : 64;
  Range all = ranges->joined();
  if (bits >= 16 && signedInterval(bits) == Interval{all.lo, all.hi} &&
      !matchPattern(initial, m_Constant()))
    return fail(reason, "nothing is known of its initial value; a constant, "
                        "or a2q.range on the argument, gives it a range");
  int64_t axis = type && type.getRank() == 1 ? 0 : op.getChannelAxis();
  bool perChannel =
      result.constantWeights && !ranges->isUniform() && ranges->axis == axis &&
      static_cast<int64_t>(ranges->ranges.size()) == problem.channels;
  for (int64_t channel = 0; channel < problem.channels; ++channel)
    problem.initial.push_back(perChannel ? ranges->at(channel) : all);
  return success();
}

/// How often each index of the axis is met, if equally often: the terms of a
/// kernel meet each channel once per tap.
static std::optional<int64_t> visitsPerIndex(ArrayRef<int64_t> indices,
                                             int64_t length) {
  SmallVector<int64_t> visits(length, 0);
  for (int64_t index : indices) {
    if (index < 0 || index >= length)
      return std::nullopt;
    ++visits[index];
  }
  if (!llvm::all_equal(visits))
    return std::nullopt;
  return visits.front();
}

/// Each tap reads elements of another position, and every position obeys the
/// fact: all of them together lie in a ball of a radius that grows with the
/// root of their number, and sum to so many totals. Any position may be NaN.
void Collector::collectFact() {
  const AxisFact *fact = facts(op.getActivations());
  bool isUnsigned =
      !readsSigned(op.getActivations().getType(), op.hasUnsignedActivations());
  if (!fact || fact->isSigned == isUnsigned || op.getNumGroups() != 1 ||
      op.getActivationAxis() != fact->axis)
    return collectSecondFact();
  std::optional<AxisFact> padded;
  if (std::optional<int64_t> padding = op.getPaddingCode();
      padding && fact->zeroPoint) {
    auto code = static_cast<double>(Wide(*padding) - *fact->zeroPoint);
    fact = &padded.emplace(padPositions(*fact, code, code));
  }
  SmallVector<int64_t> indices;
  for (int64_t term = 0; term < result.problem.length; ++term)
    indices.push_back(op.getActivationChannel(0, term));
  useFact(*fact, op.getActivationOffset(), indices, factor);
}

/// Products of two activations are alike in both: rows of the second one of a
/// matmul meet the terms in order.
void Collector::collectSecondFact() {
  if (result.constantWeights || !isa<MatmulOp>(op.getOperation()))
    return;
  const AxisFact *fact = facts(op.getWeights());
  auto type = cast<ShapedType>(op.getWeights().getType());
  bool isUnsigned = !readsSigned(type, op.hasUnsignedWeights());
  if (!fact || fact->isSigned == isUnsigned ||
      fact->axis != type.getRank() - 1 || fact->length != result.problem.length)
    return;
  useFact(*fact, op.getWeightOffset(),
          llvm::to_vector(llvm::seq<int64_t>(0, fact->length)),
          result.activations);
}

/// Term i is element `indices[i]` of the axis times something in `other`.
void Collector::useFact(const AxisFact &fact, std::optional<int64_t> offset,
                        ArrayRef<int64_t> indices, Range other) {
  std::optional<int64_t> visits = visitsPerIndex(indices, fact.length);
  if (!visits || !fact.zeroPoint || !offset || std::abs(*offset) > INT32_MAX)
    return;
  auto taps = static_cast<double>(*visits);
  InputFact known;
  known.shift = *fact.zeroPoint - *offset;
  known.vectors = *visits * fact.vectors;
  if (fact.ball) {
    known.ball = fact.ball->select(indices);
    known.ball->radius *= std::sqrt(taps) * (1 + 0x1p-40);
  }
  if (fact.simplex)
    known.simplex = Simplex{fact.simplex->total * taps};
  known.factor = other;
  result.problem.fact = std::move(known);
  result.producer = fact.producer;
}

FailureOr<AccumulatingOp> a2q::analyzeAccumulator(AccumulatingOpInterface op,
                                                  RangeLookup ranges,
                                                  FactLookup facts,
                                                  std::string &reason) {
  return Collector(op, ranges, facts, reason).run();
}

FailureOr<AccumulatingOp> a2q::analyzeAccumulator(AccumulatingOpInterface op,
                                                  const RangeAnalysis &ranges,
                                                  std::string &reason) {
  return analyzeAccumulator(
      op,
      [&](Value value, bool unsignedSignless) {
        return ranges.lookup(value, unsignedSignless);
      },
      [&](Value value) { return ranges.lookupFact(value); }, reason);
}
