//===- ExternalModels.h - Accumulating ops of other dialects ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `AccumulatingOpInterface` for ops that never heard of this project.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_EXTERNALMODELS_H
#define A2Q_IR_EXTERNALMODELS_H

#include "mlir/IR/DialectRegistry.h"

namespace a2q {

/// linalg: matmul, batch_matmul, contract, conv_2d_nhwc_hwcf and _fhwc,
/// depthwise_conv_2d_nhwc_hwc and _hwcm, the quantized twins of these, and
/// every linalg.generic that is a sum of products of integers. Takes effect
/// when the linalg dialect is loaded.
void registerLinalgModels(mlir::DialectRegistry &registry);

/// tosa: conv2d, depthwise_conv2d, matmul. Their accumulator types are fixed.
void registerTosaModels(mlir::DialectRegistry &registry);

} // namespace a2q

#endif // A2Q_IR_EXTERNALMODELS_H
