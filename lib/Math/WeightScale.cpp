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
static constexpr double kMostUnits = 1 << 14;

namespace {
/// What is known of the integers for one scale.
struct Candidate {
  double gain = 0; ///< what their best scale takes off the error
  double best = 0; ///< that scale
};

/// Magnitudes of one channel, the largest in [1/2, 1).
class Channel {
public:
  Channel(std::vector<double> magnitudes, int64_t limit, std::vector<double> h)
      : magnitudes(std::move(magnitudes)), h(std::move(h)), limit(limit),
        levels(static_cast<double>(limit)) {}

  std::vector<int64_t> search() const;

private:
  double weight(size_t i) const { return h.empty() ? 1.0 : h[i]; }
  /// To nearest, ties to even, without a call. No NaN.
  double nearest(size_t i, double scale) const {
    constexpr double shift = 0x1.8p52;
    return (std::min(magnitudes[i] / scale, levels) + shift) - shift;
  }
  Candidate at(double scale) const;
  /// Error of what is cut off at this scale.
  double clipped(double scale) const;
  double lowestScale(double error) const;
  Candidate searchGrid(double lowest, double highest, int count) const;
  double settle(Candidate from) const;
  std::vector<int64_t> integers(double scale) const;
  std::vector<int64_t> searchUnits(double lowest) const;

  std::vector<double> magnitudes, h;
  int64_t limit;
  double levels;
};
} // namespace

Candidate Channel::at(double scale) const {
  double wq = 0, qq = 0;
  for (size_t i = 0; i < magnitudes.size(); ++i) {
    double q = nearest(i, scale), hq = weight(i) * q;
    wq += hq * magnitudes[i];
    qq += hq * q;
  }
  return qq > 0 ? Candidate{wq * wq / qq, wq / qq} : Candidate();
}

std::vector<int64_t> Channel::integers(double scale) const {
  std::vector<int64_t> q(magnitudes.size());
  for (size_t i = 0; i < q.size(); ++i)
    q[i] = static_cast<int64_t>(nearest(i, scale));
  return q;
}

double Channel::clipped(double scale) const {
  double error = 0, end = scale * levels;
  for (size_t i = 0; i < magnitudes.size(); ++i)
    if (double over = magnitudes[i] - end; over > 0)
      error += weight(i) * over * over;
  return error;
}

/// Below it, what is cut off costs more than `error`.
double Channel::lowestScale(double error) const {
  double lo = 0, hi = 1 / levels;
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

/// The best of `count` scales in geometric steps.
Candidate Channel::searchGrid(double lowest, double highest, int count) const {
  Candidate best;
  double ratio = lowest / highest;
  for (int step = 0; step < count; ++step) {
    Candidate next = at(highest * std::pow(ratio, step / (count - 1.0)));
    if (next.gain > best.gain)
      best = next;
  }
  return best;
}

/// Nearest integers and best scale in turn, as long as they gain. The scale
/// whose nearest integers are the last.
double Channel::settle(Candidate from) const {
  double scale = from.best;
  for (Candidate next = at(scale); next.gain > from.gain; next = at(scale)) {
    from = next;
    scale = next.best;
  }
  return scale;
}

std::vector<int64_t> Channel::search() const {
  double energy = 0, total = 0;
  for (size_t i = 0; i < magnitudes.size(); ++i)
    energy += weight(i) * magnitudes[i] * magnitudes[i];
  double start = settle(searchGrid(0.3 / levels, 1 / levels, 12));
  double lowest = lowestScale(std::max(energy - at(start).gain, 0.0));
  for (double magnitude : magnitudes)
    total += std::min(levels, lowest > 0 ? magnitude / lowest + 1 : levels);
  if (total <= kMostUnits)
    return searchUnits(lowest);
  // The error of so many units is smooth: its valley, then its floor.
  double valley =
      searchGrid(std::max(lowest, 0.05 / levels), 4 / levels, 40).best;
  valley = searchGrid(valley / 1.1, valley * 1.1, 20).best;
  double fine = settle(searchGrid(valley / 1.01, valley * 1.01, 20));
  return integers(at(fine).gain > at(start).gain ? fine : start);
}

/// Indices of the weights that the error depends on; where it depends on none
/// but zeros, all that are not 0 count alike and `h` is emptied.
static std::vector<size_t> countedWeights(std::span<const double> w,
                                          std::span<const double> &h) {
  h = countedMoments(w, h);
  std::vector<size_t> counted;
  for (size_t i = 0; i < w.size(); ++i)
    if (w[i] != 0 && (h.empty() || h[i] > 0))
      counted.push_back(i);
  return counted;
}

ScaledIntegers nearestScaledIntegers(std::span<const double> w, int64_t limit,
                                     std::span<const double> h) {
  ScaledIntegers result = {1, std::vector<int64_t>(w.size(), 0)};
  std::vector<size_t> counted = countedWeights(w, h);
  double largest = 0, most = 0;
  for (size_t i : counted) {
    largest = std::max(largest, std::abs(w[i]));
    most = std::max(most, h.empty() ? 1.0 : h[i]);
  }
  if (!std::isnormal(largest))
    return result;
  // Powers of two, so that no square overflows or vanishes.
  int exponent;
  std::frexp(largest, &exponent);
  std::vector<double> reals, magnitudes, weights;
  for (size_t i : counted) {
    reals.push_back(std::ldexp(w[i], -exponent));
    magnitudes.push_back(std::abs(reals.back()));
    if (!h.empty())
      weights.push_back(h[i] / most);
  }
  std::vector<int64_t> q =
      Channel(std::move(magnitudes), limit, weights).search();
  for (size_t n = 0; n < q.size(); ++n)
    if (reals[n] < 0)
      q[n] = -q[n];
  result.scale = std::ldexp(bestScale(reals, q, weights), exponent);
  auto levels = static_cast<double>(limit);
  for (size_t i = 0; i < w.size(); ++i)
    result.integers[i] = static_cast<int64_t>(
        std::clamp(std::nearbyint(w[i] / result.scale), -levels, levels));
  // The rest is free: nearest. These are nearest but for ties.
  for (size_t n = 0; n < q.size(); ++n)
    result.integers[counted[n]] = q[n];
  return result;
}

} // namespace a2q
