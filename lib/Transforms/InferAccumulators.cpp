//===- InferAccumulators.cpp - The narrowest proven accumulators ----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Passes.h"

#include "a2q/Analysis/Accumulators.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Centring.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace a2q {
#define GEN_PASS_DEF_A2QINFERACCUMULATORS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Figures per channel
//===----------------------------------------------------------------------===//

/// More channels than this have their figures in resources.
static constexpr size_t maxInlineChannels = 64;

static Attribute figures(MLIRContext *context, StringRef name,
                         ArrayRef<int64_t> values) {
  if (values.size() <= maxInlineChannels)
    return DenseI64ArrayAttr::get(context, values);
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    IntegerType::get(context, 64));
  return DenseI64ResourceElementsAttr::get(
      type, name, HeapAsmResourceBlob::allocateAndCopyInferAlign(values));
}

/// `a2q.channels` of the op; null when a norm does not fit 64 bits.
static DictionaryAttr channelFigures(const AccumulatingOp &layer,
                                     MLIRContext *context) {
  SmallVector<int64_t> l1, pos, neg, finalWidth, prefixWidth, centredWidth;
  for (int64_t channel = 0; channel < layer.problem.channels; ++channel) {
    ChannelBounds bounds = layer.bounds(channel);
    if (bounds.norms.l1() > INT64_MAX)
      return {};
    l1.push_back(static_cast<int64_t>(bounds.norms.l1()));
    pos.push_back(static_cast<int64_t>(bounds.norms.pos));
    neg.push_back(static_cast<int64_t>(bounds.norms.neg));
    finalWidth.push_back(bounds.finalWidth);
    prefixWidth.push_back(bounds.exact);
    centredWidth.push_back(bounds.centred);
  }
  Builder builder(context);
  std::pair<StringRef, ArrayRef<int64_t>> all[] = {
      {"l1", l1},
      {"pos", pos},
      {"neg", neg},
      {"final_width", finalWidth},
      {"prefix_width", prefixWidth},
      {"centred_width", centredWidth}};
  SmallVector<NamedAttribute> attrs;
  for (auto [name, values] : all)
    attrs.push_back(builder.getNamedAttr(name, figures(context, name, values)));
  return builder.getDictionaryAttr(attrs);
}

//===----------------------------------------------------------------------===//
// Width and starts
//===----------------------------------------------------------------------===//

/// One stage whose channels, where they do not fit the width that centring
/// reaches from 0, begin at their centring start. With one channel for all
/// (products of activations) every channel gets that start.
static Schedule centredSchedule(const AccumulatingOp &layer,
                                std::vector<int64_t> order) {
  Schedule schedule = Schedule::trivial(layer.problem.length);
  schedule.order = std::move(order);
  // With one stage the order of terms changes no interval.
  SmallVector<Interval> held;
  unsigned width = 1;
  for (int64_t channel = 0; channel < layer.problem.channels; ++channel) {
    held.push_back(
        accumulatorInterval(layer.problem, schedule, channel, 0, 0, 0));
    width = std::max(width, spanWidth(held.back()));
  }
  if (width > 64)
    return schedule;
  std::vector<int64_t> starts;
  bool centred = false;
  for (Interval interval : held) {
    bool fits = signedWidth(interval) <= width;
    Wide start = fits ? 0 : centredStart(interval);
    // The register holds it: the interval with its start includes it.
    centred |= !fits;
    starts.push_back(static_cast<int64_t>(start));
  }
  if (!centred)
    return schedule;
  if (!layer.constantWeights) {
    AccumulatingOpInterface op = layer.op;
    std::optional<int64_t> channels = op.getNumChannels();
    if (!channels)
      return schedule;
    starts.resize(*channels, starts.front());
  }
  schedule.stages.front().starts = std::move(starts);
  return schedule;
}

