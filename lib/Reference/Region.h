//===- Region.h - Evaluation of structured bodies ---------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a loop nest repeats millions of times, looked up once.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_REFERENCE_REGION_H
#define A2Q_LIB_REFERENCE_REGION_H

#include "Scalars.h"
#include "a2q/Reference/Evaluate.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Block.h"

namespace a2q::reference {

/// A block of scalar ops. Its values have places in a row of scalars: arguments
/// first, then what is known before the first element, then results.
class ScalarBlock {
public:
  /// Gives the value of a constant in the block or of anything outside of it.
  using Lookup = llvm::function_ref<mlir::FailureOr<Scalar>(mlir::Value)>;

  /// Gives a tensor from outside of the block, that elements are extracted of;
  /// it outlives the result. Null when there is none.
  using Tables = llvm::function_ref<const ReferenceTensor *(mlir::Value)>;

  static mlir::FailureOr<ScalarBlock> prepare(mlir::Block &block, Lookup lookup,
                                              Tables tables);

  /// The terminator's operands for these arguments, at `index` of the loops;
  /// valid until the next call.
  mlir::FailureOr<llvm::ArrayRef<Scalar>>
  evaluate(llvm::ArrayRef<Scalar> arguments, llvm::ArrayRef<int64_t> index);

private:
  struct Step {
    mlir::Operation *op;
    llvm::SmallVector<unsigned, 3> operands;
    unsigned result;
    /// What a tensor.extract reads; its indices are the operands.
    const ReferenceTensor *table = nullptr;
  };
  std::vector<Scalar> places;
  std::vector<Step> steps;
  std::vector<unsigned> yielded;
  std::vector<Scalar> results;
};

/// Row-major position in a tensor of `shape` of the element that `map` reads at
/// an index of the loops.
class ElementMap {
public:
  ElementMap(mlir::AffineMap map, llvm::ArrayRef<int64_t> shape);
  int64_t operator()(llvm::ArrayRef<int64_t> index) const;

private:
  int64_t compose(llvm::ArrayRef<int64_t> index) const;

  mlir::AffineMap map;
  llvm::SmallVector<int64_t> shape;
  /// Without division or remainder a position is `origin + <strides, index>`.
  bool isLinear;
  int64_t origin = 0;
  llvm::SmallVector<int64_t> strides;
};

} // namespace a2q::reference

#endif // A2Q_LIB_REFERENCE_REGION_H
