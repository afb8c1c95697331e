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

#include "Fold.h"
#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Bounds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// The range of the codes less their zero point.
static a2q::Range differences(const Known &known) {
  int64_t zero = known.quantization.zeroPoints.front();
  return {known.format.range.lo - zero, known.format.range.hi - zero};
}

/// Codes with one scale, whose differences from the zero point 16 bits hold.
static bool areCodes(const Known &known) {
  return known.kind == Known::Dequantized && !known.shape.empty() &&
         known.quantization.scales.size() == 1 &&
         known.quantization.zeroPoints.size() == 1 &&
         integerFormat(known.format.type)->bits <= 16 &&
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
  a2q::Range range = {type.getStorageTypeMin() - zero,
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

/// The dimensions b of [b..., M, K] and [b..., K, N], broadcast and at least
/// one; nothing where the shapes do not fit.
static std::optional<SmallVector<int64_t>> batchOf(ArrayRef<int64_t> lhs,
                                                   ArrayRef<int64_t> rhs) {
  if (lhs.back() != rhs[rhs.size() - 2] || llvm::is_contained(lhs, 0) ||
      llvm::is_contained(rhs, 0))
    return std::nullopt;
  auto batch = broadcastShapes(lhs.drop_back(2), rhs.drop_back(2));
  if (batch && batch->empty())
    batch->push_back(1);
  return batch;
}

/// The codes of matrices with the dimensions `batch` before their last two.
FailureOr<Value> Importer::batchedCodes(const Node &node, Known &known,
                                        ArrayRef<int64_t> batch) {
  FailureOr<quant::QuantizedType> type =
      codeType(node, known.format, known.quantization);
  if (failed(type))
    return failure();
  Value value = known.isConstant()
                    ? constantTensor(known.shape, known.constant->ints,
                                     known.format.storageBits())
                    : storage(get(known, Layout::Plain));
  SmallVector<int64_t> shape(batch);
  llvm::append_range(shape, ArrayRef(known.shape).take_back(2));
  if (failed(checkSize(node, shape)))
    return failure();
  return quantized(broadcastValue(value, shape), *type);
}

FailureOr<bool> Importer::importProductOfCodes(const Node &node) {
  FailureOr<Known *> lhs = lookup(node, 0), rhs = lookup(node, 1);
  if (failed(lhs) || failed(rhs))
    return failure();
  if (!areCodes(**lhs) || !areCodes(**rhs) ||
      ((*lhs)->isConstant() && (*rhs)->isConstant()))
    return false;
  SmallVector<int64_t> first((*lhs)->shape), last((*rhs)->shape);
  bool isRow = first.size() == 1, isColumn = last.size() == 1;
  if (isRow)
    first.insert(first.begin(), 1);
  if (isColumn)
    last.push_back(1);
  auto batch = batchOf(first, last);
  if (!batch)
    return false;
  int64_t height = first.end()[-2], length = first.back(), width = last.back();
  SmallVector<int64_t> physical = *batch;
  physical.append({height, width});
  Known result{Known::Accumulated, physical};
  if (first.size() == 2 && last.size() == 2)
    result.shape = {height, width};
  if (isColumn)
    result.shape.pop_back();
  if (isRow)
    result.shape.erase(result.shape.end() - (isColumn ? 1 : 2));
  if (failed(checkSize(node, physical)))
    return failure();
  a2q::Range second = differences(**rhs);
  result.sums.width = datatypeWidth(
      length, signedWidth(Interval{second.lo, second.hi}), differences(**lhs));
  result.sums.scales = {(*lhs)->quantization.scales.front() *
                        (*rhs)->quantization.scales.front()};
  result.sums.bias.assign(width, 0);
  auto asMatrices = [&](Known &known, ArrayRef<int64_t> shape) {
    Known matrices = known;
    matrices.shape.assign(shape.begin(), shape.end());
    if (known.shape.size() != shape.size() && !known.isConstant())
      matrices.layouts.plain = reshaped(get(known, Layout::Plain), shape);
    return matrices;
  };
  Known one = asMatrices(**lhs, first), other = asMatrices(**rhs, last);
  FailureOr<Value> rows = batchedCodes(node, one, *batch),
                   columns = batchedCodes(node, other, *batch);
  if (failed(rows) || failed(columns))
    return failure();
  // The second matrix has a row per column of the result.
  int64_t rank = physical.size();
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  Value turned = quantized(transposed(storage(*columns), permutation),
                           typeOf(*columns).getElementType());
  auto resultType =
      RankedTensorType::get(physical, accumulator(result.sums.width));
  result.sums.value =
      MatmulOp::create(b, resultType, lessZeroPoint(b, *rows),
                       lessZeroPoint(b, turned), Value(), ScheduleAttr());
  define(node, std::move(result));
  return true;
}
