//===- Kernels.h - Loops that are compiled per processor --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The few loops over weights that time goes into, besides matrix products. Each
// is compiled for several x86-64 levels and chosen at run time. All of them
// compute the same: sums run in eight lanes whatever the registers are, and
// products are not fused with sums.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_MATH_KERNELS_H
#define A2Q_LIB_MATH_KERNELS_H

#include <array>
#include <cstddef>

namespace a2q {

/// Integers `min(round(max(|value| - theta * inverse, 0)), limit)` summed by
/// the sign of the value, with a theta for each sign.
struct SignedSums {
  double pos = 0;
  double neg = 0;
};
SignedSums thresholdSums(const double *values, const double *inverses,
                         size_t length, double limit, SignedSums theta);

/// For integers q of magnitudes m with weights h at a scale, as above: sums of
/// q, h m q and h q^2.
struct WeightedSums {
  double count = 0;
  double uq = 0;
  double qq = 0;
};
struct WeightedMagnitudes {
  const double *magnitudes; ///< m
  const double *weights;    ///< h
  const double *inverses;   ///< 1 / 2h
  size_t length;
};
WeightedSums weightedSums(const WeightedMagnitudes &all, double inverseScale,
                          double theta, double limit);

/// What a unit step on each of some weights gains: see Exchange.cpp.
struct StepTerms {
  const double *q;
  const double *hq;
  const double *hu;
  const double *diagonal;
  /// H's column of a step of `by` that is taken before; may be null.
  const double *column;
  double by = 0;
};
/// The largest gain of a weight >= 0 that grows, <= 0 that grows, > 0 that
/// shrinks, < 0 that shrinks; minus infinity for none.
using StepGains = std::array<double, 4>;

/// 2 by (hu - scale hq) - scale H_ii.
StepGains presentGains(const StepTerms &terms, size_t length, double scale,
                       double limit);

/// (qhu + by hu)^2 / (qhq + 2 by hq + H_ii), or 0 where the first factor is not
/// positive.
StepGains bestGains(const StepTerms &terms, size_t length, double qhq,
                    double qhu, double limit);

/// to += a * x + b * y.
void addColumns(double *to, const double *x, double a, const double *y,
                double b, size_t length);

/// to += a * x.
void addScaled(double *to, const double *x, double a, size_t length);

} // namespace a2q

#endif // A2Q_LIB_MATH_KERNELS_H
