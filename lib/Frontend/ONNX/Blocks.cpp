//===- Blocks.cpp - Constants with a scale for each block -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scales per block change within a sum, so codes of that kind are no weights of
// an accumulating layer: they are real numbers from here on. Models that have
// them keep their activations real as well.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// `shape` with ceil(size / block) along the axis.
static SmallVector<int64_t> blockShape(ArrayRef<int64_t> shape, int64_t axis,
                                       int64_t block) {
  SmallVector<int64_t> result(shape);
  result[axis] = llvm::divideCeil(shape[axis], block);
  return result;
}

/// A DequantizeLinear of constants with `block_size`.
LogicalResult Importer::dequantizeBlocks(const Node &node,
                                         const Tensor &codes) {
  auto rank = static_cast<int64_t>(codes.shape.size());
  int64_t block = node.integer("block_size", 0);
  int64_t axis = node.integer("axis", 1);
  if (axis < -rank || axis >= rank)
    return node.emitError()
           << "axis " << axis << " is outside a shape of rank " << rank;
  axis = axis < 0 ? axis + rank : axis;
  if (block < 1)
    return node.emitError() << "block_size " << block << " must be positive";
  SmallVector<int64_t> blocks = blockShape(codes.shape, axis, block);
  auto scale = constantInput(node, 1, "scale");
  if (failed(scale))
    return failure();
  if (!(*scale)->isFloat() || (*scale)->shape != blocks)
    return node.emitInputError(1)
           << "has type " << toString((*scale)->type) << " and shape "
           << shapeText((*scale)->shape) << ", blocks of " << block
           << " of a tensor of shape " << shapeText(codes.shape)
           << " have FLOAT scales of shape " << shapeText(blocks);
  for (auto [at, value] : llvm::enumerate((*scale)->floats))
    if (!std::isnormal(value) || value < 0)
      return node.emitInputError(1)
             << "has scale " << value << " at index " << at
             << ", scales are positive, normal and finite";
  std::shared_ptr<const Tensor> zero;
  if (node.hasInput(2)) {
    auto found = constantInput(node, 2, "zero point");
    if (failed(found))
      return failure();
    zero = *found;
    if (zero->type != codes.type || zero->shape != (*scale)->shape)
      return node.emitInputError(2)
             << "has type " << toString(zero->type) << " and shape "
             << shapeText(zero->shape) << ", expected " << toString(codes.type)
             << " and the shape of the scale, " << shapeText(blocks);
  }
  int64_t inner = 1;
  for (int64_t size : ArrayRef(codes.shape).drop_front(axis + 1))
    inner *= size;
  Tensor reals;
  reals.shape = codes.shape;
  reals.floats.reserve(codes.ints.size());
  for (auto [index, code] : llvm::enumerate(codes.ints)) {
    int64_t row = static_cast<int64_t>(index) / inner;
    int64_t outer = row / codes.shape[axis], along = row % codes.shape[axis];
    int64_t at = (outer * blocks[axis] + along / block) * inner +
                 static_cast<int64_t>(index) % inner;
    int64_t difference = code - (zero ? zero->ints[at] : 0);
    reals.floats.push_back(static_cast<float>(difference) *
                           (*scale)->floats[at]);
  }
  define(node, constantOf(std::move(reals)));
  return success();
}
