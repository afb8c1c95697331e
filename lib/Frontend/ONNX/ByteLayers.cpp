//===- ByteLayers.cpp - The byte products of an ONNX file -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Frontend/ONNX/ByteLayers.h"

#include "Proto.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/stubs/logging.h>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

namespace {
/// Where an operator has its operands; -1: nowhere.
struct Operands {
  bool isConvolution = false;
  int activations = -1, weights = -1;
  /// The zero points of both, which have their types.
  int zeroPoint = -1, weightZeroPoint = -1;
};

class Reader {
public:
  Reader(const onnx::GraphProto &graph, StringRef path, MLIRContext *context)
      : graph(graph), folder(llvm::sys::path::parent_path(path)),
        b(FileLineColLoc::get(context, path, 0, 0), context) {}

  ByteLayers run();

private:
  void read(const onnx::NodeProto &node);
  std::string emit(const onnx::NodeProto &node, const Operands &operands);
  std::string emitConvolution(const onnx::NodeProto &node, Tensor weights,
                              bool isSigned);
  std::string emitProduct(const onnx::NodeProto &node, Tensor weights,
                          bool isSigned);

  /// Of a standard node: both operands come from a DequantizeLinear.
  std::optional<Operands> dequantized(const onnx::NodeProto &node);
  /// The DequantizeLinear that the value is of, after operators that move
  /// elements or choose among them.
  const onnx::NodeProto *dequantizeOf(StringRef name) const;
  const onnx::TensorProto *constant(StringRef name) const;
  const onnx::NodeProto *producer(StringRef name, StringRef op) const;
  std::string tensor(StringRef name, Tensor &result);
  /// Of weights that are computed.
  bool hasUnsignedWeights(const onnx::NodeProto &node,
                          const Operands &operands) const;

  quant::QuantizedType codes(bool isSigned);
  Value weightCodes(const Tensor &weights);
  Value argument(ArrayRef<int64_t> shape, bool isSigned);

  const onnx::GraphProto &graph;
  std::string folder;
  ImplicitLocOpBuilder b;
  Block *entry = nullptr;
  llvm::StringMap<const onnx::TensorProto *> initializers;
  llvm::StringMap<const onnx::NodeProto *> producers;
  ByteLayers result;
};
} // namespace

static StringRef input(const onnx::NodeProto &node, int index) {
  return index >= 0 && index < node.input_size() ? StringRef(node.input(index))
                                                 : StringRef();
}

//===----------------------------------------------------------------------===//
// What a node multiplies
//===----------------------------------------------------------------------===//

/// The operators that take integers.
static std::optional<Operands> integerOperands(StringRef op) {
  return llvm::StringSwitch<std::optional<Operands>>(op)
      .Case("QLinearConv", Operands{true, 0, 3, 2, 5})
      .Case("QLinearMatMul", Operands{false, 0, 3, 2, 5})
      .Case("QGemm", Operands{false, 0, 3, 2, 5})
      .Case("MatMulInteger", Operands{false, 0, 1, 2, 3})
      .Case("ConvInteger", Operands{true, 0, 1, 2, 3})
      .Case("MatMulIntegerToFloat", Operands{false, 0, 1, 4, 5})
      .Case("DynamicQuantizeMatMul", Operands{false, -1, 1, -1, 3})
      .Default(std::nullopt);
}

/// Operators that multiply bytes in ways that are not read.
static bool isOpaque(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"QAttention", "DynamicQuantizeLSTM", "QLinearConvTranspose",
              "QEmbedLayerNormalization", "MatMulNBits", "QMoE"},
             true)
      .Default(false);
}

/// Operators that a runtime may run on codes, before it makes them real.
static bool keepsCodes(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Clip",    "Concat",  "DepthToSpace", "Dropout",   "Expand",
              "Flatten", "Gather",  "Identity",     "MaxPool",   "Pad",
              "Relu",    "Reshape", "Resize",       "Slice",     "SpaceToDepth",
              "Split",   "Squeeze", "Tile",         "Transpose", "Unsqueeze"},
             true)
      .Default(false);
}

const onnx::TensorProto *Reader::constant(StringRef name) const {
  if (const onnx::TensorProto *tensor = initializers.lookup(name))
    return tensor;
  if (const onnx::NodeProto *node = producer(name, "Constant"))
    if (const onnx::AttributeProto *value = findAttribute(*node, "value"))
      return &value->t();
  return nullptr;
}

const onnx::NodeProto *Reader::producer(StringRef name, StringRef op) const {
  const onnx::NodeProto *node = producers.lookup(name);
  return node && node->op_type() == op ? node : nullptr;
}

const onnx::NodeProto *Reader::dequantizeOf(StringRef name) const {
  // A file may have cycles.
  for (int steps = 0; steps < graph.node_size(); ++steps) {
    const onnx::NodeProto *node = producers.lookup(name);
    if (!node || node->op_type() == "DequantizeLinear")
      return node;
    if (!keepsCodes(node->op_type()))
      return nullptr;
    name = input(*node, 0);
  }
  return nullptr;
}

