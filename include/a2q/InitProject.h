//===- InitProject.h - What the project adds to MLIR ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For programs that have registered what they need of MLIR themselves, such as
// a stock mlir-opt that loads the plugin.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_INITPROJECT_H
#define A2Q_INITPROJECT_H

#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/ExternalModels.h"
#include "a2q/Pipelines/Constrain.h"
#include "a2q/Pipelines/LowerTosa.h"
#include "a2q/Pipelines/Prove.h"
#include "a2q/Pipelines/ToLLVM.h"
#include "a2q/Transforms/Passes.h"

namespace a2q {

/// The a2q dialect, and its interface on ops of other dialects.
inline void registerProjectDialects(mlir::DialectRegistry &registry) {
  registry.insert<A2QDialect>();
  registerLinalgModels(registry);
  registerTosaModels(registry);
}

/// The passes and pipelines of the project.
inline void registerProjectPasses() {
  registerA2QConversionPasses();
  registerA2QTransformsPasses();
  registerConstrainPipeline();
  registerLowerTosaPipeline();
  registerProvePipeline();
  registerToLLVMPipeline();
}

} // namespace a2q

#endif // A2Q_INITPROJECT_H
