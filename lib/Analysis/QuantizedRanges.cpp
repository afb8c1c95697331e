//===- QuantizedRanges.cpp - Ranges through quantized ops -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "a2q/Analysis/Accumulators.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;

using Bits = RangeState::Bits;

/// An integer parameter that is shared by all channels or one per channel.
static int64_t perChannel(ArrayRef<int64_t> values, int64_t channel) {
  return values.size() == 1 ? values.front() : values[channel];
}

namespace {
/// The parameters of a requantize op as integers and floats.
struct Requantizer {
  SmallVector<float> factors;
  SmallVector<int64_t> multipliers, shifts, bias;
  int64_t zero;
  Range codes;
  Rounding rounding;

  /// Failure when a resource is absent.
  static FailureOr<Requantizer> of(RequantizeOp op);

  /// The code of one sum; `bias` is included here.
  int64_t code(int64_t channel, int64_t accumulator) const {
    Wide sum =
        Wide(accumulator) + (bias.empty() ? 0 : perChannel(bias, channel));
    if (factors.empty())
      return requantize(sum, perChannel(multipliers, channel),
                        static_cast<unsigned>(perChannel(shifts, channel)),
                        zero, codes, rounding);
    return requantize(sum, factors[factors.size() == 1 ? 0 : channel], zero,
                      codes, rounding);
  }
  bool isPerChannel() const {
    return std::max({factors.size(), multipliers.size(), shifts.size(),
                     bias.size()}) > 1;
  }
};
} // namespace

FailureOr<Requantizer> Requantizer::of(RequantizeOp op) {
  Requantizer result;
  auto type = getQuantizedType(op.getType());
  result.zero = zeroPoint(type);
  result.codes = codeRange(type);
  result.rounding = op.getRounding();
  auto read = [](ElementsAttr elements, SmallVector<int64_t> &into) {
    if (!elements)
      return success();
    FailureOr<SmallVector<int64_t>> values = integerElements(elements);
    if (failed(values))
      return failure();
    into = std::move(*values);
    return success();
  };
  if (failed(read(op.getBiasAttr(), result.bias)) ||
      failed(read(op.getShiftAttr(), result.shifts)))
    return failure();
  if (!op.getMultiplierAttr().getElementType().isF32())
    return failed(read(op.getMultiplierAttr(), result.multipliers))
               ? FailureOr<Requantizer>()
               : result;
  auto values = op.getMultiplierAttr().tryGetValues<APFloat>();
  if (!values)
    return failure();
  for (const APFloat &value : *values)
    result.factors.push_back(value.convertToFloat());
  return result;
}

/// Codes grow with the sum (multipliers are positive, clamping and rounding are
/// monotone), so the ends of the sum give the ends of the codes, per channel.
static RangeState requantizeState(RequantizeOp op, const RangeState &input) {
  RangeState all = RangeState::ofType(op.getType());
  FailureOr<Requantizer> requantizer = Requantizer::of(op);
  std::optional<ElementRanges> sums = input.toRanges(/*isSigned=*/true);
  auto type = cast<RankedTensorType>(op.getType());
  int64_t axis = type.getRank() - 1;
  // A whole 64-bit range means that nothing is known of the sum.
  if (failed(requantizer) || !sums ||
      input == RangeState::ofType(op.getInput().getType()))
    return all;
  bool along = !sums->isUniform() && sums->axis == axis;
  Range joined = sums->joined();
  int64_t channels =
      along || requantizer->isPerChannel() ? type.getDimSize(axis) : 1;
  if (ShapedType::isDynamic(channels) || channels == 0)
    return all;
  SmallVector<Bits, 1> bits;
  for (int64_t channel = 0; channel < channels; ++channel) {
    Range sum = along ? sums->at(channel) : joined;
    bits.push_back(bitsOf(Interval{requantizer->code(channel, sum.lo),
                                   requantizer->code(channel, sum.hi)},
                          patternWidth(type)));
  }
  return RangeState::perIndex(axis, std::move(bits));
}

