//===- Projection.h - Weights onto an accumulator's budget ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_PROJECTION_H
#define A2Q_MATH_PROJECTION_H

#include "a2q/Math/Bounds.h"

namespace a2q {

/// Euclidean projection of `u` onto the l1 ball of this radius, in place
/// (Duchi et al. 2008; theory section 3). `radius` >= 0.
void projectOntoL1Ball(std::span<double> u, double radius);

/// A2Q+ (arXiv 2401.10432; theory section 3): subtract the mean, project with
/// the A2Q+ radius, subtract the mean again and scale, truncate toward zero.
/// `u` are the weights of one channel in units of their scale. The result is
/// clipped to `weightBits` (narrow range) and *checked*: pos and neg each fit
/// their half of the budget, whatever float noise did.
std::vector<int64_t> projectA2QPlus(std::span<const double> u, unsigned width,
                                    Range range, unsigned weightBits);

} // namespace a2q

#endif // A2Q_MATH_PROJECTION_H
