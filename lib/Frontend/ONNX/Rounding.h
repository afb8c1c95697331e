//===- Rounding.h - Real numbers to integers ------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What quantizers have in common that are not QuantizeLinear: QONNX' rounding
// modes, of constants and as operations without functions of a library.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_ROUNDING_H
#define A2Q_LIB_FRONTEND_ONNX_ROUNDING_H

#include "Importer.h"

namespace a2q::frontend {

/// Of Quant nodes; `Sign` is +1 from 0 on, else -1.
enum class QuantRounding {
  HalfEven,
  Ceil,
  Floor,
  Up,
  Down,
  HalfUp,
  HalfDown,
  Sign
};

/// QONNX's names, in any case. Its half_up and half_down go away from zero and
/// toward zero.
mlir::FailureOr<QuantRounding> roundingMode(const Node &node,
                                            llvm::StringRef otherwise);

/// In float32, as numpy computes it.
float rounded(float y, QuantRounding mode);

/// A constant.
mlir::Value realNumber(mlir::ImplicitLocOpBuilder &b, float value);

/// To the nearest integer, ties to even, of less than 2^22.
mlir::Value nearestInteger(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

/// An i32 from a float32 of at most 22 bits.
mlir::Value roundedInteger(mlir::ImplicitLocOpBuilder &b, mlir::Value y,
                           QuantRounding mode);

/// NaN becomes `lo`.
mlir::Value clampReal(mlir::ImplicitLocOpBuilder &b, mlir::Value y,
                      Range range);

/// Changes no code: it shows the range to those who look at the integers.
mlir::Value clampCode(mlir::ImplicitLocOpBuilder &b, mlir::Value code,
                      const CodeFormat &format);

/// The smallest type that holds the range.
ElementType smallestType(Range range);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_ROUNDING_H
