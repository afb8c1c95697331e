//===- MonotoneOps.h - Ops on reals that work on codes alike ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantization is a monotone function of each element. So it changes places
// with whatever moves elements or picks one of them (reshape, transpose,
// padding with a constant, maximum over a window): quantize(f(x)) is
// f(quantize(x)), code by code, where x holds no NaN. And a clamp of reals
// before it is a clamp of codes after it, that is, a narrower type: fewer codes
// to reckon with in the proof of the next layer, and no work at all.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_MONOTONEOPS_H
#define A2Q_LIB_TRANSFORMS_MONOTONEOPS_H

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"

namespace a2q {

/// The type of codes of operand 0 (of all operands of a concatenation) from
/// which the op's result as codes of `type` follows: `type` or a narrower one.
/// Null where the op cannot be moved to codes: it is another kind of op, its
/// shapes are dynamic, a minimum is one of some codes, or a clamp leaves a
/// single code or none that stands for 0.
mlir::quant::UniformQuantizedType
codesBefore(mlir::Operation *op, mlir::quant::UniformQuantizedType type);

/// The op on codes of the type that `codesBefore` gave.
mlir::Value applyToCodes(mlir::OpBuilder &builder, mlir::Operation *op,
                         mlir::ValueRange codes);

/// The same elements, row-major, in another static shape.
mlir::Value reshape(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value value, llvm::ArrayRef<int64_t> shape);
/// The same for a tensor of codes.
mlir::Value reshapeCodes(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value codes, llvm::ArrayRef<int64_t> shape);

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_MONOTONEOPS_H
