//===- Exporter.h - Networks to ONNX, op by op -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values of the network become values of the graph one by one, in program
// order. An image has two forms: as the network has it, channels last, and as
// ONNX wants it. Both are made when they are first asked for, so that a chain
// of layers needs no transposes between them.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_EXPORTER_H
#define A2Q_LIB_FRONTEND_ONNX_EXPORTER_H

#include "Proto.h"

#include "a2q/Frontend/ONNX/Export.h"
#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace a2q::frontend {

/// What is added to exact sums and what they are multiplied with, per channel.
struct SumFactors {
  std::vector<int64_t> bias;
  std::vector<double> factor;
};

/// A scalar of the body of a structured op that the graph has already: the
/// element of a tensor at the same place.
struct KnownScalar {
  mlir::Value value;
  std::string name;
  bool isChannelsFirst = false;
};

/// The type and dimensions of a value of the graph.
struct ValueShape {
  int32_t type = onnx::TensorProto::FLOAT;
  llvm::SmallVector<int64_t> dims;
};

/// Row-major reals of a constant, dense or a resource; nullopt where there are
/// none.
std::optional<std::vector<float>> realElements(mlir::ElementsAttr elements);

/// Of QONNX's operators.
inline constexpr llvm::StringLiteral quantDomain = "qonnx.custom_op.general";

/// What a node of the exporter gives, from what is known of its inputs; nullopt
/// where that is not enough. sizes: of constant shapes and axes.
std::optional<ValueShape>
shapeOfNode(const onnx::NodeProto &node,
            const llvm::StringMap<ValueShape> &shapes,
            const llvm::StringMap<llvm::SmallVector<int64_t>> &sizes);

class Exporter {
public:
  Exporter(mlir::func::FuncOp entry, ONNXForm target);

  /// The bytes of the model; failure with a diagnostic.
  mlir::FailureOr<std::string> run();

private:
  enum class Form { Plain, ChannelsFirst };

  struct Known {
    ElementType type = ElementType::Float;
    /// Names in both forms; empty for one that is not made yet.
    std::string names[2];
  };

  // Names and nodes.
  std::string addConstant(llvm::StringRef hint, const Tensor &tensor);
  std::string addInteger(ElementType type, int64_t value);
  std::string addReal(float value);
  onnx::NodeProto &addNode(llvm::StringRef op,
                           llvm::ArrayRef<std::string> inputs);
  /// Its output's name.
  std::string add(llvm::StringRef op, llvm::ArrayRef<std::string> inputs) {
    return addNode(op, inputs).output(0);
  }
  std::string addSizes(llvm::StringRef hint, llvm::ArrayRef<int64_t> sizes);
  /// Types and shapes of all values, which some readers do not infer.
  void describeValues();
  std::string addReshape(const std::string &value,
                         llvm::ArrayRef<int64_t> sizes);
  /// Its dimensions stay, as 1.
  std::string addReduction(llvm::StringRef name, const std::string &value,
                           llvm::ArrayRef<int64_t> axes);
  std::string addTranspose(const std::string &value,
                           llvm::ArrayRef<int64_t> permutation);

  // Values.
  mlir::FailureOr<std::string> nameOf(mlir::Value value, Form form);
  /// The form in which an elementwise op on these needs the fewest transposes.
  Form formOf(mlir::ValueRange operands) const;
  void define(mlir::Value value, ElementType type, Form form, std::string name);
  mlir::FailureOr<ElementType> typeOf(mlir::Value value);
  mlir::LogicalResult exportConstant(mlir::Value value, Form form);

  // Codes. In QONNX they are reals, and dequantizing changes nothing.
  ElementType typeOfCodes(mlir::quant::QuantizedType type) const;
  mlir::LogicalResult checkPerTensor(mlir::Operation *op, mlir::Type type);
  /// `reals` where codes are narrower than their 16-bit type: no runtime has a
  /// Clip of these.
  std::string clipWords(const std::string &reals,
                        mlir::quant::QuantizedType type);
  std::string addQuantize(const std::string &reals,
                          mlir::quant::QuantizedType type);
  /// A node of QONNX; `scale` and `zero` are constants.
  std::string addQuant(const std::string &reals, const std::string &scale,
                       const std::string &zero, Range range);
  std::string addDequantize(const std::string &codes,
                            mlir::quant::QuantizedType type);

