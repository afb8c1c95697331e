//===- FollowWeights.h - What reads sums follows their weights --*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sums of products of codes become reals in one place: the bias and multiplier
// of `a2q.requantize`, or, where decoded integers go on as floats, a
// linalg.generic that computes `float(sum + bias) * scale + real bias` with
// constants per channel, either bias being optional. When weights change, all
// have to follow: a bias holds `-z * sum(q)` for the zero point z of the
// activations, and the integers are in units of the weights' scale.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_FOLLOWWEIGHTS_H
#define A2Q_LIB_TRANSFORMS_FOLLOWWEIGHTS_H

#include "a2q/IR/A2QOps.h"

namespace a2q {

/// How the weights of one channel changed.
struct WeightChange {
  Wide before = 0;  ///< z * sum(q), which the bias takes off again
  Wide after = 0;   ///< the same of the new weights
  double scale = 1; ///< new over old
  double shift = 0; ///< to add to the sum, in units of the old scale
  bool isNothing() const { return before == after && scale == 1 && shift == 0; }

  /// The bias in units of the new scale.
  Wide bias(Wide old) const;
  /// What a real bias takes up instead of the shift, in units of the old scale,
  /// if the integer bias goes from `old` to `rounded`.
  double remainder(Wide old, Wide rounded) const;
};

/// The first op that reads the sums and whose bias cannot follow (`scale`
/// false), or whose bias or scale cannot; null when all can.
mlir::Operation *cannotFollow(AccumulatingOpInterface op, bool bias,
                              bool scale);

/// Changes all that reads the sums, which `cannotFollow` has nothing against.
/// An error where a bias or scale leaves its type, and then nothing changed;
/// sums of the new weights have `width` bits.
mlir::LogicalResult followWeights(AccumulatingOpInterface op, unsigned width,
                                  llvm::ArrayRef<WeightChange> channels);

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_FOLLOWWEIGHTS_H
