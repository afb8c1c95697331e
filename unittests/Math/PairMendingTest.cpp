//===- PairMendingTest.cpp - Weights that no pair saturates ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/PairMending.h"

#include "a2q/Math/Saturation.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace a2q;

namespace {

constexpr Range kBytes = {0, 255};

/// Nothing of the table is lost, and no pair saturates.
void checkPlaces(const PairTable &table, const ColumnPlaces &places) {
  auto count = static_cast<int64_t>(places.column.size());
  ASSERT_EQ(count % 2, 0);
  ASSERT_EQ(places.added, count - table.columns);
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::vector<Range> codes;
  for (int64_t column : places.column) {
    ASSERT_GE(column, 0);
    ASSERT_LT(column, table.columns);
    codes.push_back(table.range(column));
  }
  for (int64_t row = 0; row < table.rows(); ++row) {
    std::span<const int64_t> weights =
        std::span(places.weights).subspan(row * count, count);
    std::vector<int64_t> sums(table.columns);
    for (int64_t place = 0; place < count; ++place) {
      sums[places.column[place]] += weights[place];
      ASSERT_GE(weights[place], -128);
      ASSERT_LE(weights[place], 127);
    }
    for (int64_t column = 0; column < table.columns; ++column)
      ASSERT_EQ(sums[column], table.at(row, column));
    ASSERT_EQ(saturate({weights, codes}, pairNeighbours(order, count)).pairs,
              0);
  }
}

/// Whether some order of the columns has no pair that saturates.
bool canBeReordered(const PairTable &table, std::vector<int64_t> &left) {
  if (left.size() < 2)
    return true;
  int64_t first = left.front();
  for (size_t at = 1; at < left.size(); ++at) {
    if (!table.goTogether(first, left[at]))
      continue;
    std::vector<int64_t> rest(left.begin() + 1, left.end());
    rest.erase(rest.begin() + static_cast<int64_t>(at) - 1);
    if (canBeReordered(table, rest))
      return true;
  }
  return false;
}

} // namespace