/// The complete sums of an accumulating op, per channel. They are the result
/// only if it can hold them: a narrower integer wraps.
static RangeState accumulatedState(AccumulatingOpInterface op,
                                   StateLookup states) {
  Type type = op->getResult(0).getType();
  RangeState all = RangeState::ofType(type);
  bool waiting = false;
  auto lookup = [&](Value value, bool unsignedSignless) {
    const RangeState &state = states(value);
    waiting |= state.isUninitialized();
    return state.toRanges(readsSigned(value.getType(), unsignedSignless));
  };
  std::string reason;
  FailureOr<AccumulatingOp> accumulating = analyzeAccumulator(
      op, lookup, [&](Value value) { return states(value).getFact().get(); },
      reason);
  if (waiting)
    return {};
  if (failed(accumulating) || all.getWidth() > 64)
    return all;
  SmallVector<Bits, 1> bits;
  for (int64_t c = 0; c < accumulating->problem.channels; ++c) {
    Interval sum = accumulating->sum(c);
    if (!signedInterval(all.getWidth()).contains(sum))
      return all;
    bits.push_back(bitsOf(sum, all.getWidth()));
  }
  int64_t axis = op.getChannelAxis();
  RangeState result = RangeState::perIndex(axis, bits);
  bool known = axis >= 0 && axis < cast<ShapedType>(type).getRank() &&
               cast<ShapedType>(type).getDimSize(axis) == result.size();
  return result.isUniform() || known ? result
                                     : RangeState::uniform(result.joined());
}

/// Sums as plain integers, which are at least as wide as the type says; if the
/// type says too little, the sums wrap.
static RangeState decodeState(DecodeOp op, const RangeState &input) {
  RangeState all = RangeState::ofType(op.getType());
  std::optional<ElementRanges> sums = input.toRanges(/*isSigned=*/true);
  if (!sums || all.getWidth() > 64)
    return all;
  SmallVector<Bits, 1> bits;
  for (Range sum : sums->ranges) {
    if (!signedInterval(all.getWidth()).contains(Interval{sum.lo, sum.hi}))
      return all;
    bits.push_back(bitsOf(Interval{sum.lo, sum.hi}, all.getWidth()));
  }
  return RangeState::perIndex(sums->axis, std::move(bits));
}

/// Codes grow with the value: its ends give theirs, for each scale.
static RangeState quantizeState(QuantizeOp op, const RangeState &input) {
  std::optional<RealRange> real = input.getReal();
  quant::QuantizedType type = getQuantizedType(op.getType());
  if (!real)
    return RangeState::ofType(op.getType());
  SmallVector<Bits, 1> bits;
  for (auto [scale, zero] : llvm::zip_equal(scales(type), zeroPoints(type))) {
    auto code = [&, scale = scale, zero = zero](float value) {
      return quantize(value, scale, zero, codeRange(type), op.getRounding());
    };
    bits.push_back(
        bitsOf(Interval{code(real->lo), code(real->hi)}, patternWidth(type)));
  }
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type);
  return perAxis ? RangeState::perIndex(perAxis.getQuantizedDimension(),
                                        std::move(bits))
                 : RangeState::uniform(bits.front());
}

/// `float32(code - zero) * scale` grows with the code.
static RangeState dequantizeState(DequantizeOp op, const RangeState &input) {
  quant::QuantizedType type = getQuantizedType(op.getInput().getType());
  std::optional<ElementRanges> codes = input.toRanges(type.isSigned());
  if (!codes)
    return RangeState::notInteger();
  Range all = codes->joined();
  RangeState state;
  for (auto [scale, zero] : llvm::zip_equal(scales(type), zeroPoints(type))) {
    auto real = [scale = static_cast<float>(scale), zero = zero](int64_t code) {
      return static_cast<float>(code - zero) * scale;
    };
    state = RangeState::join(state,
                             RangeState::ofReal({real(all.lo), real(all.hi)}));
  }
  return state;
}

Results a2q::transferQuantized(Operation *op, StateLookup states) {
  auto one = [](RangeState state) -> Results {
    return SmallVector<RangeState, 1>{std::move(state)};
  };
  if (auto accumulating = dyn_cast<AccumulatingOpInterface>(op);
      accumulating && accumulating.isAccumulating() && op->getNumResults() == 1)
    return one(accumulatedState(accumulating, states));
  return TypeSwitch<Operation *, Results>(op)
      .Case([&](RequantizeOp requantize) {
        return one(requantizeState(requantize, states(requantize.getInput())));
      })
      .Case([&](DecodeOp decode) {
        return one(decodeState(decode, states(decode.getInput())));
      })
      // The same bits. What a quantized type cannot store does not occur.
      .Case([&](quant::StorageCastOp cast) {
        return one(states(cast.getInput()));
      })
      .Case([&](QuantizeOp quantize) {
        return one(quantizeState(quantize, states(quantize.getInput())));
      })
      .Case([&](DequantizeOp dequantize) {
        return one(dequantizeState(dequantize, states(dequantize.getInput())));
      })
      .Default([](Operation *) { return Results(); });
}
