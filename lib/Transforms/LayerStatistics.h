//===- LayerStatistics.h - What calibration says of a layer -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_LAYERSTATISTICS_H
#define A2Q_LIB_TRANSFORMS_LAYERSTATISTICS_H

#include "a2q/Transforms/ConstrainLayer.h"

namespace a2q {

/// Moments and statistics of a layer, from its attribute or from its caller.
class LayerStatistics {
public:
  LayerStatistics() = default;
  LayerStatistics(LayerStatistics &&) = default;

  /// An error at the op where the caller's do not fit it.
  static mlir::FailureOr<LayerStatistics> of(AccumulatingOpInterface op,
                                             const LayerKnowledge &knowledge);

  bool hasDiagonals() const { return !diagonals.empty(); }
  bool hasMoments() const { return !groups.empty(); }
  /// What the sums are to have, in units of the weights' codes times those of
  /// the activations; empty where that is what the weights have now.
  const std::vector<SumStatistics> &targets() const { return sums; }

  /// E[x_k^2] of the group, empty without moments.
  std::span<const double> diagonal(int64_t group) const;
  const Moments &moments(int64_t group) const { return groups[group]; }

  /// The mean and, with moments, the variance of each channel's sum for these
  /// weights, [channels, K]. There are at least means.
  std::vector<SumStatistics> of(std::span<const double> weights) const;

  /// E[s^2], summed over all channels of what `of` gives. There are moments.
  static double energy(std::span<const SumStatistics> sums);

private:
  int64_t length = 0;
  std::vector<Moments> own;        ///< of the attribute
  std::span<const Moments> groups; ///< empty where products are not known
  std::vector<std::vector<double>> diagonals, means;
  std::vector<SumStatistics> sums;
};

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_LAYERSTATISTICS_H
