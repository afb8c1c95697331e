//===- RealToCode.h - Arithmetic between reals and codes --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What quantize and requantize do to a real number, on scalars and on vectors
// alike. The scalar definition is a2q/Math/Requantization.h.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_REALTOCODE_H
#define A2Q_LIB_CONVERSION_REALTOCODE_H

#include "a2q/Math/Requantization.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace a2q {

/// `element`, or a vector of it of the shape of `value`.
mlir::Type like(mlir::Value value, mlir::Type element);

/// A constant of the shape of `value`.
mlir::Value splat(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                  mlir::TypedAttr attr);

/// A float of the type of `value`.
mlir::Value splatFloat(mlir::OpBuilder &b, mlir::Location loc,
                       mlir::Value value, double number);

/// `value` held to [lo, hi]; it is no NaN.
mlir::Value clampReal(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                      double lo, double hi);

/// round(value) as integers of this element type; |value| is at most 2^22 (f32)
/// or 2^51 (f64). It needs no instruction that rounds and calls no library.
mlir::Value roundToInteger(mlir::OpBuilder &b, mlir::Location loc,
                           mlir::Value value, mlir::Type integer,
                           Rounding rounding);

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_REALTOCODE_H
