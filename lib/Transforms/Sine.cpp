//===- Sine.cpp - Sine and cosine of any argument -------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An argument is n quarter turns and a rest r of at most an eighth turn; sine
// and cosine are polynomials of r, and n says which of the two and its sign.
// What is hard is r: in float32 nothing of it is right beyond some thousands.
//
// Below 2^27 the rest is a difference in float64: n has 27 bits and the first
// part of pi / 2 has 25, so that their product is exact.
//
// From there on, with x = m * 2^s and integers m < 2^24, s >= 4, the quarter
// turns are m * (2^s * 2 / pi). What is a multiple of 4 in the second factor
// does not matter, so it is 96 bits of 2 / pi from bit s - 2 on, and three
// products of 32 bits give the turns modulo 4 in 64 bits, exactly but for what
// is beyond the 96 (M. Payne, R. Hanek: Radian reduction for trigonometric
// functions, 1983).
//
//===----------------------------------------------------------------------===//

#include "Sine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;

namespace {
/// Arithmetic on values of one shape: scalars, or vectors.
class Shaped {
public:
  Shaped(ImplicitLocOpBuilder &b, Type like) : b(b), like(like) {}

  Type type(Type element) const {
    if (auto vector = dyn_cast<VectorType>(like))
      return vector.clone(element);
    return element;
  }
  Type f32() const { return type(b.getF32Type()); }
  Type f64() const { return type(b.getF64Type()); }
  Type i32() const { return type(b.getI32Type()); }
  Type i64() const { return type(b.getI64Type()); }

  Value constant(TypedAttr element) const {
    if (auto vector = dyn_cast<VectorType>(like))
      return arith::ConstantOp::create(
          b, DenseElementsAttr::get(vector.clone(element.getType()),
                                    ArrayRef<Attribute>(element)));
    return arith::ConstantOp::create(b, element);
  }
  Value real(double value) const { return constant(b.getF64FloatAttr(value)); }
  Value wide(uint64_t value) const {
    return constant(b.getI64IntegerAttr(static_cast<int64_t>(value)));
  }
  Value narrow(int32_t value) const {
    return constant(b.getI32IntegerAttr(value));
  }

  template <typename Op, typename... Arguments>
  Value op(Arguments... arguments) const {
    return Op::create(b, arguments...);
  }
  Value add(Value x, Value y) const { return op<arith::AddFOp>(x, y); }
  Value sub(Value x, Value y) const { return op<arith::SubFOp>(x, y); }
  Value mul(Value x, Value y) const { return op<arith::MulFOp>(x, y); }
  Value select(Value condition, Value x, Value y) const {
    return op<arith::SelectOp>(condition, x, y);
  }

private:
  ImplicitLocOpBuilder &b;
  Type like;
};

/// Quarter turns modulo 4, an i32, and the rest in float64.
struct Turns {
  Value count, rest;
};
} // namespace

/// Of arguments below 2^27.
static Turns fewTurns(const Shaped &s, Value x) {
  Value magic = s.real(0x1.8p52);
  Value turns = s.sub(s.add(s.mul(x, s.real(2 / M_PI)), magic), magic);
  // pi / 2 in two parts.
  Value rest = s.sub(x, s.mul(turns, s.real(0x1.921fb5p0)));
  rest = s.sub(rest, s.mul(turns, s.real(0x1.110b4611a6263p-26)));
  return {s.op<arith::FPToSIOp>(s.i32(), turns), rest};
}

