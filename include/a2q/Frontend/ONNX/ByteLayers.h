//===- ByteLayers.h - The byte products of an ONNX file ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a runtime multiplies in bytes can be read off an ONNX file without
// understanding the rest of it: the node, its weights, and that its activations
// are bytes. So this reader takes every file, dynamic quantization and
// operators of runtimes included, and knows no ranges: activations are all that
// their type can hold, images are as large as the kernel.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_FRONTEND_ONNX_BYTELAYERS_H
#define A2Q_FRONTEND_ONNX_BYTELAYERS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <string>
#include <vector>

namespace a2q {

/// One node that multiplies bytes. `reason` says why it could not be read, or
/// need not be; such nodes have no op.
struct ByteLayer {
  std::string name;
  std::string op;
  std::string reason;
  /// Its weights are computed, in u8.
  bool hasUnsignedWeights = false;
};

struct ByteLayers {
  /// A function of one op per layer that could be read, in order of the file.
  /// Each has its own arguments and, as location, its name.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<ByteLayer> layers;
};

/// Reads the nodes of a file: the standard's and ONNX Runtime's integer
/// operators, and Conv, Gemm and MatMul of two dequantized operands. Null
/// module after one diagnostic when the file is no model.
ByteLayers importONNXByteLayers(llvm::StringRef path,
                                mlir::MLIRContext *context);

/// The same of bytes; the buffer's identifier is the path of the file.
ByteLayers importONNXByteLayers(llvm::MemoryBufferRef buffer,
                                mlir::MLIRContext *context);

} // namespace a2q

#endif // A2Q_FRONTEND_ONNX_BYTELAYERS_H
