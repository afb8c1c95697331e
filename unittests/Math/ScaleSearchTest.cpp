//===- ScaleSearchTest.cpp - Scale and integers of a channel together -----===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ScaleSearch.h"

#include "a2q/Math/IntegerProjection.h"
#include "a2q/Math/Projection.h"
#include "a2q/Math/Truncation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <random>

using namespace a2q;

namespace {

std::vector<double> laplace(size_t length, std::mt19937_64 &random) {
  std::exponential_distribution<double> magnitude;
  std::vector<double> u(length);
  for (double &value : u)
    value = magnitude(random) * (random() % 2 ? 1 : -1);
  return u;
}

double energy(std::span<const double> u) {
  double sum = 0;
  for (double value : u)
    sum += value * value;
  return sum;
}

/// Relative to the energy of the weights.
double errorOf(std::span<const double> u, const ScaledIntegers &result,
               std::span<const double> h = {}) {
  return squaredError(u, result.integers, result.scale, h) / energy(u);
}

/// The nearest integers at each of many scales, each with its best scale.
double denseSearch(std::span<const double> u, const Budget &budget,
                   int64_t limit, TileEnds tiles) {
  double largest = 0, best = 1;
  for (double value : u)
    largest = std::max(largest, std::abs(value));
  for (int step = 0; step <= 150; ++step) {
    double scale =
        largest * std::pow(0.1 / static_cast<double>(limit), step / 150.0);
    std::vector<double> scaled;
    for (double value : u)
      scaled.push_back(value / scale);
    ScaledIntegers candidate = {
        1, nearestIntegers(scaled, budget, limit, {}, tiles)};
    candidate.scale = bestScale(u, candidate.integers);
    best = std::min(best, errorOf(u, candidate));
  }
  return best;
}

// Sorted prefix sums against integers at four times as many scales.
TEST(SearchScale, AsGoodAsADenseSearch) {
  std::mt19937_64 random(31);
  std::vector<uint32_t> tiles = {50, 120, 128, 200};
  for (int trial = 0; trial < 6; ++trial) {
    std::vector<double> u = laplace(200, random);
    int64_t limit = trial % 3 ? 7 : 31;
    Range range = trial % 2 ? Range{0, 15} : Range{-8, 7};
    for (Bound bound : {Bound::Centred, Bound::Exact}) {
      Budget budget = budgetOf(bound, 8 + trial % 4, range);
      for (TileEnds ends : {TileEnds(), TileEnds(tiles)}) {
        ScaledIntegers found = searchScale(u, budget, limit, {}, ends);
        forEachTile(u.size(), ends, [&](size_t begin, size_t end) {
          EXPECT_TRUE(budget.admits(
              norms(std::span(found.integers).subspan(begin, end - begin))));
        });
        EXPECT_LE(errorOf(u, found),
                  denseSearch(u, budget, limit, ends) * 1.01 + 1e-12);
      }
    }
  }
}

/// The largest <u, q>^2 / <q, q> of all integers in the budget.
double bestGain(std::span<const double> u, const Budget &budget,
                int64_t limit) {
  double best = 0;
  std::vector<int64_t> q(u.size());
  auto visit = [&](auto &self, size_t i, double uq, double qq) -> void {
    if (i == u.size()) {
      if (uq > 0 && uq * uq / qq > best && budget.admits(norms(q)))
        best = uq * uq / qq;
      return;
    }
    for (q[i] = -limit; q[i] <= limit; ++q[i]) {
      auto value = static_cast<double>(q[i]);
      self(self, i + 1, uq + value * u[i], qq + value * value);
    }
  };
  visit(visit, 0, 0, 0);
  return best;
}

// No exact method: the valley's teeth are searched, not all visited. For few
// weights, where teeth are largest, nearly always the best of all integers.
TEST(SearchScale, NearTheBestOfAllIntegers) {
  std::mt19937_64 random(32);
  int exact = 0, total = 0;
  for (int trial = 0; trial < 120; ++trial) {
    std::vector<double> u = laplace(2 + trial % 4, random);
    Budget budget = budgetOf(trial % 2 ? Bound::Centred : Bound::Exact,
                             4 + trial % 3, {0, 3});
    double best = bestGain(u, budget, 3);
    ScaledIntegers found = searchScale(u, budget, 3);
    double gain = energy(u) * (1 - errorOf(u, found));
    EXPECT_GE(gain, best * 0.98);
    EXPECT_LE(gain, best * (1 + 1e-12));
    exact += gain >= best * (1 - 1e-12);
    ++total;
  }
  EXPECT_GE(exact, total * 9 / 10);
}

TEST(SearchScale, NeverWorseThanScaleOne) {
  std::mt19937_64 random(33);
  for (int trial = 0; trial < 40; ++trial) {
    std::vector<double> u = laplace(1 + random() % 60, random), h(u.size());
    for (double &value : u)
      value *= 3;
    for (double &value : h)
      value = static_cast<double>(random() % 4);
    Budget budget = budgetOf(Bound::Exact, 6 + trial % 4,
                             trial % 2 ? Range{0, 15} : Range{-8, 7});
    for (std::span<const double> diagonal : {std::span<const double>(), {h}}) {
      ScaledIntegers fixed = {1, nearestIntegers(u, budget, 7, diagonal)};
      EXPECT_LE(errorOf(u, searchScale(u, budget, 7, diagonal), diagonal),
                errorOf(u, fixed, diagonal) + 1e-12);
    }
  }
}

// The ones of top-b are integers of the budget, so they can never be better.
// Equal magnitudes, where top-b has a choice, and ternary weights, of which it
// is the best there is, come up often here.
TEST(SearchScale, NeverWorseThanOnes) {
  std::mt19937_64 random(37);
  std::vector<uint32_t> tiles = {7, 20, 21, 40};
  for (int trial = 0; trial < 600; ++trial) {
    std::vector<double> u = laplace(40, random), h(u.size());
    for (double &value : u)
      if (trial % 3 == 0)
        value = std::round(value);
      else if (trial % 3 == 1)
        value = std::copysign(random() % 8 ? 0.01 : 1 + 0.01 * value, value);
    for (double &value : h)
      value = static_cast<double>(random() % 100) / 10;
    Range range =
        std::array{Range{0, 15}, Range{-8, 7}, Range{-3, 12}}[random() % 3];
    Bound bound = random() % 2 ? Bound::Centred : Bound::Exact;
    Budget budget = budgetOf(bound, 5 + random() % 6, range);
    for (std::span<const double> diagonal : {std::span<const double>(), {h}})
      for (TileEnds ends : {TileEnds(), TileEnds(tiles)}) {
        ScaledIntegers ones = largestAsOnes(u, budget, diagonal, ends);
        ScaledIntegers found = searchScale(u, budget, 7, diagonal, ends);
        EXPECT_LE(squaredError(u, found.integers, found.scale, diagonal),
                  squaredError(u, ones.integers, ones.scale, diagonal) *
                      (1 + 1e-12))
            << trial;
      }
  }
}

// Codes of either sign: a norm for each sign stands in for conditions that
// share them while scales are tried. Mostly positive weights, and a range that
// is far from even, are where that is at its worst.
TEST(SearchScale, LopsidedWeightsOfSharedConditions) {
  std::mt19937_64 random(38);
  for (int trial = 0; trial < 12; ++trial) {
    std::vector<double> u = laplace(200, random), h;
    for (double &value : u)
      value = random() % 10 ? std::abs(value) : -std::abs(value);
    Range range = trial % 2 ? Range{-3, 12} : Range{-8, 7};
    Budget budget = budgetOf(Bound::Exact, 8 + trial % 4, range);
    ScaledIntegers found = searchScale(u, budget, 7);
    EXPECT_TRUE(budget.admits(norms(found.integers)));
    EXPECT_LE(errorOf(u, found), denseSearch(u, budget, 7, {}) * 1.01);
  }
}

// Integers that fit are left alone, also where the grid is coarse for them.
TEST(SearchScale, KeepsIntegersThatFit) {
  std::mt19937_64 random(36);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> u(100);
    for (double &value : u)
      value = static_cast<double>(random() % 241) - 120;
    ScaledIntegers found =
        searchScale(u, budgetOf(Bound::Exact, 20, {0, 15}), 127);
    EXPECT_LE(errorOf(u, found), 1e-20);
  }
}

