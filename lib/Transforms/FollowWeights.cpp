//===- FollowWeights.cpp - What reads sums follows their weights ----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FollowWeights.h"

#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/Interval.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

using namespace mlir;
using namespace a2q;

Wide WeightChange::bias(Wide old) const {
  Wide real = old + before;
  if (scale != 1)
    real = static_cast<Wide>(std::nearbyint(
        std::clamp(static_cast<double>(real) / scale, -0x1p100, 0x1p100)));
  return real - after;
}

//===----------------------------------------------------------------------===//
// a2q.requantize
//===----------------------------------------------------------------------===//

/// A per-channel bias in the narrowest of its old type, i32 and i64.
static ElementsAttr biasAttr(Builder &builder, Type old,
                             ArrayRef<int64_t> values) {
  unsigned needed = 1;
  for (int64_t value : values)
    needed = std::max(needed, signedWidth({value, value}));
  unsigned width = old ? old.getIntOrFloatBitWidth() : 32;
  if (needed > width)
    width = needed <= 32 ? 32 : 64;
  SmallVector<APInt> integers;
  for (int64_t value : values)
    integers.emplace_back(width, value, /*isSigned=*/true);
  return DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(values.size())},
                            builder.getIntegerType(width)),
      integers);
}

static LogicalResult followBias(RequantizeOp op,
                                ArrayRef<WeightChange> channels) {
  SmallVector<int64_t> old = {0};
  if (ElementsAttr bias = op.getBiasAttr()) {
    FailureOr<SmallVector<int64_t>> values = integerElements(bias);
    if (failed(values))
      return op.emitError("the bias is not known");
    old = *values;
  }
  SmallVector<int64_t> bias;
  for (auto [channel, follow] : llvm::enumerate(channels)) {
    Wide sum = follow.bias(old[old.size() == 1 ? 0 : channel]);
    if (signedWidth({sum, sum}) > 64)
      return op.emitError()
             << "the bias of channel " << channel << " leaves 64 bits";
    bias.push_back(static_cast<int64_t>(sum));
  }
  if (!op.getBiasAttr() && llvm::all_of(bias, [](int64_t v) { return v == 0; }))
    return success();
  Builder builder(op.getContext());
  op.setBiasAttr(biasAttr(
      builder, op.getBiasAttr() ? op.getBiasAttr().getElementType() : Type(),
      bias));
  return success();
}

/// Multiplies the multiplier by the factors of the weights' scales.
static LogicalResult followScale(RequantizeOp op,
                                 ArrayRef<WeightChange> channels) {
  if (llvm::all_of(channels,
                   [](WeightChange follow) { return follow.scale == 1; }))
    return success();
  SmallVector<float> multiplier;
  for (const APFloat &value : op.getMultiplierAttr().getValues<APFloat>())
    multiplier.push_back(value.convertToFloat());
  multiplier.resize(channels.size(), multiplier.front());
  for (auto [channel, follow] : llvm::enumerate(channels)) {
    float &value = multiplier[channel];
    value = static_cast<float>(value * follow.scale);
    if (!std::isfinite(value) || value <= 0)
      return op.emitError()
             << "the multiplier of channel " << channel
             << " leaves f32: its weights' scale changes by " << follow.scale;
  }
  Builder builder(op.getContext());
  op.setMultiplierAttr(DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(multiplier.size())},
                            builder.getF32Type()),
      ArrayRef<float>(multiplier)));
  return success();
}

//===----------------------------------------------------------------------===//
// float(sum + bias) * scale
//===----------------------------------------------------------------------===//

namespace {
/// A generic op that turns decoded sums into reals.
struct FloatReader {
  linalg::GenericOp op;
  OpOperand *bias = nullptr;  ///< constant integers per channel, or null
  OpOperand *scale = nullptr; ///< constant f32 per channel, or null
};
} // namespace

/// The operand behind a block argument, if it is a constant along the last
/// dimension of the op.
static OpOperand *channelConstant(linalg::GenericOp op, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return nullptr;
  OpOperand &operand = op->getOpOperand(argument.getArgNumber());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  DenseElementsAttr elements;
  bool alongLast = map.getNumResults() == 1 && map.getNumDims() > 0 &&
                   map.getResult(0) ==
                       getAffineDimExpr(map.getNumDims() - 1, op.getContext());
  return alongLast && matchPattern(operand.get(), m_Constant(&elements))
             ? &operand
             : nullptr;
}

static Value otherOperand(Operation *op, Value one) {
  return op->getOperand(op->getOperand(0) == one ? 1 : 0);
}

