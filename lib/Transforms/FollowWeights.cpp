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
#include <functional>

using namespace mlir;
using namespace a2q;

Wide WeightChange::bias(Wide old) const {
  Wide real = old + before;
  if (scale != 1 || shift != 0)
    real = static_cast<Wide>(std::nearbyint(std::clamp(
        (static_cast<double>(real) + shift) / scale, -0x1p100, 0x1p100)));
  return real - after;
}

double WeightChange::remainder(Wide old, Wide rounded) const {
  return static_cast<double>(old + before) + shift -
         scale * static_cast<double>(rounded + after);
}

/// What is to be done once nothing can fail any more.
using Edits = SmallVector<std::function<void()>>;

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
                                ArrayRef<WeightChange> channels, Edits &edits) {
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
  ElementsAttr attr = biasAttr(
      builder, op.getBiasAttr() ? op.getBiasAttr().getElementType() : Type(),
      bias);
  edits.push_back([=]() mutable { op.setBiasAttr(attr); });
  return success();
}

/// Multiplies the multiplier by the factors of the weights' scales.
static LogicalResult
followScale(RequantizeOp op, ArrayRef<WeightChange> channels, Edits &edits) {
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
  auto attr = DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(multiplier.size())},
                            Float32Type::get(op.getContext())),
      ArrayRef<float>(multiplier));
  edits.push_back([=]() mutable { op.setMultiplierAttr(attr); });
  return success();
}

//===----------------------------------------------------------------------===//
// float(sum + bias) * scale + real bias
//===----------------------------------------------------------------------===//

namespace {
/// A generic op that turns decoded sums into reals.
struct FloatReader {
  linalg::GenericOp op;
  OpOperand *bias = nullptr;     ///< constant integers per channel, or null
  OpOperand *scale = nullptr;    ///< constant f32 per channel, or null
  OpOperand *realBias = nullptr; ///< the same; only with a scale

  bool canShift() const { return bias || realBias; }
};
} // namespace

/// The operand behind a block argument, if it is a constant along the last
/// dimension of the op, and nothing else in the body reads it.
static OpOperand *channelConstant(linalg::GenericOp op, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBody() ||
      argument.getArgNumber() >= op.getNumDpsInputs() || !argument.hasOneUse())
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

/// Matches a body that begins with `float(sum + bias) * scale + real bias`,
/// whatever the order of operands.
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
  auto multiply = dyn_cast<arith::MulFOp>(*toFloat->user_begin());
  if (!multiply)
    return reader;
  reader.scale = channelConstant(op, otherOperand(multiply, toFloat));
  if (!reader.scale || !multiply->hasOneUse())
    return reader;
  if (auto add = dyn_cast<arith::AddFOp>(*multiply->user_begin()))
    reader.realBias = channelConstant(op, otherOperand(add, multiply));
  return reader;
}

static void setConstant(OpOperand &operand, DenseElementsAttr elements) {
  OpBuilder builder(operand.getOwner());
  Operation *old = operand.get().getDefiningOp();
  operand.set(arith::ConstantOp::create(builder, operand.get().getLoc(),
                                        cast<TypedAttr>(elements)));
  if (isOpTriviallyDead(old))
    old->erase();
}

/// Bits that the bias may have beside sums of the accumulator's width.
static bool fitsBeside(Wide bias, unsigned width, unsigned bits) {
  Interval sums = signedInterval(width);
  return signedInterval(bits).contains(sums + bias) &&
         signedInterval(bits).contains(bias);
}

/// The elements of a constant that is one per channel.
static DenseElementsAttr constantOf(OpOperand *operand) {
  DenseElementsAttr elements;
  if (operand)
    matchPattern(operand->get(), m_Constant(&elements));
  return elements;
}

static LogicalResult leavesFloats(Operation *op, const Twine &what,
                                  int64_t channel) {
  return op->emitError() << "the " << what << " of channel " << channel
                         << " leaves f32";
}

namespace {
/// New constants of a FloatReader, channel by channel.
class ReaderUpdate {
public:
  ReaderUpdate(FloatReader reader, unsigned width)
      : reader(reader), width(width), bias(constantOf(reader.bias)),
        scale(constantOf(reader.scale)), realBias(constantOf(reader.realBias)) {
  }

  LogicalResult add(int64_t channel, const WeightChange &change);
  void finish(Edits &edits);

private:
  LogicalResult addReals(int64_t channel, const WeightChange &change, Wide old,
                         Wide rounded);

  FloatReader reader;
  unsigned width;
  DenseElementsAttr bias, scale, realBias;
  SmallVector<APInt> biases;
  SmallVector<float> scales, realBiases;
};
} // namespace

LogicalResult ReaderUpdate::add(int64_t channel, const WeightChange &change) {
  Wide old = 0, rounded = 0;
  if (bias) {
    old = bias.getValues<APInt>()[channel].getSExtValue();
    rounded = change.bias(old);
    unsigned bits = bias.getElementType().getIntOrFloatBitWidth();
    if (!fitsBeside(rounded, width, bits))
      return reader.op.emitError() << "the bias of channel " << channel
                                   << " leaves " << bits << " bits";
    biases.emplace_back(bits, static_cast<uint64_t>(rounded),
                        /*isSigned=*/true, /*implicitTrunc=*/true);
  }
  return scale ? addReals(channel, change, old, rounded) : success();
}

LogicalResult ReaderUpdate::addReals(int64_t channel,
                                     const WeightChange &change, Wide old,
                                     Wide rounded) {
  double unit = scale.getValues<float>()[channel];
  scales.push_back(static_cast<float>(unit * change.scale));
  if (!std::isfinite(scales.back()))
    return leavesFloats(reader.op, "scale", channel);
  if (!realBias)
    return success();
  double real = realBias.getValues<float>()[channel];
  if (!change.isNothing())
    real += unit * change.remainder(old, rounded);
  realBiases.push_back(static_cast<float>(real));
  if (!std::isfinite(realBiases.back()))
    return leavesFloats(reader.op, "bias", channel);
  return success();
}

void ReaderUpdate::finish(Edits &edits) {
  auto set = [&](OpOperand *operand, DenseElementsAttr elements) {
    edits.push_back([=] { setConstant(*operand, elements); });
  };
  if (bias)
    set(reader.bias, DenseElementsAttr::get(bias.getType(), biases));
  if (scale)
    set(reader.scale,
        DenseElementsAttr::get(scale.getType(), ArrayRef<float>(scales)));
  if (realBias)
    set(reader.realBias, DenseElementsAttr::get(realBias.getType(),
                                                ArrayRef<float>(realBiases)));
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
      if (!reader.op || (bias && !reader.canShift()) ||
          (scale && !reader.scale))
        return user;
    }
  }
  return nullptr;
}

LogicalResult a2q::followWeights(AccumulatingOpInterface op, unsigned width,
                                 ArrayRef<WeightChange> channels) {
  Edits edits;
  for (Operation *user : op->getResult(0).getUsers()) {
    if (auto requantize = dyn_cast<RequantizeOp>(user)) {
      if (failed(followBias(requantize, channels, edits)) ||
          failed(followScale(requantize, channels, edits)))
        return failure();
      continue;
    }
    for (OpOperand &use : user->getResult(0).getUses()) {
      FloatReader reader = matchReader(use);
      if (!reader.op)
        continue;
      ReaderUpdate update(reader, width);
      for (auto [channel, change] : llvm::enumerate(channels))
        if (failed(update.add(channel, change)))
          return failure();
      update.finish(edits);
    }
  }
  for (const std::function<void()> &edit : edits)
    edit();
  return success();
}
