//===- CompileOptions.cpp - What the tools do with a network ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/CompileOptions.h"

#include "a2q/Pipelines/ToLLVM.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/WithColor.h"

using namespace a2q;

llvm::Expected<CpuTarget> CompileOptions::getTarget() const {
  return CpuTarget::get(targetCpu);
}

mlir::LogicalResult CompileOptions::lower(mlir::ModuleOp module,
                                          llvm::StringRef prefix) const {
  mlir::PassManager pm(module.getContext());
  ToLLVMOptions options;
  options.targetCpu = targetCpu.getValue();
  options.prefix = prefix.str();
  buildToLLVMPipeline(pm, options);
  return pm.run(module);
}

int a2q::reportError(llvm::Error error) {
  llvm::handleAllErrors(std::move(error), [](const llvm::ErrorInfoBase &info) {
    llvm::WithColor::error(llvm::errs()) << info.message() << '\n';
  });
  return 1;
}
