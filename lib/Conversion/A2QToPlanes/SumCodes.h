//===- SumCodes.h - What makes codes of a layer's sums ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sums become codes by a2q.requantize, or by way of reals: a2q.decode, a
// product with a scale and a sum with a bias per channel, perhaps a clamp, and
// a2q.quantize. Either is a function of the channel and the sum, which is
// evaluated where thresholds and tables are made. The reals are computed as the
// program would, operation by operation in float32.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_A2QTOPLANES_SUMCODES_H
#define A2Q_LIB_CONVERSION_A2QTOPLANES_SUMCODES_H

#include "../A2QToVector/Lowering.h"

namespace a2q {

class SumCodes {
public:
  /// Of the sums of a convolution; null and the reason why they are not codes
  /// at once, and nothing else.
  static std::optional<SumCodes> get(AccumulatingOpInterface op,
                                     std::string &reason);

  /// a2q.requantize or a2q.quantize.
  mlir::Operation *getOp() const { return steps.front(); }
  mlir::Value getCodes() const { return getOp()->getResult(0); }
  mlir::quant::QuantizedType getType() const {
    return getQuantizedType(getCodes().getType());
  }
  bool areReal() const { return steps.size() > 1; }
  /// What reads the sums: a2q.requantize or a2q.decode.
  mlir::Operation *getReader() const { return steps.back(); }
  /// From what makes the codes back to what reads the sums.
  llvm::ArrayRef<mlir::Operation *> getSteps() const { return steps; }

  /// The code of a sum; null if the real that it becomes is not finite.
  std::optional<int64_t> find(int64_t channel, Wide sum) const;
  /// The same where it is known to exist.
  int64_t operator()(int64_t channel, Wide sum) const {
    return *find(channel, sum);
  }

private:
  /// A real: the sum, a constant, or the result of an operation on others.
  struct Node {
    mlir::Operation *op = nullptr;
    llvm::SmallVector<float> constants; ///< one, or one per channel
    size_t lhs = 0, rhs = 0;
  };
  friend struct SumCodesBuilder;

  void readConstants(RequantizeOp op);
  int64_t requantizeSum(RequantizeOp op, int64_t channel, Wide sum) const;

  llvm::SmallVector<mlir::Operation *> steps;
  /// Of a2q.requantize, one or one per channel.
  llvm::SmallVector<int64_t> biases, multipliers, shifts;
  llvm::SmallVector<float> factors;
  /// Of reals.
  std::vector<Node> nodes; ///< the first one is the sum
  size_t result = 0;
};

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_A2QTOPLANES_SUMCODES_H
