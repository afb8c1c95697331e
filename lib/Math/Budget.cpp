//===- Budget.cpp - What the weights of one accumulator may be ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Budget.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace a2q {

static Budget both(Budget::Condition condition) {
  return {condition, condition};
}

Budget budgetOf(Bound bound, unsigned width, Range range) {
  assert(width >= 1 && width <= 126 && "width out of range");
  if (range == Range{0, 0})
    return {};
  Wide registerMax = signedInterval(width).hi;
  Range reach = withZero(range);
  Wide hi = reach.hi, lo = -static_cast<Wide>(reach.lo);
  switch (bound) {
  case Bound::DataType:
  case Bound::A2Q: {
    Wide magnitude = static_cast<Wide>(1)
                     << (codeBits(range) - (isSigned(range) ? 1 : 0));
    return both({magnitude, magnitude, registerMax});
  }
  case Bound::A2QPlus: {
    Wide span = (static_cast<Wide>(1) << codeBits(range)) - 1;
    return {{span, 0, registerMax}, {0, span, registerMax}};
  }
  case Bound::Exact:
    return {{hi, lo, registerMax}, {lo, hi, registerMax + 1}};
  case Bound::Centred:
    return both({hi + lo, hi + lo, (static_cast<Wide>(1) << width) - 1});
  }
  return {};
}

/// The largest value with `coefficient * value <= limit - used`.
static Wide largest(Wide coefficient, Wide limit, Wide used) {
  if (used > limit)
    return -1;
  return coefficient == 0 ? Budget::noLimit : (limit - used) / coefficient;
}

Wide Budget::largestPos(Wide norm) const {
  return std::min(largest(upper.pos, upper.limit, upper.neg * norm),
                  largest(lower.pos, lower.limit, lower.neg * norm));
}

Wide Budget::largestNeg(Wide norm) const {
  return std::min(largest(upper.neg, upper.limit, upper.pos * norm),
                  largest(lower.neg, lower.limit, lower.pos * norm));
}

unsigned smallestWidth(Bound bound, Range range, Norms norms) {
  unsigned width = 1;
  while (!budgetOf(bound, width, range).admits(norms))
    ++width;
  return width;
}

unsigned smallestWidth(Bound bound, Range range) {
  return std::max(smallestWidth(bound, range, {1, 0}),
                  smallestWidth(bound, range, {0, 1}));
}

size_t firstNonFinite(std::span<const double> weights) {
  return std::find_if(weights.begin(), weights.end(),
                      [](double value) { return !std::isfinite(value); }) -
         weights.begin();
}

int64_t narrowLimit(unsigned bits) {
  assert(bits >= 1 && bits <= 53 && "unsupported weight width");
  return (int64_t(1) << (bits - 1)) - 1;
}

} // namespace a2q
