//===- A2QOps.cpp - Operations of the a2q dialect -------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace mlir::quant;
using namespace a2q;

#define GET_OP_CLASSES
#include "a2q/IR/A2QOps.cpp.inc"

void A2QDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "a2q/IR/A2QOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Rules that several ops share
//===----------------------------------------------------------------------===//

/// What upstream's type verifier lets pass: scales that are not positive and
/// finite, zero points that are no code, an axis of another length.
static LogicalResult verifyQuantization(Operation *op, Type type,
                                        StringRef what) {
  auto tensor = cast<RankedTensorType>(type);
  auto quantized = cast<QuantizedType>(tensor.getElementType());
  Range codes = codeRange(quantized);
  for (double scale : scales(quantized))
    if (!std::isfinite(scale) || !(scale > 0))
      return op->emitOpError() << what << " has scale " << scale
                               << ", scales are positive and finite";
  for (int64_t zero : zeroPoints(quantized))
    if (zero < codes.lo || zero > codes.hi)
      return op->emitOpError()
             << what << " has zero point " << zero << ", outside its codes ["
             << codes.lo << ", " << codes.hi << "]";
  auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(quantized);
  if (!perAxis)
    return success();
  int64_t axis = perAxis.getQuantizedDimension();
  int64_t count = perAxis.getScales().size();
  if (axis >= tensor.getRank() || tensor.getDimSize(axis) != count)
    return op->emitOpError()
           << what << " has " << count << " scales along dimension " << axis
           << ", which does not match its shape";
  return success();
}

static LogicalResult verifySameShape(Operation *op) {
  auto input = cast<RankedTensorType>(op->getOperand(0).getType());
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (input.getShape() != result.getShape())
    return op->emitOpError() << "input " << input << " and result " << result
                             << " must have the same shape";
  return success();
}

static LogicalResult verifyPerTensor(Operation *op, Type type, StringRef what) {
  if (!isa<UniformQuantizedType>(getElementTypeOrSelf(type)))
    return op->emitOpError()
           << what << " must be quantized per tensor, found " << type;
  return success();
}

/// Weights: zero point 0, one scale or one per output channel.
static LogicalResult verifyWeights(Operation *op, Type type, StringRef what) {
  auto quantized = cast<QuantizedType>(getElementTypeOrSelf(type));
  auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(quantized);
  if (perAxis && perAxis.getQuantizedDimension() != 0)
    return op->emitOpError()
           << what << " is quantized along dimension "
           << perAxis.getQuantizedDimension()
           << ", weights have their output channels along dimension 0";
  for (auto [channel, zero] : llvm::enumerate(zeroPoints(quantized)))
    if (zero != 0)
      return op->emitOpError()
             << what << " has zero point " << zero << " in channel " << channel
             << ", weights have zero point 0";
  return success();
}

/// The most products of one sum that the ops take: far more than any layer has,
/// few enough to be listed one by one.
static constexpr int64_t kLongestReduction = int64_t(1) << 24;

/// Constant codes that their type cannot hold.
static LogicalResult verifyCodes(Operation *op, Value value, StringRef what) {
  Range codes = codeRange(getQuantizedType(value.getType()));
  if (std::optional<int64_t> code = constantCodeOutside(value, codes))
    return op->emitOpError()
           << what << " has code " << *code << ", its type holds [" << codes.lo
           << ", " << codes.hi << "]";
  return success();
}

static LogicalResult verifyInitial(Operation *op, Value initial,
                                   int64_t channels) {
  if (!initial)
    return success();
  auto type = cast<RankedTensorType>(initial.getType());
  if (type.getRank() != 1 || type.getDimSize(0) != channels)
    return op->emitOpError()
           << "initial value has type " << type
           << ", expected one integer for each of " << channels << " channels";
  return success();
}

