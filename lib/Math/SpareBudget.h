//===- SpareBudget.h - What is left of a tile's budget ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_MATH_SPAREBUDGET_H
#define A2Q_LIB_MATH_SPAREBUDGET_H

#include "a2q/Math/Budget.h"

#include <algorithm>
#include <cmath>

namespace a2q {

/// Soft thresholds of weights whose errors cost 1 each; `shrink` divides by
/// what they cost.
struct Thresholds {
  double pos = 0;
  double neg = 0;
  /// The value whose nearest integer is the best one at this price of a unit.
  double shrink(double value, double inverseWeight) const {
    double theta = (value > 0 ? pos : neg) * inverseWeight;
    return std::copysign(std::max(std::abs(value) - theta, 0.0), value);
  }
};

/// A budget that integers are taken from one after the other, exactly.
class SpareBudget {
public:
  explicit SpareBudget(const Budget &budget) : left(budget) {}

  bool admits(int64_t q) const {
    Norms unit = q > 0 ? Norms{q, 0} : Norms{0, -static_cast<Wide>(q)};
    return left.admits(unit);
  }
  /// Takes an integer out, or as much of it as fits, and returns that.
  double spend(double wanted);
  /// Gives an integer back that was spent.
  void refund(int64_t q) { move(q, -1); }
  void take(int64_t q) { move(q, 1); }

  /// Thresholds at which these targets just fit: `round(|value| - theta / h)`,
  /// one for both signs, or one for each where the budget separates them.
  /// `start` is a guess.
  Thresholds thresholds(std::span<const double> values,
                        std::span<const double> inverseWeights, double limit,
                        Thresholds start) const;

private:
  void move(int64_t q, int sign) {
    Wide pos = std::max<Wide>(q, 0), neg = std::max<Wide>(-Wide(q), 0);
    left.upper.limit -= sign * (left.upper.pos * pos + left.upper.neg * neg);
    left.lower.limit -= sign * (left.lower.pos * pos + left.lower.neg * neg);
  }

  Budget left;
};

} // namespace a2q

#endif // A2Q_LIB_MATH_SPAREBUDGET_H
