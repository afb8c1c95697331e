//===- WeightScale.cpp - The best integers for real weights ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/WeightScale.h"

#include "a2q/Math/IntegerProjection.h"

#include <algorithm>
#include <cmath>

namespace a2q {

/// Sorting more units than this costs more than they matter.
static constexpr double kMostUnits = 1 << 16;

namespace {
/// Magnitudes of one channel, the largest in [1/2, 1).
class Channel {
public:
  Channel(std::vector<double> magnitudes, int64_t limit,
          std::span<const double> h)
      : magnitudes(std::move(magnitudes)), limit(limit), h(h) {}

  std::vector<int64_t> search() const;

private:
  double weight(size_t i) const { return h.empty() ? 1.0 : h[i]; }
  std::vector<int64_t> nearest(double scale) const;
  /// What the best scale for these integers takes off the error.
  double gain(const std::vector<int64_t> &q, double *scale = nullptr) const;
  /// Error of what is cut off at this scale.
  double clipped(double scale) const;
  double lowestScale(double error) const;
  std::vector<int64_t> searchUnits(double lowest) const;
  std::vector<int64_t> searchGrid(double lowest, double highest,
                                  int count) const;

  std::vector<double> magnitudes;
  int64_t limit;
  std::span<const double> h;
};
} // namespace

std::vector<int64_t> Channel::nearest(double scale) const {
  std::vector<int64_t> q(magnitudes.size());
  auto most = static_cast<double>(limit);
  for (size_t i = 0; i < q.size(); ++i)
    q[i] = static_cast<int64_t>(
        std::min(most, std::nearbyint(magnitudes[i] / scale)));
  return q;
}

double Channel::gain(const std::vector<int64_t> &q, double *scale) const {
  double wq = 0, qq = 0;
  for (size_t i = 0; i < q.size(); ++i) {
    auto integer = static_cast<double>(q[i]);
    wq += weight(i) * integer * magnitudes[i];
    qq += weight(i) * integer * integer;
  }
  if (scale)
    *scale = wq / qq;
  return qq > 0 ? wq * wq / qq : 0.0;
}

double Channel::clipped(double scale) const {
  double error = 0, end = scale * static_cast<double>(limit);
  for (size_t i = 0; i < magnitudes.size(); ++i)
    if (double over = magnitudes[i] - end; over > 0)
      error += weight(i) * over * over;
  return error;
}

/// Below it, what is cut off costs more than `error`.
double Channel::lowestScale(double error) const {
  double lo = 0, hi = 1 / static_cast<double>(limit);
  for (int step = 0; step < 20; ++step) {
    double middle = (lo + hi) / 2;
    (clipped(middle) > error ? lo : hi) = middle;
  }
  return lo;
}

/// The integers of every scale above `lowest`, from 0 on, unit by unit.
std::vector<int64_t> Channel::searchUnits(double lowest) const {
  struct Unit {
    double scale;
    uint32_t index;
    uint32_t level;
  };
  std::vector<Unit> units;
  for (size_t i = 0; i < magnitudes.size(); ++i)
    for (int64_t level = 1; level <= limit; ++level) {
      double scale = magnitudes[i] / (static_cast<double>(level) - 0.5);
      if (scale == 0 || scale < lowest)
        break;
      units.push_back(
          {scale, static_cast<uint32_t>(i), static_cast<uint32_t>(level)});
    }
  std::sort(units.begin(), units.end(), [](const Unit &a, const Unit &b) {
    return a.scale != b.scale ? a.scale > b.scale : a.index < b.index;
  });
  double wq = 0, qq = 0, best = 0;
  size_t count = 0;
  for (size_t n = 0; n < units.size(); ++n) {
    auto [scale, index, level] = units[n];
    wq += weight(index) * magnitudes[index];
    qq += weight(index) * (2.0 * level - 1);
    if (qq > 0 && wq * wq / qq > best) {
      best = wq * wq / qq;
      count = n + 1;
    }
  }
  std::vector<int64_t> q(magnitudes.size(), 0);
  for (size_t n = 0; n < count; ++n)
    ++q[units[n].index];
  return q;
}

/// The best of `count` scales in geometric steps; then nearest integers and
/// best scale in turn, as long as they gain.
std::vector<int64_t> Channel::searchGrid(double lowest, double highest,
                                         int count) const {
  std::vector<int64_t> best(magnitudes.size(), 0);
  double most = 0;
  auto consider = [&](double scale) {
    std::vector<int64_t> q = nearest(scale);
    double gained = gain(q);
    if (!(gained > most))
      return false;
    most = gained;
    best = std::move(q);
    return true;
  };
  double ratio = lowest / highest;
  for (int step = 0; step < count; ++step)
    consider(highest * std::pow(ratio, step / (count - 1.0)));
  double scale;
  while (most > 0 && (gain(best, &scale), consider(scale))) {
  }
  return best;
}

std::vector<int64_t> Channel::search() const {
  auto levels = static_cast<double>(limit);
  double energy = 0, total = 0;
  for (size_t i = 0; i < magnitudes.size(); ++i)
    energy += weight(i) * magnitudes[i] * magnitudes[i];
  std::vector<int64_t> start = searchGrid(0.3 / levels, 1 / levels, 12);
  double lowest = lowestScale(std::max(energy - gain(start), 0.0));
  for (double magnitude : magnitudes)
    total += std::min(levels, lowest > 0 ? magnitude / lowest + 1 : levels);
  if (total <= kMostUnits)
    return searchUnits(lowest);
  std::vector<int64_t> fine =
      searchGrid(std::max(lowest, 0.05 / levels), 4 / levels, 200);
  return gain(fine) > gain(start) ? fine : start;
}

ScaledIntegers nearestScaledIntegers(std::span<const double> w, int64_t limit,
                                     std::span<const double> h) {
  double largest = 0;
  for (double value : w)
    largest = std::max(largest, std::abs(value));
  if (!std::isnormal(largest))
    return {1, std::vector<int64_t>(w.size(), 0)};
  // Powers of two, so that no square overflows or vanishes.
  int exponent;
  std::frexp(largest, &exponent);
  std::vector<double> normalized, magnitudes, weights;
  for (double value : w) {
    normalized.push_back(std::ldexp(value, -exponent));
    magnitudes.push_back(std::abs(normalized.back()));
  }
  // Where nothing depends on any weight but zeros, all count alike.
  double most = 0;
  for (size_t i = 0; i < h.size(); ++i)
    most = std::max(most, w[i] == 0 ? 0.0 : h[i]);
  for (size_t i = 0; most > 0 && i < h.size(); ++i)
    weights.push_back(std::min(h[i] / most, 1.0));
  std::vector<int64_t> q =
      Channel(std::move(magnitudes), limit, weights).search();
  for (size_t i = 0; i < q.size(); ++i)
    if (w[i] < 0)
      q[i] = -q[i];
  ScaledIntegers result = {1, std::move(q)};
  result.scale =
      std::ldexp(bestScale(normalized, result.integers, weights), exponent);
  return result;
}

} // namespace a2q
