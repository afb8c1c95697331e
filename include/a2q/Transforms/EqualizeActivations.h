//===- EqualizeActivations.h - Activation scales per channel ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A depthwise convolution sums over one input channel, so each input channel
// could have a scale of its own: s_x[c] * s_w[c] is still one factor per output
// channel. The layer before writes these codes with a factor per channel, too:
// s_x'[c] * s_w'[c] / s_x[c]. No type has to say so. Dividing channel c of the
// first layer by r[c] and multiplying the weights of the second by r[c] leaves
// the network what it is, and with scales of weights per channel also all
// integers of weights; what one scale then says of the activations is what
// r[c] times it says of the old ones.
//
//                          weights (one row a channel)   activations   scale
//   as they are            0.5, 0.2 | 0.005, 0.002       3 | 0.03      3 / 255
//   r = 1, 0.01            0.5, 0.2 | 0.5, 0.2           3 | 3         3 / 255
//
// The second channel had three codes and has all of them.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_EQUALIZEACTIVATIONS_H
#define A2Q_TRANSFORMS_EQUALIZEACTIVATIONS_H

#include "mlir/IR/Operation.h"

#include <vector>

namespace a2q {

/// Per value, the largest magnitude of each channel, its last dimension.
/// Failure with a diagnostic.
using MeasureChannels =
    llvm::function_ref<mlir::FailureOr<std::vector<std::vector<float>>>(
        llvm::ArrayRef<mlir::Value> values)>;

/// Gives the channels that depthwise layers of a float network read one size,
/// wherever only such layers read them and the layer before can take the
/// factors: as for `a2q-equalize`, and through a Relu6, whose bound becomes a
/// `tosa.minimum` with one per channel. `measure` is asked once, before
/// anything changes, and not at all where there is no such layer. A channel of
/// zeros stays, and no factor is below 2^-20. After an error the network is as
/// it was.
mlir::LogicalResult equalizeActivations(mlir::Operation *root,
                                        MeasureChannels measure);

} // namespace a2q

#endif // A2Q_TRANSFORMS_EQUALIZEACTIVATIONS_H
