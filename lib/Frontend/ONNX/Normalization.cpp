//===- Normalization.cpp - Normalization over some axes -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is normalized lies in a ball whatever the input is, and proofs of the
// layers that follow use it. That holds for a variance of the very deviations
// that are divided, so it is computed in two passes here, also where the file
// spells the operator out:
//
//   mean = sum(x) / K
//   d    = x - mean                              (RMS: d = x)
//   v    = sum(d * d) / K
//   n    = d / sqrt(v + epsilon)
//
// Gain and bias follow as a product and a sum of their own.
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// An affine map that reads a tensor whose sizes may be 1 along a larger one.
static AffineMap broadcastMap(OpBuilder &b, Value value) {
  SmallVector<AffineExpr> dims;
  for (auto [dim, size] : llvm::enumerate(typeOf(value).getShape()))
    dims.push_back(size == 1 ? b.getAffineConstantExpr(0)
                             : b.getAffineDimExpr(dim));
  return AffineMap::get(dims.size(), 0, dims, b.getContext());
}

Value Importer::normalized(Value x, ArrayRef<int64_t> axes, float epsilon,
                           bool centres) {
  ArrayRef<int64_t> shape = typeOf(x).getShape();
  AffineMap all = b.getMultiDimIdentityMap(shape.size());
  Type real = b.getF32Type();
  Value deviations = x;
  if (centres) {
    Value mean = meanOf(x, axes);
    deviations =
        elementwise({x, mean}, {all, broadcastMap(b, mean)}, shape, real,
                    [](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
                      return arith::SubFOp::create(b, in[0], in[1]);
                    });
  }
  Value squares = elementwise(
      deviations, real, [](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
        return arith::MulFOp::create(b, in[0], in[0]);
      });
  Value variance = meanOf(squares, axes);
  Value epsilonValue = scalar(epsilon);
  Value root = elementwise(
      variance, real, [&](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
        return math::SqrtOp::create(
            b, arith::AddFOp::create(b, in[0], epsilonValue));
      });
  return elementwise({deviations, root}, {all, broadcastMap(b, root)}, shape,
                     real, [](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
                       return arith::DivFOp::create(b, in[0], in[1]);
                     });
}

/// LayerNormalization, RMSNormalization, and ONNX Runtime's name for the
/// latter, over the axes from `axis` on.
LogicalResult Importer::importLayerNormalization(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  int64_t rank = shape.size();
  FailureOr<int64_t> axis = axisAttribute(node, -1, rank);
  if (failed(axis))
    return failure();
  if (int64_t type = node.integer("stash_type", 1); type != 1)
    return node.emitError()
           << "stash_type " << toString(static_cast<ElementType>(type))
           << " is not supported, only FLOAT";
  bool centres = node.op->name == "LayerNormalization";
  auto axes = llvm::to_vector(llvm::seq<int64_t>(*axis, rank));
  Value x = normalized(get(**input, Layout::Plain), axes,
                       node.real("epsilon", 1e-5f), centres);
  for (unsigned index : {1, 2}) {
    if (!node.hasInput(index))
      continue;
    FailureOr<Known *> factor = real(node, index);
    if (failed(factor))
      return failure();
    auto joined = broadcastShapes((*factor)->shape, shape);
    if (!joined || ArrayRef<int64_t>(*joined) != shape)
      return node.emitInputError(index)
             << "has shape " << shapeText((*factor)->shape)
             << ", which does not broadcast to " << shapeText(shape);
    Value operand = broadcastOperand(**factor, rank, Layout::Plain);
    x = index == 1 ? product(x, operand) : binary<tosa::AddOp>(x, operand);
  }
  Known result{Known::Real, shape};
  result.layouts.plain = x;
  define(node, std::move(result));
  return success();
}

