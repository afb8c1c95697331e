//===- Graph.h - An ONNX graph, checked and sorted -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is known of a model before anything is translated: it parses, its
// opset and operators are supported, every value is defined once, and nodes
// come in an order in which inputs precede their users.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_GRAPH_H
#define A2Q_LIB_FRONTEND_ONNX_GRAPH_H

#include "Refusals.h"
#include "Tensor.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <deque>

namespace a2q::frontend {

class Expander;
class Importer;
struct Node;

/// Domains of one meaning: "" is the standard's, also written "ai.onnx", and
/// "qonnx" stands for all that QONNX, Brevitas and FINN write.
llvm::StringRef canonicalDomain(llvm::StringRef domain);

/// The domain of operators that only macros may become.
inline constexpr llvm::StringLiteral kOwnDomain = "a2q.own";
/// Follows the file's name in the names of values between them.
inline constexpr llvm::StringLiteral kOwnName = ":a2q.";

/// One supported operator: how many inputs it takes and which attributes, each
/// with its type. Anything else on a node is an error, so that nothing is
/// silently dropped.
struct Operator {
  llvm::StringLiteral name;
  unsigned minInputs;
  unsigned maxInputs;
  mlir::LogicalResult (Importer::*import)(const Node &);
  llvm::ArrayRef<
      std::pair<llvm::StringLiteral, onnx::AttributeProto::AttributeType>>
      attributes;
  unsigned maxOutputs = 1;
  llvm::StringLiteral domain = "";
  /// Of macros, which have no `import`: nodes of other operators take the
  /// node's place.
  mlir::LogicalResult (Expander::*expand)(const Node &) = nullptr;
};
llvm::ArrayRef<Operator> supportedOperators();
/// Expand.cpp
llvm::ArrayRef<Operator> macroOperators();
/// Null when there is none.
const Operator *findOperator(llvm::StringRef name, llvm::StringRef domain);

/// A node with its name, or one made of its operator and first output.
struct Node {
  const onnx::NodeProto *proto;
  const Operator *op;
  std::string name;
  mlir::Location loc;
  /// The operator that the file has, where the node came from a macro.
  llvm::StringRef macro = "";

  /// As the file has it.
  llvm::StringRef operatorName() const;
  mlir::InFlightDiagnostic emitError() const;
  /// An error about input `index`, naming its tensor.
  mlir::InFlightDiagnostic emitInputError(unsigned index) const;

  /// "" when the optional input is absent.
  llvm::StringRef input(unsigned index) const;
  bool hasInput(unsigned index) const { return !input(index).empty(); }
  /// "" when the optional output is absent.
  llvm::StringRef output(unsigned index = 0) const;

  /// Attributes, whose types were checked when the graph was read.
  const onnx::AttributeProto *find(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  float real(llvm::StringRef name, float otherwise) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef otherwise) const;
  llvm::SmallVector<int64_t> integers(llvm::StringRef name,
                                      llvm::ArrayRef<int64_t> otherwise) const;
};

class Graph {
public:
  /// One diagnostic and failure when the bytes are no model that can be looked
  /// at; nodes that cannot be imported are `refusals`.
  static mlir::FailureOr<std::unique_ptr<Graph>>
  read(llvm::StringRef bytes, llvm::StringRef path, mlir::MLIRContext *context);

  const onnx::GraphProto &proto() const { return model.graph(); }
  llvm::ArrayRef<Node> nodes() const { return sorted; }
  mlir::Location loc() const { return fileLoc; }
  llvm::StringRef directory() const { return folder; }
  /// Version of the standard's operators.
  int64_t opset() const { return version; }

  const onnx::TensorProto *initializer(llvm::StringRef name) const {
    return initializers.lookup(name);
  }
  /// The node that computes the value; null for inputs and initializers.
  const Node *producer(llvm::StringRef value) const;
  /// Frees the data of an initializer, which was read for the last time.
  void release(llvm::StringRef name);
  /// Whether the graph returns the value.
  bool returns(llvm::StringRef value) const;
  /// The one node that reads the value; null when several do, or the graph
  /// returns it.
  const Node *onlyConsumer(llvm::StringRef value) const;
  /// Emits the one error about all nodes that were refused.
  mlir::LogicalResult reportRefusals() const;

  Refusals refusals;

private:
  Graph(mlir::Location loc, llvm::StringRef path);
  mlir::LogicalResult checkOpset();
  void checkOperators();
  mlir::LogicalResult checkNode(const Node &node);
  mlir::LogicalResult collectInitializers();
  mlir::LogicalResult collectDefinitions();
  void checkOutputs();
  void expandMacros();
  mlir::LogicalResult sortNodes();

  friend class Expander;

  onnx::ModelProto model;
  mlir::Location fileLoc;
  std::string folder;
  int64_t version = 0;
  /// What macros became.
  std::deque<onnx::NodeProto> ownNodes;
  std::deque<onnx::TensorProto> ownTensors;
  std::vector<Node> unsorted, sorted;
  llvm::StringMap<onnx::TensorProto *> initializers;
  llvm::StringMap<unsigned> producers; // value to node
  llvm::StringMap<llvm::SmallVector<unsigned, 1>> consumers;
  llvm::StringSet<> inputs;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_GRAPH_H