  // Layers. `result` is the op that reads the sums.
  mlir::FailureOr<SumFactors> readDecoded(mlir::linalg::GenericOp op,
                                          mlir::Value &reals);
  mlir::FailureOr<std::string> exportLayer(mlir::Value sums,
                                           const SumFactors &factors);
  mlir::FailureOr<std::string> exportConv(Conv2DOp op,
                                          const SumFactors &factors);
  mlir::FailureOr<std::string> exportMatmul(MatmulOp op,
                                            const SumFactors &factors);
  /// Of two activations.
  mlir::FailureOr<std::string> exportProduct(MatmulOp op,
                                             const SumFactors &factors);
  /// Whether the op takes zero points off before such products, and no more.
  static bool feedsProduct(mlir::Operation *op);
  mlir::LogicalResult exportRequantize(RequantizeOp op);
  /// The same in QONNX: reals, the weights behind a Quant node.
  std::pair<std::string, std::string>
  addRealWeights(const Tensor &codes, Range range, int64_t axis,
                 llvm::StringRef name, llvm::ArrayRef<double> weightScales,
                 double inputScale, llvm::ArrayRef<int64_t> bias);
  /// Weights, whose type holds `range`, and bias as dequantized integers; the
  /// channels of the weights are along `axis`.
  std::pair<std::string, std::string>
  addWeights(const Tensor &codes, Range range, int64_t axis,
             llvm::StringRef name, llvm::ArrayRef<double> weightScales,
             double inputScale, llvm::ArrayRef<int64_t> bias);

  // One op each.
  mlir::LogicalResult exportOp(mlir::Operation *op);
  mlir::LogicalResult exportCast(mlir::quant::StorageCastOp op);
  mlir::LogicalResult exportQuantize(QuantizeOp op);
  mlir::LogicalResult exportDequantize(DequantizeOp op);
  mlir::LogicalResult exportGeneric(mlir::linalg::GenericOp op);
  mlir::LogicalResult exportClip(mlir::linalg::GenericOp op);
  /// `known` is what comes before the rest of the body, if there is something.
  mlir::LogicalResult exportRealGeneric(mlir::linalg::GenericOp op,
                                        KnownScalar known = {});
  mlir::LogicalResult exportReduction(mlir::Operation *op, llvm::StringRef name,
                                      mlir::Value input, int64_t axis);
  mlir::LogicalResult exportSlice(mlir::tosa::SliceOp op);
  mlir::LogicalResult exportRsqrt(mlir::tosa::RsqrtOp op);
  mlir::LogicalResult exportTranspose(mlir::Value input, mlir::Value result,
                                      llvm::ArrayRef<int64_t> permutation);
  mlir::LogicalResult exportReshape(mlir::Value input, mlir::Value result);
  mlir::LogicalResult exportElementwise(mlir::Operation *op,
                                        llvm::StringRef name);
  /// In the form that the network has.
  mlir::LogicalResult exportPlain(mlir::Operation *op, llvm::StringRef name,
                                  mlir::ValueRange operands);
  mlir::LogicalResult exportClamp(mlir::tosa::ClampOp op);
  mlir::LogicalResult exportConcat(mlir::tosa::ConcatOp op);
  mlir::LogicalResult exportMaxPool(mlir::Operation *op, mlir::Value input,
                                    llvm::ArrayRef<int64_t> kernel,
                                    llvm::ArrayRef<int64_t> strides,
                                    llvm::ArrayRef<int64_t> pads);
  /// Largest codes of windows; `isUnsigned` says how integers are compared.
  mlir::LogicalResult exportCodePool(mlir::linalg::LinalgOp op,
                                     bool isUnsigned);
  mlir::LogicalResult exportPad(mlir::tensor::PadOp op);
  mlir::LogicalResult exportAveragePool(mlir::tosa::AvgPool2dOp op);
  mlir::LogicalResult exportRealConv(mlir::Operation *op, mlir::Value input,
                                     mlir::Value weights, mlir::Value bias,
                                     llvm::ArrayRef<int64_t> pads,
                                     llvm::ArrayRef<int64_t> strides,
                                     llvm::ArrayRef<int64_t> dilations,
                                     bool isDepthwise);

  mlir::LogicalResult exportInterface();

  mlir::func::FuncOp entry;
  ONNXForm target;
  int64_t opset;
  onnx::ModelProto model;
  onnx::GraphProto *graph;
  llvm::DenseMap<mlir::Value, Known> values;
  llvm::StringSet<> names;
  /// What is known of the graph's values by name.
  llvm::StringMap<ValueShape> shapes;
  /// Constant shapes and axes.
  llvm::StringMap<llvm::SmallVector<int64_t>> sizes;
  /// The layer whose nodes are being added.
  std::string layer;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_EXPORTER_H
