//===- Constrain.h - Weights that meet a width, proven ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PIPELINES_CONSTRAIN_H
#define A2Q_PIPELINES_CONSTRAIN_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace a2q {

struct ConstrainOptions : mlir::PassPipelineOptions<ConstrainOptions> {
  Option<unsigned> width{*this, "width",
                         llvm::cl::desc("bits of every accumulator"),
                         llvm::cl::init(16)};
  Option<std::string> method{*this, "method",
                             llvm::cl::desc("which integers to choose"),
                             llvm::cl::init("a2q-plus")};
};

/// Changes weights so that every layer sums all its products in one accumulator
/// of the width, and proves it.
void buildConstrainPipeline(mlir::OpPassManager &pm,
                            const ConstrainOptions &options);

/// Registers `a2q-constrain-pipeline`.
void registerConstrainPipeline();

} // namespace a2q

#endif // A2Q_PIPELINES_CONSTRAIN_H
