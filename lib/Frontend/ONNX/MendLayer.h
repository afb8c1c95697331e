//===- MendLayer.h - One node that multiplies bytes -------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_MENDLAYER_H
#define A2Q_LIB_FRONTEND_ONNX_MENDLAYER_H

#include "ModelEditor.h"

namespace a2q::frontend {

/// A layer as the file has it, with the changes that mending is made of. Each
/// `std::string` that a change returns is why it was refused, or empty.
class MendLayer {
public:
  /// Nullopt with the reason when the node is none that can be changed.
  static std::optional<MendLayer>
  find(ModelEditor &editor, llvm::StringRef name, std::string &refusal);

  /// The same of a node.
  static std::optional<MendLayer> of(ModelEditor &editor, onnx::NodeProto *node,
                                     std::string &refusal);

  ModelEditor &getEditor() const { return *editor; }
  onnx::NodeProto *getNode() const { return node; }

  bool isConvolution = false;
  int64_t groups = 1;
  int64_t outputs = 0, inputs = 0, taps = 1; ///< `inputs` is per group

  /// s8, before the zero point is taken off.
  int64_t weight(int64_t output, int64_t input, int64_t tap) const {
    return codes.ints[offset(output, input, tap, inputs)];
  }
  bool hasWeightZeroPoint() const { return weightZeroPoint; }
  bool isDepthwise() const {
    return isConvolution && groups > 1 && inputs == 1;
  }

  /// The activations' codes as a value of the file; "" where they have none.
  llvm::StringRef activationCodes() const;

  /// Weights [outputs][places][taps] of `places` input channels per group.
  void setWeights(llvm::ArrayRef<int64_t> weights, int64_t places);
  std::string widen();
  /// Scales of output channels that can be changed, with the biases that they
  /// are the unit of.
  enum class Scales { None, One, PerChannel };
  Scales scales() const;
  /// New scales of the output channels in sixteenths of the old ones. Biases in
  /// their units are rounded to the nearest.
  void setScales(llvm::ArrayRef<int64_t> sixteenths);

  /// Input channels of all groups in this order, by a Gather.
  void gatherInputs(llvm::ArrayRef<int64_t> order);
  /// Whether nothing moves elements between the layer and its activations.
  bool readsChannels() const { return moves.empty(); }
  /// Dimensions of its activations after that of the channels.
  int64_t dimsBehindChannels() const {
    return static_cast<int64_t>(codes.shape.size()) - 2;
  }
  /// Whether its image is the mean of another one.
  bool readsOnePixel() const;
  llvm::StringRef activationValue() const { return node->input(activations); }
  /// Weights for input channels, of all groups, that come in this order.
  void permuteInputs(llvm::ArrayRef<int64_t> order);

private:
  explicit MendLayer(ModelEditor &editor) : editor(&editor) {}
  std::string readOperands();
  std::string readActivations();
  std::string readWeights();
  int64_t offset(int64_t output, int64_t input, int64_t tap,
                 int64_t perGroup) const {
    return inputsFirst ? input * outputs + output
                       : (output * perGroup + input) * taps + tap;
  }
  /// Inputs of the node, or of its weights' DequantizeLinear.
  std::string weightName() const;
  void setWeightInput(int ofOperator, int ofDequantize, llvm::StringRef value);

  ModelEditor *editor;
  onnx::NodeProto *node = nullptr;
  int activations = 0, weights = 0;
  /// Weights' scale and zero point, and bias, of integer operators; -1: none.
  int weightScale = -1, weightZero = -1, bias = -1;
  bool isOperator = false; ///< takes codes itself
  /// Of standard operators: the DequantizeLinear of the activations, and what
  /// moves elements between it and the node.
  onnx::NodeProto *dequantize = nullptr;
  std::vector<onnx::NodeProto *> moves;
  Tensor codes;
  bool inputsFirst = false; ///< weights are [inputs, outputs]
  bool weightZeroPoint = false;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_MENDLAYER_H
