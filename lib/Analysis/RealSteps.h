//===- RealSteps.h - Real arithmetic in any dialect -------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same formula is a chain of tosa ops in one module, of arith and math ops
// on tensors in another, of structured ops with such bodies in a third. Here it
// is read one step at a time, whatever spells it, so that a formula is matched
// once. Values are followed through structured ops whose indices line up with
// those of their operands, and through reshapes that add or drop dimensions of
// size 1.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_ANALYSIS_REALSTEPS_H
#define A2Q_LIB_ANALYSIS_REALSTEPS_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <vector>

namespace a2q {

enum class RealOp {
  Other,
  Add,
  Subtract,
  Multiply,
  Divide,
  SquareRoot,
  InverseRoot,
  Reciprocal,
  Exponential,
  Power,
  /// Of two; NaN where one is.
  Larger,
  Smaller,
  /// Along `axes`, from 0.
  Sum,
  /// Along `axes`, from something below every finite number.
  Maximum
};

/// One operation on elements at corresponding indices, or a reduction of them.
struct RealStep {
  RealOp kind = RealOp::Other;
  /// Tensors, or scalars in the body of a structured op.
  llvm::SmallVector<mlir::Value, 2> operands;
  /// Of a reduction.
  llvm::SmallVector<int64_t, 2> axes = {};
  /// Of a reduction: how many elements there are along each dimension, dynamic
  /// ones as in types.
  llvm::SmallVector<int64_t, 4> extents = {};
};

/// The op that computes the value, after `resolve`.
RealStep readStep(mlir::Value value);

/// The value without what only names it anew: the argument of a structured op's
/// body is the operand, its result what the body yields. Appends each tensor
/// that the value is on the way to `path`, the first one included.
mlir::Value resolve(mlir::Value value,
                    llvm::SmallVectorImpl<mlir::Value> *path = nullptr);

/// Whether the op is structured and computes each element of its results from
/// elements at one index.
bool isElementwise(mlir::Operation *op);

/// The operand of a structured op that the argument of its body stands for, if
/// element i of it meets index i of the loops, or element 0 all of them; else
/// the value itself, null for other arguments.
mlir::Value alignedOperand(mlir::Value value);

/// The operand of a structured op that the argument of its body stands for,
/// whatever elements meet; null for other arguments.
mlir::Value readOperand(mlir::Value value);

/// The one number that all elements are; nullopt when it is not constant or not
/// finite.
std::optional<double> constantScalar(mlir::Value value);

/// The elements of a constant that varies along `axis` of the loops (or of the
/// tensor) at most: one, or `length`. nullopt when they are not finite or vary
/// otherwise.
std::optional<std::vector<double>> constantAlong(mlir::Value value,
                                                 int64_t axis, int64_t length);

/// Whether both are the same value or the same operation on the same operands.
bool isSameValue(mlir::Value a, mlir::Value b,
                 llvm::SmallVectorImpl<mlir::Value> *path = nullptr);

/// Whether the shapes differ by dimensions of size 1 only.
bool addsUnitsOnly(mlir::Type from, mlir::Type to);

} // namespace a2q

#endif // A2Q_LIB_ANALYSIS_REALSTEPS_H
