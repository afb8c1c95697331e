//===- Constraining.h - Methods that meet a budget --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// To *constrain* is to change the weights of a channel so that its accumulator
// fits a width. Methods differ in which integers they choose, not in what they
// promise, so they stand in one table by name. Most see one channel, those with
// error feedback a whole layer and its moments (ErrorFeedback.h). Who calls
// them proves the result again from the integers.
//
//   method                 | integers                        | bounds
//   -----------------------|---------------------------------|---------------
//   a2q                    | divided by the norm, truncated  | a2q, centred
//   a2q-plus               | mean removed, projected,        | a2q-plus
//                          | truncated                       |
//   ep-init                | projected, truncated            | a2q, centred
//   gpfq                   | path following, best scale      | any
//   gpfq-fixed-scale       | path following                  | any
//   optimal                | nearest, with the best scale    | any
//   optimal-fixed-scale    | nearest                         | any
//   optq                   | nearest plane, best scale       | any
//   optq-fixed-scale       | nearest plane                   | any
//   project                | projected, rounded to nearest   | any
//   top-b                  | the largest as +-1, best scale  | any
//
// The first bound is the default; `centred` is that of "any", since its budget
// is the largest. It is a promise only for accumulators that begin at their
// start (Centring.h). Published methods keep their published bound.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_CONSTRAINING_H
#define A2Q_MATH_CONSTRAINING_H

#include "a2q/Math/ErrorFeedback.h"

namespace a2q {

/// One channel as a method takes it.
struct ChannelConstraint {
  /// Weights in units of their scale: codes, where they are integers already.
  std::span<const double> weights;
  /// Bits of the accumulator that has to hold all products of a tile.
  unsigned width = 0;
  /// Activation codes, joined over the channel's terms.
  Range range;
  /// Bits of a weight; results stay in narrow range (4 bits are [-7, 7]).
  unsigned weightBits = 0;
  /// One of the method's bounds, or none for its default.
  std::optional<Bound> bound = std::nullopt;
  /// Terms that share an accumulator; empty for all of them.
  TileEnds tiles = {};
  /// Second moments of the activations, which `optimal*` and `top-b` weigh
  /// errors with; empty for equal weights.
  std::span<const double> moments = {};
};

struct ConstraintMethod {
  /// As `method=` spells it.
  std::string_view name;
  /// The bounds whose budget it can meet; the first is the default.
  std::span<const Bound> bounds;
  /// Whether the result may have another scale than the weights. Then it is in
  /// units of the old one: new scale = old scale * `scale`.
  bool changesScale;
  /// The method that stands in where the scale cannot change, if there is one.
  std::string_view fixedScale;
  /// The integers of one channel, or null: then `chooseLayer` has them.
  ScaledIntegers (*choose)(const ChannelConstraint &channel,
                           const Budget &budget);
  /// The integers of all channels at once, from moments.
  LayerResult (*chooseLayer)(const LayerConstraint &layer, const Budget &budget,
                             Moments &moments) = nullptr;

  /// Whether it sees a whole layer and its moments; then only `constrainLayer`
  /// runs it.
  bool needsMoments() const { return chooseLayer != nullptr; }

  /// What is wrong with a channel, as a diagnostic says it: weights or moments
  /// that are no numbers, tiles that do not cover the terms in order, a bound
  /// that the method lacks, widths out of range. Empty: nothing is.
  std::string refusal(const ChannelConstraint &channel) const;

  /// `choose` for the channel's bound; the scale is 1 without `changesScale`.
  /// All zeros for a channel with a refusal.
  ScaledIntegers constrain(const ChannelConstraint &channel) const;

  /// All channels of a layer, by a method of either kind. `moments` may be null
  /// for methods that need none; others weigh errors by their diagonal, or by
  /// `layer.diagonal` where they are null. Used as work space and given back as
  /// they were. The result says what is wrong, with no channels, where a
  /// refusal above would, or the method itself refuses the moments.
  LayerResult constrainLayer(const LayerConstraint &layer,
                             Moments *moments) const;

  bool allows(Bound bound) const;

  /// The smallest width whose budget admits a weight of either sign; below it
  /// the method can only return zeros for some weights.
  unsigned smallestWidth(Range range,
                         std::optional<Bound> bound = std::nullopt) const;

  /// The same for a channel of these norms.
  unsigned smallestWidth(Range range, std::optional<Bound> bound,
                         Norms norms) const;

private:
  std::string channelRefusal(const ChannelConstraint &channel) const;
};

/// All methods, sorted by name.
std::span<const ConstraintMethod> constraintMethods();

/// The method of this name, or null.
const ConstraintMethod *lookupConstraintMethod(std::string_view name);

} // namespace a2q

#endif // A2Q_MATH_CONSTRAINING_H
