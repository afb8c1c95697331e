//===- Importer.cpp - From ONNX nodes to operations -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "Names.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

LogicalResult Importer::importConstant(const Node &node) {
  if (node.proto->attribute_size() != 1)
    return node.emitError()
           << "has " << node.proto->attribute_size() << " values, expected one";
  const onnx::AttributeProto &attribute = node.proto->attribute(0);
  Tensor tensor;
  if (attribute.type() == onnx::AttributeProto::TENSOR) {
    FailureOr<Tensor> read = readTensor(attribute.t(), graph.directory(), [&] {
      InFlightDiagnostic diagnostic = node.emitError();
      diagnostic << "its value ";
      return diagnostic;
    });
    if (failed(read))
      return failure();
    tensor = std::move(*read);
  } else if (attribute.type() == onnx::AttributeProto::FLOAT ||
             attribute.type() == onnx::AttributeProto::FLOATS) {
    tensor.floats.assign(attribute.floats().begin(), attribute.floats().end());
    if (attribute.type() == onnx::AttributeProto::FLOAT)
      tensor.floats = {attribute.f()};
    else
      tensor.shape = {attribute.floats_size()};
  } else {
    tensor.type = ElementType::Int64;
    tensor.ints.assign(attribute.ints().begin(), attribute.ints().end());
    if (attribute.type() == onnx::AttributeProto::INT)
      tensor.ints = {attribute.i()};
    else
      tensor.shape = {attribute.ints_size()};
  }
  define(node, constantOf(std::move(tensor)));
  return success();
}

