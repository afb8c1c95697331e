//===- ConstrainWeights.cpp - Weights that meet an accumulator's budget ---===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FollowWeights.h"
#include "a2q/Analysis/Accumulators.h"
#include "a2q/Analysis/Report.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/Centring.h"
#include "a2q/Math/Constraining.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

namespace a2q {
#define GEN_PASS_DEF_A2QCONSTRAINWEIGHTS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// New weights
//===----------------------------------------------------------------------===//

namespace {
/// How all layers are constrained.
struct Goal {
  const ConstraintMethod *method = nullptr;
  unsigned width = 0;
  Bound bound = Bound::Exact;

  /// Bits that an accumulator of these sums needs, from its start.
  unsigned needs(Interval sum) const {
    return bound == Bound::Centred ? spanWidth(sum) : signedWidth(sum);
  }
};

/// What changed in one layer.
struct Change {
  std::vector<int64_t> weights;
  std::vector<double> scales; ///< new over old, per channel
  int64_t channels = 0;
  int64_t emptied = 0;            ///< channels that lost all their weights
  Wide l1Before = 0, l1After = 0; ///< of the channel with the largest
  size_t zerosBefore = 0, zerosAfter = 0;
  double error = 0; ///< squared, of the weights, relative to their energy
};
} // namespace

/// The sums that one accumulator takes over all K products, initial included.
static Interval wholeSum(const AccumulationProblem &problem, int64_t channel) {
  Interval sum = prefixInterval(problem.dot(channel));
  if (!problem.initial.empty()) {
    Range initial = withZero(problem.initial[channel]);
    sum = sum + Interval{initial.lo, initial.hi};
  }
  return sum;
}

static Range joinedRange(const DotProduct &dot) {
  Range joined = dot.ranges.front();
  for (Range range : dot.ranges)
    joined = join(joined, range);
  return joined;
}

/// The method's integers for one channel, within the codes of their type.
/// Cutting a weight toward 0 only shrinks `pos` and `neg`.
static ScaledIntegers constrainChannel(const Goal &goal, const DotProduct &dot,
                                       Range codes) {
  std::vector<double> real(dot.weights.begin(), dot.weights.end());
  ChannelConstraint channel;
  channel.weights = real;
  channel.width = goal.width;
  channel.range = joinedRange(dot);
  // Methods count bits of signed weights.
  channel.weightBits = codeBits({std::min<int64_t>(codes.lo, -1), codes.hi});
  channel.bound = goal.bound;
  ScaledIntegers result = goal.method->constrain(channel);
  for (int64_t &weight : result.integers)
    weight = std::clamp(weight, codes.lo, codes.hi);
  return result;
}

/// Refuses a width that leaves a channel without a non-zero weight.
static LogicalResult checkWidth(AccumulatingOpInterface op, const Goal &goal,
                                int64_t channel, Range range) {
  unsigned smallest = goal.method->smallestWidth(range, goal.bound);
  if (goal.width >= smallest)
    return success();
  InFlightDiagnostic error = op.emitError()
                             << "channel " << channel
                             << " would lose all its weights: " << goal.width
                             << " bits hold no product of codes in ["
                             << range.lo << ", " << range.hi << "]";
  error.attachNote() << "the smallest width that holds one is " << smallest;
  return error;
}

/// How far the new weights are from the old ones.
static double relativeError(const AccumulationProblem &before,
                            const AccumulationProblem &after,
                            ArrayRef<double> scales) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < before.weights.size(); ++i) {
    auto old = static_cast<double>(before.weights[i]);
    double difference =
        scales[i / before.length] * static_cast<double>(after.weights[i]) - old;
    error += difference * difference;
    energy += old * old;
  }
  return energy > 0 ? error / energy : 0;
}

