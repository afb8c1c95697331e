//===- Interval.h - Exact integer intervals and widths ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The two kinds of integer sets that every proof is made of: the *range* of an
// activation code and the *interval* of an accumulator, and the number of bits
// that holds them. Everything is exact: 128-bit sums of 64-bit products, no
// floating point.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_INTERVAL_H
#define A2Q_MATH_INTERVAL_H

#include <cstdint>
#include <span>
#include <string>

namespace a2q {

/// Sums of products of 64-bit values. K <= 2^62 products of two 32-bit codes
/// cannot overflow it; the ends of an interval saturate where others would.
using Wide = __int128;

/// Ends of the intervals of which only this much is known.
inline constexpr Wide wideMax =
    static_cast<Wide>(static_cast<unsigned __int128>(-1) >> 1);
inline constexpr Wide wideMin = -wideMax - 1;

/// The integers that one activation code can take, both ends included.
struct Range {
  int64_t lo = 0;
  int64_t hi = 0;

  bool operator==(const Range &) const = default;
  bool containsZero() const { return lo <= 0 && hi >= 0; }
};

/// The smallest range that holds both.
Range join(Range a, Range b);

/// The range widened to include 0: what a term adds before and after its turn.
Range withZero(Range range);

/// Bits of the smallest integer type that holds the range (at least 1):
/// unsigned when `lo >= 0`, else signed. Codes 0..16 are 5 bits.
unsigned codeBits(Range range);

/// Whether codes of this range need a signed type.
inline bool isSigned(Range range) { return range.lo < 0; }

/// The values that one accumulator can take, both ends included.
struct Interval {
  Wide lo = 0;
  Wide hi = 0;

  bool operator==(const Interval &) const = default;
  bool contains(Interval other) const {
    return lo <= other.lo && other.hi <= hi;
  }
  bool contains(Wide value) const { return lo <= value && value <= hi; }
};

inline Interval join(Interval a, Interval b) {
  return {a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

/// What is in both; meant for two bounds of the same values.
inline Interval intersection(Interval a, Interval b) {
  return {a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
}

namespace detail {
/// `end + term`. An end that has left 128 bits stays out, whatever is added
/// later, so that no register is ever proven to hold it.
inline Wide addToLower(Wide end, Wide term) {
  Wide sum;
  bool overflow = __builtin_add_overflow(end, term, &sum);
  if (end == wideMin || term == wideMin || (overflow && end < 0))
    return wideMin;
  return overflow ? wideMax : sum;
}
inline Wide addToUpper(Wide end, Wide term) {
  Wide sum;
  bool overflow = __builtin_add_overflow(end, term, &sum);
  if (end == wideMax || term == wideMax || (overflow && end > 0))
    return wideMax;
  return overflow ? wideMin : sum;
}
} // namespace detail

inline Interval operator+(Interval a, Interval b) {
  return {detail::addToLower(a.lo, b.lo), detail::addToUpper(a.hi, b.hi)};
}
inline Interval operator+(Interval a, Wide shift) {
  return a + Interval{shift, shift};
}

/// The interval of `weight * x` for `x` in `range`.
inline Interval product(int64_t weight, Range range) {
  Wide first = static_cast<Wide>(weight) * range.lo;
  Wide second = static_cast<Wide>(weight) * range.hi;
  return weight < 0 ? Interval{second, first} : Interval{first, second};
}

/// The interval of `w * x` for `w` and `x` in their ranges.
Interval product(Range w, Range x);

/// What a signed `width`-bit register holds; `1 <= width <= 126`.
Interval signedInterval(unsigned width);

/// The smallest P >= 1 such that a signed P-bit register holds the interval.
unsigned signedWidth(Interval interval);

/// The smallest P >= 1 with `hi - lo <= 2^P - 1`: the width after centring.
unsigned spanWidth(Interval interval);

/// Decimal text, for diagnostics and reports.
std::string toString(Wide value);

/// "1 bit", "16 bits".
std::string bitsText(unsigned width);

} // namespace a2q

#endif // A2Q_MATH_INTERVAL_H
