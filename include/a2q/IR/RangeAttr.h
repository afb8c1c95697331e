//===- RangeAttr.h - Ranges as attributes ---------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_RANGEATTR_H
#define A2Q_IR_RANGEATTR_H

#include "a2q/Math/Interval.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Types.h"
#include "llvm/ADT/SmallVector.h"

namespace a2q {

/// The integers that the elements of a tensor (codes of a quantized tensor,
/// plain integers otherwise) can take: one range for all, or one per index
/// along `axis`.
struct ElementRanges {
  llvm::SmallVector<Range, 1> ranges;
  int64_t axis = -1;

  bool operator==(const ElementRanges &) const = default;
  bool isUniform() const { return ranges.size() == 1; }
  /// The range of the elements with this index along `axis`.
  Range at(int64_t index) const {
    return isUniform() ? ranges.front() : ranges[index];
  }
  /// The smallest range that holds all elements.
  Range joined() const;
};

// The attribute `a2q.range` says which integers a value can take:
//
//   a2q.range = [lo, hi]                            all elements
//   a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 7, 15>}
//                                                   per index along an axis
//
// On a function's argument it is trusted. On an op it is what the pass
// a2q-infer-ranges found out, and no analysis reads it.

/// The attribute of a value with these ranges.
mlir::Attribute rangeAttr(mlir::MLIRContext *context,
                          const ElementRanges &ranges);

/// Reads `a2q.range` of a value of this type. Fails, with one diagnostic, when
/// the attribute is malformed, a range is empty, the type's elements are no
/// integers of at most 64 bits, or a range does not fit them.
mlir::FailureOr<ElementRanges>
parseRangeAttr(mlir::Attribute attr, mlir::Type type,
               llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace a2q

#endif // A2Q_IR_RANGEATTR_H
