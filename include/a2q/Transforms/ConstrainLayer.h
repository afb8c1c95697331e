//===- ConstrainLayer.h - Weights of one layer that fit ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `a2q-constrain-weights` does to each layer in turn, for whoever knows
// more than the module holds: moments of inputs that were too many for an
// attribute, or the real weights that the codes were rounded from.
//
// What reads the sums of a layer follows them (`a2q.requantize`, or constants
// of a linalg.generic that computes `float(sum + bias) * scale + real bias`).
// With moments the mean and the variance of each channel's sum are brought back
// as well: the shift goes into the bias, the factor into the scale.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_CONSTRAINLAYER_H
#define A2Q_TRANSFORMS_CONSTRAINLAYER_H

#include "a2q/Analysis/Ranges.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/ConstraintAttr.h"
#include "a2q/Math/Correction.h"

#include <span>

namespace a2q {

/// What is known of a layer beyond the module. Each part may be absent.
struct LayerKnowledge {
  /// Of the inputs, one per group, in the default order of terms; `products`
  /// may be the K squares alone. Absent: those of the attribute `a2q.moments`,
  /// if there are any.
  std::span<const Moments> moments = {};
  /// The statistics that the real sum of each channel is to have (scales in,
  /// bias out). Absent: those of the attribute, or else what the weights have
  /// before they change.
  std::span<const SumStatistics> sums = {};
  /// The real weights behind the codes, in units of their scales, [channels, K]
  /// in the default order. Absent: the codes.
  std::span<const double> weights = {};
};

/// The constraint of a layer: `all`, with what the layer's attribute says and
/// then with `entries` (may be null) over it. An error at the op where they
/// contradict each other.
mlir::FailureOr<ConstraintSpec> constraintOf(AccumulatingOpInterface op,
                                             const ConstraintSpec &all,
                                             mlir::DictionaryAttr entries = {});

/// Gives the layer weights that meet the constraint, as
/// `a2q-constrain-weights` describes it, and tells whether they changed. An
/// error, after which the op is as it was, where that cannot be done. `ranges`
/// are those of the module as it is.
mlir::FailureOr<bool> constrainLayer(AccumulatingOpInterface op,
                                     const ConstraintSpec &constraint,
                                     const RangeAnalysis &ranges,
                                     const LayerKnowledge &knowledge = {});

/// Brings back the statistics that the sums are to have, and leaves the
/// weights. Nothing happens where there are no moments or no statistics to aim
/// at, or where what reads the sums cannot follow. The bias alone follows. An
/// error, after which the op is as it was, where a constant would leave its
/// type.
mlir::LogicalResult correctLayer(AccumulatingOpInterface op,
                                 const RangeAnalysis &ranges,
                                 const LayerKnowledge &knowledge = {});

/// Proves the layer's accumulators from the integers that stand in the module,
/// or emits an error.
mlir::LogicalResult proveLayer(AccumulatingOpInterface op,
                               const RangeAnalysis &ranges);

} // namespace a2q

#endif // A2Q_TRANSFORMS_CONSTRAINLAYER_H
