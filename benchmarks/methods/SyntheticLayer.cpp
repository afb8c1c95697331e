//===- SyntheticLayer.cpp - A layer drawn at random -----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SyntheticLayer.h"

#include "a2q/Math/Correction.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace a2q;
using namespace a2q::benchmark;

/// Codes end at this many standard deviations before the ReLU.
static constexpr double kClip = 3;

/// Enough for three digits of an error.
static constexpr size_t kHeldOut = 1024;

/// Beyond any channel: a budget that asks nothing.
static constexpr unsigned kUnconstrained = 64;

static std::vector<double> drawWeights(const LayerShape &shape) {
  std::mt19937_64 random(1);
  std::exponential_distribution<double> magnitude;
  std::vector<double> weights(shape.channels * shape.length);
  for (double &weight : weights)
    weight = magnitude(random) * (random() % 2 ? 1 : -1);
  return weights;
}

static Range codesOf(const LayerShape &shape) {
  return {0, (int64_t(1) << shape.activationBits) - 1};
}

static double unitOf(std::span<const double> weights, const LayerShape &shape,
                     Unit unit) {
  int64_t limit = narrowLimit(shape.weightBits);
  double largest = 0;
  for (double weight : weights)
    largest = std::max(largest, std::abs(weight));
  double scale = largest / static_cast<double>(limit);
  if (unit == Unit::Largest)
    return scale;
  std::vector<double> scaled(weights.begin(), weights.end());
  for (double &weight : scaled)
    weight /= scale;
  Budget budget = budgetOf(Bound::Centred, kUnconstrained, codesOf(shape));
  return scale * searchScale(scaled, budget, limit).scale;
}

SyntheticLayer::SyntheticLayer(LayerShape shape, Unit unit, size_t samples)
    : shape(shape), weights(drawWeights(shape)) {
  for (size_t c = 0; c < shape.channels; ++c) {
    std::span<double> row(weights.data() + c * shape.length, shape.length);
    units.push_back(unitOf(row, shape, unit));
    for (double &weight : row)
      weight /= units.back();
  }
  MomentAccumulator accumulator(static_cast<int64_t>(shape.length));
  (void)accumulator.add(drawCodes(samples, 2));
  moments = accumulator.take();
  std::vector<float> vectors = drawCodes(kHeldOut, 3);
  heldOut.resize(vectors.size());
  for (size_t n = 0; n < kHeldOut; ++n)
    for (size_t k = 0; k < shape.length; ++k)
      heldOut[k * kHeldOut + n] = vectors[n * shape.length + k];
  std::vector<double> rows(weights);
  for (size_t i = 0; i < rows.size(); ++i)
    rows[i] *= units[i / shape.length];
  whole.add(rows, *this);
}

/// A first-order autoregressive sequence along the terms, cut off at 0 and at
/// the clip.
std::vector<float> SyntheticLayer::drawCodes(size_t samples,
                                             uint64_t seed) const {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  double old = shape.correlation, fresh = std::sqrt(1 - old * old);
  double largest = static_cast<double>(codesOf(shape).hi);
  std::vector<float> codes(samples * shape.length);
  double z = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    z = i % shape.length ? old * z + fresh * normal(random) : normal(random);
    codes[i] = static_cast<float>(
        std::rint(std::clamp(z / kClip, 0.0, 1.0) * largest));
  }
  return codes;
}

LayerConstraint SyntheticLayer::constraint(unsigned width, Bound bound) const {
  LayerConstraint layer;
  layer.weights = weights;
  layer.length = shape.length;
  layer.width = width;
  layer.range = codesOf(shape);
  layer.weightBits = shape.weightBits;
  layer.bound = bound;
  return layer;
}

/// Rows of y += w_k x_k for the vectors x, terms first. Contiguous.
static std::vector<double> outputs(std::span<const double> row,
                                   const std::vector<float> &x,
                                   size_t samples) {
  std::vector<double> y(samples);
  for (size_t k = 0; k < row.size(); ++k)
    if (row[k] != 0)
      for (size_t n = 0; n < samples; ++n)
        y[n] += row[k] * static_cast<double>(x[k * samples + n]);
  return y;
}

static double squares(std::span<const double> row) {
  double sum = 0;
  for (double value : row)
    sum += value * value;
  return sum;
}

static double variance(std::span<const double> row) {
  double sum = 0;
  for (double value : row)
    sum += value;
  double count = static_cast<double>(row.size());
  return squares(row) / count - (sum / count) * (sum / count);
}

void SyntheticLayer::Energies::add(std::span<const double> rows,
                                   const SyntheticLayer &layer) {
  for (const SumStatistics &sum : sumStatistics(rows, layer.moments))
    calibration += sum.variance + sum.mean * sum.mean;
  size_t length = layer.shape.length;
  for (size_t begin = 0; begin < rows.size(); begin += length) {
    std::span<const double> row = rows.subspan(begin, length);
    std::vector<double> y = outputs(row, layer.heldOut, kHeldOut);
    weights += squares(row);
    heldOut += squares(y);
    centred += variance(y);
  }
}

LayerErrors
SyntheticLayer::errors(std::span<const ScaledIntegers> channels) const {
  Energies lost;
  double zeros = 0;
  std::vector<double> differences(weights.size());
  for (size_t c = 0; c < channels.size(); ++c)
    for (size_t k = 0; k < shape.length; ++k) {
      double q = static_cast<double>(channels[c].integers[k]);
      double u = weights[c * shape.length + k];
      differences[c * shape.length + k] =
          (u - channels[c].scale * q) * units[c];
      zeros += q == 0;
    }
  lost.add(differences, *this);
  return {lost.weights / whole.weights, lost.calibration / whole.calibration,
          lost.heldOut / whole.heldOut, lost.centred / whole.centred,
          zeros / static_cast<double>(weights.size())};
}
