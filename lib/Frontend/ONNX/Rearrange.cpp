//===- Rearrange.cpp - Blocks, triangles, repeats, scattered elements
//------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is only moved stays what it is, as in Indexing.cpp.
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Emitter = ImplicitLocOpBuilder;

static Value indexConstant(Emitter &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

//===----------------------------------------------------------------------===//
// Blocks of pixels
//===----------------------------------------------------------------------===//

/// The size of the blocks, which divides channels or pixels.
static FailureOr<int64_t> blockSize(const Node &node, ArrayRef<int64_t> shape,
                                    bool toSpace) {
  int64_t block = node.integer("blocksize", 0);
  if (shape.size() != 4) {
    node.emitInputError(0) << "has shape " << shapeText(shape)
                           << ", expected rank 4";
    return failure();
  }
  bool divides = block > 0 && block < (1 << 15) &&
                 (toSpace ? shape[1] % (block * block) == 0
                          : shape[2] % block == 0 && shape[3] % block == 0);
  if (divides)
    return block;
  node.emitError() << "blocksize " << block << " does not divide "
                   << (toSpace ? "the channels" : "the rows and columns")
                   << " of " << shapeText(shape);
  return failure();
}

/// Channels [row, column, channel], or with mode CRD [channel, row, column],
/// become blocks of pixels; channels last the others are not moved.
LogicalResult Importer::importDepthToSpace(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  FailureOr<int64_t> block = blockSize(node, input->shape, true);
  if (failed(block))
    return failure();
  StringRef mode = node.string("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return node.emitError()
           << "mode '" << mode << "' is not known; known are DCR and CRD";
  bool depthFirst = mode == "DCR";
  ArrayRef<int64_t> from = input->shape;
  int64_t channels = from[1] / (*block * *block);
  SmallVector<int64_t> shape = {from[0], channels, from[2] * *block,
                                from[3] * *block};
  Value image = get(*input, Layout::ChannelsLast);
  if (depthFirst) {
    image =
        reshaped(image, {from[0], from[2], from[3], *block, *block, channels});
    image = transposed(image, {0, 1, 3, 2, 4, 5});
  } else {
    image =
        reshaped(image, {from[0], from[2], from[3], channels, *block, *block});
    image = transposed(image, {0, 1, 4, 2, 5, 3});
  }
  image = reshaped(image, physicalShape(shape, Layout::ChannelsLast));
  define(node, moved(*input, shape, Layout::ChannelsLast, image));
  return success();
}

LogicalResult Importer::importSpaceToDepth(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  FailureOr<int64_t> block = blockSize(node, input->shape, false);
  if (failed(block))
    return failure();
  ArrayRef<int64_t> from = input->shape;
  int64_t rows = from[2] / *block, columns = from[3] / *block;
  SmallVector<int64_t> shape = {from[0], from[1] * *block * *block, rows,
                                columns};
  Value image = get(*input, Layout::ChannelsLast);
  image = reshaped(image, {from[0], rows, *block, columns, *block, from[1]});
  image = transposed(image, {0, 1, 3, 2, 4, 5});
  image = reshaped(image, physicalShape(shape, Layout::ChannelsLast));
  define(node, moved(*input, shape, Layout::ChannelsLast, image));
  return success();
}

//===----------------------------------------------------------------------===//
// Triangles
//===----------------------------------------------------------------------===//

/// Zero, or the code 0, on the other side of a diagonal of the last two
/// dimensions.
LogicalResult Importer::importTrilu(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  int64_t diagonal = 0;
  if (node.hasInput(1)) {
    auto found = constantInput(node, 1, "diagonal");
    if (failed(found))
      return failure();
    if ((*found)->type != ElementType::Int64 || (*found)->size() != 1)
      return node.emitInputError(1) << "must be one INT64";
    diagonal =
        std::clamp<int64_t>((*found)->ints.front(), INT32_MIN, INT32_MAX);
  }
  int64_t rank = input->shape.size();
  if (rank < 2)
    return node.emitInputError(0) << "has shape " << shapeText(input->shape)
                                  << ", expected rank 2 or more";
  if (input->kind == Known::Dequantized)
    input = *emitReal(*input);
  bool keepsUpper = node.integer("upper", 1) != 0;
  Value from = storage(get(*input, Layout::Plain));
  Type element = typeOf(from).getElementType();
  Value zero = element.isF32() ? scalar(0.0f)
                               : scalar(0, element.getIntOrFloatBitWidth());
  Value result = indexed(
      input->shape, element, [&](Emitter &inner, ValueRange at) -> Value {
        Value corner = arith::AddIOp::create(inner, at[rank - 2],
                                             indexConstant(inner, diagonal));
        Value stays = arith::CmpIOp::create(
            inner,
            keepsUpper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle,
            at[rank - 1], corner);
        Value x = tensor::ExtractOp::create(inner, from, at);
        return arith::SelectOp::create(inner, stays, x, zero);
      });
  Known known = moved(*input, input->shape, Layout::Plain, result);
  a2q::Range &range = known.format.range;
  range = {std::min<int64_t>(range.lo, 0), std::max<int64_t>(range.hi, 0)};
  define(node, std::move(known));
  return success();
}

//===----------------------------------------------------------------------===//
// Repeated elements
//===----------------------------------------------------------------------===//

LogicalResult Importer::importExpand(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  auto sizes = integersInput(node, 1, "shape");
  if (failed(input) || failed(sizes))
    return failure();
  auto shape = broadcastShapes(input->shape, *sizes);
  if (!shape)
    return node.emitError() << "shapes " << shapeText(input->shape) << " and "
                            << shapeText(*sizes) << " do not broadcast";
  if (failed(checkSize(node, *shape)))
    return failure();
  if (ArrayRef<int64_t>(*shape) == ArrayRef<int64_t>(input->shape)) {
    define(node, *input);
    return success();
  }
  Value value = broadcastValue(storage(get(*input, Layout::Plain)), *shape);
  define(node, moved(*input, *shape, Layout::Plain, value));
  return success();
}

LogicalResult Importer::importTile(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  auto repeats = integersInput(node, 1, "repeats");
  if (failed(input) || failed(repeats))
    return failure();
  if (repeats->size() != input->shape.size())
    return node.emitInputError(1)
           << "has " << repeats->size() << " elements for a shape of rank "
           << input->shape.size();
  SmallVector<int64_t> shape(input->shape);
  for (auto [size, times] : llvm::zip(shape, *repeats))
    size = times < 1 || times > INT32_MAX ? 0 : size * times;
  if (failed(checkSize(node, shape)))
    return failure();
  Value from = storage(get(*input, Layout::Plain));
  Value value = indexed(
      shape, typeOf(from).getElementType(),
      [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
        SmallVector<Value> place;
        for (auto [index, size] : llvm::zip(at, input->shape))
          place.push_back(arith::RemUIOp::create(
              inner, index, arith::ConstantIndexOp::create(inner, size)));
        return tensor::ExtractOp::create(inner, from, place);
      });
  define(node, moved(*input, shape, Layout::Plain, value));
  return success();
}

//===----------------------------------------------------------------------===//
// Scattered elements
//===----------------------------------------------------------------------===//

/// For each element of the data, which of the updates takes its place; -1: none
/// does. Nothing when an index is outside, or named twice and `isOnce`.
static std::optional<SmallVector<int64_t>>
updatesOf(const Node &node, ArrayRef<int64_t> shape, const Tensor &indices,
          ArrayRef<int64_t> updates, bool isOnce, std::optional<int64_t> axis) {
  SmallVector<int64_t> strides = stridesOf(shape);
  SmallVector<int64_t> result(*elementCount(shape), -1);
  int64_t depth = axis ? 0 : indices.shape.back();
  // Along an axis each update has an index, else rows of updates have one.
  int64_t inner = 1;
  if (!axis)
    for (int64_t size : shape.drop_front(depth))
      inner *= size;
  SmallVector<int64_t> places = stridesOf(updates);
  for (int64_t update = 0, count = *elementCount(updates); update < count;
       ++update) {
    int64_t place = 0;
    auto add = [&](int64_t index, int64_t dim) {
      if (index < -shape[dim] || index >= shape[dim])
        return false;
      place += (index < 0 ? index + shape[dim] : index) * strides[dim];
      return true;
    };
    bool isInside = true;
    if (axis) {
      for (auto [dim, stride] : llvm::enumerate(places)) {
        int64_t at = update / stride % updates[dim];
        bool looksUp = static_cast<int64_t>(dim) == *axis;
        isInside &= add(looksUp ? indices.ints[update] : at, dim);
      }
    } else {
      for (int64_t part = 0; part < depth; ++part)
        isInside &= add(indices.ints[update / inner * depth + part], part);
      place += update % inner;
    }
    if (!isInside) {
      node.emitInputError(1)
          << "holds an index outside of the shape " << shapeText(shape);
      return std::nullopt;
    }
    if (isOnce && result[place] >= 0) {
      node.emitInputError(1)
          << "names an element twice, which reductions do not support";
      return std::nullopt;
    }
    result[place] = update;
  }
  return result;
}

/// What an update does to an element, and for which types.
static Value reduction(Emitter &b, StringRef name, bool isSigned, Value x,
                       Value update) {
  bool isReal = x.getType().isF32();
  if (name == "none")
    return update;
  if (name == "add")
    return isReal ? Value(arith::AddFOp::create(b, x, update))
                  : Value(arith::AddIOp::create(b, x, update));
  if (name == "mul")
    return isReal ? Value(arith::MulFOp::create(b, x, update))
                  : Value(arith::MulIOp::create(b, x, update));
  if (name == "max")
    return isReal     ? Value(arith::MaximumFOp::create(b, x, update))
           : isSigned ? Value(arith::MaxSIOp::create(b, x, update))
                      : Value(arith::MaxUIOp::create(b, x, update));
  return isReal     ? Value(arith::MinimumFOp::create(b, x, update))
         : isSigned ? Value(arith::MinSIOp::create(b, x, update))
                    : Value(arith::MinUIOp::create(b, x, update));
}

/// ScatterND and ScatterElements with constant indices: which update goes where
/// is a table. Of several updates of one element the last one stays.
LogicalResult Importer::importScatter(const Node &node) {
  auto places = constantInput(node, 1, "indices");
  if (failed(places))
    return failure();
  Known data(Known::Real, {}), updates = data;
  for (unsigned index : {0, 2}) {
    FailureOr<Known> found = movable(node, index);
    if (failed(found))
      return failure();
    // Two quantizations may differ.
    if (found->kind == Known::Dequantized)
      found = *emitReal(*found);
    (index == 0 ? data : updates) = *found;
  }
  StringRef name = node.string("reduction", "none");
  if (name != "none" && name != "add" && name != "mul" && name != "max" &&
      name != "min")
    return node.emitError() << "reduction '" << name << "' is not known; known "
                            << "are none, add, mul, max and min";
  ElementType type = elementTypeOf(data);
  if (elementTypeOf(updates) != type ||
      (type == ElementType::Bool && name != "none"))
    return node.emitInputError(2)
           << "holds elements of type " << toString(elementTypeOf(updates))
           << ", the data are " << toString(type);
  const Tensor &indices = **places;
  ArrayRef<int64_t> shape = data.shape;
  bool isND = node.op->name == "ScatterND";
  bool isInteger = indices.type == ElementType::Int64 ||
                   (!isND && indices.type == ElementType::Int32);
  std::optional<int64_t> axis;
  SmallVector<int64_t> expected = indices.shape;
  if (!isND) {
    FailureOr<int64_t> found = axisAttribute(node, 0, shape.size());
    if (failed(found))
      return failure();
    axis = *found;
    isInteger &= indices.shape.size() == shape.size();
  } else if (isInteger) {
    size_t depth = indices.shape.empty() ? 0 : indices.shape.back();
    isInteger &= depth >= 1 && depth <= shape.size();
    if (isInteger) {
      expected.pop_back();
      llvm::append_range(expected, shape.drop_front(depth));
    }
  }
  if (!isInteger || expected != updates.shape)
    return node.emitInputError(1)
           << "has type " << toString(indices.type) << " and shape "
           << shapeText(indices.shape) << ", which does not fit data of shape "
           << shapeText(shape) << " and updates of shape "
           << shapeText(updates.shape);
  if (failed(checkSize(node, shape)))
    return failure();
  if (*elementCount(updates.shape) == 0) {
    define(node, std::move(data));
    return success();
  }
  constexpr int64_t kMost = int64_t(1) << 22;
  if (*elementCount(shape) > kMost)
    return node.emitInputError(0) << "has shape " << shapeText(shape)
                                  << ", supported are 2^22 elements";
  auto table =
      updatesOf(node, shape, indices, updates.shape, name != "none", axis);
  if (!table)
    return failure();
  Value from = storage(get(data, Layout::Plain));
  Value others = storage(get(updates, Layout::Plain));
  int64_t count = *elementCount(updates.shape);
  Value flat = reshaped(others, {count});
  Value which = constantTensor(shape, *table, 32);
  bool isSigned = type != ElementType::Float && integerFormat(type)->isSigned;
  Known result = unset(type, shape);
  result.layouts.plain = indexed(
      shape, typeOf(from).getElementType(),
      [&](Emitter &inner, ValueRange at) -> Value {
        Value update = arith::IndexCastOp::create(
            inner, inner.getIndexType(),
            tensor::ExtractOp::create(inner, which, at));
        Value zero = indexConstant(inner, 0);
        Value stays = arith::CmpIOp::create(inner, arith::CmpIPredicate::slt,
                                            update, zero);
        update = arith::MaxSIOp::create(inner, update, zero);
        Value x = tensor::ExtractOp::create(inner, from, at);
        Value other = tensor::ExtractOp::create(inner, flat, update);
        return arith::SelectOp::create(
            inner, stays, x, reduction(inner, name, isSigned, x, other));
      });
  define(node, std::move(result));
  return success();
}
