//===- Compile.cpp - From a network to a program, step by step ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/Compile.h"

#include "a2q/Analysis/Accumulators.h"
#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/Pipelines/Prove.h"
#include "a2q/Pipelines/ToLLVM.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace llvm;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Proving
//===----------------------------------------------------------------------===//

/// Proves accumulators that are plain integers, which no type of this project
/// speaks for: every partial sum in any order.
static mlir::LogicalResult provePlain(mlir::ModuleOp module) {
  RangeAnalysis ranges(module);
  mlir::WalkResult result =
      module.walk([&](AccumulatingOpInterface op) -> mlir::WalkResult {
        if (!op.isAccumulating() || !op.getAccumulatorType().isIntOrFloat())
          return mlir::WalkResult::advance();
        std::string reason;
        mlir::FailureOr<AccumulatingOp> layer =
            analyzeAccumulator(op, ranges, reason);
        if (failed(layer))
          return op.emitError()
                 << "the accumulator cannot be proven: " << reason;
        StageNeed need = layer->prove(layer->schedule()).front();
        unsigned has = op.getAccumulatorType().getIntOrFloatBitWidth();
        if (need.prefixWidth <= has)
          return mlir::WalkResult::advance();
        mlir::InFlightDiagnostic diag = op.emitError()
                                        << "channel " << need.channel
                                        << " needs " << need.prefixWidth
                                        << " bits, the accumulator has " << has;
        diag.attachNote() << "elements of i" << PowerOf2Ceil(need.prefixWidth)
                          << " hold every partial sum; a2q.range on arguments "
                             "tells that fewer values occur";
        return diag;
      });
  return mlir::failure(result.wasInterrupted());
}

static mlir::LogicalResult verifyAccumulators(mlir::ModuleOp module) {
  mlir::PassManager pm(module.getContext());
  pm.addPass(createA2QVerifyAccumulators());
  return pm.run(module);
}

mlir::LogicalResult a2q::proveClaims(mlir::ModuleOp module) {
  if (failed(provePlain(module)))
    return mlir::failure();
  return verifyAccumulators(module);
}

mlir::LogicalResult a2q::inferNarrowest(mlir::ModuleOp module,
                                        StringRef bound) {
  mlir::PassManager pm(module.getContext());
  ProveOptions options;
  options.bound = bound.str();
  buildProvePipeline(pm, options);
  return pm.run(module);
}

//===----------------------------------------------------------------------===//
// Choosing
//===----------------------------------------------------------------------===//

/// Whether everything that reads the sums takes them as 32 bits wide.
static bool allowsFullWidth(AccumulatingOpInterface op) {
  return all_of(op->getUsers(), [](mlir::Operation *user) {
    auto decode = dyn_cast<DecodeOp>(user);
    return !decode || decode.getType().getElementTypeBitWidth() >= 32;
  });
}

/// Gives ops whose sums are proven to fit fewer bits an accumulator of 32 bits.
static mlir::LogicalResult useFullWidth(mlir::ModuleOp module) {
  SmallVector<AccumulatingOpInterface> ops;
  module.walk([&](AccumulatingOpInterface op) {
    auto type = dyn_cast<AccumulatorType>(op.getAccumulatorType());
    if (type && type.getStages().size() == 1 && type.getWidth() < 32 &&
        allowsFullWidth(op))
      ops.push_back(op);
  });
  auto type = AccumulatorType::get(module.getContext(), 32);
  for (AccumulatingOpInterface op : ops) {
    mlir::IRRewriter rewriter(op);
    if (failed(op.rebuildWithAccumulator(rewriter, type, nullptr)))
      return op->emitOpError("cannot hold an accumulator of 32 bits");
  }
  return mlir::success();
}

/// The width of inner accumulators; nullopt to keep the types that the module
/// has.
static std::optional<unsigned> getInnerWidth(const AccumulatorChoice &choice,
                                             const CpuTarget &target) {
  if (choice.kind == AccumulatorChoice::Width)
    return choice.width;
  if (choice.kind != AccumulatorChoice::Auto || choice.constraint)
    return std::nullopt;
  // One vpdpbusd multiplies and adds into 32 bits what takes two instructions
  // with 16-bit accumulators, and three with 32-bit ones without VNNI.
  StringRef isa = choice.isa.empty() ? target.bestIsa() : StringRef(choice.isa);
  return isa == "avx512vnni" || isa == "avx512vbmi" ? 32 : 16;
}

/// Whether there are sums of products whose accumulators are plain integers.
static bool hasPlainSums(mlir::ModuleOp module) {
  return module
      .walk([](mlir::Operation *op) {
        auto sums = mlir::dyn_cast<AccumulatingOpInterface>(op);
        bool isPlain = sums && sums.isAccumulating() &&
                       sums.getAccumulatorType().isIntOrFloat();
        return isPlain || mlir::isa<mlir::tosa::TransposeConv2DOp>(op)
                   ? mlir::WalkResult::interrupt()
                   : mlir::WalkResult::advance();
      })
      .wasInterrupted();
}

mlir::LogicalResult a2q::convertPlainSums(mlir::ModuleOp module) {
  if (!hasPlainSums(module))
    return mlir::success();
  mlir::PassManager pm(module.getContext());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(createConvertTosaToA2Q());
  pm.addPass(createConvertLinalgToA2Q());
  pm.addPass(mlir::createCanonicalizerPass());
  return pm.run(module);
}

mlir::LogicalResult a2q::chooseAccumulators(mlir::ModuleOp module,
                                            const AccumulatorChoice &choice,
                                            const CpuTarget &target) {
  if (choice.kind != AccumulatorChoice::Given &&
      failed(convertPlainSums(module)))
    return mlir::failure();
  mlir::PassManager choose(module.getContext());
  if (const std::optional<ConstraintSpec> &constraint = choice.constraint) {
    A2QConstrainWeightsOptions options;
    options.width = constraint->width;
    options.tile = constraint->tile;
    options.method = constraint->method;
    options.bound = constraint->bound;
    options.overridesFile = choice.overridesFile;
    choose.addPass(createA2QConstrainWeights(options));
  }
  std::optional<unsigned> inner = getInnerWidth(choice, target);
  if (inner) {
    A2QStageAccumulatorsOptions options;
    options.inner = *inner;
    choose.addPass(createA2QStageAccumulators(options));
  }
  if (failed(choose.run(module)))
    return mlir::failure();
  if (inner == 32 && failed(useFullWidth(module)))
    return mlir::failure();
  if (choice.kind == AccumulatorChoice::Given)
    return mlir::success();
  // Nothing before this is trusted.
  return verifyAccumulators(module);
}

//===----------------------------------------------------------------------===//
// Lowering
//===----------------------------------------------------------------------===//

mlir::LogicalResult a2q::lowerNetwork(mlir::ModuleOp module,
                                      const LoweringChoice &choice,
                                      const CpuTarget &target) {
  mlir::PassManager pm(module.getContext());
  ToLLVMOptions options;
  options.targetCpu = choice.targetCpu;
  options.isa = choice.isa.empty() ? target.bestIsa().str() : choice.isa;
  options.checkAccumulators = choice.checkAccumulators;
  options.planes = choice.planes;
  options.lookUps = choice.lookUps;
  options.lanes = choice.lanes;
  options.prefix = choice.prefix;
  options.threads = choice.threads;
  buildToLLVMPipeline(pm, options);
  return pm.run(module);
}
