//===- Constraining.cpp - Methods that meet a budget ----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Constraining.h"

#include "a2q/Math/Projection.h"

namespace a2q {

static std::vector<int64_t> a2qPlus(const ChannelConstraint &channel) {
  return projectA2QPlus(channel.weights, channel.width, channel.range,
                        channel.weightBits);
}

// Sorted by name.
static constexpr ConstraintMethod kMethods[] = {
    {"a2q-plus", Bound::A2QPlus, a2qPlus},
};

std::span<const ConstraintMethod> constraintMethods() { return kMethods; }

const ConstraintMethod *lookupConstraintMethod(std::string_view name) {
  for (const ConstraintMethod &method : kMethods)
    if (method.name == name)
      return &method;
  return nullptr;
}

unsigned ConstraintMethod::smallestWidth(Range range) const {
  // The A2Q+ budget is the norm of a zero-sum vector: one unit of each sign.
  Wide needed = bound == Bound::A2QPlus ? 2 : 1;
  unsigned width = 1;
  while (l1Budget(bound, width, range) < needed)
    ++width;
  return width;
}

} // namespace a2q
