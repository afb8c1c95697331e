//===- FoldConstants.h - Constants that structured ops move -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_LINALGTOA2Q_FOLDCONSTANTS_H
#define A2Q_LIB_CONVERSION_LINALGTOA2Q_FOLDCONSTANTS_H

#include "mlir/IR/Operation.h"

namespace a2q {

/// Replaces integer constants that are transposed (`linalg.transpose`) or
/// extended (a `linalg.generic` of arith.extsi or extui alone) by constants.
/// Weights often arrive so.
void foldMovedConstants(mlir::Operation *root);

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_LINALGTOA2Q_FOLDCONSTANTS_H
