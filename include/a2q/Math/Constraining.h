//===- Constraining.h - Methods that meet a budget --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// To *constrain* is to change the weights of a channel so that its accumulator
// fits a width. Methods differ in which integers they choose, not in what they
// promise, so they stand in one table by name. A method sees one channel; who
// calls it proves the result again from the integers.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_CONSTRAINING_H
#define A2Q_MATH_CONSTRAINING_H

#include "a2q/Math/Bounds.h"

namespace a2q {

/// One channel as a method takes it.
struct ChannelConstraint {
  /// Weights in units of their scale: codes, where they are integers already.
  std::span<const double> weights;
  /// Bits of the accumulator that has to hold all K products from start 0.
  unsigned width = 0;
  /// Activation codes, joined over the channel's terms.
  Range range;
  /// Bits of a weight; results stay in narrow range (4 bits are [-7, 7]).
  unsigned weightBits = 0;
};

struct ConstraintMethod {
  /// As `method=` spells it.
  std::string_view name;
  /// The bound whose budget it meets.
  Bound bound;
  std::vector<int64_t> (*constrain)(const ChannelConstraint &channel);

  /// The smallest width whose budget admits a weight of either sign; below it
  /// the method can only return zeros.
  unsigned smallestWidth(Range range) const;
};

/// All methods, sorted by name.
std::span<const ConstraintMethod> constraintMethods();

/// The method of this name, or null.
const ConstraintMethod *lookupConstraintMethod(std::string_view name);

} // namespace a2q

#endif // A2Q_MATH_CONSTRAINING_H
