//===- Projection.cpp - Nearest real weights within a budget --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Projection.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

namespace a2q {

namespace {
/// A sum of some magnitudes and how many they are.
struct Mass {
  double sum = 0;
  double count = 0;
  Mass operator+(Mass other) const {
    return {sum + other.sum, count + other.count};
  }
  /// The threshold that leaves `radius` of these. Whatever they are, it is at
  /// most theta: `sum (m_i - theta) <= sum max(m_i - theta, 0) = radius`.
  double threshold(double radius) const { return (sum - radius) / count; }
};
} // namespace

/// The mass of the magnitudes above a threshold, in four lanes: one chain of
/// additions would wait for itself.
static Mass massAbove(std::span<const double> u, double threshold) {
  std::array<double, 4> sums = {}, counts = {};
  size_t whole = u.size() / 4 * 4;
  for (size_t i = 0; i < whole; i += 4)
    for (size_t lane = 0; lane < 4; ++lane) {
      double magnitude = std::abs(u[i + lane]);
      bool above = magnitude > threshold;
      sums[lane] += above ? magnitude : 0.0;
      counts[lane] += above ? 1.0 : 0.0;
    }
  Mass mass = {sums[0] + sums[1] + (sums[2] + sums[3]),
               counts[0] + counts[1] + (counts[2] + counts[3])};
  for (size_t i = whole; i < u.size(); ++i)
    if (double magnitude = std::abs(u[i]); magnitude > threshold)
      mass = mass + Mass{magnitude, 1};
  return mass;
}

/// Copies the magnitudes above the threshold and returns their number.
static size_t keepAbove(std::span<const double> from, double threshold,
                        double *to) {
  size_t kept = 0;
  for (double value : from) {
    double magnitude = std::abs(value);
    to[kept] = magnitude;
    kept += magnitude > threshold;
  }
  return kept;
}

/// The soft threshold theta of a vector outside the ball. `candidates` may lie
/// above theta, `accepted` do. The mass of both gives a lower bound of theta,
/// and what is not above it is out. That alone converges in a few passes on
/// real weights but can take K of them on made-up ones, so a pass that drops
/// little is followed by one that halves the candidates at a random pivot.
static double softThreshold(std::span<const double> u, double radius) {
  double theta = massAbove(u, -1).threshold(radius);
  for (int pass = 0; pass < 3; ++pass)
    if (Mass above = massAbove(u, theta); above.count > 0)
      theta = std::max(theta, above.threshold(radius));

  std::vector<double> candidates(u.size() + 1);
  candidates.resize(keepAbove(u, theta, candidates.data()));
  std::minstd_rand random;
  Mass accepted;
  while (!candidates.empty()) {
    Mass all = accepted + massAbove(candidates, -1);
    theta = std::max(theta, all.threshold(radius));
    size_t before = candidates.size();
    candidates.resize(keepAbove(candidates, theta, candidates.data()));
    if (candidates.size() == before)
      return theta;
    if (candidates.size() < before / 2 || candidates.empty())
      continue;
    double pivot = candidates[random() % candidates.size()];
    auto middle = std::partition(candidates.begin(), candidates.end(),
                                 [&](double value) { return value >= pivot; });
    Mass upper = accepted + massAbove({candidates.begin(), middle}, -1);
    if (upper.sum - upper.count * pivot < radius) {
      // The pivot is above theta, and so is all that is not below it.
      accepted = upper;
      candidates.erase(candidates.begin(), middle);
    } else {
      candidates.resize(
          keepAbove({candidates.begin(), middle}, pivot, candidates.data()));
    }
  }
  return accepted.count > 0 ? std::max(theta, accepted.threshold(radius))
                            : theta;
}

static void shrink(std::span<double> u, double positive, double negative) {
  for (double &value : u) {
    double theta = value > 0 ? positive : negative;
    value = std::copysign(std::max(std::abs(value) - theta, 0.0), value);
  }
}

bool projectOntoL1Ball(std::span<double> u, double radius) {
  if (!(radius >= 0) || firstNonFinite(u) != u.size())
    return false;
  double norm = massAbove(u, -1).sum;
  if (norm <= radius)
    return true;
  if (radius == 0) {
    std::fill(u.begin(), u.end(), 0.0);
    return true;
  }
  // The sum of large magnitudes may overflow: lower the exponents.
  constexpr double down = 0x1p-70;
  bool huge = !std::isfinite(norm);
  if (huge)
    for (double &value : u)
      value *= down;
  double theta = softThreshold(u, huge ? radius * down : radius);
  shrink(u, theta, theta);
  if (huge)
    for (double &value : u)
      value /= down;
  return true;
}

//===----------------------------------------------------------------------===//
// Budgets
//===----------------------------------------------------------------------===//

namespace {
/// Norms of real weights.
struct RealNorms {
  double pos = 0;
  double neg = 0;
};

/// A condition in doubles, for weights in another unit.
struct RealCondition {
  double pos, neg, limit;
  RealCondition(const Budget::Condition &condition, double unit)
      : pos(static_cast<double>(condition.pos)),
        neg(static_cast<double>(condition.neg)),
        limit(static_cast<double>(condition.limit) * unit) {}
  bool admits(RealNorms norms) const {
    return pos * norms.pos + neg * norms.neg <= limit;
  }
};
} // namespace

static RealNorms realNorms(std::span<const double> u) {
  RealNorms norms;
  for (double value : u)
    (value > 0 ? norms.pos : norms.neg) += std::abs(value);
  return norms;
}

/// Projects the values of each sign onto norms of their own.
static bool projectSigns(std::span<double> u, double posRadius,
                         double negRadius) {
  std::vector<double> side;
  for (double sign : {1.0, -1.0}) {
    side.clear();
    for (double value : u)
      if (value * sign > 0)
        side.push_back(value);
    if (!projectOntoL1Ball(side, sign > 0 ? posRadius : negRadius))
      return false;
    size_t next = 0;
    for (double &value : u)
      if (value * sign > 0)
        value = side[next++];
  }
  return true;
}

/// Projects onto one condition: Newton's steps from below, each of which drops
/// the values that its threshold takes to 0.
static void projectOnto(std::span<double> u, const RealCondition &condition) {
  double multiplier = 0;
  for (;;) {
    double sum = 0, weight = 0;
    for (double value : u) {
      double c = value > 0 ? condition.pos : condition.neg;
      if (c > 0 && std::abs(value) > multiplier * c) {
        sum += c * std::abs(value);
        weight += c * c;
      }
    }
    double next = weight > 0 ? (sum - condition.limit) / weight : multiplier;
    if (!(next > multiplier))
      break;
    multiplier = next;
  }
  shrink(u, multiplier * condition.pos, multiplier * condition.neg);
}

/// The largest norm of one sign where each condition sees one sign only.
static double radiusOf(Wide upper, Wide upperLimit, Wide lower,
                       Wide lowerLimit) {
  double radius = std::numeric_limits<double>::infinity();
  if (upper > 0)
    radius = static_cast<double>(upperLimit) / static_cast<double>(upper);
  if (lower > 0)
    radius = std::min(radius, static_cast<double>(lowerLimit) /
                                  static_cast<double>(lower));
  return radius;
}

static void projectCoupled(std::span<double> u, const Budget &budget,
                           double unit) {
  RealCondition upper(budget.upper, unit), lower(budget.lower, unit);
  RealNorms norms = realNorms(u);
  if (upper.admits(norms) && lower.admits(norms))
    return;
  for (auto [binding, other] : {std::pair(upper, lower), {lower, upper}}) {
    if (binding.admits(norms))
      continue;
    std::vector<double> v(u.begin(), u.end());
    projectOnto(v, binding);
    if (!other.admits(realNorms(v)))
      continue;
    std::copy(v.begin(), v.end(), u.begin());
    return;
  }
  double determinant = upper.pos * lower.neg - lower.pos * upper.neg;
  double pos =
      (upper.limit * lower.neg - lower.limit * upper.neg) / determinant;
  double neg =
      (upper.pos * lower.limit - lower.pos * upper.limit) / determinant;
  projectSigns(u, std::max(pos, 0.0), std::max(neg, 0.0));
}

bool projectOntoBudget(std::span<double> u, const Budget &budget) {
  const auto &[upper, lower] = budget;
  if (budget.isL1())
    return projectOntoL1Ball(
        u, radiusOf(upper.pos, upper.limit, lower.pos, lower.limit));
  if (firstNonFinite(u) != u.size())
    return false;
  if (budget.separatesSigns())
    return projectSigns(
        u, radiusOf(upper.pos, upper.limit, lower.pos, lower.limit),
        radiusOf(upper.neg, upper.limit, lower.neg, lower.limit));
  // Sums of large weights may overflow: lower the exponents.
  bool huge = std::any_of(u.begin(), u.end(), [](double value) {
    return std::abs(value) > 0x1p800;
  });
  double unit = huge ? 0x1p-200 : 1;
  for (double &value : u)
    value *= unit;
  projectCoupled(u, budget, unit);
  for (double &value : u)
    value /= unit;
  return true;
}

} // namespace a2q
