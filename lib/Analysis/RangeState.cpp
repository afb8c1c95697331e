//===- RangeState.cpp - What is known of a value --------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RangeState.h"

#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

using Bits = RangeState::Bits;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

unsigned a2q::patternWidth(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    return quantized.getStorageTypeIntegralWidth();
  if (isa<AccumulatorType>(element) || element.isIndex())
    return 64;
  if (auto integer = dyn_cast<IntegerType>(element))
    return integer.getWidth();
  return 0;
}

bool a2q::readsSigned(Type type, bool unsignedSignless) {
  Type element = getElementTypeOrSelf(type);
  if (auto quantized = dyn_cast<quant::QuantizedType>(element))
    return quantized.isSigned();
  if (auto integer = dyn_cast<IntegerType>(element))
    return integer.isSignless() ? !unsignedSignless : integer.isSigned();
  return true;
}

/// A value that fits the width, as an APInt.
static APInt toAPInt(Wide value, unsigned width) {
  uint64_t words[2] = {static_cast<uint64_t>(value),
                       static_cast<uint64_t>(value >> 64)};
  return APInt(128, words).trunc(width);
}

Bits a2q::bitsOf(Interval values, unsigned width) {
  assert(width <= 64 && "intervals are of integers of at most 64 bits");
  if (signedInterval(width).contains(values))
    return Bits::fromSigned(toAPInt(values.lo, width),
                            toAPInt(values.hi, width));
  if (Interval{0, (Wide(1) << width) - 1}.contains(values))
    return Bits::fromUnsigned(toAPInt(values.lo, width),
                              toAPInt(values.hi, width));
  return Bits::maxRange(width);
}

//===----------------------------------------------------------------------===//
// RangeState
//===----------------------------------------------------------------------===//

Bits RangeState::joined() const {
  Bits all = bits.front();
  for (const Bits &entry : bits)
    all = all.rangeUnion(entry);
  return all;
}

RangeState RangeState::notInteger() {
  RangeState state;
  state.visited = true;
  return state;
}

RangeState RangeState::ofReal(RealRange range) {
  RangeState state = notInteger();
  if (std::isfinite(range.lo) && std::isfinite(range.hi))
    state.real = range;
  return state;
}

RangeState RangeState::uniform(Bits bits) {
  RangeState state = notInteger();
  state.bits.push_back(std::move(bits));
  return state;
}

RangeState RangeState::perIndex(int64_t axis, SmallVector<Bits, 1> bits) {
  if (llvm::all_equal(bits))
    return uniform(bits.front());
  RangeState state = notInteger();
  state.bits = std::move(bits);
  state.axis = axis;
  return state;
}

RangeState RangeState::ofType(Type type) {
  unsigned width = patternWidth(type);
  if (width == 0)
    return notInteger();
  if (auto quantized = getQuantizedType(type)) {
    Range codes = codeRange(quantized);
    return uniform(bitsOf(Interval{codes.lo, codes.hi}, width));
  }
  return uniform(Bits::maxRange(width));
}

RangeState RangeState::fromRanges(Type type, const ElementRanges &ranges) {
  unsigned width = patternWidth(type);
  SmallVector<Bits, 1> bits;
  for (Range range : ranges.ranges)
    bits.push_back(bitsOf(Interval{range.lo, range.hi}, width));
  return perIndex(ranges.axis, std::move(bits));
}

/// Calls `combine` on the entries of both, index by index where they have an
/// axis in common (or one of them has one), else on the joined ones.
template <typename Combine>
static RangeState zip(const RangeState &lhs, const RangeState &rhs,
                      Combine combine) {
  if (!lhs.isInteger() || !rhs.isInteger() || lhs.getWidth() != rhs.getWidth())
    return RangeState::notInteger();
  if (!lhs.isUniform() && !rhs.isUniform() &&
      (lhs.getAxis() != rhs.getAxis() || lhs.size() != rhs.size()))
    return RangeState::uniform(combine(lhs.joined(), rhs.joined()));
  SmallVector<Bits, 1> bits;
  for (int64_t i = 0, e = std::max(lhs.size(), rhs.size()); i < e; ++i)
    bits.push_back(combine(lhs.at(i), rhs.at(i)));
  return RangeState::perIndex(std::max(lhs.getAxis(), rhs.getAxis()),
                              std::move(bits));
}

