//===- MendAbsorb.cpp - Channels in another order, for nothing --*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MendAbsorb.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

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
                             "GlobalMaxPool", "QLinearAveragePool",
                             "QLinearGlobalAveragePool"},
                            true)
                     .Default(false);
  return elementwise || (pooling && isImage);
}

bool ChannelOrder::isPerTensor(const onnx::NodeProto &node, int input) const {
  std::string problem;
  if (!hasInput(node, input))
    return true;
  std::optional<Tensor> tensor = editor.read(node.input(input), problem);
  return tensor && tensor->size() == 1;
}

bool ChannelOrder::collect(onnx::NodeProto *node, int input, int64_t dim,
                           int64_t rank, bool orScalar) {
  if (!hasInput(*node, input))
    return false;
  std::string problem, value = node->input(input);
  auto fits = [&](const std::string &name) {
    std::optional<Tensor> tensor = editor.read(name, problem);
    if (tensor && orScalar && tensor->size() == 1)
      return true;
    if (!tensor)
      return false;
    auto dims = static_cast<int64_t>(tensor->shape.size());
    return (rank == anyRank || dims == rank) && dim < dims &&
           tensor->shape[dim] == channels;
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
    if (!tensor || tensor->shape.size() != 1 || tensor->size() != channels)
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
bool ChannelOrder::endAt(onnx::NodeProto *node, bool isConvolution) {
  if (isConvolution != isImage)
    return false;
  int64_t groups = isConvolution ? integerAttribute(*node, "group", 1) : 1;
  if (groups == 1)
    return true;
  add(node->input(0));
  return groups == channels;
}

/// A stack of matrices has its outputs elsewhere, so products have only one.
bool ChannelOrder::collectWeights(onnx::NodeProto *node, int input,
                                  bool isConvolution) {
  bool outputsFirst =
      isConvolution || integerAttribute(*node, "transB", 0) != 0;
  return collect(node, input, outputsFirst ? 0 : 1,
                 isConvolution ? behind + 2 : 2, /*orScalar=*/false);
}

/// Conv, Gemm and MatMul.
bool ChannelOrder::passLayer(onnx::NodeProto *node) {
  bool isConvolution = node->op_type() == "Conv";
  return collectWeights(node, 1, isConvolution) &&
         (!hasInput(*node, 2) ||
          collect(node, 2, 0, 1, /*orScalar=*/!isConvolution)) &&
         endAt(node, isConvolution);
}

/// QLinearConv, QLinearMatMul and QGemm.
bool ChannelOrder::passIntegerLayer(onnx::NodeProto *node) {
  bool isConvolution = node->op_type() == "QLinearConv";
  int bias = isConvolution ? 8 : 6;
  return collectWeights(node, 3, isConvolution) && collectScale(node, 4) &&
         (!hasInput(*node, 5) || collectScale(node, 5)) &&
         (node->op_type() == "QLinearMatMul" || !hasInput(*node, bias) ||
          collect(node, bias, 0, 1, /*orScalar=*/false)) &&
         endAt(node, isConvolution);
}

/// Two values, or one and a constant for all or for each channel.
bool ChannelOrder::passBinary(onnx::NodeProto *node, int first, int second) {
  if (!hasInput(*node, first) || !hasInput(*node, second))
    return false;
  for (int input : {first, second}) {
    std::string problem;
    std::optional<Tensor> tensor = editor.read(node->input(input), problem);
    if (!tensor) {
      add(node->input(input));
      continue;
    }
    int64_t dim = static_cast<int64_t>(tensor->shape.size()) - behind - 1;
    if (tensor->size() != 1 &&
        (dim < 0 || !collect(node, input, dim, anyRank, /*orScalar=*/false)))
      return false;
  }
  return true;
}

bool ChannelOrder::pass(onnx::NodeProto *node) {
  StringRef op = node->op_type();
  if (!hasInput(*node, 0) || integerAttribute(*node, "channels_last", 0))
    return false;
  for (const std::string &output : node->output())
    if (!output.empty())
      add(output);
  if (op == "Conv" || op == "Gemm" || op == "MatMul")
    return passLayer(node);
  if (op == "QLinearConv" || op == "QLinearMatMul" || op == "QGemm")
    return passIntegerLayer(node);
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div")
    return passBinary(node, 0, 1);
  if (op == "QLinearAdd" || op == "QLinearMul")
    return passBinary(node, 0, 3);
  bool isQuantization = op == "QuantizeLinear" || op == "DequantizeLinear";
  if (isQuantization ? !isPerTensor(*node, 1) : !keepsChannels(op, isImage))
    return false;
  add(node->input(0));
  return true;
}

//===----------------------------------------------------------------------===//
// Readers
//===----------------------------------------------------------------------===//

/// Channels that were gathered once come from other places. The output stands
/// in its own order.
bool ChannelOrder::passGather(onnx::NodeProto *node) {
  std::string problem;
  if (!hasInput(*node, 1) ||
      integerAttribute(*node, "axis", 0) != (isImage ? 1 : -1))
    return false;
  std::optional<Tensor> indices = editor.read(node->input(1), problem);
  auto isChannel = [&](int64_t index) {
    return index >= 0 && index < channels;
  };
  if (!indices || indices->shape.size() != 1)
    return false;
  for (size_t at = 0; at < indices->ints.size(); ++at)
    if (!isChannel(indices->ints[at]))
      return false;
  gathers.insert(node);
  return true;
}

bool ChannelOrder::passReader(const Use &use) {
  if (!use.node)
    return false;
  StringRef op = use.node->op_type();
  if (op == "Gather")
    return use.input == 0 && passGather(use.node);
  bool isConvolution =
      op == "Conv" || op == "QLinearConv" || op == "ConvInteger";
  bool isProduct = op == "Gemm" || op == "MatMul" || op == "QGemm" ||
                   op == "QLinearMatMul" || op == "MatMulInteger" ||
                   op == "MatMulIntegerToFloat";
  bool isDepthwise = isConvolution &&
                     integerAttribute(*use.node, "group", 1) == channels &&
                     channels > 1;
  if ((isConvolution || isProduct) && !isDepthwise) {
    if (use.input != 0 || isConvolution != isImage ||
        integerAttribute(*use.node, "group", 1) != 1)
      return false;
    layers.insert(use.node);
    return true;
  }
  return passed.contains(use.node) ||
         (passed.insert(use.node).second && pass(use.node));
}

std::string ChannelOrder::find(onnx::NodeProto *reader, StringRef value) {
  layers.insert(reader);
  add(value.str());
  while (!waiting.empty()) {
    std::string next = waiting.back();
    waiting.pop_back();
    onnx::NodeProto *node = editor.producer(next);
    if (!node)
      return "'" + next + "' is made by no layer";
    if (passed.insert(node).second && !pass(node))
      return "node '" + nameOfNode(*node) + "' (" + node->op_type() +
             ") cannot give its channels out in another order";
    for (const Use &use : editor.uses(next)) {
      // Its own groups may be several.
      if (use.node == reader && use.input == 0)
        continue;
      if (!passReader(use))
        return "'" + next + "' is read by " +
               (use.node ? "node '" + nameOfNode(*use.node) + "' (" +
                               use.node->op_type() + ")"
                         : "others") +
               " as well";
    }
  }
  return permuted.empty() ? "no layer is before it" : "";
}

//===----------------------------------------------------------------------===//
// Changes
//===----------------------------------------------------------------------===//

void ChannelOrder::apply(ArrayRef<int64_t> order) {
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
  std::vector<int64_t> placeOf(order.size());
  for (auto [place, channel] : llvm::enumerate(order))
    placeOf[channel] = static_cast<int64_t>(place);
  for (onnx::NodeProto *node : gathers) {
    std::string problem;
    Tensor indices = *editor.read(node->input(1), problem);
    for (size_t at = 0; at < indices.ints.size(); ++at)
      indices.ints[at] = placeOf[indices.ints[at]];
    editor.setInput(node, 1,
                    editor.addConstant(node->input(1) + "_ordered", indices));
  }
}
