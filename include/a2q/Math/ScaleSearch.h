//===- ScaleSearch.h - Scale and integers of a channel together -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixed scale, not the guarantee, is what costs accuracy. A channel whose
// weights are 7 units long and whose budget is one unit per weight has to cut
// nearly everything off; with a unit four times as large it has to cut little.
// The scale of a channel is free (the requantization's multiplier takes it up),
// so it is chosen together with the integers:
//
//   minimise  sum h_i (k q_i - u_i)^2  over k > 0 and q in the budget.
//
// For each k the best integers are known (IntegerProjection.h), for each q the
// best k is <u, q> / <q, q>, and the error as a function of k is a smooth curve
// with small teeth. So a grid of 36 scales finds the valley, a finer one its
// floor, and alternating between the two exact answers ends in a tooth.
//
// Why it is fast: without a diagonal the integers for a scale are a step
// function of the magnitude, `|q| >= k` for the magnitudes above
// `scale * (k - 1/2 + theta)`. Sorted once with prefix sums, a channel's <u, q>
// and <q, q> for any scale and theta cost one binary search per level, not a
// pass over the weights. That pays for the sort after two scales.
//
// The rival, pyramid vector quantization's pulse search (Fischer 1986), sets
// the pulses one by one where the cosine to u grows most, scale implied: a pass
// over the weights per pulse, and no notion of a budget of each sign. Measured
// side by side (benchmarks/Math/ScaleSearchBenchmark.cpp; Laplace weights of 4
// bits, centred budget, K = 4608, per channel): the same error to four digits
// at P = 8, 11 and 13, in 0.36, 0.37 and 0.43 ms against 0.09, 0.56 and 2.3;
// at K = 576, P = 15, where the clip to 4 bits counts, .0246 against .0251.
// Only a few dozen pulses are faster one by one, and that is not where time
// goes. So the search over scales is the one.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_SCALESEARCH_H
#define A2Q_MATH_SCALESEARCH_H

#include "a2q/Math/Budget.h"

namespace a2q {

/// Weights `scale * integers[i]`, in the units of what they stand for.
struct ScaledIntegers {
  double scale = 1;
  std::vector<int64_t> integers;
};

/// `h`, or nothing where it is 0 for all weights but zeros: an error that
/// depends on no weight would leave none, so that all count alike then.
std::span<const double> countedMoments(std::span<const double> u,
                                       std::span<const double> h);

/// The scale and the integers `|q_i| <= limit` of the budget, in each tile, of
/// least `sum h_i (scale * q_i - u_i)^2`, by search as above. `u` and `h` as
/// nearestIntegers takes them, `h` only as far as countedMoments. Never worse
/// than the nearest integers at scale 1, nor than largestAsOnes. All zeros,
/// with scale 1, where the budget or `u` has nothing else.
ScaledIntegers searchScale(std::span<const double> u, const Budget &budget,
                           int64_t limit, std::span<const double> h = {},
                           TileEnds tiles = {});

/// The scale that searchScale finds, to a few percent and without the integers,
/// for weights h > 0: where a search starts that moves the scale anyway. 1
/// where there is none.
double roughScale(std::span<const double> u, const Budget &budget,
                  int64_t limit, std::span<const double> h, TileEnds tiles);

/// The baseline: the largest weights of each tile that the budget admits, as
/// +-1 with the best scale. B of them where the budget is an l1 norm of B.
ScaledIntegers largestAsOnes(std::span<const double> u, const Budget &budget,
                             std::span<const double> h = {},
                             TileEnds tiles = {});

/// The scale of least error for these integers; 1 where they are all 0 or point
/// away from `u`.
double bestScale(std::span<const double> u, std::span<const int64_t> q,
                 std::span<const double> h = {});

} // namespace a2q

#endif // A2Q_MATH_SCALESEARCH_H
