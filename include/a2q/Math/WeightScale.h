//===- WeightScale.h - The best integers for real weights -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A channel of real weights becomes integers and a scale:
//
//   minimise  sum h_i (s q_i - w_i)^2  over s > 0 and integers |q_i| <= L.
//
// For a scale the best integers are the nearest, cut off at L; for integers the
// best scale is <w, q> / <q, q>. As the scale falls from infinity, the nearest
// integers change where some |w_i| / s passes k - 1/2, by one unit of one
// weight. So all integers that are nearest at any scale come by in order, each
// with its <w, q> and <q, q> from the last by two additions, and the best of
// them is the optimum: it is nearest at its own best scale. Exact, and O(n log
// n) for n units.
//
// Units far below the best scale are not visited: there, what is cut off costs
// more alone than the best that is known.
//
// Worked example: w = (1, 0.55), L = 1. Units come at 2 and 1.1. With the first
// q = (1, 0), s = 1, error 0.3025; with both q = (1, 1), s = 0.775, error
// 0.10125. The scale that spares the largest weight, 1, is not the best.
//
// The rival is a grid of scales below max |w| / L. It is what is done here
// above a number of units at which sorting them costs more than they matter: an
// 8-bit channel of thousands of weights has an error curve without teeth.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_WEIGHTSCALE_H
#define A2Q_MATH_WEIGHTSCALE_H

#include "a2q/Math/ScaleSearch.h"

namespace a2q {

/// The scale and the integers `|q_i| <= limit` of least squared error, weighted
/// by `h` (one >= 0 for each weight, or empty). `w` and `h` are finite, `limit`
/// is at least 1. All zeros, with scale 1, where all of `w` are 0 or
/// subnormal.
ScaledIntegers nearestScaledIntegers(std::span<const double> w, int64_t limit,
                                     std::span<const double> h = {});

} // namespace a2q

#endif // A2Q_MATH_WEIGHTSCALE_H
