//===- QuantizeLayers.cpp - Float layers to sums of codes -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MonotoneOps.h"
#include "a2q/Analysis/FloatLayers.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/WeightScale.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include <cmath>

namespace a2q {
#define GEN_PASS_DEF_A2QQUANTIZELAYERS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;
using quant::UniformQuantizedType;

static constexpr StringLiteral kActivation =
    A2QDialect::getActivationAttrName();
static constexpr StringLiteral kWeightBits =
    A2QDialect::getWeightBitsAttrName();

//===----------------------------------------------------------------------===//
// What a layer becomes
//===----------------------------------------------------------------------===//

namespace {
/// One layer in integers.
struct IntegerLayer {
  FloatLayer layer;
  UniformQuantizedType activation;
  unsigned weightBits = 8;
  std::vector<int64_t> weights; ///< [C, K]
  std::vector<double> scales;   ///< [C], of the weights; float32 values
  std::vector<int32_t> bias;    ///< [C], with -z * sum of the weights
  Value sums;                   ///< once it is emitted

  /// What one unit of a channel's sums stands for.
  double unit(int64_t channel) const {
    return activationScale() * scales[channel];
  }
  double activationScale() const {
    return static_cast<float>(activation.getScale());
  }
};
} // namespace

static FailureOr<UniformQuantizedType> activationType(Operation *op) {
  Attribute attr = op->getAttr(kActivation);
  auto typeAttr = dyn_cast<TypeAttr>(attr);
  auto type = typeAttr ? dyn_cast<UniformQuantizedType>(typeAttr.getValue())
                       : UniformQuantizedType();
  if (!type || !type.getExpressedType().isF32()) {
    op->emitError() << "'" << kActivation
                    << "' is a type of codes for f32 with one scale, such as "
                       "!quant.uniform<u8:f32, 0.1>; found "
                    << attr;
    return failure();
  }
  unsigned bits = type.getStorageTypeIntegralWidth();
  if (bits > 16) {
    op->emitError() << "activations have at most 16 bits, '" << kActivation
                    << "' has " << bits;
    return failure();
  }
  a2q::Range codes = codeRange(type);
  if (codes.lo == codes.hi || type.getZeroPoint() < codes.lo ||
      type.getZeroPoint() > codes.hi) {
    op->emitError() << "the codes of '" << kActivation << "' are from "
                    << codes.lo << " to " << codes.hi
                    << "; there must be two at least, and the zero point "
                    << type.getZeroPoint() << " among them";
    return failure();
  }
  if (!std::isnormal(static_cast<float>(type.getScale()))) {
    op->emitError() << "the scale of '" << kActivation << "', "
                    << type.getScale() << ", is no normal number of f32";
    return failure();
  }
  return type;
}

static LogicalResult checkWeightBits(Operation *op, int64_t bits) {
  if (bits >= 2 && bits <= 8)
    return success();
  return op->emitError() << "weights have from 2 to 8 bits, found " << bits;
}

/// The layer's own number of bits, or that of the option.
static FailureOr<unsigned> weightBitsOf(Operation *op, unsigned otherwise) {
  Attribute attr = op->getAttr(kWeightBits);
  if (!attr)
    return otherwise;
  auto bits = dyn_cast<IntegerAttr>(attr);
  if (!bits || bits.getValue().getBitWidth() > 64) {
    op->emitError() << "'" << kWeightBits << "' is an integer, found " << attr;
    return failure();
  }
  if (failed(checkWeightBits(op, bits.getValue().getSExtValue())))
    return failure();
  return static_cast<unsigned>(bits.getInt());
}

/// The smallest scale of the weights of a channel: sums are in units of
/// 2^-100 at least, so that no factor leaves f32, and the bias has at most
/// `bits` bits.
static double leastScale(double activationScale, double bias, unsigned bits) {
  return std::max(std::ldexp(1.0, -100),
                  std::ldexp(std::abs(bias), -static_cast<int>(bits))) /
         activationScale;
}

/// The integers of one channel; `scale` is a float32.
static ScaledIntegers integersOf(std::span<const float> weights, double bias,
                                 int64_t limit, double activationScale) {
  std::vector<double> reals(weights.begin(), weights.end());
  ScaledIntegers found = nearestScaledIntegers(reals, limit);
  bool isZero = llvm::all_of(found.integers, [](int64_t q) { return q == 0; });
  if (isZero) {
    // Free to suit the bias.
    found.scale = static_cast<float>(
        bias == 0 ? 1.0 : leastScale(activationScale, bias, 20));
    return found;
  }
  double least = leastScale(activationScale, bias, 30);
  if (found.scale >= least) {
    found.scale = static_cast<float>(found.scale);
    return found;
  }
  found.scale = static_cast<float>(least);
  for (auto [integer, real] : llvm::zip_equal(found.integers, reals))
    integer = static_cast<int64_t>(std::nearbyint(real / found.scale));
  return found;
}

/// Weights, scales and bias of each channel.
static LogicalResult quantizeWeights(IntegerLayer &result) {
  const FloatLayer &layer = result.layer;
  if (failed(layer.verifyFinite()))
    return failure();
  std::vector<float> weights = layer.weights(), bias = layer.bias();
  int64_t limit = narrowLimit(result.weightBits), terms = layer.terms();
  for (int64_t channel = 0; channel < layer.channels; ++channel) {
    std::span<const float> row(weights.data() + channel * terms, terms);
    ScaledIntegers found =
        integersOf(row, bias[channel], limit, result.activationScale());
    Wide total = 0;
    for (int64_t q : found.integers)
      total += q;
    result.scales.push_back(found.scale);
    double real = std::nearbyint(bias[channel] / result.unit(channel));
    Wide sum = static_cast<Wide>(std::clamp(real, -0x1p100, 0x1p100)) -
               result.activation.getZeroPoint() * total;
    if (signedWidth({sum, sum}) > 32) {
      InFlightDiagnostic error = layer.op->emitError()
                                 << "the bias of channel " << channel
                                 << " needs " << signedWidth({sum, sum})
                                 << " bits, it has 32";
      error.attachNote() << "it holds the layer's bias and the correction for "
                            "the zero point "
                         << result.activation.getZeroPoint()
                         << "; a zero point nearer to 0 or narrower weights "
                            "make it smaller";
      return error;
    }
    result.bias.push_back(static_cast<int32_t>(sum));
    result.weights.insert(result.weights.end(), found.integers.begin(),
                          found.integers.end());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

namespace {
/// All layers of a module, and what is between them.
class Rewriter {
public:
  explicit Rewriter(std::vector<IntegerLayer> &layers);
  LogicalResult run();

private:
  using Types = SmallVector<UniformQuantizedType, 1>;

  const Types *wanted(Value value);
  void settle(Value value, UniformQuantizedType type);
  Value codesOf(Value value, UniformQuantizedType type);
  Value makeCodes(Value value, UniformQuantizedType type);
  LogicalResult checkMultipliers(IntegerLayer &layer);
  Value requantize(IntegerLayer &layer, UniformQuantizedType type);
  void emitSums(IntegerLayer &layer);
  Value emitWeights(OpBuilder &builder, const IntegerLayer &layer);
  Value emitReals(OpBuilder &builder, IntegerLayer &layer);

  std::vector<IntegerLayer> &layers;
  llvm::DenseMap<Operation *, IntegerLayer *> byOp;
  llvm::DenseMap<Value, IntegerLayer *> byResult;
  llvm::DenseMap<Value, std::unique_ptr<Types>> wantedTypes;
  llvm::DenseMap<std::pair<Value, Type>, Value> codes;
  llvm::DenseSet<std::pair<Value, Type>> settled;
  llvm::DenseMap<Value, Value> newReals;
};
} // namespace

Rewriter::Rewriter(std::vector<IntegerLayer> &layers) : layers(layers) {
  for (IntegerLayer &layer : layers) {
    byOp[layer.layer.op] = &layer;
    byResult[layer.layer.result] = &layer;
  }
}

/// The operands that codes take the place of.
static ValueRange sources(Operation *op) {
  return isa<tosa::ConcatOp>(op) ? ValueRange(op->getOperands())
                                 : ValueRange(op->getOperands().take_front());
}

/// The types of codes that a value is wanted in, where nothing wants its reals;
/// null otherwise.
const Rewriter::Types *Rewriter::wanted(Value value) {
  auto [it, isNew] = wantedTypes.try_emplace(value);
  if (!isNew)
    return it->second.get();
  Types types;
  auto add = [&](UniformQuantizedType type) {
    if (!llvm::is_contained(types, type))
      types.push_back(type);
  };
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (use.getOperandNumber() != 0 && !isa<tosa::ConcatOp>(user))
      return nullptr;
    if (auto found = byOp.find(user); found != byOp.end()) {
      add(found->second->activation);
      continue;
    }
    const Types *behind =
        user->getNumResults() == 1 ? wanted(user->getResult(0)) : nullptr;
    if (!behind)
      return nullptr;
    for (UniformQuantizedType type : *behind) {
      UniformQuantizedType before = codesBefore(user, type);
      if (!before)
        return nullptr;
      add(before);
    }
  }
  if (types.empty())
    return nullptr;
  std::unique_ptr<Types> &entry = wantedTypes[value];
  entry = std::make_unique<Types>(std::move(types));
  return entry.get();
}

/// Asks what is wanted of all that codes of a value may come from, while the
/// network is as it was.
void Rewriter::settle(Value value, UniformQuantizedType type) {
  Operation *op = value.getDefiningOp();
  if (!settled.insert({value, type}).second || !wanted(value) || !op ||
      byResult.count(value))
    return;
  if (UniformQuantizedType before = codesBefore(op, type))
    for (Value operand : sources(op))
      settle(operand, before);
}

Value Rewriter::codesOf(Value value, UniformQuantizedType type) {
  if (Value reals = newReals.lookup(value))
    value = reals;
  if (Value known = codes.lookup({value, type}))
    return known;
  Value made = makeCodes(value, type);
  codes[{value, type}] = made;
  return made;
}

/// Codes of a value, from codes further up where nothing wants its reals.
Value Rewriter::makeCodes(Value value, UniformQuantizedType type) {
  OpBuilder builder(value.getContext());
  if (wanted(value)) {
    if (IntegerLayer *layer = byResult.lookup(value)) {
      emitSums(*layer);
      return requantize(*layer, type);
    }
    Operation *op = value.getDefiningOp();
    if (auto before = op ? codesBefore(op, type) : UniformQuantizedType()) {
      SmallVector<Value> inputs;
      for (Value operand : sources(op))
        inputs.push_back(codesOf(operand, before));
      builder.setInsertionPointAfter(op);
      return applyToCodes(builder, op, inputs);
    }
  }
  builder.setInsertionPointAfterValue(value);
  return QuantizeOp::create(builder, value.getLoc(),
                            cast<RankedTensorType>(value.getType()).clone(type),
                            value);
}

template <typename T>
static DenseElementsAttr vectorOf(Builder &builder, Type element,
                                  ArrayRef<T> values) {
  return DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(values.size())}, element),
      values);
}

