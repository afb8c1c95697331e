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
  /// Who guarantees `problem.fact`; empty without one.
  std::string producer;

  /// The op's schedule, or the trivial one.
  Schedule schedule() const;
  /// What each stage of a schedule needs, the initial value included.
  std::vector<StageNeed> prove(const Schedule &schedule) const;
  /// The figures of one channel, whole K, without initial value.
  ChannelBounds bounds(int64_t channel) const;
  /// The same by the ranges alone.
  ChannelBounds boxBounds(int64_t channel) const;
  /// All values that the sums of one channel can take when they are complete,
  /// the initial value included.
  Interval sum(int64_t channel) const;
};

/// How the ranges of a value are found: `RangeAnalysis::lookup` once the
/// analysis is done, the solver's state while it runs.
using RangeLookup = llvm::function_ref<std::optional<ElementRanges>(
    mlir::Value value, bool unsignedSignless)>;

/// Likewise for what is known of elements together; null when nothing is.
using FactLookup = llvm::function_ref<const AxisFact *(mlir::Value value)>;

/// Collects weights, ranges (padding and zero points joined in), facts, and
/// initial values. On failure `reason` says what is not known, for a
/// diagnostic.
mlir::FailureOr<AccumulatingOp> analyzeAccumulator(AccumulatingOpInterface op,
                                                   const RangeAnalysis &ranges,
                                                   std::string &reason);
mlir::FailureOr<AccumulatingOp> analyzeAccumulator(AccumulatingOpInterface op,
                                                   RangeLookup ranges,
                                                   FactLookup facts,
                                                   std::string &reason);

} // namespace a2q

#endif // A2Q_ANALYSIS_ACCUMULATORS_H
