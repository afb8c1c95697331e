//===- Fold.h - Arithmetic on constant tensors -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Networks compute the shapes that they reshape to. All sizes are known here,
// so these computations have constant operands and are done while importing.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_FOLD_H
#define A2Q_LIB_FRONTEND_ONNX_FOLD_H

#include "Graph.h"

namespace a2q::frontend {

/// Numpy's rule; nullopt when the shapes do not broadcast.
std::optional<llvm::SmallVector<int64_t>>
broadcastShapes(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

/// `tensor` repeated along its dimensions of size 1; `shape` is one that it
/// broadcasts to.
Tensor broadcastTo(const Tensor &tensor, llvm::ArrayRef<int64_t> shape);

/// The elements of `tensor` at `from(index)`, a position in its sequence, for
/// every index of `shape`.
Tensor rearranged(const Tensor &tensor, llvm::ArrayRef<int64_t> shape,
                  llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> from);

/// Elements from one sequence to the next along each dimension.
llvm::SmallVector<int64_t> stridesOf(llvm::ArrayRef<int64_t> shape);

/// What a Slice takes of each dimension: `count` elements, from `start` on in
/// steps that may be negative.
struct SliceRange {
  int64_t start = 0, count = 0, step = 1;
};

/// The axis that is an attribute of the node, from 0 to `rank` - 1.
mlir::FailureOr<int64_t> axisAttribute(const Node &node, int64_t otherwise,
                                       int64_t rank);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_FOLD_H
