//===- ActivationRange.h - Codes for observed activations -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From what calibration saw of a tensor to the integers that stand for it:
// `code = clamp(round(x / scale))`, unsigned in [0, 2^N - 1] when nothing
// negative was seen, else signed in [-2^(N-1), 2^(N-1) - 1]. The zero point is
// 0 either way: any other costs every channel of the layer a term.
//
// A rule says where to clip, and so what the scale is:
//
//   min-max        nowhere: the largest magnitude has the largest code
//   percentile:P   above the magnitude that P percent of the values reach at
//                  most
//   mse            where the mean squared difference between values and the
//                  reals that their codes stand for is least, by search over
//                  clips from half a code above the largest value down to 1/256
//                  of it
//   kl             where the distribution of the clipped values loses least
//                  information when it is told by codes only (Kullback-Leibler
//                  divergence), as published for TensorRT (Migacz, "8-bit
//                  inference with TensorRT", 2017): 2^(N-1) levels of magnitude
//                  for signed codes, 2^N for unsigned ones. Zeros have a code
//                  of their own at any scale and are left out. So are clips
//                  that leave fewer filled bins than levels: data on a lattice
//                  would be told perfectly by its first step alone.
//
// Values are known to the width of a bin of the histogram and its mean: that is
// the error of percentile and kl, and of mse for the bins on a boundary between
// two codes.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_ACTIVATIONRANGE_H
#define A2Q_MATH_ACTIVATIONRANGE_H

#include "a2q/Math/Histogram.h"
#include "a2q/Math/Interval.h"

#include <optional>
#include <string_view>

namespace a2q {

struct RangeRule {
  enum Kind { MinMax, Percentile, Mse, Kl } kind = Mse;
  /// Above 0, at most 100; of Percentile only.
  double percentile = 100;

  bool operator==(const RangeRule &) const = default;
};

/// "min-max", "percentile:99.9", "mse", "kl".
std::optional<RangeRule> parseRangeRule(std::string_view text);

struct ActivationCodes {
  Range codes;
  /// A positive and finite float32.
  float scale = 1;

  bool operator==(const ActivationCodes &) const = default;
};

/// The codes of at most `bits` bits for values of this distribution; scale 1
/// where all values are 0. None where negative values were seen and `bits` is
/// 1: codes would have no positive value. `bits` is from 1 to 16.
std::optional<ActivationCodes>
chooseActivationCodes(const Histogram &values, unsigned bits, RangeRule rule);

} // namespace a2q

#endif // A2Q_MATH_ACTIVATIONRANGE_H
