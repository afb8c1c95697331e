//===- Compile.h - From a network to a program, step by step ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the command-line tools and the Python package do alike, without either's
// options.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_COMPILE_H
#define A2Q_TOOLS_COMPILE_H

#include "a2q/Execution/Target.h"
#include "a2q/IR/ConstraintAttr.h"
#include "mlir/IR/BuiltinOps.h"

namespace a2q {

/// Which accumulators a program gets.
struct AccumulatorChoice {
  enum Kind {
    Auto,   ///< what the processor is fastest with
    Width,  ///< inner accumulators of `width` bits, losslessly
    Proven, ///< those that the module has, once they are proven
    Given,  ///< those that the module has, trusted
  };
  Kind kind = Auto;
  unsigned width = 0;
  /// Weights are changed to meet it, and `Auto` is `Proven` then.
  std::optional<ConstraintSpec> constraint = std::nullopt;
  /// A JSON file of constraints of single layers, or empty.
  std::string overridesFile = {};
  /// Instructions that kernels use; empty for the best that there are.
  std::string isa = {};
};

/// Proves what the model claims: every accumulator type and schedule in it, and
/// the plain integers of linalg and tosa ops. Fails with a diagnostic.
mlir::LogicalResult proveClaims(mlir::ModuleOp module);

/// Gives each op the narrowest accumulator that `bound` proves. Fails with a
/// diagnostic.
mlir::LogicalResult inferNarrowest(mlir::ModuleOp module,
                                   llvm::StringRef bound);

/// Turns sums of products of plain integers, in TOSA and linalg, into a2q ops,
/// whose accumulators can be chosen. What cannot be converted stays, with a
/// remark. Fails with a diagnostic.
mlir::LogicalResult convertPlainSums(mlir::ModuleOp module);

/// Converts plain sums, constrains weights if asked to, then chooses and proves
/// accumulators. Fails with a diagnostic.
mlir::LogicalResult chooseAccumulators(mlir::ModuleOp module,
                                       const AccumulatorChoice &choice,
                                       const CpuTarget &target);

struct LoweringChoice {
  std::string targetCpu = {}; ///< empty: this processor
  std::string isa = {};
  bool checkAccumulators = false;
  std::string planes = "auto";  ///< or always, never
  std::string lookUps = "auto"; ///< or always, never
  unsigned lanes = 0; ///< bits of the lanes of planes; 0: what is fastest
  std::string prefix = "model";
  unsigned threads = 1;
};

/// From a network with accumulators to the LLVM dialect. Fails with a
/// diagnostic.
mlir::LogicalResult lowerNetwork(mlir::ModuleOp module,
                                 const LoweringChoice &choice,
                                 const CpuTarget &target);

} // namespace a2q

#endif // A2Q_TOOLS_COMPILE_H
