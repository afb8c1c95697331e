//===- Tensor.h - Constant tensors of an ONNX model -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_TENSOR_H
#define A2Q_LIB_FRONTEND_ONNX_TENSOR_H

#include "Integers.h"

#include "a2q/Math/Interval.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/SmallVector.h"

#include <onnx/onnx_pb.h>

#include <optional>
#include <vector>

namespace a2q::frontend {

/// An ONNX element type; the numbers are those of TensorProto.DataType, also of
/// types younger than the packaged ONNX.
enum class ElementType : int32_t {
  Float = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  Bool = 9,
  UInt4 = 21,
  Int4 = 22,
  UInt2 = 25,
  Int2 = 26,
};

/// "FLOAT", "UINT8", ..., or "type 17".
std::string toString(ElementType type);

/// Bits and signedness of integer types; truth values are integers of 1 bit
/// that fill a byte in memory.
struct IntegerFormat {
  unsigned bits = 0;
  bool isSigned = false;
  Range range() const;
};
std::optional<IntegerFormat> integerFormat(ElementType type);

/// Integers are int64_t to the reader whatever their type.
struct Tensor {
  ElementType type = ElementType::Float;
  llvm::SmallVector<int64_t> shape;
  Integers ints;
  std::vector<float> floats;

  int64_t size() const { return isFloat() ? floats.size() : ints.size(); }
  bool isFloat() const { return type == ElementType::Float; }
  bool isScalar() const { return size() == 1 && shape.size() <= 1; }
};

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// Reads payload and shape, checking that they agree; external data lies below
/// `directory`. The error is completed with what is wrong.
mlir::FailureOr<Tensor> readTensor(const onnx::TensorProto &proto,
                                   llvm::StringRef directory,
                                   EmitError emitError);

/// Elements in the order that `permutation` gives the dimensions.
Tensor transpose(const Tensor &tensor, llvm::ArrayRef<int64_t> permutation);

/// The product of the sizes; nullopt when one is negative or the product is
/// beyond what a tensor of this importer may hold.
std::optional<int64_t> elementCount(llvm::ArrayRef<int64_t> shape);

/// "1x8x8x16".
std::string shapeText(llvm::ArrayRef<int64_t> shape);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_TENSOR_H