/// Chooses the weights of all channels that do not fit as they are.
static FailureOr<Change> choose(const AccumulatingOp &layer, const Goal &goal,
                                Range codes) {
  AccumulatingOpInterface op = layer.op;
  AccumulationProblem problem = layer.problem;
  Change change;
  change.zerosBefore = llvm::count(problem.weights, 0);
  change.scales.assign(problem.channels, 1);
  for (int64_t channel = 0; channel < problem.channels; ++channel) {
    DotProduct dot = problem.dot(channel);
    change.l1Before = std::max(change.l1Before, norms(dot.weights).l1());
    if (goal.needs(prefixInterval(dot)) > goal.width) {
      if (failed(checkWidth(op, goal, channel, joinedRange(dot))))
        return failure();
      ScaledIntegers chosen = constrainChannel(goal, dot, codes);
      std::copy(chosen.integers.begin(), chosen.integers.end(),
                problem.weights.begin() + channel * problem.length);
      change.scales[channel] = chosen.scale;
      ++change.channels;
      change.emptied += norms(chosen.integers).l1() == 0;
    }
    change.l1After = std::max(change.l1After, norms(dot.weights).l1());
    unsigned needed = goal.needs(wholeSum(problem, channel));
    if (needed > goal.width) {
      InFlightDiagnostic error =
          op.emitError() << "channel " << channel << " needs " << needed
                         << " bits after its weights were constrained, the "
                            "accumulator has "
                         << goal.width;
      error.attachNote() << "weights are held to the budget, an initial value "
                            "is not: it belongs to the bias of a2q.requantize";
      return error;
    }
  }
  change.zerosAfter = llvm::count(problem.weights, 0);
  change.error = relativeError(layer.problem, problem, change.scales);
  change.weights = std::move(problem.weights);
  return change;
}

//===----------------------------------------------------------------------===//
// Into the module
//===----------------------------------------------------------------------===//

/// Constant codes of the type that `old` has, a resource if `old` is one.
static ElementsAttr constantLike(ElementsAttr old, ArrayRef<int64_t> values) {
  auto type = cast<RankedTensorType>(old.getShapedType());
  if (isa<DenseResourceElementsAttr>(old) &&
      type.getElementTypeBitWidth() == 8) {
    SmallVector<int8_t> bytes(values.begin(), values.end());
    return DenseResourceElementsAttr::get(
        type, "constrained",
        HeapAsmResourceBlob::allocateAndCopyInferAlign(
            ArrayRef<int8_t>(bytes)));
  }
  SmallVector<APInt> codes;
  for (int64_t value : values)
    codes.emplace_back(type.getElementTypeBitWidth(), value,
                       /*isSigned=*/true, /*implicitTrunc=*/true);
  return DenseElementsAttr::get(type, codes);
}

/// The type of weights whose scales are multiplied, per channel.
static Type rescaledType(RankedTensorType type, ArrayRef<double> factors) {
  if (llvm::all_of(factors, [](double factor) { return factor == 1; }))
    return type;
  quant::QuantizedType old = getQuantizedType(type);
  SmallVector<double> scales = a2q::scales(old);
  scales.resize(factors.size(), scales.front());
  for (auto [scale, factor] : llvm::zip_equal(scales, factors))
    scale *= factor;
  SmallVector<int64_t> zeroPoints(factors.size(), 0);
  return type.clone(quant::UniformQuantizedPerAxisType::get(
      old.getFlags(), old.getStorageType(), old.getExpressedType(), scales,
      zeroPoints, /*quantizedDimension=*/0, old.getStorageTypeMin(),
      old.getStorageTypeMax()));
}

/// Gives the op constant weights of its own: another op may use the old ones.
static void replaceWeights(Operation *op, Value weights, Type type,
                           ArrayRef<int64_t> values) {
  auto cast = weights.getDefiningOp<quant::StorageCastOp>();
  Operation *constant = cast.getInput().getDefiningOp();
  ElementsAttr old;
  [[maybe_unused]] bool matched = matchPattern(constant, m_Constant(&old));
  assert(matched && "constant codes come from a constant");
  OpBuilder builder(op);
  Value codes = arith::ConstantOp::create(
      builder, constant->getLoc(),
      llvm::cast<TypedAttr>(constantLike(old, values)));
  Value own = quant::StorageCastOp::create(builder, cast.getLoc(), type, codes);
  op->replaceUsesOfWith(weights, own);
  if (cast->use_empty())
    cast->erase();
  if (constant->use_empty())
    constant->erase();
}