TEST(PairMending, KeepsWhatIsSafe) {
  std::vector<int64_t> weights = {64, 64, -1, 2, 127, 1, -128, 0};
  std::vector<Range> codes = {kBytes};
  PairTable table{weights, codes, 4};
  ColumnPlaces places = placeColumns(table);
  EXPECT_EQ(places.column, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(places.weights, weights);
  EXPECT_EQ(places.added, 0);
}

// The example of the header.
TEST(PairMending, ReordersThenSplits) {
  std::vector<int64_t> weights = {127, 100, -5, 3};
  std::vector<Range> codes = {kBytes};
  ColumnPlaces places = placeColumns({weights, codes, 4});
  EXPECT_EQ(places.added, 0);
  checkPlaces({weights, codes, 4}, places);
  weights = {127, 100};
  places = placeColumns({weights, codes, 2});
  EXPECT_EQ(places.column, (std::vector<int64_t>{0, 1, 0, 0}));
  EXPECT_EQ(places.weights, (std::vector<int64_t>{28, 100, 99, 0}));
}

TEST(PairMending, AddsPlacesOnlyWhereNoOrderServes) {
  std::mt19937 random(3);
  int64_t reordered = 0, split = 0;
  for (int64_t run = 0; run < 1500; ++run) {
    int64_t columns = 1 + static_cast<int64_t>(random() % 8);
    int64_t rows = 1 + static_cast<int64_t>(random() % 3);
    std::vector<int64_t> weights;
    for (int64_t at = 0; at < rows * columns; ++at)
      weights.push_back(static_cast<int64_t>(random() % 256) - 128);
    std::vector<Range> codes;
    for (int64_t column = 0; column < (run % 2 ? columns : 1); ++column) {
      auto hi = static_cast<int64_t>(100 + random() % 156);
      codes.push_back({static_cast<int64_t>(random() % hi), hi});
    }
    PairTable table{weights, codes, columns};
    ColumnPlaces places = placeColumns(table);
    checkPlaces(table, places);
    EXPECT_LE(places.added, (columns + 1) / 2 + 2);
    std::vector<int64_t> all(columns);
    std::iota(all.begin(), all.end(), 0);
    if (columns % 2)
      continue;
    bool serves = canBeReordered(table, all);
    EXPECT_EQ(places.added == 0, serves) << "run " << run;
    (serves ? reordered : split) += 1;
  }
  // Both kinds occur.
  EXPECT_GT(reordered, 100);
  EXPECT_GT(split, 30);
}

// Codes and limits small enough to try all pairs of weights and all answers.
TEST(PairMending, ProjectionIsNearest) {
  constexpr int64_t kMost = 9;
  for (int64_t scale : {16, 17, 21, 24, 32})
    for (Range a : {Range{0, 5}, Range{2, 5}})
      for (Range b : {Range{0, 5}, Range{1, 4}})
        for (int64_t top : {45, 50, 75}) {
          Interval limit{-top - 1, top};
          for (int64_t first = -kMost; first <= kMost; ++first)
            for (int64_t second = -kMost; second <= kMost; ++second) {
              auto distance = [&](int64_t x, int64_t y) {
                int64_t dx = 16 * first - scale * x,
                        dy = 16 * second - scale * y;
                return dx * dx + dy * dy;
              };
              ProjectedPair found =
                  projectPair(first, second, a, b, limit, scale);
              int64_t best = INT64_MAX;
              for (int64_t x = -kMost; x <= kMost; ++x)
                for (int64_t y = -kMost; y <= kMost; ++y)
                  if (limit.contains(product(x, a) + product(y, b)))
                    best = std::min(best, distance(x, y));
              ASSERT_EQ(found.error, best) << first << ", " << second;
              ASSERT_EQ(distance(found.first, found.second), best);
              ASSERT_TRUE(limit.contains(product(found.first, a) +
                                         product(found.second, b)));
            }
        }
}

TEST(PairMending, ProjectionOfBytes) {
  Interval limit{-32768, 32767};
  // 128 * 255 = 32640 fits, 129 * 255 does not.
  ProjectedPair pair = projectPair(127, 127, kBytes, kBytes, limit);
  EXPECT_EQ(pair.first + pair.second, 128);
  EXPECT_EQ(pair.error, 256 * 2 * 63 * 63);
  pair = projectPair(-128, -128, kBytes, kBytes, limit);
  EXPECT_EQ(pair.first + pair.second, -128);
  EXPECT_EQ(pair.error, 256 * 2 * 64 * 64);
  pair = projectPair(127, -128, kBytes, kBytes, limit);
  EXPECT_EQ(pair.error, 0);
  // Of twice the scale, one half is exact and the other one unit away.
  pair = projectPair(126, 127, kBytes, kBytes, limit, sevenBitScale);
  EXPECT_EQ(pair.first, 63);
  EXPECT_EQ(pair.second, 64);
  EXPECT_EQ(pair.error, 256);
}

TEST(PairMending, RowsAreProjectedPairByPair) {
  std::vector<int64_t> weights = {127, 2, 1, -1, 100, 80, -70};
  std::vector<Range> codes = {kBytes};
  ProjectedRow row = projectRow(weights, codes);
  EXPECT_EQ(row.weights[0] + row.weights[1], 128);
  EXPECT_EQ(row.weights[2], 1);
  EXPECT_EQ(row.weights[3], -1);
  EXPECT_EQ(row.weights[4] + row.weights[5], 128);
  EXPECT_EQ(row.weights[6], -70);
  int64_t error = 0;
  for (size_t k = 0; k < weights.size(); ++k)
    error += (weights[k] - row.weights[k]) * (weights[k] - row.weights[k]);
  EXPECT_EQ(row.error, 256 * error);
}

TEST(PairMending, SevenBitsFitInAnyOrder) {
  std::vector<int64_t> weights;
  for (int64_t weight = -128; weight <= 127; ++weight)
    weights.push_back(weight);
  std::vector<Range> codes = {kBytes};
  ProjectedRow row = projectRow(weights, codes, sevenBitScale);
  EXPECT_EQ(row.error, 256 * 128); // the odd ones, each by 1
  for (size_t k = 0; k < weights.size(); ++k) {
    EXPECT_LE(std::abs(2 * row.weights[k] - weights[k]), 1);
    if (weights[k] % 2)
      EXPECT_EQ(row.weights[k] % 2, 0) << "ties to even";
  }
  EXPECT_EQ(std::ranges::min(row.weights), -64);
  EXPECT_EQ(std::ranges::max(row.weights), 64);
  Interval pair = anyPairInterval({row.weights, codes});
  EXPECT_TRUE((Interval{-32768, 32767}).contains(pair));
}
