//===- Saturation.cpp - What pmaddubsw loses ------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Saturation.h"

#include <algorithm>
#include <cassert>
#include <functional>

namespace a2q {

/// What the instruction adds into.
static constexpr Interval sumType{-32768, 32767};

std::vector<TermPair> pairNeighbours(std::span<const int64_t> order,
                                     int64_t run) {
  assert(run >= 1 && "a run has terms");
  std::vector<TermPair> pairs;
  auto length = static_cast<int64_t>(order.size());
  for (int64_t begin = 0; begin < length; begin += run) {
    int64_t end = std::min(begin + run, length);
    for (int64_t i = begin; i < end; i += 2)
      pairs.push_back({order[i], i + 1 < end ? order[i + 1] : -1});
  }
  return pairs;
}

bool areByteOperands(const DotProduct &dot) {
  return std::ranges::all_of(
             dot.ranges,
             [](Range codes) { return codes.lo >= 0 && codes.hi <= 255; }) &&
         std::ranges::all_of(dot.weights, [](int64_t weight) {
           return weight >= -128 && weight <= 127;
         });
}

static Interval term(const DotProduct &dot, int64_t k) {
  return product(dot.weights[k], dot.range(k));
}

Interval pairInterval(const DotProduct &dot, TermPair pair) {
  Interval sum = term(dot, pair.first);
  return pair.second < 0 ? sum : sum + term(dot, pair.second);
}

Wide saturationLoss(Wide sum) {
  return sum - std::clamp(sum, sumType.lo, sumType.hi);
}

SaturationLoss saturate(const DotProduct &dot,
                        std::span<const TermPair> pairs) {
  SaturationLoss result;
  for (TermPair pair : pairs) {
    Interval sum = pairInterval(dot, pair);
    if (sumType.contains(sum))
      continue;
    if (result.pairs++ == 0)
      result.first = pair;
    result.loss =
        result.loss + Interval{saturationLoss(sum.lo), saturationLoss(sum.hi)};
  }
  return result;
}

Interval anyPairInterval(const DotProduct &dot) {
  // The two largest upper ends and the two smallest lower ones, in that order.
  std::vector<Interval> terms;
  for (size_t k = 0; k < dot.length(); ++k)
    terms.push_back(term(dot, static_cast<int64_t>(k)));
  if (terms.empty())
    return {};
  size_t two = std::min<size_t>(terms.size(), 2);
  Interval single = terms.front(), pair;
  for (Interval value : terms)
    single = join(single, value);
  std::ranges::partial_sort(terms, terms.begin() + two, std::greater(),
                            &Interval::hi);
  for (size_t k = 0; k < two; ++k)
    pair.hi += terms[k].hi;
  std::ranges::partial_sort(terms, terms.begin() + two, std::less(),
                            &Interval::lo);
  for (size_t k = 0; k < two; ++k)
    pair.lo += terms[k].lo;
  return join(single, pair);
}

Wide saturatingSum(std::span<const int64_t> weights,
                   std::span<const int64_t> inputs,
                   std::span<const TermPair> pairs) {
  Wide sum = 0;
  for (TermPair pair : pairs) {
    Wide value = static_cast<Wide>(weights[pair.first]) * inputs[pair.first];
    if (pair.second >= 0)
      value += static_cast<Wide>(weights[pair.second]) * inputs[pair.second];
    sum += value - saturationLoss(value);
  }
  return sum;
}

} // namespace a2q
