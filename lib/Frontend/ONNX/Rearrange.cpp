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
  for (auto [axis, times] : llvm::enumerate(*repeats)) {
    if (times < 1 || times > INT32_MAX)
      return node.emitInputError(1)
             << "asks for " << times << " copies along axis " << axis
             << ", supported are 1 to " << INT32_MAX;
    shape[axis] *= times;
  }
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

/// Which updates go to each element of the data, in their order. Nothing when
/// an index is outside.
static std::optional<std::vector<SmallVector<int64_t, 1>>>
updatesOf(const Node &node, ArrayRef<int64_t> shape, const Tensor &indices,
          ArrayRef<int64_t> updates, std::optional<int64_t> axis) {
  SmallVector<int64_t> strides = stridesOf(shape);
  std::vector<SmallVector<int64_t, 1>> result(*elementCount(shape));
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
    result[place].push_back(update);
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

/// The data with `count` updates, reduced into them in the order of the file. A
/// row of the table names the updates of one element.
Value Importer::scattered(const Node &node, Value data, Value updates,
                          Value table, bool isSigned) {
  StringRef name = node.string("reduction", "none");
  RankedTensorType type = typeOf(data);
  Value rows = reshaped(data, {type.getNumElements()});
  AffineExpr row = b.getAffineDimExpr(0), column = b.getAffineDimExpr(1);
  AffineMap maps[] = {AffineMap::get(2, 0, {row, column}, b.getContext()),
                      AffineMap::get(2, 0, row, b.getContext())};
  using utils::IteratorType;
  Value result =
      linalg::GenericOp::create(
          b, TypeRange{rows.getType()}, ValueRange{table}, ValueRange{rows},
          ArrayRef(maps),
          ArrayRef{IteratorType::parallel, IteratorType::reduction},
          [&](OpBuilder &builder, Location loc, ValueRange in) {
            Emitter b(loc, builder);
            Value update =
                arith::IndexCastOp::create(b, b.getIndexType(), in[0]);
            Value zero = indexConstant(b, 0);
            Value stays = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                                update, zero);
            update = arith::MaxSIOp::create(b, update, zero);
            Value other =
                tensor::ExtractOp::create(b, updates, ValueRange{update});
            Value next = reduction(b, name, isSigned, in[1], other);
            linalg::YieldOp::create(
                b, arith::SelectOp::create(b, stays, in[1], next).getResult());
          })
          .getResult(0);
  return reshaped(result, type.getShape());
}

/// ScatterND and ScatterElements with constant indices: which updates go where
/// is a table. Without a reduction the last one of an element stays.
LogicalResult Importer::importScatter(const Node &node) {
  auto given = constantInput(node, 1, "indices");
  if (failed(given))
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
  const Tensor &indices = **given;
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
  auto places = updatesOf(node, shape, indices, updates.shape, axis);
  if (!places)
    return failure();
  int64_t most = 1;
  if (name != "none")
    for (const auto &own : *places)
      most = std::max<int64_t>(most, own.size());
  int64_t count = *elementCount(shape);
  if (most * count > kMost)
    return node.emitInputError(1)
           << "names one element of " << count << " " << most
           << " times, the product of both may be 2^22";
  SmallVector<int64_t> table(most * count, -1);
  for (auto [at, own] : llvm::enumerate(*places))
    for (auto [turn, update] : llvm::enumerate(ArrayRef(own).take_back(most)))
      table[at * most + turn] = update;
  Value from = storage(get(data, Layout::Plain));
  Value flat = reshaped(storage(get(updates, Layout::Plain)),
                        {*elementCount(updates.shape)});
  bool isSigned = type != ElementType::Float && integerFormat(type)->isSigned;
  Known result = unset(type, shape);
  result.layouts.plain = scattered(
      node, from, flat, constantTensor({count, most}, table, 32), isSigned);
  define(node, std::move(result));
  return success();
}

/// A cache of which a part along `axis` is replaced, beginning at an index for
/// each batch; in circular mode it goes on at the cache's start.
LogicalResult Importer::importTensorScatter(const Node &node) {
  Known cache(Known::Real, {}), update = cache;
  for (unsigned index : {0, 1}) {
    FailureOr<Known> found = movable(node, index);
    if (failed(found))
      return failure();
    // Two quantizations may differ.
    if (found->kind == Known::Dequantized)
      found = *emitReal(*found);
    (index == 0 ? cache : update) = *found;
  }
  ArrayRef<int64_t> shape = cache.shape;
  FailureOr<int64_t> axis = axisAttribute(node, -2, shape.size());
  if (failed(axis))
    return failure();
  StringRef mode = node.string("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return node.emitError()
           << "mode '" << mode << "' is not known; known are linear, circular";
  SmallVector<int64_t> expected(shape);
  if (update.shape.size() == shape.size() &&
      update.shape[*axis] <= shape[*axis])
    expected[*axis] = update.shape[*axis];
  if (*axis == 0 || expected != update.shape ||
      elementTypeOf(cache) != elementTypeOf(update))
    return node.emitInputError(1)
           << "has type " << toString(elementTypeOf(update)) << " and shape "
           << shapeText(update.shape) << ", which is no part along axis "
           << *axis << " of " << toString(elementTypeOf(cache)) << " "
           << shapeText(shape);
  Value starts;
  if (node.hasInput(2)) {
    FailureOr<Known> given = movable(node, 2);
    if (failed(given))
      return failure();
    if (elementTypeOf(*given) != ElementType::Int64 ||
        ArrayRef<int64_t>(given->shape) != shape.take_front())
      return node.emitInputError(2)
             << "has type " << toString(elementTypeOf(*given)) << " and shape "
             << shapeText(given->shape) << ", expected INT64 for each of "
             << shape[0] << " batches";
    starts = storage(get(*given, Layout::Plain));
  }
  Value from = storage(get(cache, Layout::Plain));
  Value other = storage(get(update, Layout::Plain));
  int64_t length = update.shape[*axis], size = shape[*axis];
  auto body = [&](Emitter &b, ValueRange at) -> Value {
    Value zero = indexConstant(b, 0), start = zero;
    if (starts)
      start = arith::IndexCastOp::create(
          b, b.getIndexType(),
          tensor::ExtractOp::create(b, starts, at.front()));
    Value place = arith::SubIOp::create(b, at[*axis], start);
    if (mode == "circular") {
      // Starts are at least 0; this is the remainder that is.
      Value whole = indexConstant(b, size);
      place = arith::RemSIOp::create(b, place, whole);
      place = arith::RemSIOp::create(b, arith::AddIOp::create(b, place, whole),
                                     whole);
    }
    // One comparison of unsigned numbers: negative ones are large.
    Value isNew = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, place,
                                        indexConstant(b, length));
    SmallVector<Value> inside(at);
    inside[*axis] = arith::SelectOp::create(b, isNew, place, zero);
    return arith::SelectOp::create(b, isNew,
                                   tensor::ExtractOp::create(b, other, inside),
                                   tensor::ExtractOp::create(b, from, at));
  };
  Value result = indexed(shape, typeOf(from).getElementType(), body);
  Known known = unset(elementTypeOf(cache), shape);
  known.layouts.plain = result;
  define(node, std::move(known));
  return success();
}
