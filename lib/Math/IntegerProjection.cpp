//===- IntegerProjection.cpp - Nearest integers within a budget -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/IntegerProjection.h"

#include "a2q/Math/Projection.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>

namespace a2q {

/// Infinite costs would neither compare nor subtract.
static double finite(double cost) {
  return std::min(cost, std::numeric_limits<double>::max());
}

/// `value` rounded up, for 0 <= value < 2^62. Without SSE4.1 std::ceil is a
/// call.
static int64_t roundUp(double value) {
  auto whole = static_cast<int64_t>(value);
  return whole + (static_cast<double>(whole) < value);
}

namespace {
/// The units of one weight: `count` of them, the first costs `first` and each
/// next one `step` more.
struct Units {
  double first;
  double step;
  int64_t count;
  size_t index;

  double cost(int64_t taken) const {
    return finite(first + step * static_cast<double>(taken));
  }
  /// How many cost less than `limit`.
  int64_t below(double limit) const {
    if (limit == std::numeric_limits<double>::infinity())
      return count;
    if (!(first < limit))
      return 0;
    if (step == 0)
      return count;
    double number = (limit - first) / step;
    return number < static_cast<double>(count) ? roundUp(number) : count;
  }
};

/// One unit among others that compete with it.
struct Unit {
  double cost;
  size_t owner;
  bool operator<(const Unit &other) const { return cost < other.cost; }
  bool operator>(const Unit &other) const { return other < *this; }
};

/// Weights of one sign or of both.
enum class Side { Both, Positive, Negative };

/// The weights of a tile while units are taken off and put back.
struct Tile {
  std::span<int64_t> q;
  std::span<const double> u;
  std::span<const double> h;

  double weight(size_t i) const { return h.empty() ? 1.0 : h[i]; }
  /// The cost of the next unit of weight i.
  double cost(size_t i) const {
    if (weight(i) == 0)
      return 0;
    double cut = std::abs(u[i]) - static_cast<double>(std::abs(q[i]));
    return finite(weight(i) * (2 * cut + 1));
  }
  void take(size_t i, int64_t number) { q[i] -= q[i] > 0 ? number : -number; }
  std::vector<Units> units(Side side) const;
  void takeCheapest(Side side, Wide number);
};
} // namespace

std::vector<Units> Tile::units(Side side) const {
  std::vector<Units> result;
  result.reserve(q.size());
  for (size_t i = 0; i < q.size(); ++i) {
    if (q[i] == 0 || (side == Side::Positive && q[i] < 0) ||
        (side == Side::Negative && q[i] > 0))
      continue;
    result.push_back({cost(i), finite(2 * weight(i)), std::abs(q[i]), i});
  }
  return result;
}

namespace {
/// Costs [lo, hi) with the sought unit between them: units below `lo` are taken
/// and units from `hi` on kept, whatever is found in between.
class Bracket {
public:
  Bracket(std::span<const Units> all, Wide number);
  /// Guesses from a sample where the unit is, with room for the sample's error.
  void narrowBySample();
  /// Halves the costs until at most `most` units are between.
  void narrowTo(Wide most);

  double lo, hi;

private:
  bool tryCost(double cost);

