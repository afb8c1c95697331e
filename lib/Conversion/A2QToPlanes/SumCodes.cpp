//===- SumCodes.cpp - What makes codes of a layer's sums --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SumCodes.h"
#include "Planes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Requantization
//===----------------------------------------------------------------------===//

static int64_t elementOf(ArrayRef<int64_t> elements, int64_t channel) {
  return elements[elements.size() == 1 ? 0 : channel];
}

void SumCodes::readConstants(RequantizeOp op) {
  biases = {0};
  if (op.getBiasAttr())
    biases = *integerElements(op.getBiasAttr());
  if (op.getShiftAttr()) {
    shifts = *integerElements(op.getShiftAttr());
    multipliers = *integerElements(op.getMultiplierAttr());
    return;
  }
  for (APFloat factor : op.getMultiplierAttr().getValues<APFloat>())
    factors.push_back(factor.convertToFloat());
}

int64_t SumCodes::requantizeSum(RequantizeOp op, int64_t channel,
                                Wide sum) const {
  quant::QuantizedType type = getType();
  sum += elementOf(biases, channel);
  if (!shifts.empty())
    return requantize(sum, elementOf(multipliers, channel),
                      elementOf(shifts, channel), zeroPoint(type),
                      codeRange(type), op.getRounding());
  float factor = factors[factors.size() == 1 ? 0 : channel];
  return requantize(sum, factor, zeroPoint(type), codeRange(type),
                    op.getRounding());
}

//===----------------------------------------------------------------------===//
// Reals
//===----------------------------------------------------------------------===//

namespace a2q {
/// Lists the operations from a real back to the sums.
struct SumCodesBuilder {
  SumCodes &codes;
  DecodeOp decode;
  DenseMap<Value, size_t> known;

  SumCodesBuilder(SumCodes &codes, DecodeOp decode)
      : codes(codes), decode(decode) {}

  std::optional<size_t> add(SumCodes::Node node) {
    codes.nodes.push_back(std::move(node));
    return codes.nodes.size() - 1;
  }

  /// Numbers that are one, or one per channel: the last dimension of a map.
  std::optional<size_t> addConstant(Value value, AffineMap map) {
    DenseFPElementsAttr elements;
    FloatAttr number;
    SumCodes::Node node;
    if (matchPattern(value, m_Constant(&number))) {
      node.constants.push_back(number.getValue().convertToFloat());
      return add(node);
    }
    if (!matchPattern(value, m_Constant(&elements)) ||
        !elements.getElementType().isF32())
      return std::nullopt;
    bool perChannel = map && map.getNumResults() == 1 &&
                      map.getResult(0) == getAffineDimExpr(map.getNumDims() - 1,
                                                           map.getContext());
    if (!elements.isSplat() && !perChannel)
      return std::nullopt;
    if (elements.isSplat())
      node.constants.push_back(elements.getSplatValue<float>());
    else
      llvm::append_range(node.constants, elements.getValues<float>());
    return add(node);
  }

  /// The op on nodes that are there.
  std::optional<size_t> addOp(Operation *op, ArrayRef<size_t> operands) {
    SumCodes::Node node;
    node.op = op;
    node.lhs = operands.front();
    node.rhs = operands.back();
    return add(node);
  }

  static bool isReal(Operation *op) {
    return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
               arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
               arith::MaxNumFOp, arith::MinNumFOp, tosa::AddOp, tosa::SubOp,
               tosa::MaximumOp, tosa::MinimumOp, tosa::ClampOp>(op) &&
           getElementTypeOrSelf(op->getResult(0).getType()).isF32();
  }

  /// A scalar of a generic op's body, whose arguments are known.
  std::optional<size_t> addScalar(Value value) {
    if (auto found = known.find(value); found != known.end())
      return found->second;
    Operation *op = value.getDefiningOp();
    if (!op)
      return std::nullopt;
    std::optional<size_t> node;
    if (matchPattern(op, m_Constant()))
      node = addConstant(value, {});
    else if (isa<arith::SIToFPOp>(op) && value.getType().isF32())
      node = addScalar(op->getOperand(0));
    else if (isReal(op))
      node = addOperation(op, [&](Value v) { return addScalar(v); });
    if (node)
      known[value] = *node;
    return node;
  }

