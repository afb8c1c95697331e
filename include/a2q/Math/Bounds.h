//===- Bounds.h - Conditions that guarantee no overflow ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dot product of K terms lands in a register of P bits. How large must P be?
// There are five answers, each a condition that guarantees that no input
// overflows. The later ones know more of the weights and ask for fewer bits.
//
// Worked example: weights q = (5, -3, 2, 6), codes x_k in [0, 15] (N = 4 bits,
// unsigned), weights of M = 4 bits, K = 4. So pos = 13, neg = 3, l1 = 16.
//
//   datatype   knows K, N and M. A product is below 2^(N + M - 1) = 128 in
//              magnitude, the sum at most 4 * 128 = 512 <= 2^(P-1) - 1: P = 11.
//   a2q        knows l1. The sum is at most l1 * 2^N = 256: P = 10.
//   a2q-plus   knows pos and neg, and asks each for half of the register:
//              max(pos, neg) * (2^N - 1) = 195: P = 9.
//   exact      the interval itself: [-3 * 15, 13 * 15] = [-45, 195]: P = 9.
//   centred    only how wide that is, 240 <= 2^P - 1: P = 8. The accumulator
//              starts at -75 and holds [-120, 120] (see Centring.h).
//
// Always centred <= exact <= a2q <= datatype, and exact <= a2q-plus, all
// without bias: a bias that starts the accumulator is one more term. `exact` is
// tight: at P - 1 some input overflows. So is `centred`: at P - 1 no start
// serves both ends. The others are sound at P and promise no more.
//
// Two intervals, not one. Wrapping adds need only the *final* value to fit:
// what overflows on the way cancels mod 2^P. Saturating and trapping adds, and
// any `nsw`, need every partial sum to fit, in whatever order the loops run:
// the *prefix* interval. They are the same when every range contains 0. Codes
// in [200, 255] with q = (1, 1) have final sums in [400, 510], a span of 7
// bits, and partial sums in [0, 510], a span of 9. `exact` and `centred` mean
// the prefix, so that no one needs to know the order; `finalWidth` is the
// other.
//
// Why integers: next to a power of two a width from a float log2 is off by one,
// and one bit too few is an overflow. The rival is the data-type rule: it needs
// no weights, hence it serves weights that are written at run time, and pays
// for every weight as if it were the largest.
//
// Sizes: weights and codes of up to 32 bits and any K of a program keep all
// sums far inside 128 bits. Ranges have lo <= hi.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_BOUNDS_H
#define A2Q_MATH_BOUNDS_H

#include "a2q/Math/Interval.h"

#include <optional>
#include <string_view>
#include <vector>

namespace a2q {

/// The five conditions, from loose to tight.
enum class Bound { DataType, A2Q, A2QPlus, Exact, Centred };

/// "datatype", "a2q", "a2q-plus", "exact", "centred".
std::string_view toString(Bound bound);
std::optional<Bound> parseBound(std::string_view name);

/// One dot product `sum_k weights[k] * x_k` with `x_k` in a range.
/// `ranges` has either one element (all terms share it) or one per term.
struct DotProduct {
  std::span<const int64_t> weights;
  std::span<const Range> ranges;

  size_t length() const { return weights.size(); }
  Range range(size_t k) const {
    return ranges.size() == 1 ? ranges[0] : ranges[k];
  }
};

/// `pos = sum max(q, 0)`, `neg = sum max(-q, 0)`, `l1 = pos + neg`.
struct Norms {
  Wide pos = 0;
  Wide neg = 0;
  Wide l1() const { return pos + neg; }
  bool operator==(const Norms &) const = default;
};
Norms norms(std::span<const int64_t> weights);

/// All values that the complete sum can take.
Interval finalInterval(const DotProduct &dot);

/// All values that any partial sum can take: any order, any subset, the empty
/// one included.
Interval prefixInterval(const DotProduct &dot);

/// Inputs that reach the upper and the lower end of the final interval
/// One input that breaks a width refutes it; a centred width needs both.
std::vector<int64_t> upperWitness(const DotProduct &dot);
std::vector<int64_t> lowerWitness(const DotProduct &dot);

/// Width that a bound asks for, without bias. N is codeBits(range): these three
/// see the integer type of the codes, `range` joined over all terms, not its
/// ends. All three bound every partial sum, also where the range lacks 0: the
/// type has it.

/// K products of `weightBits`-bit signed weights and activations of `range`:
/// the smallest P with `K * 2^(N + M - 1 - signed) <= 2^(P-1) - 1` (Colbert et
/// al. 2023, arXiv 2301.13376).
unsigned datatypeWidth(uint64_t length, unsigned weightBits, Range range);

/// The smallest P with `l1 <= (2^(P-1) - 1) * 2^(signed - N)` (A2Q, arXiv
/// 2308.13504); 1 when the sum is 0 for all inputs.
unsigned a2qWidth(const Norms &norms, Range range);

/// The smallest P with `2 * max(pos, neg) * (2^N - 1) <= 2^P - 2` (A2Q+, arXiv
/// 2401.10432). The paper states its budget for l1 of a zero-sum vector.
/// Rounded weights no longer sum to 0, and a row of 256 ones meets the budget
/// of 256.99 (P = 16, N = 8) and reaches 65280, so pos and neg are checked
/// separately: each may use half of the register.
unsigned a2qPlusWidth(const Norms &norms, Range range);

/// `exact` is signedWidth(prefixInterval) and `centred` spanWidth of the same.

/// Everything the report says of one channel. A bias is not included.
struct ChannelBounds {
  Norms norms;
  Interval final;
  Interval prefix;
  unsigned datatype = 1;
  unsigned a2q = 1;
  unsigned a2qPlus = 1;
  unsigned exact = 1;      ///< == prefixWidth
  unsigned centred = 1;    ///< span of the prefix interval
  unsigned finalWidth = 1; ///< enough for wrapping adds
  /// `exact` when unsigned N-bit codes are stored less 2^(N-1). Signed codes
  /// and the range [0, 0] stay as they are. Reported only.
  unsigned zeroPoint = 1;
  unsigned width(Bound bound) const;
};

/// `weightBits` holds all weights (M); else `datatype` promises nothing.
ChannelBounds boundChannel(const DotProduct &dot, unsigned weightBits);

/// The largest l1 norm that `width` allows: whatever the signs and positions,
/// integer weights within it fit. For A2QPlus it is the norm of a zero-sum
/// vector, 2 * floor((2^(P-1) - 1) / (2^N - 1)): pos and neg may use half each.
/// Exact counts for the less lucky sign. DataType has no norm of its own and
/// gives A2Q's. 2^125 - 1 (no limit) for the range [0, 0].
/// `1 <= width <= 126`.
Wide l1Budget(Bound bound, unsigned width, Range range);

/// Whether the saturating sum of one adjacent pair, `x0*q0 + x1*q1` as x86
/// `pmaddubsw` computes it, is exact (x86 manual, PMADDUBSW): one side is u8
/// and the other s8, and the sum of the pair fits s16. Products are formed
/// exactly and their sum saturates once, so only that sum counts.
bool pairIsExact(int64_t q0, Range x0, int64_t q1, Range x1);

} // namespace a2q

#endif // A2Q_MATH_BOUNDS_H
