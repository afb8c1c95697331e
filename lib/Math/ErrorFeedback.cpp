//===- ErrorFeedback.cpp - Integers of a whole layer ----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ErrorFeedback.h"

#include "Exchange.h"
#include "Follower.h"
#include "a2q/Math/IntegerProjection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace a2q {

/// Channels that share a matrix product. Bounds the memory beside the result.
static constexpr Eigen::Index kChannels = 128;

/// The channel's weights by position.
static void gather(std::span<const double> weights,
                   std::span<const uint32_t> order, double scale, double *to) {
  for (size_t t = 0; t < order.size(); ++t)
    to[t] = weights[order[t]] / scale;
}

/// Channels all of whose weights are on activations that are always 0: no sum
/// tells one choice from another, so they take what is nearest.
static void chooseUnseen(const LayerConstraint &layer, const Budget &budget,
                         std::span<const double> diagonal, Scales scales,
                         std::vector<ScaledIntegers> &channels) {
  int64_t limit = narrowLimit(layer.weightBits);
  for (size_t c = 0; c < layer.channels(); ++c) {
    std::span<const double> u = layer.channel(c);
    if (!countedMoments(u, diagonal).empty())
      continue;
    if (scales == Scales::Free)
      channels[c] = searchScale(u, budget, limit, {}, layer.tiles);
    else
      channels[c] = {1, nearestIntegers(u, budget, limit, {}, layer.tiles)};
  }
}

double dampingOf(const LayerConstraint &layer, const Moments &moments) {
  return moments.haveEnoughSamples()
             ? layer.damping
             : std::max(layer.damping, kFewSamplesDamping);
}

static LayerResult follow(const LayerConstraint &layer, const Budget &budget,
                          Moments &moments, Scales scales, bool nearestPlane) {
  LayerResult result;
  int64_t limit = narrowLimit(layer.weightBits);
  QuadraticForm form(moments, dampingOf(layer, moments));
  bool anyAlive = form.firstAlive() < static_cast<Eigen::Index>(layer.length);
  if (nearestPlane && anyAlive)
    result.refusal = form.factor();
  if (!result.refusal.empty())
    return result;

  // Start from the best scale for errors that are not fed back.
  std::vector<double> diagonal = form.diagonal();
  std::vector<double> starts(layer.channels(), 1);
  if (scales == Scales::Free)
    for (size_t c = 0; c < layer.channels(); ++c)
      starts[c] =
          roughScale(layer.channel(c), budget, limit, diagonal, layer.tiles);

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
  chooseUnseen(layer, budget, diagonal, scales, result.channels);
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
