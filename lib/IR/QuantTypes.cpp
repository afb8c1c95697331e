//===- QuantTypes.cpp - Upstream's quantized types, as this project reads them -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//


#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::quant;

QuantizedType a2q::getQuantizedType(Type type) {
  return dyn_cast<QuantizedType>(getElementTypeOrSelf(type));
}

a2q::Range a2q::codeRange(QuantizedType type) {
  return {type.getStorageTypeMin(), type.getStorageTypeMax()};
}

SmallVector<double> a2q::scales(QuantizedType type) {
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(type))
    return llvm::to_vector(perAxis.getScales());
  return {cast<UniformQuantizedType>(type).getScale()};
}

SmallVector<int64_t> a2q::zeroPoints(QuantizedType type) {
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(type))
    return llvm::to_vector(perAxis.getZeroPoints());
  return {cast<UniformQuantizedType>(type).getZeroPoint()};
}

int64_t a2q::zeroPoint(QuantizedType type) {
  return cast<UniformQuantizedType>(type).getZeroPoint();
}

FailureOr<SmallVector<int64_t>> a2q::integerElements(ElementsAttr elements,
                                                     bool isSigned) {
  SmallVector<int64_t> values;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    unsigned bits = resource.getType().getElementTypeBitWidth();
    size_t count = resource.getNumElements();
    if (!blob || bits % 8 || bits > 64 ||
        blob->getData().size() != count * (bits / 8))
      return failure();
    const char *data = blob->getData().data();
    for (size_t i = 0; i < count; ++i) {
      uint64_t raw = 0;
      memcpy(&raw, data + i * (bits / 8), bits / 8);
      APInt value(bits, raw);
      values.push_back(isSigned ? value.getSExtValue() : value.getZExtValue());
    }
    return values;
  }
  auto range = elements.tryGetValues<APInt>();
  if (!range)
    return failure();
  for (const APInt &value : *range)
    values.push_back(isSigned ? value.getSExtValue() : value.getZExtValue());
  return values;
}

FailureOr<SmallVector<int64_t>> a2q::constantCodes(Value value) {
  bool isSigned = true;
  if (auto cast = value.getDefiningOp<quant::StorageCastOp>()) {
    if (QuantizedType type = getQuantizedType(value.getType()))
      isSigned = type.isSigned();
    value = cast.getInput();
  }
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) ||
      !elements.getElementType().isInteger())
    return failure();
  return integerElements(elements, isSigned);
}
