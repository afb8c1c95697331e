//===- Proto.h - Reading and writing the parts of a file --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all that reads or writes nodes of a file has in common.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_PROTO_H
#define A2Q_LIB_FRONTEND_ONNX_PROTO_H

#include "Tensor.h"

#include "llvm/ADT/StringSet.h"

namespace a2q::frontend {

/// Null where the node has no such attribute.
const onnx::AttributeProto *findAttribute(const onnx::NodeProto &node,
                                          llvm::StringRef name);
int64_t integerAttribute(const onnx::NodeProto &node, llvm::StringRef name,
                         int64_t otherwise);
void addAttribute(onnx::NodeProto &node, llvm::StringRef name, int64_t value);
void addAttribute(onnx::NodeProto &node, llvm::StringRef name,
                  llvm::ArrayRef<int64_t> values);

/// The node's name, or one made of its operator and first output.
std::string nameOfNode(const onnx::NodeProto &node);

/// Whether the node has this input, which may be absent in the middle.
inline bool hasInput(const onnx::NodeProto &node, int input) {
  return input >= 0 && input < node.input_size() && !node.input(input).empty();
}

/// A name that is not in `names`, which begins with `hint`; adds it.
std::string freshName(llvm::StringSet<> &names, llvm::StringRef hint);

/// A node at the end of the graph, with a name that begins with `hint` and one
/// output of a name made of that.
onnx::NodeProto *appendNode(onnx::GraphProto &graph, llvm::StringSet<> &names,
                            llvm::StringRef op,
                            llvm::ArrayRef<std::string> inputs,
                            llvm::StringRef hint);

/// An initializer with a name that begins with `hint`.
onnx::TensorProto *appendConstant(onnx::GraphProto &graph,
                                  llvm::StringSet<> &names,
                                  llvm::StringRef hint, const Tensor &tensor);

/// The tensor of that name, in the form of the file.
onnx::TensorProto writeTensor(llvm::StringRef name, const Tensor &tensor);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_PROTO_H
