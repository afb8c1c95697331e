//===- ReferenceRun.h - A network on arrays, evaluated slowly ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_REFERENCERUN_H
#define A2Q_TOOLS_REFERENCERUN_H

#include "a2q/Execution/Signature.h"
#include "a2q/Reference/Emulation.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace a2q {

/// Evaluates the entry of the module, as it is before lowering, with the
/// reference of a2q/Reference/Evaluate.h: exact sums whatever the accumulator
/// types say, or what an emulated accumulator holds. Buffers are those of
/// `signature`, as a compiled program takes them. The cause of an error is
/// emitted as a diagnostic as well.
llvm::Error runReference(mlir::ModuleOp module, const Signature &signature,
                         llvm::ArrayRef<const void *> inputs,
                         llvm::ArrayRef<void *> outputs,
                         std::optional<Emulation> emulation = std::nullopt);

} // namespace a2q

#endif // A2Q_TOOLS_REFERENCERUN_H
