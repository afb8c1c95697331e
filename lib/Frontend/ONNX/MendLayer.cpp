//===- MendLayer.cpp - One node that multiplies bytes -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MendLayer.h"

#include "Importer.h"

#include "a2q/Math/PairMending.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

std::optional<MendLayer> MendLayer::find(ModelEditor &editor, StringRef name,
                                         std::string &refusal) {
  onnx::NodeProto *found = nullptr;
  for (onnx::NodeProto &node : *editor.graph().mutable_node()) {
    if (nameOfNode(node) != name)
      continue;
    if (found) {
      refusal = "several nodes of the graph have its name";
      return std::nullopt;
    }
    found = &node;
  }
  if (found)
    return of(editor, found, refusal);
  refusal = "no node of the graph has its name";
  return std::nullopt;
}

std::optional<MendLayer> MendLayer::of(ModelEditor &editor,
                                       onnx::NodeProto *node,
                                       std::string &refusal) {
  MendLayer layer(editor);
  layer.node = node;
  refusal = layer.readOperands();
  if (!refusal.empty())
    return std::nullopt;
  return layer;
}

std::string MendLayer::readOperands() {
  StringRef op = node->op_type();
  isConvolution = op == "Conv" || op == "QLinearConv";
  isOperator = true;
  if (op == "QLinearConv" || op == "QLinearMatMul") {
    weights = 3;
    weightScale = 4;
    weightZero = 5;
    bias = isConvolution ? 8 : -1;
  } else if (op == "QGemm") {
    weights = 3;
    weightScale = 4;
    weightZero = 5;
    bias = 6;
  } else if (op == "MatMulInteger" || op == "ConvInteger") {
    isConvolution = op == "ConvInteger";
    weights = 1;
    weightZero = 3;
  } else if (op == "MatMulIntegerToFloat") {
    weights = 1;
    weightZero = 5;
  } else if (op == "DynamicQuantizeMatMul") {
    weights = 1;
    weightZero = 3;
  } else if (op == "Conv" || op == "Gemm" || op == "MatMul") {
    isOperator = false;
    weights = 1;
    bias = 2;
  } else {
    return "the operator " + op.str() + " is none that can be changed";
  }
  if (integerAttribute(*node, "transA", 0))
    return "its activations are transposed";
  if (node->input_size() <= weights)
    return "its weights are missing";
  std::string refusal = readActivations();
  return refusal.empty() ? readWeights() : refusal;
}

std::string MendLayer::readActivations() {
  if (isOperator)
    return "";
  std::string value = node->input(activations);
  for (;;) {
    onnx::NodeProto *producer = editor->producer(value);
    if (!producer)
      return "its activations are not dequantized";
    if (producer->op_type() == "DequantizeLinear") {
      dequantize = producer;
      break;
    }
    bool isCycle = llvm::is_contained(moves, producer);
    if (!movesElements(producer->op_type()) || !hasInput(*producer, 0) ||
        isCycle)
      return "the operator " + producer->op_type() +
             " stands between it and its activations' codes";
    moves.insert(moves.begin(), producer);
    value = producer->input(0);
  }
  std::string problem;
  std::optional<Tensor> scale = editor->read(
      dequantize->input_size() > 1 ? dequantize->input(1) : "", problem);
  if (!scale || scale->size() != 1)
    return "its activations have no constant scale for all";
  return "";
}

std::string MendLayer::weightName() const {
  if (isOperator)
    return node->input(weights);
  const onnx::NodeProto *source =
      editor->producer(node->input(weights), "DequantizeLinear");
  return source && hasInput(*source, 0) && hasInput(*source, 1)
             ? source->input(0)
             : "";
}

