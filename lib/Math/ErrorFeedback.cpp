//===- ErrorFeedback.cpp - Integers of a whole layer ----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ErrorFeedback.h"

#include "Exchange.h"
#include "LinearAlgebra.h"
#include "QuadraticForm.h"
#include "SpareBudget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace a2q {

namespace {
/// Columns that are rounded between two matrix products.
constexpr Eigen::Index kBlock = 64;
/// Channels that share a matrix product. Bounds the memory beside the result.
constexpr Eigen::Index kChannels = 128;
/// How often the thresholds are set anew while a channel is rounded.
constexpr Eigen::Index kRefreshes = 16;

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

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// The channel's weights by position.
static void gather(std::span<const double> weights,
                   std::span<const uint32_t> order, double scale, double *to) {
  for (size_t t = 0; t < order.size(); ++t)
    to[t] = weights[order[t]] / scale;
}

static LayerResult follow(const LayerConstraint &layer, const Budget &budget,
                          Moments &moments, Scales scales, bool nearestPlane) {
  LayerResult result;
  int64_t limit = narrowLimit(layer.weightBits);
  QuadraticForm form(moments, layer.damping);
  // Of fewer samples than activations, most of what the factor knows is the
  // damping: then late columns would have to make up for all the early ones.
  nearestPlane &= moments.samples >= static_cast<double>(layer.length);
  if (nearestPlane)
    result.refusal = form.factor();
  if (!result.refusal.empty())
    return result;

  // Start from the best scale for errors that are not fed back.
  std::vector<double> diagonal = form.diagonal();
  std::vector<double> starts(layer.channels(), 1);
  if (scales == Scales::Free)
    for (size_t c = 0; c < layer.channels(); ++c)
      starts[c] =
          searchScale(layer.channel(c), budget, limit, diagonal, layer.tiles)
              .scale;

  std::span<const uint32_t> order = form.order();
  auto length = static_cast<Eigen::Index>(layer.length);
  Follower follower(layer, budget, form);
  result.channels.resize(layer.channels());
  Matrix target;
  for (size_t begin = 0; begin < layer.channels(); begin += kChannels) {
    size_t count = std::min<size_t>(kChannels, layer.channels() - begin);
    target.resize(length, static_cast<Eigen::Index>(count));
    for (size_t i = 0; i < count; ++i)
      gather(layer.channel(begin + i), order, starts[begin + i],
             target.col(static_cast<Eigen::Index>(i)).data());
    follower.round(target);
    for (size_t i = 0; i < count; ++i) {
      std::vector<int64_t> &integers = result.channels[begin + i].integers;
      integers.resize(layer.length);
      for (size_t t = 0; t < order.size(); ++t)
        integers[order[t]] = static_cast<int64_t>(
            target(static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(i)));
      result.channels[begin + i].scale = starts[begin + i];
    }
  }
  form.restoreOrder();
  exchange(layer, budget, form, scales == Scales::Free, result.channels);
  return result;
}

LayerResult gpfq(const LayerConstraint &layer, const Budget &budget,
                 Moments &moments, Scales scales) {
  return follow(layer, budget, moments, scales, /*nearestPlane=*/false);
}

LayerResult optq(const LayerConstraint &layer, const Budget &budget,
                 Moments &moments, Scales scales) {
  return follow(layer, budget, moments, scales, /*nearestPlane=*/true);
}

} // namespace a2q
