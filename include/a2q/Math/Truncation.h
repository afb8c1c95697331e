//===- Truncation.h - The published methods: shrink, then truncate *- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A2Q and its successors keep the l1 norm of real weights within the real
// budget T and then truncate toward zero, which can only shrink it further.
// They differ in how they get to T: dividing by the norm keeps the direction
// and starves small weights; the Euclidean projection keeps large weights near
// their place; with the mean removed, T is twice as large for unsigned codes.
//
// All take `u`, the weights of one channel in units of their scale, finite, and
// give integers in `[-limit, limit]` that the budget admits. The real numbers
// on the way are doubles with all their noise, so the last step is always a
// check in integers; where noise overshot, single units go.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_TRUNCATION_H
#define A2Q_MATH_TRUNCATION_H

#include "a2q/Math/Budget.h"

namespace a2q {

/// A2Q (arXiv 2308.13504, section 4): `trunc(g * u / ||u||_1)` with
/// `g = min(||u||_1, T)`. `budget` is one l1 norm: a2q or centred.
std::vector<int64_t> constrainA2Q(std::span<const double> u,
                                  const Budget &budget, int64_t limit,
                                  TileEnds tiles = {});

/// EP-init (A2Q+, arXiv 2401.10432): Euclidean projection onto the l1 ball of
/// radius T, then truncation. `budget` as above.
std::vector<int64_t> constrainEPInit(std::span<const double> u,
                                     const Budget &budget, int64_t limit,
                                     TileEnds tiles = {});

/// A2Q+ (arXiv 2401.10432) from its EP-init: subtract the mean, project onto
/// radius T, and then, as the quantizer does in each forward pass, subtract the
/// mean again, scale back to the norm of the projection and truncate. `budget`
/// is a2q-plus's: half of T for each sign.
///
/// Why the mean twice: u = 40 and a hundred values of -0.4 sum to 0. At P = 8,
/// N = 4 the radius is 16.9, and soft-thresholding leaves 16.9 of the 40 and
/// none of the others: all of the budget on one side, 16 * 15 = 240 > 127.
std::vector<int64_t> constrainA2QPlus(std::span<const double> u,
                                      const Budget &budget, int64_t limit,
                                      TileEnds tiles = {});

} // namespace a2q

#endif // A2Q_MATH_TRUNCATION_H