/// Real weights as the network quantizes them each time it runs.
static std::optional<Tensor> quantizeWeights(const ModelEditor &editor,
                                             const onnx::NodeProto &node,
                                             std::string &problem) {
  if (node.input_size() < 3 || integerAttribute(node, "block_size", 0))
    return std::nullopt;
  std::optional<Tensor> reals = editor.read(node.input(0), problem),
                        scales = editor.read(node.input(1), problem),
                        zeros = editor.read(node.input(2), problem);
  if (!reals || !scales || !zeros || !reals->isFloat() || !scales->isFloat() ||
      zeros->type != ElementType::Int8 || zeros->size() != scales->size())
    return std::nullopt;
  auto rank = static_cast<int64_t>(reals->shape.size());
  int64_t axis = integerAttribute(node, "axis", 1), inner = 1;
  axis += axis < 0 ? rank : 0;
  if (scales->size() != 1) {
    if (axis < 0 || axis >= rank || reals->shape[axis] != scales->size())
      return std::nullopt;
    for (int64_t dim = axis + 1; dim < rank; ++dim)
      inner *= reals->shape[dim];
  }
  Tensor codes;
  codes.type = ElementType::Int8;
  codes.shape = reals->shape;
  for (auto [index, value] : llvm::enumerate(reals->floats)) {
    size_t at = scales->size() == 1 ? 0 : index / inner % scales->size();
    codes.ints.push_back(quantizeReal(value, scales->floats[at],
                                      zeros->ints[at],
                                      integerFormat(codes.type)->range()));
  }
  return codes;
}

/// Codes that do not depend on an input: stored, clipped, or quantized.
static std::optional<Tensor> constantCodes(const ModelEditor &editor,
                                           StringRef value,
                                           std::string &problem,
                                           bool isClipped = false) {
  if (const onnx::NodeProto *quantize =
          editor.producer(value, "QuantizeLinear"))
    return quantizeWeights(editor, *quantize, problem);
  const onnx::NodeProto *clip = editor.producer(value, "Clip");
  if (!clip || isClipped || !hasInput(*clip, 0))
    return editor.read(value, problem);
  std::optional<Tensor> codes =
      constantCodes(editor, clip->input(0), problem, /*isClipped=*/true);
  for (int bound : {1, 2}) {
    if (!codes || bound >= clip->input_size() || clip->input(bound).empty())
      continue;
    std::optional<Tensor> limit = editor.read(clip->input(bound), problem);
    if (!limit || limit->ints.size() != 1)
      return std::nullopt;
    int64_t edge = limit->ints.front();
    for (size_t at = 0; at < codes->ints.size(); ++at) {
      int64_t code = codes->ints[at];
      codes->ints[at] =
          bound == 1 ? std::max(code, edge) : std::min(code, edge);
    }
  }
  return codes;
}

std::string MendLayer::readWeights() {
  std::string problem;
  std::optional<Tensor> read = constantCodes(*editor, weightName(), problem);
  if (!read)
    return problem.empty() ? "its weights are not constant codes" : problem;
  codes = std::move(*read);
  if (codes.type != ElementType::Int8)
    return "its weights have type " + toString(codes.type) + ", not INT8";
  auto rank = static_cast<int64_t>(codes.shape.size());
  if (isConvolution ? rank < 3 : rank != 2)
    return "its weights have shape " + shapeText(codes.shape);
  inputsFirst = !isConvolution && integerAttribute(*node, "transB", 0) == 0;
  outputs = codes.shape[inputsFirst ? 1 : 0];
  inputs = codes.shape[inputsFirst ? 0 : 1];
  for (int64_t size : ArrayRef(codes.shape).drop_front(2))
    taps *= size;
  groups = isConvolution ? integerAttribute(*node, "group", 1) : 1;
  if (codes.ints.empty() || groups < 1 || outputs % groups)
    return "its weights have shape " + shapeText(codes.shape) + " in " +
           std::to_string(groups) + " groups";
  std::string zero;
  if (!isOperator) {
    const onnx::NodeProto *source = editor->producer(node->input(weights));
    if (integerAttribute(*source, "block_size", 0))
      return "its weights have scales per block";
    zero = source->input_size() > 2 ? source->input(2) : "";
  } else if (weightZero >= 0 && weightZero < node->input_size()) {
    zero = node->input(weightZero);
  }
  if (zero.empty())
    return "";
  std::optional<Tensor> zeros = editor->read(zero, problem);
  if (!zeros)
    return "the zero points of its weights are not constant";
  weightZeroPoint = llvm::any_of(zeros->ints, [](int64_t z) { return z != 0; });
  return "";
}

