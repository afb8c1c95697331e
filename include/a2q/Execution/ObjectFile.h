//===- ObjectFile.h - Machine code of a lowered module ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_EXECUTION_OBJECTFILE_H
#define A2Q_EXECUTION_OBJECTFILE_H

#include "a2q/Execution/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MemoryBuffer.h"

namespace a2q {

/// How long to optimize. Quick is -O1 and a third of the time, for programs
/// that run once; kernels are vector code already and lose little.
enum class CodeEffort { Quick, Full };

/// Translates a module in the LLVM dialect to LLVM IR, optimizes it (-O3 with
/// full effort) and returns a relocatable object file. Running in this process
/// and compiling to a file share this function.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
compileToObject(mlir::ModuleOp module, const CpuTarget &target,
                CodeEffort effort = CodeEffort::Full);

} // namespace a2q

#endif // A2Q_EXECUTION_OBJECTFILE_H
