//===- Tensor.cpp - Constant tensors of an ONNX model -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

std::string frontend::toString(ElementType type) {
  switch (type) {
  case ElementType::Float:
    return "FLOAT";
  case ElementType::UInt8:
    return "UINT8";
  case ElementType::Int8:
    return "INT8";
  case ElementType::UInt16:
    return "UINT16";
  case ElementType::Int16:
    return "INT16";
  case ElementType::Int32:
    return "INT32";
  case ElementType::Int64:
    return "INT64";
  case ElementType::Bool:
    return "BOOL";
  case ElementType::UInt4:
    return "UINT4";
  case ElementType::Int4:
    return "INT4";
  case ElementType::UInt2:
    return "UINT2";
  case ElementType::Int2:
    return "INT2";
  }
  auto number = static_cast<int>(type);
  if (onnx::TensorProto::DataType_IsValid(number))
    return onnx::TensorProto::DataType_Name(
        static_cast<onnx::TensorProto::DataType>(number));
  return "type " + std::to_string(number);
}

std::optional<frontend::IntegerFormat>
frontend::integerFormat(ElementType type) {
  switch (type) {
  case ElementType::UInt8:
    return IntegerFormat{8, false};
  case ElementType::Int8:
    return IntegerFormat{8, true};
  case ElementType::UInt16:
    return IntegerFormat{16, false};
  case ElementType::Int16:
    return IntegerFormat{16, true};
  case ElementType::Int32:
    return IntegerFormat{32, true};
  case ElementType::Int64:
    return IntegerFormat{64, true};
  case ElementType::Bool:
    return IntegerFormat{1, false};
  case ElementType::UInt4:
    return IntegerFormat{4, false};
  case ElementType::Int4:
    return IntegerFormat{4, true};
  case ElementType::UInt2:
    return IntegerFormat{2, false};
  case ElementType::Int2:
    return IntegerFormat{2, true};
  default:
    return std::nullopt;
  }
}

a2q::Range frontend::IntegerFormat::range() const {
  if (isSigned)
    return {llvm::minIntN(bits), llvm::maxIntN(bits)};
  return {0, static_cast<int64_t>(llvm::maxUIntN(bits))};
}

std::optional<int64_t> frontend::elementCount(ArrayRef<int64_t> shape) {
  constexpr int64_t kMostElements = int64_t(1) << 31;
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0 || size > kMostElements)
      return std::nullopt;
    count *= size;
    if (count > kMostElements)
      return std::nullopt;
  }
  return count;
}

std::string frontend::shapeText(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  return llvm::join(
      llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }),
      "x");
}