std::optional<Operands> Reader::dequantized(const onnx::NodeProto &node) {
  StringRef op = node.op_type();
  if (op != "Conv" && op != "Gemm" && op != "MatMul" && op != "ConvTranspose")
    return std::nullopt;
  for (int index : {0, 1}) {
    const onnx::NodeProto *source = dequantizeOf(input(node, index));
    // No runtime multiplies integers that have a scale for each block.
    if (!source || integerAttribute(*source, "block_size", 0))
      return std::nullopt;
  }
  return Operands{op == "Conv", 0, 1, -1, -1};
}

/// Why a constant cannot be read; empty where it was.
std::string Reader::tensor(StringRef name, Tensor &result) {
  const onnx::TensorProto *proto = constant(name);
  if (!proto)
    return "its weights are not constant";
  std::string problem;
  FailureOr<Tensor> read = failure();
  {
    ScopedDiagnosticHandler capture(b.getContext(),
                                    [&](Diagnostic &diagnostic) {
                                      if (problem.empty())
                                        problem = diagnostic.str();
                                      return success();
                                    });
    read = readTensor(*proto, folder, [&] { return emitError(b.getLoc()); });
  }
  if (failed(read))
    return "its weights: " + problem;
  if (read->isFloat())
    return "its weights are quantized while the network runs";
  if (integerFormat(read->type)->bits > 8)
    return "its weights have type " + toString(read->type) +
           ", and byte products take 8 bits";
  result = std::move(*read);
  return "";
}

bool Reader::hasUnsignedWeights(const onnx::NodeProto &node,
                                const Operands &operands) const {
  StringRef weights = input(node, operands.weights),
            zeroPoint = input(node, operands.weightZeroPoint);
  if (const onnx::NodeProto *dequantize = producer(weights, "DequantizeLinear"))
    zeroPoint = input(*dequantize, 2);
  const onnx::TensorProto *zero = constant(zeroPoint);
  return zero && zero->data_type() == onnx::TensorProto::UINT8;
}

