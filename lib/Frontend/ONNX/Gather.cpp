//===- Gather.cpp - Indices of an axis, in any order ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// Constant indices along one axis: slices of consecutive indices side by side,
/// through which ranges per channel are known.
LogicalResult Importer::gatherConstantIndices(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  auto constant = constantInput(node, 1, "indices");
  if (failed(found) || failed(constant))
    return failure();
  const Tensor &indices = **constant;
  if (indices.isFloat() || indices.shape.size() != 1 || indices.ints.empty())
    return node.emitInputError(1) << "has type " << toString(indices.type)
                                  << " and shape " << shapeText(indices.shape)
                                  << "; supported are integers in a vector";
  Known *input =
      (*found)->kind == Known::Accumulated ? emitReal(**found) : *found;
  SmallVector<int64_t> shape(input->shape);
  auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = node.integer("axis", 0);
  if (axis < -rank || axis >= rank)
    return node.emitError()
           << "axis " << axis << " is outside a shape of rank " << rank;
  axis = axis < 0 ? axis + rank : axis;
  int64_t size = shape[axis];
  shape[axis] = indices.size();
  if (failed(checkSize(node, shape)))
    return failure();
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  Value source = storage(get(*input, layout));
  int64_t dim = dimensionIn(layout, axis, rank);
  SmallVector<int64_t> start(rank, 0),
      part(cast<RankedTensorType>(source.getType()).getShape());
  SmallVector<Value> parts;
  for (size_t at = 0; at < indices.ints.size();) {
    int64_t first = indices.ints[at];
    if (first < -size || first >= size)
      return node.emitInputError(1)
             << "holds index " << first << ", outside a dimension of " << size;
    size_t end = at + 1;
    while (end < indices.ints.size() &&
           indices.ints[end] == first + static_cast<int64_t>(end - at) &&
           indices.ints[end] != 0 && indices.ints[end] < size)
      ++end;
    start[dim] = first < 0 ? first + size : first;
    part[dim] = static_cast<int64_t>(end - at);
    parts.push_back(sliced(source, start, part));
    at = end;
  }
  Known result = *input;
  result.shape = shape;
  result.real = nullptr;
  result.layouts = Layouts();
  auto type = RankedTensorType::get(
      physicalShape(shape, layout),
      cast<RankedTensorType>(source.getType()).getElementType());
  Value value =
      parts.size() == 1
          ? parts.front()
          : tosa::ConcatOp::create(b, type, parts, b.getI32IntegerAttr(dim));
  set(result.layouts, layout, value);
  define(node, std::move(result));
  return success();
}
