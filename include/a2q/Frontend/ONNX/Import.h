//===- Import.h - Quantized ONNX models as a2q modules -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A quantized ONNX model (QDQ, or Brevitas' QCDQ with its Clips) becomes one
// function `@main` whose accumulating layers are a2q ops. Arguments and results
// are builtin tensors in the model's own layout; they carry `a2q.name`, and
// `a2q.unsigned` when their integers are unsigned.
//
// Every op has the location `NameLoc(node name)`.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_FRONTEND_ONNX_IMPORT_H
#define A2Q_FRONTEND_ONNX_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <optional>
#include <string>
#include <vector>

namespace a2q {

/// Sizes of an input whose shape the file leaves open.
struct InputShape {
  std::string name; ///< "": the first input that has none by name
  llvm::SmallVector<int64_t> sizes;

  /// Reads "[NAME=]1x3x48x480".
  static llvm::Expected<InputShape> parse(llvm::StringRef text);
};

struct ImportOptions {
  /// Size of a symbolic batch dimension; 1 when absent. Giving it for a model
  /// whose batch is fixed to another size is an error.
  std::optional<int64_t> batch;
  std::vector<InputShape> shapes;
  /// Where the file fixes a size, it wins over `shapes`; else it is an error
  /// when the two differ.
  bool prefersFileShapes = false;
};

/// Imports a serialized ONNX model; the buffer's identifier is its path, which
/// external tensor data is relative to. Null after one diagnostic when the
/// bytes are no model, or the model holds what cannot be imported exactly.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(llvm::MemoryBufferRef buffer,
                                             mlir::MLIRContext *context,
                                             const ImportOptions &options = {});

/// The same from a file.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(llvm::StringRef path,
                                             mlir::MLIRContext *context,
                                             const ImportOptions &options = {});

/// `a2q-translate --import-onnx`.
void registerONNXImport();

} // namespace a2q

#endif // A2Q_FRONTEND_ONNX_IMPORT_H
