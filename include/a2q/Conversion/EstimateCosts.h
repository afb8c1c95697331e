//===- EstimateCosts.h - What layers would cost -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CONVERSION_ESTIMATECOSTS_H
#define A2Q_CONVERSION_ESTIMATECOSTS_H

#include "a2q/Analysis/Report.h"
#include "mlir/IR/BuiltinOps.h"

namespace a2q {

/// Fills `costs` of the layers of a report that was made of this module: for
/// each kind of processor the kernel that the lowering would choose, with the
/// accumulators that the module has, and what its cost model says of it. A
/// layer of another dialect, or one whose sums nothing reads as kernels do, has
/// none.
void estimateCosts(mlir::ModuleOp module, Report &report);

} // namespace a2q

#endif // A2Q_CONVERSION_ESTIMATECOSTS_H