RangeState RangeState::join(const RangeState &lhs, const RangeState &rhs) {
  if (lhs.isUninitialized())
    return rhs;
  if (rhs.isUninitialized())
    return lhs;
  RangeState result;
  if (lhs.real && rhs.real)
    result = ofReal({std::min(lhs.real->lo, rhs.real->lo),
                     std::max(lhs.real->hi, rhs.real->hi)});
  else
    result = zip(lhs, rhs,
                 [](const Bits &a, const Bits &b) { return a.rangeUnion(b); });
  // Two facts that are not the same have nothing simple in common.
  if (lhs.sameFact(rhs))
    result.fact = lhs.fact;
  return result;
}

RangeState RangeState::intersect(const RangeState &lhs,
                                 const RangeState &fallback) {
  // Nothing is decreed of reals.
  if (lhs.isUninitialized() || !lhs.isInteger())
    return lhs;
  RangeState result = zip(lhs, fallback, [](const Bits &a, const Bits &b) {
    bool empty = a.smin().sgt(b.smax()) || b.smin().sgt(a.smax()) ||
                 a.umin().ugt(b.umax()) || b.umin().ugt(a.umax());
    return empty ? b : a.intersection(b);
  });
  result.fact = lhs.fact;
  return result;
}

std::optional<ElementRanges> RangeState::toRanges(bool isSigned) const {
  if (isUninitialized() || !isInteger() || getWidth() > 64 ||
      (getWidth() == 64 && !isSigned && joined().umax().isNegative()))
    return std::nullopt;
  ElementRanges result;
  result.axis = axis;
  for (const Bits &entry : bits)
    result.ranges.push_back(
        isSigned
            ? Range{entry.smin().getSExtValue(), entry.smax().getSExtValue()}
            : Range{static_cast<int64_t>(entry.umin().getZExtValue()),
                    static_cast<int64_t>(entry.umax().getZExtValue())});
  return result;
}

//===----------------------------------------------------------------------===//
// RangeLattice
//===----------------------------------------------------------------------===//

/// The trusted range of a function's argument, if it has a valid one.
static std::optional<RangeState> trustedRange(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || !argument.getOwner()->isEntryBlock())
    return std::nullopt;
  auto function =
      dyn_cast_or_null<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function || argument.getArgNumber() >= function.getNumArguments())
    return std::nullopt;
  Attribute attr = function.getArgAttr(argument.getArgNumber(),
                                       A2QDialect::getRangeAttrName());
  if (!attr || patternWidth(value.getType()) == 0)
    return std::nullopt;
  // The dialect's verifier has refused what does not parse.
  FailureOr<ElementRanges> ranges = parseRangeAttr(
      attr, value.getType(), [&] { return emitError(value.getLoc()); });
  if (failed(ranges))
    return std::nullopt;
  return RangeState::fromRanges(value.getType(), *ranges);
}

RangeLattice::RangeLattice(Value value)
    : AbstractSparseLattice(value),
      decreed(RangeState::ofType(value.getType())) {}

RangeState RangeState::onEntry(Value value) {
  std::optional<RangeState> trusted = trustedRange(value);
  return trusted ? *trusted : ofType(value.getType());
}

ChangeResult RangeLattice::joinState(const RangeState &rhs) {
  // Enough for straight-line code, where a value changes with each operand.
  constexpr unsigned maxChanges = 16;
  RangeState next =
      RangeState::join(state, RangeState::intersect(rhs, decreed));
  if (next == state)
    return ChangeResult::NoChange;
  state = ++changes > maxChanges ? RangeState::join(next, decreed) : next;
  return ChangeResult::Change;
}

void RangeLattice::print(raw_ostream &os) const {
  if (std::optional<RealRange> real = state.getReal())
    os << "[" << real->lo << ", " << real->hi << "]";
  else if (!state.isInteger())
    os << (state.isUninitialized() ? "<uninitialized>" : "<no integers>");
  for (int64_t i = 0, e = state.size(); i < e; ++i)
    os << (i ? " " : "") << state.at(i);
  if (const SharedFact &fact = state.getFact())
    os << " and " << fact->producer << " along axis " << fact->axis;
}
