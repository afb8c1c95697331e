//===- TosaModels.cpp - tosa ops as accumulating ops ----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// TOSA 1.0: zero points are operands, padding reads the input's zero point, the
// bias starts the accumulator, and the accumulator's type follows from those of
// the operands, so that these ops can be analysed but not narrowed.
//
//===----------------------------------------------------------------------===//

#include "WeightLayout.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/ExternalModels.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace a2q;

static bool isRankedInteger(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isInteger() &&
         type.getElementTypeBitWidth() <= 64;
}

static bool isUnsigned(Value value) {
  return getElementTypeOrSelf(value.getType()).isUnsignedInteger();
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

/// The single constant of a zero point operand.
static std::optional<int64_t> constantZero(Value value) {
  DenseIntElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat() ||
      elements.getElementType().getIntOrFloatBitWidth() > 64)
    return std::nullopt;
  APInt zero = elements.getSplatValue<APInt>();
  return isUnsigned(value) ? zero.getZExtValue() : zero.getSExtValue();
}

/// A size of a static shape, or nullopt.
static std::optional<int64_t> sizeOf(int64_t size) { return countPoints(size); }

namespace {
/// What all three ops share; `Model` names operands and lays out the weights.
template <typename Model, typename OpTy>
struct TosaModel : AccumulatingOpInterface::ExternalModel<Model, OpTy> {
  bool isAccumulating(Operation *op) const {
    return isRankedInteger(Model::activations(cast<OpTy>(op))) &&
           isRankedInteger(Model::weights(cast<OpTy>(op))) &&
           isRankedInteger(op->getResult(0));
  }
  Value getActivations(Operation *op) const {
    return Model::activations(cast<OpTy>(op));
  }
  Value getWeights(Operation *op) const {
    return Model::weights(cast<OpTy>(op));
  }
  std::optional<int64_t> getReductionLength(Operation *op) const {
    return countPoints(Model::terms(cast<OpTy>(op)).sizes, kMostTerms);
  }
  std::optional<int64_t> getNumChannels(Operation *op) const {
    return countPoints(Model::channels(cast<OpTy>(op)).sizes);
  }
  FailureOr<SmallVector<int64_t>> getWeightCodes(Operation *op) const {
    std::optional<int64_t> zero = getWeightOffset(op);
    if (!zero)
      return failure();
    return gatherWeights(getWeights(op), hasUnsignedWeights(op), *zero,
                         Model::channels(cast<OpTy>(op)),
                         Model::terms(cast<OpTy>(op)));
  }
  bool hasUnsignedActivations(Operation *op) const {
    return isUnsigned(getActivations(op));
  }
  bool hasUnsignedWeights(Operation *op) const {
    return isUnsigned(getWeights(op));
  }
  std::optional<int64_t> getActivationOffset(Operation *op) const {
    return constantZero(Model::activationZero(cast<OpTy>(op)));
  }
  std::optional<int64_t> getWeightOffset(Operation *op) const {
    return constantZero(Model::weightZero(cast<OpTy>(op)));
  }
  Type getAccumulatorType(Operation *op) const {
    return getElementTypeOrSelf(op->getResult(0).getType());
  }
  ScheduleAttr getAccumulatorSchedule(Operation *op) const { return {}; }
  FailureOr<Value> rebuildWithAccumulator(Operation *op, RewriterBase &rewriter,
                                          AccumulatorType type,
                                          ScheduleAttr schedule) const {
    return failure();
  }
};

/// What the two convolutions share.
template <typename Model, typename OpTy>
struct TosaConvModel : TosaModel<Model, OpTy> {
  static Value activations(OpTy op) { return op.getInput(); }
  static Value weights(OpTy op) { return op.getWeight(); }
  static Value activationZero(OpTy op) { return op.getInputZp(); }
  static Value weightZero(OpTy op) { return op.getWeightZp(); }

