//===- LinalgToA2Q.cpp - Structured sums of products as a2q ops -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Named ops and linalg.generic alike: what a loop is for follows from the
// indexing maps of activations, weights and result. A loop that is in ...
//
//   activations and result                    counts rows, or images
//   activations (in a window) and result      moves the window
//   weights and result                        counts output channels
//   all three                                 counts groups, or batches
//   activations and weights                   is summed over, K
//   activations (in a window) and weights     is summed over the window
//
// Without windows this is a product of matrices, with one or two a convolution.
// Transposes bring operands and result into the order that the a2q ops have.
//
//===----------------------------------------------------------------------===//

#include "../PlainToA2Q/CodeSums.h"

#include "FoldConstants.h"

#include "a2q/Analysis/Ranges.h"
#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

namespace a2q {
#define GEN_PASS_DEF_CONVERTLINALGTOA2Q
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;
using linalg::LinalgOp;

static RankedTensorType tensorOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static LogicalResult refuse(std::string &reason, const Twine &what) {
  reason = what.str();
  return failure();
}

//===----------------------------------------------------------------------===//
// What each loop is for
//===----------------------------------------------------------------------===//

namespace {
/// An index `stride * position + dilation * tap` of the activations.
struct Window {
  int64_t dim; ///< of the activations
  unsigned position, tap;
  int64_t stride = 1, dilation = 1;
};

/// The loops of an op by what they are for, each in the order of the result,
/// those that are summed over in the order of the op.
struct LoopRoles {
  SmallVector<int64_t> sizes;
  SmallVector<unsigned> rows, channels, groups, terms;
  SmallVector<Window, 2> windows;
  AffineMap activations, weights, result;

  static FailureOr<LoopRoles> of(AccumulatingOpInterface op,
                                 std::string &reason);

  SmallVector<int64_t> sizesOf(ArrayRef<unsigned> loops) const {
    return llvm::map_to_vector(loops,
                               [&](unsigned loop) { return sizes[loop]; });
  }
  int64_t count(ArrayRef<unsigned> loops) const {
    return ShapedType::getNumElements(sizesOf(loops));
  }

private:
  LogicalResult readMaps(AccumulatingOpInterface op, std::string &reason);
  LogicalResult readWindows(std::string &reason);
  LogicalResult sortLoops(LinalgOp op, std::string &reason);
};
} // namespace

/// The dimension of the map's results that is the loop by itself, or nullopt.
static std::optional<int64_t> dimOf(AffineMap map, unsigned loop) {
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (auto plain = dyn_cast<AffineDimExpr>(expr);
        plain && plain.getPosition() == loop)
      return dim;
  return std::nullopt;
}

/// Activations and weights are inputs that the op knows by value; where both
/// are the same tensor they come in order.
LogicalResult LoopRoles::readMaps(AccumulatingOpInterface op,
                                  std::string &reason) {
  auto structured = cast<LinalgOp>(op.getOperation());
  OpOperand *first = nullptr, *second = nullptr;
  for (OpOperand *input : structured.getDpsInputOperands()) {
    if (!first && input->get() == op.getActivations())
      first = input;
    else if (!second && input->get() == op.getWeights())
      second = input;
  }
  if (!first || !second)
    return refuse(reason, "its operands are not told apart");
  activations = structured.getMatchingIndexingMap(first);
  weights = structured.getMatchingIndexingMap(second);
  result = structured.getMatchingIndexingMap(structured.getDpsInitOperand(0));
  sizes = structured.getStaticLoopRanges();
  if (llvm::any_of(sizes, ShapedType::isDynamic) ||
      !tensorOf(first->get()).hasStaticShape())
    return refuse(reason, "its shape is not static");
  if (llvm::any_of(sizes, [](int64_t size) { return size == 0; }))
    return refuse(reason, "it is empty");
  if (!weights.isProjectedPermutation())
    return refuse(reason, "its weights are not read by plain loops");
  return success();
}

/// `loop` or `loop * constant`.
static std::optional<std::pair<unsigned, int64_t>> matchStep(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return std::pair(dim.getPosition(), int64_t(1));
  auto product = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!product || product.getKind() != AffineExprKind::Mul)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(product.getLHS());
  auto factor = dyn_cast<AffineConstantExpr>(product.getRHS());
  if (!dim || !factor || factor.getValue() <= 0)
    return std::nullopt;
  return std::pair(dim.getPosition(), factor.getValue());
}

