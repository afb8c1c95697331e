//===- Proto.cpp - Reading and writing the parts of a file ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Proto.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace a2q;
using namespace a2q::frontend;
using llvm::ArrayRef, llvm::StringRef, llvm::Twine;

const onnx::AttributeProto *frontend::findAttribute(const onnx::NodeProto &node,
                                                    StringRef name) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (name == attribute.name())
      return &attribute;
  return nullptr;
}

int64_t frontend::integerAttribute(const onnx::NodeProto &node, StringRef name,
                                   int64_t otherwise) {
  const onnx::AttributeProto *attribute = findAttribute(node, name);
  return attribute ? attribute->i() : otherwise;
}

void frontend::addAttribute(onnx::NodeProto &node, StringRef name,
                            int64_t value) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name.str());
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void frontend::addAttribute(onnx::NodeProto &node, StringRef name,
                            ArrayRef<int64_t> values) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name.str());
  attribute.set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attribute.add_ints(value);
}

std::string frontend::nameOfNode(const onnx::NodeProto &node) {
  if (!node.name().empty() || !node.output_size())
    return node.name();
  return node.op_type() + " of " + node.output(0);
}

std::string frontend::freshName(llvm::StringSet<> &names, StringRef hint) {
  std::string name = hint.str();
  for (unsigned count = 1; !names.insert(name).second; ++count)
    name = (hint + "_" + Twine(count)).str();
  return name;
}

onnx::NodeProto *frontend::appendNode(onnx::GraphProto &graph,
                                      llvm::StringSet<> &names, StringRef op,
                                      ArrayRef<std::string> inputs,
                                      StringRef hint) {
  onnx::NodeProto *node = graph.add_node();
  node->set_op_type(op.str());
  node->set_name(freshName(names, hint));
  node->add_output(freshName(names, node->name() + "_output"));
  for (const std::string &input : inputs)
    node->add_input(input);
  return node;
}

onnx::TensorProto *frontend::appendConstant(onnx::GraphProto &graph,
                                            llvm::StringSet<> &names,
                                            StringRef hint,
                                            const Tensor &tensor) {
  onnx::TensorProto *added = graph.add_initializer();
  *added = writeTensor(freshName(names, hint), tensor);
  return added;
}

onnx::TensorProto frontend::writeTensor(StringRef name, const Tensor &tensor) {
  onnx::TensorProto proto;
  proto.set_name(name.str());
  proto.set_data_type(static_cast<int32_t>(tensor.type));
  for (int64_t size : tensor.shape)
    proto.add_dims(size);
  std::string &bytes = *proto.mutable_raw_data();
  for (float value : tensor.floats) {
    char word[4];
    llvm::support::endian::write32le(word, llvm::bit_cast<uint32_t>(value));
    bytes.append(word, 4);
  }
  if (tensor.isFloat())
    return proto;
  unsigned bits = integerFormat(tensor.type)->bits;
  unsigned perByte = std::max(8 / bits, 1u);
  for (size_t at = 0; at < tensor.ints.size(); at += perByte) {
    uint64_t word = 0;
    for (size_t lane = 0; lane < perByte && at + lane < tensor.ints.size();
         ++lane)
      word |= (static_cast<uint64_t>(tensor.ints[at + lane]) &
               llvm::maskTrailingOnes<uint64_t>(bits))
              << (lane * bits);
    for (unsigned byte = 0; byte < std::max(bits / 8, 1u); ++byte)
      bytes.push_back(static_cast<char>(word >> (8 * byte)));
  }
  return proto;
}
