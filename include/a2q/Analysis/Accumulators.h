//===- Accumulators.h - What an accumulating op sums ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_ACCUMULATORS_H
#define A2Q_ANALYSIS_ACCUMULATORS_H

#include "a2q/Analysis/Ranges.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/Math/Staging.h"

namespace a2q {

/// The dot products of one op as the mathematics takes them.
struct AccumulatingOp {
  AccumulatingOpInterface op;
  /// Weights in default order. For two activation operands the weights are 1
  /// and each range is that of a product, and there is one channel.
  AccumulationProblem problem;
  /// Bits of one weight code (of its type's range) and the joined range of the
  /// activations, for the `datatype` bound and the report.
  unsigned weightBits = 0;
  Range activations;
  bool constantWeights = true;

  /// The op's schedule, or the trivial one.
  Schedule schedule() const;
};

/// Collects weights, ranges (padding and zero points joined in), and initial
/// values. On failure `reason` says what is not known, for a diagnostic.
mlir::FailureOr<AccumulatingOp> analyzeAccumulator(AccumulatingOpInterface op,
                                                   const RangeAnalysis &ranges,
                                                   std::string &reason);

} // namespace a2q

#endif // A2Q_ANALYSIS_ACCUMULATORS_H