  Value getInitialValue(Operation *op) const {
    Value bias = cast<OpTy>(op).getBias();
    return isKnownZero(bias) ? Value() : bias;
  }
  int64_t getChannelAxis(Operation *op) const { return 3; }
  int64_t getActivationAxis(Operation *op) const { return 3; }
  std::optional<int64_t> getPaddingCode(Operation *op) const {
    if (llvm::all_of(cast<OpTy>(op).getPad(),
                     [](int64_t size) { return size == 0; }))
      return std::nullopt;
    return this->getActivationOffset(op);
  }
};

/// Weights [out, kernel row, kernel column, in].
struct Conv2DModel : TosaConvModel<Conv2DModel, tosa::Conv2DOp> {
  static LoopNest channels(tosa::Conv2DOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getWeight());
    return {{shape[0]}, {rowMajorStrides(shape)[0]}};
  }
  static LoopNest terms(tosa::Conv2DOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getWeight());
    return {
        SmallVector<int64_t>(shape.drop_front()),
        SmallVector<int64_t>(ArrayRef(rowMajorStrides(shape)).drop_front())};
  }
  int64_t getNumGroups(Operation *op) const { return 1; }
  int64_t getActivationChannel(Operation *op, int64_t group,
                               int64_t term) const {
    return term % shapeOf(getWeights(op))[3];
  }
};

/// Weights [kernel row, kernel column, in, multiplier]; output channel
/// in * multiplier + m.
struct DepthwiseModel : TosaConvModel<DepthwiseModel, tosa::DepthwiseConv2DOp> {
  static LoopNest channels(tosa::DepthwiseConv2DOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getWeight());
    return {{shape[2], shape[3]}, {shape[3], 1}};
  }
  static LoopNest terms(tosa::DepthwiseConv2DOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getWeight());
    SmallVector<int64_t> strides = rowMajorStrides(shape);
    return {{shape[0], shape[1]}, {strides[0], strides[1]}};
  }
  int64_t getNumGroups(Operation *op) const {
    return sizeOf(shapeOf(getWeights(op))[2]).value_or(1);
  }
  int64_t getActivationChannel(Operation *op, int64_t group,
                               int64_t term) const {
    return group;
  }
};

/// [batch, rows, K] x [batch, K, columns].
struct MatMulModel : TosaModel<MatMulModel, tosa::MatMulOp> {
  static Value activations(tosa::MatMulOp op) { return op.getA(); }
  static Value weights(tosa::MatMulOp op) { return op.getB(); }
  static Value activationZero(tosa::MatMulOp op) { return op.getAZp(); }
  static Value weightZero(tosa::MatMulOp op) { return op.getBZp(); }
  static LoopNest channels(tosa::MatMulOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getB());
    return {{shape[0], shape[2]}, {rowMajorStrides(shape)[0], 1}};
  }
  static LoopNest terms(tosa::MatMulOp op) {
    ArrayRef<int64_t> shape = shapeOf(op.getB());
    return {{shape[1]}, {shape[2]}};
  }
  Value getInitialValue(Operation *op) const { return {}; }
  int64_t getNumGroups(Operation *op) const { return 1; }
  int64_t getChannelAxis(Operation *op) const {
    return shapeOf(getWeights(op))[0] == 1 ? 2 : -1;
  }
  int64_t getActivationAxis(Operation *op) const { return 2; }
  int64_t getActivationChannel(Operation *op, int64_t group,
                               int64_t term) const {
    return term;
  }
  std::optional<int64_t> getPaddingCode(Operation *op) const {
    return std::nullopt;
  }
};
} // namespace

void a2q::registerTosaModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tosa::TosaDialect *) {
    tosa::Conv2DOp::attachInterface<Conv2DModel>(*context);
    tosa::DepthwiseConv2DOp::attachInterface<DepthwiseModel>(*context);
    tosa::MatMulOp::attachInterface<MatMulModel>(*context);
  });
}
