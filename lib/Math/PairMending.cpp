//===- PairMending.cpp - Weights that no pair saturates -------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/PairMending.h"

#include "a2q/Math/Matching.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>

namespace a2q {

/// What pmaddubsw adds into.
static const Interval pairLimit = {-32768, 32767};

static bool fits(int64_t a, Range aCodes, int64_t b, Range bCodes,
                 Interval limit) {
  return limit.contains(product(a, aCodes) + product(b, bCodes));
}

bool PairTable::goTogether(int64_t a, int64_t b) const {
  Range aCodes = range(a), bCodes = range(b);
  for (int64_t row = 0; row < rows(); ++row)
    if (!fits(at(row, a), aCodes, at(row, b), bCodes, pairLimit))
      return false;
  return true;
}

/// The weight nearest to `weight`, between it and 0, that fits beside a fixed
/// neighbour. Codes are not negative, so that moving to 0 moves both ends of
/// the product towards 0.
static int64_t largestThatFits(int64_t weight, Range codes, int64_t neighbour,
                               Range neighbourCodes, Interval limit) {
  int64_t good = 0, bad = weight;
  if (fits(bad, codes, neighbour, neighbourCodes, limit))
    return bad;
  assert(fits(good, codes, neighbour, neighbourCodes, limit));
  while (std::abs(good - bad) > 1) {
    int64_t middle = (good + bad) / 2;
    (fits(middle, codes, neighbour, neighbourCodes, limit) ? good : bad) =
        middle;
  }
  return good;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

namespace {
/// Two places with what is in them.
struct Neighbours {
  int64_t first, second; ///< columns; -1: zeros
};
} // namespace

/// Matched columns beside each other, then the others in their order, so that
/// at most one is alone. A pair stands where its first column stood.
static std::vector<Neighbours> neighboursOf(std::span<const int64_t> partner) {
  std::vector<Neighbours> result;
  std::vector<int64_t> single;
  for (int64_t node = 0; node < static_cast<int64_t>(partner.size()); ++node) {
    if (partner[node] > node)
      result.push_back({node, partner[node]});
    else if (partner[node] < 0)
      single.push_back(node);
  }
  for (size_t at = 0; at < single.size(); at += 2)
    result.push_back(
        {single[at], at + 1 < single.size() ? single[at + 1] : -1});
  return result;
}

namespace {
/// The ends of all products, column by column, for the many questions of a
/// whole graph.
class ProductEnds {
public:
  explicit ProductEnds(const PairTable &table) : rows(table.rows()) {
    for (int64_t column = 0; column < table.columns; ++column)
      for (int64_t row = 0; row < rows; ++row) {
        Interval ends = product(table.at(row, column), table.range(column));
        lower.push_back(static_cast<int32_t>(ends.lo));
        upper.push_back(static_cast<int32_t>(ends.hi));
      }
  }

  /// PairTable::goTogether.
  bool goTogether(int64_t a, int64_t b) const {
    constexpr int64_t kBlock = 64;
    const auto lo = static_cast<int32_t>(pairLimit.lo),
               hi = static_cast<int32_t>(pairLimit.hi);
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
      int32_t outside = 0;
      for (int64_t row = begin; row < std::min(begin + kBlock, rows); ++row)
        outside += (upper[a * rows + row] + upper[b * rows + row] > hi) +
                   (lower[a * rows + row] + lower[b * rows + row] < lo);
      if (outside)
        return false;
    }
    return true;
  }

private:
  int64_t rows;
  std::vector<int32_t> lower, upper;
};
} // namespace

static std::vector<int64_t> matchColumns(const PairTable &table) {
  PairGraph graph(table.columns);
  ProductEnds ends(table);
  for (int64_t a = 0; a < table.columns; ++a)
    for (int64_t b = a + 1; b < table.columns; ++b)
      if (ends.goTogether(a, b))
        graph.connect(a, b);
  return maximumMatching(graph);
}

ColumnPlaces placeColumns(const PairTable &table) {
  int64_t rows = table.rows();
  std::vector<Neighbours> main = neighboursOf(matchColumns(table));
  // What first columns of bad pairs give away: a table of its own.
  std::vector<int64_t> split;
  for (Neighbours pair : main)
    if (pair.second >= 0 && !table.goTogether(pair.first, pair.second))
      split.push_back(pair.first);
  auto extra = static_cast<int64_t>(split.size());
  std::vector<int64_t> kept(table.weights.begin(), table.weights.end());
  std::vector<int64_t> given(rows * extra);
  std::vector<Range> givenCodes;
  for (int64_t column : split)
    givenCodes.push_back(table.range(column));
  int64_t next = 0;
  for (Neighbours pair : main) {
    if (next == extra || pair.first != split[next])
      continue;
    for (int64_t row = 0; row < rows; ++row) {
      int64_t weight = table.at(row, pair.first);
      int64_t keep = largestThatFits(weight, table.range(pair.first),
                                     table.at(row, pair.second),
                                     table.range(pair.second), pairLimit);
      kept[row * table.columns + pair.first] = keep;
      given[row * extra + next] = weight - keep;
    }
    ++next;
  }
  PairTable rest{given, givenCodes, extra};
  std::vector<Neighbours> second;
  std::vector<int64_t> partner;
  if (extra)
    partner = matchColumns(rest);
  for (int64_t node = 0; node < extra; ++node) {
    if (partner[node] > node)
      second.push_back({node, partner[node]});
    else if (partner[node] < 0)
      second.push_back({node, -1});
  }
  ColumnPlaces result;
  auto places = 2 * static_cast<int64_t>(main.size() + second.size());
  result.added = places - table.columns;
  result.weights.resize(rows * places);
  auto place = [&](int64_t column, const std::vector<int64_t> &weights,
                   int64_t stride, int64_t from) {
    auto at = static_cast<int64_t>(result.column.size());
    result.column.push_back(column);
    for (int64_t row = 0; from >= 0 && row < rows; ++row)
      result.weights[row * places + at] = weights[row * stride + from];
  };
  for (Neighbours pair : main) {
    place(pair.first, kept, table.columns, pair.first);
    place(pair.second < 0 ? pair.first : pair.second, kept, table.columns,
          pair.second);
  }
  for (Neighbours pair : second) {
    place(split[pair.first], given, extra, pair.first);
    place(split[pair.second < 0 ? pair.first : pair.second], given, extra,
          pair.second);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Nearest weights
//===----------------------------------------------------------------------===//

/// The integer nearest to `numerator / denominator`, ties to even.
static int64_t nearest(int64_t numerator, int64_t denominator) {
  int64_t below = numerator / denominator, rest = numerator % denominator;
  if (rest < 0) {
    rest += denominator;
    --below;
  }
  bool up = 2 * rest > denominator || (2 * rest == denominator && (below & 1));
  return below + up;
}

ProjectedPair projectPair(int64_t first, int64_t second, Range firstCodes,
                          Range secondCodes, Interval limit, int64_t scale) {
  // Beside a fixed first weight the nearest second one lies between its own
  // nearest integer and 0, because what fits still fits when a weight moves
  // towards 0. So does the first: moving it away from 0 only adds to the
  // distance and leaves less for the second.
  auto squared = [&](int64_t weight, int64_t code) {
    int64_t difference = scaleUnit * weight - scale * code;
    return difference * difference;
  };
  int64_t a = nearest(scaleUnit * first, scale),
          wanted = nearest(scaleUnit * second, scale);
  ProjectedPair best{0, 0, INT64_MAX};
  for (int64_t step = a > 0 ? -1 : 1;; a += step) {
    int64_t change = squared(first, a);
    if (change >= best.error)
      break;
    int64_t b = largestThatFits(wanted, secondCodes, a, firstCodes, limit);
    int64_t error = change + squared(second, b);
    if (error < best.error)
      best = {a, b, error};
    if (a == 0)
      break;
  }
  return best;
}

ProjectedRow projectRow(std::span<const int64_t> weights,
                        std::span<const Range> codes, int64_t scale) {
  ProjectedRow result{{}, scale, 0};
  auto range = [&](size_t k) {
    return codes.size() == 1 ? codes.front() : codes[k];
  };
  for (size_t k = 0; k < weights.size(); k += 2) {
    bool isAlone = k + 1 == weights.size();
    ProjectedPair pair =
        projectPair(weights[k], isAlone ? 0 : weights[k + 1], range(k),
                    isAlone ? Range{0, 0} : range(k + 1), pairLimit, scale);
    result.weights.push_back(pair.first);
    if (!isAlone)
      result.weights.push_back(pair.second);
    result.error += pair.error;
  }
  return result;
}

} // namespace a2q