  std::span<const Units> all;
  Wide number, total = 0, belowLo = 0, belowHi;
};
} // namespace

Bracket::Bracket(std::span<const Units> all, Wide number)
    : lo(all[0].first), hi(all[0].first), all(all), number(number) {
  for (const Units &units : all) {
    lo = std::min(lo, units.first);
    hi = std::max(hi, units.cost(units.count));
    total += units.count;
  }
  hi = std::nextafter(hi, std::numeric_limits<double>::infinity());
  belowHi = total;
}

/// Makes the cost an end of the bracket; false when it is one already.
bool Bracket::tryCost(double cost) {
  if (!(lo < cost && cost < hi))
    return false;
  Wide count = 0;
  for (const Units &units : all)
    count += units.below(cost);
  (count <= number ? lo : hi) = cost;
  (count <= number ? belowLo : belowHi) = count;
  return true;
}

void Bracket::narrowBySample() {
  constexpr size_t weights = 128;
  constexpr int64_t unitsOfOne = 8;
  std::vector<double> sample;
  for (size_t k = 0; k < all.size(); k += all.size() / weights) {
    int64_t step = 1 + (all[k].count - 1) / unitsOfOne;
    for (int64_t unit = 0; unit < all[k].count; unit += step)
      sample.push_back(all[k].cost(unit));
  }
  std::sort(sample.begin(), sample.end());
  auto size = static_cast<double>(sample.size());
  double place =
      size * (static_cast<double>(number) / static_cast<double>(total));
  double room = 2 * std::sqrt(size);
  if (place > room)
    tryCost(sample[static_cast<size_t>(place - room)]);
  if (place + room < size)
    tryCost(sample[static_cast<size_t>(place + room)]);
}

void Bracket::narrowTo(Wide most) {
  while (belowHi - belowLo > most)
    if (!tryCost(lo + (hi - lo) / 2))
      return;
}

void Tile::takeCheapest(Side side, Wide number) {
  if (number <= 0)
    return;
  std::vector<Units> all = units(side);
  Wide most = 4 * static_cast<Wide>(all.size());
  Bracket bracket(all, number);
  if (all.size() >= 512)
    bracket.narrowBySample();
  bracket.narrowTo(most);

  std::vector<Unit> open;
  Wide between = 0;
  std::vector<int64_t> upTo(all.size());
  for (size_t k = 0; k < all.size(); ++k) {
    int64_t taken = all[k].below(bracket.lo);
    upTo[k] = std::max(taken, all[k].below(bracket.hi));
    take(all[k].index, taken);
    number -= taken;
    between += upTo[k] - taken;
    all[k].first = all[k].cost(taken);
    upTo[k] -= taken;
  }
  if (between > most) {
    // All of these cost the same to the last bit.
    for (size_t k = 0; k < all.size() && number > 0; ++k) {
      auto taken = static_cast<int64_t>(std::min<Wide>(upTo[k], number));
      take(all[k].index, taken);
      number -= taken;
    }
    return;
  }
  for (size_t k = 0; k < all.size(); ++k)
    for (int64_t unit = 0; unit < upTo[k]; ++unit)
      open.push_back({all[k].cost(unit), all[k].index});
  auto end = open.begin() + static_cast<ptrdiff_t>(number);
  if (end != open.end())
    std::nth_element(open.begin(), end, open.end());
  for (auto unit = open.begin(); unit != end; ++unit)
    take(unit->owner, 1);
}

//===----------------------------------------------------------------------===//
// Conditions that share both signs
//===----------------------------------------------------------------------===//

/// The most that neg may grow, on average, for each unit that pos falls by.
static double unitsBack(const Budget &budget) {
  double most = 0;
  for (const Budget::Condition &condition : {budget.upper, budget.lower})
    if (condition.neg > 0)
      most = std::max(most, std::ceil(static_cast<double>(condition.pos) /
                                      static_cast<double>(condition.neg)));
  return most;
}

/// Finds the pos of least error among the norms on the edge of the budget:
/// pos goes down one by one from the largest that fits, and neg comes back as
/// far as that makes room. Changes `tile`; the caller starts over with the pos.
static Wide bestPos(Tile tile, const Budget &budget, Wide pos, Wide neg) {
  Wide allNeg = neg;
  std::vector<int64_t> full(tile.q.begin(), tile.q.end());
  Wide first = std::min(pos, budget.largestPos(0));
  tile.takeCheapest(Side::Positive, pos - first);
  neg = std::min(neg, budget.largestNeg(first));
  tile.takeCheapest(Side::Negative, allNeg - neg);

  // The next positive unit to go, and the best negative unit to come back.
  auto nextOf = [&](size_t i) { return Unit{tile.cost(i), i}; };
  auto goneOf = [&](size_t i) {
    return Unit{tile.cost(i) - 2 * tile.weight(i), i};
  };
  std::vector<Unit> allNext, allGone;
  for (size_t i = 0; i < full.size(); ++i)
    if (full[i] > 0 && tile.q[i] > 0)
      allNext.push_back(nextOf(i));
    else if (full[i] < 0 && tile.q[i] != full[i])
      allGone.push_back(goneOf(i));
  std::priority_queue next(std::greater<Unit>(), std::move(allNext));
  std::priority_queue gone(std::less<Unit>(), std::move(allGone));
  double mostBack = unitsBack(budget);

  Wide best = first;
  double change = 0, bestChange = 0;
  for (pos = first; pos > 0 && neg < allNeg;) {
    Unit off = next.top();
    // Units that go cost ever more, and those that come back bring ever less.
    if (neg == budget.largestNeg(pos) && off.cost >= mostBack * gone.top().cost)
      break;
    next.pop();
    tile.q[off.owner] -= 1;
    change += off.cost;
    if (tile.q[off.owner] > 0)
      next.push(nextOf(off.owner));
    --pos;
    for (Wide room = std::min(allNeg, budget.largestNeg(pos)); neg < room;
         ++neg) {
      Unit back = gone.top();
      gone.pop();
      tile.q[back.owner] -= 1;
      change -= back.cost;
      if (tile.q[back.owner] != full[back.owner])
        gone.push(goneOf(back.owner));
    }
    if (change < bestChange) {
      bestChange = change;
      best = pos;
    }
  }
  return best;
}

void reduceToBudget(std::span<int64_t> q, std::span<const double> u,
                    const Budget &budget, std::span<const double> h) {
  assert(u.size() == q.size() && (h.empty() || h.size() == q.size()));
  auto [pos, neg] = norms(q);
  if (budget.admits({pos, neg}))
    return;
  Tile tile = {q, u, h};
  if (budget.isL1()) {
    tile.takeCheapest(Side::Both, pos + neg - budget.largestPos(0));
    return;
  }
  Wide keptPos = std::min(pos, budget.largestPos(0));
  if (!budget.separatesSigns()) {
    std::vector<int64_t> copy(q.begin(), q.end());
    keptPos = bestPos({copy, u, h}, budget, pos, neg);
  }
  tile.takeCheapest(Side::Positive, pos - keptPos);
  tile.takeCheapest(Side::Negative, neg - budget.largestNeg(keptPos));
}

/// To the nearest integer, halves toward 0: as near, and smaller.
static int64_t roundWithin(double value, int64_t limit) {
  double magnitude = std::max(std::abs(value) - 0.5, 0.0);
  int64_t rounded =
      magnitude < static_cast<double>(limit) ? roundUp(magnitude) : limit;
  return value < 0 ? -rounded : rounded;
}

std::vector<int64_t> nearestIntegers(std::span<const double> u,
                                     const Budget &budget, int64_t limit,
                                     std::span<const double> h,
                                     TileEnds tiles) {
  std::vector<int64_t> q(u.size());
  std::transform(u.begin(), u.end(), q.begin(),
                 [&](double value) { return roundWithin(value, limit); });
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    size_t length = end - begin;
    reduceToBudget(std::span(q).subspan(begin, length),
                   u.subspan(begin, length), budget,
                   h.empty() ? h : h.subspan(begin, length));
  });
  return q;
}

std::vector<int64_t> projectedIntegers(std::span<const double> u,
                                       const Budget &budget, int64_t limit,
                                       TileEnds tiles) {
  std::vector<double> v(u.begin(), u.end());
  forEachTile(u.size(), tiles, [&](size_t begin, size_t end) {
    projectOntoBudget(std::span(v).subspan(begin, end - begin), budget);
  });
  return nearestIntegers(v, budget, limit, {}, tiles);
}

double squaredError(std::span<const double> u, std::span<const int64_t> q,
                    double scale, std::span<const double> h) {
  double sum = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    double difference = scale * static_cast<double>(q[i]) - u[i];
    sum += (h.empty() ? 1.0 : h[i]) * difference * difference;
  }
  return sum;
}

} // namespace a2q