static bool isZero(ArrayRef<int32_t> values) {
  return llvm::all_of(values, [](int32_t value) { return value == 0; });
}

/// What turns sums of a channel into codes of a type.
static double multiplierOf(const IntegerLayer &layer, int64_t channel,
                           UniformQuantizedType type) {
  return layer.unit(channel) / static_cast<float>(type.getScale());
}

/// The multipliers of all types that sums are wanted in are numbers of f32.
LogicalResult Rewriter::checkMultipliers(IntegerLayer &layer) {
  const Types *types = wanted(layer.layer.result);
  if (!types)
    return success();
  for (UniformQuantizedType type : *types)
    for (int64_t channel = 0; channel < layer.layer.channels; ++channel) {
      double multiplier = multiplierOf(layer, channel, type);
      if (!std::isnormal(static_cast<float>(multiplier)))
        return layer.layer.op->emitError()
               << "the sums of channel " << channel
               << " would be multiplied by " << multiplier
               << ", which is no normal number of f32";
    }
  return success();
}

Value Rewriter::requantize(IntegerLayer &layer, UniformQuantizedType type) {
  OpBuilder builder(type.getContext());
  builder.setInsertionPointAfter(layer.layer.op);
  Location loc = layer.layer.op->getLoc();
  std::vector<float> multipliers;
  for (int64_t channel = 0; channel < layer.layer.channels; ++channel)
    multipliers.push_back(
        static_cast<float>(multiplierOf(layer, channel, type)));
  ElementsAttr bias;
  if (!isZero(layer.bias))
    bias = vectorOf(builder, builder.getI32Type(), ArrayRef(layer.bias));
  auto sums = cast<RankedTensorType>(layer.sums.getType());
  Value result = RequantizeOp::create(
      builder, loc, sums.clone(type), layer.sums,
      vectorOf(builder, builder.getF32Type(), ArrayRef(multipliers)),
      ElementsAttr(), bias);
  return reshapeCodes(
      builder, loc, result,
      cast<RankedTensorType>(layer.layer.result.getType()).getShape());
}

