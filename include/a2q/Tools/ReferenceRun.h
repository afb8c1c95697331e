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
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace a2q {

/// The entry of a module as the reference of a2q/Reference/Evaluate.h takes it.
class ReferenceNetwork {
public:
  /// Takes the module as it is before lowering; later changes to it are not
  /// seen. The cause of an error is emitted as a diagnostic as well.
  static llvm::Expected<ReferenceNetwork> prepare(mlir::ModuleOp module);

  /// Evaluates it: exact sums whatever the accumulator types say, or what an
  /// emulated accumulator holds. Buffers are those of `signature`, as a
  /// compiled program takes them.
  llvm::Error run(const Signature &signature,
                  llvm::ArrayRef<const void *> inputs,
                  llvm::ArrayRef<void *> outputs,
                  std::optional<Emulation> emulation = std::nullopt);

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp entry;
};

} // namespace a2q

#endif // A2Q_TOOLS_REFERENCERUN_H