// The unit of u does not matter, from one end of doubles to the other.
TEST(SearchScale, AnyUnit) {
  std::mt19937_64 random(34);
  std::vector<double> u = laplace(50, random);
  Budget budget = budgetOf(Bound::Centred, 9, {0, 15});
  ScaledIntegers expected = searchScale(u, budget, 7);
  for (int exponent : {-900, -40, 3, 900}) {
    std::vector<double> v;
    for (double value : u)
      v.push_back(std::ldexp(value, exponent));
    ScaledIntegers found = searchScale(v, budget, 7);
    EXPECT_EQ(found.integers, expected.integers) << exponent;
    EXPECT_DOUBLE_EQ(std::ldexp(found.scale, -exponent), expected.scale);
  }
}

TEST(SearchScale, NothingToKeep) {
  Budget budget = budgetOf(Bound::Exact, 9, {0, 15});
  ScaledIntegers zeros = searchScale(std::vector<double>(4, 0.0), budget, 7);
  EXPECT_EQ(zeros.integers, std::vector<int64_t>(4, 0));
  EXPECT_EQ(zeros.scale, 1);
  EXPECT_TRUE(searchScale({}, budget, 7).integers.empty());
  std::vector<double> u = {1, -2, 3};
  EXPECT_EQ(searchScale(u, budget, 0).integers, std::vector<int64_t>(3, 0));
  // One bit too few for any weight, and just enough.
  unsigned width = smallestWidth(Bound::Exact, {0, 15});
  ScaledIntegers none =
      searchScale(u, budgetOf(Bound::Exact, width - 1, {0, 15}), 7);
  EXPECT_EQ(none.integers, std::vector<int64_t>(3, 0));
  EXPECT_EQ(none.scale, 1);
  ScaledIntegers one =
      searchScale(u, budgetOf(Bound::Exact, width, {0, 15}), 7);
  EXPECT_EQ(one.integers, (std::vector<int64_t>{0, -1, 1}));
  EXPECT_DOUBLE_EQ(one.scale, 2.5);
}

