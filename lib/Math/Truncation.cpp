//===- Truncation.cpp - The published methods: shrink, then truncate ------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Truncation.h"

#include "a2q/Math/IntegerProjection.h"
#include "a2q/Math/Projection.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace a2q {

static double l1Norm(std::span<const double> u) {
  double sum = 0;
  for (double value : u)
    sum += std::abs(value);
  return sum;
}

/// The largest real norm of one condition that weighs its signs alike.
static double radiusOf(Wide coefficient, Wide limit) {
  if (coefficient == 0)
    return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit) / static_cast<double>(coefficient);
}

static void subtractMean(std::span<double> u) {
  if (u.empty())
    return;
  double mean =
      std::accumulate(u.begin(), u.end(), 0.0) / static_cast<double>(u.size());
  for (double &value : u)
    value -= mean;
}

/// Multiplies by `to / from`; nothing to scale where `from` is 0.
static void scaleNorm(std::span<double> u, double from, double to) {
  if (from == 0 || from == to)
    return;
  for (double &value : u)
    value *= to / from;
}

/// Applies `shrink` to the real weights of each tile, truncates and checks.
template <typename Shrink>
static std::vector<int64_t> truncateTiles(std::span<const double> u,
                                          const Budget &budget, int64_t limit,
                                          TileEnds tiles, Shrink shrink) {
  std::vector<double> real(u.begin(), u.end());
  std::vector<int64_t> q(u.size());
  auto bound = static_cast<double>(limit);
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    std::span<double> v = std::span(real).subspan(begin, end - begin);
    shrink(v);
    for (size_t i = begin; i < end; ++i)
      q[i] = static_cast<int64_t>(std::clamp(real[i], -bound, bound));
    reduceToBudget(std::span(q).subspan(begin, end - begin), v, budget);
  });
  return q;
}

std::vector<int64_t> constrainA2Q(std::span<const double> u,
                                  const Budget &budget, int64_t limit,
                                  TileEnds tiles) {
  assert(budget.isL1() && "A2Q holds one l1 norm");
  double radius = radiusOf(budget.upper.pos, budget.upper.limit);
  return truncateTiles(u, budget, limit, tiles, [&](std::span<double> v) {
    double norm = l1Norm(v);
    scaleNorm(v, norm, std::min(norm, radius));
  });
}

std::vector<int64_t> constrainEPInit(std::span<const double> u,
                                     const Budget &budget, int64_t limit,
                                     TileEnds tiles) {
  assert(budget.isL1() && "EP-init holds one l1 norm");
  double radius = radiusOf(budget.upper.pos, budget.upper.limit);
  return truncateTiles(u, budget, limit, tiles, [&](std::span<double> v) {
    projectOntoL1Ball(v, radius);
  });
}

std::vector<int64_t> constrainA2QPlus(std::span<const double> u,
                                      const Budget &budget, int64_t limit,
                                      TileEnds tiles) {
  assert(budget.separatesSigns() && "A2Q+ halves the register");
  double radius = 2 * radiusOf(budget.upper.pos, budget.upper.limit);
  return truncateTiles(u, budget, limit, tiles, [&](std::span<double> v) {
    subtractMean(v);
    projectOntoL1Ball(v, radius);
    // Soft-thresholding destroys the zero sum: a single large weight survives
    // it alone. Without a second pass pos would be twice its half.
    double norm = l1Norm(v);
    subtractMean(v);
    scaleNorm(v, l1Norm(v), std::min(norm, radius));
  });
}

} // namespace a2q
