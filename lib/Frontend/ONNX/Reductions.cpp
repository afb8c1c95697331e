//===- Reductions.cpp - Sums, means and extremes over axes -*- C++ -*-===//
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
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value Importer::reduced(Value value, ArrayRef<int64_t> axes, Value initial,
                        Step step) {
  RankedTensorType type = typeOf(value);
  int64_t rank = type.getRank();
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> shape;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (llvm::is_contained(axes, dim)) {
      iterators[dim] = utils::IteratorType::reduction;
      continue;
    }
    kept.push_back(b.getAffineDimExpr(dim));
    shape.push_back(type.getDimSize(dim));
  }
  Value empty = tensor::EmptyOp::create(b, shape, type.getElementType());
  Value init = linalg::FillOp::create(b, initial, empty).getResult(0);
  AffineMap maps[] = {b.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, kept, b.getContext())};
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{value}, ValueRange{init},
             ArrayRef(maps), iterators,
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               ImplicitLocOpBuilder inner(loc, builder);
               Value next = step(inner, in[0], in[1]);
               linalg::YieldOp::create(inner, next);
             })
      .getResult(0);
}

static Value added(ImplicitLocOpBuilder &b, Value element, Value sum) {
  return arith::AddFOp::create(b, sum, element);
}

/// The sum divided by the number of its terms, with dimensions of size 1 in
/// place of `axes`.
Value Importer::meanOf(Value value, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> shape(typeOf(value).getShape());
  int64_t count = 1;
  for (int64_t axis : axes) {
    count *= shape[axis];
    shape[axis] = 1;
  }
  Value sum = reduced(value, axes, scalar(0.0f), added);
  Value divisor = scalar(static_cast<float>(count));
  Value mean =
      elementwise(sum, b.getF32Type(),
                  [&](ImplicitLocOpBuilder &inner, ValueRange in) -> Value {
                    return arith::DivFOp::create(inner, in[0], divisor);
                  });
  return reshaped(mean, shape);
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// What a reduction begins with.
static float neutralReal(const Node &node) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  StringRef op = node.op->name;
  return op == "ReduceMax"    ? -infinity
         : op == "ReduceMin"  ? infinity
         : op == "ReduceProd" ? 1
                              : 0;
}

static Value realStep(ImplicitLocOpBuilder &b, StringRef op, Value element,
                      Value soFar) {
  if (op == "ReduceMax")
    return arith::MaximumFOp::create(b, soFar, element);
  if (op == "ReduceMin")
    return arith::MinimumFOp::create(b, soFar, element);
  if (op == "ReduceProd")
    return arith::MulFOp::create(b, soFar, element);
  if (op == "ReduceL1")
    element = math::AbsFOp::create(b, element);
  if (op == "ReduceL2" || op == "ReduceSumSquare")
    element = arith::MulFOp::create(b, element, element);
  return arith::AddFOp::create(b, soFar, element);
}

static Value integerStep(ImplicitLocOpBuilder &b, StringRef op, bool isSigned,
                         Value element, Value soFar) {
  if (op == "ReduceMax")
    return isSigned ? Value(arith::MaxSIOp::create(b, soFar, element))
                    : Value(arith::MaxUIOp::create(b, soFar, element));
  if (op == "ReduceMin")
    return isSigned ? Value(arith::MinSIOp::create(b, soFar, element))
                    : Value(arith::MinUIOp::create(b, soFar, element));
  if (op == "ReduceProd")
    return arith::MulIOp::create(b, soFar, element);
  return arith::AddIOp::create(b, soFar, element);
}

