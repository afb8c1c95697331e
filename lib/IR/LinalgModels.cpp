//===- LinalgModels.cpp - linalg ops as accumulating ops ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One model for all: named ops have a body as linalg.generic has, so what an op
// sums is read from its body and its indexing maps, not from its name.
//
//===----------------------------------------------------------------------===//

#include "WeightLayout.h"
#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/ExternalModels.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace a2q;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// What the body computes
//===----------------------------------------------------------------------===//

namespace {
/// A value that the body reads, and how it is extended to the accumulator.
struct Extended {
  Value value;
  bool isUnsigned = false;
};

/// One side of the product, `code - zero`. `zero.value` is null for none.
struct Factor {
  OpOperand *operand = nullptr;
  Extended code;
  Extended zero;
};

/// `init + sum of activations * weights`.
struct ProductSum {
  Factor activations;
  Factor weights;
  OpOperand *init = nullptr;
};
} // namespace

/// `extsi`, `extui`, `trunci` of a value, or the value itself. Truncation is
/// harmless: sums that fit the accumulator are equal modulo its width.
static Extended matchExtension(Value value) {
  if (auto extend = value.getDefiningOp<arith::ExtUIOp>())
    return {extend.getIn(), true};
  if (auto extend = value.getDefiningOp<arith::ExtSIOp>())
    return {extend.getIn(), false};
  if (auto truncate = value.getDefiningOp<arith::TruncIOp>())
    return {truncate.getIn(), false};
  return {value, false};
}

/// The operand that a value of the body is an element of, or null.
static OpOperand *operandOf(LinalgOp op, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBlock())
    return nullptr;
  return &op->getOpOperand(argument.getArgNumber());
}

/// Whether the op has one such value for all points of its loops.
static bool isUniform(LinalgOp op, Value value) {
  OpOperand *operand = operandOf(op, value);
  return !operand || op.getMatchingIndexingMap(operand).getNumResults() == 0;
}

static std::optional<Factor> matchFactor(LinalgOp op, Value value) {
  Factor factor;
  if (auto difference = value.getDefiningOp<arith::SubIOp>()) {
    factor.zero = matchExtension(difference.getRhs());
    if (!isUniform(op, factor.zero.value))
      return std::nullopt;
    value = difference.getLhs();
  }
  factor.code = matchExtension(value);
  factor.operand = operandOf(op, factor.code.value);
  if (!factor.operand || !op.isDpsInput(factor.operand) ||
      !isa<RankedTensorType>(factor.operand->get().getType()))
    return std::nullopt;
  return factor;
}

/// Parallel dimensions are those of the output, each once; all others are
/// reductions and are not in it.
static bool sumsIntoOutput(LinalgOp op, OpOperand *init) {
  AffineMap map = op.getMatchingIndexingMap(init);
  if (!map.isProjectedPermutation())
    return false;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (auto [dim, iterator] : llvm::enumerate(iterators))
    if ((iterator == utils::IteratorType::parallel) != map.isFunctionOfDim(dim))
      return false;
  return true;
}

/// Weights are the constant side, or else the second.
static bool isWeightSide(LinalgOp op, const Factor &factor) {
  return hasConstantCodes(factor.operand->get()) &&
         op.getMatchingIndexingMap(factor.operand).isProjectedPermutation();
}

