//===- Saturation.h - What pmaddubsw loses ----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// x86 without VNNI multiplies bytes with `pmaddubsw`: u8 times s8, two
// neighbouring products added into 16 bits *with saturation*. 255 * 127 +
// 255 * 127 = 64770 becomes 32767, and nobody is told. Kernels then widen these
// sums to 32 bits, where nothing is lost any more, so that a dot product is
// exact as soon as each pair is.
//
// Which products meet is decided by how a kernel packs its operands. So is the
// answer: weights (100, 100, -100, -100) are safe when 0 meets 2 and 1 meets 3,
// and unsafe for codes above 163 when neighbours meet. A *pairing* lists who
// meets whom; each term is in one pair. What each runtime does is in
// Analysis/Saturation.h.
//
// Worked example: weights (127, 127, -128, 64), codes in [0, 255], pairs (0, 1)
// and (2, 3). The first pair reaches 64770 and is cut to 32767: 32003 too
// little. The second stays in [-32640, 16320] and is exact. What saturation
// takes away, exact - computed, is in [0, 32003] for the whole sum.
//
// That interval is tight, not an estimate. What one pair loses,
// `s - clamp(s, -32768, 32767)`, never falls when its sum s grows, and the
// pairs have no term in common. So all pairs lose the most at once where each
// is at the upper end of its interval, which is the input that takes the whole
// sum there: the upper witness of Bounds.h, and the lower one for the other
// end. Both ends are reached by these two inputs, whatever the pairing.
//
// A pair of a u8 and an s8 side saturates on one side only: weights of opposite
// signs reach 255 * 127 at most. The formulas do not use that.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_SATURATION_H
#define A2Q_MATH_SATURATION_H

#include "a2q/Math/Bounds.h"

#include <optional>

namespace a2q {

/// Two terms of a sum whose products one `pmaddubsw` adds. A term without a
/// partner (`second < 0`) meets a zero that pads the packed operands.
struct TermPair {
  int64_t first = 0;
  int64_t second = -1;

  bool operator==(const TermPair &) const = default;
};

/// Neighbours in `order`: elements 0 and 1, 2 and 3, and so on, beginning anew
/// every `run` elements, so that the last element of an odd run has no partner.
/// `run >= 1`; the last run may be shorter.
std::vector<TermPair> pairNeighbours(std::span<const int64_t> order,
                                     int64_t run);

/// Whether `pmaddubsw` takes the operands: codes are u8 and weights s8.
bool areByteOperands(const DotProduct &dot);

/// All values of the exact sum of a pair.
Interval pairInterval(const DotProduct &dot, TermPair pair);

/// What saturation to 16 bits takes away: `sum - clamp(sum)`.
Wide saturationLoss(Wide sum);

/// What one sum of products can lose under a pairing.
struct SaturationLoss {
  /// How many pairs can saturate, and the first of them.
  int64_t pairs = 0;
  std::optional<TermPair> first;
  /// Exact sum less computed sum, over all inputs. Both ends are reached, by
  /// `upperWitness` and `lowerWitness`. It lacks 0 where some pair saturates
  /// whatever the input.
  Interval loss;

  /// The largest error in magnitude.
  Wide worst() const { return loss.hi > -loss.lo ? loss.hi : -loss.lo; }
};
SaturationLoss saturate(const DotProduct &dot, std::span<const TermPair> pairs);

/// All values that the sum of two terms, or of one alone, can take, whichever
/// two meet: when it fits 16 bits, no packing saturates. O(K).
Interval anyPairInterval(const DotProduct &dot);

/// The sum as the instruction computes it, each pair saturated once and all
/// else exact.
Wide saturatingSum(std::span<const int64_t> weights,
                   std::span<const int64_t> inputs,
                   std::span<const TermPair> pairs);

} // namespace a2q

#endif // A2Q_MATH_SATURATION_H
