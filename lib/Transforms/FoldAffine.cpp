//===- FoldAffine.cpp - Factors and summands into weights -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/FloatLayers.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"

#include <cmath>

namespace a2q {
#define GEN_PASS_DEF_A2QFOLDAFFINE
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

namespace {

/// factor[c] * x + summand[c] of the sums of a layer, by one operation.
struct Affine {
  Operation *op = nullptr;
  std::vector<float> factor, summand; ///< [C]
};

} // namespace

/// The only op that reads the sums, past reshapes that keep their channels.
static Operation *onlyReader(Value value, int64_t channels) {
  while (value.hasOneUse()) {
    Operation *user = *value.user_begin();
    auto reshape = dyn_cast<tosa::ReshapeOp>(user);
    if (!reshape)
      return user;
    value = reshape.getResult();
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() == 0 || type.getShape().back() != channels)
      return nullptr;
  }
  return nullptr;
}

/// One number per channel of a constant operand that is broadcast over the
/// result of its op along nothing but the channels.
static std::optional<std::vector<float>>
channelConstant(Operation *op, unsigned operand, int64_t channels) {
  Value value = op->getOperand(operand);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  std::optional<std::vector<float>> constant = constantReals(value);
  Value other = op->getOperand(1 - operand);
  if (!constant || !type || type.getRank() == 0 ||
      op->getResult(0).getType() != other.getType() ||
      llvm::any_of(type.getShape().drop_back(),
                   [](int64_t size) { return size != 1; }))
    return std::nullopt;
  if (constant->size() == 1)
    constant->resize(channels, constant->front());
  if (static_cast<int64_t>(constant->size()) != channels)
    return std::nullopt;
  return constant;
}

/// What an op does to the sums that it reads; nothing for another kind of op.
static std::optional<Affine> matchAffine(Operation *op, int64_t channels) {
  if (!isa_and_nonnull<tosa::MulOp, tosa::AddOp, tosa::SubOp>(op))
    return std::nullopt;
  for (unsigned operand : {1, 0}) {
    auto constant = channelConstant(op, operand, channels);
    if (!constant)
      continue;
    Affine affine;
    affine.op = op;
    affine.factor.assign(channels, 1);
    affine.summand.assign(channels, 0);
    if (isa<tosa::MulOp>(op)) {
      affine.factor = std::move(*constant);
      return affine;
    }
    affine.summand = std::move(*constant);
    if (isa<tosa::AddOp>(op))
      return affine;
    // x - c, or c - x.
    if (operand == 0)
      affine.factor.assign(channels, -1);
    else
      for (float &summand : affine.summand)
        summand = -summand;
    return affine;
  }
  return std::nullopt;
}

/// Folds one op into the layer. False, with the reason, where float32 cannot
/// hold what results.
static bool fold(FloatLayer &layer, const Affine &affine, std::string &reason) {
  std::vector<float> weights = layer.weights(), bias = layer.bias();
  auto isNonZero = [](float value) { return value != 0; };
  bool hadBias = llvm::any_of(bias, isNonZero);
  int64_t terms = layer.terms();
  auto isFinite = [](float value) { return std::isfinite(value); };
  auto scaled = [](float value, float factor, float summand) {
    return static_cast<float>(static_cast<double>(value) * factor + summand);
  };
  for (int64_t channel = 0; channel < layer.channels; ++channel) {
    float factor = affine.factor[channel];
    auto row = MutableArrayRef(weights).slice(channel * terms, terms);
    for (float &weight : row)
      weight = scaled(weight, factor, 0);
    bias[channel] = scaled(bias[channel], factor, affine.summand[channel]);
    if (llvm::all_of(row, isFinite) && isFinite(bias[channel]))
      continue;
    reason = "the weights or the bias of channel " + std::to_string(channel) +
             " would not be finite";
    return false;
  }
  bool scales =
      llvm::any_of(affine.factor, [](float factor) { return factor != 1; });
  if (scales)
    layer.setWeights(weights);
  // A layer without bias needs none for a factor.
  if (hadBias || llvm::any_of(bias, isNonZero))
    layer.setBias(bias);
  return true;
}

/// The op's result becomes that of what it read.
static void bypass(Operation *op) {
  unsigned operand = constantReals(op->getOperand(1)) ? 0 : 1;
  op->getResult(0).replaceAllUsesWith(op->getOperand(operand));
  op->erase();
}

namespace {

struct FoldAffine : a2q::impl::A2QFoldAffineBase<FoldAffine> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (FloatLayer::match(op))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      foldInto(op);
  }

  void foldInto(Operation *op) {
    unsigned folded = 0;
    std::string reason;
    // Each fold may bring another bias, so the layer is looked at anew.
    while (std::optional<FloatLayer> layer = FloatLayer::match(op)) {
      std::optional<Affine> affine = matchAffine(
          onlyReader(layer->result, layer->channels), layer->channels);
      if (!affine || !fold(*layer, *affine, reason))
        break;
      bypass(affine->op);
      ++folded;
    }
    auto options =
        remark::RemarkOpts::name("fold-affine").category("a2q-fold-affine");
    if (folded)
      remark::passed(op->getLoc(), options)
          << "factors and summands folded: " + std::to_string(folded);
    if (!reason.empty())
      remark::missed(op->getLoc(), options) << "not folded: " + reason;
  }
};

} // namespace
