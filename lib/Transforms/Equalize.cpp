//===- Equalize.cpp - Equal ranges of weights across layers -----*- C++ -*-===//
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
// that read it are multiplied, and the network computes what it did. With
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

#include "a2q/Analysis/FloatLayers.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <cfloat>
#include <cmath>

namespace a2q {
#define GEN_PASS_DEF_A2QEQUALIZE
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// What lies between layers
//===----------------------------------------------------------------------===//

/// The size of the last dimension; nullopt where it is not known.
static std::optional<int64_t> lastDim(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return std::nullopt;
  return type.getShape().back();
}

/// Bounds at 0 or at infinity, as a Relu has.
static bool isHomogeneousClamp(tosa::ClampOp op) {
  auto lo = dyn_cast<FloatAttr>(op.getMinValAttr());
  auto hi = dyn_cast<FloatAttr>(op.getMaxValAttr());
  if (!lo || !hi)
    return false;
  double least = lo.getValueAsDouble(), most = hi.getValueAsDouble();
  return (least == 0 || least <= -FLT_MAX) && (most == 0 || most >= FLT_MAX);
}

/// Whether an op of the values in `scaled`, whose channels are scaled by
/// positive numbers, gives the same channels, scaled alike. Element i of the
/// last dimension belongs to channel i modulo `channels`.
static bool isHomogeneous(Operation *op, const DenseSet<Value> &scaled,
                          int64_t channels) {
  auto isScaled = [&](Value value) { return scaled.contains(value); };
  if (op->getNumResults() != 1)
    return false;
  std::optional<int64_t> last = lastDim(op->getResult(0));
  // Without its size, whose channel an element is stays unknown.
  if (!last || *last % channels != 0)
    return false;
  bool keepsLast = last == lastDim(op->getOperand(0));
  if (auto clamp = dyn_cast<tosa::ClampOp>(op))
    return isHomogeneousClamp(clamp);
  if (isa<tosa::MaxPool2dOp, tosa::AvgPool2dOp, tosa::ReshapeOp,
          tosa::IdentityOp, tosa::NegateOp>(op))
    return isScaled(op->getOperand(0));
  if (isa<tosa::SliceOp>(op))
    return keepsLast;
  if (auto pad = dyn_cast<tosa::PadOp>(op))
    return keepsLast && matchPattern(pad.getPadConst(), m_AnyZeroFloat());
  if (auto transpose = dyn_cast<tosa::TransposeOp>(op))
    return transpose.getPerms().back() + 1 ==
           static_cast<int64_t>(transpose.getPerms().size());
  if (auto reduce = dyn_cast<tosa::ReduceSumOp>(op))
    return keepsLast;
  if (isa<tosa::ReduceMaxOp, tosa::ReduceMinOp>(op))
    return keepsLast;
  auto bothScaled = [&] {
    return isScaled(op->getOperand(0)) && isScaled(op->getOperand(1)) &&
           lastDim(op->getOperand(0)) == last &&
           lastDim(op->getOperand(1)) == last;
  };
  if (isa<tosa::AddOp, tosa::SubOp, tosa::MaximumOp, tosa::MinimumOp>(op))
    return bothScaled();
  if (isa<tosa::MulOp>(op)) {
    unsigned other = isScaled(op->getOperand(0)) ? 1 : 0;
    return constantReals(op->getOperand(other)).has_value() &&
           op->getResult(0).getType() == op->getOperand(1 - other).getType();
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Layers and pairs
//===----------------------------------------------------------------------===//

namespace {

struct Layer {
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

/// A layer and all that read its channels.
struct Pair {
  Layer *first;
  SmallVector<Layer *> second;

  std::vector<double> firstRanges() const;
  std::vector<double> secondRanges() const;
  double equalize();
};

} // namespace

/// Per channel the largest absolute weight.
std::vector<double> Pair::firstRanges() const {
  int64_t terms = first->layer.terms();
  std::vector<double> ranges(first->layer.channels, 0);
  for (auto [index, weight] : llvm::enumerate(first->weights)) {
    double &range = ranges[index / terms];
    range = std::max(range, std::abs(weight));
  }
  return ranges;
}

/// The same of all weights that read the channel.
std::vector<double> Pair::secondRanges() const {
  int64_t channels = first->layer.channels;
  std::vector<double> ranges(channels, 0);
  for (const Layer *reader : second)
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
double Pair::equalize() {
  int64_t channels = first->layer.channels;
  std::vector<double> r1 = firstRanges(), r2 = secondRanges();
  std::vector<double> scales(channels, 1);
  double moved = 0;
  for (int64_t channel = 0; channel < channels; ++channel) {
    if (r1[channel] == 0 || r2[channel] == 0)
      continue;
    scales[channel] = std::sqrt(r1[channel] / r2[channel]);
    moved = std::max(moved, std::abs(std::log2(scales[channel])));
  }
  int64_t terms = first->layer.terms();
  for (auto [index, weight] : llvm::enumerate(first->weights))
    weight /= scales[index / terms];
  for (auto [channel, bias] : llvm::enumerate(first->bias))
    bias /= scales[channel];
  first->changed |= moved > 0;
  for (Layer *reader : second) {
    reader->changed |= moved > 0;
    for (auto [index, weight] : llvm::enumerate(reader->weights)) {
      int64_t of = reader->layer.terms();
      weight *= scales[reader->inputOf(index / of, index % of) % channels];
    }
  }
  return moved;
}

namespace {

struct Equalize : a2q::impl::A2QEqualizeBase<Equalize> {
  using A2QEqualizeBase::A2QEqualizeBase;

  void runOnOperation() override;

  LogicalResult collectLayers();
  std::optional<Pair> readersOf(Layer &first, std::string &reason);
  void iterate(MutableArrayRef<Pair> pairs);
  bool writeBack();

  /// By the op that computes, in program order.
  llvm::MapVector<Operation *, Layer> layers;
};

} // namespace

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("equalize").category("a2q-equalize");
}

LogicalResult Equalize::collectLayers() {
  WalkResult result = getOperation()->walk([&](Operation *op) -> WalkResult {
    std::optional<FloatLayer> layer = FloatLayer::match(op);
    if (!layer)
      return WalkResult::advance();
    std::vector<float> weights = layer->weights(), bias = layer->bias();
    for (auto [index, value] : llvm::enumerate(weights))
      if (!std::isfinite(value))
        return op->emitError()
               << "channel " << index / layer->terms() << " has the weight "
               << value << " at term " << index % layer->terms();
    for (auto [channel, value] : llvm::enumerate(bias))
      if (!std::isfinite(value))
        return op->emitError()
               << "channel " << channel << " has the bias " << value;
    Layer &entry = layers[op];
    entry.weights.assign(weights.begin(), weights.end());
    entry.bias.assign(bias.begin(), bias.end());
    entry.layer = std::move(*layer);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// The layers at the end of everything that follows from the result of `first`,
/// if all of it can be scaled with the result's channels.
std::optional<Pair> Equalize::readersOf(Layer &first, std::string &reason) {
  int64_t channels = first.layer.channels;
  Pair pair{&first, {}};
  SmallVector<Value> queue = {first.layer.result};
  DenseSet<Value> scaled = {first.layer.result};
  llvm::SetVector<Operation *> between;
  for (size_t next = 0; next < queue.size(); ++next)
    for (OpOperand &use : queue[next].getUses()) {
      Operation *user = use.getOwner();
      // Zeros around the image of a linalg op belong to the layer.
      if (isa<tensor::PadOp>(user) && user->hasOneUse())
        user = *user->user_begin();
      auto found = layers.find(user);
      if (found != layers.end() && found->second.layer.input == queue[next]) {
        if (found->second.inputs() % channels != 0) {
          reason = "a layer reads it by other channels";
          return std::nullopt;
        }
        if (!llvm::is_contained(pair.second, &found->second))
          pair.second.push_back(&found->second);
        continue;
      }
      if (user->getNumResults() == 1 && between.insert(user) &&
          scaled.insert(user->getResult(0)).second)
        queue.push_back(user->getResult(0));
      else if (user->getNumResults() != 1) {
        reason = (user->getName().getStringRef() + " reads it").str();
        return std::nullopt;
      }
    }
  for (Operation *op : between)
    if (!isHomogeneous(op, scaled, channels)) {
      reason = (op->getName().getStringRef() + " does not scale with it").str();
      return std::nullopt;
    }
  if (pair.second.empty()) {
    reason = "no layer reads it";
    return std::nullopt;
  }
  return pair;
}

/// Visits all pairs until no scale is further than 2^(1/1000) from 1.
void Equalize::iterate(MutableArrayRef<Pair> pairs) {
  for (unsigned iteration = 0; iteration < iterations; ++iteration) {
    double moved = 0;
    for (Pair &pair : pairs)
      moved = std::max(moved, pair.equalize());
    if (moved < 1e-3)
      return;
  }
}

/// False after an error, the module unchanged.
bool Equalize::writeBack() {
  auto narrow = [](const std::vector<double> &values) {
    return std::vector<float>(values.begin(), values.end());
  };
  auto isFinite = [](float value) { return std::isfinite(value); };
  for (auto &[op, layer] : layers)
    if (!llvm::all_of(narrow(layer.weights), isFinite) ||
        !llvm::all_of(narrow(layer.bias), isFinite)) {
      op->emitError("its equalized weights or bias do not fit f32");
      return false;
    }
  for (auto &[op, layer] : layers) {
    if (!layer.changed)
      continue;
    layer.layer.setWeights(narrow(layer.weights));
    if (llvm::any_of(layer.bias, [](double value) { return value != 0; }))
      layer.layer.setBias(narrow(layer.bias));
  }
  return true;
}

void Equalize::runOnOperation() {
  layers.clear();
  if (failed(collectLayers()))
    return signalPassFailure();
  std::vector<Pair> pairs;
  for (auto &[op, layer] : layers) {
    std::string reason;
    if (std::optional<Pair> pair = readersOf(layer, reason))
      pairs.push_back(std::move(*pair));
    else
      remark::missed(op->getLoc(), remarkOptions())
          << "not equalized: " + reason;
  }
  iterate(pairs);
  if (!writeBack())
    return signalPassFailure();
  for (const Pair &pair : pairs)
    remark::passed(pair.first->layer.op->getLoc(), remarkOptions())
        << "equalized with " + std::to_string(pair.second.size()) +
               (pair.second.size() == 1 ? " layer" : " layers");
}
