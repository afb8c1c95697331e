//===- Refusals.h - What of a model cannot be imported ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whoever brings a model wants to know everything that stands in its way, not
// the first thing. So a node that is refused is noted, its results are unknown
// from then on, and nodes that read them are passed over; all others are looked
// at. What was noted becomes one error when the graph is done.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_REFUSALS_H
#define A2Q_LIB_FRONTEND_ONNX_REFUSALS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSet.h"

namespace onnx {
class NodeProto;
} // namespace onnx

namespace a2q::frontend {

struct Node;

class Refusals {
public:
  explicit Refusals(mlir::Location fileLoc) : fileLoc(fileLoc) {}

  /// No node of this operator is imported; `op` with its domain.
  void addOperator(llvm::StringRef op, llvm::StringRef name,
                   const onnx::NodeProto &node);
  /// Runs `body`, which translates the node or looks at it. When it fails,
  /// keeps the error that it emitted.
  mlir::LogicalResult attempt(const Node &node,
                              llvm::function_ref<mlir::LogicalResult()> body);
  /// Whether the node reads something that a refused node defines; what it
  /// defines itself is unknown then.
  bool passesOver(const Node &node);
  /// A value that is not known for want of the node that computes it.
  bool isUnknown(llvm::StringRef value) const {
    return unknown.contains(value);
  }

  bool empty() const { return entries.empty(); }
  /// The one error, with the supported operators where they are a remedy.
  mlir::InFlightDiagnostic emit(llvm::ArrayRef<std::string> supported) const;

private:
  struct Entry {
    std::string op, node;
    mlir::Location loc;
    /// The error and its notes; none where the operator itself is not known.
    std::string reason;
    llvm::SmallVector<std::string, 1> notes;
  };
  void forget(const onnx::NodeProto &node);

  mlir::Location fileLoc;
  std::vector<Entry> entries;
  llvm::StringSet<> unknown;
  unsigned passedOver = 0;
  /// The last node that was refused or passed over: a macro is many nodes of
  /// one name.
  std::string last;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_REFUSALS_H
