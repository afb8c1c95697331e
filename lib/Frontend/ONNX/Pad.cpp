//===- Pad.cpp - Borders around tensors -----------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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

/// What a Pad node says of each dimension. Sizes below 0 take away: `kept` is
/// what is left, `before` and `after` are what comes around it.
struct Importer::Padding {
  enum { Constant, Edge, Reflect, Wrap } mode = Constant;
  SmallVector<SliceRange> kept;
  SmallVector<int64_t> before, after, shape;
};

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

FailureOr<Importer::Padding> Importer::padding(const Node &node,
                                               ArrayRef<int64_t> shape) {
  auto given = integersInput(node, 1, "pads");
  if (failed(given))
    return failure();
  int64_t rank = shape.size();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (node.hasInput(3)) {
    auto found = axesInput(node, rank, 3);
    if (failed(found))
      return failure();
    axes = *found;
  }
  Padding result;
  StringRef mode = node.string("mode", "constant");
  result.mode = mode == "edge"      ? Padding::Edge
                : mode == "reflect" ? Padding::Reflect
                : mode == "wrap"    ? Padding::Wrap
                                    : Padding::Constant;
  if (result.mode == Padding::Constant && mode != "constant") {
    node.emitError() << "mode '" << mode << "' is not known; known are "
                     << "constant, edge, reflect and wrap";
    return failure();
  }
  if (given->size() != 2 * axes.size()) {
    node.emitInputError(1) << "has " << given->size() << " elements for "
                           << axes.size() << " axes";
    return failure();
  }
  result.before.assign(rank, 0);
  result.after.assign(rank, 0);
  result.shape.assign(shape.begin(), shape.end());
  for (int64_t size : shape)
    result.kept.push_back({0, size, 1});
  for (auto [index, axis] : llvm::enumerate(axes)) {
    int64_t before = (*given)[index];
    int64_t after = (*given)[axes.size() + index];
    int64_t size = shape[axis];
    bool isInside =
        std::min(before, after) > -size && std::max(before, after) <= INT32_MAX;
    SliceRange &kept = result.kept[axis];
    if (isInside) {
      kept.start = std::max<int64_t>(-before, 0);
      kept.count = size - kept.start - std::max<int64_t>(-after, 0);
      before = std::max<int64_t>(before, 0);
      after = std::max<int64_t>(after, 0);
    }
    int64_t most = result.mode == Padding::Reflect ? kept.count - 1
                   : result.mode == Padding::Wrap  ? kept.count
                                                   : INT32_MAX;
    if (!isInside || kept.count < 1 || std::max(before, after) > most) {
      node.emitInputError(1)
          << "pads axis " << axis << " of size " << size << " by "
          << (*given)[index] << " and " << (*given)[axes.size() + index]
          << (isInside && kept.count > 0
                  ? ", supported are sizes to " + std::to_string(most)
                  : ", which leaves nothing of it");
      return failure();
    }
    result.before[axis] = before;
    result.after[axis] = after;
    result.shape[axis] = before + kept.count + after;
  }
  if (failed(checkSize(node, result.shape)))
    return failure();
  return result;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// The position in a dimension of `size` that lies `index` - `before` from its
/// begin; beyond the ends the nearest, the mirrored one, or that from the other
/// end.
static Value insidePosition(ImplicitLocOpBuilder &b, Value index,
                            int64_t before, int64_t size, bool mirrors,
                            bool wraps) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  if (wraps)
    return arith::RemUIOp::create(
        b, arith::AddIOp::create(b, index, constant(size - before)),
        constant(size));
  Value at = arith::SubIOp::create(b, index, constant(before));
  if (mirrors) {
    at = arith::MaxSIOp::create(b, at,
                                arith::SubIOp::create(b, constant(0), at));
    return arith::MinSIOp::create(
        b, at, arith::SubIOp::create(b, constant(2 * (size - 1)), at));
  }
  at = arith::MaxSIOp::create(b, at, constant(0));
  return arith::MinSIOp::create(b, at, constant(size - 1));
}

/// The constant around `input`, whose range it widens: 0, or an input.
FailureOr<Value> Importer::border(const Node &node, Known &input,
                                  Type element) {
  bool isReal = element.isF32();
  float real = 0;
  int64_t code = 0;
  if (node.hasInput(2)) {
    auto value = constantInput(node, 2, "value");
    if (failed(value))
      return failure();
    if ((*value)->type != elementTypeOf(input) || (*value)->size() != 1) {
      node.emitInputError(2)
          << "must be one " << toString(elementTypeOf(input));
      return failure();
    }
    if (isReal)
      real = (*value)->floats.front();
    else
      code = (*value)->ints.front();
  }
  if (isReal)
    return scalar(real);
  a2q::Range &range = input.format.range;
  range = {std::min(range.lo, code), std::max(range.hi, code)};
  return scalar(code, element.getIntOrFloatBitWidth());
}

LogicalResult Importer::importPad(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  FailureOr<Padding> padding = this->padding(node, input->shape);
  if (failed(padding))
    return failure();
  if (input->kind == Known::Dequantized)
    input = *emitReal(*input);
  ArrayRef<int64_t> shape = padding->shape;
  SmallVector<int64_t> kept = llvm::map_to_vector(
      padding->kept, [](SliceRange range) { return range.count; });
  Value from = storage(get(*input, Layout::Plain));
  if (kept != input->shape)
    from = taken(from, Layout::Plain, padding->kept);
  Type element = typeOf(from).getElementType();
  Value value = from;
  if (padding->mode == Padding::Constant) {
    FailureOr<Value> border = this->border(node, *input, element);
    if (failed(border))
      return failure();
    value = tensor::PadOp::create(
        b, typeOf(from).clone(shape), from,
        getAsIndexOpFoldResult(b.getContext(), padding->before),
        getAsIndexOpFoldResult(b.getContext(), padding->after), *border);
  } else {
    value = indexed(shape, element,
                    [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
                      SmallVector<Value> place;
                      for (auto [dim, index] : llvm::enumerate(at))
                        place.push_back(insidePosition(
                            inner, index, padding->before[dim], kept[dim],
                            padding->mode == Padding::Reflect,
                            padding->mode == Padding::Wrap));
                      return tensor::ExtractOp::create(inner, from, place);
                    });
  }
  define(node, moved(*input, shape, Layout::Plain, value));
  return success();
}
