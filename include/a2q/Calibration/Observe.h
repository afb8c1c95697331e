//===- Observe.h - Values inside a network, on calibration data -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CALIBRATION_OBSERVE_H
#define A2Q_CALIBRATION_OBSERVE_H

#include "a2q/Calibration/Slice.h"
#include "a2q/Math/Correction.h"
#include "a2q/Math/Histogram.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace a2q {

/// One array per argument of the entry, `runs` times as long as the argument,
/// of the signature's element type.
struct CalibrationData {
  int64_t runs = 0;
  llvm::SmallVector<const char *> arrays;
};

/// A value of one run: which of the values asked for, what it is, its elements.
using Observer = llvm::function_ref<mlir::LogicalResult(
    size_t index, const TensorSpec &spec, const void *elements)>;

/// Runs the network on all data and shows each run's values. Compiles once,
/// keeps the values of one run at a time, and changes nothing. Failure with a
/// diagnostic, or the observer's.
mlir::LogicalResult observe(mlir::func::FuncOp entry,
                            llvm::ArrayRef<mlir::Value> values,
                            const CalibrationData &data, Observer observer);

/// Mean and variance per channel, the last dimension of what is observed.
class ChannelStatistics {
public:
  template <typename T> void add(llvm::ArrayRef<T> elements, int64_t channels);

  /// Of `scale * (x - offset)`, both per channel.
  std::vector<SumStatistics> get(llvm::ArrayRef<double> offsets,
                                 llvm::ArrayRef<double> scales) const;

private:
  int64_t count = 0;
  /// The first value of each channel, and sums of what the others differ by:
  /// squares of differences do not cancel.
  std::vector<double> pivots, sums, squares;
};

template <typename T>
void ChannelStatistics::add(llvm::ArrayRef<T> elements, int64_t channels) {
  if (pivots.empty()) {
    pivots.assign(elements.begin(), elements.begin() + channels);
    sums.resize(channels);
    squares.resize(channels);
  }
  for (size_t at = 0; at < elements.size(); at += channels)
    for (int64_t channel = 0; channel < channels; ++channel) {
      double difference =
          static_cast<double>(elements[at + channel]) - pivots[channel];
      sums[channel] += difference;
      squares[channel] += difference * difference;
    }
  count += static_cast<int64_t>(elements.size()) / channels;
}

} // namespace a2q

#endif // A2Q_CALIBRATION_OBSERVE_H
