//===- CodeProducts.cpp - Products of two activations -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention multiplies queries with keys, and probabilities with values. Where
// both sides are dequantized codes with the zero point 0, their integers are
// accumulated as those of a layer are:
//
//   sum of (sx * x) * (sy * y) = (sx * sy) * sum of x * y
//
// Zero points would add sums of both sides that only the run knows, so such
// products stay real.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Bounds.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// Codes of no constant, one scale, zero point 0.
static bool areSymmetricCodes(const Known &known) {
  return known.kind == Known::Dequantized && !known.isConstant() &&
         known.quantization.scales.size() == 1 &&
         known.quantization.zeroPoints.size() == 1 &&
         known.quantization.zeroPoints.front() == 0;
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
  if (!areSymmetricCodes(**lhs) || !areSymmetricCodes(**rhs) ||
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
  Range codes = (*rhs)->format.range;
  result.sums.width = datatypeWidth((*lhs)->shape.back(),
                                    signedWidth(Interval{codes.lo, codes.hi}),
                                    (*lhs)->format.range);
  result.sums.scales = {(*lhs)->quantization.scales.front() *
                        (*rhs)->quantization.scales.front()};
  result.sums.bias.assign(result.shape.back(), 0);
  // The second matrix has a row per column of the result.
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  Value rows = this->codes(**lhs, Layout::Plain, *type);
  Value turned = quantized(
      transposed(this->codes(**rhs, Layout::Plain, *columns), permutation),
      *columns);
  auto resultType =
      RankedTensorType::get(result.shape, accumulator(result.sums.width));
  result.sums.value =
      MatmulOp::create(b, resultType, rows, turned, Value(), ScheduleAttr());
  define(node, std::move(result));
  return true;
}
