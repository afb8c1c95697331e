//===- Bounds.h - Conditions that guarantee no overflow ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ESSAY TO WRITE HERE: the five bounds from loose to tight, one worked example.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_BOUNDS_H
#define A2Q_MATH_BOUNDS_H

#include "a2q/Math/Interval.h"

#include <optional>
#include <string_view>
#include <vector>

namespace a2q {

/// The five conditions of theory section 1, from loose to tight.
enum class Bound { DataType, A2Q, A2QPlus, Exact, Centred };

/// "datatype", "a2q", "a2q-plus", "exact", "centred".
std::string_view toString(Bound bound);
std::optional<Bound> parseBound(std::string_view name);

/// One dot product `sum_k weights[k] * x_k` with `x_k` in a range.
/// `ranges` has either one element (all terms share it) or one per term.
struct DotProduct {
  std::span<const int64_t> weights;
  std::span<const Range> ranges;

  size_t length() const { return weights.size(); }
  Range range(size_t k) const {
    return ranges.size() == 1 ? ranges[0] : ranges[k];
  }
};

/// `pos = sum max(q, 0)`, `neg = sum max(-q, 0)`, `l1 = pos + neg`.
struct Norms {
  Wide pos = 0;
  Wide neg = 0;
  Wide l1() const { return pos + neg; }
  bool operator==(const Norms &) const = default;
};
Norms norms(std::span<const int64_t> weights);

/// All values that the complete sum can take.
Interval finalInterval(const DotProduct &dot);

/// All values that any partial sum can take: any order, any subset, the empty
/// one included.
Interval prefixInterval(const DotProduct &dot);

/// Inputs that reach the upper and the lower end of the final interval
/// (theory section 9).
std::vector<int64_t> upperWitness(const DotProduct &dot);
std::vector<int64_t> lowerWitness(const DotProduct &dot);

/// Width that a bound asks for, without bias. `datatype` needs only the shape:
/// K products of `weightBits`-bit weights (signed) and activations of `range`.
unsigned datatypeWidth(uint64_t length, unsigned weightBits, Range range);
unsigned a2qWidth(const Norms &norms, Range range);
unsigned a2qPlusWidth(const Norms &norms, Range range);
/// `exact` is signedWidth(prefixInterval) and `centred` spanWidth of the same.

/// Everything the report says of one channel. `bias` is not included.
struct ChannelBounds {
  Norms norms;
  Interval final;
  Interval prefix;
  unsigned datatype = 1;
  unsigned a2q = 1;
  unsigned a2qPlus = 1;
  unsigned exact = 1;      ///< == prefixWidth
  unsigned centred = 1;    ///< span of the prefix interval
  unsigned finalWidth = 1; ///< enough for wrapping adds
  unsigned zeroPoint = 1;  ///< `exact` for codes shifted to signed; reported only
  unsigned width(Bound bound) const;
};
ChannelBounds boundChannel(const DotProduct &dot, unsigned weightBits);

/// The largest l1 norm that `width` allows (integers; for A2QPlus the bound on
/// l1 of a zero-sum vector, i.e. 2 * floor((2^(P-1)-1) / (2^N - 1))).
Wide l1Budget(Bound bound, unsigned width, Range range);

/// Whether the saturating sum of one adjacent pair, `x0*q0 + x1*q1` as x86
/// `pmaddubsw` computes it (u8 x s8 into s16), is exact (theory section 2).
bool pairIsExact(int64_t q0, Range x0, int64_t q1, Range x1);

} // namespace a2q

#endif // A2Q_MATH_BOUNDS_H
