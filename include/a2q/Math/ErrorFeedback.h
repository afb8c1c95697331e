//===- ErrorFeedback.h - Integers of a whole layer --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What counts is not how far weights are from the real ones but how far their
// sums are: e^T M e for weights that are off by e, M = E[x x^T]. Activations
// are correlated, so what rounding one weight breaks another one can mend.
// Round the columns of a layer one after another, and each time move the
// targets of the rest to where the error is least. Two ways to move them are
// published:
//
//   gpfq  the best value of weight t, all later ones being as they were:
//         w_t + sum_{s done} e_s M_st / M_tt.
//   optq  the best value, all later ones being free to follow. Of M = C C^T the
//         error is |C^T e|^2, whose rows are settled one by one: the value is
//         w_t + sum_{s done} e_s C_st / C_tt, and missing it by d costs
//         C_tt^2 d^2 for good. That is Babai's nearest plane. One Cholesky
//         factor is all it takes; the inverse in the published algorithm is a
//         detour.
//
// AXE (Colbert et al. 2024) adds accumulators: a soft threshold, from
// projecting the weights at first, and a clamp to what is left of the tile's
// budget. Here:
//
// - The threshold is a price per unit, lambda. The column takes the integer of
//   least `c_t (q - target)^2 + lambda |q|`, so columns that matter more are
//   thresholded less. The price is that at which the nearest integers of all
//   columns that are left just fit what is left of the budget, and is found
//   anew some 16 times along the way. Budgets of each sign have two prices.
// - The clamp is in exact integers, the budget's own; no margin for rounding.
// - Then units are exchanged: put on, taken off or moved within their tile, the
//   best first, until none lowers the error at its best scale. That uses what
//   the clamp has left over and mends what no later column could mend. At small
//   budgets it is most of the gain: 17 units for 576 weights are a choice of
//   weights rather than a rounding, and this is pursuit of the best ones.
//
// Worked example: two activations that are nearly the same, M = ((1, .9),
// (.9, 1)), weights (.6, .6). Rounding gives (1, 1), off by (-.4, -.4), error
// .61. With feedback the first becomes 1; the second has the target
// .6 - .4 * .9 = .24 and becomes 0: off by (-.4, .6), error .09.
//
// The order is by E[x^2], largest first: late columns have few left to mend
// them, so those that matter least come last. Activations that are always 0
// come at the very end, with what budget there is left. Channels whose weights
// are all on such activations, as in a depthwise convolution after a dead
// channel, are chosen as by `optimal`, all weights alike.
//
// With fewer samples than activations M is singular: there are many ways to be
// exact on the samples, and most of them are wrong on others. What is fed back
// is chance then, unless M is damped more: by a tenth of its mean diagonal
// where there are fewer than two samples for each activation. Channels that
// lose more than a quarter of their sums' square take the integers of `optimal`
// where these are better, before units are exchanged.
//
// Cost, for C channels: K^3 / 3 for the factor, about 3 C K^2 for the rest, all
// in matrix products. Memory: the result, 128 channels of targets, and nothing
// for M, which is factored in place and put back.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_ERRORFEEDBACK_H
#define A2Q_MATH_ERRORFEEDBACK_H

#include "a2q/Math/Moments.h"
#include "a2q/Math/ScaleSearch.h"

namespace a2q {

/// The channels of a layer that read the same activations: all of them, or
/// those of one group.
struct LayerConstraint {
  /// K weights for each channel, one channel after the other, in units of their
  /// scales: codes, where they are integers already.
  std::span<const double> weights;
  /// K.
  size_t length = 0;
  /// Bits of the accumulator that has to hold all products of a tile.
  unsigned width = 0;
  /// Activation codes, joined over all terms.
  Range range;
  /// Bits of a weight; results stay in narrow range (4 bits are [-7, 7]).
  unsigned weightBits = 0;
  /// One of the method's bounds, or none for its default.
  std::optional<Bound> bound = std::nullopt;
  /// Terms that share an accumulator; empty for all of them.
  TileEnds tiles = {};
  /// E[x_k^2], for methods that weigh errors and where no more is known.
  std::span<const double> diagonal = {};
  /// Added to the diagonal of the moments, relative to its mean; at least
  /// kFewSamplesDamping where there are few samples.
  double damping = 0.01;

  size_t channels() const { return length ? weights.size() / length : 0; }
  std::span<const double> channel(size_t index) const {
    return weights.subspan(index * length, length);
  }
};

/// What is added to moments that lack samples (Moments::haveEnoughSamples).
constexpr double kFewSamplesDamping = 0.1;

/// What is added to the diagonal of these moments, relative to its mean.
double dampingOf(const LayerConstraint &layer, const Moments &moments);

/// Integers and scale of each channel, or what stands against them.
struct LayerResult {
  std::vector<ScaledIntegers> channels;
  std::string refusal;
};

/// Whether scales of the weights may change.
enum class Scales { Fixed, Free };

/// Greedy path following (Lybrand & Saab 2021), within a budget (Colbert et al.
/// 2024, arXiv 2409.17092, section 3). The layer and its moments are as
/// ConstraintMethod::constrainLayer has checked them. `moments` are work space
/// and given back as they were.
LayerResult gpfq(const LayerConstraint &layer, const Budget &budget,
                 Moments &moments, Scales scales);

/// Nearest plane (OPTQ, Frantar et al. 2023, arXiv 2210.17323), within a budget
/// as above. Refuses moments that are singular after damping.
LayerResult optq(const LayerConstraint &layer, const Budget &budget,
                 Moments &moments, Scales scales);

} // namespace a2q

#endif // A2Q_MATH_ERRORFEEDBACK_H