/// [C, K], or of a convolution [C, rows, columns, inputs].
Value Rewriter::emitWeights(OpBuilder &builder, const IntegerLayer &layer) {
  const FloatLayer &from = layer.layer;
  SmallVector<int64_t> shape = {from.channels};
  if (from.isConvolution)
    shape.append(from.window.begin(), from.window.end());
  else
    shape.push_back(from.terms());
  Type storage = builder.getI8Type();
  std::vector<int8_t> values(layer.weights.begin(), layer.weights.end());
  Value constant = arith::ConstantOp::create(
      builder, from.op->getLoc(),
      DenseElementsAttr::get(RankedTensorType::get(shape, storage),
                             ArrayRef(values)));
  int64_t limit = narrowLimit(layer.weightBits);
  SmallVector<int64_t> zeroPoints(from.channels, 0);
  Type type = quant::UniformQuantizedPerAxisType::get(
      quant::QuantizationFlags::Signed, storage, builder.getF32Type(),
      layer.scales, zeroPoints, /*quantizedDimension=*/0, -limit, limit);
  return quant::StorageCastOp::create(
      builder, from.op->getLoc(), RankedTensorType::get(shape, type), constant);
}

void Rewriter::emitSums(IntegerLayer &layer) {
  if (layer.sums)
    return;
  const FloatLayer &from = layer.layer;
  Value input = codesOf(from.input, layer.activation);
  // The input may have been narrowed: its codes decide.
  a2q::Range range = codeRange(getQuantizedType(input.getType()));
  OpBuilder builder(from.op);
  Location loc = from.op->getLoc();
  Value weights = emitWeights(builder, layer);
  unsigned width =
      std::max(32u, datatypeWidth(from.terms(), layer.weightBits, range));
  auto type = cast<RankedTensorType>(from.op->getResult(0).getType())
                  .clone(AccumulatorType::get(builder.getContext(), width));
  if (from.isConvolution)
    layer.sums = Conv2DOp::create(
        builder, loc, type, input, weights, Value(),
        ArrayRef<int64_t>(from.strides), ArrayRef<int64_t>(from.dilations),
        ArrayRef<int64_t>(from.padding), from.groups, ScheduleAttr());
  else
    layer.sums = MatmulOp::create(builder, loc, type, input, weights, Value(),
                                  ScheduleAttr());
  // Overrides and moments go with the layer.
  for (NamedAttribute attr : from.op->getDiscardableAttrs())
    if (attr.getName().getValue().starts_with("a2q.") &&
        attr.getName() != kActivation && attr.getName() != kWeightBits)
      layer.sums.getDefiningOp()->setAttr(attr.getName(), attr.getValue());
}