StringRef MendLayer::activationCodes() const {
  if (!isOperator)
    return dequantize->input(0);
  return node->op_type() == "DynamicQuantizeMatMul"
             ? StringRef()
             : StringRef(node->input(activations));
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

void MendLayer::setWeightInput(int ofOperator, int ofDequantize,
                               StringRef value) {
  if (isOperator)
    return editor->setInput(node, ofOperator, value);
  editor->setInput(editor->ownProducer(node, weights), ofDequantize, value);
}

void MendLayer::setWeights(ArrayRef<int64_t> values, int64_t places) {
  Tensor changed;
  changed.type = codes.type;
  changed.shape = codes.shape;
  changed.shape[inputsFirst ? 0 : 1] = places;
  changed.ints.resize(values.size());
  size_t at = 0;
  for (int64_t output = 0; output < outputs; ++output)
    for (int64_t place = 0; place < places; ++place)
      for (int64_t tap = 0; tap < taps; ++tap)
        changed.ints[offset(output, place, tap, places)] = values[at++];
  std::string name = editor->addConstant(weightName() + "_mended", changed);
  setWeightInput(weights, 0, name);
  if (!isOperator)
    editor->forgetType(node->input(weights));
  codes = std::move(changed);
  inputs = places;
}

void MendLayer::permuteInputs(ArrayRef<int64_t> order) {
  std::vector<int64_t> permuted;
  for (int64_t output = 0; output < outputs; ++output) {
    int64_t first = output / (outputs / groups) * inputs;
    for (int64_t input = 0; input < inputs; ++input)
      for (int64_t tap = 0; tap < taps; ++tap)
        permuted.push_back(weight(output, order[first + input] - first, tap));
  }
  setWeights(permuted, inputs);
}

/// 128 more, in codes and zero points.
std::string MendLayer::widen() {
  if (isOperator && weightZero < 0)
    return "its operator has no zero points for weights";
  std::string problem, zeroName, scaleName;
  if (isOperator) {
    zeroName = weightZero < node->input_size() ? node->input(weightZero) : "";
    scaleName = hasInput(*node, weightScale) ? node->input(weightScale) : "";
  } else {
    const onnx::NodeProto *source = editor->producer(node->input(weights));
    zeroName = source->input_size() > 2 ? source->input(2) : "";
    scaleName = source->input(1);
  }
  std::optional<Tensor> zeros;
  if (!zeroName.empty()) {
    zeros = editor->read(zeroName, problem);
  } else if (std::optional<Tensor> scales = editor->read(scaleName, problem)) {
    zeros.emplace();
    zeros->shape = scales->shape;
    zeros->ints.resize(scales->size());
  }
  if (!zeros)
    return "the scales of its weights are not constant";
  zeros->type = ElementType::UInt8;
  for (size_t at = 0; at < zeros->ints.size(); ++at)
    zeros->ints[at] += 128;
  Tensor shifted = codes;
  shifted.type = ElementType::UInt8;
  for (size_t at = 0; at < shifted.ints.size(); ++at)
    shifted.ints[at] += 128;
  std::string name = weightName();
  setWeightInput(weights, 0, editor->addConstant(name + "_u8", shifted));
  setWeightInput(weightZero, 2, editor->addConstant(name + "_u8_zero", *zeros));
  return "";
}

MendLayer::Scales MendLayer::scales() const {
  std::string problem;
  auto sizeOf = [&](StringRef value) -> int64_t {
    std::optional<Tensor> tensor = editor->read(value, problem);
    return tensor && tensor->shape.size() <= 1 ? tensor->size() : 0;
  };
  auto formOf = [&](int64_t size) {
    return size == 1         ? Scales::One
           : size == outputs ? Scales::PerChannel
                             : Scales::None;
  };
  if (isOperator) {
    if (!hasInput(*node, weightScale) ||
        (hasInput(*node, bias) && sizeOf(node->input(bias)) != outputs))
      return Scales::None;
    return formOf(sizeOf(node->input(weightScale)));
  }
  Scales form =
      formOf(sizeOf(editor->producer(node->input(weights))->input(1)));
  if (!hasInput(*node, bias))
    return form;
  if (editor->constant(node->input(bias)))
    return form; // real numbers
  const onnx::NodeProto *source =
      editor->producer(node->input(bias), "DequantizeLinear");
  if (!source || sizeOf(source->input(0)) != outputs ||
      formOf(sizeOf(source->input(1))) != form)
    return Scales::None;
  return form;
}

void MendLayer::setScales(ArrayRef<int64_t> sixteenths) {
  std::string problem;
  auto scaled = [&](const std::string &name) {
    Tensor tensor = *editor->read(name, problem);
    for (auto [scale, factor] : llvm::zip(tensor.floats, sixteenths))
      scale *= static_cast<float>(factor) / scaleUnit;
    return editor->addConstant(name + "_mended", tensor);
  };
  auto rounded = [&](const std::string &name) {
    Tensor tensor = *editor->read(name, problem);
    size_t count = std::min(tensor.ints.size(), sixteenths.size());
    for (size_t at = 0; at < count; ++at)
      tensor.ints[at] = static_cast<int64_t>(
          std::nearbyint(static_cast<double>(tensor.ints[at]) * scaleUnit /
                         static_cast<double>(sixteenths[at])));
    return editor->addConstant(name + "_mended", tensor);
  };
  if (isOperator) {
    editor->setInput(node, weightScale, scaled(node->input(weightScale)));
    if (hasInput(*node, bias))
      editor->setInput(node, bias, rounded(node->input(bias)));
    return;
  }
  onnx::NodeProto *source = editor->ownProducer(node, weights);
  editor->setInput(source, 1, scaled(source->input(1)));
  if (!hasInput(*node, bias) ||
      !editor->producer(node->input(bias), "DequantizeLinear"))
    return;
  source = editor->ownProducer(node, bias);
  editor->setInput(source, 0, rounded(source->input(0)));
  editor->setInput(source, 1, scaled(source->input(1)));
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

bool MendLayer::readsOnePixel() const {
  onnx::NodeProto *node = editor->producer(activationValue());
  while (node &&
         (node->op_type() == "DequantizeLinear" ||
          node->op_type() == "QuantizeLinear" || node->op_type() == "Clip"))
    node = hasInput(*node, 0) ? editor->producer(node->input(0)) : nullptr;
  return node && (node->op_type() == "GlobalAveragePool" ||
                  node->op_type() == "QLinearGlobalAveragePool");
}

void MendLayer::gatherInputs(ArrayRef<int64_t> order) {
  Tensor indices;
  indices.type = ElementType::Int64;
  indices.shape = {static_cast<int64_t>(order.size())};
  indices.ints.assign(order.begin(), order.end());
  std::string hint = nameOfNode(*node);
  std::string list = editor->addConstant(hint + "_channels", indices);
  std::string value = node->input(activations);
  if (!isOperator) {
    value = dequantize->input(0);
    for (const onnx::NodeProto *move : moves) {
      std::vector<std::string> inputs(move->input().begin(),
                                      move->input().end());
      inputs[0] = value;
      value = editor->addCopy(node, *move, inputs, hint + "_codes")->output(0);
    }
  }
  onnx::NodeProto *gather = editor->addNode(node, /*before=*/true, "Gather",
                                            {value, list}, hint + "_gather");
  addAttribute(*gather, "axis", isConvolution ? 1 : -1);
  value = gather->output(0);
  if (!isOperator) {
    std::vector<std::string> inputs(dequantize->input().begin(),
                                    dequantize->input().end());
    inputs[0] = value;
    dequantize =
        editor->addCopy(node, *dequantize, inputs, hint + "_gather_dequantize");
    moves.clear();
    value = dequantize->output(0);
  }
  editor->setInput(node, activations, value);
}
