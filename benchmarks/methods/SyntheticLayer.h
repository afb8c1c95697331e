//===- SyntheticLayer.h - A layer drawn at random ---------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What methods are compared on where no network is in the way: weights of a
// Laplace distribution, as trained ones are, and activations after a ReLU.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_BENCHMARKS_METHODS_SYNTHETICLAYER_H
#define A2Q_BENCHMARKS_METHODS_SYNTHETICLAYER_H

#include "a2q/Math/Constraining.h"
#include "a2q/Math/Moments.h"

namespace a2q::benchmark {

struct LayerShape {
  size_t length = 576; ///< K
  size_t channels = 64;
  unsigned weightBits = 4;
  unsigned activationBits = 4;
  /// Of neighbouring activations before the ReLU; 0 for independent ones.
  double correlation = 0;
};

/// How the weights' unit is chosen, per channel.
enum class Unit {
  Largest,      ///< the largest weight is the largest integer
  LeastSquares, ///< rounding loses least, clipping included
};

/// How far integers are from the weights.
struct LayerErrors {
  /// |w - q|^2 / |w|^2 over all channels.
  double weights = 0;
  /// E (y - y_q)^2 / E y^2 on the calibration activations.
  double calibration = 0;
  /// The same on others, that no method saw.
  double heldOut = 0;
  /// Var (y - y_q) / Var y there: what is left of it when the bias restores
  /// each channel's mean.
  double corrected = 0;
  /// Share of weights that are 0.
  double zeros = 0;
};

class SyntheticLayer {
public:
  /// Draws weights and activations, `samples` vectors of them for calibration;
  /// the same for the same arguments.
  SyntheticLayer(LayerShape shape, Unit unit, size_t samples);

  /// The layer that a method takes, in units of the scales.
  LayerConstraint constraint(unsigned width, Bound bound) const;
  Moments &getMoments() { return moments; }

  LayerErrors errors(std::span<const ScaledIntegers> channels) const;

private:
  /// Of rows of weights, or of what is lost of them.
  struct Energies {
    double weights = 0, calibration = 0, heldOut = 0, centred = 0;
    void add(std::span<const double> rows, const SyntheticLayer &layer);
  };

  std::vector<float> drawCodes(size_t samples, uint64_t seed) const;

  LayerShape shape;
  std::vector<double> weights; ///< in units of the channel's scale
  std::vector<double> units;   ///< the scales
  std::vector<float> heldOut;  ///< [K][vectors]
  Moments moments;
  Energies whole;
};

} // namespace a2q::benchmark

#endif // A2Q_BENCHMARKS_METHODS_SYNTHETICLAYER_H
