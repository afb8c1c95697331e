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
  Option<int64_t> tile{
      *this, "tile",
      llvm::cl::desc("products that share an accumulator; 0 for all of them"),
      llvm::cl::init(0)};
  Option<std::string> method{*this, "method",
                             llvm::cl::desc("which integers to choose"),
                             llvm::cl::init("optimal")};
  Option<std::string> bound{
      *this, "bound",
      llvm::cl::desc("the guarantee, one of the method's; empty for its first"),
      llvm::cl::init("")};
  Option<std::string> overrides{
      *this, "overrides", llvm::cl::desc("a JSON file of constraints by layer"),
      llvm::cl::init("")};
};

/// Changes weights so that every layer sums its products, or each tile of them,
/// in an accumulator of the width, and proves it.
void buildConstrainPipeline(mlir::OpPassManager &pm,
                            const ConstrainOptions &options);

/// Registers `a2q-constrain-pipeline`.
void registerConstrainPipeline();

} // namespace a2q

#endif // A2Q_PIPELINES_CONSTRAIN_H
