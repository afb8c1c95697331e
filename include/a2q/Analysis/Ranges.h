//===- Ranges.h - Ranges of the integers in a module ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_RANGES_H
#define A2Q_ANALYSIS_RANGES_H

#include "a2q/Math/Interval.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include <memory>

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

/// Proven ranges of all integer values below `root`. They come from constants,
/// from types, from upstream's integer range inference, from the ops that this
/// project knows, and from `a2q.range` on function arguments, which is trusted.
class RangeAnalysis {
public:
  explicit RangeAnalysis(mlir::Operation *root);
  ~RangeAnalysis();

  /// nullopt: not integers, or nothing is known beyond 64 bits.
  std::optional<ElementRanges> lookup(mlir::Value value) const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace a2q

#endif // A2Q_ANALYSIS_RANGES_H
