//===- Sums.cpp - Sums of products, exact or as narrow as asked -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sums.h"

#include <algorithm>

using namespace a2q;
using namespace a2q::reference;

Wide Emulation::lowest() const { return -highest() - 1; }

Wide Emulation::highest() const {
  return (static_cast<Wide>(1) << (width - 1)) - 1;
}

Wide Emulation::hold(Wide sum) const {
  if (overflow == Overflow::Saturate)
    return std::clamp(sum, lowest(), highest());
  using Unsigned = unsigned __int128;
  unsigned unused = 128 - width;
  return static_cast<Wide>(static_cast<Unsigned>(sum) << unused) >> unused;
}

std::optional<Emulation> Emulation::parse(llvm::StringRef text) {
  auto [name, width] = text.split(':');
  Emulation emulation;
  if (name == "saturate")
    emulation.overflow = Overflow::Saturate;
  else if (name != "wrap")
    return std::nullopt;
  if (width.getAsInteger(10, emulation.width) || emulation.width < 1 ||
      emulation.width > 64)
    return std::nullopt;
  return emulation;
}

Wide reference::largestMagnitude(llvm::ArrayRef<Wide> values) {
  Wide largest = 0;
  for (Wide value : values)
    largest = std::max(largest, value < 0 ? -value : value);
  return largest;
}

ChannelSums::ChannelSums(llvm::ArrayRef<Wide> weights, int64_t length,
                         Wide activations, llvm::ArrayRef<Wide> initial,
                         std::optional<Emulation> emulation)
    : weights(weights.begin(), weights.end()),
      initial(initial.begin(), initial.end()), emulation(emulation) {
  if (emulation)
    for (Wide &value : this->initial)
      value = emulation->hold(value);
  Wide largest = length * activations * largestMagnitude(weights) +
                 largestMagnitude(this->initial);
  isNarrow = largest < static_cast<Wide>(1) << 62;
}

/// Adding modulo 2^P commutes with wrapping, so wrapped sums are wrapped once,
/// at the end. Saturated ones depend on the order and are held at every term.
template <typename Sum>
Sum ChannelSums::accumulate(llvm::ArrayRef<int64_t> x, const int64_t *q,
                            Sum sum) const {
  if (!emulation || emulation->overflow == Overflow::Wrap) {
    for (size_t k = 0; k < x.size(); ++k)
      sum += static_cast<Sum>(x[k]) * q[k];
    return emulation ? static_cast<Sum>(emulation->hold(sum)) : sum;
  }
  Sum lowest = emulation->lowest(), highest = emulation->highest();
  for (size_t k = 0; k < x.size(); ++k)
    sum = std::clamp<Sum>(sum + static_cast<Sum>(x[k]) * q[k], lowest, highest);
  return sum;
}

Wide ChannelSums::operator()(llvm::ArrayRef<int64_t> x, int64_t channel) const {
  const int64_t *q = weights.data() + channel * x.size();
  Wide start = initial.empty() ? 0 : initial[channel % initial.size()];
  if (isNarrow)
    return accumulate<int64_t>(x, q, start);
  return accumulate<Wide>(x, q, start);
}
