//===- Constraining.cpp - Methods that meet a budget ----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Constraining.h"

#include "a2q/Math/IntegerProjection.h"
#include "a2q/Math/Truncation.h"

#include <algorithm>
#include <cmath>

namespace a2q {

static int64_t limitOf(const ChannelConstraint &channel) {
  return narrowLimit(channel.weightBits);
}

static ScaledIntegers a2qInit(const ChannelConstraint &channel,
                              const Budget &budget) {
  return {1, constrainA2Q(channel.weights, budget, limitOf(channel),
                          channel.tiles)};
}

static ScaledIntegers a2qPlus(const ChannelConstraint &channel,
                              const Budget &budget) {
  return {1, constrainA2QPlus(channel.weights, budget, limitOf(channel),
                              channel.tiles)};
}

static ScaledIntegers epInit(const ChannelConstraint &channel,
                             const Budget &budget) {
  return {1, constrainEPInit(channel.weights, budget, limitOf(channel),
                             channel.tiles)};
}

static ScaledIntegers optimal(const ChannelConstraint &channel,
                              const Budget &budget) {
  return searchScale(channel.weights, budget, limitOf(channel), channel.moments,
                     channel.tiles);
}

static ScaledIntegers optimalFixedScale(const ChannelConstraint &channel,
                                        const Budget &budget) {
  return {1, nearestIntegers(channel.weights, budget, limitOf(channel),
                             countedMoments(channel.weights, channel.moments),
                             channel.tiles)};
}

static ScaledIntegers project(const ChannelConstraint &channel,
                              const Budget &budget) {
  return {1, projectedIntegers(channel.weights, budget, limitOf(channel),
                               channel.tiles)};
}

static ScaledIntegers topB(const ChannelConstraint &channel,
                           const Budget &budget) {
  if (limitOf(channel) == 0)
    return {1, std::vector<int64_t>(channel.weights.size(), 0)};
  return largestAsOnes(channel.weights, budget, channel.moments, channel.tiles);
}

template <auto method, Scales scales>
static LayerResult feedBack(const LayerConstraint &layer, const Budget &budget,
                            Moments &moments) {
  return method(layer, budget, moments, scales);
}

static constexpr Bound kOneNorm[] = {Bound::A2Q, Bound::Centred};
static constexpr Bound kHalves[] = {Bound::A2QPlus};
static constexpr Bound kAny[] = {Bound::Centred, Bound::Exact, Bound::A2Q,
                                 Bound::A2QPlus};

// Sorted by name.
static constexpr ConstraintMethod kMethods[] = {
    {"a2q", kOneNorm, false, "", a2qInit},
    {"a2q-plus", kHalves, false, "", a2qPlus},
    {"ep-init", kOneNorm, false, "", epInit},
    {"gpfq", kAny, true, "gpfq-fixed-scale", nullptr,
     feedBack<gpfq, Scales::Free>},
    {"gpfq-fixed-scale", kAny, false, "", nullptr,
     feedBack<gpfq, Scales::Fixed>},
    {"optimal", kAny, true, "optimal-fixed-scale", optimal},
    {"optimal-fixed-scale", kAny, false, "", optimalFixedScale},
    {"optq", kAny, true, "optq-fixed-scale", nullptr,
     feedBack<optq, Scales::Free>},
    {"optq-fixed-scale", kAny, false, "", nullptr,
     feedBack<optq, Scales::Fixed>},
    {"project", kAny, false, "", project},
    {"top-b", kAny, true, "", topB},
};

std::span<const ConstraintMethod> constraintMethods() { return kMethods; }

const ConstraintMethod *lookupConstraintMethod(std::string_view name) {
  for (const ConstraintMethod &method : kMethods)
    if (method.name == name)
      return &method;
  return nullptr;
}

bool ConstraintMethod::allows(Bound bound) const {
  return std::find(bounds.begin(), bounds.end(), bound) != bounds.end();
}

static std::string tileRefusal(size_t length, TileEnds tiles) {
  size_t begin = 0;
  for (uint32_t end : tiles) {
    if (end <= begin || end > length)
      return "a tile of " + std::to_string(length) + " terms cannot be [" +
             std::to_string(begin) + ", " + std::to_string(end) + ")";
    begin = end;
  }
  if (!tiles.empty() && begin != length)
    return "tiles cover " + std::to_string(begin) + " of " +
           std::to_string(length) + " terms";
  return {};
}

static std::string momentRefusal(size_t length,
                                 std::span<const double> moments) {
  if (moments.empty())
    return {};
  if (moments.size() != length)
    return std::to_string(moments.size()) + " moments for " +
           std::to_string(length) + " weights";
  for (size_t i = 0; i < length; ++i)
    if (!std::isfinite(moments[i]) || moments[i] < 0)
      return "moment " + std::to_string(i) + " is " +
             std::to_string(moments[i]) + ", expected a number of at least 0";
  return {};
}

std::string ConstraintMethod::refusal(const ChannelConstraint &channel) const {
  if (needsMoments())
    return "method '" + std::string(name) + "' needs a whole layer";
  return channelRefusal(channel);
}

std::string
ConstraintMethod::channelRefusal(const ChannelConstraint &channel) const {
  std::span<const double> weights = channel.weights;
  if (size_t i = firstNonFinite(weights); i != weights.size())
    return "weight " + std::to_string(i) + " is " + std::to_string(weights[i]) +
           ", expected a finite number";
  if (channel.width < 1 || channel.width > 126)
    return "an accumulator has from 1 to 126 bits, found " +
           std::to_string(channel.width);
  if (channel.weightBits < 1 || channel.weightBits > 32)
    return "weights have from 1 to 32 bits, found " +
           std::to_string(channel.weightBits);
  if (channel.bound && !allows(*channel.bound))
    return "method '" + std::string(name) + "' has no bound '" +
           std::string(toString(*channel.bound)) + "'";
  if (std::string tiles = tileRefusal(weights.size(), channel.tiles);
      !tiles.empty())
    return tiles;
  return momentRefusal(weights.size(), channel.moments);
}

/// A channel of a layer as channel by channel methods take it.
static ChannelConstraint channelOf(const LayerConstraint &layer, size_t index) {
  return {layer.channel(index), layer.width, layer.range,   layer.weightBits,
          layer.bound,          layer.tiles, layer.diagonal};
}

LayerResult ConstraintMethod::constrainLayer(const LayerConstraint &layer,
                                             Moments *moments) const {
  LayerResult result;
  if (layer.length == 0 || layer.weights.size() % layer.length != 0) {
    result.refusal = std::to_string(layer.weights.size()) +
                     " weights are no channels of " +
                     std::to_string(layer.length);
    return result;
  }
  if (needsMoments() && !moments)
    result.refusal = "method '" + std::string(name) + "' needs moments";
  else if (moments)
    result.refusal = moments->refusal(static_cast<int64_t>(layer.length));
  for (size_t c = 0; c < layer.channels() && result.refusal.empty(); ++c)
    if (std::string text = channelRefusal(channelOf(layer, c)); !text.empty())
      result.refusal = "channel " + std::to_string(c) + ": " + text;
  if (!result.refusal.empty())
    return result;

  Budget budget =
      budgetOf(layer.bound.value_or(bounds.front()), layer.width, layer.range);
  if (chooseLayer)
    return chooseLayer(layer, budget, *moments);
  LayerConstraint weighted = layer;
  std::vector<double> diagonal;
  if (moments && layer.diagonal.empty()) {
    diagonal = moments->diagonal();
    weighted.diagonal = diagonal;
  }
  for (size_t c = 0; c < layer.channels(); ++c)
    result.channels.push_back(choose(channelOf(weighted, c), budget));
  return result;
}

ScaledIntegers
ConstraintMethod::constrain(const ChannelConstraint &channel) const {
  if (!refusal(channel).empty())
    return {1, std::vector<int64_t>(channel.weights.size(), 0)};
  Bound bound = channel.bound.value_or(bounds.front());
  return choose(channel, budgetOf(bound, channel.width, channel.range));
}

unsigned ConstraintMethod::smallestWidth(Range range,
                                         std::optional<Bound> bound) const {
  return a2q::smallestWidth(bound.value_or(bounds.front()), range);
}

unsigned ConstraintMethod::smallestWidth(Range range,
                                         std::optional<Bound> bound,
                                         Norms norms) const {
  return a2q::smallestWidth(bound.value_or(bounds.front()), range, norms);
}

} // namespace a2q
