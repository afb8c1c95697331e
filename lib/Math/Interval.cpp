//===- Interval.cpp - Exact integer intervals and widths ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Interval.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace a2q {

using UnsignedWide = unsigned __int128;

/// Position of the highest set bit plus one; 0 for 0.
static unsigned bitWidth(UnsignedWide value) {
  auto high = static_cast<uint64_t>(value >> 64);
  if (high != 0)
    return 64 + static_cast<unsigned>(std::bit_width(high));
  return static_cast<unsigned>(std::bit_width(static_cast<uint64_t>(value)));
}

/// Bits of the smallest two's complement type that holds the value. A negative
/// value v needs as many as its complement -v - 1.
static unsigned signedBits(Wide value) {
  return 1 + bitWidth(static_cast<UnsignedWide>(value < 0 ? ~value : value));
}

Range join(Range a, Range b) {
  return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)};
}

Range withZero(Range range) { return join(range, Range{0, 0}); }

unsigned codeBits(Range range) {
  if (isSigned(range))
    return std::max(signedBits(range.lo), signedBits(range.hi));
  return std::max(1u, bitWidth(static_cast<UnsignedWide>(range.hi)));
}

Interval product(Range w, Range x) {
  return join(product(w.lo, x), product(w.hi, x));
}

Interval signedInterval(unsigned width) {
  assert(width >= 1 && width <= 126 && "width out of range");
  Wide half = static_cast<Wide>(1) << (width - 1);
  return {-half, half - 1};
}

unsigned signedWidth(Interval interval) {
  return std::max(signedBits(interval.lo), signedBits(interval.hi));
}

unsigned spanWidth(Interval interval) {
  UnsignedWide span = static_cast<UnsignedWide>(interval.hi) -
                      static_cast<UnsignedWide>(interval.lo);
  return std::max(1u, bitWidth(span));
}

std::string toString(Wide value) {
  auto magnitude = static_cast<UnsignedWide>(value);
  if (value < 0)
    magnitude = -magnitude;
  std::string text;
  do {
    text.push_back(static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  } while (magnitude != 0);
  if (value < 0)
    text.push_back('-');
  std::reverse(text.begin(), text.end());
  return text;
}

std::string bitsText(unsigned width) {
  return std::to_string(width) + (width == 1 ? " bit" : " bits");
}

} // namespace a2q
