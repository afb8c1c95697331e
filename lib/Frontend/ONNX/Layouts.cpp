//===- Layouts.cpp - Layouts of tensors and the ops that change them -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

SmallVector<int64_t> frontend::channelsToLast(int64_t rank) {
  SmallVector<int64_t> order = {0};
  llvm::append_range(order, llvm::seq<int64_t>(2, rank));
  order.push_back(1);
  return order;
}

SmallVector<int64_t> frontend::channelsFromLast(int64_t rank) {
  SmallVector<int64_t> order = {0, rank - 1};
  llvm::append_range(order, llvm::seq<int64_t>(1, rank - 1));
  return order;
}

int64_t frontend::dimensionIn(Layout layout, int64_t dim, int64_t rank) {
  return layout == Layout::ChannelsLast ? channelsFromLast(rank)[dim] : dim;
}

Layout Importer::preferred(const Known &known) const {
  if (known.layouts.channelsLast)
    return Layout::ChannelsLast;
  return known.layouts.plain ? Layout::Plain : Layout::Flattened;
}

void Importer::set(Layouts &layouts, Layout layout, Value value) {
  switch (layout) {
  case Layout::Plain:
    layouts.plain = value;
    return;
  case Layout::ChannelsLast:
    layouts.channelsLast = value;
    return;
  case Layout::Flattened:
    layouts.flattened = value;
    return;
  }
}

SmallVector<int64_t> Importer::physicalShape(ArrayRef<int64_t> shape,
                                             Layout layout) const {
  if (layout == Layout::ChannelsLast)
    return llvm::map_to_vector(channelsToLast(shape.size()),
                               [&](int64_t dim) { return shape[dim]; });
  return SmallVector<int64_t>(shape);
}

/// Layouts are made on demand and kept, so that two readers share them.
Value Importer::get(Known &known, Layout layout) {
  Layouts &layouts = known.layouts;
  switch (layout) {
  case Layout::Plain:
    if (!layouts.plain && layouts.channelsLast)
      layouts.plain = transposed(layouts.channelsLast,
                                 channelsFromLast(known.shape.size()));
    if (!layouts.plain) {
      int64_t batch = known.shape[0];
      ArrayRef<int64_t> from = layouts.flattenedFrom;
      Value image =
          reshaped(layouts.flattened, {batch, from[1], from[2], from[0]});
      layouts.plain = reshaped(transposed(image, {0, 3, 1, 2}), known.shape);
    }
    return layouts.plain;
  case Layout::ChannelsLast:
    if (!layouts.channelsLast)
      layouts.channelsLast = transposed(get(known, Layout::Plain),
                                        channelsToLast(known.shape.size()));
    return layouts.channelsLast;
  case Layout::Flattened:
    return layouts.flattened;
  }
  llvm_unreachable("a layout");
}

Value Importer::transposed(Value value, ArrayRef<int64_t> permutation) {
  value = storage(value);
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation)
    shape.push_back(type.getDimSize(dim));
  if (type.getElementType().isF32()) {
    SmallVector<int32_t> perms(permutation.begin(), permutation.end());
    return tosa::TransposeOp::create(b, type.clone(shape), value, perms);
  }
  Value init = tensor::EmptyOp::create(b, shape, type.getElementType());
  return linalg::TransposeOp::create(b, value, init, permutation)->getResult(0);
}

Value Importer::reshaped(Value value, ArrayRef<int64_t> shape) {
  value = storage(value);
  auto from = cast<RankedTensorType>(value.getType());
  RankedTensorType to = from.clone(shape);
  if (from == to)
    return value;
  if (from.getElementType().isF32())
    return tosa::ReshapeOp::create(b, to, value, shapeConstant(shape));
  auto indices = getReassociationIndicesForReshape(from, to);
  if (!indices) {
    // Neither only merges nor only splits dimensions: through one dimension.
    value = reshaped(value, {from.getNumElements()});
    from = cast<RankedTensorType>(value.getType());
    indices = getReassociationIndicesForReshape(from, to);
  }
  if (from.getRank() >= to.getRank())
    return tensor::CollapseShapeOp::create(b, to, value, *indices);
  return tensor::ExpandShapeOp::create(b, to, value, *indices);
}

Value Importer::storage(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  auto quantizedType = dyn_cast<quant::QuantizedType>(type.getElementType());
  if (!quantizedType)
    return value;
  if (auto cast = value.getDefiningOp<quant::StorageCastOp>())
    return cast.getInput();
  return quant::StorageCastOp::create(
      b, type.clone(quantizedType.getStorageType()), value);
}

Value Importer::quantized(Value value, Type type) {
  auto from = cast<RankedTensorType>(value.getType());
  if (from.getElementType() == type)
    return value;
  return quant::StorageCastOp::create(b, from.clone(type), storage(value));
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value Importer::constantTensor(ArrayRef<int64_t> shape,
                               ArrayRef<float> values) {
  auto type = RankedTensorType::get(shape, b.getF32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, values));
}

Value Importer::constantTensor(ArrayRef<int64_t> shape,
                               ArrayRef<int64_t> values, unsigned bits) {
  Integers integers;
  integers.assign(values.begin(), values.end());
  return constantTensor(shape, integers, bits);
}

Value Importer::constantTensor(ArrayRef<int64_t> shape, const Integers &values,
                               unsigned bits) {
  auto type = RankedTensorType::get(shape, b.getIntegerType(bits));
  return arith::ConstantOp::create(b, DenseElementsAttr::getFromRawBuffer(
                                          type, values.littleEndian(bits / 8)));
}

Value Importer::scalar(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value Importer::scalar(int64_t value, unsigned bits) {
  APInt bitsOfValue(bits, static_cast<uint64_t>(value), true, true);
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(b.getIntegerType(bits), bitsOfValue));
}

Value Importer::elementwise(ArrayRef<Value> operands, ArrayRef<AffineMap> maps,
                            ArrayRef<int64_t> shape, Type element, Body body) {
  Value init = tensor::EmptyOp::create(b, shape, element);
  SmallVector<AffineMap> allMaps(maps);
  allMaps.push_back(b.getMultiDimIdentityMap(shape.size()));
  SmallVector<utils::IteratorType> iterators(shape.size(),
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, operands, ValueRange{init}, allMaps,
             iterators,
             [&](OpBuilder &builder, Location loc, ValueRange arguments) {
               ImplicitLocOpBuilder inner(loc, builder);
               Value result = body(inner, arguments.drop_back());
               linalg::YieldOp::create(inner, result);
             })
      .getResult(0);
}

Value Importer::elementwise(Value operand, Type element, Body body) {
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(operand.getType()).getShape();
  return elementwise({operand}, {b.getMultiDimIdentityMap(shape.size())}, shape,
                     element, body);
}
