//===- RealToCode.cpp - Arithmetic between reals and codes ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RealToCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace a2q;

Type a2q::like(Value value, Type element) {
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    return vector.clone(element);
  return element;
}

Value a2q::splat(OpBuilder &b, Location loc, Value value, TypedAttr attr) {
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    attr =
        DenseElementsAttr::get(vector.clone(attr.getType()), Attribute(attr));
  return arith::ConstantOp::create(b, loc, attr);
}

Value a2q::splatFloat(OpBuilder &b, Location loc, Value value, double number) {
  Type element = getElementTypeOrSelf(value.getType());
  return splat(b, loc, value, b.getFloatAttr(element, number));
}

static Value compare(OpBuilder &b, Location loc, arith::CmpFPredicate predicate,
                     Value lhs, Value rhs) {
  return arith::CmpFOp::create(b, loc, predicate, lhs, rhs);
}

/// A comparison as the integer 0 or 1.
static Value truth(OpBuilder &b, Location loc, arith::CmpFPredicate predicate,
                   Value lhs, Value rhs, Type integer) {
  Value condition = compare(b, loc, predicate, lhs, rhs);
  return arith::ExtUIOp::create(b, loc, like(condition, integer), condition);
}

// Compare and select instead of minimumf and maximumf: one instruction on x86,
// whose minps and maxps have exactly this meaning.
Value a2q::clampReal(OpBuilder &b, Location loc, Value value, double lo,
                     double hi) {
  Value low = splatFloat(b, loc, value, lo);
  Value high = splatFloat(b, loc, value, hi);
  value = arith::SelectOp::create(
      b, loc, compare(b, loc, arith::CmpFPredicate::OGT, value, low), value,
      low);
  return arith::SelectOp::create(
      b, loc, compare(b, loc, arith::CmpFPredicate::OLT, value, high), value,
      high);
}

Value a2q::roundToInteger(OpBuilder &b, Location loc, Value value, Type integer,
                          Rounding rounding) {
  Type type = value.getType();
  Type result = like(value, integer);
  if (rounding == Rounding::HalfEven) {
    // The sum has no bits left for a fraction: the addition rounds it, and its
    // mantissa counts the integers from there.
    auto real = cast<FloatType>(getElementTypeOrSelf(type));
    double magic = real.isF64() ? 0x1.8p52 : 0x1.8p23;
    value =
        arith::AddFOp::create(b, loc, value, splatFloat(b, loc, value, magic));
    if (real.getWidth() != integer.getIntOrFloatBitWidth()) {
      value = arith::SubFOp::create(b, loc, value,
                                    splatFloat(b, loc, value, magic));
      return arith::FPToSIOp::create(b, loc, result, value);
    }
    Value bits = arith::BitcastOp::create(b, loc, result, value);
    APInt origin = cast<FloatAttr>(b.getFloatAttr(real, magic))
                       .getValue()
                       .bitcastToAPInt();
    return arith::SubIOp::create(
        b, loc, bits, splat(b, loc, bits, b.getIntegerAttr(integer, origin)));
  }
  Value number = arith::FPToSIOp::create(b, loc, result, value);
  if (rounding == Rounding::TowardZero)
    return number;
  Value whole = arith::SIToFPOp::create(b, loc, type, number);
  if (rounding == Rounding::HalfAway) {
    Value rest = arith::SubFOp::create(b, loc, value, whole);
    Value up = truth(b, loc, arith::CmpFPredicate::OGE, rest,
                     splatFloat(b, loc, value, 0.5), integer);
    Value down = truth(b, loc, arith::CmpFPredicate::OLE, rest,
                       splatFloat(b, loc, value, -0.5), integer);
    number = arith::AddIOp::create(b, loc, number, up);
    return arith::SubIOp::create(b, loc, number, down);
  }
  Value above = truth(b, loc, arith::CmpFPredicate::OGT, whole, value, integer);
  Value floor = arith::SubIOp::create(b, loc, number, above);
  if (rounding == Rounding::Floor)
    return floor;
  // floor(x + 0.5) would round 0.49999997 up. The difference from the floor is
  // exact, or next to 1 when x is a small negative number.
  whole = arith::SIToFPOp::create(b, loc, type, floor);
  Value rest = arith::SubFOp::create(b, loc, value, whole);
  Value up = truth(b, loc, arith::CmpFPredicate::OGE, rest,
                   splatFloat(b, loc, value, 0.5), integer);
  return arith::AddIOp::create(b, loc, floor, up);
}
