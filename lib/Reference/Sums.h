//===- Sums.h - Sums of products, exact or as narrow as asked ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_REFERENCE_SUMS_H
#define A2Q_LIB_REFERENCE_SUMS_H

#include "a2q/Reference/Emulation.h"

namespace a2q::reference {

/// The channels of a layer: `initial + sum_k x_k q_k` for activations `x` that
/// change from call to call and weights `q` that do not. Terms are added in
/// ascending k, and after each of them the emulated accumulator holds the sum.
class ChannelSums {
public:
  /// Row-major weights [channels][length]; codes and products fit 64 bits, as
  /// those of quantized types do. `activations` bounds |x_k|. `initial` is
  /// empty or has a value for each channel, repeated for further ones (those
  /// of the next batch).
  ChannelSums(llvm::ArrayRef<Wide> weights, int64_t length, Wide activations,
              llvm::ArrayRef<Wide> initial, std::optional<Emulation> emulation);

  /// The sum of one channel.
  Wide operator()(llvm::ArrayRef<int64_t> x, int64_t channel) const;

private:
  template <typename Sum>
  Sum accumulate(llvm::ArrayRef<int64_t> x, const int64_t *q,
                 Sum initial) const;

  std::vector<int64_t> weights;
  std::vector<Wide> initial;
  std::optional<Emulation> emulation;
  /// Whether no partial sum leaves 64 bits.
  bool isNarrow;
};

/// The largest magnitude, 0 of no values.
Wide largestMagnitude(llvm::ArrayRef<Wide> values);

} // namespace a2q::reference

#endif // A2Q_LIB_REFERENCE_SUMS_H
