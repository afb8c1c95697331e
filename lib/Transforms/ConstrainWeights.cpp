//===- ConstrainWeights.cpp - Weights that meet an accumulator's budget ---===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Accumulators.h"
#include "a2q/Analysis/Report.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/Constraining.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

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
/// What changed in one layer.
struct Change {
  std::vector<int64_t> weights;
  int64_t channels = 0;
  Wide l1Before = 0, l1After = 0; ///< of the channel with the largest
  size_t zerosBefore = 0, zerosAfter = 0;
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
static std::vector<int64_t> constrainChannel(const ConstraintMethod &method,
                                             const DotProduct &dot,
                                             unsigned width, Range codes) {
  std::vector<double> real(dot.weights.begin(), dot.weights.end());
  // Methods count bits of signed weights.
  unsigned bits = codeBits({std::min<int64_t>(codes.lo, -1), codes.hi});
  std::vector<int64_t> weights =
      method.constrain({real, width, joinedRange(dot), bits});
  for (int64_t &weight : weights)
    weight = std::clamp(weight, codes.lo, codes.hi);
  return weights;
}

/// Refuses a width that leaves a channel without a non-zero weight.
static LogicalResult checkWidth(AccumulatingOpInterface op,
                                const ConstraintMethod &method, int64_t channel,
                                Range range, unsigned width) {
  unsigned smallest = method.smallestWidth(range);
  if (width >= smallest)
    return success();
  InFlightDiagnostic error = op.emitError()
                             << "channel " << channel
                             << " would lose all its weights: " << width
                             << " bits hold no product of codes in ["
                             << range.lo << ", " << range.hi << "]";
  error.attachNote() << "the smallest width that holds one is " << smallest;
  return error;
}

/// Chooses the weights of all channels that do not fit as they are.
static FailureOr<Change> choose(const AccumulatingOp &layer,
                                const ConstraintMethod &method, unsigned width,
                                Range codes) {
  AccumulatingOpInterface op = layer.op;
  AccumulationProblem problem = layer.problem;
  Change change;
  change.zerosBefore = llvm::count(problem.weights, 0);
  for (int64_t channel = 0; channel < problem.channels; ++channel) {
    DotProduct dot = problem.dot(channel);
    change.l1Before = std::max(change.l1Before, norms(dot.weights).l1());
    if (signedWidth(prefixInterval(dot)) > width) {
      if (failed(checkWidth(op, method, channel, joinedRange(dot), width)))
        return failure();
      std::vector<int64_t> weights =
          constrainChannel(method, dot, width, codes);
      std::copy(weights.begin(), weights.end(),
                problem.weights.begin() + channel * problem.length);
      ++change.channels;
    }
    change.l1After = std::max(change.l1After, norms(dot.weights).l1());
    unsigned needed = signedWidth(wholeSum(problem, channel));
    if (needed > width) {
      InFlightDiagnostic error =
          op.emitError() << "channel " << channel << " needs " << needed
                         << " bits after its weights were constrained, the "
                            "accumulator has "
                         << width;
      error.attachNote() << "weights are held to the budget, an initial value "
                            "is not: it belongs to the bias of a2q.requantize";
      return error;
    }
  }
  change.zerosAfter = llvm::count(problem.weights, 0);
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

/// Gives the op constant weights of its own: another op may use the old ones.
static void replaceWeights(Operation *op, Value weights,
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
  Value own = quant::StorageCastOp::create(builder, cast.getLoc(),
                                           weights.getType(), codes);
  op->replaceUsesOfWith(weights, own);
  if (cast->use_empty())
    cast->erase();
  if (constant->use_empty())
    constant->erase();
}

/// A per-channel bias in the narrowest of its old type, i32 and i64.
static ElementsAttr biasAttr(Builder &builder, Type old,
                             ArrayRef<int64_t> values) {
  unsigned needed = 1;
  for (int64_t value : values)
    needed = std::max(needed, signedWidth({value, value}));
  unsigned width = old ? old.getIntOrFloatBitWidth() : 32;
  if (needed > width)
    width = needed <= 32 ? 32 : 64;
  SmallVector<APInt> integers;
  for (int64_t value : values)
    integers.emplace_back(width, value, /*isSigned=*/true);
  return DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(values.size())},
                            builder.getIntegerType(width)),
      integers);
}

/// Adds a correction per channel to the bias of a requantization.
static LogicalResult addToBias(RequantizeOp op, ArrayRef<Wide> correction) {
  SmallVector<int64_t> old = {0};
  if (ElementsAttr bias = op.getBiasAttr()) {
    FailureOr<SmallVector<int64_t>> values = integerElements(bias);
    if (failed(values))
      return op.emitError("the bias is not known");
    old = *values;
  }
  SmallVector<int64_t> bias;
  for (auto [channel, value] : llvm::enumerate(correction)) {
    Wide sum = value + old[old.size() == 1 ? 0 : channel];
    if (signedWidth({sum, sum}) > 64)
      return op.emitError()
             << "the bias of channel " << channel << " leaves 64 bits";
    bias.push_back(static_cast<int64_t>(sum));
  }
  Builder builder(op.getContext());
  op.setBiasAttr(biasAttr(
      builder, op.getBiasAttr() ? op.getBiasAttr().getElementType() : Type(),
      bias));
  return success();
}

