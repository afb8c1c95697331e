//===- CodeProducts.cpp - Products of two activations -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention multiplies queries with keys, and probabilities with values. Where
// both sides are dequantized codes, their integers are accumulated as those of
// a layer are:
//
//   sum of (sx * (x - zx)) * (sy * (y - zy)) =
//       (sx * sy) * sum of (x - zx) * (y - zy)
//
// Taken out of the sum, zero points would leave sums of both sides that only
// the run knows. So they come off the codes before: what is left of 8-bit codes
// is codes of 9 bits and zero point 0, or of 8 where the zero point is in the
// middle.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Bounds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// The range of the codes less their zero point.
static Range differences(const Known &known) {
  int64_t zero = known.quantization.zeroPoints.front();
  return {known.format.range.lo - zero, known.format.range.hi - zero};
}

/// Codes of no constant with one scale, whose differences from the zero point
/// 16 bits hold.
static bool areCodes(const Known &known) {
  return known.kind == Known::Dequantized && !known.isConstant() &&
         known.quantization.scales.size() == 1 &&
         known.quantization.zeroPoints.size() == 1 &&
         differences(known).lo >= INT16_MIN &&
         differences(known).hi <= INT16_MAX;
}

/// The codes less their zero point, as codes of zero point 0.
static Value lessZeroPoint(ImplicitLocOpBuilder &b, Value codes) {
  auto tensor = cast<RankedTensorType>(codes.getType());
  auto type = cast<quant::UniformQuantizedType>(tensor.getElementType());
  int64_t zero = type.getZeroPoint();
  if (zero == 0)
    return codes;
  Range range = {type.getStorageTypeMin() - zero,
                 type.getStorageTypeMax() - zero};
  Type byte = b.getI8Type(), wide = b.getI16Type();
  bool fitsByte = range.lo >= INT8_MIN && range.hi <= INT8_MAX;
  auto result = quant::UniformQuantizedType::get(
      quant::QuantizationFlags::Signed, fitsByte ? byte : wide,
      type.getExpressedType(), type.getScale(), /*zeroPoint=*/0, range.lo,
      range.hi);
  auto wideTensor = tensor.clone(wide);
  Value value = quant::StorageCastOp::create(
      b, tensor.clone(type.getStorageType()), codes);
  if (type.getStorageType() == byte)
    value = type.isSigned()
                ? arith::ExtSIOp::create(b, wideTensor, value).getResult()
                : arith::ExtUIOp::create(b, wideTensor, value).getResult();
  Value offset = arith::ConstantOp::create(
      b, DenseElementsAttr::get(wideTensor, static_cast<int16_t>(zero)));
  value = arith::SubIOp::create(b, value, offset);
  if (fitsByte)
    value = arith::TruncIOp::create(b, tensor.clone(byte), value);
  return quant::StorageCastOp::create(b, tensor.clone(result), value);
}

/// Whether [b..., M, K] and [b..., K, N] have the same dimensions b.
static bool areBatchesAlike(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs) {
  return lhs.size() >= 3 && lhs.size() == rhs.size() &&
         lhs.drop_back(2) == rhs.drop_back(2) &&
         lhs.back() == rhs[rhs.size() - 2] && !llvm::is_contained(lhs, 0) &&
         !llvm::is_contained(rhs, 0);
}

FailureOr<bool> Importer::importProductOfCodes(const Node &node) {
  FailureOr<Known *> lhs = lookup(node, 0), rhs = lookup(node, 1);
  if (failed(lhs) || failed(rhs))
    return failure();
  if (!areCodes(**lhs) || !areCodes(**rhs) ||
      !areBatchesAlike((*lhs)->shape, (*rhs)->shape))
    return false;
  FailureOr<quant::QuantizedType> type = codeType(node, (*lhs)->format,
                                                  (*lhs)->quantization),
                                  columns = codeType(node, (*rhs)->format,
                                                     (*rhs)->quantization);
  if (failed(type) || failed(columns))
    return failure();
  int64_t rank = (*lhs)->shape.size();
  Known result{Known::Accumulated, (*lhs)->shape};
  result.shape.back() = (*rhs)->shape.back();
  if (failed(checkSize(node, result.shape)))
    return failure();
  Range second = differences(**rhs);
  result.sums.width = datatypeWidth((*lhs)->shape.back(),
                                    signedWidth(Interval{second.lo, second.hi}),
                                    differences(**lhs));
  result.sums.scales = {(*lhs)->quantization.scales.front() *
                        (*rhs)->quantization.scales.front()};
  result.sums.bias.assign(result.shape.back(), 0);
  // The second matrix has a row per column of the result.
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  Value rows = lessZeroPoint(b, this->codes(**lhs, Layout::Plain, *type));
  Value turned = quantized(
      transposed(this->codes(**rhs, Layout::Plain, *columns), permutation),
      *columns);
  turned = lessZeroPoint(b, turned);
  auto resultType =
      RankedTensorType::get(result.shape, accumulator(result.sums.width));
  result.sums.value =
      MatmulOp::create(b, resultType, rows, turned, Value(), ScheduleAttr());
  define(node, std::move(result));
  return true;
}
