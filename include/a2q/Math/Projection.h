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
/// (Duchi et al. 2008, figure 1), O(K log K). `radius` >= 0; `u` is finite.
void projectOntoL1Ball(std::span<double> u, double radius);

/// A2Q+ with EP-init (arXiv 2401.10432): subtract the mean,
/// project with the A2Q+ radius, subtract the mean again and scale, truncate
/// toward zero. `u` are the weights of one channel in units of their scale,
/// finite. The result is clipped to `weightBits` (narrow range: 4 bits are
/// [-7, 7]) and *checked*: pos and neg each fit their half of the budget,
/// whatever float noise did.
///
/// Why the mean twice: u = 40 and a hundred values of -0.4 sum to 0. At P = 8,
/// N = 4 the radius is 16.9, and soft-thresholding leaves 16.9 of the 40 and
/// none of the others: all of the budget on one side, 16 * 15 = 240 > 127.
std::vector<int64_t> projectA2QPlus(std::span<const double> u, unsigned width,
                                    Range range, unsigned weightBits);

} // namespace a2q

#endif // A2Q_MATH_PROJECTION_H
