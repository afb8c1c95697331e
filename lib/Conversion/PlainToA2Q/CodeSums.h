//===- CodeSums.h - Plain sums of products as sums of codes -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the conversions from TOSA and from linalg share. Both multiply
// differences, (x - x0) * (w - w0), where the a2q ops multiply codes:
//
//   sum (x - x0) * w' = sum x * w' - x0 * sum w'        w' = w - w0
//
// The weights are constants and take w0 at once. The rest is a constant of each
// channel, which is added where the sums have left the accumulator.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_PLAINTOA2Q_CODESUMS_H
#define A2Q_LIB_CONVERSION_PLAINTOA2Q_CODESUMS_H

#include "a2q/IR/A2QDialect.h"
#include "a2q/Math/Interval.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/PatternMatch.h"

namespace a2q {

/// Weights [channels][K] without their zero point, in the order of the a2q ops.
struct PlainWeights {
  llvm::SmallVector<int64_t> codes;
  /// What the type of the weights can hold, less the zero point.
  Range range;

  /// The constant weights of the op; on failure `reason` says what is not
  /// known.
  static mlir::FailureOr<PlainWeights> of(AccumulatingOpInterface op,
                                          std::string &reason);
  /// The same for weights of `bits` bits that the offset has been taken off.
  static mlir::FailureOr<PlainWeights> of(llvm::SmallVector<int64_t> codes,
                                          unsigned bits, bool isUnsigned,
                                          int64_t offset, std::string &reason);
};

/// Activations as the op reads them.
struct PlainCodes {
  mlir::Value value;
  bool isUnsigned = false;
  int64_t zeroPoint = 0;

  /// On failure `reason` says why they, `what`, are no codes.
  static mlir::FailureOr<PlainCodes> of(mlir::Value value, bool isUnsigned,
                                        std::optional<int64_t> zeroPoint,
                                        llvm::StringRef what,
                                        std::string &reason);
  static mlir::FailureOr<PlainCodes> activations(AccumulatingOpInterface op,
                                                 std::string &reason);
  static mlir::FailureOr<PlainCodes> secondOperand(AccumulatingOpInterface op,
                                                   std::string &reason);
  /// All codes of the type.
  Range range() const;
};

/// Sums of codes, channels last, and what is to be added to each channel.
struct CodeSums {
  mlir::Value value;
  llvm::SmallVector<int64_t> bias;
};

/// How a convolution moves over its image.
struct ConvGeometry {
  llvm::SmallVector<int64_t, 2> strides = {1, 1};
  llvm::SmallVector<int64_t, 2> dilations = {1, 1};
  /// top, left, bottom, right
  llvm::SmallVector<int64_t, 4> padding = {0, 0, 0, 0};
  int64_t groups = 1;
};

/// Builds a2q ops at one location.
class CodeSumBuilder {
public:
  CodeSumBuilder(mlir::RewriterBase &rewriter, mlir::Location loc)
      : b(rewriter), loc(loc) {}

  /// `image` is NHWC; the filter has this shape, [out, kh, kw, in / groups].
  CodeSums convolve(const PlainCodes &image, const PlainWeights &weights,
                    llvm::ArrayRef<int64_t> filterShape,
                    const ConvGeometry &geometry,
                    mlir::RankedTensorType resultType);

  /// `lhs` is [..., M, K] and the weights are [N, K].
  CodeSums multiply(const PlainCodes &lhs, const PlainWeights &weights,
                    int64_t channels);

  /// Both operands are computed: `lhs` is [batch..., M, K], `rhs` [batch..., N,
  /// K]. Zero points of `lhs` and `rhs` are taken off at run time. The result
  /// has integers of the type.
  mlir::Value multiply(const PlainCodes &lhs, const PlainCodes &rhs,
                       mlir::IntegerType element);

  /// The sums as plain integers; beyond their width they wrap.
  mlir::Value decode(const CodeSums &sums, mlir::IntegerType element);

  /// Elements in another order of dimensions: dimension i of the result is
  /// dimension `permutation[i]` of the value.
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  /// The same elements in another shape.
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> shape);

private:
  mlir::Value castToCodes(const PlainCodes &codes);
  mlir::Value constantWeights(const PlainWeights &weights,
                              llvm::ArrayRef<int64_t> shape);
  AccumulatorType accumulator(int64_t length, Range weights, Range codes);
  CodeSums finish(mlir::Value value, const PlainCodes &codes,
                  const PlainWeights &weights, int64_t channels);
  mlir::Value sumOverLast(const PlainCodes &codes, mlir::IntegerType element);

  mlir::RewriterBase &b;
  mlir::Location loc;
};

/// Codes of scale 1 in a storage type that holds the range: 8 bits, else 16.
mlir::quant::UniformQuantizedType getCodeType(mlir::MLIRContext *context,
                                              unsigned bits, bool isSigned,
                                              Range codes, int64_t zeroPoint);

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_PLAINTOA2Q_CODESUMS_H