LogicalResult Importer::importIdentity(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  if (node.hasInput(2)) { // of Dropout
    auto trains = constantInput(node, 2, "training_mode");
    if (failed(trains))
      return failure();
    if ((*trains)->type != ElementType::Bool || (*trains)->size() != 1 ||
        (*trains)->ints.front() != 0)
      return node.emitInputError(2) << "asks for training, it must be false";
  }
  define(node, **input);
  return success();
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Known Importer::constantOf(Tensor tensor) {
  Known known(Known::Constant, tensor.shape);
  if (auto format = integerFormat(tensor.type))
    known.format = {tensor.type, format->range()};
  known.constant = std::make_shared<Tensor>(std::move(tensor));
  return known;
}

/// Initializers are read when they are first used.
FailureOr<Known *> Importer::lookup(const Node &node, unsigned index) {
  StringRef name = node.input(index);
  std::unique_ptr<Known> &known = values[name];
  if (known && known->blocks)
    *known = constantOf(known->blocks->reals());
  if (known)
    return known.get();
  const onnx::TensorProto *initializer = graph.initializer(name);
  if (!initializer) {
    node.emitInputError(index) << "is not defined";
    return failure();
  }
  FailureOr<Tensor> tensor = readTensor(*initializer, graph.directory(), [&] {
    return node.emitInputError(index);
  });
  if (failed(tensor))
    return failure();
  known = std::make_unique<Known>(constantOf(std::move(*tensor)));
  // From here on its elements are held once.
  graph.release(name);
  return known.get();
}

FailureOr<std::shared_ptr<const Tensor>>
Importer::constantInput(const Node &node, unsigned index, StringRef what) {
  FailureOr<Known *> known = lookup(node, index);
  if (failed(known))
    return failure();
  if ((*known)->kind != Known::Constant) {
    node.emitInputError(index)
        << "is computed, the " << what << " must be constant";
    return failure();
  }
  return (*known)->constant;
}

LogicalResult Importer::checkSize(const Node &node, ArrayRef<int64_t> shape) {
  std::optional<int64_t> count = elementCount(shape);
  if (count && *count > 0)
    return success();
  return node.emitError()
         << "its result has shape " << shapeText(shape)
         << ", sizes must be positive and their product at most 2^31";
}

void Importer::define(const Node &node, Known known, unsigned output) {
  if (output >= static_cast<unsigned>(node.proto->output_size()) ||
      node.proto->output(output).empty())
    return;
  known.loc = node.loc;
  values[node.proto->output(output)] =
      std::make_unique<Known>(std::move(known));
}

/// Large constants go with their last reader: weights are in the module then.
void Importer::releaseInputs(const Node &node) {
  constexpr int64_t kLarge = 1 << 12;
  for (const std::string &input : node.proto->input()) {
    auto known = values.find(input);
    if (--uses[input] == 0 && known != values.end() && known->second &&
        known->second->isConstant() &&
        elementCount(known->second->shape).value_or(0) > kLarge &&
        !graph.returns(input))
      values.erase(known);
  }
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

Importer::Importer(Graph &graph, const ImportOptions &options,
                   MLIRContext *context)
    : graph(graph), options(options), b(graph.loc(), context) {}

/// Named shapes go to their inputs, the others to those left in the file's
/// order.
LogicalResult Importer::assignShapes() {
  SmallVector<StringRef> inputs;
  for (const onnx::ValueInfoProto &input : graph.proto().input())
    if (!graph.initializer(input.name()))
      inputs.push_back(input.name());
  auto error = [&] { return emitError(graph.loc()); };
  for (const InputShape &shape : options.shapes) {
    if (shape.name.empty())
      continue;
    if (!llvm::is_contained(inputs, shape.name)) {
      InFlightDiagnostic diagnostic = error();
      diagnostic << "has no input '" << shape.name
                 << "' that could be given a shape; it has ";
      llvm::interleaveComma(inputs, diagnostic);
      return diagnostic;
    }
    if (!wantedShapes.try_emplace(shape.name, shape.sizes).second)
      return error() << "is given two shapes for input '" << shape.name << "'";
  }
  const auto *next = inputs.begin();
  for (const InputShape &shape : options.shapes) {
    if (!shape.name.empty())
      continue;
    while (next != inputs.end() && wantedShapes.count(*next))
      ++next;
    if (next == inputs.end())
      return error() << "has " << inputs.size()
                     << " inputs, more shapes were given";
    wantedShapes[*next] = shape.sizes;
  }
  return success();
}

/// An open first dimension is the batch; other open sizes must be given. Some
/// writers say -1 for an open size.
FailureOr<SmallVector<int64_t>>
Importer::inputShape(const onnx::ValueInfoProto &input) {
  auto error = [&]() -> InFlightDiagnostic {
    return emitError(graph.loc()) << "input '" << input.name() << "' ";
  };
  const auto &type = input.type().tensor_type();
  auto found = wantedShapes.find(input.name());
  std::optional<ArrayRef<int64_t>> wanted;
  if (found != wantedShapes.end())
    wanted = found->second;
  SmallVector<int64_t> shape;
  if (!input.type().has_tensor_type() || !type.has_shape()) {
    if (!wanted || !input.type().has_tensor_type()) {
      error() << "has no known shape";
      return failure();
    }
    shape.assign(wanted->begin(), wanted->end());
  }
  if (wanted && type.has_shape() &&
      static_cast<int>(wanted->size()) != type.shape().dim_size()) {
    if (!options.prefersFileShapes) {
      error() << "has rank " << type.shape().dim_size() << ", the shape "
              << shapeText(*wanted) << " was asked for";
      return failure();
    }
    wanted = std::nullopt;
  }
  for (const auto &dim : type.shape().dim()) {
    size_t index = shape.size();
    bool isBatch = index == 0;
    std::optional<int64_t> asked;
    if (wanted)
      asked = (*wanted)[index];
    else if (isBatch)
      asked = options.batch;
    if (dim.has_dim_value() && dim.dim_value() != -1) {
      if (asked && *asked != dim.dim_value() && !options.prefersFileShapes) {
        error() << "has "
                << (isBatch ? "a fixed batch of " : "a fixed size of ")
                << dim.dim_value()
                << (isBatch ? ", a batch of " : ", a size of ") << *asked
                << " was asked for";
        return failure();
      }
      shape.push_back(dim.dim_value());
    } else if (asked || isBatch) {
      shape.push_back(asked.value_or(1));
    } else {
      InFlightDiagnostic diagnostic = error();
      diagnostic << "has an unknown size in dimension " << index
                 << ", only the batch (dimension 0) may be left open";
      diagnostic.attachNote()
          << "say --shape=" << input.name() << "=SIZES, SIZES such as 1x3x8x8";
      return failure();
    }
  }
  std::optional<int64_t> count = elementCount(shape);
  if (!count || *count == 0) {
    error() << "has shape " << shapeText(shape)
            << ", sizes must be positive and their product at most 2^31";
    return failure();
  }
  return shape;
}

LogicalResult Importer::defineInputs() {
  if (failed(assignShapes()))
    return failure();
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  SmallVector<std::pair<StringRef, std::unique_ptr<Known>>> inputs;
  for (const onnx::ValueInfoProto &input : graph.proto().input()) {
    if (graph.initializer(input.name()))
      continue;
    FailureOr<SmallVector<int64_t>> shape = inputShape(input);
    if (failed(shape))
      return failure();
    auto type =
        static_cast<ElementType>(input.type().tensor_type().elem_type());
    auto format = integerFormat(type);
    bool isTruth = type == ElementType::Bool;
    bool isCode = format && (format->bits >= 8 || isTruth);
    if (type != ElementType::Float && !isCode)
      return emitError(graph.loc()) << "input '" << input.name()
                                    << "' has element type " << toString(type)
                                    << "; supported are FLOAT, BOOL, UINT8, "
                                       "UINT16 and signed integers "
                                       "of 8 to 64 bits";
    auto known = std::make_unique<Known>(
        Known{isCode ? Known::Codes : Known::Real, *shape});
    if (isCode)
      known->format = {type, format->range()};
    Type element = isCode ? Type(b.getIntegerType(known->format.storageBits()))
                          : Type(b.getF32Type());
    types.push_back(RankedTensorType::get(*shape, element));
    attributes.push_back(interfaceAttributes(
        input.name(), isCode && !format->isSigned, isTruth));
    inputs.emplace_back(input.name(), std::move(known));
  }
  auto function = func::FuncOp::create(b, "main", b.getFunctionType(types, {}));
  function.setAllArgAttrs(attributes);
  b.setInsertionPointToStart(function.addEntryBlock());
  for (auto [argument, input] : llvm::zip(function.getArguments(), inputs)) {
    input.second->layouts.plain = argument;
    values[input.first] = std::move(input.second);
  }
  return success();
}

/// Truth values are bytes of 0 or 1.
DictionaryAttr Importer::interfaceAttributes(StringRef name, bool isUnsigned,
                                             bool isTruth) {
  SmallVector<NamedAttribute> attributes = {
      b.getNamedAttr(A2QDialect::getNameAttrName(), b.getStringAttr(name))};
  if (isUnsigned)
    attributes.push_back(
        b.getNamedAttr(A2QDialect::getUnsignedAttrName(), b.getUnitAttr()));
  if (isTruth)
    attributes.push_back(b.getNamedAttr(A2QDialect::getRangeAttrName(),
                                        b.getI64ArrayAttr({0, 1})));
  return b.getDictionaryAttr(attributes);
}

/// Outputs are codes or real numbers, in ONNX's layout.
LogicalResult Importer::returnOutputs() {
  SmallVector<Value> results;
  SmallVector<DictionaryAttr> attributes;
  for (const onnx::ValueInfoProto &output : graph.proto().output()) {
    std::unique_ptr<Known> &known = values[output.name()];
    if (!known || known->isConstant())
      return emitError(graph.loc())
             << "output '" << output.name()
             << "' is constant; supported are outputs that depend on an input";
    Known *returned = known.get();
    bool isCode = known->kind == Known::Codes;
    if (isCode && integerFormat(known->format.type)->bits < 8 &&
        known->format.type != ElementType::Bool)
      return emitError(graph.loc())
             << "output '" << output.name() << "' has element type "
             << toString(known->format.type)
             << "; supported are FLOAT, BOOL, UINT8, UINT16 and signed "
                "integers "
                "of 8 to 64 bits";
    if (!isCode)
      returned = emitReal(*known);
    results.push_back(storage(get(*returned, Layout::Plain)));
    attributes.push_back(
        interfaceAttributes(output.name(), isCode && !known->format.isSigned(),
                            isCode && known->format.type == ElementType::Bool));
  }
  auto function = cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
  func::ReturnOp::create(b, results);
  function.setFunctionType(
      b.getFunctionType(function.getArgumentTypes(), ValueRange(results)));
  function.setAllResultAttrs(attributes);
  return success();
}

/// What no size of an input would mend is said first.
LogicalResult Importer::defineInputsOrReport() {
  if (graph.refusals.empty())
    return defineInputs();
  {
    ScopedDiagnosticHandler quiet(b.getContext(),
                                  [](Diagnostic &) { return success(); });
    if (succeeded(defineInputs()))
      return success();
  }
  return graph.reportRefusals();
}

LogicalResult Importer::importNode(const Node &node) {
  FailureOr<bool> folded = fold(node);
  if (failed(folded) || *folded)
    return success(succeeded(folded));
  return (this->*node.op->import)(node);
}

OwningOpRef<ModuleOp> Importer::run() {
  module = ModuleOp::create(b, graph.loc());
  b.setInsertionPointToStart(module->getBody());
  if (failed(defineInputsOrReport()))
    return nullptr;
  Block *body = b.getInsertionBlock();
  for (const Node &node : graph.nodes())
    for (const std::string &input : node.proto->input())
      ++uses[input];
  for (const Node &node : graph.nodes()) {
    if (!graph.refusals.passesOver(node)) {
      b.setLoc(node.loc);
      b.setInsertionPointToEnd(body);
      if (failed(
              graph.refusals.attempt(node, [&] { return importNode(node); })))
        for (const std::string &output : node.proto->output())
          values.erase(output);
    }
    releaseInputs(node);
  }
  if (!graph.refusals.empty()) {
    (void)graph.reportRefusals();
    return nullptr;
  }
  b.setLoc(graph.loc());
  if (failed(returnOutputs()) || failed(verify(*module)))
    return nullptr;
  return std::move(module);
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

llvm::Expected<InputShape> InputShape::parse(StringRef text) {
  InputShape shape;
  StringRef sizes = text;
  if (size_t end = text.rfind('='); end != StringRef::npos) {
    shape.name = text.take_front(end).str();
    sizes = text.drop_front(end + 1);
  }
  SmallVector<StringRef> parts;
  if (!sizes.empty())
    sizes.split(parts, 'x');
  for (StringRef part : parts) {
    int64_t size = 0;
    if (part.getAsInteger(10, size) || size < 1)
      return llvm::createStringError(
          "the shape '" + text +
          "' must be [NAME=] and positive sizes with x "
          "between them, such as 1x3x48x480");
    shape.sizes.push_back(size);
  }
  return shape;
}

/// Names are text of the file: what would end a line or steer a terminal is
/// shown, not sent.
static void escapeNames(Diagnostic &diagnostic) {
  MLIRContext *context = diagnostic.getLocation().getContext();
  for (DiagnosticArgument &argument : diagnostic.getArguments())
    if (argument.getKind() ==
        DiagnosticArgument::DiagnosticArgumentKind::String) {
      StringRef text = argument.getAsString();
      if (std::string shown = escapeControls(text); shown != text)
        argument =
            DiagnosticArgument(StringAttr::get(context, shown).getValue());
    }
}

/// `buffer` is not read once the graph is.
static OwningOpRef<ModuleOp>
importGraph(llvm::MemoryBufferRef bytes,
            std::unique_ptr<llvm::MemoryBuffer> buffer, MLIRContext *context,
            const ImportOptions &options) {
  context->loadDialect<A2QDialect, arith::ArithDialect, func::FuncDialect,
                       linalg::LinalgDialect, quant::QuantDialect,
                       tensor::TensorDialect, tosa::TosaDialect>();
  // Operands are looked at together, and two of them may be wrong.
  bool isRefused = false;
  ScopedDiagnosticHandler onlyFirst(context, [&](Diagnostic &diagnostic) {
    escapeNames(diagnostic);
    for (Diagnostic &note : diagnostic.getNotes())
      escapeNames(note);
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return failure();
    return success(std::exchange(isRefused, true));
  });
  std::string path = bytes.getBufferIdentifier().str();
  if (options.batch && *options.batch < 1) {
    emitError(FileLineColLoc::get(context, path, 0, 0))
        << "a batch of " << *options.batch
        << " was asked for, it is at least 1";
    return nullptr;
  }
  FailureOr<std::unique_ptr<Graph>> graph =
      Graph::read(bytes.getBuffer(), path, context);
  if (failed(graph))
    return nullptr;
  buffer.reset();
  return Importer(**graph, options, context).run();
}

OwningOpRef<ModuleOp> a2q::importONNX(llvm::MemoryBufferRef buffer,
                                      MLIRContext *context,
                                      const ImportOptions &options) {
  return importGraph(buffer, nullptr, context, options);
}

OwningOpRef<ModuleOp> a2q::importONNX(StringRef path, MLIRContext *context,
                                      const ImportOptions &options) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    emitError(FileLineColLoc::get(context, path, 0, 0))
        << "cannot be read: " << buffer.getError().message();
    return nullptr;
  }
  llvm::MemoryBufferRef bytes = (*buffer)->getMemBufferRef();
  return importGraph(bytes, std::move(*buffer), context, options);
}

void a2q::registerONNXImport() {
  static llvm::cl::list<std::string> shapes(
      "shape", llvm::cl::desc("Shape of an input that the file leaves open"),
      llvm::cl::value_desc("[NAME=]1x3x48x480"));
  static llvm::cl::opt<int64_t> batch(
      "batch", llvm::cl::desc("Size of a symbolic batch dimension (1)"),
      llvm::cl::value_desc("N"));
  TranslateToMLIRRegistration registration(
      "import-onnx", "Import an ONNX model, quantized or float",
      [](llvm::SourceMgr &sources, MLIRContext *context) {
        ImportOptions options;
        if (batch.getNumOccurrences())
          options.batch = batch;
        for (StringRef text : shapes) {
          llvm::Expected<InputShape> shape = InputShape::parse(text);
          if (!shape) {
            emitError(UnknownLoc::get(context))
                << llvm::toString(shape.takeError());
            return OwningOpRef<Operation *>();
          }
          options.shapes.push_back(std::move(*shape));
        }
        const llvm::MemoryBuffer *buffer =
            sources.getMemoryBuffer(sources.getMainFileID());
        OwningOpRef<ModuleOp> module =
            importONNX(buffer->getMemBufferRef(), context, options);
        return OwningOpRef<Operation *>(module ? module.release().getOperation()
                                               : nullptr);
      });
}
