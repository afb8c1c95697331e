//===- QuantizeNetwork.h - From a float network to integers -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantization after training, with nothing but calibration data. In order,
// each step because the next one needs it:
//
//   1. Batch norms and their like are folded into the layers before them; on
//      request layers are equalized, so that the channels that share a scale
//      are of one size.
//   2. The float network runs once. What is seen of each layer's input chooses
//      its codes; what is seen of its sums is what they are to be later.
//   3. Layers become integers.
//   4. Layer by layer, in program order: the codes that now reach it give its
//      moments; its weights are constrained, if that is asked for; the mean of
//      each channel's sum (with a constraint also its variance) is brought back
//      to what it was in step 2. So no layer has to live with what the ones
//      before it lost.
//
// A network that is quantized already enters at step 2, as its own original.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CALIBRATION_QUANTIZENETWORK_H
#define A2Q_CALIBRATION_QUANTIZENETWORK_H

#include "a2q/Calibration/Observe.h"
#include "a2q/IR/ConstraintAttr.h"
#include "a2q/Math/ActivationRange.h"
#include "a2q/Transforms/ConstraintOverrides.h"

namespace a2q {

struct QuantizationOptions {
  /// From 2 to 8.
  unsigned weightBits = 8;
  /// From 1 to 8, of every layer's input.
  unsigned activationBits = 8;
  /// Bits of weights and of activations in the first and the last layer; those
  /// of all layers where it is absent.
  std::optional<unsigned> borderBits;
  /// Where activations are clipped.
  RangeRule range;
  bool equalize = false;
  /// Whether activations have a scale per channel where the layer that reads
  /// them allows it (EqualizeActivations.h).
  bool channelScales = false;
  /// Whether every layer keeps the moments of its inputs, all products, as
  /// `a2q.moments`: K^2 numbers for each group.
  bool keepMoments = false;
  /// What all layers' weights are to meet; nothing where it is absent. Then a
  /// layer's own constraint has a width.
  std::optional<ConstraintSpec> constraint;
  /// What the user calls those of the above that were given and are for layers
  /// of floats: an error where the network has none.
  std::vector<std::string> floatOptions;
  /// Per layer, by name, over all of the above: the keys of a constraint,
  /// `weight_bits`, `activation_bits` and `range`.
  ConstraintOverrides overrides;
};

/// The keys of an override that are no constraint.
llvm::ArrayRef<llvm::StringRef> quantizationKeys();

/// Quantizes the network in place. After a failure, which comes with a
/// diagnostic, the module is of no use.
mlir::LogicalResult quantizeNetwork(mlir::ModuleOp module,
                                    const CalibrationData &data,
                                    const QuantizationOptions &options);

} // namespace a2q

#endif // A2Q_CALIBRATION_QUANTIZENETWORK_H
