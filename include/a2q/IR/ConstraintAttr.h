//===- ConstraintAttr.h - What a layer's weights are to meet ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One constraint for all layers comes from the options of a pass or a tool; a
// layer can have its own, as the attribute `a2q.constrain` or in a file. Both
// are a dictionary of the same keys, any subset of them:
//
//   {width = 12, tile = 144, method = "optq", bound = "centred"}   or   {skip}
//
// What a layer's dictionary leaves out is as for all layers; where nothing is
// asked of all of them, as in a2q-quantize without --constrain, it needs a
// width.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_CONSTRAINTATTR_H
#define A2Q_IR_CONSTRAINTATTR_H

#include "a2q/Math/Bounds.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

namespace a2q {

struct ConstraintMethod;

/// What the weights of a layer are to meet.
struct ConstraintSpec {
  using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

  /// The layer stays as it is.
  bool skip = false;
  /// Bits of the accumulator that takes products.
  unsigned width = 16;
  /// Products that it takes before it is widened; 0, or K and more: all of
  /// them. The last tile of a layer may be shorter.
  int64_t tile = 0;
  /// A name of the table in Math/Constraining.h.
  std::string method = "optimal";
  /// A bound of the method; empty for its first.
  std::string bound = {};

  /// The keys of a dictionary, sorted.
  static llvm::ArrayRef<llvm::StringRef> keys();

  /// Takes over the entries of a dictionary. A method without a bound beside it
  /// takes the bound back to the method's first. Nothing is taken when an entry
  /// is unknown or has a value that it cannot have; that is an error.
  mlir::LogicalResult override(mlir::DictionaryAttr entries,
                               EmitError emitError);

  /// An error where the method does not exist, lacks the bound, or numbers are
  /// out of range.
  mlir::LogicalResult verify(EmitError emitError) const;

  /// The method and the bound of a constraint that `verify` accepts.
  const ConstraintMethod &getMethod() const;
  Bound getBound() const;
};

/// Rule C6 of the dialect, for the attribute `a2q.constrain` of `op`.
mlir::LogicalResult verifyConstraintOf(mlir::Operation *op,
                                       mlir::Attribute attr);

} // namespace a2q

#endif // A2Q_IR_CONSTRAINTATTR_H
