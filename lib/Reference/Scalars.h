//===- Scalars.h - Evaluation of scalar ops ---------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_REFERENCE_SCALARS_H
#define A2Q_LIB_REFERENCE_SCALARS_H

#include "a2q/Math/Interval.h"
#include "mlir/IR/Operation.h"

namespace a2q::reference {

/// One element: the field that its type asks for is meaningful.
struct Scalar {
  Wide integer = 0;
  float real = 0;
};

/// The signed value of the low `bits` bits.
Wide wrapSigned(Wide value, unsigned bits);
/// The unsigned value of the low `bits` bits.
Wide wrapUnsigned(Wide value, unsigned bits);

/// Bits of an integer or index type.
unsigned integerBits(mlir::Type type);

/// Evaluates one arith or math op with scalar semantics (on tensors: for one
/// element). Emits an error on ops that it does not know and on poison.
mlir::FailureOr<Scalar> evaluateScalar(mlir::Operation *op,
                                       llvm::ArrayRef<Scalar> operands);

} // namespace a2q::reference

#endif // A2Q_LIB_REFERENCE_SCALARS_H