/// Every index of the activations is a loop or a window.
LogicalResult LoopRoles::readWindows(std::string &reason) {
  for (auto [dim, expr] : llvm::enumerate(activations.getResults())) {
    if (isa<AffineDimExpr>(expr))
      continue;
    auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
    if (!sum || sum.getKind() != AffineExprKind::Add)
      return refuse(reason, "its activations are not read by plain loops and "
                            "windows");
    auto lhs = matchStep(sum.getLHS()), rhs = matchStep(sum.getRHS());
    if (lhs && rhs && dimOf(result, rhs->first))
      std::swap(lhs, rhs);
    if (!lhs || !rhs || !dimOf(result, lhs->first) ||
        dimOf(result, rhs->first) || !dimOf(weights, rhs->first) ||
        dimOf(weights, lhs->first))
      return refuse(reason, "its activations are not read by plain loops and "
                            "windows");
    windows.push_back({static_cast<int64_t>(dim), lhs->first, rhs->first,
                       lhs->second, rhs->second});
  }
  if (windows.size() > 2)
    return refuse(reason, "its windows have " + Twine(windows.size()) +
                              " dimensions, supported are up to 2");
  return success();
}

LogicalResult LoopRoles::sortLoops(LinalgOp op, std::string &reason) {
  auto inWindow = [&](unsigned loop) {
    return llvm::any_of(windows, [&](const Window &window) {
      return window.position == loop || window.tap == loop;
    });
  };
  // Each loop is in one index of an operand.
  for (unsigned loop = 0; loop < sizes.size(); ++loop) {
    int64_t uses =
        llvm::count_if(activations.getResults(), [&](AffineExpr expr) {
          return expr.isFunctionOfDim(loop);
        });
    if (uses > 1)
      return refuse(reason, "a loop is in several indices of its activations");
  }
  for (AffineExpr expr : result.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (inWindow(loop))
      continue;
    bool ofActivations = dimOf(activations, loop).has_value();
    bool ofWeights = dimOf(weights, loop).has_value();
    if (ofActivations && ofWeights)
      groups.push_back(loop);
    else if (ofActivations)
      rows.push_back(loop);
    else if (ofWeights)
      channels.push_back(loop);
    else
      return refuse(reason, "a loop is of neither operand");
  }
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  for (unsigned loop : reductions) {
    if (inWindow(loop))
      continue;
    if (!dimOf(activations, loop) || !dimOf(weights, loop))
      return refuse(reason, "it sums over a loop that is not of both operands");
    terms.push_back(loop);
  }
  return success();
}