/// Matches a body that begins with `float(sum + bias) * scale`.
static FloatReader matchReader(OpOperand &use) {
  auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!op || use.getOperandNumber() >= op.getNumDpsInputs() ||
      !op.getMatchingIndexingMap(&use).isIdentity())
    return {};
  FloatReader reader = {op};
  Value value = op.getBody()->getArgument(use.getOperandNumber());
  if (!value.hasOneUse())
    return {};
  if (auto add = dyn_cast<arith::AddIOp>(*value.user_begin())) {
    reader.bias = channelConstant(op, otherOperand(add, value));
    value = add;
    if (!reader.bias || !value.hasOneUse())
      return {};
  }
  auto toFloat = dyn_cast<arith::SIToFPOp>(*value.user_begin());
  if (!toFloat || !toFloat->hasOneUse() || !toFloat.getType().isF32())
    return reader;
  if (auto multiply = dyn_cast<arith::MulFOp>(*toFloat->user_begin()))
    reader.scale = channelConstant(op, otherOperand(multiply, toFloat));
  return reader;
}

static void setConstant(OpOperand &operand, DenseElementsAttr elements) {
  OpBuilder builder(operand.getOwner());
  operand.set(arith::ConstantOp::create(builder, operand.get().getLoc(),
                                        cast<TypedAttr>(elements)));
}

/// Bits that the bias may have beside sums of the accumulator's width.
static bool fitsBeside(Wide bias, unsigned width, unsigned bits) {
  Interval sums = signedInterval(width);
  return signedInterval(bits).contains(sums + bias) &&
         signedInterval(bits).contains(bias);
}

static LogicalResult followReader(FloatReader reader, unsigned width,
                                  ArrayRef<WeightChange> channels) {
  if (reader.bias) {
    DenseElementsAttr old;
    matchPattern(reader.bias->get(), m_Constant(&old));
    unsigned bits = old.getElementType().getIntOrFloatBitWidth();
    SmallVector<APInt> bias;
    for (auto [channel, value] : llvm::enumerate(old.getValues<APInt>())) {
      Wide sum = channels[channel].bias(value.getSExtValue());
      if (!fitsBeside(sum, width, bits))
        return reader.op.emitError() << "the bias of channel " << channel
                                     << " leaves " << bits << " bits";
      bias.emplace_back(bits, static_cast<uint64_t>(sum), /*isSigned=*/true,
                        /*implicitTrunc=*/true);
    }
    setConstant(*reader.bias, DenseElementsAttr::get(old.getType(), bias));
  }
  if (!reader.scale)
    return success();
  DenseElementsAttr old;
  matchPattern(reader.scale->get(), m_Constant(&old));
  SmallVector<float> scales;
  for (auto [channel, value] : llvm::enumerate(old.getValues<float>())) {
    scales.push_back(static_cast<float>(value * channels[channel].scale));
    if (!std::isfinite(scales.back()))
      return reader.op.emitError()
             << "the scale of channel " << channel << " leaves f32";
  }
  setConstant(*reader.scale,
              DenseElementsAttr::get(old.getType(), ArrayRef<float>(scales)));
  return success();
}

//===----------------------------------------------------------------------===//
// All readers
//===----------------------------------------------------------------------===//

Operation *a2q::cannotFollow(AccumulatingOpInterface op, bool bias,
                             bool scale) {
  for (Operation *user : op->getResult(0).getUsers()) {
    if (auto requantize = dyn_cast<RequantizeOp>(user)) {
      if (scale && requantize.getShiftAttr())
        return user;
      continue;
    }
    if (!bias && !scale)
      continue;
    if (!isa<DecodeOp>(user))
      return user;
    for (OpOperand &use : user->getResult(0).getUses()) {
      FloatReader reader = matchReader(use);
      if (!reader.op || (bias && !reader.bias) || (scale && !reader.scale))
        return user;
    }
  }
  return nullptr;
}

LogicalResult a2q::followWeights(AccumulatingOpInterface op, unsigned width,
                                 ArrayRef<WeightChange> channels) {
  for (Operation *user : op->getResult(0).getUsers()) {
    if (auto requantize = dyn_cast<RequantizeOp>(user)) {
      if (failed(followBias(requantize, channels)) ||
          failed(followScale(requantize, channels)))
        return failure();
      continue;
    }
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : user->getResult(0).getUses())
      uses.push_back(&use);
    for (OpOperand *use : uses)
      if (failed(followReader(matchReader(*use), width, channels)))
        return failure();
  }
  return success();
}
