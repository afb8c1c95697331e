//===- Prove.cpp - Prove every accumulator of a module --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Pipelines/Prove.h"

#include "a2q/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void a2q::buildProvePipeline(OpPassManager &pm, const ProveOptions &options) {
  // Constants are what a proof stands on: folding makes more of them visible,
  // and dead layers would be proven for nothing.
  pm.addPass(createCanonicalizerPass());
  // What the codes can be, written down where a reader and later passes see it.
  pm.addPass(createA2QInferRanges());
  // The narrowest accumulators for those ranges and the weights.
  A2QInferAccumulatorsOptions infer;
  infer.bound = options.bound;
  pm.addPass(createA2QInferAccumulators(infer));
  // The promise: types and schedules hold, from the integers once more.
  pm.addPass(createA2QVerifyAccumulators());
}

void a2q::registerProvePipeline() {
  PassPipelineRegistration<ProveOptions>(
      "a2q-prove-pipeline",
      "give every accumulator the narrowest type that can be proven",
      buildProvePipeline);
}
