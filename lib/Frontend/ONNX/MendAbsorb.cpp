//===- MendAbsorb.cpp - Channels in another order, for nothing --*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer wants its input channels in another order. Where they come from one
// layer, through nodes that treat all channels alike, and go nowhere else, that
// layer gives them out in that order: its weights, biases and scales per output
// channel are permuted, and nothing is moved when the network runs. Depthwise
// convolutions on the way are permuted too.
//
//===----------------------------------------------------------------------===//

#include "MendLayer.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

namespace {
/// Walks from a value to the layer that makes its channels, and collects what
/// is to be permuted; changes nothing before all is found.
class Absorber {
public:
  Absorber(ModelEditor &editor, bool isImage, ArrayRef<int64_t> order)
      : editor(editor), isImage(isImage), order(order) {}

  std::string find(std::string value);
  void apply();

private:
  /// One input of a node along one dimension, a constant or dequantized one.
  struct Permuted {
    onnx::NodeProto *node;
    int input;
    int64_t dim;
  };

  /// The next value to look at, or "" at the end or with a refusal.
  std::string pass(onnx::NodeProto *node, std::string &refusal);
  std::string passLayer(onnx::NodeProto *node, std::string &refusal);
  std::string passIntegerLayer(onnx::NodeProto *node, std::string &refusal);
  std::string passAdd(onnx::NodeProto *node, std::string &refusal);
  bool isPerTensor(const onnx::NodeProto &node, int input) const;
  /// False where the input has other sizes or is computed.
  bool collect(onnx::NodeProto *node, int input, int64_t dim, bool orScalar);

  ModelEditor &editor;
  bool isImage;
  ArrayRef<int64_t> order;
  std::vector<Permuted> permuted;
};
} // namespace

static bool hasInput(const onnx::NodeProto &node, int input) {
  return input < node.input_size() && !node.input(input).empty();
}

/// Each output element of these depends on the one of its own channel.
static bool keepsChannels(StringRef op, bool isImage) {
  bool elementwise =
      llvm::StringSwitch<bool>(op)
          .Cases({"Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid",
                  "HardSwish", "Clip", "Identity", "Dropout", "Elu", "Gelu"},
                 true)
          .Cases({"QLinearLeakyRelu", "QLinearSigmoid"}, true)
          .Default(false);
  bool pooling = llvm::StringSwitch<bool>(op)
                     .Cases({"MaxPool", "AveragePool", "GlobalAveragePool",
                             "GlobalMaxPool"},
                            true)
                     .Default(false);
  return elementwise || (pooling && isImage);
}

bool Absorber::isPerTensor(const onnx::NodeProto &node, int input) const {
  std::string problem;
  if (!hasInput(node, input))
    return true;
  std::optional<Tensor> tensor = editor.read(node.input(input), problem);
  return tensor && tensor->size() == 1;
}

bool Absorber::collect(onnx::NodeProto *node, int input, int64_t dim,
                       bool orScalar) {
  std::string problem, value = node->input(input);
  auto fits = [&](const std::string &name) {
    std::optional<Tensor> tensor = editor.read(name, problem);
    if (tensor && orScalar && tensor->size() == 1)
      return true;
    return tensor && dim < static_cast<int64_t>(tensor->shape.size()) &&
           tensor->shape[dim] == static_cast<int64_t>(order.size());
  };
  const onnx::NodeProto *source = editor.producer(value, "DequantizeLinear");
  if (!source) {
    if (!fits(value))
      return false;
    permuted.push_back({node, input, dim});
    return true;
  }
  // Scales and zero points: one, or one per channel along the same dimension.
  std::optional<Tensor> codes = editor.read(source->input(0), problem);
  if (!codes || !fits(source->input(0)) ||
      integerAttribute(*source, "block_size", 0))
    return false;
  if (!isPerTensor(*source, 1)) {
    int64_t axis = integerAttribute(*source, "axis", 1);
    if (axis < 0)
      axis += static_cast<int64_t>(codes->shape.size());
    if (axis != dim)
      return false;
  }
  permuted.push_back({node, input, dim});
  return true;
}

/// Conv, Gemm and MatMul.
std::string Absorber::passLayer(onnx::NodeProto *node, std::string &refusal) {
  bool isConvolution = node->op_type() == "Conv";
  int64_t dim = 0;
  if (!isConvolution && integerAttribute(*node, "transB", 0) == 0)
    dim = 1;
  bool complete =
      collect(node, 1, dim, false) &&
      (!hasInput(*node, 2) || collect(node, 2, 0, /*orScalar=*/!isConvolution));
  int64_t groups = isConvolution ? integerAttribute(*node, "group", 1) : 1;
  bool isDepthwise = groups == static_cast<int64_t>(order.size());
  if (isConvolution != isImage || !complete || (groups != 1 && !isDepthwise)) {
    refusal = "its weights cannot be permuted";
    return "";
  }
  return isDepthwise && groups != 1 ? node->input(0) : "";
}

