//===- Epilogue.cpp - From sums to codes, in registers ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arithmetic is that of a2q/Math/Requantization.h, in the same order. Two
// liberties keep the results:
//
// - Values are clamped to [lo - zero point, hi - zero point] before they are
//   rounded instead of after. The ends are integers and rounding is monotone.
// - Rounding calls no library: half to even adds and subtracts 1.5 * 2^23 (a
//   float then has no bits for a fraction), the other modes correct the
//   conversion to an integer, which truncates.
//
//===----------------------------------------------------------------------===//

#include "../RealToCode.h"
#include "Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// What is computed in which type
//===----------------------------------------------------------------------===//

static bool fits(Interval interval, unsigned width) {
  return signedInterval(width).contains(interval);
}

/// An integer constant per element: [1] or [C] becomes C values.
static SmallVector<int64_t> perChannel(ElementsAttr elements, size_t channels) {
  if (!elements)
    return SmallVector<int64_t>(channels, 0);
  SmallVector<int64_t> values = *integerElements(elements);
  if (values.size() == 1)
    values.resize(channels, values.front());
  return values;
}

IntegerType a2q::plainSumType(const Layer &layer) {
  Interval all = layer.sums(0);
  for (int64_t c = 1; c < layer.allChannels(); ++c)
    all = join(all, layer.sums(c));
  unsigned width = fits(all, 32) ? 32 : 64;
  return IntegerType::get(layer.op.getContext(), width);
}

LogicalResult Epilogue::init(Operation *consumer, ArrayRef<Interval> sums,
                             ArrayRef<Wide> startSums, Location loc) {
  MLIRContext *context = loc.getContext();
  size_t channels = sums.size();
  SmallVector<int64_t> bias(channels, 0);
  if (consumer && (requantize = dyn_cast<RequantizeOp>(consumer)))
    bias = perChannel(requantize.getBiasAttr(), channels);
  Interval all = sums[0] + bias[0];
  Interval beforeBias = sums[0];
  for (size_t c = 0; c < channels; ++c) {
    all = join(all, sums[c] + bias[c]);
    beforeBias = join(beforeBias, sums[c]);
    Wide offset = bias[c] - startSums[c];
    if (!fits({offset, offset}, 64))
      return emitError(loc)
             << "channel " << c << " has starts and a bias that add up to "
             << toString(offset) << ", beyond 64 bits";
    offsets.push_back(static_cast<int64_t>(offset));
    hasOffsets |= offset != 0;
  }
  if (!fits(all, 64))
    return emitError(loc) << "sums with bias reach [" << toString(all.lo)
                          << ", " << toString(all.hi) << "], beyond 64 bits";
  sumType = IntegerType::get(context, fits(all, 32) ? 32 : 64);
  if (requantize) {
    quant::QuantizedType codes = getQuantizedType(requantize.getType());
    resultType = IntegerType::get(context, codeBits(codes));
    return success();
  }
  resultType = sumType;
  if (!consumer)
    return success();
  resultType =
      cast<IntegerType>(getElementTypeOrSelf(consumer->getResult(0).getType()));
  if (!fits(beforeBias, resultType.getWidth())) {
    InFlightDiagnostic diagnostic = emitError(consumer->getLoc())
                                    << "sums reach [" << toString(beforeBias.lo)
                                    << ", " << toString(beforeBias.hi)
                                    << "], which " << resultType
                                    << " does not hold";
    diagnostic.attachNote() << "decode to a wider integer; starts are not part "
                               "of the decoded sum";
    return failure();
  }
  return success();
}

FailureOr<Epilogue> Epilogue::get(const Layer &layer, const Plan &plan,
                                  Operation *consumer) {
  SmallVector<Interval> sums;
  SmallVector<Wide> starts;
  for (int64_t c = 0; c < layer.allChannels(); ++c) {
    sums.push_back(layer.sums(c));
    starts.push_back(plan.schedule.startSum(c));
  }
  Epilogue epilogue;
  if (failed(epilogue.init(consumer, sums, starts, layer.op.getLoc())))
    return failure();
  return epilogue;
}

FailureOr<Epilogue> Epilogue::getPlain(const Layer &layer, const Plan &plan) {
  return get(layer, plan, nullptr);
}

FailureOr<Epilogue> Epilogue::getUnfused(Operation *consumer,
                                         ArrayRef<Interval> sums) {
  Epilogue epilogue;
  SmallVector<Wide> starts(sums.size(), 0);
  if (failed(epilogue.init(consumer, sums, starts, consumer->getLoc())))
    return failure();
  return epilogue;
}

//===----------------------------------------------------------------------===//
// Values of any shape
//===----------------------------------------------------------------------===//

static Value splatInt(OpBuilder &b, Location loc, Value value, int64_t number) {
  Type element = getElementTypeOrSelf(value.getType());
  APInt bits(element.getIntOrFloatBitWidth(), number, /*isSigned=*/true);
  return splat(b, loc, value, b.getIntegerAttr(element, bits));
}

