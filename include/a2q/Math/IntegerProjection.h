//===- IntegerProjection.h - Nearest integers within a budget ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of all integer weights that fit an accumulator, which are nearest to the real
// ones? The published methods project onto real weights that fit and then
// truncate: of the budget, what they cut off is lost. Ask for integers from the
// start, and the answer is exact and as cheap.
//
// The error `sum h_i (q_i - u_i)^2` is a sum of convex functions of one weight
// each. So start from the nearest integers, budget or not, and take units off
// one by one, each where it costs least: taking q to q - 1 costs
// `h * (2 (|u| - q) + 1)`, and the next unit of the same weight costs 2h more.
// Since the costs of a weight only rise, the cheapest units over all weights
// may be taken in any order, and no exchange of a taken unit for another
// improves the sum: that is the optimum.
//
// Worked example: u = (2.6, -1.4, 0.8, 0.3), l1 budget 3. The nearest integers
// (3, -1, 1, 0) have l1 = 5. Units cost: 3 -> 2: 0.2, 2 -> 1: 2.2; -1 ->
// 0: 1.8; 1 -> 0: 0.6. Off go the two cheapest, 0.2 and 0.6: (2, -1, 0, 0).
// Projection and truncation give theta = 0.6, (2.0, -0.8, 0.2, 0), and then
// (2, 0, 0, 0): a unit of three is lost.
//
// Budgets. One l1 norm: the units of all weights compete. Separate budgets for
// pos and neg: the units of each sign do. Two conditions that share both signs
// (signed codes, `exact`) look like a knapsack and are none, because all units
// of one sign weigh the same: for each pos there is a largest neg, the best
// weights of given pos and neg are known from above, and pos is swept.
//
// Rivals: a heap of costs gives the same in O(K log K) per unit; selection
// needs no order among the units that go, only which they are.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_INTEGERPROJECTION_H
#define A2Q_MATH_INTEGERPROJECTION_H

#include "a2q/Math/Budget.h"

namespace a2q {

/// The integers `|q_i| <= limit` of the budget that minimise
/// `sum h_i (q_i - u_i)^2`, for each tile on its own. `h` is empty (all ones)
/// or has a finite weight >= 0 for each i: the second moments of the
/// activations. `u` is finite. O(K) for weights of a given width where the
/// budget is one norm or one for each sign; the sweep of the rest is O(l1 log
/// K).
std::vector<int64_t> nearestIntegers(std::span<const double> u,
                                     const Budget &budget, int64_t limit,
                                     std::span<const double> h = {},
                                     TileEnds tiles = {});

/// Euclidean projection onto the real weights of the budget, then the nearest
/// integers to *that* within the budget, for each tile. The true feasible set,
/// no mean removed: EP-init without its losses. In weight error never before
/// nearestIntegers(u), which knows of integers from the start; beside it in
/// output error.
std::vector<int64_t> projectedIntegers(std::span<const double> u,
                                       const Budget &budget, int64_t limit,
                                       TileEnds tiles = {});

/// Takes units off integers that lie between 0 and about `u` until they are in
/// the budget, the cheapest first as above. Exact integers decide when it is
/// met, whatever `u` holds; finite.
void reduceToBudget(std::span<int64_t> q, std::span<const double> u,
                    const Budget &budget, std::span<const double> h = {});

/// `sum h_i (scale * q_i - u_i)^2`.
double squaredError(std::span<const double> u, std::span<const int64_t> q,
                    double scale = 1, std::span<const double> h = {});

} // namespace a2q

#endif // A2Q_MATH_INTEGERPROJECTION_H
