//===- Prove.h - Prove every accumulator of a module ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PIPELINES_PROVE_H
#define A2Q_PIPELINES_PROVE_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace a2q {

struct ProveOptions : mlir::PassPipelineOptions<ProveOptions> {
  Option<std::string> bound{
      *this, "bound",
      llvm::cl::desc("the guarantee: datatype, a2q, a2q-plus, exact, centred"),
      llvm::cl::init("exact")};
};

/// Gives every accumulating op the narrowest accumulator that the bound proves.
/// A module that it accepts has no accumulator that can overflow.
void buildProvePipeline(mlir::OpPassManager &pm, const ProveOptions &options);

/// Registers `a2q-prove-pipeline`.
void registerProvePipeline();

} // namespace a2q

#endif // A2Q_PIPELINES_PROVE_H