FailureOr<LoopRoles> LoopRoles::of(AccumulatingOpInterface op,
                                   std::string &reason) {
  LoopRoles roles;
  if (failed(roles.readMaps(op, reason)) || failed(roles.readWindows(reason)) ||
      failed(roles.sortLoops(cast<LinalgOp>(op.getOperation()), reason)))
    return failure();
  return roles;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// The interface lists weights by channel loops in the order of the result,
/// then by reductions in the order of the op. Lists them by `order` instead.
static void reorderWeights(PlainWeights &weights, LinalgOp op,
                           const LoopRoles &roles, ArrayRef<unsigned> order) {
  SmallVector<unsigned> listed;
  for (AffineExpr expr : roles.result.getResults())
    if (unsigned loop = cast<AffineDimExpr>(expr).getPosition();
        dimOf(roles.weights, loop))
      listed.push_back(loop);
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  listed.append(reductions);
  if (ArrayRef(listed) == order)
    return;
  llvm::DenseMap<unsigned, int64_t> steps;
  int64_t step = 1;
  for (unsigned loop : llvm::reverse(listed)) {
    steps[loop] = step;
    step *= roles.sizes[loop];
  }
  SmallVector<int64_t> positions{0};
  for (unsigned loop : order) {
    SmallVector<int64_t> outer = std::move(positions);
    positions.clear();
    for (int64_t position : outer)
      for (int64_t i = 0; i < roles.sizes[loop]; ++i)
        positions.push_back(position + i * steps[loop]);
  }
  weights.codes = llvm::map_to_vector(
      positions, [&](int64_t position) { return weights.codes[position]; });
}

template <typename... Lists>
static SmallVector<unsigned> concat(const Lists &...lists) {
  SmallVector<unsigned> all;
  (all.append(lists.begin(), lists.end()), ...);
  return all;
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

namespace {
/// An op and what its operands can be, from before anything was rewritten.
struct Layer {
  AccumulatingOpInterface op;
  std::optional<a2q::Range> activations, secondOperand;
};

class Converter {
public:
  Converter(RewriterBase &rewriter, const Layer &known, std::string &reason)
      : rewriter(rewriter), known(known), layer(known.op),
        op(cast<LinalgOp>(layer.getOperation())),
        builder(rewriter, layer.getLoc()), reason(reason) {}

  LogicalResult run();

private:
  FailureOr<PlainCodes> readCodes(Value value, bool isUnsigned,
                                  std::optional<int64_t> zeroPoint,
                                  std::optional<a2q::Range> range,
                                  StringRef what);
  FailureOr<Value> convertProduct();
  FailureOr<Value> convertWeighted();
  FailureOr<Value> convertConv();
  void takePadding(ConvGeometry &geometry, SmallVectorImpl<int64_t> &sizes);
  void cropImage(SmallVectorImpl<int64_t> &shape, ConvGeometry &geometry);
  Value arrange(Value result, ArrayRef<unsigned> loops);
  IntegerType element() {
    return cast<IntegerType>(layer.getAccumulatorType());
  }

  RewriterBase &rewriter;
  const Layer &known;
  AccumulatingOpInterface layer;
  LinalgOp op;
  CodeSumBuilder builder;
  std::string &reason;
  LoopRoles roles;
  PlainCodes codes;
};
} // namespace

/// Operands, where they are wider than codes, as the codes that they are proven
/// to be.
FailureOr<PlainCodes> Converter::readCodes(Value value, bool isUnsigned,
                                           std::optional<int64_t> zeroPoint,
                                           std::optional<a2q::Range> range,
                                           StringRef what) {
  RankedTensorType type = tensorOf(value);
  if (type.getElementTypeBitWidth() > 16 && range) {
    for (unsigned bits : {8u, 16u})
      for (bool asUnsigned : {false, true}) {
        int64_t lo = asUnsigned ? 0 : llvm::minIntN(bits);
        int64_t hi = asUnsigned ? static_cast<int64_t>(llvm::maxUIntN(bits))
                                : llvm::maxIntN(bits);
        if (range->lo < lo || range->hi > hi)
          continue;
        value = arith::TruncIOp::create(
            rewriter, layer.getLoc(), type.clone(rewriter.getIntegerType(bits)),
            value);
        return PlainCodes::of(value, asUnsigned, zeroPoint, what, reason);
      }
  }
  return PlainCodes::of(value, isUnsigned, zeroPoint, what, reason);
}

/// The result from its loops in this order to the order that the op has.
Value Converter::arrange(Value result, ArrayRef<unsigned> loops) {
  result = builder.reshape(result, roles.sizesOf(loops));
  SmallVector<int64_t> permutation;
  for (AffineExpr expr : roles.result.getResults()) {
    const auto *at = llvm::find(loops, cast<AffineDimExpr>(expr).getPosition());
    permutation.push_back(at - loops.begin());
  }
  return builder.transpose(result, permutation);
}

/// The dimensions of an operand that are these loops, in their order.
static SmallVector<int64_t> dimsOf(AffineMap map, ArrayRef<unsigned> loops) {
  return llvm::map_to_vector(loops,
                             [&](unsigned loop) { return *dimOf(map, loop); });
}

/// [rows..., K] x [N, K].
FailureOr<Value> Converter::convertWeighted() {
  FailureOr<PlainWeights> weights = PlainWeights::of(layer, reason);
  if (failed(weights))
    return failure();
  reorderWeights(*weights, op, roles, concat(roles.channels, roles.terms));
  codes.value = builder.transpose(
      codes.value, dimsOf(roles.activations, concat(roles.rows, roles.terms)));
  SmallVector<int64_t> shape = roles.sizesOf(roles.rows);
  if (shape.empty())
    shape.push_back(1);
  shape.push_back(roles.count(roles.terms));
  codes.value = builder.reshape(codes.value, shape);
  int64_t channels = roles.count(roles.channels);
  CodeSums sums = builder.multiply(codes, *weights, channels);
  return arrange(builder.decode(sums, element()),
                 concat(roles.rows, roles.channels));
}

/// [groups..., M, K] x [groups..., N, K].
FailureOr<Value> Converter::convertProduct() {
  FailureOr<PlainCodes> rhs = readCodes(
      layer.getWeights(), layer.hasUnsignedWeights(), layer.getWeightOffset(),
      known.secondOperand, "its second operand's elements");
  if (failed(rhs))
    return failure();
  auto operand = [&](Value value, AffineMap map, ArrayRef<unsigned> own) {
    value = builder.transpose(
        value, dimsOf(map, concat(roles.groups, own, roles.terms)));
    SmallVector<int64_t> shape = roles.sizesOf(roles.groups);
    shape.push_back(roles.count(own));
    shape.push_back(roles.count(roles.terms));
    return builder.reshape(value, shape);
  };
  codes.value = operand(codes.value, roles.activations, roles.rows);
  rhs->value = operand(rhs->value, roles.weights, roles.channels);
  return arrange(builder.multiply(codes, *rhs, element()),
                 concat(roles.groups, roles.rows, roles.channels));
}

/// A constant padding of the image with zero points is the convolution's own.
void Converter::takePadding(ConvGeometry &geometry,
                            SmallVectorImpl<int64_t> &sizes) {
  Value padded = codes.value;
  auto narrowed = padded.getDefiningOp<arith::TruncIOp>();
  if (narrowed)
    padded = narrowed.getIn();
  auto pad = padded.getDefiningOp<tensor::PadOp>();
  if (!pad || !pad.getSourceType().hasStaticShape() ||
      llvm::any_of(pad.getStaticLow(), ShapedType::isDynamic) ||
      llvm::any_of(pad.getStaticHigh(), ShapedType::isDynamic))
    return;
  APInt constant;
  Value padding = pad.getConstantPaddingValue();
  if (!padding || !matchPattern(padding, m_ConstantInt(&constant)))
    return;
  bool isUnsigned = codes.isUnsigned && !narrowed;
  int64_t code = isUnsigned ? constant.getZExtValue() : constant.getSExtValue();
  if (code != codes.zeroPoint)
    return;
  for (int64_t dim = 0; dim < pad.getSourceType().getRank(); ++dim) {
    int64_t low = pad.getStaticLow()[dim], high = pad.getStaticHigh()[dim];
    bool isImage = llvm::any_of(
        roles.windows, [&](const Window &window) { return window.dim == dim; });
    if (low < 0 || high < 0 || (!isImage && (low != 0 || high != 0)))
      return;
  }
  for (auto [index, window] : llvm::enumerate(roles.windows)) {
    geometry.padding[index] = pad.getStaticLow()[window.dim];
    geometry.padding[index + 2] = pad.getStaticHigh()[window.dim];
  }
  codes.value = pad.getSource();
  if (narrowed) {
    Type type =
        pad.getSourceType().clone(tensorOf(narrowed.getOut()).getElementType());
    codes.value = arith::TruncIOp::create(rewriter, layer.getLoc(), type,
                                          pad.getSource());
    rewriter.eraseOp(narrowed);
  }
  sizes.assign(pad.getSourceType().getShape().begin(),
               pad.getSourceType().getShape().end());
}

/// Leaves out rows and columns that no window reaches: padding, then the image.
void Converter::cropImage(SmallVectorImpl<int64_t> &shape,
                          ConvGeometry &geometry) {
  SmallVector<int64_t> cropped(shape.begin(), shape.end());
  for (auto [index, window] : llvm::enumerate(roles.windows)) {
    int64_t reached = (roles.sizes[window.position] - 1) * window.stride +
                      (roles.sizes[window.tap] - 1) * window.dilation + 1;
    int64_t &after = geometry.padding[index + 2];
    int64_t unread =
        geometry.padding[index] + shape[1 + index] + after - reached;
    int64_t padding = std::min(unread, after);
    after -= padding;
    cropped[1 + index] -= unread - padding;
  }
  if (cropped == shape)
    return;
  SmallVector<OpFoldResult> offsets(4, rewriter.getIndexAttr(0));
  SmallVector<OpFoldResult> steps(4, rewriter.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : cropped)
    sizes.push_back(rewriter.getIndexAttr(size));
  codes.value = tensor::ExtractSliceOp::create(
      rewriter, layer.getLoc(), codes.value, offsets, sizes, steps);
  shape = cropped;
}

FailureOr<Value> Converter::convertConv() {
  FailureOr<PlainWeights> weights = PlainWeights::of(layer, reason);
  if (failed(weights))
    return failure();
  SmallVector<unsigned> positions, taps;
  ConvGeometry geometry;
  for (auto [index, window] : llvm::enumerate(roles.windows)) {
    positions.push_back(window.position);
    taps.push_back(window.tap);
    geometry.strides[index] = window.stride;
    geometry.dilations[index] = window.dilation;
  }
  geometry.groups = roles.count(roles.groups);
  reorderWeights(*weights, op, roles,
                 concat(roles.groups, roles.channels, taps, roles.terms));

  SmallVector<int64_t> sizes(tensorOf(codes.value).getShape());
  takePadding(geometry, sizes);
  SmallVector<int64_t> order = dimsOf(roles.activations, roles.rows);
  SmallVector<int64_t> image{roles.count(roles.rows)};
  for (const Window &window : roles.windows) {
    order.push_back(window.dim);
    image.push_back(sizes[window.dim]);
  }
  if (roles.windows.size() == 1)
    image.push_back(1);
  image.push_back(geometry.groups * roles.count(roles.terms));
  order.append(dimsOf(roles.activations, concat(roles.groups, roles.terms)));
  codes.value = builder.reshape(builder.transpose(codes.value, order), image);
  cropImage(image, geometry);

  SmallVector<int64_t> taps2 = roles.sizesOf(taps);
  SmallVector<int64_t> out = roles.sizesOf(positions);
  taps2.resize(2, 1);
  out.resize(2, 1);
  int64_t channels = geometry.groups * roles.count(roles.channels);
  auto resultType =
      RankedTensorType::get({image[0], out[0], out[1], channels}, element());
  CodeSums sums = builder.convolve(
      codes, *weights, {channels, taps2[0], taps2[1], roles.count(roles.terms)},
      geometry, resultType);
  return arrange(builder.decode(sums, element()),
                 concat(roles.rows, positions, roles.groups, roles.channels));
}

LogicalResult Converter::run() {
  rewriter.setInsertionPoint(op);
  if (!layer.getReductionLength())
    return refuse(reason, "its reduction length is not known");
  FailureOr<LoopRoles> loops = LoopRoles::of(layer, reason);
  if (failed(loops))
    return failure();
  roles = std::move(*loops);
  FailureOr<PlainCodes> activations = readCodes(
      layer.getActivations(), layer.hasUnsignedActivations(),
      layer.getActivationOffset(), known.activations, "its activations");
  if (failed(activations))
    return failure();
  codes = *activations;
  bool isConstant = hasConstantCodes(layer.getWeights());
  FailureOr<Value> result;
  if (!roles.windows.empty())
    result = convertConv();
  else if (isConstant && roles.groups.empty())
    result = convertWeighted();
  else
    result = convertProduct();
  if (failed(result)) {
    if (codes.value.use_empty() && codes.value != layer.getActivations())
      rewriter.eraseOp(codes.value.getDefiningOp());
    return failure();
  }
  if (Value initial = layer.getInitialValue())
    result = arith::AddIOp::create(rewriter, op.getLoc(), *result, initial)
                 .getResult();
  rewriter.replaceOp(op, *result);
  return success();
}

namespace {
struct ConvertLinalgToA2Q
    : a2q::impl::ConvertLinalgToA2QBase<ConvertLinalgToA2Q> {
  void runOnOperation() override {
    foldMovedConstants(getOperation());
    RangeAnalysis ranges(getOperation());
    auto rangeOf = [&](Value value,
                       bool isUnsigned) -> std::optional<a2q::Range> {
      if (auto found = ranges.lookup(value, isUnsigned))
        return found->joined();
      return std::nullopt;
    };
    SmallVector<Layer> layers;
    getOperation()->walk([&](AccumulatingOpInterface op) {
      if (isa<LinalgOp>(op.getOperation()) && op.isAccumulating())
        layers.push_back(
            {op, rangeOf(op.getActivations(), op.hasUnsignedActivations()),
             rangeOf(op.getWeights(), op.hasUnsignedWeights())});
    });
    IRRewriter rewriter(&getContext());
    for (Layer &layer : layers) {
      std::string reason;
      if (failed(Converter(rewriter, layer, reason).run()))
        layer.op.emitRemark() << "stays as it is: " << reason;
    }
  }
};
} // namespace