/// float32(sum + bias) * scale.
Value Rewriter::emitReals(OpBuilder &builder, IntegerLayer &layer) {
  const FloatLayer &from = layer.layer;
  Location loc = from.op->getLoc();
  auto type = cast<RankedTensorType>(layer.sums.getType());
  unsigned width = cast<AccumulatorType>(type.getElementType()).getWidth();
  a2q::Range range = codeRange(
      getQuantizedType(layer.sums.getDefiningOp()->getOperand(0).getType()));
  // 32 bits where no sum with its bias can leave them.
  Wide most =
      Wide(1) << (datatypeWidth(from.terms(), layer.weightBits, range) - 1);
  Wide bias = 0;
  for (int64_t value : layer.bias)
    bias = std::max<Wide>(bias, std::abs(value));
  unsigned bits = width <= 32 && most + bias <= INT32_MAX ? 32 : 64;
  Type integer = builder.getIntegerType(bits);
  Value decoded =
      DecodeOp::create(builder, loc, type.clone(integer), layer.sums);
  SmallVector<APInt> biases;
  std::vector<float> scales;
  for (int64_t channel = 0; channel < from.channels; ++channel) {
    biases.emplace_back(bits,
                        static_cast<uint64_t>(int64_t(layer.bias[channel])),
                        /*isSigned=*/true);
    scales.push_back(static_cast<float>(layer.unit(channel)));
  }
  auto constant = [&](DenseElementsAttr elements) -> Value {
    return arith::ConstantOp::create(builder, loc, elements);
  };
  Value biasVector =
      constant(vectorOf<APInt>(builder, integer, ArrayRef<APInt>(biases)));
  Value scaleVector =
      constant(vectorOf(builder, builder.getF32Type(), ArrayRef(scales)));
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, decoded),
      builder.getF32Type());
  int64_t rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  AffineMap channel =
      AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1));
  auto generic = linalg::GenericOp::create(
      builder, loc, empty.getType(),
      ValueRange{decoded, biasVector, scaleVector}, ValueRange{empty},
      ArrayRef<AffineMap>{all, channel, channel, all},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [](OpBuilder &inner, Location loc, ValueRange in) {
        Value sum = arith::AddIOp::create(inner, loc, in[0], in[1]);
        Value real =
            arith::SIToFPOp::create(inner, loc, inner.getF32Type(), sum);
        Value scaled = arith::MulFOp::create(inner, loc, real, in[2]);
        linalg::YieldOp::create(inner, loc, scaled);
      });
  auto resultType = cast<RankedTensorType>(from.result.getType());
  if (resultType == generic->getResult(0).getType())
    return generic->getResult(0);
  return reshape(builder, loc, generic->getResult(0), resultType.getShape());
}

