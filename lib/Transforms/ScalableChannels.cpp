//===- ScalableChannels.cpp - Channels that two layers share ----------------
//-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalableChannels.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

#include <cfloat>
#include <cmath>

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

/// A Relu6 and its like: 0 or nothing below, a positive number above.
static bool isBound(Operation *op) {
  auto clamp = dyn_cast<tosa::ClampOp>(op);
  auto lo = clamp ? dyn_cast<FloatAttr>(clamp.getMinValAttr()) : FloatAttr();
  auto hi = clamp ? dyn_cast<FloatAttr>(clamp.getMaxValAttr()) : FloatAttr();
  if (!lo || !hi)
    return false;
  double least = lo.getValueAsDouble(), most = hi.getValueAsDouble();
  return (least == 0 || least <= -FLT_MAX) && most > 0 && most < FLT_MAX;
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

void ScalablePair::scale(ArrayRef<double> scales) {
  int64_t channels = first->layer.channels, terms = first->layer.terms();
  bool changes = llvm::any_of(scales, [](double s) { return s != 1; });
  for (auto [index, weight] : llvm::enumerate(first->weights))
    weight /= scales[index / terms];
  for (auto [channel, bias] : llvm::enumerate(first->bias))
    bias /= scales[channel];
  first->changed |= changes;
  divisors.resize(channels, 1);
  for (auto [divisor, scale] : llvm::zip_equal(divisors, scales))
    divisor *= scale;
  for (ScalableLayer *reader : second) {
    reader->changed |= changes;
    for (auto [index, weight] : llvm::enumerate(reader->weights)) {
      int64_t of = reader->layer.terms();
      weight *= scales[reader->inputOf(index / of, index % of) % channels];
    }
  }
}

void ScalablePair::writeBounds() {
  for (Operation *op : bounds) {
    auto clamp = cast<tosa::ClampOp>(op);
    auto type = cast<RankedTensorType>(clamp.getType());
    double bound = cast<FloatAttr>(clamp.getMaxValAttr()).getValueAsDouble();
    std::vector<float> most;
    for (int64_t i = 0; i < type.getShape().back(); ++i)
      most.push_back(static_cast<float>(bound / divisors[i % divisors.size()]));
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    clamp.setMaxValAttr(builder.getF32FloatAttr(INFINITY));
    SmallVector<int64_t> shape(type.getRank(), 1);
    shape.back() = type.getShape().back();
    auto constantType = RankedTensorType::get(shape, builder.getF32Type());
    Value constant = tosa::ConstOp::create(
        builder, op->getLoc(), constantType,
        DenseElementsAttr::get(constantType, ArrayRef(most)));
    auto minimum = tosa::MinimumOp::create(builder, op->getLoc(), type,
                                           clamp.getResult(), constant);
    clamp.getResult().replaceAllUsesExcept(minimum.getResult(), minimum);
  }
}

LogicalResult ScalableLayers::collect(Operation *root) {
  WalkResult result = root->walk([&](Operation *op) -> WalkResult {
    std::optional<FloatLayer> layer = FloatLayer::match(op);
    if (!layer)
      return WalkResult::advance();
    if (failed(layer->verifyFinite()))
      return failure();
    std::vector<float> weights = layer->weights(), bias = layer->bias();
    ScalableLayer &entry = layers[op];
    entry.weights.assign(weights.begin(), weights.end());
    entry.bias.assign(bias.begin(), bias.end());
    entry.layer = std::move(*layer);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

std::optional<ScalablePair> ScalableLayers::readersOf(ScalableLayer &first,
                                                      std::string &reason,
                                                      bool allowBounds) {
  int64_t channels = first.layer.channels;
  ScalablePair pair{&first, {}};
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
    if (allowBounds && isBound(op)) {
      pair.bounds.push_back(op);
    } else if (!isHomogeneous(op, scaled, channels)) {
      reason = (op->getName().getStringRef() + " does not scale with it").str();
      return std::nullopt;
    }
  if (pair.second.empty()) {
    reason = "no layer reads it";
    return std::nullopt;
  }
  return pair;
}

LogicalResult ScalableLayers::writeBack() {
  auto narrow = [](const std::vector<double> &values) {
    return std::vector<float>(values.begin(), values.end());
  };
  auto isFinite = [](float value) { return std::isfinite(value); };
  for (auto &[op, layer] : layers)
    if (!llvm::all_of(narrow(layer.weights), isFinite) ||
        !llvm::all_of(narrow(layer.bias), isFinite))
      return op->emitError("its equalized weights or bias do not fit f32");
  for (auto &[op, layer] : layers) {
    if (!layer.changed)
      continue;
    layer.layer.setWeights(narrow(layer.weights));
    if (llvm::any_of(layer.bias, [](double value) { return value != 0; }))
      layer.layer.setBias(narrow(layer.bias));
  }
  return success();
}
