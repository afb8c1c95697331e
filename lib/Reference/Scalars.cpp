//===- Scalars.cpp - Evaluation of scalar ops -----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::reference;

Wide reference::wrapSigned(Wide value, unsigned bits) {
  unsigned unused = 128 - bits;
  using Unsigned = unsigned __int128;
  return static_cast<Wide>(static_cast<Unsigned>(value) << unused) >> unused;
}

Wide reference::wrapUnsigned(Wide value, unsigned bits) {
  return value & ((static_cast<Wide>(1) << bits) - 1);
}

unsigned reference::integerBits(Type type) {
  type = getElementTypeOrSelf(type);
  return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
}

static Scalar integer(Wide value) { return {value, 0}; }
static Scalar real(float value) { return {0, value}; }

static unsigned operandBits(Operation *op) {
  return integerBits(op->getOperand(0).getType());
}

static unsigned resultBits(Operation *op) {
  return integerBits(op->getResult(0).getType());
}

static bool compare(arith::CmpIPredicate predicate, Wide a, Wide b,
                    unsigned bits) {
  Wide ua = wrapUnsigned(a, bits), ub = wrapUnsigned(b, bits);
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  llvm_unreachable("unknown predicate");
}

/// The predicate's bits say which of less, equal, greater and unordered it
/// accepts.
static bool compare(arith::CmpFPredicate predicate, float a, float b) {
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case arith::CmpFPredicate::AlwaysFalse:
    return false;
  case arith::CmpFPredicate::AlwaysTrue:
    return true;
  case arith::CmpFPredicate::OEQ:
    return !unordered && a == b;
  case arith::CmpFPredicate::OGT:
    return !unordered && a > b;
  case arith::CmpFPredicate::OGE:
    return !unordered && a >= b;
  case arith::CmpFPredicate::OLT:
    return !unordered && a < b;
  case arith::CmpFPredicate::OLE:
    return !unordered && a <= b;
  case arith::CmpFPredicate::ONE:
    return !unordered && a != b;
  case arith::CmpFPredicate::ORD:
    return !unordered;
  case arith::CmpFPredicate::UEQ:
    return unordered || a == b;
  case arith::CmpFPredicate::UGT:
    return unordered || a > b;
  case arith::CmpFPredicate::UGE:
    return unordered || a >= b;
  case arith::CmpFPredicate::ULT:
    return unordered || a < b;
  case arith::CmpFPredicate::ULE:
    return unordered || a <= b;
  case arith::CmpFPredicate::UNE:
    return unordered || a != b;
  case arith::CmpFPredicate::UNO:
    return unordered;
  }
  llvm_unreachable("unknown predicate");
}

static FailureOr<Scalar> toInteger(Operation *op, float value, bool isSigned) {
  unsigned bits = resultBits(op);
  float truncated = std::trunc(value);
  float lo = isSigned ? -std::ldexp(1.0f, bits - 1) : 0.0f;
  float end = std::ldexp(1.0f, isSigned ? bits - 1 : bits);
  if (!(truncated >= lo && truncated < end)) {
    op->emitError("conversion of ")
        << value << " to " << bits << " bits is poison";
    return failure();
  }
  return integer(wrapSigned(static_cast<Wide>(truncated), bits));
}

static float maximum(float a, float b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
}
static float minimum(float a, float b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
}

/// Shifts and divisions; nothing where their result is poison or undefined.
static std::optional<Scalar> partialOp(Operation *op, ArrayRef<Scalar> in) {
  unsigned bits = operandBits(op);
  Wide a = in[0].integer, b = in[1].integer;
  Wide ua = wrapUnsigned(a, bits), ub = wrapUnsigned(b, bits);
  auto wrap = [&](Wide value) {
    return integer(wrapSigned(value, resultBits(op)));
  };
  if (isa<arith::DivSIOp>(op))
    return b == 0 ? std::nullopt : std::optional(wrap(a / b));
  if (isa<arith::DivUIOp>(op))
    return ub == 0 ? std::nullopt : std::optional(wrap(ua / ub));
  if (ub >= bits)
    return std::nullopt;
  auto count = static_cast<unsigned>(ub);
  if (isa<arith::ShLIOp>(op)) // Of at most 64 bits, by less than these.
    return wrap(static_cast<Wide>(static_cast<unsigned __int128>(ua) << count));
  return wrap(isa<arith::ShRSIOp>(op) ? a >> count : ua >> count);
}

static Wide leadingZeros(Wide value, unsigned bits) {
  unsigned count = 0;
  while (count < bits && !((value >> (bits - 1 - count)) & 1))
    ++count;
  return count;
}

