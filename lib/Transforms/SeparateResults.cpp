//===- SeparateResults.cpp - Return each value of the entry once ----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Entry.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "llvm/ADT/DenseSet.h"

namespace a2q {
#define GEN_PASS_DEF_A2QSEPARATERESULTS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

namespace {

struct SeparateResults : a2q::impl::A2QSeparateResultsBase<SeparateResults> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> entry = a2q::findEntry(getOperation());
    if (failed(entry))
      return signalPassFailure();
    entry->walk([](func::ReturnOp op) {
      OpBuilder builder(op);
      llvm::SmallDenseSet<Value> returned;
      for (OpOperand &operand : op->getOpOperands())
        if (!returned.insert(operand.get()).second)
          operand.set(bufferization::AllocTensorOp::create(
              builder, op.getLoc(),
              cast<RankedTensorType>(operand.get().getType()),
              /*dynamicSizes=*/ValueRange(), /*copy=*/operand.get()));
    });
  }
};

} // namespace
