//===- InputFacts.h - What is known of inputs beside ranges -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A range per input is a box, and a box lets all inputs be extreme at once.
// Some producers cannot do that. What a normalization hands over has a bounded
// 2-norm, so one large value leaves little for the others. What softmax hands
// over has a bounded sum. Both are facts of every input of the network, read
// off the program, and they cost nothing at run time.
//
// The ball. A normalization computes n = v / sqrt(mean(v^2) + epsilon), so
// ||n||_2 <= sqrt(d). Then come a gain and an offset per coordinate and the
// quantizer: x_k = clip(round((g_k n_k + b_k) / s) + z). Clipping to a range
// that holds the centre c_k = b_k / s + z moves a code towards its centre; it
// is as if n_k had been smaller. Rounding moves it by at most 1/2. So
//
//   |x_k - c_k - (g_k / s) n'_k| <= slack_k   for some n' with ||n'|| <=
//   sqrt(d)
//
// and with v_k = q_k g_k / s a sum is at most
//
//   sum q_k c_k + sum |q_k| slack_k + sqrt(d) ||v||_2.
//
// Worked example: d = 384 inputs of gain 1, 8-bit codes of scale 1/16, weights
// all 3. The box allows 384 * 3 * 127 = 146,304: 19 bits. The ball allows
// sqrt(384) * ||(48, ...)|| = 18,432 and 576 for rounding: 16 bits.
//
// Ball and box. Neither holds the other: the box cuts off the ball's ends along
// the axes. The largest sum over both is a concave problem in one multiplier:
//
//   max sum f_k(n_k), ||n|| <= R,   f_k(n) = min(box_k, base_k + |v_k| n)
//
// The coordinates with the largest |v_k| / r_k reach the box (r_k is how far
// n_k may go until it does, on the side where the sum grows), the others share
// what is left of the radius in proportion to |v_k|. A point that is found
// this way and is not quite the best one gives too small a sum. So what is
// reported is the dual function at the multiplier that was found,
//
//   D(t) = t R^2 / 2 + sum max over n in [0, r_k] of (f_k(n) - t n^2 / 2),
//
// which is an upper bound for every t >= 0, right or wrong. Sums and square
// roots are computed in double and the result is rounded outward.
//
// Not used: that the mean of n is 0. With d = 64 and codes clipped at +-127,
// one clipped spike moves the sum of all codes far from what a mean of 0 would
// give: see the test.
//
// Subsets. Any part of a vector in a ball is in the ball. So a tile, a lane and
// a partial sum obey the same bound on their own terms, but for the centres:
// their partial sums count by sign. That is `prefix`; `final` is of the
// complete sum. Codes that were shifted by 128 have centres of 128, and their
// prefix is the box's.
//
// The simplex. Codes x_k >= 0 of probabilities sum to at most C, so the sum is
// between C min(0, min q) and C max(0, max q), whatever the length, and a
// range per code narrows it. Integer and exact; subsets obey it as they are.
//
// The rival is a bound on each input alone (a box), which every range analysis
// has. Norm bounds of normalization and softmax are known from network
// verification; as far as we know they were not used for accumulators.
//
// Values that are read from codes, added and stored as codes again. A sum of a
// vector in a ball and one in a box has the box's half widths as slack. A sum
// of vectors in two balls, a n and b m, is in a ball again, since by Cauchy
//
//   (a_k n_k + b_k m_k)^2 <= (a_k^2 + b_k^2) (n_k^2 + m_k^2),
//
// with gains sqrt(a_k^2 + b_k^2) and squares of radii that add up. How a and n
// share a factor is free; gains and radii are balanced so that two balls of one
// shape give exactly their Minkowski sum.
//
// NaN. A normalization of infinities is NaN in some places and 0 in the others,
// and a quantizer stores NaN as the zero point. The bounds hold for such inputs
// too: they count every subset of coordinates at 0. Of one vector either all is
// in the ball or all that is left are zeros and centres, so `final` is the
// larger of two sums. The taps of a kernel read several vectors, of which one
// may be NaN while another reaches its radius: there each term counts with the
// better of its centre and 0, as in `prefix`, and moves from there. Once codes
// have become values again that 0 is a number as any other, which takes part in
// what follows: the ball keeps track of where it `rest`s.
//
// Padding. A padded position is a vector of one constant. Codes of the zero
// point are what a NaN leaves, so they are in the ball already. Any other
// constant c is n_k = (c - c_k) / gain_k, and the radius becomes the norm of
// that where it is larger: a ball holds both, the vectors and the padding.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_INPUTFACTS_H
#define A2Q_MATH_INPUTFACTS_H

#include "a2q/Math/Bounds.h"
#include "a2q/Math/Requantization.h"

#include <optional>
#include <vector>

namespace a2q {

/// `|x_k - centre_k - gain_k n_k| <= slack_k` for some n with `||n||_2 <=
/// radius`, or x_k rests where a NaN has left it. Real values or codes less
/// their zero point. A coordinate with an infinite gain is bounded by its range
/// only.
struct Ball {
  double radius = 0;
  std::vector<double> centre, gain, slack;
  /// Where a NaN has left each coordinate, up to its slack. Empty: a NaN is
  /// still one, or is the zero point, 0, once there are codes.
  std::vector<double> rest = {};

