//===- Normalization.h - Layers of normalized codes -------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Normalizations as programs compute them, for tests of what is proven of them.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_UNITTESTS_MATH_NORMALIZATION_H
#define A2Q_UNITTESTS_MATH_NORMALIZATION_H

#include "a2q/Math/InputFacts.h"

#include <cmath>
#include <random>

namespace a2q {

inline constexpr Range s8 = {-128, 127};

/// The codes of a normalization: float32 as a program computes it, two-pass.
struct Normalization {
  std::vector<float> gains, offsets;
  float scale = 1;
  int64_t zeroPoint = 0;
  Range codes = s8;
  bool subtractsMean = true;

  size_t length() const { return gains.size(); }
  Range lessZero() const {
    return {codes.lo - zeroPoint, codes.hi - zeroPoint};
  }

  std::vector<int64_t> run(std::span<const float> values) const {
    float mean = 0, squares = 0;
    if (subtractsMean) {
      for (float value : values)
        mean += value;
      mean /= static_cast<float>(values.size());
    }
    for (float value : values)
      squares += (value - mean) * (value - mean);
    float variance = squares / static_cast<float>(values.size());
    float factor = 1 / std::sqrt(variance + 1e-12f);
    std::vector<int64_t> result;
    for (size_t k = 0; k < values.size(); ++k) {
      float value = (values[k] - mean) * factor * gains[k] + offsets[k];
      result.push_back(quantize(value, scale, zeroPoint, codes) - zeroPoint);
    }
    return result;
  }

  InputFact fact() const {
    Ball ball = normalizedBall(length(), 1.0 / static_cast<double>(length()));
    std::vector<double> factors(gains.begin(), gains.end());
    std::vector<double> summands(offsets.begin(), offsets.end());
    ball = shifted(scaled(std::move(ball), factors), summands);
    double scales[] = {scale};
    return {quantized(std::move(ball), scales, zeroPoint, codes,
                      Rounding::HalfEven),
            std::nullopt};
  }
};

inline Wide dot(std::span<const int64_t> weights,
                std::span<const int64_t> codes) {
  Wide sum = 0;
  for (size_t k = 0; k < weights.size(); ++k)
    sum += static_cast<Wide>(weights[k]) * codes[k];
  return sum;
}

inline std::vector<float> normals(std::mt19937 &random, size_t count,
                                  float mean, float deviation) {
  std::normal_distribution<float> distribution(mean, deviation);
  std::vector<float> values(count);
  for (float &value : values)
    value = distribution(random);
  return values;
}

inline std::vector<int64_t> weightsWithin(std::mt19937 &random, size_t count,
                                          int64_t most) {
  std::uniform_int_distribution<int64_t> distribution(-most, most);
  std::vector<int64_t> weights(count);
  for (int64_t &weight : weights)
    weight = distribution(random);
  return weights;
}

/// A layer with gains, offsets and a scale as they occur, some codes clipped.
inline Normalization randomLayer(std::mt19937 &random, size_t length) {
  std::uniform_real_distribution<float> deviations(2, 12);
  Normalization layer;
  layer.gains = normals(random, length, 1, 0.3f);
  layer.offsets = normals(random, length, 0, 0.4f);
  layer.scale = 1 / deviations(random);
  layer.zeroPoint = std::uniform_int_distribution<int64_t>(-20, 20)(random);
  layer.subtractsMean = random() % 2 == 0;
  return layer;
}

/// Inputs of many kinds, and those that push the sum to either end.
inline std::vector<float> randomValues(std::mt19937 &random,
                                       const Normalization &layer,
                                       std::span<const int64_t> weights) {
  std::vector<float> values = normals(random, layer.length(), 0.5f, 3);
  switch (random() % 4) {
  case 0:
    break;
  case 1:
    values[random() % values.size()] = 1000;
    break;
  default: {
    float sign = random() % 2 == 0 ? 1 : -1;
    for (size_t k = 0; k < values.size(); ++k)
      values[k] = 0.3f * values[k] +
                  sign * static_cast<float>(weights[k]) * layer.gains[k];
  }
  }
  return values;
}

} // namespace a2q

#endif // A2Q_UNITTESTS_MATH_NORMALIZATION_H
