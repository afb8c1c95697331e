//===- QuantTypes.h - Upstream's quantized types, as this project reads them -*-
// C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Helpers over `!quant.uniform`: the range of its codes, its scales and zero
// points, whatever its granularity, and the constants behind a quantized value.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_QUANTTYPES_H
#define A2Q_IR_QUANTTYPES_H

#include "a2q/Math/Interval.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace a2q {

/// The quantized element type of a tensor, or null.
mlir::quant::QuantizedType getQuantizedType(mlir::Type type);

/// The codes that the type can hold: storage minimum to storage maximum.
Range codeRange(mlir::quant::QuantizedType type);

/// Scales and zero points; per-tensor types have one of each.
llvm::SmallVector<double> scales(mlir::quant::QuantizedType type);
llvm::SmallVector<int64_t> zeroPoints(mlir::quant::QuantizedType type);

/// The zero point of a per-tensor type.
int64_t zeroPoint(mlir::quant::QuantizedType type);

/// Whether `integerElements` can read the constant: integers of at most 64
/// bits, dense or a resource that is present (and of whole bytes). Reads no
/// element.
bool hasIntegerElements(mlir::ElementsAttr elements);

/// The elements of a constant, dense or resource, as integers of at most 64
/// bits, row-major. Failure when they are no integers or the resource is
/// absent.
mlir::FailureOr<llvm::SmallVector<int64_t>>
integerElements(mlir::ElementsAttr elements, bool isSigned = true);

/// Codes of a constant quantized (or plain integer) tensor, row-major: a
/// constant behind `quant.scast`, sign- or zero-extended as the type says, or
/// as `plainSigned` says for plain integers. Failure when the value is not
/// constant.
mlir::FailureOr<llvm::SmallVector<int64_t>>
constantCodes(mlir::Value value, bool plainSigned = true);

/// Whether `constantCodes` succeeds. Reads no element.
bool hasConstantCodes(mlir::Value value);

/// The first code of a constant that is not in `range`, if there is one.
std::optional<int64_t> constantCodeOutside(mlir::Value value, Range range);

} // namespace a2q

#endif // A2Q_IR_QUANTTYPES_H
