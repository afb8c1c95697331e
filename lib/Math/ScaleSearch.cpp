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

/// Bounds on the <u, q> and <q, q> of the largest magnitudes as ones.
struct OnesBound {
  double mostUq = 0;
  double leastQq = 0;
  void add(OnesBound other) {
    mostUq += other.mostUq;
    leastQq += other.leastQq;
  }
  /// No more than this comes off the error.
  double gain() const {
    return leastQq > 0 ? mostUq * mostUq / leastQq
                       : std::numeric_limits<double>::infinity();
  }
};

/// Magnitudes that share one l1 norm, sorted, largest first.
class Group {
public:
  Group(std::vector<double> values, Wide budget);
  /// Of the nearest integers at this scale.
  Products products(double scale, int64_t limit) const;
  OnesBound ones() const;

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

OnesBound Group::ones() const {
  auto zeros = std::partition_point(magnitudes.begin(), magnitudes.end(),
                                    [](double value) { return value > 0; });
  int64_t count = std::min<int64_t>(budget, zeros - magnitudes.begin());
  return {prefix[count], static_cast<double>(count)};
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
  OnesBound ones() const;

private:
  WeightedMagnitudes all() const {
    return {magnitudes.data(), weights.data(), inverses.data(),
            magnitudes.size()};
  }

  std::vector<double> magnitudes, weights, inverses;
  double budget;
  double most = 0;  ///< no unit costs more at scale 1
  double guess = 0; ///< the threshold times the scale
};
} // namespace

Products WeightedGroup::products(double scale, double limit) {
  WeightedMagnitudes all = this->all();
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

/// Closes in on the least magnitude among the largest ones.
OnesBound WeightedGroup::ones() const {
  auto above = [&](double least) {
    return weightedSums(all(), least > 0 ? 0.5 / least : 0x1p1000, 0, 1);
  };
  WeightedSums over = above(0), under;
  if (over.count <= budget)
    return {over.uq, over.qq};
  double lo = 0, hi = 1; // magnitudes are below 1
  for (int step = 0; step < 24 && over.count - under.count > 0.02 * budget + 1;
       ++step) {
    double middle = (lo + hi) / 2;
    WeightedSums sums = above(middle);
    bool tooMany = sums.count > budget;
    (tooMany ? lo : hi) = middle;
    (tooMany ? over : under) = sums;
  }
  return {over.uq, under.qq};
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

namespace {
/// The error as a function of the scale: sorted magnitudes where integers are a
/// step function of them, else the integers themselves.
///
/// Conditions that share both signs are met here by a norm for each sign, in
/// the proportion that the magnitudes have: a scale needs no better one, and
/// the integers that are chosen at it are those of the conditions themselves.
class Curve {
public:
  Curve(std::span<const double> u, const Budget &budget, int64_t limit,
        std::span<const double> h, TileEnds tiles);
  std::vector<int64_t> integers(double scale) const;
  Products products(double scale);
  /// Whether the largest weights as ones may be better than this gain.
  bool mayBeOnes(double gain) const;
  /// Whether products are those of the integers to the last digit.
  bool isExact() const {
    return weighted.empty() && (groups.empty() || !sharesSigns());
  }
  bool sharesSigns() const {
    return !budget.isL1() && !budget.separatesSigns();
  }

private:
  Norms normsOf(size_t begin, size_t end) const;
  void addGroups(size_t begin, size_t end);
  void addWeighted(size_t begin, size_t end);

  std::span<const double> u, h;
  const Budget &budget;
  int64_t limit;
  TileEnds tiles;
  std::vector<Group> groups;
  std::vector<WeightedGroup> weighted;
};
} // namespace

Curve::Curve(std::span<const double> u, const Budget &budget, int64_t limit,
             std::span<const double> h, TileEnds tiles)
    : u(u), h(h), budget(budget), limit(limit), tiles(tiles) {
  // A search per level pays while levels are fewer than weights.
  bool fewLevels = limit <= static_cast<int64_t>(u.size());
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    if (!h.empty())
      addWeighted(begin, end);
    else if (fewLevels)
      addGroups(begin, end);
  });
}

