//===- Gather.cpp - Elements that are looked up ---------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Emitter = ImplicitLocOpBuilder;

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// An argument of the function promises to hold only indices of that dimension,
/// which programs and tools check before they run.
static void promiseIndices(Value value, int64_t size) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return;
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  unsigned number = argument.getArgNumber();
  StringRef name = A2QDialect::getRangeAttrName();
  int64_t lo = -size, hi = size - 1;
  if (auto before = function.getArgAttrOfType<ArrayAttr>(number, name)) {
    lo = std::max(lo, cast<IntegerAttr>(before[0]).getInt());
    hi = std::min(hi, cast<IntegerAttr>(before[1]).getInt());
  }
  function.setArgAttr(number, name,
                      Builder(function.getContext()).getI64ArrayAttr({lo, hi}));
}

static Value indexConstant(Emitter &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

/// An index that may count from the end, within its dimension.
static Value indexWithin(Emitter &b, Value index, int64_t size) {
  index = arith::IndexCastOp::create(b, b.getIndexType(), index);
  Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index,
                                           indexConstant(b, 0));
  Value fromEnd = arith::AddIOp::create(b, index, indexConstant(b, size));
  index = arith::SelectOp::create(b, isNegative, fromEnd, index);
  index = arith::MaxSIOp::create(b, index, indexConstant(b, 0));
  return arith::MinSIOp::create(b, index, indexConstant(b, size - 1));
}

