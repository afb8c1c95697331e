//===- Equalize.cpp - Equal ranges of weights across layers -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Channels between two layers may be scaled (ScalableChannels.h), and with
// quantized weights it matters: a channel whose weights are a hundredth of the
// tensor's largest keeps few of its bits.
//
// With r1 the largest weight of the channel in the first layer and r2 that of
// all weights that read it, s = sqrt(r1 / r2) makes both sqrt(r1 * r2), the
// choice of Nagel et al. 2019 (arXiv 1906.04721, section 4.1). A layer between
// two others takes part twice, as second and as first, so pairs are visited
// until nothing moves.
//
//===----------------------------------------------------------------------===//

#include "ScalableChannels.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"

#include <cmath>

namespace a2q {
#define GEN_PASS_DEF_A2QEQUALIZE
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

/// Per channel the largest absolute weight.
static std::vector<double> firstRanges(const ScalablePair &pair) {
  int64_t terms = pair.first->layer.terms();
  std::vector<double> ranges(pair.first->layer.channels, 0);
  for (auto [index, weight] : llvm::enumerate(pair.first->weights)) {
    double &range = ranges[index / terms];
    range = std::max(range, std::abs(weight));
  }
  return ranges;
}

/// The same of all weights that read the channel.
static std::vector<double> secondRanges(const ScalablePair &pair) {
  int64_t channels = pair.first->layer.channels;
  std::vector<double> ranges(channels, 0);
  for (const ScalableLayer *reader : pair.second)
    for (auto [index, weight] : llvm::enumerate(reader->weights)) {
      int64_t terms = reader->layer.terms();
      int64_t input = reader->inputOf(index / terms, index % terms);
      double &range = ranges[input % channels];
      range = std::max(range, std::abs(weight));
    }
  return ranges;
}

/// Scales every channel; returns the largest |log2 s|. A channel without
/// weights on one side stays.
static double equalize(ScalablePair &pair) {
  std::vector<double> r1 = firstRanges(pair), r2 = secondRanges(pair);
  std::vector<double> scales(r1.size(), 1);
  double moved = 0;
  for (size_t channel = 0; channel < r1.size(); ++channel) {
    if (r1[channel] == 0 || r2[channel] == 0)
      continue;
    scales[channel] = std::sqrt(r1[channel] / r2[channel]);
    moved = std::max(moved, std::abs(std::log2(scales[channel])));
  }
  pair.scale(scales);
  return moved;
}

namespace {

struct Equalize : a2q::impl::A2QEqualizeBase<Equalize> {
  using A2QEqualizeBase::A2QEqualizeBase;

  void runOnOperation() override;
  void iterate(MutableArrayRef<ScalablePair> pairs);
};

} // namespace

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("equalize").category("a2q-equalize");
}

/// Visits all pairs until no scale is further than 2^(1/1000) from 1.
void Equalize::iterate(MutableArrayRef<ScalablePair> pairs) {
  for (unsigned iteration = 0; iteration < iterations; ++iteration) {
    double moved = 0;
    for (ScalablePair &pair : pairs)
      moved = std::max(moved, equalize(pair));
    if (moved < 1e-3)
      return;
  }
}

void Equalize::runOnOperation() {
  ScalableLayers all;
  if (failed(all.collect(getOperation())))
    return signalPassFailure();
  std::vector<ScalablePair> pairs;
  for (auto &[op, layer] : all.layers) {
    std::string reason;
    if (std::optional<ScalablePair> pair = all.readersOf(layer, reason))
      pairs.push_back(std::move(*pair));
    else
      remark::missed(op->getLoc(), remarkOptions())
          << "not equalized: " + reason;
  }
  iterate(pairs);
  if (failed(all.writeBack()))
    return signalPassFailure();
  for (const ScalablePair &pair : pairs)
    remark::passed(pair.first->layer.op->getLoc(), remarkOptions())
        << "equalized with " + std::to_string(pair.second.size()) +
               (pair.second.size() == 1 ? " layer" : " layers");
}