/// What the sums of a layer say to what reads them.
static LogicalResult followWeights(AccumulatingOp &layer, unsigned width,
                                   const Change &change) {
  AccumulatingOpInterface op = layer.op;
  int64_t z = zeroPoint(getQuantizedType(op.getActivations().getType()));
  int64_t length = layer.problem.length;
  SmallVector<WeightChange> channels(layer.problem.channels);
  for (auto [channel, follow] : llvm::enumerate(channels))
    follow.scale = change.scales[channel];
  for (size_t i = 0; i < change.weights.size(); ++i) {
    channels[i / length].before += Wide(z) * layer.problem.weights[i];
    channels[i / length].after += Wide(z) * change.weights[i];
  }
  if (llvm::all_of(channels,
                   [](WeightChange follow) { return follow.isNothing(); }))
    return success();
  if (Operation *reader = cannotFollow(op, /*bias=*/z != 0, /*scale=*/false)) {
    InFlightDiagnostic error =
        op.emitError() << "weights cannot be changed: the activations have "
                          "zero point "
                       << z << ", and what corrects '" << reader->getName()
                       << "' for it is not known";
    error.attachNote(reader->getLoc())
        << "only the bias of a2q.requantize can follow the weights";
    return error;
  }
  return followWeights(op, width, channels);
}

/// An initial value is in units of the weights' scale.
static bool hasInitial(const AccumulatingOp &layer) {
  return !layer.problem.initial.empty();
}

/// Types of sums must be free to change: only these two read any accumulator.
static LogicalResult checkUsers(AccumulatingOpInterface op) {
  for (Operation *user : op->getResult(0).getUsers())
    if (!isa<RequantizeOp, DecodeOp>(user))
      return op.emitError() << "the accumulator cannot change: '"
                            << user->getName() << "' fixes its type";
  return success();
}

/// Starts for the channels that fit from their centre only.
static void centre(const AccumulatingOp &layer, const Goal &goal,
                   Schedule &schedule) {
  if (goal.bound != Bound::Centred)
    return;
  std::vector<int64_t> starts;
  for (int64_t channel = 0; channel < layer.problem.channels; ++channel) {
    Interval held =
        accumulatorInterval(layer.problem, schedule, channel, 0, 0, 0);
    bool fits = signedWidth(held) <= goal.width;
    starts.push_back(fits ? 0 : static_cast<int64_t>(centredStart(held)));
  }
  if (llvm::any_of(starts, [](int64_t start) { return start != 0; }))
    schedule.stages.front().starts = std::move(starts);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct ConstrainWeights : a2q::impl::A2QConstrainWeightsBase<ConstrainWeights> {
  using A2QConstrainWeightsBase::A2QConstrainWeightsBase;

  void runOnOperation() override;

private:
  LogicalResult checkBound();
  LogicalResult checkOptions();
  FailureOr<Goal> goalOf(const AccumulatingOp &layer);
  FailureOr<bool> constrain(AccumulatingOpInterface op,
                            const RangeAnalysis &ranges);
  LogicalResult prove(AccumulatingOpInterface op, const RangeAnalysis &ranges);
  void tell(AccumulatingOpInterface op, const AccumulatingOp &layer,
            const Goal &goal, const Change &change);

  Goal goal;
};
} // namespace

LogicalResult ConstrainWeights::checkBound() {
  goal.bound = goal.method->bounds.front();
  if (bound.getValue().empty())
    return success();
  std::optional<Bound> parsed = parseBound(bound.getValue());
  if (parsed && goal.method->allows(*parsed)) {
    goal.bound = *parsed;
    return success();
  }
  InFlightDiagnostic error = getOperation()->emitError()
                             << "method '" << method.getValue()
                             << "' has no bound '" << bound.getValue() << "'";
  Diagnostic &note = error.attachNote() << "its bounds: ";
  llvm::interleaveComma(goal.method->bounds, note, [&](Bound known) {
    note << StringRef(a2q::toString(known));
  });
  return error;
}