/// INT32 or INT64 in their layout, constants as well.
FailureOr<Known> Importer::indices(const Node &node, unsigned index) {
  FailureOr<Known> found = movable(node, index);
  if (failed(found))
    return failure();
  ElementType type = elementTypeOf(*found);
  if (type == ElementType::Int32 || type == ElementType::Int64)
    return found;
  node.emitInputError(index) << "holds elements of type " << toString(type)
                             << ", expected INT32 or INT64";
  return failure();
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

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

/// Negative indices count from the end. The standard forbids what is outside of
/// the dimension: inputs of the network that hold such indices are refused, and
/// those that are computed take the first or the last element.
LogicalResult Importer::importGather(const Node &node) {
  FailureOr<Known *> source = lookup(node, 0), places = lookup(node, 1);
  if (failed(source) || failed(places))
    return failure();
  bool hasVector = (*places)->kind == Known::Constant &&
                   !(*places)->constant->isFloat() &&
                   (*places)->shape.size() == 1 && !(*source)->isConstant();
  if (hasVector)
    return gatherConstantIndices(node);
  FailureOr<Known> data = movable(node, 0), indices = this->indices(node, 1);
  if (failed(data) || failed(indices))
    return failure();
  FailureOr<int64_t> found = axisAttribute(node, 0, data->shape.size());
  if (failed(found))
    return failure();
  size_t axis = *found, count = indices->shape.size();
  SmallVector<int64_t> shape(ArrayRef(data->shape).take_front(axis));
  llvm::append_range(shape, indices->shape);
  llvm::append_range(shape, ArrayRef(data->shape).drop_front(axis + 1));
  if (failed(checkSize(node, data->shape)) || failed(checkSize(node, shape)))
    return failure();
  int64_t size = data->shape[axis];
  Value from = storage(get(*data, Layout::Plain));
  Value where = storage(get(*indices, Layout::Plain));
  promiseIndices(where, size);
  Value value =
      indexed(shape, typeOf(from).getElementType(),
              [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
                Value index = tensor::ExtractOp::create(inner, where,
                                                        at.slice(axis, count));
                SmallVector<Value> place(at.take_front(axis));
                place.push_back(indexWithin(inner, index, size));
                llvm::append_range(place, at.drop_front(axis + count));
                return tensor::ExtractOp::create(inner, from, place);
              });
  define(node, moved(*data, shape, Layout::Plain, value));
  return success();
}

//===----------------------------------------------------------------------===//
// Other lookups
//===----------------------------------------------------------------------===//

/// For each index of the result the element at that index, but for the place
/// in one dimension, which is looked up.
LogicalResult Importer::importGatherElements(const Node &node) {
  FailureOr<Known> data = movable(node, 0), places = indices(node, 1);
  if (failed(data) || failed(places))
    return failure();
  int64_t rank = data->shape.size();
  FailureOr<int64_t> axis = axisAttribute(node, 0, rank);
  if (failed(axis))
    return failure();
  bool fits = static_cast<int64_t>(places->shape.size()) == rank;
  for (int64_t dim = 0; fits && dim < rank; ++dim)
    fits = dim == *axis || places->shape[dim] <= data->shape[dim];
  if (!fits)
    return node.emitInputError(1)
           << "has shape " << shapeText(places->shape)
           << ", which does not fit " << shapeText(data->shape)
           << " along axis " << *axis;
  if (failed(checkSize(node, data->shape)) ||
      failed(checkSize(node, places->shape)))
    return failure();
  Value from = storage(get(*data, Layout::Plain));
  Value where = storage(get(*places, Layout::Plain));
  promiseIndices(where, data->shape[*axis]);
  Value value =
      indexed(places->shape, typeOf(from).getElementType(),
              [&](Emitter &inner, ValueRange at) -> Value {
                SmallVector<Value> place(at);
                Value index = tensor::ExtractOp::create(inner, where, at);
                place[*axis] = indexWithin(inner, index, data->shape[*axis]);
                return tensor::ExtractOp::create(inner, from, place);
              });
  define(node, moved(*data, places->shape, Layout::Plain, value));
  return success();
}

/// The last dimension of the indices is the first part of an index of the data.
LogicalResult Importer::importGatherND(const Node &node) {
  FailureOr<Known> data = movable(node, 0), places = indices(node, 1);
  if (failed(data) || failed(places))
    return failure();
  int64_t batch = node.integer("batch_dims", 0);
  auto rank = static_cast<int64_t>(data->shape.size()),
       count = static_cast<int64_t>(places->shape.size());
  int64_t depth = count ? places->shape.back() : 0;
  if (batch < 0 || batch >= count || batch >= rank || depth < 1 ||
      depth > rank - batch ||
      ArrayRef(data->shape).take_front(batch) !=
          ArrayRef(places->shape).take_front(batch))
    return node.emitError()
           << "indices of shape " << shapeText(places->shape)
           << " do not fit data of shape " << shapeText(data->shape) << " with "
           << batch << " batch_dims";
  SmallVector<int64_t> shape(ArrayRef(places->shape).drop_back());
  llvm::append_range(shape, ArrayRef(data->shape).drop_front(batch + depth));
  if (failed(checkSize(node, data->shape)) || failed(checkSize(node, shape)))
    return failure();
  Value from = storage(get(*data, Layout::Plain));
  Value where = storage(get(*places, Layout::Plain));
  Value value = indexed(
      shape, typeOf(from).getElementType(),
      [&](Emitter &inner, ValueRange at) -> Value {
        SmallVector<Value> place(at.take_front(batch));
        for (int64_t part = 0; part < depth; ++part) {
          SmallVector<Value> entry(at.take_front(count - 1));
          entry.push_back(indexConstant(inner, part));
          Value index = tensor::ExtractOp::create(inner, where, entry);
          place.push_back(indexWithin(inner, index, data->shape[batch + part]));
        }
        llvm::append_range(place, at.drop_front(count - 1));
        return tensor::ExtractOp::create(inner, from, place);
      });
  define(node, moved(*data, shape, Layout::Plain, value));
  return success();
}

/// Along a new axis, the second of two values at the index and the first
/// elsewhere; indices, depth, the two values.
LogicalResult Importer::importOneHot(const Node &node) {
  FailureOr<Known> places = indices(node, 0), values = movable(node, 2);
  auto given = constantInput(node, 1, "depth");
  if (failed(places) || failed(values) || failed(given))
    return failure();
  const Tensor &tensor = **given;
  bool isInteger = !tensor.isFloat() && tensor.size() == 1;
  int64_t depth = isInteger ? tensor.ints.front() : 0;
  if (depth < 1)
    return node.emitInputError(1) << "must be one positive integer";
  if (depth > INT32_MAX)
    return node.emitInputError(1)
           << "asks for depth " << depth << ", the most is " << INT32_MAX;
  if (values->shape != ArrayRef<int64_t>{2})
    return node.emitInputError(2)
           << "has shape " << shapeText(values->shape) << ", expected 2";
  if (values->kind == Known::Dequantized)
    values = *emitReal(*values);
  int64_t rank = places->shape.size() + 1;
  FailureOr<int64_t> axis = axisAttribute(node, -1, rank);
  if (failed(axis))
    return failure();
  SmallVector<int64_t> shape(places->shape);
  shape.insert(shape.begin() + *axis, depth);
  if (failed(checkSize(node, shape)))
    return failure();
  Value where = storage(get(*places, Layout::Plain));
  Value either = storage(get(*values, Layout::Plain));
  Value value = indexed(
      shape, typeOf(either).getElementType(),
      [&](Emitter &inner, ValueRange at) -> Value {
        SmallVector<Value> place(at);
        place.erase(place.begin() + *axis);
        Value index = tensor::ExtractOp::create(inner, where, place);
        index = arith::IndexCastOp::create(inner, inner.getIndexType(), index);
        Value fromEnd =
            arith::AddIOp::create(inner, index, indexConstant(inner, depth));
        auto isHere = [&](Value index) {
          return arith::CmpIOp::create(inner, arith::CmpIPredicate::eq, index,
                                       at[*axis]);
        };
        Value is = arith::OrIOp::create(inner, isHere(index), isHere(fromEnd));
        Value which =
            arith::IndexCastUIOp::create(inner, inner.getIndexType(), is);
        return tensor::ExtractOp::create(inner, either, which);
      });
  define(node, moved(*values, shape, Layout::Plain, value));
  return success();
}
