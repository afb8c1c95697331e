//===- Slice.h - A part of a network as a program ---------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Calibration asks for values inside a network. A slice is the ops between
// values that are known and values that are asked for, compiled like a whole
// network. What it takes and gives are arrays of the host:
//
//     entry arguments ──► conv1 ──► codes of conv2's input   one slice
//                                   (cached)
//                         codes ──► conv2 ──► codes of conv3's input   the next
//
// so a network whose layers change one after the other runs each layer once,
// not once for every layer after it.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CALIBRATION_SLICE_H
#define A2Q_CALIBRATION_SLICE_H

#include "a2q/Analysis/Ranges.h"
#include "a2q/Execution/Program.h"
#include "a2q/Execution/Signature.h"

namespace a2q {

class Slice {
public:
  /// Compiles what computes `outputs` from those of the values `available` that
  /// it needs. Sums (`!a2q.acc`) come as i32, or as i64 if they are wider. The
  /// network stays as it is; all values are of one block, which calls nothing.
  /// Failure with a diagnostic.
  static mlir::FailureOr<Slice> compile(llvm::ArrayRef<mlir::Value> available,
                                        llvm::ArrayRef<mlir::Value> outputs,
                                        const RangeAnalysis &ranges);

  /// The values that it takes, in the order of `run`'s inputs.
  llvm::ArrayRef<mlir::Value> getInputs() const { return inputs; }
  /// Of the program: inputs and outputs in order.
  const Signature &getSignature() const { return signature; }

  /// Computes the outputs once. Failure with a diagnostic.
  mlir::LogicalResult run(llvm::ArrayRef<const void *> from,
                          llvm::ArrayRef<void *> to);

private:
  Slice(Program program, Signature signature,
        llvm::SmallVector<mlir::Value> inputs, mlir::Location loc)
      : program(std::move(program)), signature(std::move(signature)),
        inputs(std::move(inputs)), loc(loc) {}

  Program program;
  Signature signature;
  llvm::SmallVector<mlir::Value> inputs;
  mlir::Location loc;
};

} // namespace a2q

#endif // A2Q_CALIBRATION_SLICE_H