/// How many units of the condition these magnitudes may be, one of them as
/// long as it is.
static double room(const Budget::Condition &condition, double pos, double neg) {
  double cost = static_cast<double>(condition.pos) * pos +
                static_cast<double>(condition.neg) * neg;
  return cost > 0 ? static_cast<double>(condition.limit) / cost
                  : std::numeric_limits<double>::max();
}

/// The largest norms of a tile; for conditions that share both signs those in
/// the proportion of its weights.
Norms Curve::normsOf(size_t begin, size_t end) const {
  if (!sharesSigns())
    return {budget.largestPos(0), budget.largestNeg(0)};
  double pos = 0, neg = 0;
  for (size_t i = begin; i < end; ++i)
    (u[i] > 0 ? pos : neg) += std::abs(u[i]);
  double factor =
      std::min(room(budget.upper, pos, neg), room(budget.lower, pos, neg));
  auto units = [&](double norm) {
    return static_cast<Wide>(std::clamp(norm * factor, 0.0, 0x1p62));
  };
  return {units(pos), units(neg)};
}

void Curve::addWeighted(size_t begin, size_t end) {
  Norms norms = normsOf(begin, end);
  WeightedGroup pos(norms.pos), neg(norms.neg);
  for (size_t i = begin; i < end; ++i)
    (u[i] > 0 || budget.isL1() ? pos : neg).add(std::abs(u[i]), h[i]);
  weighted.push_back(std::move(pos));
  if (!budget.isL1())
    weighted.push_back(std::move(neg));
}

