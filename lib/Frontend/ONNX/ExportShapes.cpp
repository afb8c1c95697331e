//===- ExportShapes.cpp - Shapes of what the exporter writes --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The network knows the shapes of its values; between two of them the exporter
// writes nodes of its own. These are few kinds, and all sizes are constant.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Dims = SmallVector<int64_t>;

static std::optional<Dims> integers(const onnx::NodeProto &node,
                                    StringRef name) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return Dims(attribute.ints().begin(), attribute.ints().end());
  return std::nullopt;
}

/// The larger of each pair of dimensions, from the last one on.
static Dims broadcast(const Dims &a, const Dims &b) {
  Dims result(std::max(a.size(), b.size()), 1);
  for (const Dims *dims : {&a, &b})
    for (size_t i = 0; i < dims->size(); ++i) {
      int64_t &size = result[result.size() - dims->size() + i];
      size = std::max(size, (*dims)[i]);
    }
  return result;
}

static Dims convolved(const onnx::NodeProto &node, const Dims &image,
                      const Dims &filter) {
  Dims result = {image[0], filter[0]};
  Dims strides = *integers(node, "strides"), pads = *integers(node, "pads"),
       dilations = *integers(node, "dilations");
  for (size_t i = 0; i < strides.size(); ++i) {
    int64_t reach = dilations[i] * (filter[2 + i] - 1) + 1;
    int64_t padded = image[2 + i] + pads[i] + pads[strides.size() + i];
    result.push_back((padded - reach) / strides[i] + 1);
  }
  return result;
}

static Dims multiplied(const Dims &a, const Dims &b) {
  Dims result =
      broadcast(Dims(a.begin(), a.end() - 2), Dims(b.begin(), b.end() - 2));
  result.push_back(a[a.size() - 2]);
  result.push_back(b.back());
  return result;
}

static Dims reduced(Dims dims, const Dims &axes) {
  for (int64_t axis : axes)
    dims[axis] = 1;
  return dims;
}

std::optional<ValueShape>
frontend::shapeOfNode(const onnx::NodeProto &node,
                      const llvm::StringMap<ValueShape> &shapes,
                      const llvm::StringMap<Dims> &sizes) {
  SmallVector<const ValueShape *> inputs;
  for (const std::string &name : node.input()) {
    auto found = shapes.find(name);
    if (found == shapes.end() && !name.empty())
      return std::nullopt;
    if (!name.empty())
      inputs.push_back(&found->second);
  }
  if (inputs.empty())
    return std::nullopt;
  StringRef op = node.op_type();
  ValueShape result = *inputs.front();
  auto constant = [&](int index) -> const Dims * {
    auto found =
        index < node.input_size() ? sizes.find(node.input(index)) : sizes.end();
    return found == sizes.end() ? nullptr : &found->second;
  };
  // One input counts, the others say how.
  if (op == "QuantizeLinear") {
    result.type = inputs[2]->type;
  } else if (op == "DequantizeLinear") {
    result.type = onnx::TensorProto::FLOAT;
  } else if (op == "Transpose") {
    for (auto [to, from] : llvm::enumerate(*integers(node, "perm")))
      result.dims[to] = inputs.front()->dims[from];
  } else if (op == "Reshape" || op == "Expand") {
    if (!constant(1))
      return std::nullopt;
    result.dims = *constant(1);
  } else if (op.starts_with("Reduce")) {
    std::optional<Dims> axes = integers(node, "axes");
    if (!axes && !constant(1))
      return std::nullopt;
    result.dims = reduced(result.dims, axes ? *axes : *constant(1));
  } else if (op == "Conv") {
    result.dims = convolved(node, result.dims, inputs[1]->dims);
  } else if (op == "Gemm") {
    result.dims = {result.dims[0], inputs[1]->dims[0]};
  } else if (op == "MatMul") {
    result.dims = multiplied(result.dims, inputs[1]->dims);
  } else if (op != "Quant" && op != "Clip") {
    // Elementwise: the rest of what the network's own values do not describe.
    for (const ValueShape *input : inputs)
      result.dims = broadcast(result.dims, input->dims);
    bool compares = llvm::StringSwitch<bool>(op)
                        .Cases({"Equal", "GreaterOrEqual", "Greater",
                                "LessOrEqual", "Less"},
                               true)
                        .Default(false);
    if (compares)
      result.type = onnx::TensorProto::BOOL;
    else if (op == "Where")
      result.type = inputs[1]->type;
  }
  return result;
}
