//===- Signature.cpp - What a network takes and returns ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/Signature.h"

#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Transforms/Entry.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace a2q;

namespace {
struct KindFacts {
  size_t bytes;
  StringLiteral c, numpy;
};
} // namespace

static const KindFacts &facts(ElementKind kind) {
  static const KindFacts table[] = {
      {1, "int8_t", "int8"},   {1, "uint8_t", "uint8"},
      {2, "int16_t", "int16"}, {2, "uint16_t", "uint16"},
      {4, "int32_t", "int32"}, {4, "uint32_t", "uint32"},
      {8, "int64_t", "int64"}, {4, "float", "float32"}};
  return table[static_cast<int>(kind)];
}

size_t a2q::sizeInBytes(ElementKind kind) { return facts(kind).bytes; }
StringRef a2q::cTypeName(ElementKind kind) { return facts(kind).c; }
StringRef a2q::numpyName(ElementKind kind) { return facts(kind).numpy; }

int64_t TensorSpec::numElements() const {
  return ShapedType::getNumElements(shape);
}

size_t TensorSpec::sizeInBytes() const {
  return numElements() * a2q::sizeInBytes(kind);
}

std::string a2q::formatShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '[';
  llvm::interleaveComma(shape, os);
  os << ']';
  return text;
}

std::string TensorSpec::describe() const {
  return (numpyName(kind) + " of shape " + formatShape(shape)).str();
}

static std::optional<ElementKind> integerKind(unsigned bits, bool isSigned) {
  if (bits <= 8)
    return isSigned ? ElementKind::I8 : ElementKind::U8;
  if (bits <= 16)
    return isSigned ? ElementKind::I16 : ElementKind::U16;
  if (bits <= 32)
    return isSigned ? ElementKind::I32 : ElementKind::U32;
  if (bits == 64 && isSigned)
    return ElementKind::I64;
  return std::nullopt;
}

static std::string describeCodes(quant::QuantizedType type) {
  auto uniform = dyn_cast<quant::UniformQuantizedType>(type);
  if (!uniform)
    return "scales and zero points differ along dimension " +
           std::to_string(cast<quant::UniformQuantizedPerAxisType>(type)
                              .getQuantizedDimension());
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "real = " << llvm::format("%.9g", uniform.getScale()) << " * ";
  if (uniform.getZeroPoint() == 0)
    os << "code";
  else
    os << "(code " << (uniform.getZeroPoint() < 0 ? "+ " : "- ")
       << std::abs(uniform.getZeroPoint()) << ")";
  return text;
}

static FailureOr<TensorSpec> getSpec(func::FuncOp entry, Type type,
                                     DictionaryAttr attributes,
                                     std::string defaultName) {
  TensorSpec spec;
  spec.name = std::move(defaultName);
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>(A2QDialect::getNameAttrName()))
      spec.name = name.str();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() ||
      llvm::is_contained(tensor.getShape(), 0))
    return entry.emitOpError()
           << "takes or returns " << type << " as '" << spec.name
           << "', but programs exchange tensors of static shape that are not "
              "empty";
  if (!countBytes(tensor.getShape(), tensor.getElementType()))
    return entry.emitOpError()
           << "takes or returns " << type << " as '" << spec.name
           << "', whose bytes 64 bits cannot count";
  spec.shape = llvm::to_vector(tensor.getShape());
  std::optional<ElementKind> kind;
  if (Attribute range = attributes
                            ? attributes.get(A2QDialect::getRangeAttrName())
                            : nullptr) {
    FailureOr<ElementRanges> parsed =
        parseRangeAttr(range, type, [&] { return entry.emitOpError(); });
    if (failed(parsed))
      return failure();
    spec.range = std::move(*parsed);
  }
  Type element = tensor.getElementType();
  if (auto quantized = dyn_cast<quant::QuantizedType>(element)) {
    kind = integerKind(quantized.getStorageTypeIntegralWidth(),
                       quantized.isSigned());
    if (!spec.range)
      spec.range = ElementRanges{{codeRange(quantized)}};
    spec.meaning = describeCodes(quantized);
  } else if (element.isF32()) {
    kind = ElementKind::F32;
  } else if (auto integer = dyn_cast<IntegerType>(element);
             integer && llvm::isPowerOf2_32(integer.getWidth()) &&
             integer.getWidth() >= 8) {
    // A signless integer is signed unless the model says otherwise.
    bool isSigned =
        !attributes || !attributes.contains(A2QDialect::getUnsignedAttrName());
    kind = integerKind(integer.getWidth(), isSigned);
    spec.isTruth = kind == ElementKind::U8 && spec.range &&
                   *spec.range == ElementRanges{{Range{0, 1}}};
  }
  if (!kind)
    return entry.emitOpError()
           << "takes or returns elements of type " << element << " as '"
           << spec.name
           << "'; codes, f32 and integers of 8, 16, 32 and 64 bits are "
              "supported";
  spec.kind = *kind;
  return spec;
}

FailureOr<Signature> a2q::getSignature(ModuleOp module) {
  FailureOr<func::FuncOp> entry = findEntry(module);
  if (failed(entry))
    return failure();
  Signature signature;
  for (auto [index, type] : llvm::enumerate(entry->getArgumentTypes())) {
    FailureOr<TensorSpec> spec =
        getSpec(*entry, type, entry->getArgAttrDict(index),
                "input" + std::to_string(index));
    if (failed(spec))
      return failure();
    signature.inputs.push_back(std::move(*spec));
  }
  for (auto [index, type] : llvm::enumerate(entry->getResultTypes())) {
    FailureOr<TensorSpec> spec =
        getSpec(*entry, type, entry->getResultAttrDict(index),
                "output" + std::to_string(index));
    if (failed(spec))
      return failure();
    signature.outputs.push_back(std::move(*spec));
  }
  return signature;
}