TEST(LargestAsOnes, TakesTheBLargest) {
  std::vector<double> u = {0.1, -5, 3, 0, 4, -0.2, 2};
  ScaledIntegers found = largestAsOnes(u, {{1, 1, 3}, {1, 1, 3}});
  EXPECT_EQ(found.integers, (std::vector<int64_t>{0, -1, 1, 0, 1, 0, 0}));
  EXPECT_DOUBLE_EQ(found.scale, 4);
  // One unit of each sign: 127 / 100 and 128 / 100.
  found = largestAsOnes(u, budgetOf(Bound::Exact, 8, {0, 100}));
  EXPECT_EQ(found.integers, (std::vector<int64_t>{0, -1, 0, 0, 1, 0, 0}));
  EXPECT_DOUBLE_EQ(found.scale, 4.5);
  // More than there are: zeros stay zeros.
  found = largestAsOnes(u, {{1, 1, 30}, {1, 1, 30}});
  EXPECT_EQ(norms(found.integers).l1(), 6);
}

//===----------------------------------------------------------------------===//
// The methods side by side
//===----------------------------------------------------------------------===//

/// Mean relative squared error of the outputs on post-ReLU codes.
class Layer {
public:
  Layer() : random(35) {
    for (int c = 0; c < channels; ++c) {
      weights.push_back(laplace(length, random));
      double largest = 0;
      for (double value : weights.back())
        largest = std::max(largest, std::abs(value));
      for (double &value : weights.back())
        value *= 7 / largest; // 4 bits, scale by the largest
    }
    std::normal_distribution<double> normal(0, 6);
    for (std::vector<double> &x : inputs) {
      x.resize(length);
      for (double &value : x)
        value = std::clamp(std::round(normal(random)), 0.0, 15.0);
    }
  }

  template <typename Method> double error(Method method) const {
    double sum = 0;
    for (const std::vector<double> &u : weights) {
      ScaledIntegers q = method(u);
      double wrong = 0, right = 0;
      for (const std::vector<double> &x : inputs) {
        double exact = 0, approximate = 0;
        for (size_t i = 0; i < u.size(); ++i) {
          exact += u[i] * x[i];
          approximate += q.scale * static_cast<double>(q.integers[i]) * x[i];
        }
        wrong += (exact - approximate) * (exact - approximate);
        right += exact * exact;
      }
      sum += wrong / right;
    }
    return sum / channels;
  }

private:
  static constexpr int channels = 24;
  static constexpr size_t length = 576;
  std::mt19937_64 random;
  std::vector<std::vector<double>> weights;
  std::vector<std::vector<double>> inputs{48};
};

// K = 576, Laplace weights of 4 bits, codes of 4 bits: the order of the methods
// at each width. At P = 14 the budget of A2Q suffices for most rows, and the
// mean that A2Q+ takes away costs more than its larger budget brings.
TEST(Methods, OrderOnALaplaceLayer) {
  Layer layer;
  Range range = {0, 15};
  double before = 2;
  for (unsigned width = 11; width <= 14; ++width) {
    Budget a2q = budgetOf(Bound::A2Q, width, range);
    Budget halves = budgetOf(Bound::A2QPlus, width, range);
    Budget centred = budgetOf(Bound::Centred, width, range);
    using Weights = std::vector<double>;
    double norm = layer.error([&](const Weights &u) {
      return ScaledIntegers{1, constrainA2Q(u, a2q, 7)};
    });
    double projected = layer.error([&](const Weights &u) {
      return ScaledIntegers{1, constrainEPInit(u, a2q, 7)};
    });
    double plus = layer.error([&](const Weights &u) {
      return ScaledIntegers{1, constrainA2QPlus(u, halves, 7)};
    });
    double rounded = layer.error([&](const Weights &u) {
      return ScaledIntegers{1, projectedIntegers(u, centred, 7)};
    });
    double nearest = layer.error([&](const Weights &u) {
      return ScaledIntegers{1, nearestIntegers(u, centred, 7)};
    });
    double searched = layer.error(
        [&](const Weights &u) { return searchScale(u, centred, 7); });
    double ones = layer.error(
        [&](const Weights &u) { return largestAsOnes(u, centred); });
    RecordProperty("P" + std::to_string(width),
                   std::to_string(norm) + " " + std::to_string(projected) +
                       " " + std::to_string(plus) + " " +
                       std::to_string(nearest) + " " +
                       std::to_string(searched) + " " + std::to_string(ones));
    EXPECT_GT(norm, projected) << width;
    if (width < 14) {
      EXPECT_GT(projected, plus) << width;
    }
    EXPECT_GT(plus, rounded) << width;
    EXPECT_GE(nearest, searched) << width;
    EXPECT_GT(ones, searched) << width;
    EXPECT_GT(before, searched) << width;
    before = searched;
  }
}

} // namespace
