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

namespace a2q {

/// The single public function with a body, or failure with a diagnostic.
mlir::FailureOr<mlir::func::FuncOp> findEntry(mlir::ModuleOp module);

/// Attribute of a prepared entry: a dictionary with the number of `inputs` and,
/// after `a2q-plan-workspace`, that of `outputs` and the bytes of `workspace`.
inline constexpr llvm::StringLiteral entryAttrName = "a2q.entry";

/// Alignment of the workspace and of every buffer in it, in bytes.
inline constexpr int64_t workspaceAlignment = 64;

} // namespace a2q

#endif // A2Q_TRANSFORMS_ENTRY_H
