//===- QuadraticForm.cpp - Moments as error feedback reads them -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuadraticForm.h"

#include <cmath>
#include <numeric>

namespace a2q {

/// Position t gets what `from[t]` had, in rows and columns.
static void permute(Eigen::Map<Matrix> matrix, std::span<const uint32_t> from) {
  Eigen::VectorXd copy(matrix.rows());
  for (Eigen::Index column = 0; column < matrix.cols(); ++column) {
    copy = matrix.col(column);
    for (Eigen::Index row = 0; row < matrix.rows(); ++row)
      matrix(row, column) = copy[from[row]];
  }
  std::vector<bool> done(from.size());
  for (size_t start = 0; start < from.size(); ++start) {
    if (done[start])
      continue;
    copy = matrix.col(static_cast<Eigen::Index>(start));
    size_t to = start;
    for (; from[to] != start; to = from[to]) {
      matrix.col(static_cast<Eigen::Index>(to)) = matrix.col(from[to]);
      done[to] = true;
    }
    matrix.col(static_cast<Eigen::Index>(to)) = copy;
    done[to] = true;
  }
}

static double inverseOf(double value) { return value > 0 ? 1 / value : 0; }

QuadraticForm::QuadraticForm(Moments &moments, double damping)
    : data(moments.products.data()), size(moments.length),
      positions(moments.mean.size()) {
  Eigen::Map<Matrix> matrix = writable();
  std::iota(positions.begin(), positions.end(), 0);
  std::stable_sort(
      positions.begin(), positions.end(),
      [&](uint32_t a, uint32_t b) { return matrix(a, a) < matrix(b, b); });
  permute(matrix, positions);
  original = matrix.diagonal();
  alive = (original.array() <= 0).count();
  eta = damping * original.mean();
  // What no activation ever reaches stays free.
  damped = (original.array() > 0).select(original.array() + eta, 0);
  matrix.diagonal() = damped;
  inverses = inversePivots = damped.unaryExpr(&inverseOf);
}

QuadraticForm::~QuadraticForm() {
  restoreOrder();
  for (size_t t = 0; t < positions.size(); ++t)
    writable()(positions[t], positions[t]) =
        original[static_cast<Eigen::Index>(t)];
}

std::string QuadraticForm::factor() {
  factored = true;
  Eigen::Map<Matrix> matrix = writable();
  // Activations that are always 0 have rows of zeros.
  Eigen::Index first = firstAlive();
  auto order = static_cast<int>(size - first);
  int stride = static_cast<int>(size), failure = 0;
  dpotrf_("L", &order, &matrix(first, first), &stride, &failure);
  // A pivot that is rounding error alone is none.
  for (Eigen::Index t = first; t < size && failure == 0; ++t)
    if (!(matrix(t, t) * matrix(t, t) > 0x1p-44 * damped[t]))
      failure = static_cast<int>(t - first + 1);
  if (failure != 0)
    return "the moments are singular: activation " +
           std::to_string(positions[first + failure - 1]) +
           " follows from others, with a damping of " + std::to_string(eta);
  for (Eigen::Index t = first; t < size; ++t) {
    inversePivots[t] = inverseOf(matrix(t, t));
    inverses[t] = inversePivots[t] * inversePivots[t];
  }
  return {};
}

void QuadraticForm::restoreOrder() {
  if (factored) {
    mirrorUpper(writable());
    writable().diagonal() = damped;
  }
  factored = false;
  if (!ordered)
    return;
  ordered = false;
  std::vector<uint32_t> back(positions.size());
  for (size_t t = 0; t < positions.size(); ++t)
    back[positions[t]] = static_cast<uint32_t>(t);
  permute(writable(), back);
}

std::vector<uint32_t> QuadraticForm::tilesByPosition(TileEnds ends) const {
  std::vector<uint32_t> tiles(positions.size());
  for (size_t t = 0; t < tiles.size(); ++t)
    tiles[t] = static_cast<uint32_t>(
        std::upper_bound(ends.begin(), ends.end(), positions[t]) -
        ends.begin());
  return tiles;
}

std::vector<double> QuadraticForm::diagonal() const {
  std::vector<double> result(positions.size());
  for (size_t t = 0; t < positions.size(); ++t)
    result[positions[t]] = damped[static_cast<Eigen::Index>(t)];
  return result;
}

void QuadraticForm::copyFeedback(Eigen::Index begin, Eigen::Index end,
                                 RowMatrix<double> &to) const {
  Eigen::Index length = end - begin;
  to = matrix().block(begin, begin, length, length);
  to.array().rowwise() *=
      inversePivots.segment(begin, length).transpose().array();
}

void QuadraticForm::feedBack(Eigen::Index begin, Eigen::Index end,
                             const Matrix &errors,
                             Eigen::Ref<Matrix> targets) const {
  auto panel = matrix().block(begin, 0, end - begin, begin);
  auto pivots = inversePivots.head(begin).array();
  if (size < kSinglePrecision) {
    Matrix moved = panel.transpose() * errors;
    targets.array() += moved.array().colwise() * pivots;
    return;
  }
  Eigen::MatrixXf some = panel.cast<float>(), lost = errors.cast<float>();
  Eigen::MatrixXf moved = some.transpose() * lost;
  targets.array() += moved.cast<double>().array().colwise() * pivots;
}

} // namespace a2q
