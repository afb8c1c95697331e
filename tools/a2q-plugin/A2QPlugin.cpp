//===- A2QPlugin.cpp - The project in a stock mlir-opt --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-opt --load-dialect-plugin=A2QPlugin.so --load-pass-plugin=A2QPlugin.so \
//   --pass-pipeline='builtin.module(a2q-narrow-linalg)'
//
//===----------------------------------------------------------------------===//

#include "a2q/InitProject.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"

extern "C" LLVM_ATTRIBUTE_WEAK ::mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "a2q", LLVM_VERSION_STRING,
          [](mlir::DialectRegistry *registry) {
            a2q::registerProjectDialects(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK ::mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "a2q", LLVM_VERSION_STRING,
          [] { a2q::registerProjectPasses(); }};
}