LogicalResult ConstrainWeights::checkOptions() {
  if (width.getValue() < 1 || width.getValue() > 64)
    return getOperation()->emitError()
           << "an accumulator has from 1 to 64 bits, found "
           << width.getValue();
  goal.width = width;
  goal.method = lookupConstraintMethod(method.getValue());
  if (goal.method && goal.method->needsMoments()) {
    InFlightDiagnostic error = getOperation()->emitError()
                               << "method '" << method.getValue()
                               << "' needs the moments of each layer's inputs";
    error.attachNote() << "optimal is the best method that needs none";
    return error;
  }
  if (goal.method)
    return checkBound();
  InFlightDiagnostic error = getOperation()->emitError()
                             << "unknown method '" << method.getValue() << "'";
  Diagnostic &note = error.attachNote() << "known methods: ";
  llvm::interleaveComma(
      constraintMethods(), note,
      [&](const ConstraintMethod &known) { note << StringRef(known.name); });
  return error;
}

/// Leaves what was done on the layer, for remarks and the report.
void ConstrainWeights::tell(AccumulatingOpInterface op,
                            const AccumulatingOp &layer, const Goal &goal,
                            const Change &change) {
  auto count = static_cast<double>(layer.problem.weights.size());
  std::string note =
      change.channels == 0
          ? llvm::formatv("fits {0} bits as it is", width.getValue()).str()
          : llvm::formatv(
                "constrained to {0} bits by {1}: {2} of {3} channels "
                "changed, largest l1 norm {4} to {5}, sparsity "
                "{6:F2} to {7:F2}, weight error {8:F3}",
                width.getValue(), goal.method->name, change.channels,
                layer.problem.channels, a2q::toString(change.l1Before),
                a2q::toString(change.l1After), change.zerosBefore / count,
                change.zerosAfter / count, change.error)
                .str();
  if (goal.method->changesScale && change.channels > 0) {
    auto [least, most] =
        std::minmax_element(change.scales.begin(), change.scales.end());
    note += llvm::formatv(", scales by {0:F2} to {1:F2}", *least, *most).str();
  }
  if (change.emptied > 0) {
    InFlightDiagnostic warning =
        op.emitWarning() << change.emptied << " of " << layer.problem.channels
                         << " channels have no weight left in "
                         << width.getValue() << " bits by "
                         << StringRef(goal.method->name);
    warning.attachNote() << "a wider accumulator keeps some, or a method that "
                            "rounds to the budget, such as optimal";
    note += llvm::formatv(", {0} without any weight", change.emptied).str();
  }
  setNote(op, "constrain", change.channels == 0 ? "" : note);
  remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("constrain").category("a2q-constrain-weights"))
      << note;
}

/// The goal of one layer: where scales cannot change, the method that keeps
/// them.
FailureOr<Goal> ConstrainWeights::goalOf(const AccumulatingOp &layer) {
  Goal result = goal;
  AccumulatingOpInterface op = layer.op;
  bool bias = zeroPoint(getQuantizedType(op.getActivations().getType())) != 0;
  Operation *reader = cannotFollow(op, bias, /*scale=*/true);
  if (!goal.method->changesScale || (!reader && !hasInitial(layer)))
    return result;
  if (!goal.method->fixedScale.empty()) {
    result.method = lookupConstraintMethod(goal.method->fixedScale);
    return result;
  }
  InFlightDiagnostic error = op.emitError();
  error << "method '" << method.getValue()
        << "' changes the scale of weights, and ";
  if (reader)
    error << "'" << reader->getName() << "' cannot follow it";
  else
    error << "the initial value cannot follow it";
  error.attachNote()
      << "an f32 multiplier of a2q.requantize can, and constant scales of "
         "floats; optimal-fixed-scale keeps the scale";
  return error;
}