static std::optional<ProductSum> matchProductSum(LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 ||
      op.getNumDpsInits() != 1 || !op.getBlock())
    return std::nullopt;
  ProductSum result;
  result.init = op.getDpsInitOperand(0);
  auto type = dyn_cast<RankedTensorType>(result.init->get().getType());
  if (!type || !type.getElementType().isSignlessInteger() ||
      type.getElementTypeBitWidth() > 64 || !sumsIntoOutput(op, result.init))
    return std::nullopt;
  // yield(add(init, mul(factor, factor)))
  Value sum = op.getBlock()->getTerminator()->getOperand(0);
  auto add = sum.getDefiningOp<arith::AddIOp>();
  if (!add)
    return std::nullopt;
  Value product = add.getRhs(), init = add.getLhs();
  if (operandOf(op, init) != result.init)
    std::swap(product, init);
  auto multiply = product.getDefiningOp<arith::MulIOp>();
  if (operandOf(op, init) != result.init || !multiply)
    return std::nullopt;
  std::optional<Factor> lhs = matchFactor(op, multiply.getLhs());
  std::optional<Factor> rhs = matchFactor(op, multiply.getRhs());
  if (!lhs || !rhs)
    return std::nullopt;
  if (isWeightSide(op, *lhs) && !isWeightSide(op, *rhs))
    std::swap(lhs, rhs);
  result.activations = *lhs;
  result.weights = *rhs;
  return result;
}

/// The constant that a factor subtracts; nullopt when it is none.
static std::optional<int64_t> constantZero(LinalgOp op, const Factor &factor) {
  if (!factor.zero.value)
    return 0;
  Value value = factor.zero.value;
  if (OpOperand *operand = operandOf(op, value))
    value = operand->get();
  APInt constant;
  if (DenseIntElementsAttr elements;
      matchPattern(value, m_Constant(&elements)) && elements.isSplat())
    constant = elements.getSplatValue<APInt>();
  else if (!matchPattern(value, m_ConstantInt(&constant)))
    return std::nullopt;
  if (constant.getBitWidth() > 64)
    return std::nullopt;
  return factor.zero.isUnsigned ? constant.getZExtValue()
                                : constant.getSExtValue();
}

//===----------------------------------------------------------------------===//
// Which element each product reads
//===----------------------------------------------------------------------===//

namespace {
/// The loops of the op by what they are for the weights.
struct Loops {
  SmallVector<int64_t> sizes;
  /// Reductions in the order of the op: kernel row, kernel column, input
  /// channel for the named convolutions.
  SmallVector<unsigned> terms;
  /// Parallel loops that the weights follow, in the order of the output.
  SmallVector<unsigned> channels;

  Loops(LinalgOp op, const ProductSum &sum) : sizes(op.getStaticLoopRanges()) {
    op.getReductionDims(terms);
    AffineMap weights = op.getMatchingIndexingMap(sum.weights.operand);
    for (AffineExpr expr : op.getMatchingIndexingMap(sum.init).getResults()) {
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      if (weights.isFunctionOfDim(dim))
        channels.push_back(dim);
    }
  }
  SmallVector<int64_t> sizesOf(ArrayRef<unsigned> dims) const {
    return llvm::map_to_vector(dims, [&](unsigned dim) { return sizes[dim]; });
  }
};

/// The dimension of the activations whose index is one loop of the op.
struct ActivationAxis {
  int64_t axis = -1;
  unsigned loop = 0;
  /// Whether that loop is the outermost channel loop: each index is a group.
  bool isGroup = false;
};
} // namespace

static ActivationAxis findActivationAxis(LinalgOp op, const ProductSum &sum,
                                         const Loops &loops) {
  AffineMap map = op.getMatchingIndexingMap(sum.activations.operand);
  for (int64_t axis = map.getNumResults() - 1; axis >= 0; --axis) {
    auto dim = dyn_cast<AffineDimExpr>(map.getResult(axis));
    if (!dim)
      continue;
    unsigned loop = dim.getPosition();
    if (llvm::is_contained(loops.terms, loop))
      return {axis, loop, false};
    if (!loops.channels.empty() && loops.channels.front() == loop &&
        !ShapedType::isDynamic(loops.sizes[loop]))
      return {axis, loop, true};
  }
  return {};
}

/// How the loops `dims` move in a tensor that is read through `map`.
static LoopNest nestOf(ArrayRef<unsigned> dims, const Loops &loops,
                       AffineMap map, RankedTensorType type) {
  SmallVector<int64_t> strides = rowMajorStrides(type.getShape());
  LoopNest nest;
  for (unsigned dim : dims) {
    int64_t stride = 0;
    for (auto [expr, step] : llvm::zip_equal(map.getResults(), strides))
      if (cast<AffineDimExpr>(expr).getPosition() == dim)
        stride = step;
    nest.add(loops.sizes[dim], stride);
  }
  return nest;
}

