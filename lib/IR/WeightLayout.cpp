//===- WeightLayout.cpp - Weights row by row, whatever their layout -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightLayout.h"

#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

/// More weights than this are not listed one by one.
static constexpr int64_t kMostWeights = int64_t(1) << 28;

std::optional<int64_t> a2q::countPoints(ArrayRef<int64_t> sizes,
                                        int64_t limit) {
  Wide count = 1;
  for (int64_t size : sizes) {
    if (ShapedType::isDynamic(size) || size <= 0)
      return std::nullopt;
    count *= size;
    if (count > limit)
      return std::nullopt;
  }
  return static_cast<int64_t>(count);
}

SmallVector<int64_t> a2q::rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    // Unsigned: the strides of a dynamic shape are never used.
    strides[i - 1] = static_cast<uint64_t>(strides[i]) * shape[i];
  return strides;
}

/// Where each point of the nest lies in the tensor, points in row-major order.
static SmallVector<int64_t> positions(const LoopNest &nest) {
  SmallVector<int64_t> result = {0};
  for (auto [size, stride] : llvm::zip_equal(nest.sizes, nest.strides)) {
    SmallVector<int64_t> outer = std::move(result);
    result.clear();
    result.reserve(outer.size() * size);
    for (int64_t position : outer)
      for (int64_t i = 0; i < size; ++i)
        result.push_back(position + i * stride);
  }
  return result;
}

FailureOr<SmallVector<int64_t>>
a2q::gatherWeights(Value constant, bool isUnsigned, int64_t offset,
                   const LoopNest &channels, const LoopNest &terms) {
  std::optional<int64_t> rows = countPoints(channels.sizes, kMostWeights);
  std::optional<int64_t> columns = countPoints(terms.sizes, kMostTerms);
  if (!rows || !columns || *rows > kMostWeights / *columns)
    return failure();
  FailureOr<SmallVector<int64_t>> codes = constantCodes(constant, !isUnsigned);
  if (failed(codes))
    return failure();
  SmallVector<int64_t> termPositions = positions(terms);
  SmallVector<int64_t> weights;
  weights.reserve(*rows * *columns);
  for (int64_t row : positions(channels))
    for (int64_t column : termPositions)
      if (llvm::SubOverflow((*codes)[row + column], offset,
                            weights.emplace_back()))
        return failure();
  return weights;
}

bool a2q::isKnownZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_Zero());
  DenseIntElementsAttr elements;
  return matchPattern(value, m_Constant(&elements)) && elements.isSplat() &&
         elements.getSplatValue<APInt>().isZero();
}
