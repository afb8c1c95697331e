//===- MendAbsorb.cpp - Channels in another order, for nothing --*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer wants its input channels in another order. Where they come from other
// layers, through nodes that treat all channels alike, and go nowhere else,
// these layers give them out in that order: their weights, biases and scales
// per output channel are permuted, and nothing is moved when the network runs.
// Depthwise convolutions and constants on the way are permuted too. Of a sum or
// product of two values, both sides are.
//
//===----------------------------------------------------------------------===//

#include "MendLayer.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

namespace {
/// Walks from a value to the layers that make its channels, and collects what
/// is to be permuted; changes nothing before all is found.
class Absorber {
public:
  Absorber(ModelEditor &editor, bool isImage, ArrayRef<int64_t> order)
      : editor(editor), isImage(isImage), order(order) {}

  /// Of what `reader` reads; the reason why it cannot be, or "".
  std::string find(onnx::NodeProto *reader, std::string value);
  void apply();

private:
  /// One input of a node along one dimension, a constant or dequantized one.
  struct Permuted {
    onnx::NodeProto *node;
    int input;
    int64_t dim;
  };

  /// Adds the values that a node makes the permuted one of. False where it
  /// cannot pass the order on.
  bool pass(onnx::NodeProto *node);
  bool passLayer(onnx::NodeProto *node);
  bool passIntegerLayer(onnx::NodeProto *node);
  bool passBinary(onnx::NodeProto *node);
  bool endAt(onnx::NodeProto *node, bool isConvolution);
  bool isPerTensor(const onnx::NodeProto &node, int input) const;
  /// False where the input has other sizes or is computed.
  bool collect(onnx::NodeProto *node, int input, int64_t dim, bool orScalar);
  void add(const std::string &value) {
    if (values.insert(value).second)
      waiting.push_back(value);
  }

  ModelEditor &editor;
  bool isImage;
  ArrayRef<int64_t> order;
  std::vector<Permuted> permuted;
  /// Values whose channels are in the new order, and the nodes that make them.
  llvm::StringSet<> values;
  std::vector<std::string> waiting;
  llvm::SmallPtrSet<onnx::NodeProto *, 8> nodes;
};
} // namespace

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
  if (!hasInput(*node, input))
    return false;
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
  for (int parameter : {1, 2}) {
    if (isPerTensor(*source, parameter))
      continue;
    std::optional<Tensor> tensor =
        editor.read(source->input(parameter), problem);
    if (!tensor || tensor->shape.size() != 1 ||
        tensor->size() != static_cast<int64_t>(order.size()))
      return false;
  }
  if (!hasInput(*source, 0) || !hasInput(*source, 1))
    return false;
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

/// The channels begin here, or a depthwise convolution hands them on.
bool Absorber::endAt(onnx::NodeProto *node, bool isConvolution) {
  if (isConvolution != isImage)
    return false;
  int64_t groups = isConvolution ? integerAttribute(*node, "group", 1) : 1;
  if (groups == 1)
    return true;
  add(node->input(0));
  return groups == static_cast<int64_t>(order.size());
}

/// Conv, Gemm and MatMul.
bool Absorber::passLayer(onnx::NodeProto *node) {
  bool isConvolution = node->op_type() == "Conv";
  bool outputsFirst =
      isConvolution || integerAttribute(*node, "transB", 0) != 0;
  return collect(node, 1, outputsFirst ? 0 : 1, false) &&
         (!hasInput(*node, 2) ||
          collect(node, 2, 0, /*orScalar=*/!isConvolution)) &&
         endAt(node, isConvolution);
}

/// QLinearConv, QLinearMatMul and QGemm.
bool Absorber::passIntegerLayer(onnx::NodeProto *node) {
  bool isConvolution = node->op_type() == "QLinearConv";
  bool outputsFirst =
      isConvolution || integerAttribute(*node, "transB", 0) != 0;
  int bias = isConvolution ? 8 : 6;
  return collect(node, 3, outputsFirst ? 0 : 1, false) &&
         collect(node, 4, 0, true) &&
         (!hasInput(*node, 5) || collect(node, 5, 0, true)) &&
         (node->op_type() == "QLinearMatMul" || !hasInput(*node, bias) ||
          collect(node, bias, 0, false)) &&
         endAt(node, isConvolution);
}

/// Two values, or one and a constant for all or for each channel.
bool Absorber::passBinary(onnx::NodeProto *node) {
  if (!hasInput(*node, 0) || !hasInput(*node, 1))
    return false;
  for (int input : {0, 1}) {
    std::string problem;
    std::optional<Tensor> tensor = editor.read(node->input(input), problem);
    if (!tensor) {
      add(node->input(input));
      continue;
    }
    int64_t dim =
        static_cast<int64_t>(tensor->shape.size()) - (isImage ? 3 : 1);
    if (tensor->size() != 1 && (dim < 0 || !collect(node, input, dim, false)))
      return false;
  }
  return true;
}

bool Absorber::pass(onnx::NodeProto *node) {
  StringRef op = node->op_type();
  if (!hasInput(*node, 0))
    return false;
  if (op == "Conv" || op == "Gemm" || op == "MatMul")
    return passLayer(node);
  if (op == "QLinearConv" || op == "QLinearMatMul" || op == "QGemm")
    return passIntegerLayer(node);
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div")
    return passBinary(node);
  bool isQuantization = op == "QuantizeLinear" || op == "DequantizeLinear";
  if (isQuantization ? !isPerTensor(*node, 1) : !keepsChannels(op, isImage))
    return false;
  add(node->input(0));
  return true;
}

std::string Absorber::find(onnx::NodeProto *reader, std::string value) {
  add(value);
  while (!waiting.empty()) {
    std::string next = waiting.back();
    waiting.pop_back();
    onnx::NodeProto *node = editor.producer(next);
    if (!node)
      return "'" + next + "' is made by no layer";
    if (nodes.insert(node).second && !pass(node))
      return "node '" + nameOfNode(*node) + "' (" + node->op_type() +
             ") cannot give its channels out in another order";
  }
  nodes.insert(reader);
  for (const auto &entry : values)
    for (const Use &use : editor.uses(entry.getKey()))
      if (!nodes.contains(use.node) ||
          (use.node == reader && entry.getKey() != value))
        return "'" + entry.getKey().str() + "' is read by others";
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
  std::string refusal = absorber.find(node, node->input(activations));
  if (refusal.empty())
    absorber.apply();
  return refusal;
}
