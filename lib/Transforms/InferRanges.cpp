//===- InferRanges.cpp - Write down proven ranges -------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Passes.h"

#include "a2q/Analysis/Ranges.h"

#include "mlir/IR/BuiltinOps.h"

namespace a2q {
#define GEN_PASS_DEF_A2QINFERRANGES
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

/// Ranges of more indices are joined, and those of a dynamic dimension.
static constexpr size_t maxIndices = 64;

namespace {
struct InferRanges : a2q::impl::A2QInferRangesBase<InferRanges> {
  void runOnOperation() override {
    RangeAnalysis ranges(getOperation(), getAnalysis<RangeCache>());
    getOperation()->walk([&](Operation *op) {
      if (op->getNumResults() != 1 || op->hasTrait<OpTrait::ConstantLike>() ||
          !isa<RankedTensorType>(op->getResult(0).getType()))
        return;
      std::optional<ElementRanges> found = ranges.lookup(op->getResult(0));
      if (!found)
        return;
      auto type = cast<RankedTensorType>(op->getResult(0).getType());
      if (found->ranges.size() > maxIndices ||
          (!found->isUniform() && type.isDynamicDim(found->axis)))
        *found = {{found->joined()}, -1};
      op->setAttr(A2QDialect::getRangeAttrName(),
                  rangeAttr(&getContext(), *found));
    });
  }
};
} // namespace
