//===- Expand.cpp - Operators that stand for several others ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Expand.h"

#include "Proto.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

ArrayRef<Operator> frontend::macroOperators() {
  using Attributes =
      std::pair<llvm::StringLiteral, onnx::AttributeProto::AttributeType>;
  constexpr auto Int = onnx::AttributeProto::INT;
  constexpr auto Ints = onnx::AttributeProto::INTS;
  constexpr auto Float = onnx::AttributeProto::FLOAT;
  constexpr auto String = onnx::AttributeProto::STRING;
  static const Attributes conv[] = {
      {"auto_pad", String},   {"dilations", Ints}, {"group", Int},
      {"kernel_shape", Ints}, {"pads", Ints},      {"strides", Ints}};
  static const Attributes gemm[] = {
      {"alpha", Float}, {"transA", Int}, {"transB", Int}};
  static const Attributes pool[] = {
      {"auto_pad", String}, {"ceil_mode", Int},     {"count_include_pad", Int},
      {"dilations", Ints},  {"channels_last", Int}, {"kernel_shape", Ints},
      {"pads", Ints},       {"strides", Ints}};
  static const Attributes channelsLast[] = {{"channels_last", Int}};
  static const Attributes axis[] = {{"axis", Int}};
  static const Attributes softmax[] = {{"axis", Int}, {"opset", Int}};
  static const Attributes alpha[] = {{"alpha", Float}};
  static const Attributes mean[] = {{"axes", Ints}, {"keepdims", Int}};
  auto macro = [](llvm::StringLiteral name, unsigned least, unsigned most,
                  LogicalResult (Expander::*expand)(const Node &),
                  ArrayRef<Attributes> attributes = {},
                  llvm::StringLiteral domain = "com.microsoft") {
    return Operator{name, least, most, nullptr, attributes, 1, domain, expand};
  };
  static const Operator operators[] = {
      macro("ConvInteger", 2, 4, &Expander::expandConvInteger, conv, ""),
      macro("DynamicQuantizeMatMul", 3, 5,
            &Expander::expandDynamicQuantizeMatMul),
      macro("MatMulInteger", 2, 4, &Expander::expandMatMulInteger, {}, ""),
      macro("MatMulIntegerToFloat", 4, 7,
            &Expander::expandMatMulIntegerToFloat),
      macro("QGemm", 6, 9, &Expander::expandQGemm, gemm),
      macro("QLinearAdd", 7, 8, &Expander::expandBinary),
      macro("QLinearAveragePool", 4, 5, &Expander::expandUnary, pool),
      macro("QLinearConcat", 5, UINT32_MAX, &Expander::expandQLinearConcat,
            axis),
      macro("QLinearConv", 8, 9, &Expander::expandQLinearConv, conv, ""),
      macro("QLinearGlobalAveragePool", 4, 5, &Expander::expandUnary,
            channelsLast),
      macro("QLinearLeakyRelu", 4, 5, &Expander::expandUnary, alpha),
      macro("QLinearMatMul", 8, 8, &Expander::expandQLinearMatMul, {}, ""),
      macro("QLinearMul", 7, 8, &Expander::expandBinary),
      macro("QLinearReduceMean", 4, 5, &Expander::expandUnary, mean),
      macro("QLinearSigmoid", 4, 5, &Expander::expandUnary),
      macro("QLinearSoftmax", 4, 5, &Expander::expandUnary, softmax),
  };
  return operators;
}

void Graph::expandMacros() { Expander(*this).run(); }

