//===- LayerStatistics.cpp - What calibration says of a layer -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerStatistics.h"

#include "a2q/IR/MomentsAttr.h"
#include "a2q/IR/QuantTypes.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace a2q;

/// The groups of an attribute that has all products.
static std::vector<Moments> splitGroups(MomentsData &&data) {
  std::vector<Moments> groups(data.groups);
  int64_t square = data.length * data.length;
  for (int64_t g = 0; g < data.groups; ++g) {
    groups[g].length = data.length;
    groups[g].samples = static_cast<double>(data.samples);
    auto mean = data.mean.begin() + g * data.length;
    groups[g].mean.assign(mean, mean + data.length);
    auto products = data.products.begin() + g * square;
    groups[g].products.assign(products, products + square);
  }
  return groups;
}

/// Whether products are more than the squares. With K = 1 they are both.
static bool hasAllProducts(const Moments &moments) {
  size_t length = moments.mean.size();
  return moments.products.size() == length * length;
}

static LogicalResult checkMoments(AccumulatingOpInterface op,
                                  std::span<const Moments> moments) {
  if (static_cast<int64_t>(moments.size()) != op.getNumGroups())
    return op.emitError() << "found moments of " << moments.size()
                          << " groups, the op has " << op.getNumGroups();
  for (auto [group, known] : llvm::enumerate(moments))
    if (std::string refusal =
            known.refusal(op.getReductionLength().value_or(-1),
                          /*orSquares=*/true);
        !refusal.empty())
      return op.emitError()
             << "the moments of group " << group << " are wrong: " << refusal;
  return success();
}

static LogicalResult checkSums(AccumulatingOpInterface op,
                               std::span<const SumStatistics> sums) {
  int64_t channels = op.getNumChannels().value_or(-1);
  if (static_cast<int64_t>(sums.size()) != channels)
    return op.emitError() << "found statistics of " << sums.size()
                          << " sums, the op has " << channels << " channels";
  for (auto [channel, sum] : llvm::enumerate(sums))
    if (!std::isfinite(sum.mean) || !std::isfinite(sum.variance) ||
        sum.variance < 0)
      return op.emitError() << "the statistics of the sum of channel "
                            << channel << " are no numbers";
  return success();
}

/// Statistics of real sums in units of the old codes.
static std::vector<SumStatistics> inCodes(AccumulatingOpInterface op,
                                          std::span<const SumStatistics> sums) {
  SmallVector<double> units =
      scales(getQuantizedType(op.getWeights().getType()));
  double input =
      scales(getQuantizedType(op.getActivations().getType())).front();
  std::vector<SumStatistics> result(sums.begin(), sums.end());
  for (auto [channel, sum] : llvm::enumerate(result)) {
    double unit = input * units[units.size() == 1 ? 0 : channel];
    sum = {sum.mean / unit, sum.variance / unit / unit};
  }
  return result;
}

FailureOr<LayerStatistics>
LayerStatistics::of(AccumulatingOpInterface op,
                    const LayerKnowledge &knowledge) {
  LayerStatistics result;
  result.length = op.getReductionLength().value_or(0);
  std::vector<SumStatistics> sums(knowledge.sums.begin(), knowledge.sums.end());
  auto attr = op->getAttrOfType<MomentsAttr>(A2QDialect::getMomentsAttrName());
  if (!knowledge.moments.empty()) {
    if (failed(checkMoments(op, knowledge.moments)))
      return failure();
    if (llvm::all_of(knowledge.moments, hasAllProducts))
      result.groups = knowledge.moments;
    for (const Moments &group : knowledge.moments) {
      result.diagonals.push_back(hasAllProducts(group) ? group.diagonal()
                                                       : group.products);
      result.means.push_back(group.mean);
    }
  } else if (attr) {
    FailureOr<MomentsData> data = readMoments(attr);
    if (failed(data))
      return op.emitError("a2q.moments are absent");
    for (size_t c = 0; sums.size() < data->sumMean.size(); ++c)
      sums.push_back({data->sumMean[c], data->sumVariance[c]});
    for (int64_t g = 0; g < data->groups; ++g) {
      result.diagonals.push_back(data->diagonal(g));
      auto mean = data->mean.begin() + g * data->length;
      result.means.emplace_back(mean, mean + data->length);
    }
    if (data->hasAllProducts()) {
      result.own = splitGroups(std::move(*data));
      result.groups = result.own;
    }
  }
  if (!sums.empty() && failed(checkSums(op, sums)))
    return failure();
  result.sums = inCodes(op, sums);
  return result;
}

std::span<const double> LayerStatistics::diagonal(int64_t group) const {
  if (diagonals.empty())
    return {};
  return diagonals[group];
}

std::vector<SumStatistics>
LayerStatistics::of(std::span<const double> weights) const {
  std::vector<SumStatistics> result;
  size_t block = weights.size() / means.size();
  for (size_t g = 0; g < means.size(); ++g) {
    std::span<const double> some = weights.subspan(g * block, block);
    if (hasMoments()) {
      std::vector<SumStatistics> sums = sumStatistics(some, groups[g]);
      result.insert(result.end(), sums.begin(), sums.end());
      continue;
    }
    for (auto row = some.begin(); row != some.end(); row += length)
      result.push_back(
          {std::inner_product(row, row + length, means[g].begin(), 0.0), 0.0});
  }
  return result;
}

double LayerStatistics::energy(std::span<const SumStatistics> sums) {
  double sum = 0;
  for (const SumStatistics &channel : sums)
    sum += channel.variance + channel.mean * channel.mean;
  return sum;
}