  bool operator==(const Ball &) const = default;
  size_t length() const { return centre.size(); }
  double resting(size_t k) const { return rest.empty() ? 0 : rest[k]; }
  /// The coordinates in another order, some of them, or some more than once; a
  /// negative index stands for one that is always 0. Every part of a vector in
  /// the ball is in it; the caller sees to the radius where one appears twice.
  Ball select(std::span<const int64_t> indices) const;
};

/// `x_k >= 0` and `sum x_k <= total`.
struct Simplex {
  double total = 0;
  bool operator==(const Simplex &) const = default;
};

/// What holds of all inputs of a dot product together, beside their ranges.
/// Ball and simplex are about codes less their zero point; `shift` is how much
/// of the zero point is in the inputs of the dot product.
struct InputFact {
  std::optional<Ball> ball;
  std::optional<Simplex> simplex;
  int64_t shift = 0;
  /// A term is `weights[k] * x_k * w` for some w of this range: the other
  /// operand where both are activations. The ranges of the dot product are
  /// those of `x_k * w` then.
  Range factor = {1, 1};
  /// How many normalized vectors the inputs come from, each NaN by itself: one
  /// per tap of a kernel. The radius and the total are those of all together.
  int64_t vectors = 1;

  bool operator==(const InputFact &) const = default;
};

/// What a normalization `v / sqrt(share * sum(v^2) + epsilon)` of `length`
/// values hands over when it computes in float32 and divides the very values
/// that it squares; `share` is 1 / length for LayerNorm and RMSNorm. The radius
/// `1 / sqrt(share)` is widened by a relative 1e-3, and by the rounding errors
/// of a sum of `length` squares.
Ball normalizedBall(size_t length, double share);

/// The values times `factors` (one for all, or one each), each product rounded
/// to float32.
Ball scaled(Ball ball, std::span<const double> factors);

/// The values plus `offsets` (one for all, or one each), rounded to float32.
Ball shifted(Ball ball, std::span<const double> offsets);

/// The codes of the values, less the zero point; nullopt where that is no code.
/// `scales` has one element or one each; the values are float32 and so is the
/// division. A coordinate whose centre is no code is left to its range.
std::optional<Ball> quantized(Ball ball, std::span<const double> scales,
                              int64_t zeroPoint, Range codes,
                              Rounding rounding);

/// The values of codes less their zero point: float32 times float32. What was
/// NaN is 0 now, and moves with what is added later.
Ball dequantized(Ball ball, std::span<const double> scales);

/// Each value moved into `[lo, hi]`. A coordinate whose centre is outside is
/// left to its range.
Ball clamped(Ball ball, double lo, double hi);

/// Values of a ball plus values of a range, each with any, in float32.
Ball plusRange(Ball ball, double lo, double hi);

/// Sums of values of two balls, in float32: the Minkowski sum, which is a ball
/// where both have the same shape and is held by one otherwise. The sum comes
/// from the vectors of both.
Ball sumOf(Ball a, Ball b);

/// Coordinates of one ball after those of another, of codes or of values: the
/// squares of the radii add up.
std::optional<Ball> concatenated(const Ball &a, const Ball &b, bool areCodes);

/// Coordinates that are bounded by their ranges only.
Ball unboundedBall(size_t length);

/// Coordinates that are always between `lo` and `hi`.
Ball constantBall(size_t length, double lo, double hi);

/// The ball, as large as it takes to hold all vectors of coordinates between
/// `lo` and `hi` as well: what stands where a tensor was padded. A coordinate
/// that the ball is far from is left to its range.
Ball covering(Ball ball, double lo, double hi);

/// Those of `codes` (less the zero point) that coordinate k of a ball of codes
/// can be, the rest included.
Range coordinateRange(const Ball &ball, size_t k, Range codes);

/// What softmax of `length` values hands over when it computes in float32.
Simplex probabilities(size_t length);

/// The codes of `length` values, less the zero point; nullopt where the zero
/// point is no code.
std::optional<Simplex> quantized(const Simplex &simplex, size_t length,
                                 double scale, int64_t zeroPoint, Range codes,
                                 Rounding rounding);

/// What a sum and its partial sums can be.
struct SumIntervals {
  Interval final;
  Interval prefix;
  bool operator==(const SumIntervals &) const = default;
};

/// The sums over those terms of `dot` that `terms` lists (indices, each once),
/// by their ranges and by the fact: the smaller of both, and the intersection
/// of box and ball. The fact speaks of all inputs of the dot product, one per
/// term. O(n log n) for n terms.
SumIntervals boundTerms(const DotProduct &dot, const InputFact &fact,
                        std::span<const int64_t> terms);

/// The same over all terms.
SumIntervals boundSum(const DotProduct &dot, const InputFact &fact);

/// Inputs within the ranges and the ball of a fact that come near an end of the
/// final interval, the upper or the lower one: the point that the multiplier
/// belongs to, rounded towards its centre. For factor {1, 1}.
std::vector<int64_t> ballWitness(const DotProduct &dot, const InputFact &fact,
                                 bool upper);

} // namespace a2q

#endif // A2Q_MATH_INPUTFACTS_H
