//===- QuantTypes.cpp - Upstream's quantized types, as this project reads them
//-*- C++ -*-===//
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
#include "llvm/Support/MathExtras.h"

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

/// A splat takes no memory until it is expanded; more elements than this are
/// not weights of any network.
static constexpr int64_t kLargestSplat = int64_t(1) << 28;

/// The number of elements, or one more than the limit.
static int64_t countElements(ShapedType type, int64_t limit) {
  a2q::Wide count = 1;
  for (int64_t size : type.getShape()) {
    if (size == 0)
      return 0;
    count = std::min<a2q::Wide>(count * size, limit + 1);
  }
  return static_cast<int64_t>(count);
}

/// Bits of the elements, 0 unless they are integers of 1 to 64 bits.
static unsigned elementBits(ElementsAttr elements) {
  auto type = dyn_cast<IntegerType>(elements.getElementType());
  return type && type.getWidth() <= 64 ? type.getWidth() : 0;
}

static int64_t extend(const APInt &value, bool isSigned) {
  return isSigned ? value.getSExtValue()
                  : static_cast<int64_t>(value.getZExtValue());
}

bool a2q::hasIntegerElements(ElementsAttr elements) {
  unsigned bits = elementBits(elements);
  if (!bits)
    return false;
  auto resource = dyn_cast<DenseResourceElementsAttr>(elements);
  if (!resource) {
    auto dense = dyn_cast<DenseElementsAttr>(elements);
    return dense &&
           (!dense.isSplat() ||
            countElements(dense.getType(), kLargestSplat) <= kLargestSplat);
  }
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob || bits % 8)
    return false;
  uint64_t bytes = bits / 8, size = blob->getData().size();
  return size % bytes == 0 &&
         size / bytes == static_cast<uint64_t>(
                             countElements(resource.getType(), size / bytes));
}

FailureOr<SmallVector<int64_t>> a2q::integerElements(ElementsAttr elements,
                                                     bool isSigned) {
  if (!hasIntegerElements(elements))
    return failure();
  SmallVector<int64_t> values;
  values.reserve(elements.getNumElements());
  unsigned bits = elementBits(elements);
  auto append = [&](ArrayRef<char> data) {
    for (size_t i = 0; i < data.size(); i += bits / 8) {
      uint64_t raw = 0;
      memcpy(&raw, data.data() + i, bits / 8);
      values.push_back(isSigned ? llvm::SignExtend64(raw, bits)
                                : static_cast<int64_t>(raw));
    }
  };
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    append(resource.getRawHandle().getBlob()->getData());
    return values;
  }
  auto dense = cast<DenseElementsAttr>(elements);
  // Networks have millions of these, and one integer of any width at a time is
  // slow.
  if (!dense.isSplat() && (bits == 8 || bits == 16 || bits == 32)) {
    append(dense.getRawData());
    return values;
  }
  for (const APInt &value : dense.getValues<APInt>())
    values.push_back(extend(value, isSigned));
  return values;
}

/// The constant behind a quantized or plain integer tensor, and how its
/// elements are extended; null when there is none.
static std::pair<ElementsAttr, bool> constantBehind(Value value,
                                                    bool isSigned = true) {
  if (auto cast = value.getDefiningOp<quant::StorageCastOp>()) {
    if (QuantizedType type = a2q::getQuantizedType(value.getType()))
      isSigned = type.isSigned();
    value = cast.getInput();
  }
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) ||
      !a2q::hasIntegerElements(elements))
    return {};
  return {elements, isSigned};
}

bool a2q::hasConstantCodes(Value value) {
  return static_cast<bool>(constantBehind(value).first);
}

FailureOr<SmallVector<int64_t>> a2q::constantCodes(Value value,
                                                   bool plainSigned) {
  auto [elements, isSigned] = constantBehind(value, plainSigned);
  if (!elements)
    return failure();
  return integerElements(elements, isSigned);
}

std::optional<int64_t> a2q::constantCodeOutside(Value value, Range range) {
  auto [elements, isSigned] = constantBehind(value);
  if (!elements)
    return std::nullopt;
  unsigned bits = elementBits(elements);
  int64_t lowest = isSigned ? llvm::minIntN(bits) : 0;
  int64_t highest = isSigned || bits == 64
                        ? llvm::maxIntN(bits)
                        : static_cast<int64_t>(llvm::maxUIntN(bits));
  if (range.lo <= lowest && highest <= range.hi)
    return std::nullopt;
  SmallVector<int64_t> codes;
  if (auto dense = dyn_cast<DenseElementsAttr>(elements);
      dense && dense.isSplat())
    codes.push_back(extend(dense.getSplatValue<APInt>(), isSigned));
  else
    codes = *integerElements(elements, isSigned);
  for (int64_t code : codes)
    if (code < range.lo || code > range.hi)
      return code;
  return std::nullopt;
}