std::string Reader::emit(const onnx::NodeProto &node,
                         const Operands &operands) {
  if (node.op_type() == "ConvTranspose")
    return "the operator ConvTranspose is not read";
  // Operators of integers take what such operators give out as it is.
  for (int operand : {operands.activations, operands.weights})
    if (const onnx::NodeProto *between = producers.lookup(input(node, operand));
        between && !integerOperands(node.op_type()) &&
        keepsCodes(between->op_type()))
      return "the operator " + between->op_type() +
             " stands between it and its codes";
  StringRef activations = input(node, operands.activations);
  StringRef weights = input(node, operands.weights);
  StringRef zeroPoint = input(node, operands.zeroPoint);
  if (const onnx::NodeProto *dequantize = producer(weights, "DequantizeLinear"))
    weights = input(*dequantize, 0);
  if (const onnx::NodeProto *dequantize =
          producer(activations, "DequantizeLinear")) {
    zeroPoint = input(*dequantize, 2);
    activations = input(*dequantize, 0);
  }
  // Without a zero point codes are u8, the operators' default.
  bool isSigned = false;
  if (const onnx::TensorProto *zero = constant(zeroPoint)) {
    auto format = integerFormat(static_cast<ElementType>(zero->data_type()));
    if (!format || format->bits > 8)
      return "its activations have type " +
             toString(static_cast<ElementType>(zero->data_type())) +
             ", and byte products take 8 bits";
    isSigned = format->isSigned;
  }
  Tensor tensor;
  if (std::string reason = this->tensor(weights, tensor); !reason.empty())
    return reason;
  if (tensor.ints.empty())
    return "its weights have shape " + shapeText(tensor.shape);
  return operands.isConvolution
             ? emitConvolution(node, std::move(tensor), isSigned)
             : emitProduct(node, std::move(tensor), isSigned);
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

quant::QuantizedType Reader::codes(bool isSigned) {
  return quant::UniformQuantizedType::get(
      isSigned ? quant::QuantizationFlags::Signed : 0, b.getI8Type(),
      b.getF32Type(), 1.0, 0, isSigned ? -128 : 0, isSigned ? 127 : 255);
}

Value Reader::argument(ArrayRef<int64_t> shape, bool isSigned) {
  return entry->addArgument(RankedTensorType::get(shape, codes(isSigned)),
                            b.getLoc());
}

Value Reader::weightCodes(const Tensor &weights) {
  auto storage = RankedTensorType::get(weights.shape, b.getI8Type());
  std::vector<char> bytes = weights.ints.littleEndian(1);
  Value constant = arith::ConstantOp::create(
      b, DenseElementsAttr::getFromRawBuffer(storage, bytes));
  return quant::StorageCastOp::create(
      b, storage.clone(codes(integerFormat(weights.type)->isSigned)), constant);
}

/// Wide enough for all sums that are read: nothing is claimed of it.
static Type sumType(MLIRContext *context) {
  return AccumulatorType::get(context, 64);
}

std::string Reader::emitConvolution(const onnx::NodeProto &node, Tensor weights,
                                    bool isSigned) {
  if (weights.shape.size() == 3) // one dimension is a row
    weights.shape.insert(weights.shape.begin() + 2, 1);
  if (weights.shape.size() != 4)
    return "its weights have shape " + shapeText(weights.shape) +
           ", which is not read";
  int64_t groups = integerAttribute(node, "group", 1);
  if (groups < 1 || weights.shape[0] % groups)
    return "its groups do not divide its channels";
  weights = transpose(weights, {0, 2, 3, 1});
  ArrayRef<int64_t> filter = weights.shape;
  int64_t channels = filter[0];
  Value image =
      argument({1, filter[1], filter[2], filter[3] * groups}, isSigned);
  Value codes = weightCodes(weights);
  auto type =
      RankedTensorType::get({1, 1, 1, channels}, sumType(b.getContext()));
  Conv2DOp::create(b, type, image, codes, Value(), ArrayRef<int64_t>{1, 1},
                   ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{0, 0, 0, 0},
                   groups, ScheduleAttr());
  return "";
}

std::string Reader::emitProduct(const onnx::NodeProto &node, Tensor weights,
                                bool isSigned) {
  if (weights.shape.size() != 2)
    return "its weights have shape " + shapeText(weights.shape) +
           ", which is not read";
  if (integerAttribute(node, "transB", 0) == 0)
    weights = transpose(weights, {1, 0});
  Value row = argument({1, weights.shape[1]}, isSigned);
  Value codes = weightCodes(weights);
  auto type =
      RankedTensorType::get({1, weights.shape[0]}, sumType(b.getContext()));
  MatmulOp::create(b, type, row, codes, Value(), ScheduleAttr());
  return "";
}

void Reader::read(const onnx::NodeProto &node) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.has_g() || attribute.graphs_size()) {
      result.layers.push_back(
          {nameOfNode(node), node.op_type(), "its subgraphs are not read"});
      return;
    }
  std::optional<Operands> operands = integerOperands(node.op_type());
  if (!operands)
    operands = dequantized(node);
  if (!operands) {
    if (isOpaque(node.op_type()))
      result.layers.push_back(
          {nameOfNode(node), node.op_type(),
           "the operator " + node.op_type() + " is not read"});
    return;
  }
  Location loc = b.getLoc();
  b.setLoc(NameLoc::get(b.getStringAttr(nameOfNode(node)), loc));
  std::string reason = emit(node, *operands);
  b.setLoc(loc);
  bool isUnsigned = !reason.empty() && hasUnsignedWeights(node, *operands);
  result.layers.push_back(
      {nameOfNode(node), node.op_type(), std::move(reason), isUnsigned});
}

ByteLayers Reader::run() {
  for (const onnx::TensorProto &tensor : graph.initializer())
    initializers.try_emplace(tensor.name(), &tensor);
  for (const onnx::NodeProto &node : graph.node())
    for (const std::string &output : node.output())
      producers.try_emplace(output, &node);
  result.module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToEnd(result.module->getBody());
  auto function = func::FuncOp::create(b, "main", b.getFunctionType({}, {}));
  entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  for (const onnx::NodeProto &node : graph.node())
    read(node);
  func::ReturnOp::create(b);
  function.setFunctionType(
      b.getFunctionType(entry->getArgumentTypes(), TypeRange()));
  return std::move(result);
}

ByteLayers a2q::importONNXByteLayers(llvm::MemoryBufferRef buffer,
                                     MLIRContext *context) {
  context->loadDialect<A2QDialect, arith::ArithDialect, func::FuncDialect,
                       quant::QuantDialect>();
  StringRef path = buffer.getBufferIdentifier(), bytes = buffer.getBuffer();
  onnx::ModelProto model;
  bool parsed = false;
  {
    google::protobuf::LogSilencer silence;
    parsed = bytes.size() <= INT32_MAX &&
             model.ParseFromArray(bytes.data(), bytes.size());
  }
  if (!parsed || !model.has_graph()) {
    emitError(FileLineColLoc::get(context, path, 0, 0))
        << "is not an ONNX model, or is truncated";
    return {};
  }
  return Reader(model.graph(), path, context).run();
}

ByteLayers a2q::importONNXByteLayers(StringRef path, MLIRContext *context) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    emitError(FileLineColLoc::get(context, path, 0, 0))
        << "cannot be read: " << buffer.getError().message();
    return {};
  }
  return importONNXByteLayers((*buffer)->getMemBufferRef(), context);
}
