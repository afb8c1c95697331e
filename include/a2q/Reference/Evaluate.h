//===- Evaluate.h - Slow, readable evaluation of a module -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The independent reference that compiled programs are held against. It walks
// the IR op by op, sums in 128 bits whatever the accumulator types say, and
// knows nothing of schedules, vectors or lowering. On request it computes what
// narrow accumulators would, see Emulation.h.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_REFERENCE_EVALUATE_H
#define A2Q_REFERENCE_EVALUATE_H

#include "a2q/Reference/Emulation.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <variant>
#include <vector>

namespace a2q {

/// Row-major elements of a tensor; a scalar has rank 0. Quantized tensors hold
/// their codes, accumulator tensors their sums, plain integers their signed
/// value.
struct ReferenceTensor {
  llvm::SmallVector<int64_t> shape;
  std::variant<std::vector<Wide>, std::vector<float>> elements;

  bool isReal() const { return elements.index() == 1; }
  std::vector<Wide> &integers() { return std::get<0>(elements); }
  const std::vector<Wide> &integers() const { return std::get<0>(elements); }
  std::vector<float> &reals() { return std::get<1>(elements); }
  const std::vector<float> &reals() const { return std::get<1>(elements); }
  int64_t numElements() const;
};

/// Evaluates a function of one block with static shapes. Supports the a2q ops
/// on tensors, `quant.scast`, structured linalg ops, and elementwise arith and
/// math; any other op is an error on that op. With an emulation, the sums of
/// accumulating ops (AccumulatingOpInterface) on integers are held by it.
mlir::FailureOr<llvm::SmallVector<ReferenceTensor>>
evaluate(mlir::func::FuncOp function, llvm::ArrayRef<ReferenceTensor> arguments,
         std::optional<Emulation> emulation = std::nullopt);

} // namespace a2q

#endif // A2Q_REFERENCE_EVALUATE_H
