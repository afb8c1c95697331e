//===- Expand.h - Operators that stand for several others -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// QLinearConv and its kin say in one node what DequantizeLinear, Conv and
// QuantizeLinear say in four. They are macros here: before anything is
// translated they become those nodes, which keep the macro's name and location,
// and report errors as the macro. So all formats take one path, and a layer has
// the same accumulators and the same report whichever way it was written.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_EXPAND_H
#define A2Q_LIB_FRONTEND_ONNX_EXPAND_H

#include "Graph.h"

namespace a2q::frontend {

/// Zero points and scales are not repeated for more channels.
inline constexpr int64_t kMostChannels = int64_t(1) << 24;

class Expander {
public:
  explicit Expander(Graph &graph) : graph(graph) {}

  /// Replaces the macros among the graph's nodes.
  void run();

  mlir::LogicalResult expandQLinearConv(const Node &node);
  mlir::LogicalResult expandQLinearMatMul(const Node &node);
  mlir::LogicalResult expandQGemm(const Node &node);
  mlir::LogicalResult expandBinary(const Node &node);
  mlir::LogicalResult expandUnary(const Node &node);
  mlir::LogicalResult expandQLinearConcat(const Node &node);
  // ExpandIntegers.cpp
  mlir::LogicalResult expandMatMulInteger(const Node &node);
  mlir::LogicalResult expandConvInteger(const Node &node);
  mlir::LogicalResult expandDynamicQuantizeMatMul(const Node &node);
  mlir::LogicalResult expandMatMulIntegerToFloat(const Node &node);

private:
  using Inputs = llvm::ArrayRef<llvm::StringRef>;
  /// Scales as the file has them, read where they are computed with.
  mlir::FailureOr<Tensor> scale(const Node &node, unsigned index);
  /// The initializer, or the value of a Constant node; null for neither.
  const onnx::TensorProto *constant(llvm::StringRef name) const;

  std::string zeroPoint(const Node &node, unsigned index, unsigned scaleIndex);
  std::string ownName(llvm::StringRef base);
  onnx::TensorProto &ownTensor(int32_t type, llvm::ArrayRef<int64_t> shape);
  std::string real(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);
  /// A node of a standard operator, or one of `kOwnDomain`, with one output,
  /// whose name it returns; the macro's own when `output` is given. Attributes
  /// of the macro that the operator knows go along.
  std::string emit(llvm::StringRef op, Inputs inputs,
                   llvm::StringRef output = "");
  /// DequantizeLinear of an input by the two that follow; `axis` of weights.
  std::string dequantized(const Node &node, unsigned index,
                          llvm::StringRef scale = "", int64_t axis = 0);
  /// QuantizeLinear to the macro's output; scale and zero point from `index`.
  void quantized(const Node &node, llvm::StringRef value, unsigned index);
  mlir::FailureOr<std::string> bias(const Node &node, unsigned index,
                                    const Tensor &inputScale,
                                    const Tensor &weightScale);
  mlir::LogicalResult checkZeroPoint(const Node &node, unsigned index);
  mlir::LogicalResult checkWeightZeroPoint(const Node &node, unsigned index,
                                           unsigned weights);
  /// Whether constants and what is computed of them are all that it takes.
  bool isFixed(llvm::StringRef name, unsigned depth = 0) const;
  std::string unscaled(llvm::StringRef codes, llvm::StringRef zeroPoint,
                       int64_t axis);
  std::string integerProduct(llvm::StringRef a, llvm::StringRef b,
                             llvm::StringRef zeroPoint,
                             llvm::StringRef weightZeroPoint,
                             llvm::StringRef output = "");
  void scaledProduct(const Node &node, llvm::StringRef product,
                     llvm::StringRef inputScale, llvm::StringRef weightScale,
                     llvm::StringRef bias);
  /// Of the node that was emitted last.
  void setAxis(int64_t axis);
  onnx::NodeProto &last() { return graph.ownNodes.back(); }

  Graph &graph;
  const Node *macro = nullptr;
  std::vector<Node> nodes; ///< what replaces the graph's
  llvm::StringMap<const onnx::TensorProto *> constants;
  llvm::StringMap<const onnx::NodeProto *> makers; ///< value to node
  unsigned count = 0;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_EXPAND_H
