//===- Moments.cpp - What calibration keeps of a layer's inputs -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Moments.h"

#include "LinearAlgebra.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <sstream>
#include <utility>

namespace a2q {

std::vector<double> Moments::diagonal() const {
  std::vector<double> squares(mean.size());
  for (size_t k = 0; k < squares.size(); ++k)
    squares[k] = product(k, k);
  return squares;
}

/// Sums of some thousand such products with weights are still finite.
static constexpr double kLargestSquare = 1e250;

/// How far products that were summed in another order may be apart.
static constexpr double kTolerance = 1e-6;

/// As short as it goes; `std::to_string` gives 1e-9 as 0 and 1e300 in full.
static std::string shortText(double value) {
  std::ostringstream text;
  text << value;
  return std::move(text).str();
}

std::string productsRefusal(std::span<const double> products, size_t length) {
  bool squares = products.size() == length;
  std::vector<double> roots(length);
  for (size_t k = 0; k < length; ++k) {
    double square = products[squares ? k : k * length + k];
    if (square > kLargestSquare)
      return "the mean square of activation " + std::to_string(k) + " is " +
             shortText(square) + ", expected at most " +
             shortText(kLargestSquare);
    roots[k] = std::sqrt(square) * (1 + kTolerance);
  }
  for (size_t i = 0; i < length && !squares; ++i) {
    const double *row = products.data() + i * length;
    bool bad = false;
    for (size_t j = 0; j < length; ++j)
      bad |= std::abs(row[j]) > roots[i] * roots[j];
    for (size_t j = 0; bad && j < length; ++j)
      if (std::abs(row[j]) > roots[i] * roots[j])
        return "the mean product of activations " + std::to_string(i) +
               " and " + std::to_string(j) + " is " + shortText(row[j]) +
               ", and their mean squares are " + shortText(row[i]) + " and " +
               shortText(products[j * length + j]);
  }
  return {};
}

std::string Moments::refusal(int64_t expectedLength, bool orSquares) const {
  if (length != expectedLength)
    return "moments of " + std::to_string(length) + " activations for " +
           std::to_string(expectedLength) + " weights";
  auto size = static_cast<size_t>(length);
  bool squares = orSquares && products.size() == size;
  if (mean.size() != size || (!squares && products.size() != size * size))
    return "moments of " + std::to_string(length) + " activations need " +
           std::to_string(size) + " means and " + std::to_string(size * size) +
           " products, found " + std::to_string(mean.size()) + " and " +
           std::to_string(products.size());
  if (!(samples > 0) || !std::isfinite(samples))
    return "moments of " + std::to_string(samples) +
           " samples, expected at least one";
  for (size_t k = 0; k < size; ++k)
    if (!std::isfinite(mean[k]))
      return "the mean of activation " + std::to_string(k) + " is " +
             std::to_string(mean[k]) + ", expected a finite number";
  // Products are many, so first in a way that compilers turn into vectors.
  constexpr uint64_t exponent = 0x7ff0000000000000, sign = uint64_t(1) << 63;
  uint64_t bad = 0;
  for (double value : products)
    bad |= (std::bit_cast<uint64_t>(value) & exponent) == exponent;
  for (size_t i = 0; i < products.size(); i += squares ? 1 : size + 1)
    bad |= std::bit_cast<uint64_t>(products[i]) & sign;
  for (size_t i = 0; bad != 0 && i < products.size(); ++i) {
    size_t row = squares ? i : i / size, column = squares ? i : i % size;
    if (double value = products[i];
        !std::isfinite(value) || (row == column && value < 0))
      return "the mean product of activations " + std::to_string(row) +
             " and " + std::to_string(column) + " is " + std::to_string(value) +
             ", expected " +
             (std::isfinite(value) ? "at least 0" : "a finite number");
  }
  return productsRefusal(products, size);
}

MomentAccumulator::MomentAccumulator(int64_t length)
    : length(length), sums(length), products(length * length) {
  assert(length > 0 && "no activations");
}

bool MomentAccumulator::add(std::span<const float> vectors) {
  assert(vectors.size() % static_cast<size_t>(length) == 0);
  if (!std::all_of(vectors.begin(), vectors.end(),
                   [](float value) { return std::isfinite(value); }))
    return false;
  constexpr Eigen::Index rows = 256;
  Eigen::Map<const RowMatrix<float>> all(
      vectors.data(), static_cast<Eigen::Index>(vectors.size()) / length,
      length);
  Eigen::Map<Matrix> sum(products.data(), length, length);
  Eigen::Map<Eigen::VectorXd> first(sums.data(), length);
  for (Eigen::Index begin = 0; begin < all.rows(); begin += rows) {
    Matrix block = all.middleRows(begin, std::min(rows, all.rows() - begin))
                       .transpose()
                       .cast<double>();
    first += block.rowwise().sum();
    sum.selfadjointView<Eigen::Lower>().rankUpdate(block);
  }
  samples += static_cast<double>(all.rows());
  return true;
}

Moments MomentAccumulator::take() {
  auto size = static_cast<size_t>(length);
  Moments result = {length, samples, std::move(sums), std::move(products)};
  sums.assign(size, 0);
  products.assign(size * size, 0);
  double divisor = samples > 0 ? samples : 1;
  samples = 0;
  for (double &value : result.mean)
    value /= divisor;
  Eigen::Map<Matrix> matrix(result.products.data(), length, length);
  mirrorLower(matrix);
  matrix /= divisor;
  return result;
}

} // namespace a2q