/// Widths of the stages: what is proven, the outermost at least `atLeast`,
/// none narrower than the one inside it. Failure beyond 64 bits.
static FailureOr<AccumulatorType> typeOf(const AccumulatingOp &layer,
                                         const Schedule &schedule, bool wrap,
                                         unsigned atLeast) {
  AccumulatingOpInterface op = layer.op;
  SmallVector<AccumulatorStage> stages;
  unsigned width = 1;
  std::vector<StageNeed> needs = layer.prove(schedule);
  for (auto [i, need] : llvm::enumerate(needs)) {
    bool outermost = i + 1 == needs.size();
    width = std::max(width, wrap ? need.finalWidth : need.prefixWidth);
    if (outermost)
      width = std::max(width, atLeast);
    if (width > 64)
      return op.emitError() << "channel " << need.channel << " needs " << width
                            << " bits, accumulators have at most 64";
    stages.push_back({width, outermost ? 0 : schedule.stages[i].longestTile()});
  }
  return AccumulatorType::get(op->getContext(), stages, wrap);
}

/// Whether all users of a sum take it with any accumulator type.
static bool usersFollow(Operation *op) {
  return llvm::all_of(op->getUsers(), [](Operation *user) {
    return isa<RequantizeOp, DecodeOp>(user);
  });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct InferAccumulators
    : a2q::impl::A2QInferAccumulatorsBase<InferAccumulators> {
  using Base::Base;

  void runOnOperation() override {
    std::optional<Bound> parsed =
        parseBound(std::string_view(bound.getValue()));
    if (!parsed) {
      getOperation().emitError()
          << "unknown bound '" << bound.getValue()
          << "', expected datatype, a2q, a2q-plus, exact or centred";
      return signalPassFailure();
    }
    RangeAnalysis ranges(getOperation(), getAnalysis<RangeCache>());
    SmallVector<AccumulatingOpInterface> ops;
    getOperation()->walk([&](AccumulatingOpInterface op) {
      if (op.isAccumulating())
        ops.push_back(op);
    });
    for (AccumulatingOpInterface op : ops)
      if (failed(infer(op, *parsed, ranges)))
        return signalPassFailure();
  }

  LogicalResult infer(AccumulatingOpInterface op, Bound bound,
                      const RangeAnalysis &ranges) {
    std::string reason;
    FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
    if (failed(layer)) {
      op.emitRemark() << "no accumulator inferred: " << reason;
      return success();
    }
    op->removeAttr(A2QDialect::getChannelsAttrName());
    if (layer->constantWeights)
      if (DictionaryAttr attr = channelFigures(*layer, &getContext()))
        op->setAttr(A2QDialect::getChannelsAttrName(), attr);
    if (isa<AccumulatorType>(op.getAccumulatorType()))
      return narrow(*layer, bound);
    return success();
  }

  LogicalResult narrow(const AccumulatingOp &layer, Bound bound) {
    AccumulatingOpInterface op = layer.op;
    Schedule schedule = layer.schedule();
    if (schedule.stages.size() == 1 && schedule.stages.front().lanes == 1) {
      if (bound == Bound::Centred)
        schedule = centredSchedule(layer, std::move(schedule.order));
      else
        schedule.stages.front().starts.clear();
    }
    unsigned atLeast = 1;
    if (bound != Bound::Exact && bound != Bound::Centred)
      for (int64_t channel = 0; channel < layer.problem.channels; ++channel)
        atLeast = std::max(atLeast, layer.bounds(channel).width(bound));
    bool wrap = cast<AccumulatorType>(op.getAccumulatorType()).getWrap();
    FailureOr<AccumulatorType> type = typeOf(layer, schedule, wrap, atLeast);
    if (failed(type))
      return failure();
    if (*type != op.getAccumulatorType() && !usersFollow(op)) {
      op.emitRemark() << "its accumulator could be " << *type
                      << ", but not all users of the sum take another type";
      return success();
    }
    bool trivial = schedule.order.empty() && schedule.stages.size() == 1 &&
                   schedule.stages.front().starts.empty() &&
                   schedule.stages.front().lanes == 1;
    ScheduleAttr attr;
    if (!trivial)
      attr = ScheduleAttr::get(&getContext(), schedule,
                               op.getNumChannels().value_or(1));
    IRRewriter rewriter(op);
    return op.rebuildWithAccumulator(rewriter, *type, attr);
  }
};
} // namespace