/// The schedule fits K and the channels; its longest tiles are the type's.
static LogicalResult verifySchedule(Operation *op, ScheduleAttr schedule,
                                    AccumulatorType type, int64_t length,
                                    int64_t channels) {
  if (!schedule) {
    if (type.getStages().size() != 1)
      return op->emitOpError()
             << "an accumulator of " << type.getStages().size()
             << " stages needs a schedule";
    return success();
  }
  if (schedule.getReductionLength() != length)
    return op->emitOpError()
           << "schedule ends at product " << schedule.getReductionLength()
           << ", the reduction length is " << length;
  if (schedule.getEnds().size() != type.getStages().size())
    return op->emitOpError()
           << "schedule has " << schedule.getNumStages()
           << " stages, the accumulator " << type.getStages().size();
  for (auto [i, stage] : llvm::enumerate(type.getStages())) {
    if (ElementsAttr starts = schedule.getStageStarts(i);
        starts && starts.getShapedType().getDimSize(0) != channels)
      return op->emitOpError() << "starts of stage " << i << " are for "
                               << starts.getShapedType().getDimSize(0)
                               << " channels, the op has " << channels;
    else if (starts && !hasIntegerElements(starts))
      return op->emitOpError() << "starts of stage " << i
                               << " are a resource that is absent or of "
                                  "another size";
    int64_t begin = 0, longest = 0;
    for (int64_t end : schedule.getEnds()[i].asArrayRef()) {
      longest = std::max(longest, end - begin);
      begin = end;
    }
    if (stage.terms && stage.terms != longest)
      return op->emitOpError()
             << "stage " << i << " has tiles of up to " << longest
             << " products, its type says " << stage.terms;
  }
  return success();
}

static AccumulatorType accumulatorOf(Value value) {
  return cast<AccumulatorType>(getElementTypeOrSelf(value.getType()));
}

/// a2q ops hold any accumulator: only the type and the schedule change.
template <typename OpTy>
static FailureOr<Value> rebuild(OpTy op, RewriterBase &rewriter,
                                AccumulatorType type, ScheduleAttr schedule) {
  rewriter.modifyOpInPlace(op, [&] {
    auto tensor = cast<RankedTensorType>(op.getType());
    op.getResult().setType(tensor.clone(type));
    if (schedule)
      op.setScheduleAttr(schedule);
    else
      op.removeScheduleAttr();
  });
  return Value(op.getResult());
}

//===----------------------------------------------------------------------===//
// Quantize, dequantize
//===----------------------------------------------------------------------===//

LogicalResult QuantizeOp::verify() {
  // C1
  if (failed(verifySameShape(*this)))
    return failure();
  // C2
  if (!getQuantizedType(getType()).getExpressedType().isF32())
    return emitOpError() << "result " << getType() << " must express f32";
  // C3
  if (failed(verifyQuantization(*this, getType(), "result")))
    return failure();
  // C4
  if (getRounding() == Rounding::Double)
    return emitOpError("rounds by double, which is of products with a shift");
  return success();
}

LogicalResult DequantizeOp::verify() {
  // C1
  if (failed(verifySameShape(*this)))
    return failure();
  // C2
  if (!getQuantizedType(getInput().getType()).getExpressedType().isF32())
    return emitOpError() << "input " << getInput().getType()
                         << " must express f32";
  // C3
  return verifyQuantization(*this, getInput().getType(), "input");
}

namespace {
/// quantize(dequantize(q)) is q when the type is the same and no code moves:
/// |code - zero| <= 2^22 keeps float32(d * s) / s within half a unit of d.
struct FoldRequantizedCodes : OpRewritePattern<QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getInput().getDefiningOp<DequantizeOp>();
    if (!dequantize || dequantize.getInput().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "not the codes it came from");
    if (getQuantizedType(op.getType()).getStorageTypeIntegralWidth() > 16)
      return rewriter.notifyMatchFailure(op, "codes may not survive float32");
    switch (op.getRounding()) {
    case Rounding::HalfEven:
    case Rounding::HalfUp:
    case Rounding::HalfAway:
      break;
    default:
      return rewriter.notifyMatchFailure(op,
                                         "directed rounding may move codes");
    }
    for (double scale : scales(getQuantizedType(op.getType())))
      if (scale < 1e-30 || scale > 1e30)
        return rewriter.notifyMatchFailure(op, "scale near the limits of f32");
    rewriter.replaceOp(op, dequantize.getInput());
    return success();
  }
};
} // namespace

void QuantizeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                             MLIRContext *context) {
  patterns.add<FoldRequantizedCodes>(context);
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

/// C1 to C3.
static LogicalResult verifyMatmulShapes(MatmulOp op) {
  RankedTensorType lhs = cast<RankedTensorType>(op.getLhs().getType());
  RankedTensorType rhs = cast<RankedTensorType>(op.getRhs().getType());
  RankedTensorType result = cast<RankedTensorType>(op.getType());
  if (lhs.getRank() < 2)
    return op.emitOpError() << "lhs " << lhs << " must have rank 2 or more";
  ArrayRef<int64_t> batch = lhs.getShape().drop_back(2);
  if (rhs.getRank() != 2 &&
      (rhs.getRank() != lhs.getRank() || rhs.getShape().drop_back(2) != batch))
    return op.emitOpError()
           << "rhs " << rhs << " must have rank 2 or the batch dimensions of "
           << lhs;
  int64_t length = lhs.getShape().back();
  if (length != rhs.getShape().back() || ShapedType::isDynamic(length) ||
      length == 0 || length > kLongestReduction)
    return op.emitOpError()
           << "reduction lengths of " << lhs << " and " << rhs
           << " must agree, be static and from 1 to " << kLongestReduction;
  if (rhs.getShape().end()[-2] == 0)
    return op.emitOpError() << "rhs " << rhs << " has no output channel";
  SmallVector<int64_t> expected(lhs.getShape().drop_back());
  expected.push_back(rhs.getShape().end()[-2]);
  if (result.getShape() != ArrayRef(expected))
    return op.emitOpError()
           << "result " << result << " must have shape [" << expected << "]";
  return success();
}

LogicalResult MatmulOp::verify() {
  // C1 to C3
  if (failed(verifyMatmulShapes(*this)))
    return failure();
  // C4
  if (failed(verifyPerTensor(*this, getLhs().getType(), "lhs")))
    return failure();
  bool isWeights = cast<RankedTensorType>(getRhs().getType()).getRank() == 2 &&
                   hasConstantCodes(getRhs());
  if (failed(isWeights ? verifyWeights(*this, getRhs().getType(), "rhs")
                       : verifyPerTensor(*this, getRhs().getType(), "rhs")))
    return failure();
  // C5
  if (failed(verifyQuantization(*this, getLhs().getType(), "lhs")) ||
      failed(verifyQuantization(*this, getRhs().getType(), "rhs")))
    return failure();
  int64_t channels = cast<RankedTensorType>(getType()).getShape().back();
  // C6
  if (failed(verifyInitial(*this, getInitial(), channels)))
    return failure();
  // C7, C8
  if (failed(verifySchedule(*this, getScheduleAttr(),
                            accumulatorOf(getResult()), *getReductionLength(),
                            channels)))
    return failure();
  // C9
  return verifyCodes(*this, getRhs(), "rhs");
}

Value MatmulOp::getActivations() { return getLhs(); }
Value MatmulOp::getWeights() { return getRhs(); }
Value MatmulOp::getInitialValue() { return getInitial(); }
std::optional<int64_t> MatmulOp::getReductionLength() {
  return cast<RankedTensorType>(getLhs().getType()).getShape().back();
}
std::optional<int64_t> MatmulOp::getNumChannels() {
  int64_t channels = cast<RankedTensorType>(getType()).getShape().back();
  if (ShapedType::isDynamic(channels))
    return std::nullopt;
  return channels;
}
int64_t MatmulOp::getNumGroups() { return 1; }
int64_t MatmulOp::getChannelAxis() {
  return cast<RankedTensorType>(getType()).getRank() - 1;
}
int64_t MatmulOp::getActivationAxis() { return getChannelAxis(); }
int64_t MatmulOp::getActivationChannel(int64_t group, int64_t term) {
  return term;
}
FailureOr<SmallVector<int64_t>> MatmulOp::getWeightCodes() {
  if (cast<RankedTensorType>(getRhs().getType()).getRank() != 2)
    return failure();
  return constantCodes(getRhs());
}
std::optional<int64_t> MatmulOp::getActivationOffset() { return 0; }
std::optional<int64_t> MatmulOp::getWeightOffset() { return 0; }
std::optional<int64_t> MatmulOp::getPaddingCode() { return std::nullopt; }
Type MatmulOp::getAccumulatorType() { return accumulatorOf(getResult()); }
ScheduleAttr MatmulOp::getAccumulatorSchedule() { return getScheduleAttr(); }
FailureOr<Value> MatmulOp::rebuildWithAccumulator(RewriterBase &rewriter,
                                                  AccumulatorType type,
                                                  ScheduleAttr schedule) {
  return rebuild(*this, rewriter, type, schedule);
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

/// C1 to C3.
static LogicalResult verifyConvOperands(Conv2DOp op) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  auto filter = cast<RankedTensorType>(op.getFilter().getType());
  if (input.getRank() != 4 || filter.getRank() != 4)
    return op.emitOpError() << "input " << input << " and filter " << filter
                            << " must have rank 4";
  auto unusable = [](int64_t size) {
    return ShapedType::isDynamic(size) || size == 0;
  };
  if (llvm::any_of(input.getShape().drop_front(), unusable) ||
      llvm::any_of(filter.getShape(), unusable))
    return op.emitOpError() << "image " << input << " and filter " << filter
                            << " must have static sizes that are not 0";
  Wide length = 1;
  for (int64_t size : filter.getShape().drop_front())
    length = std::min<Wide>(length * size, kLongestReduction + 1);
  if (length > kLongestReduction)
    return op.emitOpError() << "filter " << filter << " sums more than "
                            << kLongestReduction << " products";
  auto check = [&](StringRef name, ArrayRef<int64_t> values, size_t count,
                   int64_t least) -> LogicalResult {
    if (values.size() != count ||
        llvm::any_of(values, [&](int64_t value) { return value < least; }))
      return op.emitOpError() << name << " [" << values << "] must be " << count
                              << " integers of at least " << least;
    return success();
  };
  if (failed(check("strides", op.getStrides(), 2, 1)) ||
      failed(check("dilations", op.getDilations(), 2, 1)) ||
      failed(check("padding", op.getPadding(), 4, 0)))
    return failure();
  int64_t groups = op.getGroups(), in = input.getDimSize(3);
  int64_t out = filter.getDimSize(0), perGroup = filter.getDimSize(3);
  if (groups < 1 || in % groups || out % groups || in / groups != perGroup)
    return op.emitOpError()
           << groups << " groups do not divide " << in << " input and " << out
           << " output channels into filters of " << perGroup
           << " input channels";
  return success();
}

/// C4.
static LogicalResult verifyConvResult(Conv2DOp op) {
  ArrayRef<int64_t> input =
      cast<RankedTensorType>(op.getInput().getType()).getShape();
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(op.getFilter().getType()).getShape();
  SmallVector<int64_t> expected = {input[0], 0, 0, filter[0]};
  for (int axis : {0, 1}) {
    // Wide: attributes may hold any 64-bit integer.
    Wide image = Wide(input[1 + axis]) + op.getPadding()[axis] +
                 op.getPadding()[2 + axis];
    Wide kernel = Wide(filter[1 + axis] - 1) * op.getDilations()[axis] + 1;
    if (kernel > image)
      return op.emitOpError()
             << "kernel spans " << toString(kernel)
             << " positions, the padded image has " << toString(image);
    Wide size = (image - kernel) / op.getStrides()[axis] + 1;
    if (size > std::numeric_limits<int64_t>::max())
      return op.emitOpError() << "result would have " << toString(size)
                              << " positions along dimension " << 1 + axis;
    expected[1 + axis] = static_cast<int64_t>(size);
  }
  if (cast<RankedTensorType>(op.getType()).getShape() != ArrayRef(expected))
    return op.emitOpError() << "result " << op.getType() << " must have shape ["
                            << expected << "]";
  return success();
}

LogicalResult Conv2DOp::verify() {
  // C1 to C4
  if (failed(verifyConvOperands(*this)) || failed(verifyConvResult(*this)))
    return failure();
  // C5
  if (failed(verifyPerTensor(*this, getInput().getType(), "input")) ||
      failed(verifyWeights(*this, getFilter().getType(), "filter")))
    return failure();
  // C6
  if (failed(verifyQuantization(*this, getInput().getType(), "input")) ||
      failed(verifyQuantization(*this, getFilter().getType(), "filter")))
    return failure();
  // C7
  if (failed(verifyInitial(*this, getInitial(), *getNumChannels())))
    return failure();
  // C8, C9
  if (failed(verifySchedule(*this, getScheduleAttr(),
                            accumulatorOf(getResult()), *getReductionLength(),
                            *getNumChannels())))
    return failure();
  // C10
  return verifyCodes(*this, getFilter(), "filter");
}

Value Conv2DOp::getActivations() { return getInput(); }
Value Conv2DOp::getWeights() { return getFilter(); }
Value Conv2DOp::getInitialValue() { return getInitial(); }
std::optional<int64_t> Conv2DOp::getReductionLength() {
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(getFilter().getType()).getShape();
  return filter[1] * filter[2] * filter[3];
}
std::optional<int64_t> Conv2DOp::getNumChannels() {
  return cast<RankedTensorType>(getFilter().getType()).getDimSize(0);
}
int64_t Conv2DOp::getNumGroups() { return getGroups(); }
int64_t Conv2DOp::getChannelAxis() { return 3; }
int64_t Conv2DOp::getActivationAxis() { return 3; }
int64_t Conv2DOp::getActivationChannel(int64_t group, int64_t term) {
  int64_t perGroup =
      cast<RankedTensorType>(getFilter().getType()).getDimSize(3);
  return group * perGroup + term % perGroup;
}
FailureOr<SmallVector<int64_t>> Conv2DOp::getWeightCodes() {
  return constantCodes(getFilter());
}
std::optional<int64_t> Conv2DOp::getActivationOffset() { return 0; }
std::optional<int64_t> Conv2DOp::getWeightOffset() { return 0; }
std::optional<int64_t> Conv2DOp::getPaddingCode() {
  if (llvm::all_of(getPadding(), [](int64_t size) { return size == 0; }))
    return std::nullopt;
  return zeroPoint(getQuantizedType(getInput().getType()));
}
Type Conv2DOp::getAccumulatorType() { return accumulatorOf(getResult()); }
ScheduleAttr Conv2DOp::getAccumulatorSchedule() { return getScheduleAttr(); }
FailureOr<Value> Conv2DOp::rebuildWithAccumulator(RewriterBase &rewriter,
                                                  AccumulatorType type,
                                                  ScheduleAttr schedule) {
  return rebuild(*this, rewriter, type, schedule);
}

//===----------------------------------------------------------------------===//
// Requantize, decode
//===----------------------------------------------------------------------===//

/// C2: one element, or one per channel.
static LogicalResult verifyPerChannel(Operation *op, ElementsAttr elements,
                                      StringRef what, int64_t channels) {
  ShapedType type = elements.getShapedType();
  if (type.getRank() != 1 ||
      (type.getDimSize(0) != 1 && type.getDimSize(0) != channels))
    return op->emitOpError() << what << " has type " << type
                             << ", expected 1 or " << channels << " elements";
  return success();
}

/// C2: constants that are written out, so that their values can be read.
static LogicalResult verifyReadable(Operation *op, ElementsAttr elements,
                                    StringRef what) {
  if (!isa<DenseElementsAttr>(elements))
    return op->emitOpError() << what << " must be dense elements, found "
                             << elements.getShapedType() << " of another kind";
  return success();
}

/// C3.
static LogicalResult verifyMultiplier(RequantizeOp op) {
  ElementsAttr multiplier = op.getMultiplierAttr(), shift = op.getShiftAttr();
  if (multiplier.getElementType().isF32() && !shift) {
    for (const APFloat &value : multiplier.getValues<APFloat>())
      if (!value.isFinite() || value.isNegative() || value.isZero())
        return op.emitOpError() << "multipliers must be positive and finite, "
                                   "found "
                                << value.convertToDouble();
    return success();
  }
  if (!multiplier.getElementType().isSignlessInteger(32) || !shift ||
      !shift.getElementType().isSignlessInteger())
    return op.emitOpError()
           << "multipliers must be f32 without shift, or i32 with integer "
              "shifts, found "
           << multiplier.getShapedType();
  for (const APInt &value : multiplier.getValues<APInt>())
    if (!value.isStrictlyPositive())
      return op.emitOpError()
             << "multipliers must be positive, found " << value.getSExtValue();
  for (const APInt &value : shift.getValues<APInt>())
    if (value.isNegative() || value.sgt(62))
      return op.emitOpError()
             << "shifts are from 0 to 62, found " << value.getSExtValue();
  return success();
}

LogicalResult RequantizeOp::verify() {
  // C1
  if (failed(verifySameShape(*this)))
    return failure();
  // C2
  auto type = cast<RankedTensorType>(getType());
  if (type.getRank() == 0)
    return emitOpError() << "result " << type << " has no channel dimension";
  int64_t channels = type.getShape().back();
  for (auto [what, elements] :
       {std::pair<StringRef, ElementsAttr>("multiplier", getMultiplierAttr()),
        {"shift", getShiftAttr()},
        {"bias", getBiasAttr()}})
    if (elements && (failed(verifyReadable(*this, elements, what)) ||
                     failed(verifyPerChannel(*this, elements, what, channels))))
      return failure();
  // C3
  if (failed(verifyMultiplier(*this)))
    return failure();
  // C4
  if (ElementsAttr bias = getBiasAttr())
    if (auto element = dyn_cast<IntegerType>(bias.getElementType());
        !element || !element.isSignless() || element.getWidth() > 64)
      return emitOpError() << "bias has type " << bias.getShapedType()
                           << ", expected signless integers of at most 64 bits";
  // C5
  if (failed(verifyPerTensor(*this, getType(), "result")) ||
      failed(verifyQuantization(*this, getType(), "result")))
    return failure();
  // C6
  if (getRounding() == Rounding::Double && !getShiftAttr())
    return emitOpError(
        "rounds by double, which is of multipliers with a shift");
  return success();
}

LogicalResult DecodeOp::verify() {
  // C1
  if (failed(verifySameShape(*this)))
    return failure();
  // C2
  unsigned width = accumulatorOf(getInput()).getWidth();
  unsigned bits = getElementTypeOrSelf(getType()).getIntOrFloatBitWidth();
  if (bits < width)
    return emitOpError() << "result has " << bits << " bits, the accumulator "
                         << width;
  return success();
}

//===----------------------------------------------------------------------===//
// Mac
//===----------------------------------------------------------------------===//

LogicalResult LookUpOp::verify() {
  auto table = cast<VectorType>(getTable().getType());
  auto indices = cast<VectorType>(getIndices().getType());
  // C1
  if (table.isScalable() ||
      (table.getNumElements() != 16 && table.getNumElements() != 64))
    return emitOpError() << "table " << table << " must have 16 or 64 elements";
  // C2
  if (indices.isScalable())
    return emitOpError() << "indices " << indices
                         << " must have a fixed length";
  return success();
}

LogicalResult MacOp::verify() {
  auto acc = cast<VectorType>(getAcc().getType());
  auto lhs = cast<VectorType>(getLhs().getType());
  auto rhs = cast<VectorType>(getRhs().getType());
  // C1
  if (lhs.getNumElements() != rhs.getNumElements() || acc != getType())
    return emitOpError() << "operands " << lhs << " and " << rhs
                         << " must have one length, and the result the type of "
                            "the accumulator";
  for (VectorType type : {acc, lhs, rhs})
    if (type.isScalable())
      return emitOpError() << "vector " << type << " must have a fixed length";
  // C2
  int64_t lanes = acc.getNumElements();
  int64_t factor = lhs.getNumElements() / lanes;
  if (factor * lanes != lhs.getNumElements() ||
      (factor != 1 && factor != 2 && factor != 4))
    return emitOpError() << "reduction factor of " << lhs << " into " << acc
                         << " must be 1, 2 or 4";
  // C3
  if (acc.getElementTypeBitWidth() < lhs.getElementTypeBitWidth() ||
      acc.getElementTypeBitWidth() < rhs.getElementTypeBitWidth())
    return emitOpError() << "accumulators " << acc
                         << " must be at least as wide as the codes";
  // C4
  if (getPairExact() &&
      (factor != 2 || acc.getElementTypeBitWidth() != 16 ||
       lhs.getElementTypeBitWidth() != 8 || rhs.getElementTypeBitWidth() != 8 ||
       !getLhsRange() || getLhsRange()->size() != 2))
    return emitOpError() << "`pair_exact` needs pairs of i8 codes, i16 "
                            "accumulators and the range of lhs";
  if (!getLhsRange())
    return success();
  int64_t lo = getLhsRange()->front(), hi = getLhsRange()->back();
  if (!getPairExact() || lo > hi || lo < (getLhsUnsigned() ? 0 : -128) ||
      hi > (getLhsUnsigned() ? 255 : 127))
    return emitOpError() << "range [" << lo << ", " << hi << "] of lhs must "
                         << "hold i8 codes and belong to `pair_exact`";
  return success();
}
