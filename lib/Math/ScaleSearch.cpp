//===- ScaleSearch.cpp - Scale and integers of a channel together ---------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ScaleSearch.h"

#include "Kernels.h"
#include "a2q/Math/IntegerProjection.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace a2q {

namespace {
/// <u, q> and <q, q>. The best scale leaves the error |u|^2 - uq^2 / qq.
struct Products {
  double uq = 0;
  double qq = 0;
  Products operator+(Products other) const {
    return {uq + other.uq, qq + other.qq};
  }
  /// What the best scale takes off the error.
  double gain() const { return qq > 0 && uq > 0 ? uq * uq / qq : 0.0; }
};

/// Magnitudes that share one l1 norm, sorted, largest first.
class Group {
public:
  Group(std::vector<double> values, Wide budget);
  /// Of the nearest integers at this scale.
  Products products(double scale, int64_t limit) const;

private:
  /// Fills `counts[k]`, how many magnitudes have at least k + 1 units, and
  /// returns the sum.
  int64_t levels(double scale, double theta, int64_t limit,
                 std::vector<size_t> &counts) const;
  Products sum(std::span<const size_t> counts) const;

  std::vector<double> magnitudes;
  std::vector<double> prefix; ///< prefix[j] = sum of the first j
  int64_t budget;
};
} // namespace

Group::Group(std::vector<double> values, Wide budget)
    : magnitudes(std::move(values)),
      budget(static_cast<int64_t>(
          std::min<Wide>(budget, std::numeric_limits<int64_t>::max()))) {
  std::sort(magnitudes.begin(), magnitudes.end(), std::greater<>());
  prefix.resize(magnitudes.size() + 1);
  std::partial_sum(magnitudes.begin(), magnitudes.end(), prefix.begin() + 1);
}

int64_t Group::levels(double scale, double theta, int64_t limit,
                      std::vector<size_t> &counts) const {
  counts.clear();
  int64_t total = 0;
  auto end = magnitudes.end();
  for (int64_t k = 0; k < limit; ++k) {
    double least = scale * (static_cast<double>(k) + 0.5 + theta);
    end = std::partition_point(magnitudes.begin(), end,
                               [&](double value) { return value > least; });
    if (end == magnitudes.begin())
      break;
    counts.push_back(end - magnitudes.begin());
    total += end - magnitudes.begin();
  }
  return total;
}

Products Group::sum(std::span<const size_t> counts) const {
  Products result;
  for (size_t k = 0; k < counts.size(); ++k)
    result = result +
             Products{prefix[counts[k]], static_cast<double>(counts[k]) *
                                             static_cast<double>(2 * k + 1)};
  return result;
}

Products Group::products(double scale, int64_t limit) const {
  if (magnitudes.empty())
    return {};
  std::vector<size_t> under, over;
  int64_t overTotal = levels(scale, 0, limit, over);
  if (overTotal <= budget)
    return sum(over);
  // theta is between: `over` has too many units, `under` fits.
  double lo = 0, hi = magnitudes.front() / scale;
  int64_t underTotal = levels(scale, hi, limit, under);
  while (overTotal - underTotal > 8) {
    double middle = (lo + hi) / 2;
    if (!(lo < middle && middle < hi))
      break;
    std::vector<size_t> counts;
    int64_t total = levels(scale, middle, limit, counts);
    (total > budget ? lo : hi) = middle;
    (total > budget ? overTotal : underTotal) = total;
    (total > budget ? over : under) = std::move(counts);
  }
  Products result = sum(under);
  // The units in between, those that cost most to leave out first.
  struct Unit {
    double margin, magnitude, level;
  };
  std::vector<Unit> open;
  under.resize(over.size());
  for (size_t k = 0; k < over.size(); ++k)
    for (size_t i = under[k]; i < over[k]; ++i) {
      auto level = static_cast<double>(k);
      open.push_back({magnitudes[i] - scale * level, magnitudes[i], level});
    }
  int64_t missing = budget - underTotal;
  std::nth_element(
      open.begin(), open.begin() + missing, open.end(),
      [](const Unit &a, const Unit &b) { return a.margin > b.margin; });
  for (int64_t i = 0; i < missing; ++i)
    result = result + Products{open[i].magnitude, 2 * open[i].level + 1};
  return result;
}

namespace {
/// Magnitudes with weights that share one l1 norm. What the best integers are
/// at a scale depends on two numbers of each, so that none is known from an
/// order; but a threshold on what a unit costs is soon found from the one at
/// the scale before, and the units between two thresholds are shared out
/// evenly.
class WeightedGroup {
public:
  explicit WeightedGroup(Wide budget) : budget(static_cast<double>(budget)) {}
  void add(double magnitude, double weight) {
    if (magnitude == 0 || weight == 0)
      return;
    magnitudes.push_back(magnitude);
    weights.push_back(weight);
    inverses.push_back(0.5 / weight);
    most = std::max(most, 2 * magnitude * weight);
  }
  /// Nearly those of the nearest integers at this scale.
  Products products(double scale, double limit);

private:
  std::vector<double> magnitudes, weights, inverses;
  double budget;
  double most = 0;  ///< no unit costs more at scale 1
  double guess = 0; ///< the threshold times the scale
};
} // namespace

