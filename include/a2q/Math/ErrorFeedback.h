//===- ErrorFeedback.h - Integers of a whole layer --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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
  /// Added to the diagonal of the moments, relative to its mean.
  double damping = 0.01;

  size_t channels() const { return length ? weights.size() / length : 0; }
  std::span<const double> channel(size_t index) const {
    return weights.subspan(index * length, length);
  }
};

/// Integers and scale of each channel, or what stands against them.
struct LayerResult {
  std::vector<ScaledIntegers> channels;
  std::string refusal;
};

/// Whether path following may change the scales of the weights.
enum class Scales { Fixed, Free };

/// Greedy path following (Lybrand & Saab 2021; with budgets: Colbert et al.
/// 2024, arXiv 2409.17092).
LayerResult gpfq(const LayerConstraint &layer, const Budget &budget,
                 Moments &moments, Scales scales);

/// Nearest plane (OPTQ, Frantar et al. 2023; with budgets: arXiv 2409.17092).
LayerResult optq(const LayerConstraint &layer, const Budget &budget,
                 Moments &moments, Scales scales);

} // namespace a2q

#endif // A2Q_MATH_ERRORFEEDBACK_H
