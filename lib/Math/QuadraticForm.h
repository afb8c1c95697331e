//===- QuadraticForm.h - Moments as error feedback reads them ---*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_MATH_QUADRATICFORM_H
#define A2Q_LIB_MATH_QUADRATICFORM_H

#include "LinearAlgebra.h"
#include "a2q/Math/Budget.h"
#include "a2q/Math/Moments.h"

namespace a2q {

/// From this many activations on, products that only choose among integers are
/// in single precision: enough to find what is better, in half the time.
constexpr Eigen::Index kSinglePrecision = 1024;

/// The error `e^T H e` of weights that are off by e, H = E[x x^T] + damping,
/// at first with activations in ascending order of E[x^2]: columns are rounded
/// from the last one to the first, so that those that matter most go first.
///
/// All of it happens in the moments' own memory: H in place, its factor in the
/// lower triangle beside H in the upper one. The destructor puts the moments
/// back, to the last bit.
class QuadraticForm {
public:
  QuadraticForm(Moments &moments, double damping);
  ~QuadraticForm();
  QuadraticForm(const QuadraticForm &) = delete;
  QuadraticForm &operator=(const QuadraticForm &) = delete;

  /// Puts C with H = C C^T in place of the lower triangle. Then the error is
  /// |C^T e|^2, and row t of C^T knows only of the columns from t on: whatever
  /// those are, the best value of column t is `target_t`, fed back below, and
  /// missing it by d costs C_tt^2 d^2. Returns what is wrong with H, or
  /// nothing. Some activation is alive. Without it, feedback is that of H
  /// itself: the best value of column t with all columns before it as they
  /// were.
  std::string factor();

  /// Undoes `factor` and the order: from here on positions are activations.
  void restoreOrder();

  /// Which activation each position has.
  std::span<const uint32_t> order() const { return positions; }
  /// Which tile the activation of each position is in.
  std::vector<uint32_t> tilesByPosition(TileEnds ends) const;

  /// H_kk by activation.
  std::vector<double> diagonal() const;
  /// The activations before this position are always 0.
  Eigen::Index firstAlive() const { return alive; }
  /// By position, 1 over what missing the target by one costs; 0 where that
  /// costs nothing.
  const Eigen::VectorXd &inverseWeights() const { return inverses; }

  /// Row t, column s < t: by how much an error at begin + t moves the target of
  /// begin + s.
  void copyFeedback(Eigen::Index begin, Eigen::Index end,
                    RowMatrix<double> &to) const;
  /// Moves the targets before `begin` by the errors of [begin, end).
  void feedBack(Eigen::Index begin, Eigen::Index end, const Matrix &errors,
                Eigen::Ref<Matrix> targets) const;

  /// H, by position; whole unless factored.
  Eigen::Map<const Matrix> matrix() const { return {data, size, size}; }

private:
  Eigen::Map<Matrix> writable() const { return {data, size, size}; }
  void setInverses(const Eigen::VectorXd &weights,
                   const Eigen::VectorXd &pivots);

  double *data;
  Eigen::Index size, alive;
  bool factored = false, ordered = true;
  double eta;
  std::vector<uint32_t> positions;
  Eigen::VectorXd original; ///< diagonal before damping, by position
  Eigen::VectorXd damped;   ///< and after
  Eigen::VectorXd inverses, inversePivots;
};

} // namespace a2q

#endif // A2Q_LIB_MATH_QUADRATICFORM_H
