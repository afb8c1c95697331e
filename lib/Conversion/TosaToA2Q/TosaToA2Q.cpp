//===- TosaToA2Q.cpp - TOSA's sums of products as a2q ops -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each op is replaced where it stands, with casts between integers and codes on
// both sides, so that nothing around it has to follow. What TOSA leaves open,
// sums that leave the accumulator, is exact here.
//
//===----------------------------------------------------------------------===//

#include "../PlainToA2Q/CodeSums.h"

#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

namespace a2q {
#define GEN_PASS_DEF_CONVERTTOSATOA2Q
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

static RankedTensorType tensorOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The integers of a constant, none when it is not one.
static std::optional<SmallVector<int64_t>> constantIntegers(Value value) {
  FailureOr<SmallVector<int64_t>> codes = constantCodes(value);
  if (failed(codes))
    return std::nullopt;
  return std::move(*codes);
}

//===----------------------------------------------------------------------===//
// Rescale
//===----------------------------------------------------------------------===//

namespace {
/// A rescale of sums, and the clamp that is its only reader if there is one, as
/// one requantization.
struct Requantization {
  tosa::RescaleOp rescale;
  tosa::ClampOp clamp;
  SmallVector<int64_t> multipliers, shifts;
  int64_t zeroPoint = 0;
  a2q::Range codes;
  bool isUnsigned = false;
  Rounding rounding = Rounding::HalfUp;

  /// Nothing where the rescale is no such thing.
  static std::optional<Requantization> of(tosa::RescaleOp rescale);
  Operation *last() {
    return clamp ? clamp.getOperation() : rescale.getOperation();
  }

private:
  bool readFactors();
  bool readZeroPoints();
  void takeClamp();
};
} // namespace

/// TOSA admits shifts from 2 to 62. A factor of 0 is no requantization.
bool Requantization::readFactors() {
  auto multiplier = constantIntegers(rescale.getMultiplier());
  auto shift = constantIntegers(rescale.getShift());
  if (!multiplier || !shift)
    return false;
  multipliers = std::move(*multiplier);
  shifts = std::move(*shift);
  size_t channels = tensorOf(rescale.getInput()).getShape().back();
  size_t count = rescale.getPerChannel() ? channels : 1;
  return multipliers.size() == count && shifts.size() == count &&
         llvm::all_of(multipliers, [](int64_t m) { return m > 0; }) &&
         llvm::all_of(shifts, [](int64_t s) { return 2 <= s && s <= 62; });
}

bool Requantization::readZeroPoints() {
  auto input = constantIntegers(rescale.getInputZp());
  auto output = constantIntegers(rescale.getOutputZp());
  if (!input || !output || input->size() != 1 || output->size() != 1 ||
      input->front() != 0)
    return false;
  unsigned bits = tensorOf(rescale.getOutput()).getElementTypeBitWidth();
  zeroPoint = output->front();
  if (isUnsigned)
    zeroPoint &= llvm::maskTrailingOnes<uint64_t>(bits);
  return codes.lo <= zeroPoint && zeroPoint <= codes.hi;
}

/// A clamp that leaves the zero point is the range of the codes.
void Requantization::takeClamp() {
  Value output = rescale.getOutput();
  if (!output.hasOneUse())
    return;
  auto reader = dyn_cast<tosa::ClampOp>(*output.user_begin());
  if (!reader || isUnsigned)
    return;
  auto lo = dyn_cast<IntegerAttr>(reader.getMinVal());
  auto hi = dyn_cast<IntegerAttr>(reader.getMaxVal());
  if (!lo || !hi)
    return;
  a2q::Range limits = {std::max(codes.lo, lo.getValue().getSExtValue()),
                       std::min(codes.hi, hi.getValue().getSExtValue())};
  if (limits.lo > zeroPoint || zeroPoint > limits.hi || limits.lo >= limits.hi)
    return;
  codes = limits;
  clamp = reader;
}

std::optional<Requantization> Requantization::of(tosa::RescaleOp rescale) {
  auto type = dyn_cast<RankedTensorType>(rescale.getOutput().getType());
  if (!type || rescale.getInputUnsigned() ||
      !type.getElementType().isSignlessInteger())
    return std::nullopt;
  unsigned bits = type.getElementTypeBitWidth();
  if (bits != 8 && bits != 16)
    return std::nullopt;
  Requantization result;
  result.rescale = rescale;
  result.isUnsigned = rescale.getOutputUnsigned();
  result.codes = {llvm::minIntN(bits), llvm::maxIntN(bits)};
  if (result.isUnsigned)
    result.codes = {0, static_cast<int64_t>(llvm::maxUIntN(bits))};
  // Any rounding is right where TOSA asks for an inexact one.
  if (rescale.getRoundingMode() == tosa::RoundingMode::DOUBLE_ROUND)
    result.rounding = Rounding::Double;
  if (!rescale.getScale32() && result.rounding == Rounding::Double)
    return std::nullopt;
  if (!result.readFactors() || !result.readZeroPoints())
    return std::nullopt;
  result.takeClamp();
  return result;
}

static DenseElementsAttr vectorOf(Builder &b, ArrayRef<int64_t> values,
                                  unsigned bits) {
  SmallVector<APInt> elements;
  for (int64_t value : values)
    elements.emplace_back(bits, value, /*isSigned=*/true);
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    b.getIntegerType(bits));
  return DenseElementsAttr::get(type, elements);
}

