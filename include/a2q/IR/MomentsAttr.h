//===- MomentsAttr.h - Moments of a layer's inputs --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `#a2q.moments` as numbers: made of them, read back, and checked against the
// op that carries the attribute.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_MOMENTSATTR_H
#define A2Q_IR_MOMENTSATTR_H

#include "a2q/IR/A2QDialect.h"

namespace a2q {

/// The numbers of a `#a2q.moments`, row-major.
struct MomentsData {
  int64_t samples = 0;
  int64_t groups = 1;
  int64_t length = 0;                   ///< K
  std::vector<double> mean;             ///< [groups, K]
  std::vector<double> products;         ///< [groups, K, K], or [groups, K]
  std::vector<double> sumMean = {};     ///< [channels], or empty
  std::vector<double> sumVariance = {}; ///< [channels], or empty

  /// Whether `products` is more than the diagonal. With K = 1 it is both.
  bool hasAllProducts() const;
  /// The means of `x_i * x_i`, of group `group`.
  std::vector<double> diagonal(int64_t group) const;
};

/// The attribute; many numbers become resources.
MomentsAttr momentsAttr(mlir::MLIRContext *context, const MomentsData &data);

/// The numbers of an attribute that `verifyMomentsOf` accepts; failure when a
/// resource is absent.
mlir::FailureOr<MomentsData> readMoments(MomentsAttr attr);

/// Rules C4 and C5 of the dialect, for the attribute `a2q.moments` of `op`.
mlir::LogicalResult verifyMomentsOf(mlir::Operation *op, mlir::Attribute attr);

} // namespace a2q

#endif // A2Q_IR_MOMENTSATTR_H
