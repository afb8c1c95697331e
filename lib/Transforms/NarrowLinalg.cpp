//===- NarrowLinalg.cpp - Narrow accumulators in plain IR -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Accumulators.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace a2q {
#define GEN_PASS_DEF_A2QNARROWLINALG
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

/// The width that holds every partial sum in any order, the initial value
/// included: whatever linalg is lowered to may reassociate or saturate.
static unsigned provenWidth(const AccumulatingOp &layer) {
  return layer.prove(Schedule::trivial(layer.problem.length))
      .front()
      .prefixWidth;
}

namespace {
struct NarrowLinalg : a2q::impl::A2QNarrowLinalgBase<NarrowLinalg> {
  void runOnOperation() override {
    RangeAnalysis ranges(getOperation(), getAnalysis<RangeCache>());
    // First all proofs, then all rewriting: the analysis knows the old ops.
    SmallVector<std::pair<AccumulatingOpInterface, unsigned>> proven;
    getOperation()->walk([&](AccumulatingOpInterface op) {
      if (!isa<linalg::LinalgOp>(op.getOperation()) || !op.isAccumulating())
        return;
      std::string reason;
      FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
      if (failed(layer))
        op.emitRemark() << "accumulator kept: " << reason;
      else if (!layer->constantWeights)
        op.emitRemark() << "accumulator kept: its weights are not constant";
      else
        proven.push_back({op, provenWidth(*layer)});
    });
    IRRewriter rewriter(&getContext());
    for (auto [op, width] : proven)
      narrow(rewriter, op, width);
  }

  void narrow(RewriterBase &rewriter, AccumulatingOpInterface op,
              unsigned width) {
    unsigned has = op.getAccumulatorType().getIntOrFloatBitWidth();
    FailureOr<Value> narrow = failure();
    if (width <= 64)
      narrow = op.rebuildWithAccumulator(
          rewriter, AccumulatorType::get(&getContext(), width), {});
    if (failed(narrow)) {
      op.emitRemark() << "accumulator kept: its sums need " << width
                      << " bits, it has " << has;
      return;
    }
    rewriter.replaceOp(op, *narrow);
  }
};
} // namespace
