//===- Rounding.cpp - Real numbers to integers ----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rounding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Mode = QuantRounding;

FailureOr<Mode> frontend::roundingMode(const Node &node, StringRef otherwise) {
  StringRef text = node.string("rounding_mode", otherwise);
  auto mode = llvm::StringSwitch<std::optional<Mode>>(text.upper())
                  .Cases({"ROUND", "HALF_EVEN"}, Mode::HalfEven)
                  .Case("CEIL", Mode::Ceil)
                  .Case("FLOOR", Mode::Floor)
                  .Case("UP", Mode::Up)
                  .Case("DOWN", Mode::Down)
                  .Case("HALF_UP", Mode::HalfUp)
                  .Case("HALF_DOWN", Mode::HalfDown)
                  .Default(std::nullopt);
  if (mode)
    return *mode;
  node.emitError() << "rounding_mode '" << text
                   << "' is not known; known are ROUND, HALF_EVEN, CEIL, "
                      "FLOOR, UP, DOWN, HALF_UP and HALF_DOWN";
  return failure();
}

float frontend::rounded(float y, Mode mode) {
  float size = std::fabs(y);
  switch (mode) {
  case Mode::HalfEven:
    return std::nearbyint(y);
  case Mode::Ceil:
    return std::ceil(y);
  case Mode::Floor:
    return std::floor(y);
  case Mode::Up:
    return std::copysign(std::ceil(size), y);
  case Mode::Down:
    return std::trunc(y);
  case Mode::HalfUp:
    return std::copysign(std::floor(size + 0.5f), y);
  case Mode::HalfDown:
    return std::copysign(std::ceil(size - 0.5f), y);
  case Mode::Sign:
    return y >= 0 ? 1.0f : -1.0f;
  }
  llvm_unreachable("a rounding mode");
}

Value frontend::realNumber(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

static Value wholeNumber(ImplicitLocOpBuilder &b, int32_t value) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
}

/// 1 where the comparison holds, else 0.
static Value truth(ImplicitLocOpBuilder &b, arith::CmpFPredicate predicate,
                   Value lhs, Value rhs) {
  Value holds = arith::CmpFOp::create(b, predicate, lhs, rhs);
  return arith::ExtUIOp::create(b, b.getI32Type(), holds);
}

/// The sum has no bits left for a fraction.
Value frontend::nearestInteger(ImplicitLocOpBuilder &b, Value x) {
  Value magic = realNumber(b, 0x1.8p23f);
  return arith::SubFOp::create(b, arith::AddFOp::create(b, x, magic), magic);
}

Value frontend::roundedInteger(ImplicitLocOpBuilder &b, Value y, Mode mode) {
  using arith::CmpFPredicate;
  auto toInteger = [&](Value real) -> Value {
    return arith::FPToSIOp::create(b, b.getI32Type(), real);
  };
  Value zero = realNumber(b, 0.0f);
  if (mode == Mode::Sign) {
    Value holds = arith::CmpFOp::create(b, CmpFPredicate::OGE, y, zero);
    return arith::SelectOp::create(b, holds, wholeNumber(b, 1),
                                   wholeNumber(b, -1));
  }
  if (mode == Mode::HalfEven)
    return toInteger(nearestInteger(b, y));
  Value negative = arith::CmpFOp::create(b, CmpFPredicate::OLT, y, zero);
  if (mode == Mode::HalfUp) {
    Value half = arith::SelectOp::create(b, negative, realNumber(b, -0.5f),
                                         realNumber(b, 0.5f));
    return toInteger(arith::AddFOp::create(b, y, half));
  }
  if (mode == Mode::HalfDown) {
    Value size =
        arith::SelectOp::create(b, negative, arith::NegFOp::create(b, y), y);
    Value less = arith::SubFOp::create(b, size, realNumber(b, 0.5f));
    Value code = toInteger(less);
    Value whole = arith::SIToFPOp::create(b, b.getF32Type(), code);
    code = arith::AddIOp::create(b, code,
                                 truth(b, CmpFPredicate::OLT, whole, less));
    Value opposite = arith::SubIOp::create(b, wholeNumber(b, 0), code);
    return arith::SelectOp::create(b, negative, opposite, code);
  }
  Value code = toInteger(y);
  Value whole = arith::SIToFPOp::create(b, b.getF32Type(), code);
  if (mode == Mode::Floor || mode == Mode::Up)
    code =
        arith::SubIOp::create(b, code, truth(b, CmpFPredicate::OGT, whole, y));
  if (mode == Mode::Ceil || mode == Mode::Up)
    code =
        arith::AddIOp::create(b, code, truth(b, CmpFPredicate::OLT, whole, y));
  return code;
}

Value frontend::clampReal(ImplicitLocOpBuilder &b, Value y, a2q::Range range) {
  y = arith::MaxNumFOp::create(b, y,
                               realNumber(b, static_cast<float>(range.lo)));
  return arith::MinNumFOp::create(b, y,
                                  realNumber(b, static_cast<float>(range.hi)));
}

Value frontend::clampCode(ImplicitLocOpBuilder &b, Value code,
                          const CodeFormat &format) {
  auto bound = [&](int64_t value) -> Value {
    auto bits = APInt(format.storageBits(), value, true, true);
    return arith::ConstantOp::create(b, b.getIntegerAttr(code.getType(), bits));
  };
  Value lo = bound(format.range.lo), hi = bound(format.range.hi);
  if (format.isSigned()) {
    code = arith::MaxSIOp::create(b, code, lo);
    return arith::MinSIOp::create(b, code, hi);
  }
  code = arith::MaxUIOp::create(b, code, lo);
  return arith::MinUIOp::create(b, code, hi);
}

ElementType frontend::smallestType(a2q::Range range) {
  for (ElementType type : {ElementType::UInt8, ElementType::Int8,
                           ElementType::UInt16, ElementType::Int16}) {
    a2q::Range all = integerFormat(type)->range();
    if (range.lo >= all.lo && range.hi <= all.hi)
      return type;
  }
  return ElementType::Int32;
}