/// Over the positions of a group of channels; one factor and one summand for
/// each group, or from operator set 21 on for each channel.
LogicalResult Importer::importGroupNormalization(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  auto rank = static_cast<int64_t>(shape.size());
  int64_t groups = node.integer("num_groups", 0);
  if (rank < 3 || groups < 1 || shape[1] % groups)
    return node.emitInputError(0)
           << "has shape " << shapeText(shape) << ", expected rank 3 or more "
           << "and channels of which there are " << groups << " equal groups";
  if (int64_t type = node.integer("stash_type", 1); type != 1)
    return node.emitError()
           << "stash_type " << toString(static_cast<ElementType>(type))
           << " is not supported, only FLOAT";
  int64_t each = *elementCount(shape) / shape[0] / groups;
  Value x = reshaped(get(**input, Layout::Plain), {shape[0], groups, each});
  x = normalized(x, {2}, node.real("epsilon", 1e-5f), /*centres=*/true);
  x = reshaped(x, shape);
  int64_t count = graph.opset() < 21 ? groups : shape[1];
  for (unsigned index : {1, 2}) {
    FailureOr<Tensor> given = realWeights(node, index, 1);
    if (failed(given))
      return failure();
    if (given->shape[0] != count)
      return node.emitInputError(index)
             << "has shape " << shapeText(given->shape) << ", expected "
             << count << " values in operator set " << graph.opset();
    std::vector<float> values;
    for (int64_t channel = 0; channel < shape[1]; ++channel)
      values.push_back(given->floats[channel / (shape[1] / count)]);
    Value operand = channelConstant(values, rank, Layout::Plain);
    x = index == 1 ? product(x, operand) : binary<tosa::AddOp>(x, operand);
  }
  Known result{Known::Real, shape};
  result.layouts.plain = x;
  define(node, std::move(result));
  return success();
}

/// x divided by its norm along one axis: sum |x| or the root of sum x * x; 0
/// stays 0.
LogicalResult Importer::importLpNormalization(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  SmallVector<int64_t> shape((*input)->shape);
  FailureOr<int64_t> axis = axisAttribute(node, -1, shape.size());
  if (failed(axis))
    return failure();
  int64_t power = node.integer("p", 2);
  if (power != 1 && power != 2)
    return node.emitError() << "p is " << power << ", supported are 1 and 2";
  Value x = get(**input, Layout::Plain);
  Value sum = reduced(
      x, {*axis}, scalar(0.0f),
      [&](ImplicitLocOpBuilder &b, Value element, Value soFar) -> Value {
        element = power == 1
                      ? Value(math::AbsFOp::create(b, element))
                      : Value(arith::MulFOp::create(b, element, element));
        return arith::AddFOp::create(b, soFar, element);
      });
  Value norm = elementwise(
      sum, b.getF32Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
        Value norm = power == 1 ? in[0] : Value(math::SqrtOp::create(b, in[0]));
        Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
        Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
        Value isZero =
            arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, norm, zero);
        return arith::SelectOp::create(b, isZero, one, norm);
      });
  Known result{Known::Real, shape};
  shape[*axis] = 1;
  result.layouts.plain = quotient(x, reshaped(norm, shape));
  define(node, std::move(result));
  return success();
}

