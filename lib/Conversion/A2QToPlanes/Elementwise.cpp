//===- Elementwise.cpp - Sums of codes on planes ----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A residual sum dequantizes two codes, adds them, perhaps clamps the sum, and
// quantizes it. None of that knows where an element lies, so it runs on whole
// planes as it stands. The halo needs no care: zero points become 0, zeros are
// added to 0, and 0 becomes the zero point. That is not assumed but evaluated.
//
//===----------------------------------------------------------------------===//

#include "Planes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;

/// Whether the op computes each element from those at the same place.
static bool isElementwise(Operation *op) {
  if (!isa<tosa::AddOp, tosa::SubOp, tosa::MaximumOp, tosa::MinimumOp,
           tosa::ClampOp, arith::AddFOp, arith::SubFOp, arith::MaximumFOp,
           arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp>(op))
    return false;
  // No broadcast, and no constants.
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return type && type.getElementType().isF32() &&
         llvm::all_of(op->getOperandTypes(),
                      [&](Type operand) { return operand == type; });
}

std::optional<float> a2q::evaluateReal(Operation *op, float lhs, float rhs) {
  if (isa<tosa::AddOp, arith::AddFOp>(op))
    return lhs + rhs;
  if (isa<tosa::SubOp, arith::SubFOp>(op))
    return lhs - rhs;
  if (isa<arith::MulFOp>(op))
    return lhs * rhs;
  if (isa<arith::DivFOp>(op))
    return lhs / rhs;
  if (isa<arith::NegFOp>(op))
    return -lhs;
  if (isa<tosa::MaximumOp, arith::MaximumFOp, arith::MaxNumFOp>(op))
    return std::max(lhs, rhs);
  if (isa<tosa::MinimumOp, arith::MinimumFOp, arith::MinNumFOp>(op))
    return std::min(lhs, rhs);
  auto clamp = cast<tosa::ClampOp>(op);
  auto lo = dyn_cast<FloatAttr>(clamp.getMinVal());
  auto hi = dyn_cast<FloatAttr>(clamp.getMaxVal());
  if (!lo || !hi || !lo.getType().isF32())
    return std::nullopt;
  return std::min(std::max(lhs, lo.getValue().convertToFloat()),
                  hi.getValue().convertToFloat());
}

namespace {
/// Walks from a real to the codes that it is computed from.
struct Walk {
  SmallVector<Value> leaves;
  /// Codes of the leaves, in the order in which they are met; without them
  /// each is its zero point, as in the halo.
  ArrayRef<int64_t> codes;

  std::optional<float> evaluate(Value real) {
    Operation *op = real.getDefiningOp();
    if (!op)
      return std::nullopt;
    if (auto dequantize = dyn_cast<DequantizeOp>(op)) {
      auto type = dyn_cast<quant::UniformQuantizedType>(
          getQuantizedType(dequantize.getInput().getType()));
      if (!type || codeBits(type) != 8)
        return std::nullopt;
      leaves.push_back(dequantize.getInput());
      if (codes.empty())
        return 0.0f;
      int64_t code = codes.front();
      codes = codes.drop_front();
      return static_cast<float>(code - zeroPoint(type)) *
             static_cast<float>(type.getScale());
    }
    if (!isElementwise(op))
      return std::nullopt;
    SmallVector<float> operands;
    for (Value operand : op->getOperands()) {
      std::optional<float> value = evaluate(operand);
      if (!value)
        return std::nullopt;
      operands.push_back(*value);
    }
    return evaluateReal(op, operands.front(), operands.back());
  }

  std::optional<int64_t> evaluate(QuantizeOp op) {
    auto type =
        cast<quant::UniformQuantizedType>(getQuantizedType(op.getType()));
    std::optional<float> value = evaluate(op.getInput());
    if (!value)
      return std::nullopt;
    return quantize(*value, static_cast<float>(type.getScale()),
                    zeroPoint(type), codeRange(type), op.getRounding());
  }
};
} // namespace

SmallVector<Value> a2q::elementwiseLeaves(Value codes) {
  auto quantized = codes.getDefiningOp<QuantizeOp>();
  if (!quantized)
    return {};
  auto type = dyn_cast<quant::UniformQuantizedType>(
      getQuantizedType(quantized.getType()));
  if (!type || codeBits(type) != 8)
    return {};
  Walk walk;
  if (walk.evaluate(quantized) != zeroPoint(type))
    return {};
  return walk.leaves;
}

int64_t a2q::evaluateElement(QuantizeOp codes, ArrayRef<int64_t> leaves) {
  Walk walk;
  walk.codes = leaves;
  return *walk.evaluate(codes);
}

/// The op on flat tensors of `size` elements.
static Value rebuild(OpBuilder &b, Value value, int64_t size,
                     DenseMap<Value, Value> &flat) {
  if (Value known = flat.lookup(value))
    return known;
  Operation *op = value.getDefiningOp();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(rebuild(b, operand, size, flat));
  auto element = cast<RankedTensorType>(value.getType()).getElementType();
  OperationState state(op->getLoc(), op->getName(), operands,
                       {RankedTensorType::get({size}, element)},
                       op->getAttrs());
  return flat[value] = b.create(state)->getResult(0);
}

Value a2q::rebuildOnPlanes(OpBuilder &b, Value codes, ArrayRef<Value> leaves,
                           ArrayRef<Value> planes, int64_t size) {
  DenseMap<Value, Value> flat;
  for (auto [leaf, value] : llvm::zip_equal(leaves, planes)) {
    auto type = cast<RankedTensorType>(leaf.getType()).getElementType();
    flat[leaf] = fromCodes(b, value, RankedTensorType::get({size}, type));
  }
  return toCodes(b, rebuild(b, codes, size, flat));
}