Products WeightedGroup::products(double scale, double limit) {
  WeightedMagnitudes all = {magnitudes.data(), weights.data(), inverses.data(),
                            magnitudes.size()};
  WeightedSums over = weightedSums(all, 1 / scale, 0, limit), under;
  if (over.count <= budget)
    return {over.uq, over.qq};
  // Counts fall about as exp(-theta): the logarithm is what to draw lines in.
  double lo = 0, hi = most / scale;
  double next = guess > 0 ? std::min(guess / scale, hi) : hi / 16;
  for (int step = 0; step < 16; ++step) {
    WeightedSums sums = weightedSums(all, 1 / scale, next, limit);
    double slope = std::log(over.count / sums.count) / (next - lo);
    bool tooMany = sums.count > budget;
    (tooMany ? lo : hi) = next;
    (tooMany ? over : under) = sums;
    if (over.count - under.count <= 0.02 * budget + 1)
      break;
    // Aim a little to the side that is still open.
    double aim = under.count == 0 ? 0.995 * budget : budget;
    double middle = lo + (hi - lo) / 2;
    next = lo + std::log(over.count / aim) / slope;
    if (step % 3 == 2 || !(lo < next && next < hi))
      next = middle;
  }
  guess = hi * scale;
  double share = (budget - under.count) / (over.count - under.count);
  return {under.uq + share * (over.uq - under.uq),
          under.qq + share * (over.qq - under.qq)};
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

namespace {
/// The error as a function of the scale: sorted magnitudes where integers are a
/// step function of them, else the integers themselves.
class Curve {
public:
  /// `pooled`: both signs share one norm, if only roughly.
  Curve(std::span<const double> u, const Budget &budget, int64_t limit,
        std::span<const double> h, TileEnds tiles, bool pooled);
  std::vector<int64_t> integers(double scale) const;
  Products products(double scale);
  /// Whether products are those of the integers to the last digit.
  bool isExact() const { return weighted.empty(); }

private:
  void addGroups(std::span<const double> tile);
  void addWeighted(size_t begin, size_t end);

  std::span<const double> u, h;
  const Budget &budget;
  int64_t limit;
  TileEnds tiles;
  bool pooled;
  std::vector<Group> groups;
  std::vector<WeightedGroup> weighted;
};
} // namespace

Curve::Curve(std::span<const double> u, const Budget &budget, int64_t limit,
             std::span<const double> h, TileEnds tiles, bool pooled)
    : u(u), h(h), budget(budget), limit(limit), tiles(tiles), pooled(pooled) {
  // A search per level pays while levels are fewer than weights.
  bool fewLevels = limit <= static_cast<int64_t>(u.size());
  if (!pooled && !budget.separatesSigns())
    return;
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    if (!h.empty())
      addWeighted(begin, end);
    else if (fewLevels)
      addGroups(u.subspan(begin, end - begin));
  });
}

void Curve::addWeighted(size_t begin, size_t end) {
  WeightedGroup pos(budget.largestPos(0)), neg(budget.largestNeg(0));
  for (size_t i = begin; i < end; ++i)
    (u[i] > 0 || pooled ? pos : neg).add(std::abs(u[i]), h[i]);
  weighted.push_back(std::move(pos));
  if (!pooled)
    weighted.push_back(std::move(neg));
}

void Curve::addGroups(std::span<const double> tile) {
  std::vector<double> pos, neg;
  for (double value : tile)
    (value > 0 || budget.isL1() ? pos : neg).push_back(std::abs(value));
  groups.emplace_back(std::move(pos), budget.largestPos(0));
  if (!budget.isL1())
    groups.emplace_back(std::move(neg), budget.largestNeg(0));
}

std::vector<int64_t> Curve::integers(double scale) const {
  std::vector<double> scaled(u.size());
  std::transform(u.begin(), u.end(), scaled.begin(),
                 [&](double value) { return value / scale; });
  return nearestIntegers(scaled, budget, limit, h, tiles);
}

static Products productsOf(std::span<const double> u,
                           std::span<const int64_t> q,
                           std::span<const double> h) {
  Products sum;
  for (size_t i = 0; i < u.size(); ++i) {
    if (q[i] == 0)
      continue;
    double weight = h.empty() ? 1.0 : h[i];
    auto integer = static_cast<double>(q[i]);
    sum = sum + Products{weight * integer * u[i], weight * integer * integer};
  }
  return sum;
}

Products Curve::products(double scale) {
  if (groups.empty() && weighted.empty())
    return productsOf(u, integers(scale), h);
  Products sum;
  for (WeightedGroup &group : weighted)
    sum = sum + group.products(scale, static_cast<double>(limit));
  for (const Group &group : groups)
    sum = sum + group.products(scale, limit);
  return sum;
}

double bestScale(std::span<const double> u, std::span<const int64_t> q,
                 std::span<const double> h) {
  Products products = productsOf(u, q, h);
  double scale = products.uq / products.qq;
  return products.gain() > 0 && std::isnormal(scale) ? scale : 1.0;
}

