//===- PairMending.h - Weights that no pair saturates -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What to do about a layer some of whose pairs saturate (Saturation.h), from
// what changes nothing to what changes little. A layer is a table of weights:
// one column per input channel, one row per output channel (and per tap of a
// convolution, where pairs are channels of one tap). Columns that are
// neighbours meet in all rows.
//
// *Reordering* looks for neighbours that saturate in no row. Whether two
// columns do is a yes or no of the two alone, so the most pairs that do not are
// a maximum matching, and where it leaves nobody over, the new order is safe.
//
// *Splitting* gives a column a second place. Its two weights add up to the old
// one and multiply the same code, so that the sum is the same integer. One
// product alone never saturates (255 * -128 = -32640), so each pair that does
// needs one more place, for what is too much of one of its two columns. Those
// places are paired with each other by a matching again.
//
//   weights (127, 100 | -5, 3), codes in [0, 255]: the first pair reaches
//   57885. Reordered (127, -5 | 100, 3): 32385 and 26265, safe.
//   (127, 100) alone: (28, 100 | 99, 0) of columns (0, 1 | 0, -): 32640 and
//   25245, safe, and 28 + 99 = 127.
//
// *Projecting* changes weights: to the nearest two integers whose pair fits.
// With other pairs it shares nothing, so that pair by pair it is the nearest
// point for the row. A row may have another scale as well. Integers of a larger
// one are coarser and fit sooner; of twice the scale they have seven bits and
// always fit. Scales are sixteenths of the old one, so that all is integers.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_PAIRMENDING_H
#define A2Q_MATH_PAIRMENDING_H

#include "a2q/Math/Bounds.h"

namespace a2q {

/// Weights [rows][columns] in s8; u8 codes, one range for all columns or one
/// per column.
struct PairTable {
  std::span<const int64_t> weights;
  std::span<const Range> codes;
  int64_t columns = 0;

  int64_t rows() const {
    return columns ? static_cast<int64_t>(weights.size()) / columns : 0;
  }
  int64_t at(int64_t row, int64_t column) const {
    return weights[row * columns + column];
  }
  Range range(int64_t column) const {
    return codes.size() == 1 ? codes.front() : codes[column];
  }
  /// Whether the two columns can be neighbours.
  bool goTogether(int64_t a, int64_t b) const;
};

/// Places for columns; places 2i and 2i + 1 are neighbours.
struct ColumnPlaces {
  /// The column in each place. Any column where all weights are 0.
  std::vector<int64_t> column;
  /// [rows][places]. Those of one column add up to its weights.
  std::vector<int64_t> weights;
  /// Places beyond one for each column.
  int64_t added = 0;
};

/// Matching takes memory for all pairs of columns, and time for more; callers
/// refuse what is larger.
constexpr int64_t kMostMatched = 4096;

/// Places under which no pair saturates; an even number. Columns keep their
/// place where all is well already. None are added where an even number of
/// columns can be reordered, one where they are odd. At most half as many as
/// there are columns become second places, plus zeros beside them.
ColumnPlaces placeColumns(const PairTable &table);

/// The old scale of a row, in the units of new ones.
inline constexpr int64_t scaleUnit = 16;
/// Twice the old scale: weights have seven bits.
inline constexpr int64_t sevenBitScale = 32;

struct ProjectedPair {
  int64_t first = 0, second = 0;
  /// The squared distance from the weights it was made of, in units of the
  /// sixteenth part of their scale.
  int64_t error = 0;
};

/// The two integers of that scale that are nearest to the two weights and whose
/// products fit `limit` for all codes; of several, the one that changes the
/// first weight less. Codes are not negative, `limit` contains 0 and each
/// product alone, and `scale >= scaleUnit`.
ProjectedPair projectPair(int64_t first, int64_t second, Range firstCodes,
                          Range secondCodes, Interval limit,
                          int64_t scale = scaleUnit);

struct ProjectedRow {
  std::vector<int64_t> weights;
  int64_t scale = scaleUnit;
  int64_t error = 0; ///< as that of a pair
};

/// One row with all of its neighbours (0, 1), (2, 3), ... projected; the last
/// of an odd number is alone.
ProjectedRow projectRow(std::span<const int64_t> weights,
                        std::span<const Range> codes,
                        int64_t scale = scaleUnit);

} // namespace a2q

#endif // A2Q_MATH_PAIRMENDING_H
