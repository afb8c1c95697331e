//===- Export.cpp - Networks to ONNX --------------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

#include "a2q/IR/QuantTypes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// The oldest version with all that is written here: Clip of bytes, per-channel
/// DequantizeLinear.
static constexpr int64_t opsetVersion = 13, irVersion = 8;
/// The oldest one that quantizes to 16 bits.
static constexpr int64_t wordsVersion = 21, wordsIrVersion = 10;

/// [N, H, W, C] to [N, C, H, W], and back.
static constexpr int64_t toChannelsFirst[] = {0, 3, 1, 2};
static constexpr int64_t toChannelsLast[] = {0, 2, 3, 1};

//===----------------------------------------------------------------------===//
// Names and nodes
//===----------------------------------------------------------------------===//

std::string Exporter::addConstant(StringRef hint, const Tensor &tensor) {
  onnx::TensorProto *added = appendConstant(*graph, names, hint, tensor);
  shapes[added->name()] = {added->data_type(),
                           llvm::to_vector_of<int64_t>(tensor.shape)};
  return added->name();
}

std::string Exporter::addInteger(ElementType type, int64_t value) {
  Tensor tensor;
  tensor.type = type;
  tensor.ints = {value};
  return addConstant("number", tensor);
}

std::string Exporter::addReal(float value) {
  Tensor tensor;
  tensor.floats = {value};
  return addConstant("number", tensor);
}

onnx::NodeProto &Exporter::addNode(StringRef op, ArrayRef<std::string> inputs) {
  std::string hint = layer.empty() ? op.str() : layer + "_" + op.str();
  return *appendNode(*graph, names, op, inputs, hint);
}

