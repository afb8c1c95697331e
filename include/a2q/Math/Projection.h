//===- Projection.h - Nearest real weights within a budget ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_PROJECTION_H
#define A2Q_MATH_PROJECTION_H

#include "a2q/Math/Budget.h"

namespace a2q {

/// Euclidean projection of `u` onto the l1 ball of this radius, in place:
/// `sign(u) * max(|u| - theta, 0)` with the theta that lands on the sphere
/// (Duchi et al. 2008, "Efficient projections onto the l1-ball"). Expected
/// O(K). `radius` >= 0 may be infinite. Returns false and leaves `u` alone when
/// it has a NaN or an infinity, or when the radius is NaN or negative.
bool projectOntoL1Ball(std::span<double> u, double radius);

/// Euclidean projection of `u` onto all real vectors whose pos and neg are in
/// the budget, in place, O(K) for l1 budgets and budgets that separate the
/// signs. No mean is removed: the set is the true one. False as above.
///
/// With two conditions that share the signs (signed codes, `exact`), the
/// nearest point is a soft threshold a*p0 + b*p1 for positive and a*n0 + b*n1
/// for negative values with multipliers a, b >= 0, and a multiplier is 0 where
/// its condition has room. So it is found by cases: no condition binds, one of
/// them does, or both do; then both are equations, which fix pos and neg, and
/// each sign is projected onto its own.
bool projectOntoBudget(std::span<double> u, const Budget &budget);

} // namespace a2q

#endif // A2Q_MATH_PROJECTION_H
