//===- ConstrainWeights.cpp - Weights that meet an accumulator's budget ---===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Report.h"
#include "a2q/Transforms/ConstrainLayer.h"
#include "a2q/Transforms/ConstraintOverrides.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"

namespace a2q {
#define GEN_PASS_DEF_A2QCONSTRAINWEIGHTS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

namespace {
struct ConstrainWeights : a2q::impl::A2QConstrainWeightsBase<ConstrainWeights> {
  using A2QConstrainWeightsBase::A2QConstrainWeightsBase;

  void runOnOperation() override;

private:
  LogicalResult readOptions();
  LogicalResult constrainAll(ArrayRef<AccumulatingOpInterface> ops);

  ConstraintSpec constraint;
  ConstraintOverrides overrides;
};
} // namespace

LogicalResult ConstrainWeights::readOptions() {
  constraint = {};
  constraint.width = width;
  constraint.tile = tile;
  constraint.method = method;
  constraint.bound = bound;
  ModuleOp module = getOperation();
  if (failed(constraint.verify([&] { return module.emitError(); })))
    return failure();
  overrides = {};
  if (overridesFile.empty())
    return success();
  FailureOr<ConstraintOverrides> file =
      ConstraintOverrides::read(overridesFile, module.getLoc());
  if (failed(file))
    return failure();
  overrides = std::move(*file);
  return success();
}

LogicalResult
ConstrainWeights::constrainAll(ArrayRef<AccumulatingOpInterface> ops) {
  std::vector<std::string> names;
  for (auto [index, op] : llvm::enumerate(ops))
    names.push_back(layerName(op, static_cast<int64_t>(index)));
  if (failed(overrides.checkNames(names, getOperation().getLoc())))
    return failure();
  // A layer's codes follow the weights before it, and so do their ranges.
  RangeCache &cache = getAnalysis<RangeCache>();
  auto ranges = std::make_unique<RangeAnalysis>(getOperation(), cache);
  for (auto [name, op] : llvm::zip_equal(names, ops)) {
    FailureOr<ConstraintSpec> own =
        constraintOf(op, constraint, overrides.lookup(name));
    if (failed(own))
      return failure();
    if (own->skip)
      continue;
    FailureOr<bool> changed = constrainLayer(op, *own, *ranges);
    if (failed(changed))
      return failure();
    if (*changed)
      ranges = std::make_unique<RangeAnalysis>(getOperation(), cache);
  }
  // Layers that are skipped, too: other codes may reach them now.
  for (AccumulatingOpInterface op : ops)
    if (isa<AccumulatorType>(op.getAccumulatorType()) &&
        failed(proveLayer(op, *ranges)))
      return failure();
  return success();
}

void ConstrainWeights::runOnOperation() {
  if (failed(readOptions()))
    return signalPassFailure();
  SmallVector<AccumulatingOpInterface> ops;
  getOperation()->walk<WalkOrder::PreOrder>([&](AccumulatingOpInterface op) {
    if (op.isAccumulating())
      ops.push_back(op);
  });
  OwningOpRef<ModuleOp> untouched = getOperation().clone();
  if (succeeded(constrainAll(ops)))
    return;
  // Half of a network's weights are no use to anyone.
  getOperation().getBodyRegion().takeBody(untouched->getBodyRegion());
  signalPassFailure();
}
