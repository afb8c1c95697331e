//===- Correction.cpp - Restore a sum's mean and variance -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Correction.h"

#include "LinearAlgebra.h"

#include <cassert>
#include <cmath>

namespace a2q {

std::vector<SumStatistics> sumStatistics(std::span<const double> weights,
                                         const Moments &moments) {
  auto length = static_cast<Eigen::Index>(moments.length);
  assert(length > 0 && weights.size() % moments.mean.size() == 0);
  auto channels = static_cast<Eigen::Index>(weights.size()) / length;
  Eigen::Map<const Matrix> w(weights.data(), length, channels);
  Eigen::Map<const Matrix> products(moments.products.data(), length, length);
  Eigen::Map<const Eigen::VectorXd> mean(moments.mean.data(), length);
  std::vector<SumStatistics> result(channels);
  constexpr Eigen::Index block = 64; // channels a time: bounds the memory
  Matrix image;
  for (Eigen::Index begin = 0; begin < channels; begin += block) {
    auto some = w.middleCols(begin, std::min(block, channels - begin));
    image.noalias() = products * some;
    for (Eigen::Index i = 0; i < some.cols(); ++i) {
      double first = some.col(i).dot(mean);
      double second = some.col(i).dot(image.col(i));
      double variance = second - first * first;
      // Moments are exact to some 2^-50, and so is their difference.
      bool cancelled = !(variance > 0x1p-40 * second);
      result[begin + i] = {first, cancelled ? 0 : variance};
    }
  }
  return result;
}

Correction restoreStatistics(const SumStatistics &now,
                             const SumStatistics &before) {
  double factor = std::sqrt(before.variance / now.variance);
  if (!(now.variance > 0) || !std::isnormal(factor))
    return restoreMean(now, before);
  return {factor, before.mean - factor * now.mean};
}

Correction restoreMean(const SumStatistics &now, const SumStatistics &before) {
  return {1, before.mean - now.mean};
}

} // namespace a2q
