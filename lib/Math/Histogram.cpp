//===- Histogram.cpp - Distribution of observed reals ---------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Histogram.h"

#include <cmath>
#include <limits>

namespace a2q {

static constexpr int64_t side = Histogram::binsPerSide;

/// The narrowest bins that hold a magnitude: side * 2^exponent is more than it.
static int exponentFor(double magnitude) {
  int bits = 0;
  while ((int64_t(1) << bits) < side)
    ++bits;
  return std::ilogb(magnitude) + 1 - bits;
}

double Histogram::binWidth() const {
  return cells.empty() ? 0 : std::ldexp(1.0, exponent);
}

void Histogram::widen(int wanted) {
  if (cells.empty()) {
    cells.resize(2 * side);
    exponent = wanted;
    return;
  }
  for (; exponent < wanted; ++exponent) {
    std::vector<Cell> wider(2 * side);
    for (int64_t i = 0; i < 2 * side; ++i) {
      // The bin that begins at 2 i and the one after it: 0 stays an edge.
      Cell &into = wider[(i + side) / 2];
      into.count += cells[i].count;
      into.sum += cells[i].sum;
    }
    cells = std::move(wider);
  }
}

bool Histogram::add(std::span<const float> values) {
  if (values.empty())
    return true;
  float lowest = std::numeric_limits<float>::infinity(), highest = -lowest;
  bool finite = true;
  for (float value : values) {
    finite &= std::isfinite(value);
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  if (!finite)
    return false;
  least = total ? std::min<double>(least, lowest) : lowest;
  most = total ? std::max<double>(most, highest) : highest;
  total += values.size();
  double magnitude = std::max(-double(lowest), double(highest));
  if (magnitude == 0) {
    zeroCount += values.size();
    return true;
  }
  widen(exponentFor(magnitude));
  // A product with a power of two is exact.
  double perBin = std::ldexp(1.0, -exponent);
  for (float value : values) {
    if (value == 0) {
      ++zeroCount;
      continue;
    }
    Cell &cell = cells[static_cast<int64_t>(std::floor(value * perBin)) + side];
    ++cell.count;
    cell.sum += value;
  }
  return true;
}

std::vector<Histogram::Bin> Histogram::collect(std::span<const Cell> cells,
                                               int64_t first, double lowest,
                                               double highest) const {
  std::vector<Bin> bins;
  auto addZeros = [&] {
    if (zeroCount)
      bins.push_back({0, 0, zeroCount, 0});
  };
  double width = binWidth();
  bool below = first < 0;
  if (!below)
    addZeros();
  for (int64_t i = 0; i < static_cast<int64_t>(cells.size()); ++i) {
    if (below && first + i == 0) {
      addZeros();
      below = false;
    }
    if (cells[i].count == 0)
      continue;
    double lo = static_cast<double>(first + i) * width;
    bins.push_back({std::max(lo, lowest), std::min(lo + width, highest),
                    cells[i].count, cells[i].sum});
  }
  if (below)
    addZeros();
  return bins;
}

std::vector<Histogram::Bin> Histogram::bins() const {
  return collect(cells, cells.empty() ? 0 : -side, min(), max());
}

std::vector<Histogram::Bin> Histogram::magnitudes() const {
  std::vector<Cell> folded(cells.empty() ? 0 : side);
  for (size_t i = 0; i < folded.size(); ++i) {
    const Cell &above = cells[side + i], &below = cells[side - 1 - i];
    folded[i] = {above.count + below.count, above.sum - below.sum};
  }
  return collect(folded, 0, 0, maxMagnitude());
}

} // namespace a2q
