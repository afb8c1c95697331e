//===- CpuCheck.h - Whether a processor can run the code --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_CPUCHECK_H
#define A2Q_TRANSFORMS_CPUCHECK_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringRef.h"

namespace a2q {

/// The LLVM features of x86-64 that add instructions for which a compiler has a
/// use and which the instruction `cpuid` tells of. What every x86-64 processor
/// has is not among them.
llvm::ArrayRef<llvm::StringRef> cpuidFeatures();

/// What code runs on that must run everywhere.
inline constexpr llvm::StringLiteral baselineCpu = "x86-64";

/// Emits, where the builder stands in a module, an internal function of code
/// for every x86-64 processor. It returns an i1: whether this one, and its
/// operating system, have all of `features`, each one of `cpuidFeatures`.
/// `cpuid` can take as long as a small network: keep the answer.
mlir::LLVM::LLVMFuncOp emitCpuCheck(mlir::OpBuilder &builder,
                                    mlir::Location loc, llvm::StringRef name,
                                    llvm::ArrayRef<llvm::StringRef> features);

} // namespace a2q

#endif // A2Q_TRANSFORMS_CPUCHECK_H
