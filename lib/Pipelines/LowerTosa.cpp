//===- LowerTosa.cpp - From TOSA to linalg ----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Pipelines/LowerTosa.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Tosa/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void a2q::buildLowerTosaPipeline(OpPassManager &pm) {
  OpPassManager &function = pm.nest<func::FuncOp>();
  // Operands of elementwise operations get one rank, which the conversion to
  // linalg needs.
  function.addPass(tosa::createTosaMakeBroadcastablePass());
  TosaToLinalgNamedOptions named;
  // The output channel is then contiguous: loops over it become vectors.
  named.preferConv2DKernelLayoutHWCF = true;
  function.addPass(tosa::createTosaToLinalgNamed(named));
  function.addPass(createCanonicalizerPass());
  // One filter for each channel: no dimension of size 1 behind the channels.
  function.addPass(createSimplifyDepthwiseConvPass());
  // The conversion makes elementwise operations of its own.
  function.addPass(tosa::createTosaMakeBroadcastablePass());
  function.addPass(tosa::createTosaToLinalg());
  function.addPass(createTosaToTensorPass());
  function.addPass(createTosaToArithPass({/*includeApplyRescale=*/true}));
  function.addPass(createCanonicalizerPass());
}

void a2q::registerLowerTosaPipeline() {
  PassPipelineRegistration<>("a2q-lower-tosa-pipeline",
                             "Lower TOSA to linalg, tensor and arith",
                             buildLowerTosaPipeline);
}
