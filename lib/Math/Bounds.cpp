//===- Bounds.cpp - Conditions that guarantee no overflow -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Bounds.h"

#include "a2q/Math/Centring.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace a2q {

static constexpr std::array<std::pair<Bound, std::string_view>, 5> boundNames =
    {{{Bound::DataType, "datatype"},
      {Bound::A2Q, "a2q"},
      {Bound::A2QPlus, "a2q-plus"},
      {Bound::Exact, "exact"},
      {Bound::Centred, "centred"}}};

std::string_view toString(Bound bound) {
  for (auto [candidate, name] : boundNames)
    if (candidate == bound)
      return name;
  return {};
}

std::optional<Bound> parseBound(std::string_view name) {
  for (auto [bound, candidate] : boundNames)
    if (candidate == name)
      return bound;
  return std::nullopt;
}

Norms norms(std::span<const int64_t> weights) {
  Norms result;
  for (int64_t weight : weights) {
    if (weight > 0)
      result.pos += weight;
    else
      result.neg -= weight;
  }
  return result;
}

Interval finalInterval(const DotProduct &dot) {
  Interval sum;
  for (size_t k = 0; k < dot.length(); ++k)
    sum = sum + product(dot.weights[k], dot.range(k));
  return sum;
}

Interval prefixInterval(const DotProduct &dot) {
  Interval sum;
  for (size_t k = 0; k < dot.length(); ++k)
    sum = sum + join(product(dot.weights[k], dot.range(k)), Interval{0, 0});
  return sum;
}

std::vector<int64_t> upperWitness(const DotProduct &dot) {
  std::vector<int64_t> inputs(dot.length());
  for (size_t k = 0; k < dot.length(); ++k)
    inputs[k] = dot.weights[k] > 0 ? dot.range(k).hi : dot.range(k).lo;
  return inputs;
}

std::vector<int64_t> lowerWitness(const DotProduct &dot) {
  std::vector<int64_t> inputs(dot.length());
  for (size_t k = 0; k < dot.length(); ++k)
    inputs[k] = dot.weights[k] > 0 ? dot.range(k).lo : dot.range(k).hi;
  return inputs;
}

/// The largest value of a signed register: 2^(P-1) - 1.
static Wide registerMax(unsigned width) { return signedInterval(width).hi; }

/// The smallest P with `value << shift <= 2^(P-1) - 1`, for `value >= 0`. The
/// shift only adds to the width, so it is never carried out and cannot
/// overflow.
static unsigned widthOfShifted(Wide value, unsigned shift) {
  return value == 0 ? 1 : signedWidth({0, value}) + shift;
}

/// The exponent `N - signed(x)` of A2Q: codes reach `2^exponent` in magnitude.
static unsigned magnitudeBits(Range range) {
  return codeBits(range) - (isSigned(range) ? 1 : 0);
}

/// `2^N - 1`, the distance between the ends of the range's integer type.
static Wide typeSpan(Range range) {
  return (static_cast<Wide>(1) << codeBits(range)) - 1;
}

static bool isZero(Range range) { return range == Range{0, 0}; }

unsigned datatypeWidth(uint64_t length, unsigned weightBits, Range range) {
  assert(weightBits >= 1 && "weights have at least one bit");
  return widthOfShifted(static_cast<Wide>(length),
                        magnitudeBits(range) + weightBits - 1);
}

unsigned a2qWidth(const Norms &norms, Range range) {
  if (isZero(range))
    return 1;
  return widthOfShifted(norms.l1(), magnitudeBits(range));
}

unsigned a2qPlusWidth(const Norms &norms, Range range) {
  if (isZero(range))
    return 1;
  Wide reached;
  if (__builtin_mul_overflow(std::max(norms.pos, norms.neg), typeSpan(range),
                             &reached))
    reached = wideMax;
  return widthOfShifted(reached, 0);
}

unsigned ChannelBounds::width(Bound bound) const {
  switch (bound) {
  case Bound::DataType:
    return datatype;
  case Bound::A2Q:
    return a2q;
  case Bound::A2QPlus:
    return a2qPlus;
  case Bound::Exact:
    return exact;
  case Bound::Centred:
    return centred;
  }
  return datatype;
}

/// The range of all terms together, as the integer type of the tensor sees it.
static Range joinedRange(const DotProduct &dot) {
  if (dot.length() == 0 || dot.ranges.empty())
    return {};
  Range joined = dot.ranges[0];
  for (Range range : dot.ranges)
    joined = join(joined, range);
  return joined;
}

/// `exact` when unsigned N-bit codes are stored less 2^(N-1). Signed codes and
/// codes that are all 0 stay as they are: there is nothing to shift.
static unsigned zeroPointWidth(const DotProduct &dot, Range joined) {
  if (isSigned(joined) || isZero(joined))
    return signedWidth(prefixInterval(dot));
  int64_t zeroPoint = int64_t(1) << (codeBits(joined) - 1);
  std::vector<Range> shifted(dot.ranges.begin(), dot.ranges.end());
  for (Range &range : shifted)
    range = {range.lo - zeroPoint, range.hi - zeroPoint};
  return signedWidth(prefixInterval({dot.weights, shifted}));
}

ChannelBounds boundChannel(const DotProduct &dot, unsigned weightBits) {
  assert((dot.ranges.size() == 1 || dot.ranges.size() == dot.length()) &&
         "one range for all terms or one for each");
  Range joined = joinedRange(dot);
  ChannelBounds result;
  result.norms = norms(dot.weights);
  result.final = finalInterval(dot);
  result.prefix = prefixInterval(dot);
  result.datatype = datatypeWidth(dot.length(), weightBits, joined);
  result.a2q = a2qWidth(result.norms, joined);
  result.a2qPlus = a2qPlusWidth(result.norms, joined);
  result.exact = signedWidth(result.prefix);
  result.centred = spanWidth(result.prefix);
  result.finalWidth = signedWidth(result.final);
  result.zeroPoint = zeroPointWidth(dot, joined);
  return result;
}

Wide l1Budget(Bound bound, unsigned width, Range range) {
  if (isZero(range))
    return signedInterval(126).hi;
  Range reach = withZero(range);
  switch (bound) {
  case Bound::DataType:
  case Bound::A2Q:
    return registerMax(width) >> magnitudeBits(range);
  case Bound::A2QPlus:
    return 2 * (registerMax(width) / typeSpan(range));
  case Bound::Exact:
    return registerMax(width) /
           std::max(static_cast<Wide>(reach.hi), -static_cast<Wide>(reach.lo));
  case Bound::Centred:
    return ((static_cast<Wide>(1) << width) - 1) /
           (static_cast<Wide>(reach.hi) - reach.lo);
  }
  return 0;
}

bool pairIsExact(int64_t q0, Range x0, int64_t q1, Range x1) {
  constexpr Interval s8 = {-128, 127}, u8 = {0, 255};
  Interval codes = {std::min(x0.lo, x1.lo), std::max(x0.hi, x1.hi)};
  Interval weights = {std::min(q0, q1), std::max(q0, q1)};
  bool holdsOperands = (u8.contains(codes) && s8.contains(weights)) ||
                       (s8.contains(codes) && u8.contains(weights));
  return holdsOperands &&
         signedInterval(16).contains(product(q0, x0) + product(q1, x1));
}

} // namespace a2q
