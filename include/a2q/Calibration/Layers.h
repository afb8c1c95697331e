//===- Layers.h - The layers of a quantized network, one by one -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CALIBRATION_LAYERS_H
#define A2Q_CALIBRATION_LAYERS_H

#include "a2q/Calibration/Observe.h"
#include "a2q/IR/A2QDialect.h"

namespace a2q {

/// Whether the op is an `a2q.matmul` or `a2q.conv_2d` with constant weights.
bool isWeightLayer(AccumulatingOpInterface op);

/// The `a2q.matmul` and `a2q.conv_2d` with constant weights, in program order.
llvm::SmallVector<AccumulatingOpInterface>
getWeightLayers(mlir::func::FuncOp entry);

/// Per layer, mean and variance of each channel's real sum (scales in, initial
/// value and bias out) on the data. The network runs once. Failure with a
/// diagnostic.
mlir::FailureOr<std::vector<std::vector<SumStatistics>>>
observeSums(mlir::func::FuncOp entry,
            llvm::ArrayRef<AccumulatingOpInterface> layers,
            const CalibrationData &data);

/// What is done with layer number `index`: it may replace the op and change its
/// weights and what reads its sums; the codes that the op reads stay the same
/// values. `moments` are those of its inputs, one per group.
using LayerVisitor = llvm::function_ref<mlir::LogicalResult(
    size_t index, llvm::ArrayRef<Moments> moments)>;

/// Visits the layers in program order, each with the moments of the codes that
/// the layers before it give after their visits. A layer's codes are computed
/// from codes of earlier layers, which are kept until the end: every layer is
/// compiled and run once. Moments are those of one layer at a time; where not
/// all products are wanted, `products` holds the K squares alone. Failure with
/// a diagnostic, or the visitor's.
mlir::LogicalResult visitLayers(mlir::func::FuncOp entry,
                                llvm::ArrayRef<AccumulatingOpInterface> layers,
                                const CalibrationData &data,
                                llvm::function_ref<bool(size_t)> wantsProducts,
                                LayerVisitor visit);

} // namespace a2q

#endif // A2Q_CALIBRATION_LAYERS_H