/// A signed integer of another width; values that are known to fit.
static Value resize(OpBuilder &b, Location loc, Value value, Type element) {
  unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  unsigned to = element.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtSIOp::create(b, loc, like(value, element), value);
  if (from > to)
    return arith::TruncIOp::create(b, loc, like(value, element), value);
  return value;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

void Epilogue::prepare(OpBuilder &builder, Location loc,
                       const ChannelConstants &constants) {
  auto integers = [&](ArrayRef<int64_t> values, Type type) {
    SmallVector<Attribute> attrs;
    for (int64_t value : values)
      attrs.push_back(builder.getIntegerAttr(
          type, APInt(type.getIntOrFloatBitWidth(), value, /*isSigned=*/true,
                      /*implicitTrunc=*/true)));
    return constants(attrs, type);
  };
  if (hasOffsets)
    offset = integers(offsets, sumType);
  if (!requantize)
    return;
  if (!requantize.getShiftAttr()) {
    SmallVector<Attribute> attrs;
    for (const APFloat &value :
         requantize.getMultiplierAttr().getValues<APFloat>())
      attrs.push_back(builder.getFloatAttr(builder.getF32Type(), value));
    multiplier = constants(attrs, builder.getF32Type());
    return;
  }
  // sum * multiplier + half stays within 63 bits for 32-bit sums.
  Type type = builder.getIntegerType(sumType.getWidth() == 32 ? 64 : 128);
  SmallVector<int64_t> shifts =
      perChannel(requantize.getShiftAttr(), offsets.size());
  multiplier = integers(
      perChannel(requantize.getMultiplierAttr(), offsets.size()), type);
  shift = integers(shifts, type);
  auto mapped = [&](function_ref<int64_t(int64_t)> f) {
    return integers(llvm::map_to_vector(shifts, f), type);
  };
  half = mapped([](int64_t s) { return s ? int64_t(1) << (s - 1) : 0; });
  mask = mapped([](int64_t s) { return (int64_t(1) << s) - 1; });
  adjust = mapped([](int64_t s) { return s ? 1 : 0; });
  nudge = mapped([](int64_t s) { return s > 31 ? int64_t(1) << 30 : 0; });
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value Epilogue::apply(OpBuilder &b, Location loc, Value accumulator) const {
  // Modulo 2^bits of the sum's type, which holds the result.
  Value sum = resize(b, loc, accumulator, sumType);
  if (hasOffsets)
    sum = arith::AddIOp::create(b, loc, sum, offset);
  if (!requantize)
    return resize(b, loc, sum, resultType);
  if (requantize.getShiftAttr())
    return requantizeFixed(b, loc, sum);
  return requantizeFloat(b, loc, sum);
}

Value Epilogue::requantizeFloat(OpBuilder &b, Location loc, Value sum) const {
  quant::QuantizedType type = getQuantizedType(requantize.getType());
  a2q::Range codes = codeRange(type);
  int64_t zero = zeroPoint(type);
  int64_t lo = codes.lo - zero, hi = codes.hi - zero;
  Value real = arith::SIToFPOp::create(b, loc, like(sum, b.getF32Type()), sum);
  real = arith::MulFOp::create(b, loc, real, multiplier);
  // Where float cannot hold the ends exactly, double does.
  bool wide = std::max(-lo, hi) > (int64_t(1) << 22);
  if (wide)
    real = arith::ExtFOp::create(b, loc, like(real, b.getF64Type()), real);
  real = clampReal(b, loc, real, lo, hi);
  Type integer = b.getIntegerType(wide ? 64 : 32);
  Value code = roundToInteger(b, loc, real, integer, requantize.getRounding());
  if (zero != 0)
    code = arith::AddIOp::create(b, loc, code, splatInt(b, loc, code, zero));
  return resize(b, loc, code, resultType);
}

Value Epilogue::requantizeFixed(OpBuilder &b, Location loc, Value sum) const {
  RequantizeOp op = requantize;
  quant::QuantizedType codesType = getQuantizedType(op.getType());
  a2q::Range codes = codeRange(codesType);
  int64_t zero = zeroPoint(codesType);
  Type element = getElementTypeOrSelf(multiplier.getType());
  Value product =
      arith::MulIOp::create(b, loc, resize(b, loc, sum, element), multiplier);
  auto negative = [&] {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, product,
                                 splatInt(b, loc, product, 0));
  };
  auto add = [&](Value addend) {
    product = arith::AddIOp::create(b, loc, product, addend);
  };
  switch (op.getRounding()) {
  case Rounding::Floor:
    break;
  case Rounding::HalfUp:
    add(half);
    break;
  case Rounding::Double: {
    Value down = arith::SubIOp::create(b, loc, half, nudge);
    Value up = arith::AddIOp::create(b, loc, half, nudge);
    add(arith::SelectOp::create(b, loc, negative(), down, up));
    break;
  }
  case Rounding::TowardZero: {
    Value none = splatInt(b, loc, product, 0);
    add(arith::SelectOp::create(b, loc, negative(), mask, none));
    break;
  }
  case Rounding::HalfAway: {
    Value none = splatInt(b, loc, product, 0);
    Value less = arith::SelectOp::create(b, loc, negative(), adjust, none);
    add(arith::SubIOp::create(b, loc, half, less));
    break;
  }
  case Rounding::HalfEven: {
    // floor(p + half - 1 + (quotient is odd)), for shifts above 0.
    Value quotient = arith::ShRSIOp::create(b, loc, product, shift);
    Value odd = arith::AndIOp::create(b, loc, quotient, adjust);
    add(arith::AddIOp::create(
        b, loc, arith::SubIOp::create(b, loc, half, adjust), odd));
    break;
  }
  }
  Value code = arith::ShRSIOp::create(b, loc, product, shift);
  code = arith::AddIOp::create(b, loc, code, splatInt(b, loc, code, zero));
  code = arith::MaxSIOp::create(b, loc, code, splatInt(b, loc, code, codes.lo));
  code = arith::MinSIOp::create(b, loc, code, splatInt(b, loc, code, codes.hi));
  return resize(b, loc, code, resultType);
}
