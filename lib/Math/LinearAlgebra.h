//===- LinearAlgebra.h - Dense matrices, for this library ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Eigen for the notation, OpenBLAS for the products: it chooses its kernels by
// the processor at run time, while this library is compiled for any x86-64.
// Private to lib/Math; the headers of the project know neither.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_MATH_LINEARALGEBRA_H
#define A2Q_LIB_MATH_LINEARALGEBRA_H

#define EIGEN_USE_BLAS
#include <Eigen/Dense>

#include <algorithm>

namespace a2q {

/// Column-major, as BLAS has them.
using Matrix = Eigen::MatrixXd;
template <typename T>
using RowMatrix =
    Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Copies the lower triangle to the upper one, in squares that fit a cache.
template <typename Square> void mirrorLower(Square &&matrix) {
  constexpr Eigen::Index side = 32;
  for (Eigen::Index column = 0; column < matrix.rows(); column += side)
    for (Eigen::Index row = column; row < matrix.rows(); row += side) {
      Eigen::Index rowEnd = std::min(row + side, matrix.rows());
      Eigen::Index columnEnd = std::min(column + side, matrix.rows());
      for (Eigen::Index j = column; j < columnEnd; ++j)
        for (Eigen::Index i = std::max(row, j + 1); i < rowEnd; ++i)
          matrix(j, i) = matrix(i, j);
    }
}

/// Copies the upper triangle to the lower one.
inline void mirrorUpper(Eigen::Ref<Matrix> matrix) {
  mirrorLower(matrix.transpose());
}

} // namespace a2q

/// LAPACK's Cholesky factor, which OpenBLAS has blocked.
extern "C" void dpotrf_(const char *triangle, const int *size, double *matrix,
                        const int *stride, int *failure);

#endif // A2Q_LIB_MATH_LINEARALGEBRA_H
