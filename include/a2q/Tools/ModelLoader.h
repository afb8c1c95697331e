//===- ModelLoader.h - Networks from files ----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_MODELLOADER_H
#define A2Q_TOOLS_MODELLOADER_H

#include "a2q/Frontend/ONNX/Import.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <optional>

namespace a2q {

/// A context with the dialects of networks, and diagnostics printed to stderr.
class ModelContext {
public:
  ModelContext();
  ~ModelContext();

  mlir::MLIRContext *operator->();
  mlir::MLIRContext *get();

  /// Reads a .onnx file, or a .mlir file (text or bytecode), whose open sizes
  /// are those of `options.shapes`. Null after one diagnostic.
  mlir::OwningOpRef<mlir::ModuleOp> load(llvm::StringRef path,
                                         const ImportOptions &options = {});

  /// The same for inputs of these shapes as far as the file leaves them open.
  /// Where it cannot take them all at once, its batch is 1: the network runs
  /// several times.
  mlir::OwningOpRef<mlir::ModuleOp>
  loadForInputs(llvm::StringRef path, std::vector<InputShape> shapes);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace a2q

#endif // A2Q_TOOLS_MODELLOADER_H