/// Integer arithmetic wraps in the result's bits.
static std::optional<Scalar> integerOp(Operation *op, ArrayRef<Scalar> in) {
  auto a = [&] { return in[0].integer; };
  auto b = [&] { return in[1].integer; };
  auto ua = [&] { return wrapUnsigned(a(), operandBits(op)); };
  auto ub = [&] { return wrapUnsigned(b(), operandBits(op)); };
  auto wrap = [&](Wide value) {
    return integer(wrapSigned(value, resultBits(op)));
  };
  return TypeSwitch<Operation *, std::optional<Scalar>>(op)
      .Case<arith::AddIOp>([&](auto) { return wrap(a() + b()); })
      .Case<arith::SubIOp>([&](auto) { return wrap(a() - b()); })
      .Case<arith::MulIOp>([&](auto) { return wrap(a() * b()); })
      .Case<arith::AndIOp>([&](auto) { return wrap(a() & b()); })
      .Case<arith::OrIOp>([&](auto) { return wrap(a() | b()); })
      .Case<arith::XOrIOp>([&](auto) { return wrap(a() ^ b()); })
      .Case<arith::MaxSIOp>([&](auto) { return wrap(std::max(a(), b())); })
      .Case<arith::MinSIOp>([&](auto) { return wrap(std::min(a(), b())); })
      .Case<arith::MaxUIOp>([&](auto) { return wrap(std::max(ua(), ub())); })
      .Case<arith::MinUIOp>([&](auto) { return wrap(std::min(ua(), ub())); })
      .Case<arith::ShLIOp, arith::ShRSIOp, arith::ShRUIOp, arith::DivSIOp,
            arith::DivUIOp>([&](auto) { return partialOp(op, in); })
      .Case<math::CountLeadingZerosOp>(
          [&](auto) { return wrap(leadingZeros(a(), operandBits(op))); })
      .Case<arith::ExtSIOp, arith::TruncIOp, arith::IndexCastOp>(
          [&](auto) { return wrap(a()); })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp>(
          [&](auto) { return wrap(ua()); })
      .Case<arith::CmpIOp>([&](arith::CmpIOp cmp) {
        return integer(compare(cmp.getPredicate(), a(), b(), operandBits(op)));
      })
      .Default([](Operation *) { return std::nullopt; });
}

static std::optional<Scalar> realOp(Operation *op, ArrayRef<Scalar> in) {
  auto a = [&] { return in[0].real; };
  auto b = [&] { return in[1].real; };
  return TypeSwitch<Operation *, std::optional<Scalar>>(op)
      .Case<arith::AddFOp>([&](auto) { return real(a() + b()); })
      .Case<arith::SubFOp>([&](auto) { return real(a() - b()); })
      .Case<arith::MulFOp>([&](auto) { return real(a() * b()); })
      .Case<arith::DivFOp>([&](auto) { return real(a() / b()); })
      .Case<arith::NegFOp>([&](auto) { return real(-a()); })
      .Case<arith::MaximumFOp>([&](auto) { return real(maximum(a(), b())); })
      .Case<arith::MinimumFOp>([&](auto) { return real(minimum(a(), b())); })
      .Case<arith::MaxNumFOp>([&](auto) { return real(std::fmax(a(), b())); })
      .Case<arith::MinNumFOp>([&](auto) { return real(std::fmin(a(), b())); })
      .Case<math::RoundEvenOp>([&](auto) { return real(std::nearbyint(a())); })
      .Case<math::FloorOp>([&](auto) { return real(std::floor(a())); })
      .Case<math::CeilOp>([&](auto) { return real(std::ceil(a())); })
      .Case<math::AbsFOp>([&](auto) { return real(std::fabs(a())); })
      .Case<math::ExpOp>([&](auto) { return real(std::exp(a())); })
      .Case<math::LogOp>([&](auto) { return real(std::log(a())); })
      .Case<math::TanhOp>([&](auto) { return real(std::tanh(a())); })
      .Case<math::ErfOp>([&](auto) { return real(std::erf(a())); })
      .Case<math::SinOp>([&](auto) { return real(std::sin(a())); })
      .Case<math::CosOp>([&](auto) { return real(std::cos(a())); })
      .Case<math::RsqrtOp>([&](auto) { return real(1 / std::sqrt(a())); })
      .Case<math::SqrtOp>([&](auto) { return real(std::sqrt(a())); })
      .Case<math::PowFOp>([&](auto) { return real(std::pow(a(), b())); })
      .Case<arith::SIToFPOp>(
          [&](auto) { return real(static_cast<float>(in[0].integer)); })
      .Case<arith::UIToFPOp>([&](auto) {
        return real(
            static_cast<float>(wrapUnsigned(in[0].integer, operandBits(op))));
      })
      .Case<arith::CmpFOp>([&](arith::CmpFOp cmp) {
        return integer(compare(cmp.getPredicate(), a(), b()));
      })
      .Default([](Operation *) { return std::nullopt; });
}

FailureOr<Scalar> reference::evaluateScalar(Operation *op,
                                            ArrayRef<Scalar> operands) {
  if (isa<arith::SelectOp>(op))
    return operands[0].integer ? operands[1] : operands[2];
  if (isa<arith::FPToSIOp>(op))
    return toInteger(op, operands[0].real, true);
  if (isa<arith::FPToUIOp>(op))
    return toInteger(op, operands[0].real, false);
  if (std::optional<Scalar> result = integerOp(op, operands))
    return *result;
  if (std::optional<Scalar> result = realOp(op, operands))
    return *result;
  op->emitError("the reference does not evaluate this op");
  return failure();
}
