//===- Boundary.h - Arguments and results of modules from elsewhere *- C++ -*-//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_BOUNDARY_H
#define A2Q_TOOLS_BOUNDARY_H

#include "a2q/Frontend/ONNX/Import.h"
#include "mlir/IR/BuiltinOps.h"

namespace a2q {

/// Gives the public functions of a module arguments and results that programs
/// can exchange, in place:
///
/// - Integers of unsigned types become signless ones that `a2q.unsigned` marks.
/// - Variables of TOSA, which hold values from one call to the next, become one
///   more argument and one more result each, under their names: programs have
///   no state of their own. Only where the module has one public function that
///   reads and writes them outside of control flow.
/// - Sizes that a function of TOSA leaves open come from `shapes`, by the names
///   or the order of the arguments; a leading one that is not given is 1.
///
/// Sizes that stay open are left for whoever needs them. Fails with a
/// diagnostic.
mlir::LogicalResult adaptBoundary(mlir::ModuleOp module,
                                  llvm::ArrayRef<InputShape> shapes);

} // namespace a2q

#endif // A2Q_TOOLS_BOUNDARY_H
