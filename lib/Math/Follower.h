//===- Follower.h - Round columns and feed errors back -----------*- C++ -*===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_MATH_FOLLOWER_H
#define A2Q_LIB_MATH_FOLLOWER_H

#include "QuadraticForm.h"
#include "SpareBudget.h"
#include "a2q/Math/ErrorFeedback.h"

namespace a2q {

/// Rounds the channels of a layer column by column, last column first.
class Follower {
public:
  Follower(const LayerConstraint &layer, const Budget &budget,
           QuadraticForm &form);
  /// `target` holds a channel per column, in units of its scale, and gets the
  /// integers.
  void round(Eigen::Ref<Matrix> target);

private:
  void roundBlock(Eigen::Index begin, Eigen::Index end,
                  Eigen::Ref<Matrix> target);
  void roundChannel(Eigen::Index begin, Eigen::Index end, Eigen::Index channel,
                    const double *exact, double *target, double *errors);
  void refresh(Eigen::Index end, Eigen::Index channel, const double *target);

  const QuadraticForm &form;
  const Budget &budget;
  double limit;
  size_t tiles;
  std::vector<uint32_t> tileOf;   ///< by position
  std::vector<SpareBudget> spare; ///< by channel and tile
  std::vector<Thresholds> thresholds;
  Matrix exact;
  Matrix errors;           ///< of the block, channel by column
  RowMatrix<double> local; ///< the factor within the block
  std::vector<std::vector<double>> tileValues, tileInverses; ///< scratch
};

} // namespace a2q

#endif // A2Q_LIB_MATH_FOLLOWER_H