//===----------------------------------------------------------------------===//
// Narrowing
//===----------------------------------------------------------------------===//

/// The smallest machine integer that holds an accumulator of the width.
static unsigned machineWidth(unsigned width) {
  return std::max<unsigned>(8, llvm::PowerOf2Ceil(width));
}

/// What the narrow op adds to: zeros stay zeros, values that are proven to fit
/// are truncated.
static Value narrowInit(OpBuilder &builder, Location loc, Value init,
                        IntegerType element) {
  auto type = cast<RankedTensorType>(init.getType());
  RankedTensorType narrow = type.clone(element);
  if (!isKnownZero(init))
    return arith::TruncIOp::create(builder, loc, narrow, init);
  if (narrow.hasStaticShape() && !init.getDefiningOp<linalg::FillOp>())
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(narrow, builder.getIntegerAttr(element, 0)));
  auto fill = init.getDefiningOp<linalg::FillOp>();
  Value target = fill ? fill.getOutputs()[0] : init;
  SmallVector<Value> sizes;
  if (auto empty = target.getDefiningOp<tensor::EmptyOp>())
    sizes = empty.getDynamicSizes();
  else
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(tensor::DimOp::create(builder, loc, target, dim));
  Value empty = tensor::EmptyOp::create(builder, loc, narrow, sizes);
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getIntegerAttr(element, 0));
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

static Value convert(ImplicitLocOpBuilder &builder, Value value,
                     bool isUnsigned, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth();
  unsigned to = type.getIntOrFloatBitWidth();
  if (from > to)
    return arith::TruncIOp::create(builder, type, value);
  if (from == to)
    return value;
  if (isUnsigned)
    return arith::ExtUIOp::create(builder, type, value);
  return arith::ExtSIOp::create(builder, type, value);
}

/// The body of a linalg.generic with a narrow accumulator. Only the low bits of
/// each step matter, so every step is done in the narrow type.
static void buildGenericBody(ImplicitLocOpBuilder &builder, LinalgOp op,
                             const ProductSum &sum, Block &body) {
  Type element = body.getArguments().back().getType();
  auto read = [&](const Extended &extended) -> Value {
    Value value = extended.value;
    if (OpOperand *operand = operandOf(op, value))
      value = body.getArgument(operand->getOperandNumber());
    else
      value =
          arith::ConstantOp::create(builder, cast<TypedAttr>([&] {
                                      Attribute attr;
                                      matchPattern(value, m_Constant(&attr));
                                      return attr;
                                    }()));
    return convert(builder, value, extended.isUnsigned, element);
  };
  auto factor = [&](const Factor &factor) -> Value {
    Value code = read(factor.code);
    if (!factor.zero.value)
      return code;
    return arith::SubIOp::create(builder, code, read(factor.zero));
  };
  Value activations = factor(sum.activations), weights = factor(sum.weights);
  Value product = arith::MulIOp::create(builder, activations, weights);
  Value result =
      arith::AddIOp::create(builder, body.getArguments().back(), product);
  linalg::YieldOp::create(builder, result);
}