/// QLinearConv, QLinearMatMul and QGemm.
std::string Absorber::passIntegerLayer(onnx::NodeProto *node,
                                       std::string &refusal) {
  bool isConvolution = node->op_type() == "QLinearConv";
  int bias = isConvolution ? 8 : 6;
  int64_t dim = 0;
  if (!isConvolution && integerAttribute(*node, "transB", 0) == 0)
    dim = 1;
  bool complete = collect(node, 3, dim, false) && collect(node, 4, 0, true) &&
                  collect(node, 5, 0, true) &&
                  (node->op_type() == "QLinearMatMul" ||
                   !hasInput(*node, bias) || collect(node, bias, 0, false));
  int64_t groups = isConvolution ? integerAttribute(*node, "group", 1) : 1;
  bool isDepthwise = groups == static_cast<int64_t>(order.size());
  if (isConvolution != isImage || !complete || (groups != 1 && !isDepthwise)) {
    refusal = "its weights cannot be permuted";
    return "";
  }
  return isDepthwise && groups != 1 ? node->input(0) : "";
}

/// A bias of a matrix product, one value for each column.
std::string Absorber::passAdd(onnx::NodeProto *node, std::string &refusal) {
  std::string problem;
  for (int input : {0, 1}) {
    std::optional<Tensor> vector = editor.read(node->input(input), problem);
    if (isImage || !vector || vector->shape.size() != 1 ||
        !collect(node, input, 0, false))
      continue;
    return node->input(1 - input);
  }
  refusal = "it adds what cannot be permuted";
  return "";
}

std::string Absorber::pass(onnx::NodeProto *node, std::string &refusal) {
  StringRef op = node->op_type();
  if (node->input_size() == 0) {
    refusal = "it is no layer";
    return "";
  }
  if (op == "QuantizeLinear" || op == "DequantizeLinear") {
    if (isPerTensor(*node, 1))
      return node->input(0);
    refusal = "it has one scale per channel";
    return "";
  }
  if (op == "Conv" || op == "Gemm" || op == "MatMul")
    return passLayer(node, refusal);
  if (op == "QLinearConv" || op == "QLinearMatMul" || op == "QGemm")
    return passIntegerLayer(node, refusal);
  if (op == "Add")
    return passAdd(node, refusal);
  if (keepsChannels(op, isImage))
    return node->input(0);
  refusal = "the operator does not keep channels apart";
  return "";
}

std::string Absorber::find(std::string value) {
  while (!value.empty()) {
    if (!editor.isReadOnce(value))
      return "'" + value + "' is read by others";
    onnx::NodeProto *node = editor.producer(value);
    if (!node)
      return "'" + value + "' is made by no layer";
    std::string refusal;
    value = pass(node, refusal);
    if (!refusal.empty())
      return "node '" + nameOfNode(*node) + "' (" + node->op_type() +
             "): " + refusal;
  }
  return permuted.empty() ? "no layer is before it" : "";
}

void Absorber::apply() {
  auto permute = [&](onnx::NodeProto *node, int input, int64_t dim) {
    std::string problem, value = node->input(input);
    Tensor tensor = *editor.read(value, problem);
    if (tensor.size() == 1)
      return;
    editor.setInput(
        node, input,
        editor.addConstant(value + "_ordered", gather(tensor, dim, order)));
  };
  for (const Permuted &entry : permuted) {
    if (!editor.producer(entry.node->input(entry.input), "DequantizeLinear")) {
      permute(entry.node, entry.input, entry.dim);
      continue;
    }
    onnx::NodeProto *source = editor.ownProducer(entry.node, entry.input);
    permute(source, 0, entry.dim);
    permute(source, 1, 0);
    if (hasInput(*source, 2))
      permute(source, 2, 0);
  }
}

std::string MendLayer::absorbOrder(ArrayRef<int64_t> order) {
  if (!moves.empty())
    return "its channels are flattened or transposed before it";
  Absorber absorber(*editor, isConvolution, order);
  std::string refusal = absorber.find(node->input(activations));
  if (refusal.empty())
    absorber.apply();
  return refusal;
}
