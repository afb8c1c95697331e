//===- Operators.cpp - Operators that neither quantize nor accumulate -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <numeric>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Add
//===----------------------------------------------------------------------===//

/// Numpy's rule; nullopt when the shapes do not broadcast.
static std::optional<SmallVector<int64_t>> broadcast(ArrayRef<int64_t> a,
                                                     ArrayRef<int64_t> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  SmallVector<int64_t> shape(a);
  size_t offset = a.size() - b.size();
  for (auto [dim, size] : llvm::enumerate(b)) {
    int64_t &result = shape[offset + dim];
    if (result != size && result != 1 && size != 1)
      return std::nullopt;
    result = result == 1 ? size : result;
  }
  return shape;
}

/// How an operand of `shape`, held in `layout`, is read while a result of
/// shape `to`, held in `resultLayout`, is written.
AffineMap Importer::broadcastMap(ArrayRef<int64_t> shape, Layout layout,
                                 ArrayRef<int64_t> to, Layout resultLayout) {
  // Loop of each dimension of the result as ONNX counts them.
  SmallVector<int64_t> loops =
      llvm::to_vector(llvm::seq<int64_t>(0, to.size()));
  if (resultLayout == Layout::ChannelsLast)
    loops = {0, 3, 1, 2};
  size_t offset = to.size() - shape.size();
  SmallVector<AffineExpr> exprs;
  for (auto [dim, size] : llvm::enumerate(shape)) {
    bool repeated = size == 1 && to[offset + dim] != 1;
    exprs.push_back(repeated ? b.getAffineConstantExpr(0)
                             : b.getAffineDimExpr(loops[offset + dim]));
  }
  if (layout == Layout::ChannelsLast)
    exprs = {exprs[0], exprs[2], exprs[3], exprs[1]};
  return AffineMap::get(to.size(), 0, exprs, b.getContext());
}

LogicalResult Importer::importAdd(const Node &node) {
  for (unsigned index : {0, 1}) {
    FailureOr<bool> done = addToSums(node, index);
    if (failed(done) || *done)
      return success(succeeded(done));
  }
  FailureOr<Known *> lhs = real(node, 0), rhs = real(node, 1);
  if (failed(lhs) || failed(rhs))
    return failure();
  auto shape = broadcast((*lhs)->shape, (*rhs)->shape);
  if (!shape)
    return node.emitError() << "shapes " << shapeText((*lhs)->shape) << " and "
                            << shapeText((*rhs)->shape) << " do not broadcast";
  Known result{Known::Real, *shape};
  if (failed(checkSize(node, *shape)))
    return failure();
  auto isImage = [](const Known &known) {
    return known.layouts.channelsLast != nullptr;
  };
  Layout layout =
      isImage(**lhs) || isImage(**rhs) ? Layout::ChannelsLast : Layout::Plain;
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (Known *known : {*lhs, *rhs}) {
    bool moves = layout == Layout::ChannelsLast && known->shape.size() == 4;
    Layout own = moves ? Layout::ChannelsLast : Layout::Plain;
    operands.push_back(get(*known, own));
    maps.push_back(broadcastMap(known->shape, own, *shape, layout));
  }
  set(result.layouts, layout,
      elementwise(operands, maps, physicalShape(*shape, layout), b.getF32Type(),
                  [](ImplicitLocOpBuilder &builder, ValueRange in) -> Value {
                    return arith::AddFOp::create(builder, in[0], in[1]);
                  }));
  define(node, std::move(result));
  return success();
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
  bool flattensImage = from->layouts.channelsLast && shape.size() == 2 &&
                       shape[0] == old[0] && old[1] != 1 &&
                       old[2] * old[3] != 1;
  if (flattensImage) {
    result.layouts.flattened = reshaped(from->layouts.channelsLast, shape);
    result.layouts.flattenedFrom = {old[1], old[2], old[3]};
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
  SmallVector<int64_t> shape(ArrayRef((*target)->ints));
  std::optional<size_t> inferred;
  for (auto [dim, size] : llvm::enumerate(shape)) {
    if (size == 0 && node.integer("allowzero", 0) == 0 && dim < old.size())
      size = old[dim];
    if (size == -1 && !inferred) {
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
  if (from->layouts.channelsLast &&
      ArrayRef(permutation) == ArrayRef<int64_t>{0, 2, 3, 1})
    result.layouts.plain = from->layouts.channelsLast;
  else if (from->layouts.plain &&
           ArrayRef(permutation) == ArrayRef<int64_t>{0, 3, 1, 2})
    result.layouts.channelsLast = from->layouts.plain;
  else
    result.layouts.plain = transposed(get(*from, Layout::Plain), permutation);
  define(node, std::move(result));
  return success();
}