/// Accumulators sum products of codes, so what reads a sum has added
/// `-z * sum(q)` for the zero point z. That constant follows the weights.
static LogicalResult correctBias(AccumulatingOp &layer,
                                 ArrayRef<int64_t> weights) {
  AccumulatingOpInterface op = layer.op;
  int64_t z = zeroPoint(getQuantizedType(op.getActivations().getType()));
  int64_t length = layer.problem.length;
  SmallVector<Wide> correction(layer.problem.channels, 0);
  for (size_t i = 0; i < weights.size(); ++i)
    correction[i / length] -= Wide(z) * (weights[i] - layer.problem.weights[i]);
  if (llvm::all_of(correction, [](Wide value) { return value == 0; }))
    return success();
  for (Operation *user : op->getResult(0).getUsers()) {
    auto requantize = dyn_cast<RequantizeOp>(user);
    if (!requantize) {
      InFlightDiagnostic error =
          op.emitError() << "weights cannot be changed: the activations have "
                            "zero point "
                         << z << ", and what corrects '" << user->getName()
                         << "' for it is not known";
      error.attachNote(user->getLoc())
          << "only the bias of a2q.requantize can follow the weights";
      return error;
    }
    if (failed(addToBias(requantize, correction)))
      return failure();
  }
  return success();
}

/// Types of sums must be free to change: only these two read any accumulator.
static LogicalResult checkUsers(AccumulatingOpInterface op) {
  for (Operation *user : op->getResult(0).getUsers())
    if (!isa<RequantizeOp, DecodeOp>(user))
      return op.emitError() << "the accumulator cannot change: '"
                            << user->getName() << "' fixes its type";
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct ConstrainWeights : a2q::impl::A2QConstrainWeightsBase<ConstrainWeights> {
  using A2QConstrainWeightsBase::A2QConstrainWeightsBase;

  void runOnOperation() override;

private:
  LogicalResult checkOptions();
  FailureOr<bool> constrain(AccumulatingOpInterface op,
                            const RangeAnalysis &ranges);
  LogicalResult prove(AccumulatingOpInterface op, const RangeAnalysis &ranges);
  void tell(AccumulatingOpInterface op, const AccumulatingOp &layer,
            const Change &change);

  const ConstraintMethod *chosen = nullptr;
};
} // namespace

LogicalResult ConstrainWeights::checkOptions() {
  if (width.getValue() < 1 || width.getValue() > 64)
    return getOperation()->emitError()
           << "an accumulator has from 1 to 64 bits, found "
           << width.getValue();
  chosen = lookupConstraintMethod(method.getValue());
  if (chosen)
    return success();
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
                            const AccumulatingOp &layer, const Change &change) {
  double count = static_cast<double>(layer.problem.weights.size());
  std::string note =
      change.channels == 0
          ? llvm::formatv("fits {0} bits as it is", width.getValue()).str()
          : llvm::formatv("constrained to {0} bits by {1}: {2} of {3} channels "
                          "changed, largest l1 norm {4} to {5}, sparsity "
                          "{6:F2} to {7:F2}",
                          width.getValue(), method.getValue(), change.channels,
                          layer.problem.channels,
                          a2q::toString(change.l1Before),
                          a2q::toString(change.l1After),
                          change.zerosBefore / count, change.zerosAfter / count)
                .str();
  setNote(op, "constrain", change.channels == 0 ? "" : note);
  remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("constrain").category("a2q-constrain-weights"))
      << note;
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
  FailureOr<Change> change = choose(*layer, *chosen, width, codes);
  if (failed(change) || failed(checkUsers(op)))
    return failure();

  bool changed = change->weights != layer->problem.weights;
  if (changed) {
    if (failed(correctBias(*layer, change->weights)))
      return failure();
    replaceWeights(op, weights, change->weights);
    // Figures of the old weights.
    op->removeAttr(A2QDialect::getChannelsAttrName());
  }

  // Ends and starts belonged to the old weights; the order of terms stays.
  Schedule schedule = Schedule::trivial(layer->problem.length);
  schedule.order = layer->schedule().order;
  ScheduleAttr attr;
  if (!schedule.order.empty())
    attr = ScheduleAttr::get(&getContext(), schedule, layer->problem.channels);
  IRRewriter rewriter(op);
  if (failed(op.rebuildWithAccumulator(
          rewriter, AccumulatorType::get(&getContext(), width), attr)))
    return op.emitError() << "cannot hold a " << width.getValue()
                          << "-bit accumulator";
  tell(op, *layer, *change);
  return changed;
}

/// Proves one layer from the integers that stand in the module now.
LogicalResult ConstrainWeights::prove(AccumulatingOpInterface op,
                                      const RangeAnalysis &ranges) {
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "constrained weights cannot be proven: " << reason;
  StageNeed need =
      proveSchedule(layer->problem, Schedule::trivial(layer->problem.length))
          .front();
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
