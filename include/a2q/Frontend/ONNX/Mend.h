//===- Mend.h - ONNX files whose byte products are exact --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Changes layers of a file so that no two neighbouring products of bytes leave
// 16 bits (Analysis/Saturation.h says which do). What is tried, in this order:
//
//   shift     activations in s8 become u8 codes from 0 on, by another zero
//             point. To the instruction s8 codes [0, 127] are [128, 255].
//   reorder   input channels that saturate beside no other neighbour. The
//   layers
//             before give them out in that order, where their outputs go
//             through elementwise operators and poolings to layers that can all
//             take it; else a Gather of the codes puts them there.
//   widen     depthwise convolutions: weights in u8, 128 added to codes and
//             zero points. Runtimes that take them multiply in 16 bits, as
//             their depthwise kernels do with weights in s8.
//   split     some channels come twice, in the same Gather, and share their
//             weights. The layer stays one node with one integer sum.
//   project   the nearest weights that fit, with the scale, of each output
//             channel, under which they are nearest; at twice the scale they
//             have seven bits.
//
// All but the last leave every sum of the layer as it is, to the unit. Whether
// the result is safe is for the caller to prove, on the bytes.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_FRONTEND_ONNX_MEND_H
#define A2Q_FRONTEND_ONNX_MEND_H

#include "a2q/Math/LayerMend.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace a2q {

/// A layer that saturates, or one that must not begin to.
struct LayerToMend {
  std::string name;
  bool isSafe = false;
  /// The codes of its input channels (of a matrix product: of its rows' terms)
  /// in the order of the file, or one range for all, as u8: `shift` was added
  /// to those in the file.
  std::vector<Range> codes;
  int64_t shift = 0;
};

enum class MendMode {
  Lossless, ///< no sum of any layer changes
  All,      ///< weights change where a layer would become much larger
};

struct MendedModel {
  std::string bytes;
  std::vector<LayerMend> layers; ///< those that were not safe, in order
};

/// The file with the layers changed; `file`'s identifier is its path, below
/// whose folder external data lies; the result holds it itself. An error when
/// the bytes are no model or the result cannot be one. A layer that cannot be
/// mended has a refusal and is left alone.
llvm::Expected<MendedModel> mendONNX(llvm::MemoryBufferRef file,
                                     llvm::ArrayRef<LayerToMend> layers,
                                     MendMode mode, mlir::MLIRContext *context);

} // namespace a2q

#endif // A2Q_FRONTEND_ONNX_MEND_H