void Curve::addGroups(size_t begin, size_t end) {
  Norms norms = normsOf(begin, end);
  std::vector<double> pos, neg;
  for (size_t i = begin; i < end; ++i)
    (u[i] > 0 || budget.isL1() ? pos : neg).push_back(std::abs(u[i]));
  groups.emplace_back(std::move(pos), norms.pos);
  if (!budget.isL1())
    groups.emplace_back(std::move(neg), norms.neg);
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

bool Curve::mayBeOnes(double gain) const {
  if (sharesSigns() || (groups.empty() && weighted.empty()))
    return true;
  OnesBound bound;
  for (const WeightedGroup &group : weighted)
    bound.add(group.ones());
  for (const Group &group : groups)
    bound.add(group.ones());
  return bound.gain() > gain;
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

namespace {
/// The best of some integers, each at its own best scale.
class Choice {
public:
  Choice(std::span<const double> u, std::span<const double> h) : u(u), h(h) {}
  /// Takes integers that are better, and tells whether they are.
  bool offer(std::vector<int64_t> integers);
  const ScaledIntegers &result() const { return best; }
  double gain() const { return bestGain; }

private:
  std::span<const double> u, h;
  ScaledIntegers best;
  double bestGain = 0;
};
} // namespace

bool Choice::offer(std::vector<int64_t> integers) {
  double found = productsOf(u, integers, h).gain();
  if (!(found > bestGain))
    return false;
  bestGain = found;
  best = {bestScale(u, integers, h), std::move(integers)};
  return true;
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
  Curve curve(u, budget, limit, h, tiles);
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
  if (best.qq == 0 && curve.isExact())
    return {given, std::vector<int64_t>(u.size(), 0)};
  Choice choice(u, h);
  if (best.qq > 0)
    choice.offer(curve.integers(bestScale));
  if (!curve.isExact() && bestScale != given && std::isfinite(1 / given))
    choice.offer(curve.integers(given));
  if (curve.sharesSigns() && choice.gain() > 0)
    choice.offer(curve.integers(choice.result().scale));
  if (curve.mayBeOnes(choice.gain())) {
    ScaledIntegers ones = largestAsOnes(u, budget, h, tiles);
    if (choice.offer(std::move(ones.integers)))
      choice.offer(curve.integers(ones.scale));
  }
  if (choice.gain() > 0)
    return choice.result();
  return {given, std::vector<int64_t>(u.size(), 0)};
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
  Curve curve(u, budget, limit, h, tiles);
  double scale = bestOf(curve, lowest * largest, largest, coarse);
  scale = bestOf(curve, scale / step, scale * step, fine);
  Products products = curve.products(scale);
  double best = products.uq / products.qq;
  return std::isnormal(best) ? best : 1;
}

/// The ones of a tile under conditions that share both signs: the largest
/// first, each that is admitted beside those before it.
static void setAdmittedOnes(std::span<const double> u, const Budget &budget,
                            std::span<int64_t> q) {
  std::vector<size_t> order;
  // No more of a sign than without the other one.
  for (bool positive : {true, false}) {
    auto begin = static_cast<ptrdiff_t>(order.size());
    for (size_t i = 0; i < u.size(); ++i)
      if (positive ? u[i] > 0 : u[i] < 0)
        order.push_back(i);
    Wide most = positive ? budget.largestPos(0) : budget.largestNeg(0);
    auto count = static_cast<ptrdiff_t>(
        std::clamp<Wide>(most, 0, static_cast<Wide>(order.size()) - begin));
    auto isBefore = [&](size_t a, size_t b) {
      double x = std::abs(u[a]), y = std::abs(u[b]);
      return x > y || (x == y && a < b);
    };
    auto first = order.begin() + begin;
    std::nth_element(first, first + count, order.end(), isBefore);
    order.erase(first + count, order.end());
    std::sort(order.begin() + begin, order.end(), isBefore);
    std::inplace_merge(order.begin(), order.begin() + begin, order.end(),
                       isBefore);
  }
  Norms norms;
  for (size_t i : order) {
    Norms with = norms;
    ++(u[i] > 0 ? with.pos : with.neg);
    if (!budget.admits(with))
      continue;
    norms = with;
    q[i] = u[i] > 0 ? 1 : -1;
  }
}

/// The `count` largest of the magnitudes that `isMember` picks, the first of
/// equal ones.
static void setLargestOnes(std::span<const double> u, Wide count,
                           std::span<int64_t> q, auto isMember) {
  std::vector<double> magnitudes;
  for (double value : u)
    if (value != 0 && isMember(value))
      magnitudes.push_back(std::abs(value));
  if (count <= 0 || magnitudes.empty())
    return;
  double least = 0;
  auto equal = static_cast<Wide>(magnitudes.size());
  if (count < equal) {
    auto last = magnitudes.begin() + static_cast<ptrdiff_t>(count) - 1;
    std::nth_element(magnitudes.begin(), last, magnitudes.end(),
                     std::greater<>());
    least = *last;
    equal = count - std::count_if(magnitudes.begin(), last,
                                  [&](double value) { return value > least; });
  }
  for (size_t i = 0; i < u.size(); ++i) {
    double magnitude = std::abs(u[i]);
    if (magnitude == 0 || magnitude < least || !isMember(u[i]) ||
        (magnitude == least && equal-- <= 0))
      continue;
    q[i] = u[i] > 0 ? 1 : -1;
  }
}

ScaledIntegers largestAsOnes(std::span<const double> u, const Budget &budget,
                             std::span<const double> h, TileEnds tiles) {
  h = countedMoments(u, h);
  ScaledIntegers result = {1, std::vector<int64_t>(u.size(), 0)};
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    std::span<const double> tile = u.subspan(begin, end - begin);
    std::span<int64_t> q =
        std::span(result.integers).subspan(begin, end - begin);
    if (budget.isL1())
      return setLargestOnes(tile, budget.largestPos(0), q,
                            [](double) { return true; });
    if (!budget.separatesSigns())
      return setAdmittedOnes(tile, budget, q);
    setLargestOnes(tile, budget.largestPos(0), q,
                   [](double value) { return value > 0; });
    setLargestOnes(tile, budget.largestNeg(0), q,
                   [](double value) { return value < 0; });
  });
  result.scale = bestScale(u, result.integers, h);
  return result;
}

} // namespace a2q