void Expander::run() {
  for (const Node &node : graph.unsorted)
    for (const std::string &output : node.proto->output())
      makers.try_emplace(output, node.proto);
  for (const Node &node : graph.unsorted)
    if (node.op->name == "Constant")
      if (const onnx::AttributeProto *value = node.find("value"))
        constants.try_emplace(node.output(), &value->t());
  for (const Node &node : graph.unsorted) {
    if (!node.op->expand) {
      nodes.push_back(node);
      continue;
    }
    macro = &node;
    size_t before = nodes.size();
    if (failed(graph.refusals.attempt(
            node, [&] { return (this->*node.op->expand)(node); })))
      nodes.resize(before, node);
  }
  graph.unsorted = std::move(nodes);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

const onnx::TensorProto *Expander::constant(StringRef name) const {
  if (const onnx::TensorProto *tensor = graph.initializer(name))
    return tensor;
  return constants.lookup(name);
}

bool Expander::isFixed(StringRef name, unsigned depth) const {
  constexpr unsigned kDeepest = 64;
  if (constant(name))
    return true;
  const onnx::NodeProto *maker = makers.lookup(name);
  return maker && depth < kDeepest &&
         llvm::all_of(
             maker->input(),
             [&](const std::string &input) {
               return input.empty() || isFixed(input, depth + 1);
             });
}

FailureOr<Tensor> Expander::scale(const Node &node, unsigned index) {
  const onnx::TensorProto *proto = constant(node.input(index));
  if (!proto) {
    node.emitInputError(index) << "is computed, the scale must be constant";
    return failure();
  }
  FailureOr<Tensor> tensor = readTensor(
      *proto, graph.directory(), [&] { return node.emitInputError(index); });
  if (failed(tensor))
    return failure();
  if (!tensor->isFloat() || tensor->floats.empty()) {
    node.emitInputError(index)
        << "has type " << toString(tensor->type) << " and shape "
        << shapeText(tensor->shape) << ", a scale is a FLOAT scalar or vector";
    return failure();
  }
  return tensor;
}

/// One zero point beside several scales holds for all of them.
std::string Expander::zeroPoint(const Node &node, unsigned index,
                                unsigned scaleIndex) {
  const onnx::TensorProto *zero = constant(node.input(index));
  const onnx::TensorProto *scale = constant(node.input(scaleIndex));
  if (!zero || !scale || scale->dims_size() != 1 || scale->dims(0) < 2 ||
      zero->dims_size() > 1 || (zero->dims_size() == 1 && zero->dims(0) != 1))
    return node.input(index).str();
  FailureOr<Tensor> one = failure();
  {
    // What is wrong with it is said by whoever reads it as it is.
    ScopedDiagnosticHandler quiet(node.loc.getContext(),
                                  [](Diagnostic &) { return success(); });
    one = readTensor(*zero, graph.directory(),
                     [&] { return node.emitInputError(index); });
  }
  if (failed(one) || one->ints.size() != 1 ||
      integerFormat(one->type)->bits != 8 || scale->dims(0) > kMostChannels)
    return node.input(index).str();
  onnx::TensorProto &proto = ownTensor(zero->data_type(), {scale->dims(0)});
  for (int64_t i = 0; i < scale->dims(0); ++i)
    proto.add_int32_data(one->ints.front());
  return proto.name();
}

std::string Expander::ownName(StringRef base) {
  return (base + kOwnName + Twine(count++)).str();
}

onnx::TensorProto &Expander::ownTensor(int32_t type, ArrayRef<int64_t> shape) {
  onnx::TensorProto &proto = graph.ownTensors.emplace_back();
  proto.set_name(ownName(macro->output()));
  proto.set_data_type(type);
  for (int64_t size : shape)
    proto.add_dims(size);
  graph.initializers[proto.name()] = &proto;
  return proto;
}

std::string Expander::real(ArrayRef<int64_t> shape, ArrayRef<float> values) {
  onnx::TensorProto &proto = ownTensor(onnx::TensorProto::FLOAT, shape);
  for (float value : values)
    proto.add_float_data(value);
  return proto.name();
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

std::string Expander::emit(StringRef op, Inputs inputs, StringRef output) {
  onnx::NodeProto &proto = graph.ownNodes.emplace_back();
  proto.set_op_type(op.str());
  for (StringRef input : inputs)
    proto.add_input(input.str());
  // Errors about what is dequantized name the input.
  StringRef base = op == "DequantizeLinear" ? inputs[0] : macro->output();
  proto.add_output(output.empty() ? ownName(base) : output.str());
  const Operator *found = findOperator(op, "");
  if (!found)
    found = findOperator(op, kOwnDomain);
  assert(found && found->import && "macros become operators that are imported");
  if (op != "QuantizeLinear" && op != "DequantizeLinear")
    for (const onnx::AttributeProto &attribute : macro->proto->attribute())
      if (llvm::any_of(found->attributes, [&](const auto &known) {
            return known.first == attribute.name();
          }))
        *proto.add_attribute() = attribute;
  nodes.push_back({&proto, found, macro->name, macro->loc,
                   StringRef(macro->proto->op_type())});
  return proto.output(0);
}

std::string Expander::dequantized(const Node &node, unsigned index,
                                  StringRef scale, int64_t axis) {
  std::string zeroPoint = this->zeroPoint(node, index + 2, index + 1);
  std::string value =
      emit("DequantizeLinear",
           {node.input(index), scale.empty() ? node.input(index + 1) : scale,
            zeroPoint});
  setAxis(axis);
  return value;
}

void Expander::setAxis(int64_t axis) { addAttribute(last(), "axis", axis); }

void Expander::quantized(const Node &node, StringRef value, unsigned index) {
  emit("QuantizeLinear", {value, node.input(index), node.input(index + 1)},
       node.output());
}

/// INT32 in units of the product of the scales, as float32 has it.
FailureOr<std::string> Expander::bias(const Node &node, unsigned index,
                                      const Tensor &inputScale,
                                      const Tensor &weightScale) {
  if (!node.hasInput(index))
    return std::string();
  std::vector<float> products;
  for (float scale : weightScale.floats)
    products.push_back(inputScale.floats.front() * scale);
  ArrayRef<int64_t> shape = weightScale.shape;
  bool isScalar = products.size() == 1;
  std::string units = real(isScalar ? ArrayRef<int64_t>() : shape, products);
  std::string value = emit("DequantizeLinear", {node.input(index), units});
  setAxis(-1);
  return value;
}

/// Without an output zero point the type of the codes would be a guess.
static LogicalResult checkOutput(const Node &node, unsigned index) {
  if (node.hasInput(index))
    return success();
  return node.emitError() << "input " << index
                          << ", the output's zero point, is missing; it gives "
                             "the type of the codes";
}

static LogicalResult checkChannels(const Node &node) {
  if (node.integer("channels_last", 0) == 0)
    return success();
  return node.emitError()
         << "channels_last is not supported, only channels in dimension 1";
}

//===----------------------------------------------------------------------===//
// Macros
//===----------------------------------------------------------------------===//

/// x, xs, xz, w, ws, wz, ys, yz, bias.
LogicalResult Expander::expandQLinearConv(const Node &node) {
  FailureOr<Tensor> inputScale = scale(node, 1), weightScale = scale(node, 4);
  if (failed(inputScale) || failed(weightScale))
    return failure();
  std::string x = dequantized(node, 0);
  std::string w = dequantized(node, 3);
  auto bias = this->bias(node, 8, *inputScale, *weightScale);
  if (failed(bias))
    return failure();
  quantized(node, emit("Conv", {x, w, *bias}), 6);
  return success();
}

/// a, as, az, b, bs, bz, ys, yz; one scale or one for each column of b.
LogicalResult Expander::expandQLinearMatMul(const Node &node) {
  std::string a = dequantized(node, 0);
  std::string b = dequantized(node, 3, "", -1);
  quantized(node, emit("MatMul", {a, b}), 6);
  return success();
}

/// a, as, az, b, bs, bz, c, ys, yz. alpha is part of the scale of `a`, as in
/// ONNX Runtime's product alpha * as * bs; the result is real without ys.
LogicalResult Expander::expandQGemm(const Node &node) {
  FailureOr<Tensor> inputScale = scale(node, 1), weightScale = scale(node, 4);
  if (failed(inputScale) || failed(weightScale))
    return failure();
  for (float &value : inputScale->floats)
    value *= node.real("alpha", 1);
  std::string a =
      dequantized(node, 0, real(inputScale->shape, inputScale->floats));
  std::string b =
      dequantized(node, 3, "", node.integer("transB", 0) != 0 ? 0 : 1);
  auto bias = this->bias(node, 6, *inputScale, *weightScale);
  if (failed(bias))
    return failure();
  bool isReal = !node.hasInput(7);
  if (!isReal && failed(checkOutput(node, 8)))
    return failure();
  std::string product =
      emit("Gemm", {a, b, *bias}, isReal ? node.output() : "");
  for (onnx::AttributeProto &attribute : *last().mutable_attribute())
    if (attribute.name() == "alpha")
      attribute.set_f(1);
  if (!isReal)
    quantized(node, product, 7);
  return success();
}

/// a, as, az, b, bs, bz, ys, yz.
LogicalResult Expander::expandBinary(const Node &node) {
  if (failed(checkOutput(node, 7)))
    return failure();
  std::string a = dequantized(node, 0);
  std::string b = dequantized(node, 3);
  StringRef op = node.op->name.drop_front(StringRef("QLinear").size());
  quantized(node, emit(op, {a, b}), 6);
  return success();
}

/// x, xs, xz, ys, yz.
LogicalResult Expander::expandUnary(const Node &node) {
  if (failed(checkOutput(node, 4)) || failed(checkChannels(node)))
    return failure();
  if (int64_t opset = node.integer("opset", 13);
      opset < 13 && node.integer("axis", -1) != -1)
    return node.emitError()
           << "axis " << node.integer("axis", -1) << " of operator set "
           << opset << " is not supported, only the last one, -1";
  std::string x = dequantized(node, 0);
  StringRef op = node.op->name.drop_front(StringRef("QLinear").size());
  quantized(node, emit(op, {x}), 3);
  return success();
}

/// ys, yz, and x, xs, xz of each input.
LogicalResult Expander::expandQLinearConcat(const Node &node) {
  if (failed(checkOutput(node, 1)))
    return failure();
  int count = node.proto->input_size();
  if (count % 3 != 2)
    return node.emitError()
           << "has " << count << " inputs, expected 2 and 3 for each part";
  std::vector<std::string> parts;
  for (int index = 2; index < count; index += 3)
    parts.push_back(dequantized(node, index));
  SmallVector<StringRef> inputs(parts.begin(), parts.end());
  quantized(node, emit("Concat", inputs), 0);
  return success();
}
