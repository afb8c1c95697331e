//===- ActivationRange.cpp - Codes for observed activations ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/ActivationRange.h"

#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>

using Bin = a2q::Histogram::Bin;

namespace a2q {

std::optional<RangeRule> parseRangeRule(std::string_view text) {
  if (text == "min-max")
    return RangeRule{RangeRule::MinMax};
  if (text == "mse")
    return RangeRule{RangeRule::Mse};
  if (text == "kl")
    return RangeRule{RangeRule::Kl};
  constexpr std::string_view prefix = "percentile:";
  if (!text.starts_with(prefix))
    return std::nullopt;
  text.remove_prefix(prefix.size());
  RangeRule rule{RangeRule::Percentile};
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), rule.percentile);
  bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !(rule.percentile > 0 && rule.percentile <= 100))
    return std::nullopt;
  return rule;
}

//===----------------------------------------------------------------------===//
// Squared error
//===----------------------------------------------------------------------===//

/// Sum of squared differences. What values of one bin differ from their mean by
/// is the same for all scales that give them one code, and is left out.
static double squaredError(const std::vector<Bin> &bins, Range codes,
                           double scale) {
  double error = 0;
  for (const Bin &bin : bins) {
    double mean = bin.mean();
    double code =
        std::clamp(std::nearbyint(mean / scale), static_cast<double>(codes.lo),
                   static_cast<double>(codes.hi));
    double difference = code * scale - mean;
    error += static_cast<double>(bin.count) * difference * difference;
  }
  return error;
}

/// The scale of least error between `most` and 1/256 of it: a geometric grid,
/// then twice a finer one around its best. The error is a valley with teeth,
/// where values on a lattice meet codes.
static double leastSquares(const std::vector<Bin> &bins, Range codes,
                           double most) {
  constexpr int stepsPerOctave = 16, octaves = 8, finer = 16;
  double best = most, bestError = squaredError(bins, codes, most);
  auto consider = [&](double scale) {
    double error = squaredError(bins, codes, scale);
    if (error < bestError) {
      best = scale;
      bestError = error;
    }
  };
  for (int step = 1; step <= stepsPerOctave * octaves; ++step)
    consider(most * std::exp2(-double(step) / stepsPerOctave));
  for (double span = 1.0 / stepsPerOctave; span > 1e-3; span /= finer) {
    double centre = best;
    for (int step = -finer; step <= finer; ++step)
      if (double scale = centre * std::exp2(span * step / finer); scale <= most)
        consider(scale);
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Magnitudes
//===----------------------------------------------------------------------===//

/// The magnitude that this share of the values reaches at most, linear inside a
/// bin.
static double quantile(const std::vector<Bin> &magnitudes, double share,
                       uint64_t total) {
  // A product such as .999 * 20000 may be a little more than it should be.
  double wanted = share * static_cast<double>(total) * (1 - 1e-12), seen = 0;
  for (const Bin &bin : magnitudes) {
    auto count = static_cast<double>(bin.count);
    if (seen + count >= wanted)
      return bin.lo + (bin.hi - bin.lo) * (wanted - seen) / count;
    seen += count;
  }
  return magnitudes.back().hi;
}

/// Divergence of what `levels` levels tell of the first bins from the bins with
/// all greater values clipped into the last; infinite where the levels give no
/// chance to what occurs.
static double divergence(std::span<const double> counts, size_t used,
                         size_t levels, double clipped, double total) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (clipped > 0 && counts[used - 1] == 0)
    return infinity;
  double kept = total - clipped, sum = 0;
  if (kept <= 0)
    return infinity;
  for (size_t level = 0; level < levels; ++level) {
    size_t begin = level * used / levels, end = (level + 1) * used / levels;
    double mass = 0;
    size_t filled = 0;
    for (size_t i = begin; i < end; ++i) {
      mass += counts[i];
      filled += counts[i] > 0;
    }
    if (filled == 0)
      continue;
    double told = mass / static_cast<double>(filled) / kept;
    for (size_t i = begin; i < end; ++i) {
      double occurs = counts[i] + (i + 1 == used ? clipped : 0);
      if (occurs > 0)
        sum += occurs / total * std::log(occurs / total / told);
    }
  }
  return sum;
}

/// The threshold of least divergence.
static double leastDivergence(const Histogram &values, size_t levels) {
  double width = values.binWidth();
  std::vector<double> counts(
      static_cast<size_t>(values.maxMagnitude() / width) + 1);
  double total = 0;
  for (const Bin &bin : values.magnitudes()) {
    if (bin.hi == 0)
      continue;
    counts[std::min(counts.size() - 1, static_cast<size_t>(bin.lo / width))] +=
        static_cast<double>(bin.count);
    total += static_cast<double>(bin.count);
  }
  size_t best = counts.size();
  auto filled = static_cast<size_t>(std::count_if(
      counts.begin(), counts.end(), [](double count) { return count > 0; }));
  double clipped = 0, least = std::numeric_limits<double>::infinity();
  for (size_t used = counts.size(); used > 0 && filled >= levels; --used) {
    if (double found = divergence(counts, used, levels, clipped, total);
        found < least) {
      least = found;
      best = used;
    }
    clipped += counts[used - 1];
    filled -= counts[used - 1] > 0;
  }
  return std::min(values.maxMagnitude(), (best + 0.5) * width);
}

//===----------------------------------------------------------------------===//
// The rules
//===----------------------------------------------------------------------===//

/// The scale that gives the largest value and the smallest their codes.
static double coveringScale(const Histogram &values, Range codes) {
  double scale = values.max() / static_cast<double>(codes.hi);
  if (codes.lo < 0)
    scale = std::max(scale, values.min() / static_cast<double>(codes.lo));
  return scale;
}

static double chooseScale(const Histogram &values, Range codes,
                          RangeRule rule) {
  auto hi = static_cast<double>(codes.hi);
  switch (rule.kind) {
  case RangeRule::MinMax:
    break;
  case RangeRule::Percentile: {
    double clip =
        quantile(values.magnitudes(), rule.percentile / 100, values.count());
    // All but a few values are 0: those few are what there is to tell.
    if (clip > 0)
      return std::min(clip / hi, coveringScale(values, codes));
    break;
  }
  case RangeRule::Mse:
    return leastSquares(values.bins(), codes,
                        coveringScale(values, codes) * hi / (hi - 0.5));
  case RangeRule::Kl:
    return leastDivergence(values, static_cast<size_t>(codes.hi) + 1) / hi;
  }
  return coveringScale(values, codes);
}

std::optional<ActivationCodes>
chooseActivationCodes(const Histogram &values, unsigned bits, RangeRule rule) {
  assert(bits >= 1 && bits <= 16);
  ActivationCodes result;
  result.codes = {0, (int64_t(1) << bits) - 1};
  if (values.min() < 0) {
    if (bits == 1)
      return std::nullopt;
    int64_t half = int64_t(1) << (bits - 1);
    result.codes = {-half, half - 1};
  }
  if (values.maxMagnitude() == 0)
    return result;
  double scale = chooseScale(values, result.codes, rule);
  result.scale = static_cast<float>(
      std::clamp(scale, double(std::numeric_limits<float>::min()),
                 double(std::numeric_limits<float>::max())));
  return result;
}

} // namespace a2q
