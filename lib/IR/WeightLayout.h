//===- WeightLayout.h - Weights row by row, whatever their layout -*- C++ -*-=//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_IR_WEIGHTLAYOUT_H
#define A2Q_LIB_IR_WEIGHTLAYOUT_H

#include "mlir/IR/Value.h"

#include <optional>

namespace a2q {

/// The most products of one sum that external models list, as in the rules of
/// the a2q ops.
inline constexpr int64_t kMostTerms = int64_t(1) << 24;

/// The product of the sizes; nullopt if one is dynamic, or if the product is 0
/// or above `limit`.
std::optional<int64_t>
countPoints(llvm::ArrayRef<int64_t> sizes,
            int64_t limit = std::numeric_limits<int64_t>::max());

/// A nest of loops over a constant tensor: sizes, outermost first, and how far
/// one step of each moves in the tensor's row-major elements.
struct LoopNest {
  llvm::SmallVector<int64_t> sizes;
  llvm::SmallVector<int64_t> strides;

  void add(int64_t size, int64_t stride) {
    sizes.push_back(size);
    strides.push_back(stride);
  }
};

/// Row-major strides of a shape.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// `code - offset` of a constant for all channels times all terms. Failure when
/// the value is not constant, or too large to list.
mlir::FailureOr<llvm::SmallVector<int64_t>>
gatherWeights(mlir::Value constant, bool isUnsigned, int64_t offset,
              const LoopNest &channels, const LoopNest &terms);

/// Whether the value is an integer constant of zeros, or a `linalg.fill` of 0.
bool isKnownZero(mlir::Value value);

} // namespace a2q

#endif // A2Q_LIB_IR_WEIGHTLAYOUT_H