/// True when the weights changed.
FailureOr<bool> ConstrainWeights::constrain(AccumulatingOpInterface op,
                                            const RangeAnalysis &ranges) {
  if (!isa<MatmulOp, Conv2DOp>(op.getOperation()))
    return op.emitError("weights cannot be changed: only a2q.matmul and "
                        "a2q.conv_2d keep them as codes");
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "weights cannot be constrained: " << reason;
  Value weights = op.getWeights();
  if (!layer->constantWeights ||
      !weights.getDefiningOp<quant::StorageCastOp>()) {
    InFlightDiagnostic error =
        op.emitError("weights cannot be constrained: they are not constants");
    error.attachNote(weights.getLoc())
        << "a2q-stage-accumulators narrows accumulators of any product";
    return error;
  }
  Range codes = codeRange(getQuantizedType(weights.getType()));
  assert(codes.containsZero() && "the zero point of weights is 0");
  FailureOr<Goal> goal = goalOf(*layer);
  if (failed(goal))
    return failure();
  FailureOr<Change> change = choose(*layer, *goal, codes);
  if (failed(change) || failed(checkUsers(op)))
    return failure();

  bool changed = change->weights != layer->problem.weights ||
                 llvm::any_of(change->scales, [](double s) { return s != 1; });
  if (changed) {
    if (failed(followWeights(*layer, width, *change)))
      return failure();
    replaceWeights(
        op, weights,
        rescaledType(cast<RankedTensorType>(weights.getType()), change->scales),
        change->weights);
    // Figures of the old weights.
    op->removeAttr(A2QDialect::getChannelsAttrName());
  }

  // Ends and starts belonged to the old weights; the order of terms stays.
  Schedule schedule = Schedule::trivial(layer->problem.length);
  schedule.order = layer->schedule().order;
  layer->problem.weights = change->weights;
  centre(*layer, *goal, schedule);
  ScheduleAttr attr;
  if (!schedule.order.empty() || !schedule.stages.front().starts.empty())
    attr = ScheduleAttr::get(&getContext(), schedule, layer->problem.channels);
  IRRewriter rewriter(op);
  if (failed(op.rebuildWithAccumulator(
          rewriter, AccumulatorType::get(&getContext(), width), attr)))
    return op.emitError() << "cannot hold a " << width.getValue()
                          << "-bit accumulator";
  tell(op, *layer, *goal, *change);
  return changed;
}

/// Proves one layer from the integers that stand in the module now.
LogicalResult ConstrainWeights::prove(AccumulatingOpInterface op,
                                      const RangeAnalysis &ranges) {
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "constrained weights cannot be proven: " << reason;
  StageNeed need = layer->prove(layer->schedule()).front();
  if (need.prefixWidth <= width)
    return success();
  return op.emitError() << "channel " << need.channel << " needs "
                        << need.prefixWidth
                        << " bits after its weights were constrained, the "
                           "accumulator has "
                        << width.getValue();
}

void ConstrainWeights::runOnOperation() {
  if (failed(checkOptions()))
    return signalPassFailure();
  SmallVector<AccumulatingOpInterface> ops;
  getOperation()->walk<WalkOrder::PreOrder>([&](AccumulatingOpInterface op) {
    if (op.isAccumulating())
      ops.push_back(op);
  });
  // A layer's codes follow the weights before it, and so do their ranges.
  auto ranges = std::make_unique<RangeAnalysis>(getOperation());
  for (AccumulatingOpInterface op : ops) {
    FailureOr<bool> changed = constrain(op, *ranges);
    if (failed(changed))
      return signalPassFailure();
    if (*changed)
      ranges = std::make_unique<RangeAnalysis>(getOperation());
  }
  for (AccumulatingOpInterface op : ops)
    if (failed(prove(op, *ranges)))
      return signalPassFailure();
}