  std::optional<size_t>
  addOperation(Operation *op,
               function_ref<std::optional<size_t>(Value)> operand) {
    SmallVector<size_t> operands;
    for (Value value : op->getOperands()) {
      std::optional<size_t> node = operand(value);
      if (!node)
        return std::nullopt;
      operands.push_back(*node);
    }
    return addOp(op, operands);
  }

  /// A generic op that computes each element from those at the same place.
  std::optional<size_t> addGeneric(linalg::GenericOp op) {
    if (op.getNumResults() != 1 ||
        op.getNumLoops() != op.getNumParallelLoops() ||
        !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
      return std::nullopt;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      std::optional<size_t> node =
          map.isIdentity() ? addTensor(input->get()) : std::nullopt;
      if (!node)
        node = addConstant(input->get(), map);
      if (!node)
        return std::nullopt;
      known[op.getMatchingBlockArgument(input)] = *node;
    }
    return addScalar(op.getBody()->getTerminator()->getOperand(0));
  }

  /// A tensor of the shape of the sums. What is not read by its reader alone is
  /// needed elsewhere as well.
  std::optional<size_t> addTensor(Value value) {
    if (value == decode.getResult())
      return 0;
    Operation *op = value.getDefiningOp();
    if (!op || !value.hasOneUse())
      return std::nullopt;
    codes.steps.push_back(op);
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      return addGeneric(generic);
    if (isa<arith::SIToFPOp>(op) &&
        getElementTypeOrSelf(value.getType()).isF32())
      return addTensor(op->getOperand(0));
    if (!isReal(op))
      return std::nullopt;
    return addOperation(op, [&](Value operand) -> std::optional<size_t> {
      if (matchPattern(operand, m_Constant()))
        return addConstant(operand, {});
      if (operand.getType() != value.getType())
        return std::nullopt;
      return addTensor(operand);
    });
  }
};
} // namespace a2q

/// The only way from sums to codes, one operation after the other.
static QuantizeOp findQuantize(DecodeOp decode) {
  Operation *op = decode;
  while (op && !isa<QuantizeOp>(op))
    op = op->getNumResults() == 1 && op->hasOneUse() ? *op->getUsers().begin()
                                                     : nullptr;
  return dyn_cast_or_null<QuantizeOp>(op);
}

std::optional<SumCodes> SumCodes::get(AccumulatingOpInterface op,
                                      std::string &reason) {
  SumCodes codes;
  reason = "sums that are not requantized at once";
  if (!llvm::hasSingleElement(op->getUsers()))
    return std::nullopt;
  Operation *reader = *op->getUsers().begin();
  if (auto requantize = dyn_cast<RequantizeOp>(reader)) {
    codes.steps.push_back(reader);
    codes.readConstants(requantize);
    reason.clear();
    return codes;
  }
  auto decode = dyn_cast<DecodeOp>(reader);
  QuantizeOp quantize = decode ? findQuantize(decode) : nullptr;
  if (!quantize ||
      !isa<quant::UniformQuantizedType>(getQuantizedType(quantize.getType())))
    return std::nullopt;
  codes.steps.push_back(quantize);
  codes.nodes.emplace_back();
  std::optional<size_t> result =
      SumCodesBuilder(codes, decode).addTensor(quantize.getInput());
  if (!result) {
    reason = "sums that become reals in ways unknown";
    return std::nullopt;
  }
  codes.steps.push_back(decode);
  codes.result = *result;
  reason.clear();
  return codes;
}

std::optional<int64_t> SumCodes::find(int64_t channel, Wide sum) const {
  if (auto op = dyn_cast<RequantizeOp>(getOp()))
    return requantizeSum(op, channel, sum);
  SmallVector<float> values = {static_cast<float>(static_cast<int64_t>(sum))};
  for (const Node &node : ArrayRef(nodes).drop_front()) {
    if (node.op) {
      std::optional<float> value =
          evaluateReal(node.op, values[node.lhs], values[node.rhs]);
      if (!value)
        return std::nullopt;
      values.push_back(*value);
    } else {
      values.push_back(
          node.constants[node.constants.size() == 1 ? 0 : channel]);
    }
  }
  float real = values[result];
  if (!std::isfinite(real))
    return std::nullopt;
  auto type = cast<quant::UniformQuantizedType>(getType());
  return quantize(real, static_cast<float>(type.getScale()), zeroPoint(type),
                  codeRange(type), cast<QuantizeOp>(getOp()).getRounding());
}
