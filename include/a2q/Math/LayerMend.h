//===- LayerMend.h - What was done to a layer -------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_LAYERMEND_H
#define A2Q_MATH_LAYERMEND_H

#include "a2q/Math/Interval.h"

#include <string>
#include <vector>

namespace a2q {

/// What was done to one layer so that no pair of products saturates
/// (Frontend/ONNX/Mend.h).
struct LayerMend {
  std::string name;
  /// In order: "shift", "reorder", "widen", "split", "project", "seven-bits".
  std::vector<std::string> steps;
  /// Why nothing was done; empty else.
  std::string refusal;
  /// Places where codes are translated between s8 and u8, because a shift ends.
  int64_t translations = 0;
  /// Products of one output.
  int64_t termsBefore = 0, termsAfter = 0;
  /// Whether a Gather was added to move channels, and why the layers before
  /// cannot give them out in that order; empty where some come twice.
  bool gathers = false;
  std::string gatherReason;
  /// Weights whose value changed, of all, and by how much: relative error in
  /// the l2 norm, the largest change, and the most by which a sum of codes can
  /// change, both in units of the old scale. A bias in units of a new scale is
  /// rounded to it besides.
  int64_t weightsChanged = 0, weights = 0;
  double relativeError = 0, largestChange = 0;
  Wide sumChange = 0;
  /// Output channels with another scale, and those among them with twice the
  /// old one, whose weights have seven bits.
  int64_t rescaledChannels = 0, sevenBitChannels = 0;

  bool isLossless() const { return weightsChanged == 0; }
};

} // namespace a2q

#endif // A2Q_MATH_LAYERMEND_H
