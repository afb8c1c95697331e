//===- Signature.h - What a network takes and returns -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_EXECUTION_SIGNATURE_H
#define A2Q_EXECUTION_SIGNATURE_H

#include "a2q/IR/RangeAttr.h"
#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>

namespace a2q {

/// Elements of a network's inputs and outputs in memory.
enum class ElementKind { I8, U8, I16, U16, I32, U32, I64, F32 };

size_t sizeInBytes(ElementKind kind);
/// The C type, such as "uint8_t" or "float".
llvm::StringRef cTypeName(ElementKind kind);
/// The name that NumPy uses, such as "uint8" or "float32".
llvm::StringRef numpyName(ElementKind kind);

/// One input or output: a dense row-major array.
struct TensorSpec {
  /// From the attribute `a2q.name`; "input0" and the like without it.
  std::string name;
  ElementKind kind;
  llvm::SmallVector<int64_t> shape;
  /// The integers that an input must hold, or that an output can hold; absent
  /// for floats and for integers of which nothing is promised.
  std::optional<ElementRanges> range;
  /// Bytes of 0 or 1, which NumPy has a type for: unsigned and of range [0, 1].
  bool isTruth = false;
  /// What the codes mean, such as "real = 0.25 * (code - 3)"; may be empty.
  std::string meaning;

  int64_t numElements() const;
  size_t sizeInBytes() const;
  /// For messages: "uint8 of shape [1, 8, 8]".
  std::string describe() const;
};

struct Signature {
  llvm::SmallVector<TensorSpec> inputs, outputs;
};

/// "[1, 8, 8]".
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// The signature of the module's entry, before it is lowered: quantized types
/// say whether codes are signed, and which there are. Fails with a diagnostic.
mlir::FailureOr<Signature> getSignature(mlir::ModuleOp module);

} // namespace a2q

#endif // A2Q_EXECUTION_SIGNATURE_H