LogicalResult Rewriter::run() {
  for (IntegerLayer &layer : layers) {
    settle(layer.layer.input, layer.activation);
    wanted(layer.layer.result);
  }
  // After an error the module is as it was.
  for (IntegerLayer &layer : layers)
    if (failed(checkMultipliers(layer)))
      return failure();
  for (IntegerLayer &layer : layers) {
    emitSums(layer);
    if (wanted(layer.layer.result))
      continue;
    OpBuilder builder(layer.layer.op->getContext());
    builder.setInsertionPointAfter(layer.layer.op);
    Value reals = emitReals(builder, layer);
    layer.layer.result.replaceAllUsesWith(reals);
    newReals[layer.layer.result] = reals;
  }
  return success();
}

/// What nothing uses any more: float layers, what was between them, constants.
static void eraseDead(Operation *root) {
  SmallVector<Operation *> ops;
  root->walk<WalkOrder::PreOrder>([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : llvm::reverse(ops))
    if (op != root && isOpTriviallyDead(op))
      op->erase();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct QuantizeLayers : a2q::impl::A2QQuantizeLayersBase<QuantizeLayers> {
  using A2QQuantizeLayersBase::A2QQuantizeLayersBase;

  /// The op as a layer to quantize; nothing where it stays float.
  FailureOr<std::optional<IntegerLayer>> plan(Operation *op) {
    std::string reason;
    std::optional<FloatLayer> layer = FloatLayer::match(op, reason);
    bool isWanted = op->hasAttr(kActivation);
    if (layer && !isWanted)
      reason = ("it has no '" + kActivation + "'").str();
    if (!layer && isWanted && reason.empty())
      return op->emitError() << "'" << kActivation
                             << "' is for a layer of f32, which this is not";
    if (!reason.empty())
      op->emitRemark() << "left in float: " << reason;
    if (!layer || !isWanted)
      return std::optional<IntegerLayer>();
    IntegerLayer result;
    result.layer = *layer;
    FailureOr<UniformQuantizedType> type = activationType(op);
    FailureOr<unsigned> bits = weightBitsOf(op, weightBits);
    if (failed(type) || failed(bits))
      return failure();
    result.activation = *type;
    result.weightBits = *bits;
    if (failed(quantizeWeights(result)))
      return failure();
    return std::optional(std::move(result));
  }

  void runOnOperation() override {
    if (failed(checkWeightBits(getOperation(), weightBits.getValue())))
      return signalPassFailure();
    // All layers first: after an error the module is as it was.
    std::vector<IntegerLayer> layers;
    WalkResult walked = getOperation()->walk([&](Operation *op) {
      FailureOr<std::optional<IntegerLayer>> layer = plan(op);
      if (failed(layer))
        return WalkResult::interrupt();
      if (*layer)
        layers.push_back(std::move(**layer));
      return WalkResult::advance();
    });
    if (walked.wasInterrupted() || failed(Rewriter(layers).run()))
      return signalPassFailure();
    eraseDead(getOperation());
  }
};
} // namespace