std::string Exporter::addTranspose(const std::string &value,
                                   ArrayRef<int64_t> permutation) {
  onnx::NodeProto &node = addNode("Transpose", value);
  addAttribute(node, "perm", permutation);
  return node.output(0);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

std::optional<std::vector<float>>
frontend::realElements(ElementsAttr elements) {
  if (auto dense = dyn_cast_or_null<DenseElementsAttr>(elements);
      dense && dense.getElementType().isF32())
    return std::vector<float>(dense.value_begin<float>(),
                              dense.value_end<float>());
  auto resource = dyn_cast_or_null<DenseF32ResourceElementsAttr>(elements);
  std::optional<ArrayRef<float>> reals =
      resource ? resource.tryGetAsArrayRef() : std::nullopt;
  if (!reals)
    return std::nullopt;
  return std::vector<float>(reals->begin(), reals->end());
}

static std::optional<ElementType> elementTypeOf(Type type, bool isUnsigned) {
  if (auto quantized = dyn_cast<quant::QuantizedType>(type))
    return elementTypeOf(
        IntegerType::get(type.getContext(),
                         quantized.getStorageTypeIntegralWidth() <= 8 ? 8 : 16),
        !quantized.isSigned());
  if (type.isF32())
    return ElementType::Float;
  if (type.isInteger(8))
    return isUnsigned ? ElementType::UInt8 : ElementType::Int8;
  if (type.isInteger(16))
    return isUnsigned ? ElementType::UInt16 : ElementType::Int16;
  if (type.isInteger(32) && !isUnsigned)
    return ElementType::Int32;
  if (type.isInteger(64) && !isUnsigned)
    return ElementType::Int64;
  return std::nullopt;
}

static bool isConstant(Operation *op) {
  return op->getNumOperands() == 0 && matchPattern(op, m_Constant());
}

void Exporter::define(Value value, ElementType type, Form form,
                      std::string name) {
  Known &known = values[value];
  known.type = type;
  SmallVector<int64_t> dims(cast<RankedTensorType>(value.getType()).getShape());
  if (form == Form::ChannelsFirst)
    dims = {dims[0], dims[3], dims[1], dims[2]};
  shapes[name] = {static_cast<int32_t>(type), dims};
  known.names[static_cast<int>(form)] = std::move(name);
}

LogicalResult Exporter::exportConstant(Value value, Form form) {
  auto type = cast<RankedTensorType>(value.getType());
  ElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return emitError(value.getLoc())
           << "is nothing that the exported graph has; this is a fault of the "
              "exporter";
  std::optional<ElementType> kind =
      elementTypeOf(type.getElementType(), /*isUnsigned=*/false);
  if (!kind)
    return emitError(value.getLoc())
           << "a constant of " << type << " cannot be exported";
  Tensor tensor;
  tensor.type = *kind;
  tensor.shape = llvm::to_vector(type.getShape());
  if (tensor.isFloat()) {
    std::optional<std::vector<float>> reals = realElements(elements);
    if (!reals)
      return emitError(value.getLoc())
             << "a constant whose elements are elsewhere cannot be exported";
    tensor.floats = std::move(*reals);
  } else {
    FailureOr<SmallVector<int64_t>> integers = integerElements(elements);
    if (failed(integers))
      return emitError(value.getLoc())
             << "a constant whose elements are elsewhere cannot be exported";
    tensor.ints.assign(integers->begin(), integers->end());
  }
  if (form == Form::ChannelsFirst)
    tensor = transpose(tensor, toChannelsFirst);
  define(value, *kind, form, addConstant("constant", tensor));
  return success();
}

FailureOr<std::string> Exporter::nameOf(Value value, Form form) {
  auto isMissing = [&] {
    return !values.contains(value) ||
           values[value].names[static_cast<int>(form)].empty();
  };
  Operation *producer = value.getDefiningOp();
  bool isNew = !values.contains(value) || (producer && isConstant(producer));
  if (isNew && isMissing() && failed(exportConstant(value, form)))
    return failure();
  Known &known = values[value];
  std::string &name = known.names[static_cast<int>(form)];
  if (name.empty())
    name = form == Form::Plain ? addTranspose(known.names[1], toChannelsLast)
                               : addTranspose(known.names[0], toChannelsFirst);
  return name;
}

FailureOr<ElementType> Exporter::typeOf(Value value) {
  if (!values.contains(value) && failed(exportConstant(value, Form::Plain)))
    return failure();
  return values[value].type;
}

Exporter::Form Exporter::formOf(ValueRange operands) const {
  bool isAsked = false;
  for (Value operand : operands) {
    if (cast<RankedTensorType>(operand.getType()).getRank() != 4)
      return Form::Plain;
    auto known = values.find(operand);
    isAsked |= known != values.end() && known->second.names[0].empty();
  }
  return isAsked ? Form::ChannelsFirst : Form::Plain;
}

//===----------------------------------------------------------------------===//
// The graph
//===----------------------------------------------------------------------===//

/// Whether anything is quantized to more than 8 bits.
static bool hasWords(func::FuncOp entry) {
  return entry
      .walk([](Operation *op) {
        bool any = llvm::any_of(op->getResultTypes(), [](Type type) {
          quant::QuantizedType quantized = getQuantizedType(type);
          return quantized && quantized.getStorageTypeIntegralWidth() > 8;
        });
        return any ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

Exporter::Exporter(func::FuncOp entry, ONNXForm target)
    : entry(entry), target(target) {
  bool isNewer = target == ONNXForm::QDQ && hasWords(entry);
  opset = isNewer ? wordsVersion : opsetVersion;
  model.set_ir_version(isNewer ? wordsIrVersion : irVersion);
  model.set_producer_name("a2q");
  model.add_opset_import()->set_version(opset);
  if (target == ONNXForm::QONNX) {
    onnx::OperatorSetIdProto &quant = *model.add_opset_import();
    quant.set_domain(quantDomain.str());
    quant.set_version(1);
  }
  graph = model.mutable_graph();
  graph->set_name(entry.getName().str());
}

static void describe(onnx::ValueInfoProto &info, const std::string &name,
                     const ValueShape &shape) {
  info.set_name(name);
  auto &tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(shape.type);
  for (int64_t size : shape.dims)
    tensor.mutable_shape()->add_dim()->set_dim_value(size);
}

/// Of the attribute `a2q.name`, or one made of the number.
static std::string interfaceName(DictionaryAttr attributes, Twine otherwise) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>(A2QDialect::getNameAttrName()))
      return name.str();
  return otherwise.str();
}

LogicalResult Exporter::exportInterface() {
  // The interface keeps its names, whatever nodes are called.
  auto take = [&](const std::string &name) -> LogicalResult {
    if (name.empty())
      return emitError(entry.getLoc())
             << "the name of an input or output is empty, which in ONNX means "
                "that it is absent";
    if (!names.insert(name).second)
      return emitError(entry.getLoc())
             << "the name '" << name << "' is that of two inputs or outputs";
    return success();
  };
  for (unsigned i = 0; i < entry.getNumResults(); ++i)
    if (failed(take(
            interfaceName(entry.getResultAttrDict(i), "output" + Twine(i)))))
      return failure();
  for (BlockArgument argument : entry.getArguments()) {
    unsigned number = argument.getArgNumber();
    DictionaryAttr attributes = entry.getArgAttrDict(number);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    bool isUnsigned =
        attributes && attributes.contains(A2QDialect::getUnsignedAttrName());
    std::optional<ElementType> kind =
        type ? elementTypeOf(type.getElementType(), isUnsigned) : std::nullopt;
    if (!kind || !type.hasStaticShape())
      return emitError(entry.getLoc())
             << "argument " << number << " of type " << argument.getType()
             << " cannot be exported";
    std::string name = interfaceName(attributes, "input" + Twine(number));
    if (failed(take(name)))
      return failure();
    define(argument, *kind, Form::Plain, name);
    describe(*graph->add_input(), name, shapes[name]);
  }
  return success();
}

void Exporter::describeValues() {
  llvm::StringSet<> described;
  for (const onnx::ValueInfoProto &output : graph->output())
    described.insert(output.name());
  for (const onnx::NodeProto &node : graph->node()) {
    const std::string &name = node.output(0);
    if (!shapes.contains(name))
      if (std::optional<ValueShape> shape = shapeOfNode(node, shapes, sizes))
        shapes[name] = *shape;
    if (shapes.contains(name) && described.insert(name).second)
      describe(*graph->add_value_info(), name, shapes[name]);
  }
}

FailureOr<std::string> Exporter::run() {
  if (failed(exportInterface()))
    return failure();
  Block &body = entry.getBody().front();
  for (Operation &op : body.without_terminator())
    if (failed(exportOp(&op)))
      return failure();
  layer.clear();
  for (auto [index, value] :
       llvm::enumerate(body.getTerminator()->getOperands())) {
    FailureOr<std::string> name = nameOf(value, Form::Plain);
    if (failed(name))
      return failure();
    std::string output =
        interfaceName(entry.getResultAttrDict(index), "output" + Twine(index));
    // Codes that are reals here would not be what the network returns.
    if (*typeOf(value) == ElementType::Float &&
        !cast<RankedTensorType>(value.getType()).getElementType().isF32())
      return entry.emitError()
             << "result " << index << " is codes, which QONNX does not have";
    onnx::NodeProto &node = addNode("Identity", *name);
    node.set_output(0, output);
    shapes[output] = {
        static_cast<int32_t>(*typeOf(value)),
        llvm::to_vector(cast<RankedTensorType>(value.getType()).getShape())};
    describe(*graph->add_output(), output, shapes[output]);
  }
  describeValues();
  if (model.ByteSizeLong() > INT32_MAX) {
    emitError(entry.getLoc())
        << "is larger than the 2 GiB that one ONNX file can have";
    return failure();
  }
  return model.SerializeAsString();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult Exporter::exportOp(Operation *op) {
  layer.clear();
  if (auto name = dyn_cast<NameLoc>(op->getLoc()))
    layer = name.getName().str();
  for (Type type : op->getResultTypes())
    if (auto shaped = dyn_cast<ShapedType>(type);
        shaped && !shaped.hasStaticShape())
      return op->emitError() << "gives " << type
                             << ", whose sizes are not known; only static "
                                "shapes can be exported";
  if (isa<arith::ExtSIOp, arith::ExtUIOp, arith::SubIOp, arith::TruncIOp>(op) &&
      feedsProduct(op))
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      // Those that read them export them.
      .Case<Conv2DOp, MatmulOp, DecodeOp, tensor::EmptyOp, linalg::FillOp,
            tosa::ConstShapeOp>([](auto) { return success(); })
      .Case([&](quant::StorageCastOp op) { return exportCast(op); })
      .Case([&](QuantizeOp op) { return exportQuantize(op); })
      .Case([&](DequantizeOp op) { return exportDequantize(op); })
      .Case([&](RequantizeOp op) { return exportRequantize(op); })
      .Case([&](linalg::GenericOp op) { return exportGeneric(op); })
      .Case([&](linalg::TransposeOp op) {
        return exportTranspose(op.getInput(), op->getResult(0),
                               op.getPermutation());
      })
      .Case([&](tosa::TransposeOp op) {
        SmallVector<int64_t> permutation(op.getPerms().begin(),
                                         op.getPerms().end());
        return exportTranspose(op.getInput1(), op, permutation);
      })
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
          [&](auto op) { return exportReshape(op.getSrc(), op); })
      .Case(
          [&](tosa::ReshapeOp op) { return exportReshape(op.getInput1(), op); })
      .Case([&](tosa::ClampOp op) { return exportClamp(op); })
      .Case([&](tosa::ConcatOp op) { return exportConcat(op); })
      .Case([&](tosa::MatMulOp op) {
        return exportPlain(op, "MatMul", {op.getA(), op.getB()});
      })
      .Case([&](tosa::AddOp op) { return exportElementwise(op, "Add"); })
      .Case([&](tosa::SubOp op) { return exportElementwise(op, "Sub"); })
      .Case([&](tosa::MulOp op) { return exportElementwise(op, "Mul"); })
      .Case(
          [&](tosa::SigmoidOp op) { return exportElementwise(op, "Sigmoid"); })
      .Case([&](tosa::TanhOp op) { return exportElementwise(op, "Tanh"); })
      .Case([&](tosa::ExpOp op) { return exportElementwise(op, "Exp"); })
      .Case([&](tosa::ReciprocalOp op) {
        return exportElementwise(op, "Reciprocal");
      })
      .Case([&](tosa::AbsOp op) { return exportElementwise(op, "Abs"); })
      .Case([&](tosa::CeilOp op) { return exportElementwise(op, "Ceil"); })
      .Case([&](tosa::CosOp op) { return exportElementwise(op, "Cos"); })
      .Case([&](tosa::ErfOp op) { return exportElementwise(op, "Erf"); })
      .Case([&](tosa::FloorOp op) { return exportElementwise(op, "Floor"); })
      .Case([&](tosa::LogOp op) { return exportElementwise(op, "Log"); })
      .Case([&](tosa::MaximumOp op) { return exportElementwise(op, "Max"); })
      .Case([&](tosa::MinimumOp op) { return exportElementwise(op, "Min"); })
      .Case([&](tosa::PowOp op) { return exportElementwise(op, "Pow"); })
      .Case([&](tosa::SinOp op) { return exportElementwise(op, "Sin"); })
      .Case([&](tosa::RsqrtOp op) { return exportRsqrt(op); })
      .Case([&](tosa::ReduceSumOp op) {
        return exportReduction(op, "ReduceSum", op.getInput(), op.getAxis());
      })
      .Case([&](tosa::ReduceMaxOp op) {
        return exportReduction(op, "ReduceMax", op.getInput(), op.getAxis());
      })
      .Case([&](tosa::ReduceMinOp op) {
        return exportReduction(op, "ReduceMin", op.getInput(), op.getAxis());
      })
      .Case([&](tosa::ReduceProductOp op) {
        return exportReduction(op, "ReduceProd", op.getInput(), op.getAxis());
      })
      .Case([&](tosa::SliceOp op) { return exportSlice(op); })
      .Case([&](tosa::MaxPool2dOp op) {
        return exportMaxPool(op, op.getInput(), op.getKernel(), op.getStride(),
                             op.getPad());
      })
      .Case([&](linalg::PoolingNhwcMaxOp op) {
        return exportCodePool(op, /*isUnsigned=*/false);
      })
      .Case([&](linalg::PoolingNhwcMaxUnsignedOp op) {
        return exportCodePool(op, /*isUnsigned=*/true);
      })
      .Case([&](tensor::PadOp op) { return exportPad(op); })
      .Case([&](tosa::AvgPool2dOp op) { return exportAveragePool(op); })
      .Case([&](tosa::Conv2DOp op) {
        return exportRealConv(op, op.getInput(), op.getWeight(), op.getBias(),
                              op.getPad(), op.getStride(), op.getDilation(),
                              /*isDepthwise=*/false);
      })
      .Case([&](tosa::DepthwiseConv2DOp op) {
        return exportRealConv(op, op.getInput(), op.getWeight(), op.getBias(),
                              op.getPad(), op.getStride(), op.getDilation(),
                              /*isDepthwise=*/true);
      })
      .Default([&](Operation *op) -> LogicalResult {
        if (isConstant(op))
          return success();
        return op->emitError() << "operation '" << op->getName()
                               << "' cannot be exported to ONNX";
      });
}

//===----------------------------------------------------------------------===//
// Entry point
//===----------------------------------------------------------------------===//

FailureOr<std::string> a2q::exportONNX(func::FuncOp entry, ONNXForm form) {
  if (!entry.getBody().hasOneBlock())
    return entry.emitError() << "has several blocks, and a graph has none";
  // Whatever is refused, the same helps.
  ScopedDiagnosticHandler handler(
      entry.getContext(), [](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
          diagnostic.attachNote()
              << "as MLIR the network can be saved whole; ONNX takes what the "
                 "importer and the quantizer make of quantized networks";
        return failure();
      });
  return Exporter(entry, form).run();
}
