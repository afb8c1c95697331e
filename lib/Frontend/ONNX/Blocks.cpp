//===- Blocks.cpp - Constants with a scale for each block -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scales per block change within a sum, so each block is a sum of its own. A
// product of codes [rows, K] with [K, columns], whose blocks are B terms of a
// column, is a batch of K / B products of integers:
//
//   sum over blocks b of  float32(sum of x * (w - wz[b]) - z * sum of (w -
//   wz[b]))
//                         * (xs * ws[b])
//
// Everywhere else such constants are real numbers.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Bounds.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// `shape` with ceil(size / block) along the axis.
static SmallVector<int64_t> blockShape(ArrayRef<int64_t> shape, int64_t axis,
                                       int64_t block) {
  SmallVector<int64_t> result(shape);
  result[axis] = llvm::divideCeil(shape[axis], block);
  return result;
}

size_t Blocks::blockOf(size_t index) const {
  size_t inner = 1;
  for (int64_t size : ArrayRef(codes.shape).drop_front(axis + 1))
    inner *= size;
  size_t row = index / inner, length = codes.shape[axis];
  size_t block = row % length / size;
  return (row / length * shape[axis] + block) * inner + index % inner;
}

Tensor Blocks::reals() const {
  Tensor result;
  result.shape = codes.shape;
  result.floats.reserve(codes.ints.size());
  for (auto [index, code] : llvm::enumerate(codes.ints)) {
    size_t at = blockOf(index);
    int64_t difference = code - (zeroPoints.empty() ? 0 : zeroPoints[at]);
    result.floats.push_back(static_cast<float>(difference) * scales[at]);
  }
  return result;
}

