//===- Budget.h - What the weights of one accumulator may be ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bound together with a width and a range of codes is a condition on two
// numbers of a channel, pos and neg: what they may be is the *budget*. Every
// bound but `datatype` is at most two linear conditions, which is what makes
// the nearest real and the nearest integer weights computable exactly.
//
//   a2q       pos + neg <= T, T = (2^(P-1) - 1) / 2^(N - signed)
//   a2q-plus  pos <= H and neg <= H, H = (2^(P-1) - 1) / (2^N - 1)
//   exact     hi * pos - lo * neg <= 2^(P-1) - 1, the largest partial sum, and
//             -lo * pos + hi * neg <= 2^(P-1), the smallest one
//   centred   pos + neg <= (2^P - 1) / (hi - lo)
//
// Worked example: P = 8, codes in [0, 15]. a2q allows an l1 norm of 7, a2q-plus
// 8 units of each sign, exact 8 of each sign (127 / 15 and 128 / 15), centred
// an l1 norm of 17, shared between the signs as the weights like. With signed
// codes in [-8, 7] the two conditions of `exact` share both signs:
// 7 pos + 8 neg <= 127 and 8 pos + 7 neg <= 128.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_BUDGET_H
#define A2Q_MATH_BUDGET_H

#include "a2q/Math/Bounds.h"

namespace a2q {

/// The pairs (pos, neg) with `upper` and `lower` both true. Coefficients and
/// limits are not negative, so weights that shrink toward 0 stay inside.
struct Budget {
  /// `pos * norms.pos + neg * norms.neg <= limit`.
  struct Condition {
    Wide pos = 0;
    Wide neg = 0;
    Wide limit = 0;
    bool admits(Norms norms) const {
      return pos * norms.pos + neg * norms.neg <= limit;
    }
    bool operator==(const Condition &) const = default;
  };
  Condition upper;
  Condition lower;

  bool admits(Norms norms) const {
    return upper.admits(norms) && lower.admits(norms);
  }

  /// One l1 norm: both conditions are the same and weigh both signs alike.
  bool isL1() const { return upper == lower && upper.pos == upper.neg; }
  /// Each condition sees one sign only.
  bool separatesSigns() const {
    return (upper.pos == 0 || upper.neg == 0) &&
           (lower.pos == 0 || lower.neg == 0);
  }

  /// The largest `pos` beside this `neg`, or -1 where no `pos` fits. Norms
  /// without any limit give `noLimit`.
  Wide largestPos(Wide neg) const;
  Wide largestNeg(Wide pos) const;
  static constexpr Wide noLimit = static_cast<Wide>(1) << 100;
};

/// The budget of a bound (theory in Bounds.h); DataType has none of its own and
/// gives A2Q's. A range without 0 is widened to hold it: the bounds are those
/// of every partial sum. `1 <= width <= 126`, codes of at most 32 bits.
Budget budgetOf(Bound bound, unsigned width, Range range);

/// The smallest width whose budget admits these norms.
unsigned smallestWidth(Bound bound, Range range, Norms norms);

/// The same for a weight of either sign; below it some weights can only become
/// 0, if not all: with codes in [-8, 7], `exact` needs 4 bits for +1, which
/// holds -8, and 5 for -1.
unsigned smallestWidth(Bound bound, Range range);

/// Consecutive terms that share an accumulator, as the ends of the tiles: {64,
/// 100} are the terms 0..63 and 64..99. Empty: all terms are one tile.
using TileEnds = std::span<const uint32_t>;

/// Calls `visit(begin, end)` for each tile of `length` terms.
template <typename Visit>
void forEachTile(size_t length, TileEnds ends, Visit visit) {
  size_t begin = 0;
  for (size_t end : ends) {
    visit(begin, end);
    begin = end;
  }
  if (begin < length)
    visit(begin, length);
}

/// Index of the first NaN or infinity, or the number of weights.
size_t firstNonFinite(std::span<const double> weights);

/// The largest weight of `bits` bits in narrow range: 4 bits are [-7, 7].
/// `1 <= bits <= 53`.
int64_t narrowLimit(unsigned bits);

} // namespace a2q

#endif // A2Q_MATH_BUDGET_H
