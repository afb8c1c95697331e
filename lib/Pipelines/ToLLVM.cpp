//===- ToLLVM.cpp - From quantized tensors to the LLVM dialect --*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Pipelines/ToLLVM.h"

#include "a2q/Conversion/Passes.h"
#include "a2q/Execution/Target.h"
#include "a2q/Pipelines/LowerTosa.h"
#include "a2q/Transforms/CpuCheck.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace {

/// Fails with a message: what is wrong with a pipeline's options is known when
/// it is built, but only a pass can say so.
struct Refuse : PassWrapper<Refuse, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Refuse)
  explicit Refuse(std::string message) : message(std::move(message)) {}
  void runOnOperation() override {
    emitError(UnknownLoc::get(&getContext())) << message;
    signalPassFailure();
  }
  std::string message;
};

/// What a loop carries for LLVM reaches its branch under the name that any op
/// may have; only the branch's own attribute is translated.
struct TakeLoopAnnotations
    : PassWrapper<TakeLoopAnnotations, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TakeLoopAnnotations)
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      auto annotation = dyn_cast_or_null<LLVM::LoopAnnotationAttr>(
          op->removeDiscardableAttr("llvm.loop_annotation"));
      if (!annotation)
        return;
      if (auto branch = dyn_cast<LLVM::BrOp>(op))
        branch.setLoopAnnotationAttr(annotation);
      else if (auto branch = dyn_cast<LLVM::CondBrOp>(op))
        branch.setLoopAnnotationAttr(annotation);
    });
  }
};

/// A parallel region has one loop and ends with it: threads need to wait for
/// each other once, not twice.
struct JoinOnce : PassWrapper<JoinOnce, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(JoinOnce)
  void runOnOperation() override {
    getOperation().walk([](omp::ParallelOp parallel) {
      for (auto loop : parallel.getOps<omp::WsloopOp>())
        loop.setNowait(true);
    });
  }
};

} // namespace

static void cleanUp(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

/// Tensors of plain integers and floats become buffers: arguments, results,
/// constants and one workspace.
static void bufferize(OpPassManager &pm, unsigned threads) {
  pm.addPass(a2q::createA2QSeparateResults());
  // A buffer that is the destination of its only reader needs no copy.
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions options;
  options.bufferizeFunctionBoundaries = true;
  // C arrays have no strides.
  options.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  options.unknownTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(options));
  cleanUp(pm);
  bufferization::BufferResultsToOutParamsPassOptions outParams;
  outParams.hoistStaticAllocs = true;
  outParams.modifyPublicFunctions = true;
  pm.addPass(bufferization::createBufferResultsToOutParamsPass(outParams));
  a2q::A2QShareLoopsOptions sharing;
  sharing.threads = threads;
  pm.addNestedPass<func::FuncOp>(a2q::createA2QShareLoops(sharing));
  pm.addPass(a2q::createA2QPlanWorkspace());
}

static void lowerToLLVM(OpPassManager &pm, StringRef isa, unsigned threads) {
  a2q::A2QVectorizeReductionsOptions reductions;
  // Two vectors for each of the four rows of a tile: the registers suffice.
  reductions.lanes = isa.starts_with("avx512") ? 32 : 16;
  pm.addNestedPass<func::FuncOp>(a2q::createA2QVectorizeReductions(reductions));
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(memref::createFoldMemRefAliasOpsPass());
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass());
  // Subviews and collapsed shapes become arithmetic on offsets.
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  cleanUp(pm);
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  if (threads > 1) {
    ConvertSCFToOpenMPPassOptions openMP;
    openMP.numThreads = threads;
    pm.addPass(createConvertSCFToOpenMPPass(openMP));
    cleanUp(pm);
    pm.addPass(std::make_unique<JoinOnce>());
  }
  pm.addPass(createSCFToControlFlowPass());
  pm.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass());

  ConvertVectorToLLVMPassOptions vectors;
  vectors.x86Vector = true;
  pm.addPass(createConvertVectorToLLVMPass(vectors));
  pm.addNestedPass<func::FuncOp>(a2q::createA2QApproximateMath());
  pm.addNestedPass<func::FuncOp>(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions functions;
  functions.useBarePtrCallConv = true;
  pm.addPass(createConvertFuncToLLVMPass(functions));
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  if (threads > 1)
    pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  cleanUp(pm);
  pm.addPass(std::make_unique<TakeLoopAnnotations>());
}

void a2q::buildToLLVMPipeline(OpPassManager &pm, const ToLLVMOptions &options) {
  llvm::Expected<CpuTarget> target = CpuTarget::get(options.targetCpu);
  if (!target) {
    pm.addPass(std::make_unique<Refuse>(llvm::toString(target.takeError())));
    return;
  }
  std::string isa =
      options.isa.empty() ? target->bestIsa().str() : options.isa.getValue();

  // Kernels keep sums in registers of the types' widths: no type is trusted but
  // by programs that check it while they run.
  if (!options.checkAccumulators)
    pm.addPass(createA2QVerifyAccumulators());
  pm.addPass(createA2QPrepareEntry());

  ConvertA2QToVectorOptions kernels;
  kernels.isa = isa;
  kernels.check = options.checkAccumulators;
  kernels.planes = options.planes;
  kernels.lookUps = options.lookUps;
  kernels.lanes = options.lanes;
  pm.addPass(createConvertA2QToVector(kernels));
  // Instructions that saturate are licensed by a proof that is made twice.
  pm.addPass(createA2QVerifyMacs());
  if (isa != "portable") {
    ConvertA2QMacToX86Options instructions;
    instructions.isa = isa;
    pm.addPass(createConvertA2QMacToX86(instructions));
  }
  pm.addPass(createConvertA2QMacToArith());
  pm.addPass(createConvertA2QToLinalg());
  buildLowerTosaPipeline(pm);
  // Buffers are planned for the entry as a whole. Only now is every op of a
  // dialect that the inliner may touch.
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
  cleanUp(pm);
  // Elementwise arithmetic becomes loops that are fused, so that no tensor of
  // truth values reaches memory.
  pm.addPass(createConvertElementwiseToLinalgPass());
  pm.addPass(createLinalgElementwiseOpFusionPass());
  cleanUp(pm);
  // What follows silently makes invalid buffers of anything abstract.
  pm.addPass(createA2QVerifyLowered());

  bufferize(pm, options.threads);
  lowerToLLVM(pm, isa, options.threads);

  A2QEmitCEntryOptions entry;
  entry.prefix = options.prefix;
  if (target->getTriple().isX86())
    for (StringRef feature : target->filterFeatures(cpuidFeatures()))
      entry.features.push_back(feature.str());
  pm.addPass(createA2QEmitCEntry(entry));
}

void a2q::registerToLLVMPipeline() {
  PassPipelineRegistration<ToLLVMOptions>(
      "a2q-to-llvm-pipeline",
      "Lower quantized tensors to the LLVM dialect, ready for an object file",
      buildToLLVMPipeline);
}
