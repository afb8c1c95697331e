//===- ScalableChannels.h - Channels that two layers share -----*- C++ -*--===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A channel between two layers may be scaled by any positive number, as long as
// what lies between them is positively homogeneous: f(s * x) = s * f(x). The
// first layer's weights and bias of that channel are divided by s, the weights
// that read it are multiplied, and the network computes what it did.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_SCALABLECHANNELS_H
#define A2Q_LIB_TRANSFORMS_SCALABLECHANNELS_H

#include "a2q/Analysis/FloatLayers.h"
#include "llvm/ADT/MapVector.h"

namespace a2q {

/// A layer whose weights are kept in float64 until nothing moves any more.
struct ScalableLayer {
  FloatLayer layer;
  std::vector<double> weights; ///< [C, K]
  std::vector<double> bias;    ///< [C]
  bool changed = false;

  int64_t inputs() const { return layer.groups * layer.window[2]; }

  /// Input channel that a weight reads.
  int64_t inputOf(int64_t channel, int64_t term) const {
    int64_t group = channel / (layer.channels / layer.groups);
    return group * layer.window[2] + term % layer.window[2];
  }
};

/// A layer and all that read its channels; input i of a reader is channel i
/// modulo the number of channels.
struct ScalablePair {
  ScalableLayer *first;
  llvm::SmallVector<ScalableLayer *> second;
  /// What bounds the channels from above at a number other than 0, a Relu6:
  /// each channel gets a bound of its own.
  llvm::SmallVector<mlir::Operation *> bounds = {};
  /// What channels have been divided by, where there are such bounds.
  std::vector<double> divisors = {};

  /// Divides each channel by its scale before, and multiplies behind.
  void scale(llvm::ArrayRef<double> scales);

  /// Turns each of `bounds` into a `tosa.minimum` with constants, to be called
  /// once, after `ScalableLayers::writeBack`.
  void writeBounds();
};

/// All float layers of a module.
class ScalableLayers {
public:
  /// An error for weights or a bias that are not finite.
  mlir::LogicalResult collect(mlir::Operation *root);

  /// The layers at the end of everything that follows from the result of
  /// `first`, if all of it can be scaled with the result's channels; else
  /// `reason` says what cannot. Upper bounds stand in the way unless
  /// `allowBounds` is set.
  std::optional<ScalablePair> readersOf(ScalableLayer &first,
                                        std::string &reason,
                                        bool allowBounds = false);

  /// Writes new constants. An error, and then nothing changed, where one would
  /// not fit f32.
  mlir::LogicalResult writeBack();

  /// By the op that computes, in program order.
  llvm::MapVector<mlir::Operation *, ScalableLayer> layers;
};

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_SCALABLECHANNELS_H