Tensor frontend::transpose(const Tensor &tensor,
                           ArrayRef<int64_t> permutation) {
  size_t rank = tensor.shape.size();
  SmallVector<int64_t> strides(rank, 1), steps(rank), index(rank, 0);
  for (size_t i = rank; i-- > 1;)
    strides[i - 1] = strides[i] * tensor.shape[i];
  Tensor result;
  result.type = tensor.type;
  for (auto [i, dim] : llvm::enumerate(permutation)) {
    result.shape.push_back(tensor.shape[dim]);
    steps[i] = strides[dim];
  }
  for (int64_t i = 0, from = 0, end = tensor.size(); i < end; ++i) {
    if (tensor.isFloat())
      result.floats.push_back(tensor.floats[from]);
    else
      result.ints.push_back(tensor.ints[from]);
    for (size_t dim = rank; dim-- > 0;) {
      from += steps[dim];
      if (++index[dim] < result.shape[dim])
        break;
      from -= steps[dim] * index[dim];
      index[dim] = 0;
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Payloads
//===----------------------------------------------------------------------===//

/// One packed byte holds 8 / bits codes, low bits first.
static void unpack(uint8_t byte, frontend::IntegerFormat type, size_t count,
                   frontend::Integers &ints) {
  for (unsigned shift = 0; shift < 8 && ints.size() < count;
       shift += type.bits) {
    uint64_t code =
        (byte >> shift) & llvm::maskTrailingOnes<uint64_t>(type.bits);
    ints.push_back(type.isSigned ? llvm::SignExtend64(code, type.bits)
                                 : static_cast<int64_t>(code));
  }
}

/// The bytes of `raw_data` or of an external file, little endian.
static LogicalResult readBytes(StringRef bytes, size_t count, Tensor &tensor,
                               EmitError emitError) {
  auto type = integerFormat(tensor.type);
  bool isTruth = tensor.type == ElementType::Bool;
  unsigned bits = isTruth ? 8 : type ? type->bits : 32;
  size_t expected = llvm::divideCeil(count * bits, 8);
  if (bytes.size() != expected)
    return emitError() << "has " << bytes.size() << " bytes of data, "
                       << shapeText(tensor.shape) << " of "
                       << toString(tensor.type) << " needs " << expected;
  if (!type) {
    for (size_t i = 0; i < count; ++i)
      tensor.floats.push_back(llvm::bit_cast<float>(
          llvm::support::endian::read32le(bytes.data() + 4 * i)));
    return success();
  }
  if (isTruth) {
    for (char byte : bytes)
      tensor.ints.push_back(byte != 0);
    return success();
  }
  if (bits < 8) {
    for (char byte : bytes)
      unpack(static_cast<uint8_t>(byte), *type, count, tensor.ints);
    return success();
  }
  for (size_t i = 0; i < count; ++i) {
    uint64_t code = 0;
    for (unsigned byte = 0; byte < bits / 8; ++byte)
      code |= uint64_t(static_cast<uint8_t>(bytes[i * (bits / 8) + byte]))
              << (8 * byte);
    tensor.ints.push_back(type->isSigned ? llvm::SignExtend64(code, bits)
                                         : static_cast<int64_t>(code));
  }
  return success();
}

/// `float_data`, `int32_data` or `int64_data`.
static LogicalResult readFields(const onnx::TensorProto &proto, size_t count,
                                Tensor &tensor, EmitError emitError) {
  auto type = integerFormat(tensor.type);
  auto checkLength = [&](size_t length, size_t expected) -> LogicalResult {
    if (length == expected)
      return success();
    return emitError() << "has " << length << " elements of data, "
                       << shapeText(tensor.shape) << " of "
                       << toString(tensor.type) << " needs " << expected;
  };
  if (!type) {
    if (failed(checkLength(proto.float_data_size(), count)))
      return failure();
    tensor.floats.assign(proto.float_data().begin(), proto.float_data().end());
    return success();
  }
  if (type->bits == 64) {
    if (failed(checkLength(proto.int64_data_size(), count)))
      return failure();
    tensor.ints.assign(proto.int64_data().begin(), proto.int64_data().end());
    return success();
  }
  bool packed = type->bits < 8 && tensor.type != ElementType::Bool;
  size_t entries = packed ? llvm::divideCeil(count * type->bits, 8) : count;
  if (failed(checkLength(proto.int32_data_size(), entries)))
    return failure();
  a2q::Range range = packed ? a2q::Range{-128, 255} : type->range();
  for (int32_t entry : proto.int32_data()) {
    if (entry < range.lo || entry > range.hi)
      return emitError() << "holds " << entry << ", which is no "
                         << toString(tensor.type);
    if (packed)
      unpack(static_cast<uint8_t>(entry), *type, count, tensor.ints);
    else
      tensor.ints.push_back(entry);
  }
  return success();
}

static LogicalResult readExternal(const onnx::TensorProto &proto,
                                  StringRef directory, size_t count,
                                  Tensor &tensor, EmitError emitError) {
  StringRef location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const auto &entry : proto.external_data()) {
    StringRef value = entry.value();
    uint64_t number = 0;
    if (entry.key() == "location")
      location = value;
    else if (entry.key() == "offset" || entry.key() == "length") {
      if (value.getAsInteger(10, number))
        return emitError() << "has external data with " << entry.key() << " '"
                           << value << "'";
      (entry.key() == "offset" ? offset : length.emplace()) = number;
    }
  }
  bool climbs = llvm::any_of(llvm::make_range(llvm::sys::path::begin(location),
                                              llvm::sys::path::end(location)),
                             [](StringRef part) { return part == ".."; });
  if (location.empty() || llvm::sys::path::is_absolute(location) || climbs)
    return emitError() << "has external data at '" << location
                       << "', expected a file below the model's folder";
  SmallString<128> path(directory);
  llvm::sys::path::append(path, location);
  auto file = llvm::MemoryBuffer::getFile(path, false, false);
  if (!file)
    return emitError() << "has external data in '" << path
                       << "': " << file.getError().message();
  StringRef bytes = (*file)->getBuffer();
  if (offset > bytes.size() || (length && *length > bytes.size() - offset))
    return emitError() << "has external data beyond the end of '" << path
                       << "'";
  bytes = bytes.substr(offset, length ? *length : StringRef::npos);
  return readBytes(bytes, count, tensor, emitError);
}

FailureOr<Tensor> frontend::readTensor(const onnx::TensorProto &proto,
                                       StringRef directory,
                                       EmitError emitError) {
  Tensor tensor;
  tensor.type = static_cast<ElementType>(proto.data_type());
  if (!tensor.isFloat() && !integerFormat(tensor.type)) {
    emitError() << "has element type " << toString(tensor.type)
                << "; supported are FLOAT and signed and unsigned integers";
    return failure();
  }
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  std::optional<int64_t> count = elementCount(tensor.shape);
  if (!count) {
    emitError() << "has shape " << shapeText(tensor.shape)
                << ", sizes must not be negative nor their product beyond 2^31";
    return failure();
  }
  LogicalResult read = success();
  if (proto.has_segment())
    read = emitError() << "is one segment of a tensor, which is not supported";
  else if (proto.data_location() == onnx::TensorProto::EXTERNAL)
    read = readExternal(proto, directory, *count, tensor, emitError);
  else if (proto.has_raw_data())
    read = readBytes(proto.raw_data(), *count, tensor, emitError);
  else
    read = readFields(proto, *count, tensor, emitError);
  if (failed(read))
    return failure();
  return tensor;
}