/// A DequantizeLinear of constants with `block_size`.
LogicalResult Importer::dequantizeBlocks(const Node &node, const Known &input) {
  auto blocks = std::make_shared<Blocks>();
  blocks->codes = *input.constant;
  const Tensor &codes = blocks->codes;
  auto rank = static_cast<int64_t>(codes.shape.size());
  int64_t block = blocks->size = node.integer("block_size", 0);
  int64_t axis = node.integer("axis", 1);
  if (axis < -rank || axis >= rank)
    return node.emitError()
           << "axis " << axis << " is outside a shape of rank " << rank;
  axis = blocks->axis = axis < 0 ? axis + rank : axis;
  if (block < 1)
    return node.emitError() << "block_size " << block << " must be positive";
  blocks->shape = blockShape(codes.shape, axis, block);
  auto scale = constantInput(node, 1, "scale");
  if (failed(scale))
    return failure();
  if (!(*scale)->isFloat() || (*scale)->shape != blocks->shape)
    return node.emitInputError(1)
           << "has type " << toString((*scale)->type) << " and shape "
           << shapeText((*scale)->shape) << ", blocks of " << block
           << " of a tensor of shape " << shapeText(codes.shape)
           << " have FLOAT scales of shape " << shapeText(blocks->shape);
  for (auto [at, value] : llvm::enumerate((*scale)->floats))
    if (!std::isnormal(value) || value < 0)
      return node.emitInputError(1)
             << "has scale " << value << " at index " << at
             << ", scales are positive, normal and finite";
  blocks->scales = (*scale)->floats;
  if (node.hasInput(2)) {
    auto found = constantInput(node, 2, "zero point");
    if (failed(found))
      return failure();
    const Tensor &zero = **found;
    if (zero.type != codes.type || zero.shape != (*scale)->shape)
      return node.emitInputError(2)
             << "has type " << toString(zero.type) << " and shape "
             << shapeText(zero.shape) << ", expected " << toString(codes.type)
             << " and the shape of the scale, " << shapeText(blocks->shape);
    blocks->zeroPoints = zero.ints;
  }
  Known known{Known::Dequantized, codes.shape};
  known.format = input.format;
  known.blocks = std::move(blocks);
  define(node, std::move(known));
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

std::shared_ptr<const Blocks> Importer::blocksOf(const Node &node,
                                                 unsigned index) {
  auto found = values.find(node.input(index));
  return found == values.end() || !found->second ? nullptr
                                                 : found->second->blocks;
}

namespace {
/// [K, columns] as [blocks, columns, terms of a block], less the zero points,
/// and for each sum what begins it.
struct BlockedWeights {
  SmallVector<int64_t> shape;
  Integers codes;
  a2q::Range range = {0, 1};
  SmallVector<int64_t> starts;
  std::vector<float> scales;
};
} // namespace

static BlockedWeights blockedWeights(const Blocks &blocks,
                                     const Quantization &input) {
  int64_t length = blocks.codes.shape[0], columns = blocks.codes.shape[1];
  BlockedWeights result;
  result.shape = {length / blocks.size, columns, blocks.size};
  for (int64_t block = 0; block < result.shape[0]; ++block)
    for (int64_t column = 0; column < columns; ++column) {
      int64_t at = block * columns + column, sum = 0;
      for (int64_t term = 0; term < blocks.size; ++term) {
        int64_t index = (block * blocks.size + term) * columns + column;
        int64_t code = blocks.codes.ints[index];
        if (!blocks.zeroPoints.empty())
          code -= blocks.zeroPoints[at];
        result.range.lo = std::min(result.range.lo, code);
        result.range.hi = std::max(result.range.hi, code);
        result.codes.push_back(code);
        sum += code;
      }
      result.starts.push_back(-input.zeroPoints.front() * sum);
      result.scales.push_back(input.scales.front() * blocks.scales[at]);
    }
  return result;
}

FailureOr<bool> Importer::importBlockProduct(const Node &node) {
  std::shared_ptr<const Blocks> blocks = blocksOf(node, 1);
  if (!blocks || blocks->codes.shape.size() != 2 || blocks->axis != 0 ||
      blocks->codes.shape[0] % blocks->size != 0 ||
      integerFormat(blocks->codes.type)->bits > 8)
    return false;
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(found))
    return failure();
  Known &input = **found;
  if (input.kind != Known::Dequantized || input.isConstant() ||
      input.shape.empty() || input.shape.back() != blocks->codes.shape[0])
    return false;
  BlockedWeights weights = blockedWeights(*blocks, input.quantization);
  unsigned bits =
      weights.range.lo >= INT8_MIN && weights.range.hi <= INT8_MAX ? 8 : 16;
  int64_t count = weights.shape[0], columns = weights.shape[1],
          rows = *elementCount(ArrayRef(input.shape).drop_back());
  unsigned width = datatypeWidth(
      blocks->size, signedWidth(Interval{weights.range.lo, weights.range.hi}),
      input.format.range);
  Known result{Known::Real, input.shape};
  result.shape.back() = columns;
  FailureOr<quant::QuantizedType> type =
      codeType(node, input.format, input.quantization);
  if (failed(type) || failed(checkSize(node, {count, rows, columns})))
    return failure();
  Value x = storage(get(input, Layout::Plain));
  x = transposed(reshaped(x, {rows, count, blocks->size}), {1, 0, 2});
  auto weightType = quant::UniformQuantizedType::get(
      quant::QuantizationFlags::Signed, b.getIntegerType(bits), b.getF32Type(),
      1.0, 0, weights.range.lo, weights.range.hi);
  Value w =
      quantized(constantTensor(weights.shape, weights.codes, bits), weightType);
  auto sums = RankedTensorType::get({count, rows, columns}, accumulator(width));
  Value value = MatmulOp::create(b, sums, quantized(x, *type), w, Value(),
                                 ScheduleAttr());
  Type integer = b.getIntegerType(width <= 31 ? 32 : 64);
  value = DecodeOp::create(b, sums.clone(integer), value);
  AffineMap all = b.getMultiDimIdentityMap(3);
  AffineMap channel = all.dropResult(1);
  Value starts = constantTensor({count, columns}, weights.starts,
                                integer.getIntOrFloatBitWidth());
  Value scales = constantTensor({count, columns}, weights.scales);
  value = elementwise(
      {value, starts, scales}, {all, channel, channel}, sums.getShape(),
      b.getF32Type(), [](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
        Value sum = arith::AddIOp::create(b, in[0], in[1]);
        Value real = arith::SIToFPOp::create(b, b.getF32Type(), sum);
        return arith::MulFOp::create(b, real, in[2]);
      });
  value =
      reduced(value, {0}, scalar(0.0f),
              [](ImplicitLocOpBuilder &b, Value element, Value sum) -> Value {
                return arith::AddFOp::create(b, sum, element);
              });
  result.layouts.plain = reshaped(value, result.shape);
  define(node, std::move(result));
  return true;
}
