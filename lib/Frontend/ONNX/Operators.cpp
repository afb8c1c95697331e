//===- Operators.cpp - Operators that neither quantize nor accumulate -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "llvm/ADT/DenseSet.h"

#include <numeric>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// Whether the node computes with integers.
FailureOr<bool> Importer::isInteger(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  return elementTypeOf(**input) != ElementType::Float;
}

LogicalResult Importer::importAdd(const Node &node) {
  FailureOr<bool> ofIntegers = isInteger(node);
  if (failed(ofIntegers) || *ofIntegers)
    return failed(ofIntegers) ? failure() : importArithmetic(node);
  for (unsigned index : {0, 1}) {
    FailureOr<bool> done = addToSums(node, index);
    if (failed(done) || *done)
      return success(succeeded(done));
  }
  return defineBroadcast(
      node, [&](Value x, Value y) { return binary<tosa::AddOp>(x, y); });
}

LogicalResult Importer::importSub(const Node &node) {
  FailureOr<bool> ofIntegers = isInteger(node);
  if (failed(ofIntegers) || *ofIntegers)
    return failed(ofIntegers) ? failure() : importArithmetic(node);
  return defineBroadcast(
      node, [&](Value x, Value y) { return binary<tosa::SubOp>(x, y); });
}

LogicalResult Importer::importMul(const Node &node) {
  FailureOr<bool> ofIntegers = isInteger(node);
  if (failed(ofIntegers) || *ofIntegers)
    return failed(ofIntegers) ? failure() : importArithmetic(node);
  return defineBroadcast(node, [&](Value x, Value y) { return product(x, y); });
}

/// A true quotient: a product with the reciprocal may differ in the last bit.
LogicalResult Importer::importDiv(const Node &node) {
  FailureOr<bool> done = importSpelledNormalization(node);
  if (failed(done) || *done)
    return success(succeeded(done));
  return importArithmetic(node);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Defines the node as its input with another shape of as many elements.
LogicalResult Importer::reshapeTo(const Node &node, Known &input,
                                  ArrayRef<int64_t> shape) {
  std::optional<int64_t> count = elementCount(shape);
  if (count != elementCount(input.shape))
    return node.emitInputError(0)
           << "has shape " << shapeText(input.shape)
           << ", which does not have as many elements as " << shapeText(shape);
  if (input.isConstant()) {
    if (input.kind == Known::Dequantized && !input.quantization.isPerTensor())
      return node.emitInputError(0)
             << "is a constant with one scale per channel, which is not "
                "supported here";
    Tensor tensor = *input.constant;
    tensor.shape = SmallVector<int64_t>(shape);
    Known result = input;
    result.shape = tensor.shape;
    result.real = nullptr;
    result.constant = std::make_shared<Tensor>(std::move(tensor));
    define(node, std::move(result));
    return success();
  }
  Known *from = input.kind == Known::Accumulated ? emitReal(input) : &input;
  Known result = *from;
  result.shape = SmallVector<int64_t>(shape);
  result.real = nullptr;
  result.layouts = Layouts();
  ArrayRef<int64_t> old = from->shape;
  bool isImage = from->layouts.channelsLast != nullptr;
  bool flattensImage = isImage && shape.size() == 2 && shape[0] == old[0] &&
                       old[1] != 1 && *count != old[0] * old[1];
  bool keepsChannels =
      isImage && shape.size() > 2 && shape[0] == old[0] && shape[1] == old[1];
  if (flattensImage) {
    result.layouts.flattened = reshaped(from->layouts.channelsLast, shape);
    // Rows and columns of one image; what is their product does not matter.
    result.layouts.flattenedFrom = {old[1], old[2],
                                    *count / (old[0] * old[1] * old[2])};
  } else if (keepsChannels) {
    result.layouts.channelsLast = reshaped(
        from->layouts.channelsLast, physicalShape(shape, Layout::ChannelsLast));
  } else if (from->layouts.channelsLast && shape.size() == 2 &&
             shape[0] == old[0]) {
    // One channel or one pixel: both layouts hold the same sequence.
    result.layouts.plain = reshaped(from->layouts.channelsLast, shape);
  } else {
    result.layouts.plain = reshaped(get(*from, Layout::Plain), shape);
  }
  define(node, std::move(result));
  return success();
}

LogicalResult Importer::importFlatten(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  auto rank = static_cast<int64_t>(shape.size());
  int64_t axis = node.integer("axis", 1);
  if (axis < -rank || axis > rank)
    return node.emitError()
           << "axis " << axis << " is outside a shape of rank " << rank;
  axis = axis < 0 ? axis + rank : axis;
  auto product = [](ArrayRef<int64_t> sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), int64_t(1),
                           std::multiplies<>());
  };
  return reshapeTo(
      node, **input,
      {product(shape.take_front(axis)), product(shape.drop_front(axis))});
}

