//===- FloatLayers.h - Layers of a float network ----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A float network comes as TOSA or as named linalg ops, each with its own
// layout of weights, its own place for the bias and its own way to pad. What
// works on layers (folding of batch norms, equalization, calibration,
// quantization) sees one thing: weights [C, K] in the default order of terms,
// a bias [C], and a window.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_FLOATLAYERS_H
#define A2Q_ANALYSIS_FLOATLAYERS_H

#include "mlir/IR/Operation.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace a2q {

/// One layer in f32:
///
///   result[..., c] = bias[c] + sum over k of input terms * weights[c, k]
///
/// op | weights as they lie in the IR
/// --- | ---
/// `tosa.conv2d` | [C, KH, KW, I]
/// `tosa.depthwise_conv2d` | [KH, KW, channels of the input, M], c = i * M + m
/// `tosa.matmul` | [1, K, C]
/// `linalg.matmul` | [K, C], or [C, K] where its maps say so
/// `linalg.conv_2d_nhwc_hwcf`, `_fhwc` | [KH, KW, I, C], [C, KH, KW, I]
/// `linalg.depthwise_conv_2d_nhwc_hwc` | [KH, KW, C]
///
/// Weights are a constant, or one behind reshapes and transposes. The bias is
/// the operand of a TOSA convolution, what a linalg op begins with (zeros or a
/// broadcast vector) or what an elementwise linalg.generic adds to it, or a
/// constant that a `tosa.add` adds to a matrix product, there also behind a
/// reshape; as long as nothing else reads the sums without it.
/// Zeros that a `tensor.pad` puts around the image of a linalg convolution
/// belong to the layer.
class FloatLayer {
public:
  /// What `op` is as a layer. Nothing where it is none: `reason` is then empty
  /// for an op of another kind, and says what is missing for one of the table.
  static std::optional<FloatLayer> match(mlir::Operation *op,
                                         std::string &reason);
  static std::optional<FloatLayer> match(mlir::Operation *op) {
    std::string reason;
    return match(op, reason);
  }

  /// The sum of products: carries the layer's attributes, and its location,
  /// hence its name (Report.h).
  mlir::Operation *op = nullptr;
  /// [N, H, W, inputs] before padding, or [..., K].
  mlir::Value input;
  /// The sums with their bias, [..., C]: of `op`, or of what adds the bias.
  mlir::Value result;

  bool isConvolution = false;
  int64_t channels = 0; ///< C
  int64_t groups = 1;
  /// Rows and columns of the kernel, and input channels per group. Of a matrix
  /// product 1, 1, K.
  std::array<int64_t, 3> window = {1, 1, 1};
  std::array<int64_t, 2> strides = {1, 1}, dilations = {1, 1};
  std::array<int64_t, 4> padding = {}; ///< top, left, bottom, right

  /// K.
  int64_t terms() const { return window[0] * window[1] * window[2]; }

  /// [C, K], terms in the order kernel row, kernel column, input channel.
  std::vector<float> weights() const;
  /// [C].
  std::vector<float> bias() const;

  /// An error at the op for a weight or a bias that is infinite or no number.
  mlir::LogicalResult verifyFinite() const;

  /// New constants of the same shape. Others that share the old one keep it.
  void setWeights(llvm::ArrayRef<float> weights);
  /// Where the layer has no bias, one is made; `result` is with it then.
  void setBias(llvm::ArrayRef<float> bias);

private:
  bool matchTosaConvolution(mlir::Operation *op, std::string &reason);
  bool matchTosaMatmul(mlir::Operation *op, std::string &reason);
  bool matchLinalg(mlir::Operation *op, std::string &reason);
  bool readWeights(unsigned operand, std::string &reason);
  void findAddedBias();
  bool coversImage() const;

  unsigned weightOperand = 1;
  /// Row-major elements of the weights, as they lie in the IR.
  std::vector<float> elements;
  /// Steps in `elements`: channel, kernel row, kernel column, input channel.
  std::array<int64_t, 4> steps = {};
  /// Where the bias is a constant of C or 1 elements: the op and its operand.
  mlir::Operation *biasOwner = nullptr;
  unsigned biasOperand = 0;
};

/// The elements of an f32 constant, row-major, also behind reshapes and
/// transposes of it (tosa, tensor, linalg). Nullopt when it is none.
std::optional<std::vector<float>> constantReals(mlir::Value value);

} // namespace a2q

#endif // A2Q_ANALYSIS_FLOATLAYERS_H