/// The list as often as the channels of the sums hold it.
static SmallVector<int64_t> repeat(ArrayRef<int64_t> list, size_t channels) {
  if (list.size() == 1)
    return SmallVector<int64_t>(list);
  SmallVector<int64_t> all;
  while (all.size() < channels)
    all.append(list.begin(), list.end());
  return all;
}

static Value requantize(OpBuilder &b, Requantization &how,
                        const CodeSums &sums) {
  Location loc = how.rescale.getLoc();
  bool fits32 = llvm::all_of(
      sums.bias, [](int64_t bias) { return llvm::isInt<32>(bias); });
  Type storage = tensorOf(how.rescale.getOutput()).getElementType();
  auto element = getCodeType(b.getContext(), storage.getIntOrFloatBitWidth(),
                             !how.isUnsigned, how.codes, how.zeroPoint);
  RankedTensorType type = tensorOf(sums.value);
  size_t channels = sums.bias.size();
  Value codes = RequantizeOp::create(
      b, loc, type.clone(element), sums.value,
      vectorOf(b, repeat(how.multipliers, channels), 32),
      vectorOf(b, repeat(how.shifts, channels), 8),
      vectorOf(b, sums.bias, fits32 ? 32 : 64), how.rounding);
  return quant::StorageCastOp::create(b, loc, type.clone(storage), codes);
}

/// Gives everything that reads the sums what it reads: codes to a rescale,
/// plain integers to all else. `arrange` brings values into the op's layout.
static void replaceSums(RewriterBase &rewriter, CodeSumBuilder &builder,
                        Operation *op, const CodeSums &sums,
                        function_ref<Value(Value)> arrange) {
  SmallVector<Requantization> fused;
  for (Operation *user : op->getUsers())
    if (auto rescale = dyn_cast<tosa::RescaleOp>(user);
        rescale && rescale.getInput() == op->getResult(0))
      if (auto how = Requantization::of(rescale))
        fused.push_back(std::move(*how));
  for (Requantization &how : fused) {
    rewriter.replaceOp(how.last(), arrange(requantize(rewriter, how, sums)));
    if (how.clamp)
      rewriter.eraseOp(how.rescale);
  }
  if (op->use_empty())
    return rewriter.eraseOp(op);
  auto element = cast<IntegerType>(getElementTypeOrSelf(op->getResult(0)));
  rewriter.replaceOp(op, arrange(builder.decode(sums, element)));
}

