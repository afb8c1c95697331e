//===- Projection.cpp - Weights onto an accumulator's budget --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Projection.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace a2q {

static double l1Norm(std::span<const double> u) {
  double sum = 0;
  for (double value : u)
    sum += std::abs(value);
  return sum;
}

/// The soft threshold theta that takes a vector outside the ball onto it:
/// `sum max(|u_i| - theta, 0) = radius` (Duchi et al. 2008, figure 1).
static double softThreshold(std::span<const double> u, double radius) {
  std::vector<double> magnitudes(u.size());
  std::transform(u.begin(), u.end(), magnitudes.begin(),
                 [](double value) { return std::abs(value); });
  std::sort(magnitudes.begin(), magnitudes.end(), std::greater<>());
  double sum = 0, theta = 0;
  for (size_t j = 0; j < magnitudes.size(); ++j) {
    sum += magnitudes[j];
    double candidate = (sum - radius) / static_cast<double>(j + 1);
    if (magnitudes[j] <= candidate)
      break;
    theta = candidate;
  }
  return std::max(theta, 0.0);
}

void projectOntoL1Ball(std::span<double> u, double radius) {
  if (l1Norm(u) <= radius)
    return;
  if (radius <= 0) {
    std::fill(u.begin(), u.end(), 0.0);
    return;
  }
  double theta = softThreshold(u, radius);
  for (double &value : u)
    value = std::copysign(std::max(std::abs(value) - theta, 0.0), value);
}

static void subtractMean(std::span<double> u) {
  if (u.empty())
    return;
  double mean =
      std::accumulate(u.begin(), u.end(), 0.0) / static_cast<double>(u.size());
  for (double &value : u)
    value -= mean;
}

static void scaleIntoL1Ball(std::span<double> u, double radius) {
  double norm = l1Norm(u);
  if (norm <= radius)
    return;
  for (double &value : u)
    value *= radius / norm;
}

/// Truncation toward zero, clipped to `[-limit, limit]`; NaN gives 0.
static std::vector<int64_t> truncate(std::span<const double> u, int64_t limit) {
  std::vector<int64_t> q(u.size());
  auto bound = static_cast<double>(limit);
  for (size_t i = 0; i < u.size(); ++i)
    q[i] = std::isnan(u[i])
               ? 0
               : static_cast<int64_t>(std::clamp(u[i], -bound, bound));
  return q;
}

/// Takes units off the weights of one sign until their sum is within `budget`;
/// each unit where it costs least: there is most truncated already, so the
/// weight is the one that exceeds its real value most. Ties go to the first.
static void shrinkSide(std::vector<int64_t> &q, std::span<const double> u,
                       int64_t sign, Wide excess) {
  for (; excess > 0; --excess) {
    size_t best = q.size();
    double bestCost = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < q.size(); ++i) {
      if (q[i] * sign <= 0)
        continue;
      double cost = std::abs(u[i]) - static_cast<double>(q[i] * sign);
      if (best == q.size() || cost < bestCost) {
        best = i;
        bestCost = cost;
      }
    }
    q[best] -= sign;
  }
}

std::vector<int64_t> projectA2QPlus(std::span<const double> u, unsigned width,
                                    Range range, unsigned weightBits) {
  assert(weightBits >= 1 && weightBits <= 53 && "unsupported weight width");
  Wide budget = l1Budget(Bound::A2QPlus, width, range);
  double radius = std::numeric_limits<double>::infinity();
  if (range != Range{0, 0})
    radius = (std::ldexp(1.0, static_cast<int>(width)) - 2) /
             (std::ldexp(1.0, static_cast<int>(codeBits(range))) - 1);

  std::vector<double> v(u.begin(), u.end());
  subtractMean(v);
  projectOntoL1Ball(v, radius);
  // Soft-thresholding destroys the zero sum: a single large weight survives it
  // alone. Without the second pass pos would be twice its half of the budget.
  subtractMean(v);
  scaleIntoL1Ball(v, radius);
  int64_t limit = (int64_t(1) << (weightBits - 1)) - 1;
  std::vector<int64_t> q = truncate(v, limit);

  Norms reached = norms(q);
  shrinkSide(q, v, 1, reached.pos - budget / 2);
  shrinkSide(q, v, -1, reached.neg - budget / 2);
  return q;
}

} // namespace a2q
