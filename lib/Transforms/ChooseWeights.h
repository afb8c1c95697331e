//===- ChooseWeights.h - Integers for all channels of a layer ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_CHOOSEWEIGHTS_H
#define A2Q_LIB_TRANSFORMS_CHOOSEWEIGHTS_H

#include "LayerStatistics.h"
#include "a2q/Analysis/Accumulators.h"
#include "a2q/Math/Constraining.h"

namespace a2q {

/// What one layer is to meet, and by which method.
struct Goal {
  const ConstraintMethod *method = nullptr;
  unsigned width = 0;
  Bound bound = Bound::Exact;
  int64_t tile = 0; ///< terms; 0 for all

  /// Bits that an accumulator of these sums needs, from its start.
  unsigned needs(Interval sum) const {
    return bound == Bound::Centred ? spanWidth(sum) : signedWidth(sum);
  }
  bool fits(Interval sum) const { return needs(sum) <= width; }
  /// Whether the layer is summed in more than one tile.
  bool isTiled(int64_t length) const { return tile > 0 && tile < length; }
  /// The ends of the tiles of `length` terms; the last may be shorter.
  std::vector<uint32_t> ends(int64_t length) const;
  /// "12 bits", "8 bits per 144 terms".
  std::string text(int64_t length) const;
};

/// What changed in one layer. New reals are `scales[c] * weights[c][k]` and, of
/// the sums, `+ shifts[c]`, in units of the old codes.
struct Change {
  std::vector<int64_t> weights; ///< [channels, K] in the default order
  std::vector<double> scales, shifts;
  int64_t channels = 0;
  int64_t emptied = 0;            ///< channels that lost all their weights
  Wide l1Before = 0, l1After = 0; ///< of the channel with the largest
  size_t zerosBefore = 0, zerosAfter = 0;
  /// Squared, of the method's weights, relative to what they stand for: of the
  /// weights, and of the sums where moments are known.
  double error = 0;
  std::optional<double> outputError;
  /// Of the sums of the old weights, where moments or diagonals are known.
  std::vector<SumStatistics> before;
  /// The shifts, or scales and shifts, bring back statistics of the sums.
  bool meansRestored = false, variancesRestored = false;
  /// What keeps them from being brought back: a reader that cannot follow.
  mlir::Operation *stubborn = nullptr;

  bool changesScales() const;
};

/// The sums that one accumulator takes over all K products, initial included.
Interval wholeSum(const AccumulationProblem &problem, int64_t channel);

/// Integers within `codes` for all channels that do not fit as they are, by
/// tile where the goal has tiles. `reals` are what the codes stand for, or
/// empty. With reals a method with error feedback chooses anew for channels
/// that fit as well, where that loses less. An error at the op where a width
/// admits no weight.
mlir::FailureOr<Change> chooseWeights(const AccumulatingOp &layer,
                                      const Goal &goal, Range codes,
                                      const LayerStatistics &statistics,
                                      std::span<const double> reals);

/// Adds to scales and shifts what brings back the statistics of the sums, from
/// moments or at least diagonals: the targets, or those of the old weights. Of
/// channels that did not change only where there are targets. Without `scale`
/// only shifts.
void restoreSums(const LayerStatistics &statistics,
                 std::span<const int64_t> oldCodes, bool scale, Change &change);

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_CHOOSEWEIGHTS_H