LogicalResult Importer::importReduction(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  if (input->kind == Known::Dequantized)
    input = *emitReal(*input);
  ElementType type = elementTypeOf(*input);
  int64_t rank = input->shape.size();
  FailureOr<SmallVector<int64_t>> axes = sortedAxesInput(node, rank);
  if (failed(axes))
    return failure();
  if (axes->empty()) {
    if (node.integer("noop_with_empty_axes", 0) != 0) {
      define(node, *input);
      return success();
    }
    *axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  }
  StringRef op = node.op->name;
  bool isReal = type == ElementType::Float;
  bool onIntegers = op == "ReduceMax" || op == "ReduceMin" ||
                    op == "ReduceProd" || op == "ReduceSum";
  if (!isReal && (!onIntegers || type == ElementType::Bool))
    return node.emitInputError(0) << "holds elements of type " << toString(type)
                                  << ", supported is FLOAT";
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  SmallVector<int64_t> places, shape(input->shape), kept;
  for (int64_t axis : *axes) {
    places.push_back(dimensionIn(layout, axis, rank));
    shape[axis] = 1;
  }
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(*axes, dim))
      kept.push_back(shape[dim]);
  Value x = storage(get(*input, layout)), value;
  if (op == "ReduceMean") {
    value = meanOf(x, places);
  } else if (isReal) {
    value = reduced(x, places, scalar(neutralReal(node)),
                    [&](ImplicitLocOpBuilder &b, Value element, Value soFar) {
                      return realStep(b, op, element, soFar);
                    });
    if (op == "ReduceL2")
      value = elementwise(value, b.getF32Type(),
                          [](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
                            return math::SqrtOp::create(b, in[0]);
                          });
  } else {
    IntegerFormat format = *integerFormat(type);
    a2q::Range range = format.range();
    int64_t neutral = op == "ReduceMax"    ? range.lo
                      : op == "ReduceMin"  ? range.hi
                      : op == "ReduceProd" ? 1
                                           : 0;
    value =
        reduced(x, places, scalar(neutral, format.bits),
                [&](ImplicitLocOpBuilder &b, Value element, Value soFar) {
                  return integerStep(b, op, format.isSigned, element, soFar);
                });
  }
  Known result = unset(type, shape);
  if (onIntegers && !isReal && op != "ReduceProd" && op != "ReduceSum")
    result.format.range = input->format.range;
  set(result.layouts, layout, reshaped(value, physicalShape(shape, layout)));
  if (node.integer("keepdims", 1) != 0) {
    define(node, std::move(result));
    return success();
  }
  return reshapeTo(node, result, kept);
}

/// ArgMax and ArgMin: the first index of the extreme, or the last. The extreme
/// itself comes first, then the least index at which it is found.
LogicalResult Importer::importArgument(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  int64_t rank = (*input)->shape.size();
  FailureOr<int64_t> axis = axisAttribute(node, 0, rank);
  if (failed(axis))
    return failure();
  bool isMost = node.op->name == "ArgMax";
  bool isLast = node.integer("select_last_index", 0) != 0;
  SmallVector<int64_t> shape((*input)->shape), kept;
  int64_t size = shape[*axis];
  shape[*axis] = 1;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != *axis)
      kept.push_back(shape[dim]);
  Value x = get(**input, Layout::Plain);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Value extreme = reduced(
      x, {*axis}, scalar(isMost ? -infinity : infinity),
      [&](ImplicitLocOpBuilder &b, Value element, Value soFar) -> Value {
        return isMost ? Value(arith::MaxNumFOp::create(b, soFar, element))
                      : Value(arith::MinNumFOp::create(b, soFar, element));
      });
  AffineMap all = b.getMultiDimIdentityMap(rank);
  Value none = scalar(isLast ? 0 : size - 1, 64);
  Value places = elementwise(
      {x, extreme}, {all, all.dropResult(*axis)}, (*input)->shape,
      b.getI64Type(), [&](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
        Value index = arith::IndexCastOp::create(
            b, b.getI64Type(), linalg::IndexOp::create(b, *axis));
        Value isThere =
            arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[0], in[1]);
        return arith::SelectOp::create(b, isThere, index, none);
      });
  Value found = reduced(
      places, {*axis}, none,
      [&](ImplicitLocOpBuilder &b, Value element, Value soFar) -> Value {
        return isLast ? Value(arith::MaxSIOp::create(b, soFar, element))
                      : Value(arith::MinSIOp::create(b, soFar, element));
      });
  Known result = unset(ElementType::Int64, shape);
  result.layouts.plain = reshaped(found, shape);
  if (node.integer("keepdims", 1) != 0) {
    define(node, std::move(result));
    return success();
  }
  return reshapeTo(node, result, kept);
}
