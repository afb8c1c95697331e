//===- Saturation.h - Which layers pmaddubsw saturates ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On x86 without VNNI the int8 kernels of widely used runtimes multiply with
// `pmaddubsw` and are wrong, silently, where the sum of two neighbouring
// products leaves 16 bits (Math/Saturation.h). Which products are neighbours
// depends on the kernel. What the sources say, all of them with the reduction
// dimension innermost and in groups of four, so that terms 2i and 2i + 1 of a
// packed row meet:
//
//   rows      matrix products, in the order of the rows in the file.
//             ONNX Runtime: mlas/lib/x86_64/QgemmU8X8KernelAvx2.S,
//             QgemvU8S8KernelAvx2.S. oneDNN: gemm/s8x8s32, brgemm. FBGEMM:
//             GenerateKernelU8S8S32ACC32.cc.
//   im2col    convolutions as matrix products: kernel row, kernel column, input
//             channel in one row of K, per group. ONNX Runtime, where ConvSym
//             does not apply: QLinearConv reorders filters to K1..KnCM. oneDNN:
//             gemm_x8s8s32x_convolution. FBGEMM: PackAWithIm2Col, and its
//             depthwise kernel, whose row is the taps of one channel.
//   channels  convolutions tap by tap: pairs are input channels of one tap, and
//             the last one of an odd number meets zeros. ONNX Runtime:
//             ConvSymKernelAvx2.S (input channels in fours). oneDNN:
//             jit_uni_x8s8s32x_conv_kernel, brgemm convolutions. FBGEMM:
//             GroupwiseConvAcc32Avx2. Depthwise kernels of ONNX Runtime and
//             oneDNN widen to 32 bits first: a pair of one.
//
// A layer is safe if no pair saturates under any of them, and a finding names
// the one that does. With an even number of input channels per group im2col and
// channels are the same pairs.
//
// The instruction takes u8 activations and s8 weights. Signed activations are
// shifted by 128, in the codes or at run time, and the shifted codes count: a
// ReLU's s8 codes [0, 127] become [128, 255]. Weights count as the file has
// them, before a zero point is taken off. Weights in u8 take kernels that widen
// both sides to 16 bits and are exact; ONNX Runtime's option
// session.x64quantprecision makes them of s8 ones.
//
// What is not covered: oneDNN's convolutions of s8 activations halve the
// weights on such processors (doc/advanced_topics/int8_computations.md), which
// rounds odd ones, whether or not anything would saturate; such layers get a
// note. FBGEMM's acc16 kernels add pairs up in 16 bits.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_SATURATION_H
#define A2Q_ANALYSIS_SATURATION_H

#include "a2q/Analysis/Ranges.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/Math/Saturation.h"
#include "llvm/ADT/DenseMap.h"

namespace a2q {

/// What the processor multiplies bytes with.
enum class ByteProducts {
  Pairs, ///< pmaddubsw: SSSE3, AVX2, AVX-512 without VNNI
  Quads, ///< vpdpbusd, tiles: four products into 32 bits, exact
};

/// Of the name of an instruction set; nullopt for an unknown one.
std::optional<ByteProducts> parseByteProducts(llvm::StringRef isa);

/// Why no codes and weights whatever saturate; nullopt where some may.
std::optional<llvm::StringRef> reasonOfSafety(ByteProducts products,
                                              bool hasUnsignedWeights);

/// A pair that saturates: its terms as the op numbers them, and with u8 codes.
struct SaturatingPair {
  int64_t channel = 0;
  TermPair terms;
  int64_t weights[2] = {};
  Range codes[2];
  Interval sum;
};

/// What a layer does under one pairing.
struct PairingFinding {
  /// "rows", "im2col" or "channels".
  std::string pairing;
  int64_t pairs = 0; ///< of all channels
  int64_t saturatingPairs = 0;
  int64_t saturatingChannels = 0;
  /// Of the channel that loses the most.
  SaturationLoss worst;
  int64_t worstChannel = 0;
  std::optional<SaturatingPair> first;

  bool isSafe() const { return saturatingPairs == 0; }
};

/// One input of a layer that makes its worst channel lose the most.
struct SaturationWitness {
  std::string pairing;
  int64_t channel = 0;
  /// Codes as they are stored, in the layout of the file: [1, C, H, W] or
  /// [1, H, W, C] for images, else [1, K].
  llvm::SmallVector<int64_t> shape;
  std::vector<int64_t> codes;
  bool isSigned = false;
  /// The position of the output that saturates, row and column; images only.
  llvm::SmallVector<int64_t> position;
  /// Exact less computed sum of codes, for that channel and position.
  Wide loss = 0;
};

enum class SaturationAnswer { Safe, Unsafe, Unknown };
llvm::StringRef toString(SaturationAnswer answer);

struct LayerSaturation {
  std::string name, op;
  SaturationAnswer answer = SaturationAnswer::Unknown;
  /// Why nothing is known, or why pairs do not matter; empty else.
  std::string reason;
  int64_t channels = 0, length = 0;
  /// What the instruction sees: u8 codes of all terms, padding included, and
  /// what was added to signed ones.
  Range codes;
  int64_t shift = 0;
  /// The same for each input channel of a convolution, in all groups, or each
  /// term of a matrix product, in the order of the file; or one range for all.
  /// Empty where nothing is known.
  std::vector<Range> channelCodes;
  std::vector<PairingFinding> findings;
  /// The sums of any two terms of any channel: no packing saturates when they
  /// fit 16 bits.
  Interval anyPair;
  std::optional<SaturationWitness> witness;
  std::vector<std::string> notes;

  bool isSafeInAnyOrder() const;
};

struct SaturationOptions {
  ByteProducts products = ByteProducts::Pairs;
  /// Ranges of activations that were seen on data, in place of proven ones.
  /// Ops that are not listed keep the proven ones.
  llvm::DenseMap<mlir::Operation *, ElementRanges> observed;
  /// Witnesses of images are [1, C, H, W].
  bool channelsFirst = false;
};

/// Examines all ops below `root` that accumulate integers, in program order.
std::vector<LayerSaturation> checkSaturation(mlir::Operation *root,
                                             const SaturationOptions &options);

} // namespace a2q

#endif // A2Q_ANALYSIS_SATURATION_H
