//===- LayerInputs.h - The vectors that a layer multiplies ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CALIBRATION_LAYERINPUTS_H
#define A2Q_CALIBRATION_LAYERINPUTS_H

#include "a2q/Execution/Signature.h"
#include "a2q/IR/A2QOps.h"

#include <array>

namespace a2q {

/// Finds, in an array of activation codes, the K inputs of each dot product of
/// an `a2q.conv_2d` or an `a2q.matmul` with weights: differences from the zero
/// point, in the default order of terms (kernel row, kernel column, input
/// channel), 0 where the kernel lies outside of the image.
class LayerInputs {
public:
  /// Static shapes; codes of 8 or 16 bits. Failure with a diagnostic.
  static mlir::FailureOr<LayerInputs> of(AccumulatingOpInterface op);

  /// K.
  int64_t getLength() const { return length; }
  /// Groups of channels, each with vectors of its own.
  int64_t getNumGroups() const { return groups; }
  /// Vectors of one group in one array of codes: the output positions.
  int64_t getNumVectors() const { return vectors; }
  /// Bytes of one array of codes.
  size_t getNumBytes() const { return bytes; }

  /// Writes `count` vectors of a group, beginning with `first`, one after the
  /// other: [count, K].
  void gather(const void *codes, int64_t group, int64_t first, int64_t count,
              float *to) const;

private:
  template <typename T>
  void gatherAs(const T *codes, int64_t group, int64_t first, int64_t count,
                float *to) const;

  ElementKind kind = ElementKind::U8;
  size_t bytes = 0;
  int64_t zero = 0;
  int64_t length = 0, groups = 1, vectors = 0;
  /// A matrix product is a convolution of 1x1 images with 1x1 kernels.
  int64_t height = 1, width = 1, channels = 0;
  int64_t outHeight = 1, outWidth = 1;
  std::array<int64_t, 2> kernel = {1, 1}, strides = {1, 1}, dilations = {1, 1};
  int64_t top = 0, left = 0;
};

} // namespace a2q

#endif // A2Q_CALIBRATION_LAYERINPUTS_H