/// The same op on `init`, whose element type is narrower.
static Value rebuildOn(RewriterBase &rewriter, LinalgOp op,
                       const ProductSum &sum, Value init) {
  Operation *narrow = rewriter.cloneWithoutRegions(*op);
  narrow->setOperand(sum.init->getOperandNumber(), init);
  narrow->getResult(0).setType(init.getType());
  Block *body = &narrow->getRegion(0).emplaceBlock();
  for (BlockArgument argument : op.getBlock()->getArguments())
    body->addArgument(argument.getType(), argument.getLoc());
  body->getArguments().back().setType(
      cast<RankedTensorType>(init.getType()).getElementType());
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(body);
  ImplicitLocOpBuilder builder(op.getLoc(), rewriter);
  if (auto build = op.getRegionBuilder())
    build(builder, *body, narrow->getAttrs(),
          [&] { return narrow->emitOpError(); });
  else
    buildGenericBody(builder, op, sum, *body);
  return narrow->getResult(0);
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

namespace {
template <typename OpTy>
struct LinalgModel
    : AccumulatingOpInterface::ExternalModel<LinalgModel<OpTy>, OpTy> {
  static ProductSum sumOf(Operation *op) {
    return *matchProductSum(cast<LinalgOp>(op));
  }

  bool isAccumulating(Operation *op) const {
    return matchProductSum(cast<LinalgOp>(op)).has_value();
  }
  Value getActivations(Operation *op) const {
    return sumOf(op).activations.operand->get();
  }
  Value getWeights(Operation *op) const {
    return sumOf(op).weights.operand->get();
  }
  Value getInitialValue(Operation *op) const {
    Value init = sumOf(op).init->get();
    return isKnownZero(init) ? Value() : init;
  }
  std::optional<int64_t> getReductionLength(Operation *op) const {
    Loops loops(cast<LinalgOp>(op), sumOf(op));
    return countPoints(loops.sizesOf(loops.terms), kMostTerms);
  }
  std::optional<int64_t> getNumChannels(Operation *op) const {
    Loops loops(cast<LinalgOp>(op), sumOf(op));
    return countPoints(loops.sizesOf(loops.channels));
  }
  int64_t getNumGroups(Operation *op) const {
    auto linalgOp = cast<LinalgOp>(op);
    ProductSum sum = sumOf(op);
    Loops loops(linalgOp, sum);
    ActivationAxis axis = findActivationAxis(linalgOp, sum, loops);
    return axis.isGroup ? loops.sizes[axis.loop] : 1;
  }
  int64_t getChannelAxis(Operation *op) const {
    auto linalgOp = cast<LinalgOp>(op);
    ProductSum sum = sumOf(op);
    Loops loops(linalgOp, sum);
    if (loops.channels.size() != 1)
      return -1;
    AffineExpr channel = getAffineDimExpr(loops.channels[0], op->getContext());
    return *linalgOp.getMatchingIndexingMap(sum.init).getResultPosition(
        channel);
  }
  int64_t getActivationAxis(Operation *op) const {
    auto linalgOp = cast<LinalgOp>(op);
    ProductSum sum = sumOf(op);
    return findActivationAxis(linalgOp, sum, Loops(linalgOp, sum)).axis;
  }
  int64_t getActivationChannel(Operation *op, int64_t group,
                               int64_t term) const {
    auto linalgOp = cast<LinalgOp>(op);
    ProductSum sum = sumOf(op);
    Loops loops(linalgOp, sum);
    ActivationAxis axis = findActivationAxis(linalgOp, sum, loops);
    if (axis.isGroup)
      return group;
    for (unsigned loop : llvm::reverse(loops.terms)) {
      if (loop == axis.loop)
        return term % loops.sizes[loop];
      term /= loops.sizes[loop];
    }
    return -1;
  }
  FailureOr<SmallVector<int64_t>> getWeightCodes(Operation *op) const {
    auto linalgOp = cast<LinalgOp>(op);
    ProductSum sum = sumOf(op);
    AffineMap map = linalgOp.getMatchingIndexingMap(sum.weights.operand);
    std::optional<int64_t> zero = constantZero(linalgOp, sum.weights);
    if (!zero || !map.isProjectedPermutation())
      return failure();
    Value weights = sum.weights.operand->get();
    auto type = cast<RankedTensorType>(weights.getType());
    Loops loops(linalgOp, sum);
    return gatherWeights(weights, sum.weights.code.isUnsigned, *zero,
                         nestOf(loops.channels, loops, map, type),
                         nestOf(loops.terms, loops, map, type));
  }
  bool hasUnsignedActivations(Operation *op) const {
    return sumOf(op).activations.code.isUnsigned;
  }
  bool hasUnsignedWeights(Operation *op) const {
    return sumOf(op).weights.code.isUnsigned;
  }
  std::optional<int64_t> getActivationOffset(Operation *op) const {
    return constantZero(cast<LinalgOp>(op), sumOf(op).activations);
  }
  std::optional<int64_t> getWeightOffset(Operation *op) const {
    return constantZero(cast<LinalgOp>(op), sumOf(op).weights);
  }
  std::optional<int64_t> getPaddingCode(Operation *op) const {
    return std::nullopt;
  }
  Type getAccumulatorType(Operation *op) const {
    return cast<RankedTensorType>(op->getResult(0).getType()).getElementType();
  }
  ScheduleAttr getAccumulatorSchedule(Operation *op) const { return {}; }
  FailureOr<Value> rebuildWithAccumulator(Operation *op, RewriterBase &rewriter,
                                          AccumulatorType type,
                                          ScheduleAttr schedule) const {
    auto linalgOp = cast<LinalgOp>(op);
    ProductSum sum = sumOf(op);
    Type wide = getAccumulatorType(op);
    unsigned width = machineWidth(type.getWidth());
    // One register, from start 0, in whatever order linalg is lowered to.
    if (type.getStages().size() != 1 || (schedule && schedule.getStarts()) ||
        width >= wide.getIntOrFloatBitWidth() ||
        !constantZero(linalgOp, sum.activations) ||
        !constantZero(linalgOp, sum.weights))
      return failure();
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(op);
    Value init = narrowInit(rewriter, op->getLoc(), sum.init->get(),
                            rewriter.getIntegerType(width));
    Value narrow = rebuildOn(rewriter, linalgOp, sum, init);
    return Value(arith::ExtSIOp::create(rewriter, op->getLoc(),
                                        op->getResult(0).getType(), narrow));
  }
};

template <typename... OpTys> void attachTo(MLIRContext *context) {
  (OpTys::template attachInterface<LinalgModel<OpTys>>(*context), ...);
}
} // namespace

void a2q::registerLinalgModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attachTo<linalg::GenericOp, linalg::ContractOp, linalg::MatmulOp,
             linalg::BatchMatmulOp, linalg::BatchReduceMatmulOp,
             linalg::QuantizedMatmulOp, linalg::QuantizedBatchMatmulOp,
             linalg::MatvecOp, linalg::VecmatOp, linalg::BatchMatvecOp,
             linalg::BatchVecmatOp, linalg::DotOp, linalg::Conv1DOp,
             linalg::Conv1DNcwFcwOp, linalg::Conv1DNwcWcfOp, linalg::Conv2DOp,
             linalg::Conv2DNchwFchwOp, linalg::Conv2DNchwFchwQOp,
             linalg::Conv2DNgchwFgchwOp, linalg::Conv2DNgchwGfchwOp,
             linalg::Conv2DNgchwGfchwQOp, linalg::Conv2DNhwcHwcfOp,
             linalg::Conv2DNhwcHwcfQOp, linalg::Conv2DNhwcFhwcOp,
             linalg::Conv2DNhwcFhwcQOp, linalg::Conv2DNhwgcGfhwcOp,
             linalg::Conv2DNhwgcGfhwcQOp, linalg::DepthwiseConv1DNcwCwOp,
             linalg::DepthwiseConv1DNwcWcOp, linalg::DepthwiseConv1DNwcWcmOp,
             linalg::DepthwiseConv2DNchwChwOp, linalg::DepthwiseConv2DNhwcHwcOp,
             linalg::DepthwiseConv2DNhwcHwcQOp,
             linalg::DepthwiseConv2DNhwcHwcmOp,
             linalg::DepthwiseConv2DNhwcHwcmQOp>(context);
    // What rebuilding an op creates.
    context->loadDialect<arith::ArithDialect, tensor::TensorDialect>();
  });
}