static void replaceSums(RewriterBase &rewriter, CodeSumBuilder &builder,
                        Operation *op, const CodeSums &sums) {
  replaceSums(rewriter, builder, op, sums, [](Value value) { return value; });
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

static LogicalResult refuse(std::string &reason, const Twine &what) {
  reason = what.str();
  return failure();
}

/// Adds the bias of a convolution, one value for all channels or each its own.
static LogicalResult addBias(Value bias, CodeSums &sums, std::string &reason) {
  auto values = constantIntegers(bias);
  if (!values || (values->size() != 1 && values->size() != sums.bias.size()))
    return refuse(reason, "its bias is not constant");
  for (auto [channel, sum] : llvm::enumerate(sums.bias))
    if (llvm::AddOverflow(sum, (*values)[values->size() == 1 ? 0 : channel],
                          sum))
      return refuse(reason, "its bias leaves 64 bits");
  return success();
}

/// Rows and columns of an image.
static bool hasStaticImage(RankedTensorType type) {
  return type.getRank() == 4 && !type.isDynamicDim(1) &&
         !type.isDynamicDim(2) && !type.isDynamicDim(3) &&
         llvm::all_of(type.getShape().drop_front(),
                      [](int64_t size) { return size > 0; });
}

template <typename OpTy>
static LogicalResult convertConv(RewriterBase &rewriter, OpTy op,
                                 ArrayRef<int64_t> filterShape, int64_t groups,
                                 std::string &reason) {
  auto layer = cast<AccumulatingOpInterface>(op.getOperation());
  FailureOr<PlainCodes> image = PlainCodes::activations(layer, reason);
  if (failed(image))
    return failure();
  if (!hasStaticImage(tensorOf(op.getInput())) ||
      !hasStaticImage(tensorOf(op.getOutput())))
    return refuse(reason, "the size of its images is not static");
  FailureOr<PlainWeights> weights = PlainWeights::of(layer, reason);
  if (failed(weights))
    return failure();
  CodeSums bias{Value(), SmallVector<int64_t>(filterShape.front(), 0)};
  if (failed(addBias(op.getBias(), bias, reason)))
    return failure();
  ConvGeometry geometry;
  geometry.strides.assign(op.getStride().begin(), op.getStride().end());
  geometry.dilations.assign(op.getDilation().begin(), op.getDilation().end());
  ArrayRef<int64_t> pad = op.getPad(); // top, bottom, left, right
  geometry.padding = {pad[0], pad[2], pad[1], pad[3]};
  geometry.groups = groups;
  CodeSumBuilder builder(rewriter, op.getLoc());
  CodeSums sums = builder.convolve(*image, *weights, filterShape, geometry,
                                   tensorOf(op.getOutput()));
  for (auto [sum, extra] : llvm::zip_equal(sums.bias, bias.bias))
    sum += extra;
  replaceSums(rewriter, builder, op, sums);
  return success();
}

/// [batch, M, K] x [batch, K, N].
static LogicalResult convertMatmul(RewriterBase &rewriter, tosa::MatMulOp op,
                                   std::string &reason) {
  auto layer = cast<AccumulatingOpInterface>(op.getOperation());
  FailureOr<PlainCodes> lhs = PlainCodes::activations(layer, reason);
  if (failed(lhs))
    return failure();
  CodeSumBuilder builder(rewriter, op.getLoc());
  RankedTensorType rhsType = tensorOf(op.getB());
  if (rhsType.getShape()[0] == 1 && hasConstantCodes(op.getB())) {
    FailureOr<PlainWeights> weights = PlainWeights::of(layer, reason);
    if (failed(weights))
      return failure();
    replaceSums(rewriter, builder, op,
                builder.multiply(*lhs, *weights, rhsType.getShape()[2]));
    return success();
  }
  FailureOr<PlainCodes> rhs = PlainCodes::secondOperand(layer, reason);
  if (failed(rhs))
    return failure();
  if (!rhsType.hasStaticShape() || !tensorOf(op.getA()).hasStaticShape())
    return refuse(reason, "its shape is not static");
  rhs->value = builder.transpose(rhs->value, {0, 2, 1});
  auto element = cast<IntegerType>(getElementTypeOrSelf(op.getOutput()));
  rewriter.replaceOp(op, builder.multiply(*lhs, *rhs, element));
  return success();
}

//===----------------------------------------------------------------------===//
// Transposed convolutions
//===----------------------------------------------------------------------===//

namespace {
/// One dimension of a transposed convolution as that of a convolution, each of
/// whose positions gives `stride` results in a row, its phases:
///
///   out[before + i * stride + a] += x[i] * w[a]
///
/// With u = out - before = q * stride + r the sum for phase r at position q is
/// over t of x[q - t] * w[r + t * stride].
struct Phases {
  int64_t stride, size;
  int64_t taps;           ///< of one phase; weights beyond the kernel are 0
  int64_t positions;      ///< of the convolution
  int64_t low, high;      ///< padding, or less than 0 to crop
  int64_t offset, result; ///< the part of the rows of phases that is wanted

  Phases(int64_t image, int64_t kernel, int64_t stride, int64_t before,
         int64_t result)
      : stride(stride), size(image), result(result) {
    taps = llvm::divideCeilSigned(kernel, stride);
    int64_t first = llvm::divideFloorSigned(-before, stride);
    int64_t last = llvm::divideFloorSigned(result - 1 - before, stride);
    positions = last - first + 1;
    low = taps - 1 - first;
    high = positions + taps - 1 - image - low;
    offset = -before - first * stride;
  }
  int64_t crop(int64_t padding) const { return std::max<int64_t>(-padding, 0); }
  int64_t cropped() const { return size - crop(low) - crop(high); }
  int64_t pad(int64_t padding) const { return std::max<int64_t>(padding, 0); }
};
} // namespace

static Value slice(OpBuilder &b, Location loc, Value value,
                   ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes) {
  if (tensorOf(value).getShape() == sizes)
    return value;
  SmallVector<int64_t> steps(sizes.size(), 1);
  auto attrs = [&](ArrayRef<int64_t> values) {
    return llvm::map_to_vector(values, [&](int64_t number) -> OpFoldResult {
      return b.getIndexAttr(number);
    });
  };
  return tensor::ExtractSliceOp::create(b, loc, value, attrs(offsets),
                                        attrs(sizes), attrs(steps));
}

/// The filters of all phases, [row phase, column phase, out][taps of the rows,
/// of the columns, in], the last tap first.
static SmallVector<int64_t> phaseFilters(ArrayRef<int64_t> codes,
                                         ArrayRef<int64_t> shape,
                                         const Phases &rows,
                                         const Phases &columns) {
  int64_t outputs = shape[0], kh = shape[1], kw = shape[2], inputs = shape[3];
  SmallVector<int64_t> filters;
  for (int64_t phase = 0; phase < rows.stride * columns.stride; ++phase)
    for (int64_t out = 0; out < outputs; ++out)
      for (int64_t tap = 0; tap < rows.taps * columns.taps; ++tap) {
        int64_t y = phase / columns.stride +
                    (rows.taps - 1 - tap / columns.taps) * rows.stride;
        int64_t x = phase % columns.stride +
                    (columns.taps - 1 - tap % columns.taps) * columns.stride;
        for (int64_t in = 0; in < inputs; ++in)
          filters.push_back(y < kh && x < kw
                                ? codes[((out * kh + y) * kw + x) * inputs + in]
                                : 0);
      }
  return filters;
}

static LogicalResult convertTransposed(RewriterBase &rewriter,
                                       tosa::TransposeConv2DOp op,
                                       std::string &reason) {
  rewriter.setInsertionPoint(op);
  auto inputZero = constantIntegers(op.getInputZp());
  auto weightZero = constantIntegers(op.getWeightZp());
  auto codes = constantIntegers(op.getWeight());
  if (!codes || !weightZero || weightZero->size() != 1)
    return refuse(reason, "its weights are not constant");
  FailureOr<PlainCodes> image = PlainCodes::of(
      op.getInput(), /*isUnsigned=*/false,
      inputZero && inputZero->size() == 1 ? std::optional(inputZero->front())
                                          : std::nullopt,
      "its activations", reason);
  if (failed(image))
    return failure();
  RankedTensorType inputType = tensorOf(op.getInput());
  RankedTensorType outputType = tensorOf(op.getOutput());
  if (!hasStaticImage(inputType) || !hasStaticImage(outputType) ||
      !inputType.hasStaticShape())
    return refuse(reason, "its shape is not static");
  for (int64_t &code : *codes)
    code -= weightZero->front();
  ArrayRef<int64_t> shape = tensorOf(op.getWeight()).getShape();
  ArrayRef<int64_t> out = outputType.getShape();
  Phases rows(inputType.getDimSize(1), shape[1], op.getStride()[0],
              op.getOutPad()[0], out[1]);
  Phases columns(inputType.getDimSize(2), shape[2], op.getStride()[1],
                 op.getOutPad()[2], out[2]);
  if (rows.cropped() <= 0 || columns.cropped() <= 0)
    return refuse(reason, "its result reads nothing of the image");
  unsigned bits = tensorOf(op.getWeight()).getElementTypeBitWidth();
  FailureOr<PlainWeights> weights =
      PlainWeights::of(phaseFilters(*codes, shape, rows, columns), bits,
                       /*isUnsigned=*/false, weightZero->front(), reason);
  if (failed(weights))
    return failure();
  int64_t phases = rows.stride * columns.stride;
  CodeSums bias{Value(), SmallVector<int64_t>(shape[0], 0)};
  if (failed(addBias(op.getBias(), bias, reason)))
    return failure();

  Location loc = op.getLoc();
  CodeSumBuilder builder(rewriter, loc);
  image->value = slice(
      rewriter, loc, image->value,
      {0, rows.crop(rows.low), columns.crop(columns.low), 0},
      {inputType.getDimSize(0), rows.cropped(), columns.cropped(), shape[3]});
  ConvGeometry geometry;
  geometry.padding = {rows.pad(rows.low), columns.pad(columns.low),
                      rows.pad(rows.high), columns.pad(columns.high)};
  auto sumsType = RankedTensorType::get(
      {out[0], rows.positions, columns.positions, phases * shape[0]},
      outputType.getElementType());
  CodeSums sums = builder.convolve(
      *image, *weights, {phases * shape[0], rows.taps, columns.taps, shape[3]},
      geometry, sumsType);
  for (auto [channel, sum] : llvm::enumerate(sums.bias))
    sum += bias.bias[channel % shape[0]];
  replaceSums(rewriter, builder, op, sums, [&](Value value) {
    value = builder.reshape(value, {out[0], rows.positions, columns.positions,
                                    rows.stride, columns.stride, shape[0]});
    value = builder.transpose(value, {0, 1, 3, 2, 4, 5});
    value =
        builder.reshape(value, {out[0], rows.positions * rows.stride,
                                columns.positions * columns.stride, shape[0]});
    return slice(rewriter, loc, value, {0, rows.offset, columns.offset, 0},
                 out);
  });
  return success();
}

static LogicalResult convert(RewriterBase &rewriter, Operation *op,
                             std::string &reason) {
  rewriter.setInsertionPoint(op);
  if (auto conv = dyn_cast<tosa::TransposeConv2DOp>(op))
    return convertTransposed(rewriter, conv, reason);
  if (auto layer = cast<AccumulatingOpInterface>(op);
      !layer.getReductionLength())
    return refuse(reason, "its reduction length is not known");
  if (auto conv = dyn_cast<tosa::Conv2DOp>(op))
    return convertConv(rewriter, conv, tensorOf(conv.getWeight()).getShape(),
                       /*groups=*/1, reason);
  if (auto conv = dyn_cast<tosa::DepthwiseConv2DOp>(op)) {
    ArrayRef<int64_t> shape = tensorOf(conv.getWeight()).getShape();
    return convertConv(rewriter, conv,
                       {shape[2] * shape[3], shape[0], shape[1], 1}, shape[2],
                       reason);
  }
  return convertMatmul(rewriter, cast<tosa::MatMulOp>(op), reason);
}

//===----------------------------------------------------------------------===//
// Before that
//===----------------------------------------------------------------------===//

/// Constants in the shape in which layers read them.
static void foldReshapedConstants(Operation *root) {
  IRRewriter rewriter(root->getContext());
  root->walk([&](tosa::ReshapeOp op) {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    ElementsAttr elements;
    if (!type || !type.hasStaticShape() || !type.getElementType().isInteger() ||
        !matchPattern(op.getInput1(), m_Constant(&elements)))
      return;
    ElementsAttr reshaped;
    if (auto dense = dyn_cast<DenseElementsAttr>(elements))
      reshaped = dense.reshape(type);
    else if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements))
      reshaped = DenseResourceElementsAttr::get(type, resource.getRawHandle());
    else
      return;
    rewriter.setInsertionPoint(op);
    rewriter.replaceOpWithNewOp<tosa::ConstOp>(op, type, reshaped);
  });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct ConvertTosaToA2Q : a2q::impl::ConvertTosaToA2QBase<ConvertTosaToA2Q> {
  void runOnOperation() override {
    foldReshapedConstants(getOperation());
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      auto sums = dyn_cast<AccumulatingOpInterface>(op);
      bool isTransposed = isa<tosa::TransposeConv2DOp>(op) &&
                          getElementTypeOrSelf(op->getResult(0)).isInteger();
      if (isTransposed ||
          (isa<tosa::TosaOp>(op) && sums && sums.isAccumulating()))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (Operation *op : ops) {
      std::string reason;
      if (failed(convert(rewriter, op, reason)))
        op->emitRemark() << "stays as it is: " << reason;
    }
  }
};
} // namespace
