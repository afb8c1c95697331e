//===- KernelWindow.h - Where a kernel lies on its image --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_ANALYSIS_KERNELWINDOW_H
#define A2Q_LIB_ANALYSIS_KERNELWINDOW_H

#include "a2q/IR/A2QDialect.h"
#include "llvm/ADT/BitVector.h"

#include <array>
#include <optional>
#include <vector>

namespace a2q {

/// The taps of a kernel that lie in the image; the others read padding.
class TapMask {
public:
  /// All of them.
  TapMask() = default;
  TapMask(llvm::BitVector rows, llvm::BitVector columns)
      : rows(std::move(rows)), columns(std::move(columns)) {}

  bool all() const { return rows.all() && columns.all(); }
  bool contains(int64_t tap) const {
    int64_t width = columns.size();
    return rows[tap / width] && columns[tap % width];
  }
  bool operator==(const TapMask &) const = default;

private:
  llvm::BitVector rows, columns;
};

/// The geometry of a two-dimensional convolution. Arrays are row, column.
struct KernelWindow {
  int64_t height = 0, width = 0; ///< of the image
  std::array<int64_t, 2> kernel = {1, 1}, strides = {1, 1}, dilations = {1, 1},
                         before = {0, 0}, outputs = {1, 1};

  /// Of `a2q.conv_2d`, `tosa.conv2d` and `tosa.depthwise_conv2d` of static
  /// shapes.
  static std::optional<KernelWindow> of(mlir::Operation *op);

  int64_t taps() const { return kernel[0] * kernel[1]; }

  /// The different masks of all positions.
  std::vector<TapMask> masks() const;
  /// A position of the output with this mask, far from the border if it can.
  std::array<int64_t, 2> find(const TapMask &mask) const;
  /// The pixel that a tap reads there; it may lie outside.
  std::array<int64_t, 2> pixel(std::array<int64_t, 2> position,
                               int64_t tap) const;

private:
  llvm::BitVector inside(unsigned dim, int64_t position) const;
};

} // namespace a2q

#endif // A2Q_LIB_ANALYSIS_KERNELWINDOW_H
