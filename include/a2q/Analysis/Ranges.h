//===- Ranges.h - Ranges of the integers in a module ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_RANGES_H
#define A2Q_ANALYSIS_RANGES_H

#include "a2q/IR/RangeAttr.h"
#include "a2q/Math/InputFacts.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "mlir/Pass/AnalysisManager.h"

#include <memory>
#include <optional>

namespace a2q {

/// What holds of the elements along one axis together, wherever the other
/// indices are: more than a range of each. Of real values, or of codes.
struct AxisFact {
  int64_t axis = 0;
  int64_t length = 0;
  std::optional<Ball> ball;
  std::optional<Simplex> simplex;
  /// Set for codes: ball and simplex are of what is left when this is taken
  /// off codes that are read as signed or not.
  std::optional<int64_t> zeroPoint = std::nullopt;
  bool isSigned = true;
  /// How many normalized vectors the elements come from, each NaN by itself.
  int64_t vectors = 1;
  /// Who guarantees it: "layernorm", "rmsnorm", "softmax".
  std::string producer;

  bool operator==(const AxisFact &) const = default;
};

/// What the costly steps of an analysis, constants and sums of products, have
/// given, for the next analysis of a module that has changed little since. An
/// entry is used where everything that the step depends on is the same, so
/// passes may change the module as they like; as an analysis of MLIR's pass
/// manager it is never invalidated and serves a whole pipeline.
class RangeCache {
public:
  explicit RangeCache(mlir::Operation *root = nullptr);
  ~RangeCache();
  bool isInvalidated(const mlir::AnalysisManager::PreservedAnalyses &) {
    return false;
  }

  struct Impl;
  Impl &get() { return *impl; }

private:
  std::unique_ptr<Impl> impl;
};

/// Proven ranges of all integer values below `root`. They come from constants,
/// from types, from upstream's integer range inference, from the ops that this
/// project knows, and from `a2q.range` on function arguments, which callers
/// outside of the module are trusted to keep.
///
/// Bits travel through the module with a signed and an unsigned reading, so
/// that a code of 200 that is stored in a signless i8 is -56 to who
/// sign-extends it and 200 to who zero-extends it.
class RangeAnalysis {
public:
  /// Analyses the whole module around `root`: calls are only right then.
  explicit RangeAnalysis(mlir::Operation *root);
  RangeAnalysis(mlir::Operation *root, RangeCache &cache);
  ~RangeAnalysis();

  /// The ranges of a value; those of its type when no more is known. Signless
  /// integers are read as signed unless `unsignedSignless`. nullopt: not
  /// integers, a sum that nothing bounds, or beyond 64 bits.
  std::optional<ElementRanges> lookup(mlir::Value value,
                                      bool unsignedSignless = false) const;

  /// What holds of the elements along an axis together; null when nothing is
  /// known. The pointer lives as long as the analysis.
  const AxisFact *lookupFact(mlir::Value value) const;

private:
  RangeAnalysis(mlir::Operation *root, RangeCache *cache);

  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace a2q

#endif // A2Q_ANALYSIS_RANGES_H
