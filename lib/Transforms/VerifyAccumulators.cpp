//===- VerifyAccumulators.cpp - Prove every accumulator type --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Passes.h"

#include "a2q/Analysis/Accumulators.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/BuiltinOps.h"

namespace a2q {
#define GEN_PASS_DEF_A2QVERIFYACCUMULATORS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

/// The channel whose complete sum needs the most bits.
static int64_t worstFinalChannel(const AccumulatingOp &layer) {
  int64_t worst = 0;
  unsigned width = 0;
  for (int64_t channel = 0; channel < layer.problem.channels; ++channel)
    if (unsigned needed = signedWidth(layer.sum(channel)); needed > width) {
      width = needed;
      worst = channel;
    }
  return worst;
}

/// Why the channel does not fit, and what helps.
static std::string remedy(const AccumulatingOp &layer, int64_t channel,
                          unsigned width) {
  std::string activations = "activations in [" +
                            std::to_string(layer.activations.lo) + ", " +
                            std::to_string(layer.activations.hi) + "]";
  if (layer.problem.fact)
    activations += " (and what " + layer.producer + " guarantees)";
  if (!layer.constantWeights)
    return "it sums " + std::to_string(layer.problem.length) + " products of " +
           activations +
           "; a2q-infer-accumulators finds the width that it needs";
  ChannelBounds bounds = layer.bounds(channel);
  std::string text =
      "its l1 norm is " + toString(bounds.norms.l1()) + " with " + activations +
      ", the exact budget of " + bitsText(width) + " is " +
      toString(l1Budget(Bound::Exact, width, layer.activations)) +
      ", the centred one " +
      toString(l1Budget(Bound::Centred, width, layer.activations));
  if (bounds.exact <= width && !layer.problem.initial.empty())
    return text + "; without its initial value it would fit";
  if (bounds.centred <= width && layer.problem.initial.empty())
    return text + "; it fits from the starts that "
                  "a2q-infer-accumulators{bound=centred} chooses";
  return text + "; a2q-constrain-weights can project it, "
                "a2q-stage-accumulators split it";
}

/// `channel 17 needs 17 bits, the accumulator has 16`
static void reportMisfit(const AccumulatingOp &layer, size_t stage,
                         const StageNeed &need, AccumulatorType type) {
  unsigned has = type.getStages()[stage].width;
  bool wrap = type.getWrap(), staged = type.getStages().size() > 1;
  int64_t channel = wrap && !staged ? worstFinalChannel(layer) : need.channel;
  AccumulatingOpInterface op = layer.op;
  InFlightDiagnostic diagnostic = op.emitError();
  if (!layer.constantWeights)
    diagnostic << "a sum of products";
  else if (wrap && staged)
    diagnostic << "some channel";
  else
    diagnostic << "channel " << channel;
  diagnostic << " needs " << (wrap ? need.finalWidth : need.prefixWidth)
             << " bits";
  if (staged && !wrap)
    diagnostic << " in tile " << need.tile << ", lane " << need.lane;
  diagnostic << ", the accumulator";
  if (staged)
    diagnostic << " of stage " << stage;
  diagnostic << " has " << has;
  diagnostic.attachNote() << remedy(layer, channel, has);
}

/// Whatever reads codes relies on their storage range; a cast from integers
/// does not clamp.
static LogicalResult verifyCodes(quant::StorageCastOp op,
                                 const RangeAnalysis &ranges) {
  quant::QuantizedType type = getQuantizedType(op.getType());
  if (!type)
    return success();
  std::optional<ElementRanges> found =
      ranges.lookup(op.getInput(), /*unsignedSignless=*/!type.isSigned());
  Range storage = codeRange(type);
  if (!found)
    return success();
  Range given = found->joined();
  if (storage.lo <= given.lo && given.hi <= storage.hi)
    return success();
  InFlightDiagnostic diagnostic = op.emitError()
                                  << "integers in [" << given.lo << ", "
                                  << given.hi << "] become codes of ["
                                  << storage.lo << ", " << storage.hi << "]";
  diagnostic.attachNote()
      << "clamp them, or let a2q.range on an argument say that they fit";
  return failure();
}

namespace {
struct VerifyAccumulators
    : a2q::impl::A2QVerifyAccumulatorsBase<VerifyAccumulators> {
  void runOnOperation() override {
    RangeAnalysis ranges(getOperation(), getAnalysis<RangeCache>());
    bool failedAny = false;
    getOperation()->walk([&](quant::StorageCastOp op) {
      failedAny |= failed(verifyCodes(op, ranges));
    });
    getOperation()->walk([&](AccumulatingOpInterface op) {
      if (!op.isAccumulating())
        return;
      if (auto type = dyn_cast<AccumulatorType>(op.getAccumulatorType()))
        failedAny |= failed(verify(op, type, ranges));
    });
    if (failedAny)
      signalPassFailure();
  }

  LogicalResult verify(AccumulatingOpInterface op, AccumulatorType type,
                       const RangeAnalysis &ranges) {
    std::string reason;
    FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
    if (failed(layer))
      return op.emitError() << "the accumulator cannot be proven: " << reason;
    for (auto [stage, need] :
         llvm::enumerate(layer->prove(layer->schedule()))) {
      unsigned bits = type.getWrap() ? need.finalWidth : need.prefixWidth;
      if (bits <= type.getStages()[stage].width)
        continue;
      reportMisfit(*layer, stage, need, type);
      return failure();
    }
    return success();
  }
};
} // namespace
