//===- ReplaceWeights.cpp - Other constants for a layer -------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReplaceWeights.h"

#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace a2q;

/// Constant codes of the type that `old` has, a resource if `old` is one.
static ElementsAttr constantLike(ElementsAttr old, ArrayRef<int64_t> values) {
  auto type = cast<RankedTensorType>(old.getShapedType());
  if (isa<DenseResourceElementsAttr>(old) &&
      type.getElementTypeBitWidth() == 8) {
    SmallVector<int8_t> bytes(values.begin(), values.end());
    return DenseResourceElementsAttr::get(
        type, "constrained",
        HeapAsmResourceBlob::allocateAndCopyInferAlign(
            ArrayRef<int8_t>(bytes)));
  }
  SmallVector<APInt> codes;
  for (int64_t value : values)
    codes.emplace_back(type.getElementTypeBitWidth(), value,
                       /*isSigned=*/true, /*implicitTrunc=*/true);
  return DenseElementsAttr::get(type, codes);
}

/// The type of weights whose scales are multiplied, per channel.
static Type rescaledType(RankedTensorType type, ArrayRef<double> factors) {
  if (llvm::all_of(factors, [](double factor) { return factor == 1; }))
    return type;
  quant::QuantizedType old = getQuantizedType(type);
  SmallVector<double> scales = a2q::scales(old);
  scales.resize(factors.size(), scales.front());
  for (auto [scale, factor] : llvm::zip_equal(scales, factors))
    scale *= factor;
  SmallVector<int64_t> zeroPoints(factors.size(), 0);
  return type.clone(quant::UniformQuantizedPerAxisType::get(
      old.getFlags(), old.getStorageType(), old.getExpressedType(), scales,
      zeroPoints, /*quantizedDimension=*/0, old.getStorageTypeMin(),
      old.getStorageTypeMax()));
}

bool a2q::hasOwnableWeights(AccumulatingOpInterface op) {
  auto cast = op.getWeights().getDefiningOp<quant::StorageCastOp>();
  return cast && matchPattern(cast.getInput(), m_Constant());
}

void a2q::replaceWeights(AccumulatingOpInterface op, ArrayRef<int64_t> codes,
                         ArrayRef<double> factors) {
  Value weights = op.getWeights();
  auto storage = weights.getDefiningOp<quant::StorageCastOp>();
  Operation *constant = storage.getInput().getDefiningOp();
  ElementsAttr old;
  [[maybe_unused]] bool matched = matchPattern(constant, m_Constant(&old));
  assert(matched && "constant codes come from a constant");
  OpBuilder builder(op);
  Value own = arith::ConstantOp::create(
      builder, constant->getLoc(), cast<TypedAttr>(constantLike(old, codes)));
  own = quant::StorageCastOp::create(
      builder, storage.getLoc(),
      rescaledType(cast<RankedTensorType>(weights.getType()), factors), own);
  op->replaceUsesOfWith(weights, own);
  if (storage->use_empty())
    storage->erase();
  if (constant->use_empty())
    constant->erase();
}
