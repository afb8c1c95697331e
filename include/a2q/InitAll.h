//===- InitAll.h - Everything registered ----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_INITALL_H
#define A2Q_INITALL_H

#include "a2q/InitProject.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

namespace a2q {

/// The a2q dialect, its external models, and all upstream dialects.
inline void registerAllDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registerProjectDialects(registry);
}

/// The passes and pipelines of the project, and all upstream passes.
inline void registerAllPasses() {
  mlir::registerAllPasses();
  registerProjectPasses();
}

} // namespace a2q

#endif // A2Q_INITALL_H
