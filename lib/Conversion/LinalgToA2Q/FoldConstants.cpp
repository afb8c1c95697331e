//===- FoldConstants.cpp - Constants that structured ops move -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FoldConstants.h"

#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace a2q;

/// Elements of a row-major tensor with its dimensions in another order.
static SmallVector<int64_t> permute(ArrayRef<int64_t> elements,
                                    ArrayRef<int64_t> shape,
                                    ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;)
    strides[dim - 1] = strides[dim] * shape[dim];
  SmallVector<int64_t> positions{0};
  for (int64_t dim : permutation) {
    SmallVector<int64_t> outer = std::move(positions);
    positions.clear();
    for (int64_t position : outer)
      for (int64_t i = 0; i < shape[dim]; ++i)
        positions.push_back(position + i * strides[dim]);
  }
  return llvm::map_to_vector(
      positions, [&](int64_t position) { return elements[position]; });
}

static void replaceByConstant(RewriterBase &rewriter, Operation *op,
                              ArrayRef<int64_t> elements) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<APInt> values;
  values.reserve(elements.size());
  for (int64_t element : elements)
    values.emplace_back(type.getElementTypeBitWidth(), element,
                        /*isSigned=*/true, /*implicitTrunc=*/true);
  rewriter.setInsertionPoint(op);
  rewriter.replaceOpWithNewOp<arith::ConstantOp>(
      op, DenseElementsAttr::get(type, values));
}

static bool isIntegerTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isSignlessInteger() &&
         type.getElementTypeBitWidth() <= 64 && type.hasStaticShape();
}

static void foldTranspose(RewriterBase &rewriter, linalg::TransposeOp op) {
  if (op->getNumResults() != 1 || !isIntegerTensor(op.getInput()))
    return;
  FailureOr<SmallVector<int64_t>> elements = constantCodes(op.getInput());
  if (failed(elements))
    return;
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(op.getInput().getType()).getShape();
  replaceByConstant(rewriter, op,
                    permute(*elements, shape, op.getPermutation()));
}

static void foldExtension(RewriterBase &rewriter, linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }) ||
      !llvm::hasNItems(*op.getBody(), 2))
    return;
  Value input = op.getDpsInputOperand(0)->get();
  Operation &extension = op.getBody()->front();
  if (!isa<arith::ExtSIOp, arith::ExtUIOp>(extension) ||
      extension.getOperand(0) != op.getBody()->getArgument(0) ||
      op.getBody()->getTerminator()->getOperand(0) != extension.getResult(0) ||
      !isIntegerTensor(input) || !isIntegerTensor(op.getResult(0)))
    return;
  FailureOr<SmallVector<int64_t>> elements =
      constantCodes(input, /*plainSigned=*/isa<arith::ExtSIOp>(extension));
  if (succeeded(elements))
    replaceByConstant(rewriter, op, *elements);
}

void a2q::foldMovedConstants(Operation *root) {
  IRRewriter rewriter(root->getContext());
  root->walk([&](linalg::LinalgOp op) {
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op.getOperation()))
      foldTranspose(rewriter, transpose);
    else if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation()))
      foldExtension(rewriter, generic);
  });
}
