//===- Transfer.h - Ranges of results from those of operands --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_ANALYSIS_TRANSFER_H
#define A2Q_LIB_ANALYSIS_TRANSFER_H

#include "RangeState.h"
#include "mlir/IR/Operation.h"

namespace a2q {

/// The state of any value that the op being visited depends on, operand or not.
using StateLookup = llvm::function_ref<const RangeState &(mlir::Value)>;

/// What is known of the results of an op; nullopt when the op is of another
/// family. An uninitialized result asks to be visited again.
using Results = std::optional<llvm::SmallVector<RangeState, 1>>;

/// Ops of the a2q and quant dialects, and whatever accumulates.
Results transferQuantized(mlir::Operation *op, StateLookup states);

/// Ops that move elements: pads, concatenations, reshapes, slices, transposes.
Results transferMoves(mlir::Operation *op, StateLookup states);

/// Structured ops: elementwise ones, broadcasts, poolings, reductions.
Results transferLinalg(mlir::Operation *op, StateLookup states);

/// Ops of `tosa`.
Results transferTosa(mlir::Operation *op, StateLookup states);

/// Float32 constants and arithmetic, on scalars and element by element.
Results transferReal(mlir::Operation *op, StateLookup states);

/// Constants, and scalar ops (on tensors element by element) that upstream's
/// inference knows. Always has an answer.
llvm::SmallVector<RangeState, 1> transferScalar(mlir::Operation *op,
                                                StateLookup states);

/// What is known of a float32 tensor by the formula that computes it: a
/// normalization or softmax.
std::optional<AxisFact> producedFact(mlir::Value value);

/// What is known of the elements of the op's only result together, from its
/// operands' facts or because the op ends a normalization or softmax; null when
/// nothing is.
SharedFact transferFact(mlir::Operation *op, StateLookup states);

/// Gives the op's result a fact, and the ranges of codes that follow from it.
void setFact(mlir::Operation *op, RangeState &state, SharedFact fact);

/// Beyond this many indices a range per index costs more than it tells.
constexpr int64_t maxRangeIndices = 65536;

/// The state with its entries along another axis, joined if that is -1.
RangeState withAxis(const RangeState &state, int64_t axis);

/// Elements of the source and the padding; per index only if the source's own
/// axis is not padded.
RangeState padState(const RangeState &source, const RangeState &padding,
                    bool padsAxis);

/// Sources of these types one after the other along `axis`.
RangeState concatState(llvm::ArrayRef<RangeState> sources,
                       llvm::ArrayRef<mlir::Type> types, int64_t axis);

/// Upstream's integer range inference on an op without regions, index by index
/// where the operands have an axis in common.
llvm::SmallVector<RangeState, 1>
inferScalar(mlir::Operation *op, llvm::ArrayRef<RangeState> operands);

/// Results of which nothing is known but their types.
llvm::SmallVector<RangeState, 1> resultsOfTypes(mlir::Operation *op);

} // namespace a2q

#endif // A2Q_LIB_ANALYSIS_TRANSFER_H
