//===- Constrain.cpp - Weights that meet a width, proven ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Pipelines/Constrain.h"

#include "a2q/Math/Constraining.h"
#include "a2q/Pipelines/Prove.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

/// Whether constraining relies on accumulators that begin at their centres.
static bool isCentred(StringRef method, StringRef bound) {
  if (!bound.empty())
    return bound == "centred";
  const a2q::ConstraintMethod *known = a2q::lookupConstraintMethod(method);
  return known && known->bounds.front() == a2q::Bound::Centred;
}

void a2q::buildConstrainPipeline(OpPassManager &pm,
                                 const ConstrainOptions &options) {
  // Weights behind anything but a constant cannot be changed: fold first.
  pm.addPass(createCanonicalizerPass());
  // The only step that changes what the model computes.
  A2QConstrainWeightsOptions constrain;
  constrain.width = options.width;
  constrain.tile = options.tile;
  constrain.method = options.method;
  constrain.bound = options.bound;
  constrain.overridesFile = options.overrides;
  pm.addPass(createA2QConstrainWeights(constrain));
  // Methods leave some of the budget, and layers that fit were left alone: many
  // now need less than the width. Proving ends with a verification, so the
  // constraint is not trusted either. What fits from its centre only has to
  // begin there.
  ProveOptions prove;
  if (isCentred(options.method.getValue(), options.bound.getValue()))
    prove.bound = "centred";
  buildProvePipeline(pm, prove);
}

void a2q::registerConstrainPipeline() {
  PassPipelineRegistration<ConstrainOptions>(
      "a2q-constrain-pipeline",
      "change weights until every accumulator fits a width, and prove it",
      buildConstrainPipeline);
}
