//===- RealRanges.cpp - Ranges of float32 values --------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a residual add between dequantize and quantize needs. Rounding to
// float32 is monotone, so the ends of a monotone op, computed in float32 as the
// program computes them, bound every result exactly: nothing is rounded
// outward. An end that overflows makes the range unknown, and with finite ends
// there is no NaN.
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace a2q;

using MaybeReal = std::optional<RealRange>;

/// The smallest range of values that are monotone in each operand, from the
/// four corners.
template <typename Function>
static RealRange corners(RealRange a, RealRange b, Function function) {
  auto [lo, hi] = std::minmax({function(a.lo, b.lo), function(a.lo, b.hi),
                               function(a.hi, b.lo), function(a.hi, b.hi)});
  return {lo, hi};
}

static MaybeReal divide(RealRange a, RealRange b) {
  if (b.lo <= 0 && b.hi >= 0)
    return std::nullopt;
  return corners(a, b, [](float x, float y) { return x / y; });
}

static MaybeReal binary(Operation *op, RealRange a, RealRange b) {
  return TypeSwitch<Operation *, MaybeReal>(op)
      .Case<arith::AddFOp, tosa::AddOp>(
          [&](auto) { return RealRange{a.lo + b.lo, a.hi + b.hi}; })
      .Case<arith::SubFOp, tosa::SubOp>(
          [&](auto) { return RealRange{a.lo - b.hi, a.hi - b.lo}; })
      .Case([&](arith::MulFOp) {
        return corners(a, b, [](float x, float y) { return x * y; });
      })
      .Case([&](arith::DivFOp) { return divide(a, b); })
      .Case<arith::MaximumFOp, arith::MaxNumFOp, tosa::MaximumOp>([&](auto) {
        return RealRange{std::max(a.lo, b.lo), std::max(a.hi, b.hi)};
      })
      .Case<arith::MinimumFOp, arith::MinNumFOp, tosa::MinimumOp>([&](auto) {
        return RealRange{std::min(a.lo, b.lo), std::min(a.hi, b.hi)};
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// Ends may be infinite, which is how a Relu is written.
static MaybeReal clamped(tosa::ClampOp op, RealRange a) {
  auto lo = dyn_cast<FloatAttr>(op.getMinVal());
  auto hi = dyn_cast<FloatAttr>(op.getMaxVal());
  if (!lo || !hi)
    return std::nullopt;
  float least = lo.getValue().convertToFloat();
  float most = hi.getValue().convertToFloat();
  return RealRange{std::min(std::max(a.lo, least), most),
                   std::min(std::max(a.hi, least), most)};
}

/// Rounding to integers, which is monotone; none of the modes leaves float32.
static MaybeReal rounded(Operation *op, RealRange a) {
  return TypeSwitch<Operation *, MaybeReal>(op)
      .Case([&](math::RoundEvenOp) {
        return RealRange{std::nearbyint(a.lo), std::nearbyint(a.hi)};
      })
      .Case([&](math::RoundOp) {
        return RealRange{std::round(a.lo), std::round(a.hi)};
      })
      .Case([&](math::FloorOp) {
        return RealRange{std::floor(a.lo), std::floor(a.hi)};
      })
      .Case([&](math::CeilOp) {
        return RealRange{std::ceil(a.lo), std::ceil(a.hi)};
      })
      .Case([&](math::TruncOp) {
        return RealRange{std::trunc(a.lo), std::trunc(a.hi)};
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// A choice between the two values that were compared is the smaller or the
/// larger of them: both have ranges, so neither is NaN. Any other choice is one
/// of both.
static MaybeReal chosen(arith::SelectOp op, RealRange whenTrue,
                        RealRange whenFalse) {
  auto compare = op.getCondition().getDefiningOp<arith::CmpFOp>();
  RealRange either = {std::min(whenTrue.lo, whenFalse.lo),
                      std::max(whenTrue.hi, whenFalse.hi)};
  if (!compare)
    return either;
  Value lhs = compare.getLhs(), rhs = compare.getRhs();
  bool inOrder = lhs == op.getTrueValue() && rhs == op.getFalseValue();
  bool swapped = rhs == op.getTrueValue() && lhs == op.getFalseValue();
  if (!inOrder && !swapped)
    return either;
  bool takesLess;
  switch (compare.getPredicate()) {
  case arith::CmpFPredicate::OLT:
  case arith::CmpFPredicate::OLE:
  case arith::CmpFPredicate::ULT:
  case arith::CmpFPredicate::ULE:
    takesLess = inOrder;
    break;
  case arith::CmpFPredicate::OGT:
  case arith::CmpFPredicate::OGE:
  case arith::CmpFPredicate::UGT:
  case arith::CmpFPredicate::UGE:
    takesLess = swapped;
    break;
  default:
    return either;
  }
  if (takesLess)
    return RealRange{std::min(whenTrue.lo, whenFalse.lo),
                     std::min(whenTrue.hi, whenFalse.hi)};
  return RealRange{std::max(whenTrue.lo, whenFalse.lo),
                   std::max(whenTrue.hi, whenFalse.hi)};
}

/// A real number as an integer: what does not fit the type is poison.
static Results integerState(Operation *op, StateLookup states) {
  MaybeReal real = states(op->getOperand(0)).getReal();
  unsigned width = patternWidth(op->getResult(0).getType());
  bool isSigned = isa<arith::FPToSIOp>(op);
  if (!real || width == 0 || width > 64)
    return std::nullopt;
  float lo = std::trunc(real->lo), hi = std::trunc(real->hi);
  float least = isSigned ? -std::ldexp(1.0f, width - 1) : 0.0f;
  float beyond = std::ldexp(1.0f, isSigned ? width - 1 : width);
  if (lo < least || hi >= beyond)
    return std::nullopt;
  Interval values = {static_cast<Wide>(lo), static_cast<Wide>(hi)};
  return SmallVector<RangeState, 1>{RangeState::uniform(bitsOf(values, width))};
}

/// All of these values; unknown when there are none, or one is not finite.
template <typename Values> static RangeState rangeOfAll(Values &&values) {
  std::optional<RealRange> range;
  for (float value : values) {
    if (!std::isfinite(value))
      return RangeState::notInteger();
    if (!range)
      range = {value, value};
    *range = {std::min(range->lo, value), std::max(range->hi, value)};
  }
  return range ? RangeState::ofReal(*range) : RangeState::notInteger();
}

/// The values of a float32 constant; unknown when one is not finite.
static RangeState constantState(Attribute constant) {
  if (auto value = dyn_cast<FloatAttr>(constant)) {
    float real = value.getValue().convertToFloat();
    return RangeState::ofReal({real, real});
  }
  if (auto resource = dyn_cast<DenseF32ResourceElementsAttr>(constant)) {
    std::optional<ArrayRef<float>> values = resource.tryGetAsArrayRef();
    return values ? rangeOfAll(*values) : RangeState::notInteger();
  }
  auto elements = dyn_cast<ElementsAttr>(constant);
  if (!elements)
    return RangeState::notInteger();
  auto values = elements.tryGetValues<float>();
  return values ? rangeOfAll(*values) : RangeState::notInteger();
}

/// An integer in float32, rounded to nearest.
static RangeState convert(const RangeState &input, bool isSigned) {
  std::optional<ElementRanges> ranges = input.toRanges(isSigned);
  if (!ranges)
    return RangeState::notInteger();
  a2q::Range all = ranges->joined();
  return RangeState::ofReal(
      {static_cast<float>(all.lo), static_cast<float>(all.hi)});
}

static RangeState resultState(Operation *op, StateLookup states) {
  if (isa<arith::SIToFPOp, arith::UIToFPOp>(op))
    return convert(states(op->getOperand(0)), isa<arith::SIToFPOp>(op));
  auto known = [](MaybeReal result) {
    return result ? RangeState::ofReal(*result) : RangeState::notInteger();
  };
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    MaybeReal whenTrue = states(select.getTrueValue()).getReal();
    MaybeReal whenFalse = states(select.getFalseValue()).getReal();
    return known(whenTrue && whenFalse ? chosen(select, *whenTrue, *whenFalse)
                                       : std::nullopt);
  }
  MaybeReal a = states(op->getOperand(0)).getReal();
  if (isa<math::MathDialect>(op->getDialect()))
    return known(a ? rounded(op, *a) : std::nullopt);
  if (auto clamp = dyn_cast<tosa::ClampOp>(op))
    return known(a ? clamped(clamp, *a) : std::nullopt);
  if (isa<arith::NegFOp>(op) && a)
    return RangeState::ofReal({-a->hi, -a->lo});
  MaybeReal b = op->getNumOperands() == 2 ? states(op->getOperand(1)).getReal()
                                          : std::nullopt;
  return known(a && b ? binary(op, *a, *b) : std::nullopt);
}

Results a2q::transferReal(Operation *op, StateLookup states) {
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op))
    return integerState(op, states);
  if (op->getNumResults() != 1 ||
      !getElementTypeOrSelf(op->getResult(0).getType()).isF32())
    return std::nullopt;
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant)))
    return SmallVector<RangeState, 1>{constantState(constant)};
  if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
           arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp,
           arith::MinNumFOp, arith::NegFOp, arith::SIToFPOp, arith::UIToFPOp,
           arith::SelectOp, math::RoundEvenOp, math::RoundOp, math::FloorOp,
           math::CeilOp, math::TruncOp, tosa::AddOp, tosa::SubOp,
           tosa::MaximumOp, tosa::MinimumOp, tosa::ClampOp>(op))
    return std::nullopt;
  return SmallVector<RangeState, 1>{resultState(op, states)};
}
