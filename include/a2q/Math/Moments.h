//===- Moments.h - What calibration keeps of a layer's inputs ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer computes `W x` for one vector x of K activations per output position.
// Of all the vectors that it saw, two sums are enough to tell how far other
// weights are from it on the same data: the mean of x and the mean of x x^T.
// With M = E[x x^T], the mean squared error of weights q in place of w is
// (q - w)^T M (q - w), and the variance of q^T x is q^T (M - mean mean^T) q.
//
// x are differences from the zero point, in units of codes, so that padding
// counts as 0. Codes of up to 16 bits are integers whose sums of products stay
// exact in float64 up to 2^21 vectors.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_MOMENTS_H
#define A2Q_MATH_MOMENTS_H

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace a2q {

/// First and second moments of the vectors that one group of channels reads.
struct Moments {
  /// K.
  int64_t length = 0;
  /// How many vectors they are the mean of.
  double samples = 0;
  /// E[x], K values.
  std::vector<double> mean;
  /// E[x x^T], K rows of K values, symmetric.
  std::vector<double> products;

  double product(size_t i, size_t j) const {
    return products[i * static_cast<size_t>(length) + j];
  }
  /// E[x_k^2].
  std::vector<double> diagonal() const;

  /// Whether there were at least twice as many vectors as activations. Of fewer
  /// the products say much that is chance, and of fewer than activations they
  /// are singular.
  bool haveEnoughSamples() const {
    return samples >= 2 * static_cast<double>(length);
  }

  /// What is wrong with them for weights of this length, as a diagnostic says
  /// it: sizes that do not match, no samples, values that are no numbers, a
  /// square that is negative or above 1e250, products that are larger than
  /// their squares allow. Empty: nothing is.
  /// `orSquares` allows the K squares alone in place of the products.
  std::string refusal(int64_t expectedLength, bool orSquares = false) const;
};

/// What is wrong with the products of `length` activations, or the squares
/// alone, which are finite and not negative: a square above 1e250, or products
/// of no distribution, with E[x y]^2 > E[x^2] E[y^2]. Empty: nothing is.
std::string productsRefusal(std::span<const double> products, size_t length);

/// Adds vectors to moments, in float64 and in blocks: each block is one
/// symmetric rank update. Needs K^2 doubles and a block of some 256 vectors.
class MomentAccumulator {
public:
  explicit MomentAccumulator(int64_t length);

  /// Adds `vectors.size() / length` vectors, one after the other. Adds none and
  /// returns false when a value is not finite. The size is a multiple of the
  /// length.
  [[nodiscard]] bool add(std::span<const float> vectors);

  /// The moments of all vectors so far; all zeros for none. The accumulator is
  /// empty afterwards.
  Moments take();

private:
  int64_t length;
  double samples = 0;
  std::vector<double> sums;
  std::vector<double> products; ///< one triangle
};

} // namespace a2q

#endif // A2Q_MATH_MOMENTS_H