/// Over the positions of each channel.
LogicalResult Importer::importInstanceNormalization(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  int64_t rank = shape.size();
  if (rank < 3)
    return node.emitInputError(0)
           << "has shape " << shapeText(shape) << ", expected rank 3 or more";
  Layout layout = preferred(**input);
  SmallVector<int64_t> axes;
  for (int64_t dim = 2; dim < rank; ++dim)
    axes.push_back(dimensionIn(layout, dim, rank));
  Value x = normalized(get(**input, layout), axes, node.real("epsilon", 1e-5f),
                       /*centres=*/true);
  for (unsigned index : {1, 2}) {
    FailureOr<Tensor> factors = realWeights(node, index, 1);
    if (failed(factors))
      return failure();
    if (factors->shape[0] != shape[1])
      return node.emitInputError(index)
             << "has shape " << shapeText(factors->shape)
             << ", expected one value for each of " << shape[1] << " channels";
    Value operand = channelConstant(factors->floats, rank, layout);
    x = index == 1 ? product(x, operand) : binary<tosa::AddOp>(x, operand);
  }
  Known result{Known::Real, shape};
  set(result.layouts, layout, x);
  define(node, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Spelled out
//===----------------------------------------------------------------------===//

/// Whether `known` is one FLOAT.
static std::optional<float> oneReal(const Known *known) {
  if (!known || known->kind != Known::Constant || !known->constant->isFloat() ||
      known->constant->size() != 1)
    return std::nullopt;
  return known->constant->floats.front();
}

/// The last axes of a ReduceMean that keeps its dimensions.
static std::optional<SmallVector<int64_t>>
meanAxes(const Node *mean, int64_t rank, const Known *axesInput) {
  if (!mean || mean->op->name != "ReduceMean" ||
      mean->integer("keepdims", 1) == 0)
    return std::nullopt;
  SmallVector<int64_t> axes = mean->integers("axes", {});
  if (axesInput && axesInput->kind == Known::Constant)
    axes.assign(axesInput->constant->ints.begin(),
                axesInput->constant->ints.end());
  for (int64_t &axis : axes)
    axis = axis < 0 ? axis + rank : axis;
  llvm::sort(axes);
  if (axes.empty())
    return std::nullopt;
  return axes;
}

/// Div(d, Sqrt(Add(ReduceMean(d * d), epsilon))) with d = Sub(x, ReduceMean(x))
/// or x itself; the square is a Pow or a Mul. False when the node is no such.
FailureOr<bool> Importer::importSpelledNormalization(const Node &node) {
  auto known = [&](StringRef name) -> const Known * {
    auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.get();
  };
  auto is = [](const Node *node, StringRef op) {
    return node && node->op->name == op;
  };
  auto through = [&](StringRef name) {
    const Node *producer = graph.producer(name);
    while (producer && producer->op->name == "Identity")
      producer = graph.producer(producer->input(0));
    return producer;
  };
  const Node *root = through(node.input(1));
  const Node *sum = is(root, "Sqrt") ? through(root->input(0)) : nullptr;
  if (!is(sum, "Add"))
    return false;
  const Node *mean = nullptr;
  std::optional<float> epsilon;
  for (unsigned index : {0, 1}) {
    if (auto value = oneReal(known(sum->input(index)))) {
      epsilon = value;
      mean = through(sum->input(1 - index));
    }
  }
  const Known *x = known(node.input(0));
  if (!epsilon || !mean || !x)
    return false;
  int64_t rank = x->shape.size();
  auto axes = meanAxes(mean, rank, known(mean->input(1)));
  const Node *square = through(mean->input(0));
  if (!axes || !square)
    return false;
  StringRef deviations = node.input(0);
  bool squares =
      square->input(0) == deviations &&
      ((is(square, "Mul") && square->input(1) == deviations) ||
       (is(square, "Pow") && oneReal(known(square->input(1))) == 2.0f));
  if (!squares)
    return false;
  bool centres = false;
  StringRef from = deviations;
  const Node *difference = graph.producer(deviations);
  if (is(difference, "Sub")) {
    const Node *centre = through(difference->input(1));
    if (is(centre, "ReduceMean") && centre->input(0) == difference->input(0) &&
        meanAxes(centre, rank, known(centre->input(1))) == axes) {
      centres = true;
      from = difference->input(0);
    }
  }
  auto found = values.find(from);
  if (found == values.end() || found->second->isConstant() ||
      found->second->kind == Known::Codes)
    return false;
  Known *input = emitReal(*found->second);
  if (ArrayRef<int64_t>(input->shape) != ArrayRef<int64_t>(x->shape))
    return false;
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  for (int64_t &axis : *axes)
    axis = dimensionIn(layout, axis, rank);
  Known result{Known::Real, input->shape};
  set(result.layouts, layout,
      normalized(get(*input, layout), *axes, *epsilon, centres));
  define(node, std::move(result));
  return true;
}
