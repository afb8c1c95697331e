//===- Correction.h - Restore a sum's mean and variance ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights that were moved to fit an accumulator give sums of another mean and,
// as a rule, of a smaller variance: what was cut off no longer contributes.
// Training frameworks repair that by estimating batch-norm statistics anew. A
// compiler has the moments of the inputs and needs no second run: with
// s = q^T x,
//
//   E[s] = q^T E[x],   Var[s] = q^T (E[x x^T] - E[x] E[x]^T) q,
//
// and factor * s + shift has the mean and the variance that s had before, for
//
//   factor = sqrt(Var[before] / Var[s]),  shift = E[before] - factor * E[s].
//
// Both are free at run time: the factor goes into the channel's scale, the
// shift into its bias.
//
// Worked example: x in {0, 2} evenly, independent, two of them: mean (1, 1),
// products ((2, 1), (1, 2)). Weights (3, 1) have mean 4 and variance 10; the
// weights (3, 0) that took their place have 3 and 9. So factor = 1.0541 and
// shift = 4 - 3.1623 = 0.8377.
//
// The rival is the factor of least squared error, Cov / Var[s]. It is smaller:
// it shrinks what it cannot predict, and layers that follow would have to live
// with ever smaller inputs.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_CORRECTION_H
#define A2Q_MATH_CORRECTION_H

#include "a2q/Math/Moments.h"

namespace a2q {

/// Of one channel's sum, without bias.
struct SumStatistics {
  double mean = 0;
  double variance = 0;
  bool operator==(const SumStatistics &) const = default;
};

/// Of each channel; `weights` holds K values for each one after the other, in
/// whatever unit the statistics are to have. Variances are at least 0: what
/// rounding leaves of a variance that cancels counts as 0.
std::vector<SumStatistics> sumStatistics(std::span<const double> weights,
                                         const Moments &moments);

/// `factor * sum + shift`.
struct Correction {
  double factor = 1;
  double shift = 0;
  bool operator==(const Correction &) const = default;
};

/// What gives a sum with statistics `now` those of `before`. The factor is 1
/// where a variance is 0 and none can be restored: a channel without weights,
/// or one whose inputs never changed, only gets its mean back. A factor of 0,
/// which no scale can be, does not come out.
Correction restoreStatistics(const SumStatistics &now,
                             const SumStatistics &before);

/// The same without a factor, for channels whose scale must stay.
Correction restoreMean(const SumStatistics &now, const SumStatistics &before);

} // namespace a2q

#endif // A2Q_MATH_CORRECTION_H
