//===- Tosa.cpp - Operations on real numbers -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value Importer::realConstant(ArrayRef<int64_t> shape, ArrayRef<float> values) {
  auto type = RankedTensorType::get(shape, b.getF32Type());
  return tosa::ConstOp::create(b, type, DenseElementsAttr::get(type, values));
}

/// One number, to be broadcast over a tensor of that rank.
Value Importer::realScalar(float value, int64_t rank) {
  return realConstant(SmallVector<int64_t>(rank, 1), value);
}

Value Importer::shapeConstant(ArrayRef<int64_t> shape) {
  auto type = tosa::shapeType::get(b.getContext(), shape.size());
  return tosa::ConstShapeOp::create(b, type, b.getIndexTensorAttr(shape));
}

Value Importer::channelConstant(ArrayRef<float> values, int64_t rank,
                                Layout layout) {
  SmallVector<int64_t> shape(rank, 1);
  shape[layout == Layout::ChannelsLast ? rank - 1 : 1] = values.size();
  return realConstant(shape, values);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Value Importer::sliced(Value value, ArrayRef<int64_t> start,
                       ArrayRef<int64_t> size) {
  return tosa::SliceOp::create(b, typeOf(value).clone(size), value,
                               shapeConstant(start), shapeConstant(size));
}

Value Importer::clamped(Value value, std::optional<float> lo,
                        std::optional<float> hi) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return tosa::ClampOp::create(b, value.getType(), value,
                               b.getF32FloatAttr(lo.value_or(-infinity)),
                               b.getF32FloatAttr(hi.value_or(infinity)));
}

static RankedTensorType broadcastType(Value lhs, Value rhs) {
  SmallVector<int64_t> shape(typeOf(lhs).getShape());
  for (auto [size, other] : llvm::zip_equal(shape, typeOf(rhs).getShape()))
    size = size == 1 ? other : size;
  return typeOf(lhs).clone(shape);
}

template <typename Op> Value Importer::binary(Value lhs, Value rhs) {
  return Op::create(b, broadcastType(lhs, rhs), lhs, rhs);
}
template Value Importer::binary<tosa::AddOp>(Value, Value);
template Value Importer::binary<tosa::SubOp>(Value, Value);
template Value Importer::binary<tosa::MaximumOp>(Value, Value);

Value Importer::product(Value lhs, Value rhs) {
  auto type = RankedTensorType::get({1}, b.getI8Type());
  // The shift of integer products.
  Value none = tosa::ConstOp::create(
      b, type, DenseElementsAttr::get(type, static_cast<int8_t>(0)));
  return tosa::MulOp::create(b, broadcastType(lhs, rhs), lhs, rhs, none);
}

Value Importer::quotient(Value lhs, Value rhs) {
  ArrayRef<int64_t> shape = typeOf(lhs).getShape();
  SmallVector<AffineExpr> dims;
  for (auto [dim, size] : llvm::enumerate(typeOf(rhs).getShape()))
    dims.push_back(size == 1 ? b.getAffineConstantExpr(0)
                             : b.getAffineDimExpr(dim));
  AffineMap maps[] = {b.getMultiDimIdentityMap(shape.size()),
                      AffineMap::get(shape.size(), 0, dims, b.getContext())};
  return elementwise({lhs, rhs}, maps, shape, b.getF32Type(),
                     [](ImplicitLocOpBuilder &inner, ValueRange in) -> Value {
                       return arith::DivFOp::create(inner, in[0], in[1]);
                     });
}

//===----------------------------------------------------------------------===//
// Elementwise operators
//===----------------------------------------------------------------------===//

LogicalResult Importer::defineElementwise(const Node &node, Function body) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  Known result{Known::Real, (*input)->shape};
  result.layouts.flattenedFrom = (*input)->layouts.flattenedFrom;
  Layout layout = preferred(**input);
  set(result.layouts, layout, body(get(**input, layout)));
  define(node, std::move(result));
  return success();
}

/// `known` with leading dimensions of size 1, so that it has that rank.
Value Importer::broadcastOperand(Known &known, int64_t rank, Layout layout) {
  SmallVector<int64_t> shape(rank - known.shape.size(), 1);
  llvm::append_range(shape, known.shape);
  bool moves = layout == Layout::ChannelsLast;
  if (known.isConstant()) {
    Tensor tensor;
    tensor.shape = shape;
    tensor.floats = constantReals(known);
    if (moves)
      tensor = transpose(tensor, channelsToLast(rank));
    return realConstant(tensor.shape, tensor.floats);
  }
  Known *reals = emitReal(known);
  if (static_cast<int64_t>(known.shape.size()) == rank)
    return get(*reals, layout);
  Value value = reshaped(get(*reals, Layout::Plain), shape);
  return moves ? transposed(value, channelsToLast(rank)) : value;
}

LogicalResult
Importer::defineBroadcast(const Node &node,
                          llvm::function_ref<Value(Value, Value)> body) {
  // Constants are not emitted before their layout is known.
  FailureOr<Known *> inputs[2];
  for (unsigned index : {0, 1}) {
    inputs[index] = lookup(node, index);
    if (failed(inputs[index]))
      return failure();
    Known &known = **inputs[index];
    bool isReal = known.kind == Known::Dequantized ||
                  (known.isConstant() && known.constant->isFloat());
    if (!known.isConstant() || !isReal)
      inputs[index] = real(node, index);
    if (failed(inputs[index]))
      return failure();
  }
  Known &lhs = **inputs[0], &rhs = **inputs[1];
  auto shape = broadcastShapes(lhs.shape, rhs.shape);
  if (!shape)
    return node.emitError() << "shapes " << shapeText(lhs.shape) << " and "
                            << shapeText(rhs.shape) << " do not broadcast";
  if (failed(checkSize(node, *shape)))
    return failure();
  auto isImage = [&](const Known &known) {
    return known.layouts.channelsLast && known.shape.size() == shape->size();
  };
  Layout layout =
      isImage(lhs) || isImage(rhs) ? Layout::ChannelsLast : Layout::Plain;
  auto rank = static_cast<int64_t>(shape->size());
  Value left = broadcastOperand(lhs, rank, layout);
  Value right = broadcastOperand(rhs, rank, layout);
  Known result{Known::Real, *shape};
  set(result.layouts, layout, body(left, right));
  define(node, std::move(result));
  return success();
}
