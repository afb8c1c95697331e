//===- LowerTosa.h - From TOSA to linalg ------------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PIPELINES_LOWERTOSA_H
#define A2Q_PIPELINES_LOWERTOSA_H

#include "mlir/Pass/PassManager.h"

namespace a2q {

/// Lowers the TOSA operations of a module to linalg, tensor and arith, and
/// leaves everything else as it is. Weights of convolutions are transposed to
/// [H, W, C, F]. An operation that is not lowered is an error.
void buildLowerTosaPipeline(mlir::OpPassManager &pm);

/// Registers `a2q-lower-tosa-pipeline`.
void registerLowerTosaPipeline();

} // namespace a2q

#endif // A2Q_PIPELINES_LOWERTOSA_H