/// Of arguments from 2^4 * 2^23 on, by their bits; x is not negative.
static Turns manyTurns(const Shaped &s, Value bits) {
  static constexpr uint32_t twoOverPi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                           0xf534ddc0, 0xdb629599, 0x3c439041,
                                           0xfe5163ab};
  auto shifted = [&](Value x, int64_t by) {
    return s.op<arith::ShRUIOp>(x, s.wide(by));
  };
  Value pattern = s.op<arith::ExtUIOp>(s.i64(), bits);
  Value mantissa = s.op<arith::OrIOp>(
      s.op<arith::AndIOp>(pattern, s.wide(0x7fffff)), s.wide(0x800000));
  // The scale is the exponent less 150, and the first bit 2 before it.
  Value offset = s.op<arith::SubIOp>(shifted(pattern, 23), s.wide(152));
  offset = s.op<arith::AndIOp>(offset, s.wide(127));
  Value word = shifted(offset, 5);
  Value within = s.op<arith::AndIOp>(offset, s.wide(31));
  SmallVector<Value, 3> parts;
  for (unsigned part = 0; part < 3; ++part) {
    auto pair = [&](unsigned index) {
      return s.wide(uint64_t(twoOverPi[index]) << 32 | twoOverPi[index + 1]);
    };
    Value both = pair(part + 3);
    for (unsigned at : {2, 1, 0})
      both = s.select(
          s.op<arith::CmpIOp>(arith::CmpIPredicate::eq, word, s.wide(at)),
          pair(part + at), both);
    both = shifted(s.op<arith::ShLIOp>(both, within), 32);
    parts.push_back(s.op<arith::MulIOp>(mantissa, both));
  }
  Value turns = s.op<arith::AddIOp>(
      s.op<arith::AddIOp>(s.op<arith::ShLIOp>(parts[0], s.wide(32)), parts[1]),
      shifted(parts[2], 32));
  // Two bits are whole turns; half a turn more rounds to the nearest.
  Value count =
      shifted(s.op<arith::AddIOp>(turns, s.wide(uint64_t(1) << 61)), 62);
  Value rest =
      s.op<arith::SubIOp>(turns, s.op<arith::ShLIOp>(count, s.wide(62)));
  rest = s.mul(s.op<arith::SIToFPOp>(s.f64(), rest), s.real(M_PI_2 * 0x1p-62));
  return {s.op<arith::TruncIOp>(s.i32(), count), rest};
}

/// Taylor's sums; what is left out is below 3e-9 at an eighth turn.
static Value sineOf(const Shaped &s, Value r) {
  Value square = s.mul(r, r);
  Value sum = s.real(1.0 / 362880);
  for (double factor : {-1.0 / 5040, 1.0 / 120, -1.0 / 6, 1.0})
    sum = s.add(s.mul(sum, square), s.real(factor));
  return s.mul(sum, r);
}

static Value cosineOf(const Shaped &s, Value r) {
  Value square = s.mul(r, r);
  Value sum = s.real(-1.0 / 3628800);
  for (double factor : {1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5, 1.0})
    sum = s.add(s.mul(sum, square), s.real(factor));
  return sum;
}

namespace {
template <typename Op> struct ExpandSine : OpRewritePattern<Op> {
  ExpandSine(MLIRContext *context) : OpRewritePattern<Op>(context, 2) {}

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const final {
    Value x = op.getOperand();
    if (!getElementTypeOrSelf(x).isF32() ||
        !isa<FloatType, VectorType>(x.getType()))
      return rewriter.notifyMatchFailure(op, "is no float32 or vector of it");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Shaped s(b, x.getType());
    Value bits = s.op<arith::BitcastOp>(s.i32(), x);
    Value size = s.op<arith::AndIOp>(bits, s.narrow(0x7fffffff));
    // Patterns of numbers that are not negative are in their order.
    Value isMany = s.op<arith::CmpIOp>(arith::CmpIPredicate::uge, size,
                                       s.narrow((127 + 27) << 23));
    Value isFinite = s.op<arith::CmpIOp>(arith::CmpIPredicate::ult, size,
                                         s.narrow(255 << 23));
    Value isNegative =
        s.op<arith::CmpIOp>(arith::CmpIPredicate::slt, bits, s.narrow(0));
    Value exact = s.op<arith::ExtFOp>(s.f64(), x);
    Turns few = fewTurns(s, s.select(isMany, s.real(0), exact));
    Turns many = manyTurns(s, size);
    // -x has the opposite turns.
    many.count = s.select(
        isNegative, s.op<arith::SubIOp>(s.narrow(0), many.count), many.count);
    many.rest = s.select(isNegative, s.op<arith::NegFOp>(many.rest), many.rest);
    Value count = s.select(isMany, many.count, few.count);
    Value rest = s.select(isMany, many.rest, few.rest);
    // A cosine is the sine a quarter turn later.
    if (std::is_same_v<Op, math::CosOp>)
      count = s.op<arith::AddIOp>(count, s.narrow(1));
    auto hasBit = [&](int32_t bit) {
      return s.op<arith::CmpIOp>(arith::CmpIPredicate::ne,
                                 s.op<arith::AndIOp>(count, s.narrow(bit)),
                                 s.narrow(0));
    };
    Value result = s.select(hasBit(1), cosineOf(s, rest), sineOf(s, rest));
    result = s.select(hasBit(2), s.op<arith::NegFOp>(result), result);
    result = s.op<arith::TruncFOp>(s.f32(), result);
    // Infinities have none.
    rewriter.replaceOp(op, s.select(isFinite, result, s.sub(x, x)));
    return success();
  }
};
} // namespace

void a2q::populateSinePatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandSine<math::SinOp>, ExpandSine<math::CosOp>>(
      patterns.getContext());
}
