//===- Histogram.h - Distribution of observed reals -------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Calibration sees a tensor once, block by block, and does not know its range
// before the last block. Bins whose width is a power of two, with 0 on an edge,
// make one pass enough: when a value does not fit, neighbours are merged in
// pairs and every bin is twice as wide. No count is ever split or guessed, so
// the histogram of some values is the same in whatever order and in however
// many blocks they came.
//
// For 2048 bins a side and values that begin with 3.9 (bins of 2^-9), a value
// of 5.2 merges bins once: [0, 2^-9) and [2^-9, 2^-8) become [0, 2^-8). The
// largest magnitude lies in the upper half of its side, so it is resolved to
// between 1/1024 and 1/2048 of itself.
//
// Each bin keeps the sum of its values beside their number. Data on a lattice
// (pixels, codes) therefore keeps its exact positions as long as no two of them
// share a bin, and zeros, of which a ReLU leaves many, are a bin of their own.
//
// The rival is two passes, the first for the range: twice the time, for bins
// that are at most twice as narrow.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_HISTOGRAM_H
#define A2Q_MATH_HISTOGRAM_H

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace a2q {

class Histogram {
public:
  /// Bins of positive values, and as many of negative ones.
  static constexpr int64_t binsPerSide = 2048;

  /// Values of one bin, at least one, all in [lo, hi].
  struct Bin {
    double lo = 0, hi = 0;
    uint64_t count = 0;
    double sum = 0;

    double mean() const { return sum / static_cast<double>(count); }
  };

  /// Adds a block. False, with nothing added, when a value is infinite or no
  /// number.
  bool add(std::span<const float> values);

  uint64_t count() const { return total; }
  /// The exact ends; 0 while there is no value.
  double min() const { return total ? least : 0; }
  double max() const { return total ? most : 0; }
  double maxMagnitude() const { return std::max(-min(), max()); }

  /// The width of all bins; 0 while there are only zeros.
  double binWidth() const;

  /// The bins that have values, ascending. Zeros are the bin [0, 0].
  std::vector<Bin> bins() const;

  /// The same of absolute values.
  std::vector<Bin> magnitudes() const;

private:
  struct Cell {
    uint64_t count = 0;
    double sum = 0;
  };

  /// Merges bins until they are 2^wanted wide; makes them at the first call.
  void widen(int wanted);
  std::vector<Bin> collect(std::span<const Cell> cells, int64_t first,
                           double lowest, double highest) const;

  /// Bin i holds values in [(i - binsPerSide) * 2^exponent, ... + 2^exponent).
  std::vector<Cell> cells;
  int exponent = 0;
  uint64_t total = 0, zeroCount = 0;
  double least = 0, most = 0;
};

} // namespace a2q

#endif // A2Q_MATH_HISTOGRAM_H
