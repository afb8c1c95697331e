//===- ModelEditor.h - Changes of an ONNX file ------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Changes a file in place, so that whatever this project does not understand
// stays as it is. Values are known by their names. A constant or a node that
// others read as well is never changed: its one reader gets a copy.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_MODELEDITOR_H
#define A2Q_LIB_FRONTEND_ONNX_MODELEDITOR_H

#include "Proto.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringMap.h"

namespace a2q::frontend {

/// A place where a value is read; a null node is a result of the graph, or
/// something inside a node's own graph.
struct Use {
  onnx::NodeProto *node = nullptr;
  int input = 0;
};

class ModelEditor {
public:
  /// `folder` is that of the file, which external data is relative to.
  ModelEditor(onnx::ModelProto &model, llvm::StringRef folder,
              mlir::MLIRContext *context);

  onnx::GraphProto &graph() { return *model.mutable_graph(); }
  /// Of the standard's operators.
  int64_t opset() const;

  onnx::NodeProto *producer(llvm::StringRef value) const {
    return producers.lookup(value);
  }
  /// The producer when it is such a node; null else.
  onnx::NodeProto *producer(llvm::StringRef value, llvm::StringRef op) const;
  llvm::ArrayRef<Use> uses(llvm::StringRef value) const;
  /// Whether one input of one node reads the value, and nothing else.
  bool isReadOnce(llvm::StringRef value) const;

  /// An initializer, or the value of a Constant; null where the value is none.
  const onnx::TensorProto *constant(llvm::StringRef value) const;
  /// Nullopt where the value is no constant, or cannot be read, for which
  /// `problem` then has the reason.
  std::optional<Tensor> read(llvm::StringRef value, std::string &problem) const;

  /// A new initializer. Returns its name.
  std::string addConstant(llvm::StringRef hint, const Tensor &tensor);
  /// A new node, standing just before or after another, with one output.
  onnx::NodeProto *addNode(onnx::NodeProto *neighbour, bool before,
                           llvm::StringRef op,
                           llvm::ArrayRef<std::string> inputs,
                           llvm::StringRef hint);
  /// The same with operator and attributes of `model`.
  onnx::NodeProto *addCopy(onnx::NodeProto *neighbour,
                           const onnx::NodeProto &model,
                           llvm::ArrayRef<std::string> inputs,
                           llvm::StringRef hint);
  void setInput(onnx::NodeProto *node, int index, llvm::StringRef value);
  /// Another name for one of a node's outputs, which nothing has.
  void setOutput(onnx::NodeProto *node, int index, llvm::StringRef name);
  /// A new name for what a node defines, for it and all nodes that read it:
  /// results of the graph have the old one, which is free. Returns the new one.
  std::string renameValue(llvm::StringRef value);
  /// Gives a node's input that many inputs, the new ones absent.
  void growInputs(onnx::NodeProto *node, int count);
  /// The node that defines an input, for that input alone: a copy where others
  /// read it too.
  onnx::NodeProto *ownProducer(onnx::NodeProto *node, int index);
  /// Forgets what the file says of a value's type and shape.
  void forgetType(llvm::StringRef value) { retyped.insert(value); }

  /// The file, without what is no longer read, and with the data that was in
  /// other files. Nullopt with the reason where that is impossible.
  std::optional<std::string> finish(std::string &problem);

private:
  void addUses(onnx::NodeProto *node);
  void collectInner(const onnx::GraphProto &graph);
  void orderNodes();
  void removeUnread();
  bool embedData(std::string &problem);

  onnx::ModelProto &model;
  std::string folder;
  mlir::MLIRContext *context;
  llvm::StringMap<onnx::TensorProto *> initializers;
  llvm::StringMap<onnx::NodeProto *> producers;
  llvm::StringMap<llvm::SmallVector<Use, 1>> readers;
  llvm::StringSet<> names, retyped;
  /// What nobody read in the file as it was, and which therefore stays.
  llvm::StringSet<> unreadBefore;
  /// New nodes and where they stand.
  struct Placed {
    onnx::NodeProto *node, *neighbour;
    bool before;
  };
  std::vector<Placed> placed;
};

/// Whether the operator gives out all elements that it takes, elsewhere.
bool movesElements(llvm::StringRef op);

/// Indices along one dimension, in any order and number.
Tensor gather(const Tensor &tensor, int64_t dim,
              llvm::ArrayRef<int64_t> indices);

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_MODELEDITOR_H
