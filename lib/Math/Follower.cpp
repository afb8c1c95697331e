//===- Follower.cpp - Round columns and feed errors back ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Follower.h"

#include <algorithm>
#include <cmath>

namespace a2q {

namespace {
/// Columns that are rounded between two matrix products.
constexpr Eigen::Index kBlock = 64;
/// How often the thresholds are set anew while a channel is rounded.
constexpr Eigen::Index kRefreshes = 16;
} // namespace

Follower::Follower(const LayerConstraint &layer, const Budget &budget,
                   QuadraticForm &form)
    : form(form), budget(budget),
      limit(static_cast<double>(narrowLimit(layer.weightBits))),
      tiles(std::max<size_t>(layer.tiles.size(), 1)),
      tileOf(form.tilesByPosition(layer.tiles)), tileValues(tiles),
      tileInverses(tiles) {}

/// Sets the thresholds of the columns before `end` as if nothing were fed back
/// to them any more: the nearest integers under what is left of the budget.
void Follower::refresh(Eigen::Index end, Eigen::Index channel,
                       const double *target) {
  auto set = [&](size_t tile, std::span<const double> values,
                 std::span<const double> inverses) {
    size_t index = static_cast<size_t>(channel) * tiles + tile;
    thresholds[index] =
        spare[index].thresholds(values, inverses, limit, thresholds[index]);
  };
  Eigen::Index first = form.firstAlive();
  if (end <= first)
    return;
  std::span<const double> inverses(&form.inverseWeights()[first],
                                   static_cast<size_t>(end - first));
  if (tiles == 1)
    return set(0, {target + first, inverses.size()}, inverses);
  for (size_t tile = 0; tile < tiles; ++tile) {
    tileValues[tile].clear();
    tileInverses[tile].clear();
  }
  for (size_t t = 0; t < inverses.size(); ++t) {
    size_t tile = tileOf[static_cast<size_t>(first) + t];
    tileValues[tile].push_back(target[static_cast<size_t>(first) + t]);
    tileInverses[tile].push_back(inverses[t]);
  }
  for (size_t tile = 0; tile < tiles; ++tile)
    set(tile, tileValues[tile], tileInverses[tile]);
}

void Follower::roundChannel(Eigen::Index begin, Eigen::Index end,
                            Eigen::Index channel, const double *exact,
                            double *target, double *errors) {
  SpareBudget *left = &spare[static_cast<size_t>(channel) * tiles];
  const Thresholds *theta = &thresholds[static_cast<size_t>(channel) * tiles];
  for (Eigen::Index t = end - 1; t >= begin; --t) {
    size_t tile = tileOf[t];
    double value = target[t];
    double shrunk = theta[tile].shrink(value, form.inverseWeights()[t]);
    double q = left[tile].spend(std::clamp(std::rint(shrunk), -limit, limit));
    double error = exact[t] - q;
    target[t] = q;
    // What the columns before it are to make up for.
    const double *row = &local(t - begin, 0);
    errors[t - begin] = error;
    for (Eigen::Index s = begin; s < t; ++s)
      target[s] += error * row[s - begin];
  }
}

void Follower::roundBlock(Eigen::Index begin, Eigen::Index end,
                          Eigen::Ref<Matrix> target) {
  form.copyFeedback(begin, end, local);
  errors.resize(end - begin, target.cols());
  for (Eigen::Index channel = 0; channel < target.cols(); ++channel)
    roundChannel(begin, end, channel, exact.col(channel).data(),
                 target.col(channel).data(), errors.col(channel).data());
  if (begin > 0)
    form.feedBack(begin, end, errors, target.topRows(begin));
}

void Follower::round(Eigen::Ref<Matrix> target) {
  exact = target;
  auto channels = static_cast<size_t>(target.cols());
  spare.assign(channels * tiles, SpareBudget(budget));
  thresholds.assign(channels * tiles, {});
  Eigen::Index length = target.rows();
  Eigen::Index interval =
      std::max(kBlock, (length / kRefreshes + kBlock - 1) / kBlock * kBlock);
  for (Eigen::Index end = length; end > 0; end -= std::min(end, kBlock)) {
    if ((length - end) % interval == 0)
      for (Eigen::Index channel = 0; channel < target.cols(); ++channel)
        refresh(end, channel, target.col(channel).data());
    roundBlock(std::max<Eigen::Index>(end - kBlock, 0), end, target);
  }
}

} // namespace a2q