/// The best of `count` scales from `lo` to `hi` in geometric steps.
static double bestOf(Curve &curve, double lo, double hi, int count) {
  double best = hi, bestGain = -1;
  for (int step = 0; step < count; ++step) {
    double scale = hi * std::pow(lo / hi, step / (count - 1.0));
    if (double gain = curve.products(scale).gain(); gain > bestGain) {
      bestGain = gain;
      best = scale;
    }
  }
  return best;
}

/// searchScale for weights whose largest magnitude is in [1/2, 1), so that no
/// product overflows or vanishes. `given` is the scale 1 of the caller.
static ScaledIntegers searchNormalized(std::span<const double> u,
                                       const Budget &budget, int64_t limit,
                                       std::span<const double> h,
                                       TileEnds tiles, double given) {
  // At the largest scale only +-1 are left; below the lowest, clipping loses
  // more than finer steps gain.
  constexpr int coarse = 36, fine = 9;
  double lowest = 0.3 / static_cast<double>(limit);
  double step = std::pow(1 / lowest, 1.0 / (coarse - 1));
  Curve curve(u, budget, limit, h, tiles, budget.isL1());
  double scale = bestOf(curve, lowest, 1, coarse);
  scale = bestOf(curve, scale / step, scale * step, fine);

  // Alternate between the two exact answers, from the better of the two starts.
  Products best;
  double bestScale = given;
  auto consider = [&](double candidate) {
    Products products = curve.products(candidate);
    if (!(products.gain() > best.gain()))
      return false;
    best = products;
    bestScale = candidate;
    return true;
  };
  if (std::isfinite(1 / given))
    consider(given);
  consider(scale);
  while (best.qq > 0 && consider(best.uq / best.qq)) {
  }
  if (best.qq == 0)
    return {given, std::vector<int64_t>(u.size(), 0)};
  ScaledIntegers result = {1, curve.integers(bestScale)};
  if (!curve.isExact() && bestScale != given && std::isfinite(1 / given)) {
    std::vector<int64_t> nearest = curve.integers(given);
    if (productsOf(u, nearest, h).gain() >
        productsOf(u, result.integers, h).gain())
      result.integers = std::move(nearest);
  }
  result.scale = a2q::bestScale(u, result.integers, h);
  return result;
}

std::span<const double> countedMoments(std::span<const double> u,
                                       std::span<const double> h) {
  for (size_t i = 0; i < h.size(); ++i)
    if (u[i] != 0 && h[i] > 0)
      return h;
  return {};
}

ScaledIntegers searchScale(std::span<const double> u, const Budget &budget,
                           int64_t limit, std::span<const double> h,
                           TileEnds tiles) {
  h = countedMoments(u, h);
  double largest = 0;
  for (double value : u)
    largest = std::max(largest, std::abs(value));
  if (limit == 0 || !std::isnormal(largest))
    return {1, std::vector<int64_t>(u.size(), 0)};
  int exponent;
  std::frexp(largest, &exponent);
  std::vector<double> normalized(u.size());
  std::transform(u.begin(), u.end(), normalized.begin(),
                 [&](double value) { return std::ldexp(value, -exponent); });
  ScaledIntegers best = searchNormalized(normalized, budget, limit, h, tiles,
                                         std::ldexp(1.0, -exponent));
  best.scale = std::ldexp(best.scale, exponent);
  return best;
}

double roughScale(std::span<const double> u, const Budget &budget,
                  int64_t limit, std::span<const double> h, TileEnds tiles) {
  double largest = 0;
  for (double value : u)
    largest = std::max(largest, std::abs(value));
  if (limit == 0 || !std::isnormal(largest))
    return 1;
  constexpr int coarse = 12, fine = 3;
  double lowest = 0.3 / static_cast<double>(limit);
  double step = std::pow(1 / lowest, 1.0 / (2 * coarse - 2));
  Curve curve(u, budget, limit, h, tiles,
              budget.isL1() || !budget.separatesSigns());
  double scale = bestOf(curve, lowest * largest, largest, coarse);
  scale = bestOf(curve, scale / step, scale * step, fine);
  Products products = curve.products(scale);
  double best = products.uq / products.qq;
  return std::isnormal(best) ? best : 1;
}

ScaledIntegers largestAsOnes(std::span<const double> u, const Budget &budget,
                             std::span<const double> h, TileEnds tiles) {
  h = countedMoments(u, h);
  ScaledIntegers result = {1, std::vector<int64_t>(u.size(), 0)};
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    std::vector<size_t> order(end - begin);
    std::iota(order.begin(), order.end(), begin);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::abs(u[a]) > std::abs(u[b]);
    });
    Norms norms;
    for (size_t i : order) {
      Norms with = norms;
      ++(u[i] > 0 ? with.pos : with.neg);
      if (u[i] == 0 || !budget.admits(with))
        continue;
      norms = with;
      result.integers[i] = u[i] > 0 ? 1 : -1;
    }
  });
  result.scale = bestScale(u, result.integers, h);
  return result;
}

} // namespace a2q
