//===- SpareBudget.cpp - What is left of a tile's budget ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SpareBudget.h"

namespace a2q {

double SpareBudget::spend(double wanted) {
  auto q = static_cast<int64_t>(wanted);
  if (q == 0)
    return 0;
  if (!admits(q)) {
    Wide most = q > 0 ? left.largestPos(0) : left.largestNeg(0);
    auto fits = static_cast<int64_t>(
        std::clamp<Wide>(most, 0, q > 0 ? q : -static_cast<Wide>(q)));
    q = q > 0 ? fits : -fits;
  }
  take(q);
  return static_cast<double>(q);
}

namespace {
struct RealNorms {
  double pos = 0;
  double neg = 0;
};
} // namespace

/// Of the nearest integers at these thresholds.
static RealNorms roundedNorms(std::span<const double> values,
                              std::span<const double> inverses, double limit,
                              Thresholds theta) {
  // Adding and subtracting it rounds a double to an integer.
  constexpr double rounder = 0x1.8p52;
  RealNorms norms;
  for (size_t i = 0; i < values.size(); ++i) {
    double value = values[i];
    double cut = (value > 0 ? theta.pos : theta.neg) * inverses[i];
    double magnitude = std::min(std::max(std::abs(value) - cut, 0.0), limit);
    double rounded = (magnitude + rounder) - rounder;
    norms.pos += value > 0 ? rounded : 0;
    norms.neg += value > 0 ? 0 : rounded;
  }
  return norms;
}

static double excess(const Budget::Condition &condition, RealNorms norms) {
  return static_cast<double>(condition.pos) * norms.pos +
         static_cast<double>(condition.neg) * norms.neg -
         static_cast<double>(condition.limit);
}

/// The least threshold without excess, to a few percent: `excessAt` falls.
template <typename ExcessAt>
static double leastThreshold(double guess, double most, ExcessAt excessAt) {
  if (excessAt(0) <= 0)
    return 0;
  double lo = 0, hi = most;
  double tried = guess > 0 && guess < most ? guess : most / 16;
  for (int step = 0; step < 12 && hi - lo > 0.01 * hi; ++step) {
    (excessAt(tried) > 0 ? lo : hi) = tried;
    // Guesses are good: look next to one before halving.
    bool outside = step == 0 && guess > 0;
    tried = outside && lo > 0    ? std::min(lo * 1.1, (lo + hi) / 2)
            : outside && lo == 0 ? hi / 1.1
                                 : (lo + hi) / 2;
  }
  return hi;
}

Thresholds SpareBudget::thresholds(std::span<const double> values,
                                   std::span<const double> inverses,
                                   double limit, Thresholds start) const {
  double most = 0;
  for (size_t i = 0; i < values.size(); ++i)
    if (inverses[i] > 0)
      most = std::max(most, std::abs(values[i]) / inverses[i]);
  auto norms = [&](Thresholds theta) {
    return roundedNorms(values, inverses, limit, theta);
  };
  if (!left.separatesSigns()) {
    double theta = leastThreshold(start.pos, most, [&](double tried) {
      RealNorms sums = norms({tried, tried});
      return std::max(excess(left.upper, sums), excess(left.lower, sums));
    });
    return {theta, theta};
  }
  auto one = [&](double guess, bool positive) {
    return leastThreshold(guess, most, [&](double tried) {
      RealNorms sums = norms({tried, tried});
      (positive ? sums.neg : sums.pos) = 0;
      return std::max(excess(left.upper, sums), excess(left.lower, sums));
    });
  };
  return {one(start.pos, true), one(start.neg, false)};
}

} // namespace a2q
