//===- Entry.h - The function of a module that programs call ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_ENTRY_H
#define A2Q_TRANSFORMS_ENTRY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace a2q {

/// The single public function with a body, or failure with a diagnostic.
mlir::FailureOr<mlir::func::FuncOp> findEntry(mlir::ModuleOp module);

/// Attribute of a prepared entry: a dictionary with the number of `inputs` and,
/// after `a2q-plan-workspace`, that of `outputs`, the bytes of `workspace`, and
/// the `alignments` in bytes of inputs and outputs.
inline constexpr llvm::StringLiteral entryAttrName = "a2q.entry";

/// Alignment of the workspace and of every buffer in it, in bytes.
inline constexpr int64_t workspaceAlignment = 64;

/// The bytes of a tensor of this static shape, or nothing where an address
/// cannot tell them apart.
std::optional<int64_t> countBytes(llvm::ArrayRef<int64_t> shape,
                                  mlir::Type elementType);

/// What <prefix>_run returns.
enum class RunStatus {
  Success = 0,
  UnsupportedCpu = 1, ///< the processor lacks instructions of the code
  NullPointer = 2,    ///< an array, or a workspace that is needed
  Misaligned = 3,     ///< an array begins in the middle of an element
};

} // namespace a2q

#endif // A2Q_TRANSFORMS_ENTRY_H