LogicalResult Importer::importReshape(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  auto target = constantInput(node, 1, "shape");
  if (failed(input) || failed(target))
    return failure();
  if ((*target)->type != ElementType::Int64 || (*target)->shape.size() != 1)
    return node.emitInputError(1)
           << "has type " << toString((*target)->type) << " and shape "
           << shapeText((*target)->shape) << ", expected a vector of INT64";
  ArrayRef<int64_t> old = (*input)->shape;
  SmallVector<int64_t> shape((*target)->ints.begin(), (*target)->ints.end());
  std::optional<size_t> inferred;
  for (auto [dim, size] : llvm::enumerate(shape)) {
    if (size == 0 && node.integer("allowzero", 0) == 0 && dim < old.size())
      size = old[dim];
    if (size == -1 && inferred)
      return node.emitInputError(1)
             << "asks for size -1 in dimensions " << *inferred << " and " << dim
             << ", at most one size can be inferred";
    if (size == -1) {
      inferred = dim;
      size = 1;
    }
    if (size < 1)
      return node.emitInputError(1)
             << "asks for size " << size << " in dimension " << dim;
  }
  std::optional<int64_t> known = elementCount(shape);
  std::optional<int64_t> count = elementCount(old);
  if (inferred && known && count)
    shape[*inferred] = *count / *known;
  return reshapeTo(node, **input, shape);
}

LogicalResult Importer::importTranspose(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(found))
    return failure();
  Known &input = **found;
  int64_t rank = input.shape.size();
  SmallVector<int64_t> reversed =
      llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  SmallVector<int64_t> permutation = node.integers("perm", reversed);
  SmallVector<int64_t> sorted = permutation;
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, rank)))
    return node.emitError()
           << "perm [" << ArrayRef(permutation) << "] is no permutation of "
           << rank << " dimensions";
  Known *from = input.kind == Known::Accumulated ? emitReal(input) : &input;
  Known result = *from;
  result.real = nullptr;
  for (auto [dim, source] : llvm::enumerate(permutation))
    result.shape[dim] = from->shape[source];
  if (from->isConstant()) {
    result.constant =
        std::make_shared<Tensor>(transpose(*from->constant, permutation));
    if (!result.quantization.isPerTensor())
      result.quantization.axis =
          llvm::find(permutation, result.quantization.axis) -
          permutation.begin();
    define(node, std::move(result));
    return success();
  }
  result.layouts = Layouts();
  bool isImage = rank > 2;
  if (isImage && from->layouts.channelsLast &&
      permutation == channelsToLast(rank))
    result.layouts.plain = from->layouts.channelsLast;
  else if (isImage && from->layouts.plain &&
           permutation == channelsFromLast(rank))
    result.layouts.channelsLast = from->layouts.plain;
  else
    result.layouts.plain = transposed(get(*from, Layout::Plain), permutation);
  define(node, std::move(result));
  return success();
}

/// Axes are an input; before operator set 13 they are an attribute.
static bool hasAxes(const Node &node) {
  return node.hasInput(1) || node.find("axes");
}

/// Each from 0 to `rank` - 1 and once, as the file orders them; none when the
/// node has none.
FailureOr<SmallVector<int64_t>>
Importer::axesInput(const Node &node, int64_t rank, unsigned index) {
  SmallVector<int64_t> axes = node.integers("axes", {});
  auto error = [&] {
    return node.hasInput(index) ? node.emitInputError(index)
                                : node.emitError() << "axes ";
  };
  if (node.hasInput(index)) {
    auto found = integersInput(node, index, "axes");
    if (failed(found))
      return failure();
    axes = *found;
  }
  for (int64_t &axis : axes) {
    if (axis < -rank || axis >= rank) {
      error() << "holds axis " << axis << ", outside a shape of rank " << rank;
      return failure();
    }
    axis = axis < 0 ? axis + rank : axis;
  }
  if (llvm::SmallDenseSet<int64_t>(axes.begin(), axes.end()).size() !=
      axes.size()) {
    error() << "holds an axis twice";
    return failure();
  }
  return axes;
}

FailureOr<SmallVector<int64_t>> Importer::sortedAxesInput(const Node &node,
                                                          int64_t rank) {
  FailureOr<SmallVector<int64_t>> axes = axesInput(node, rank);
  if (succeeded(axes))
    llvm::sort(*axes);
  return axes;
}

LogicalResult Importer::importSqueeze(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> from = (*input)->shape;
  SmallVector<int64_t> shape, axes;
  if (hasAxes(node)) {
    auto found = sortedAxesInput(node, from.size());
    if (failed(found))
      return failure();
    axes = std::move(*found);
  }
  for (auto [dim, size] : llvm::enumerate(from)) {
    bool named = llvm::is_contained(axes, static_cast<int64_t>(dim));
    if (named && size != 1)
      return node.emitInputError(0) << "has shape " << shapeText(from)
                                    << ", dimension " << dim << " is not 1";
    if (!named && (size != 1 || hasAxes(node)))
      shape.push_back(size);
  }
  return reshapeTo(node, **input, shape);
}

LogicalResult Importer::importUnsqueeze(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  if (!hasAxes(node))
    return node.emitError() << "has no axes";
  int64_t added = node.integers("axes", {}).size();
  if (node.hasInput(1)) {
    auto target = constantInput(node, 1, "axes");
    if (failed(target))
      return failure();
    added = (*target)->size();
  }
  int64_t rank = (*input)->shape.size() + added;
  auto axes = sortedAxesInput(node, rank);
  if (failed(axes))
    return failure();
  SmallVector<int64_t> shape((*input)->shape);
  for (int64_t axis : *axes)
    shape.insert(shape.begin() + axis, 1);
  return reshapeTo(node, **input, shape);
}
