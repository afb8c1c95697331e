//===- ObjectFile.cpp - Machine code of a lowered module --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/ObjectFile.h"

#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

Expected<std::unique_ptr<MemoryBuffer>>
a2q::compileToObject(mlir::ModuleOp module, const CpuTarget &target,
                     CodeEffort effort) {
  mlir::DialectRegistry registry;
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerOpenMPDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);

  LLVMContext context;
  std::unique_ptr<llvm::Module> ir =
      mlir::translateModuleToLLVMIR(module, context);
  if (!ir)
    return createStringError("the lowered module has no LLVM IR");
  bool quick = effort == CodeEffort::Quick;
  std::unique_ptr<TargetMachine> machine = target.createTargetMachine(
      quick ? CodeGenOptLevel::Less : CodeGenOptLevel::Aggressive);
  ir->setTargetTriple(target.getTriple());
  ir->setDataLayout(machine->createDataLayout());
  for (Function &function : *ir)
    // Functions of the C entry may be for every processor.
    if (!function.isDeclaration() && !function.hasFnAttribute("target-cpu")) {
      function.addFnAttr("target-cpu", target.getCpu());
      function.addFnAttr("target-features", target.getFeatures());
    }
  if (Error error = mlir::makeOptimizingTransformer(quick ? 1 : 3, 0,
                                                    machine.get())(ir.get()))
    return std::move(error);

  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   CodeGenFileType::ObjectFile))
    return createStringError("the target emits no object files");
  passes.run(*ir);
  return std::make_unique<SmallVectorMemoryBuffer>(
      std::move(bytes), /*RequiresNullTerminator=*/false);
}
