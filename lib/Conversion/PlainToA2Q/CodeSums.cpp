//===- CodeSums.cpp - Plain sums of products as sums of codes -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CodeSums.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Bounds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

#include <numeric>

using namespace mlir;
using namespace a2q;

static RankedTensorType tensorOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static a2q::Range rangeOfBits(unsigned bits, bool isUnsigned) {
  if (isUnsigned)
    return {0, static_cast<int64_t>(llvm::maxUIntN(bits))};
  return {llvm::minIntN(bits), llvm::maxIntN(bits)};
}

static bool contains(a2q::Range range, int64_t code) {
  return range.lo <= code && code <= range.hi;
}

//===----------------------------------------------------------------------===//
// What the plain op reads
//===----------------------------------------------------------------------===//

static LogicalResult fail(std::string &reason, const Twine &what) {
  reason = what.str();
  return failure();
}

FailureOr<PlainWeights> PlainWeights::of(AccumulatingOpInterface op,
                                         std::string &reason) {
  FailureOr<SmallVector<int64_t>> codes = op.getWeightCodes();
  std::optional<int64_t> offset = op.getWeightOffset();
  if (failed(codes) || !offset)
    return fail(reason, "its weights are not constant");
  Type element = getElementTypeOrSelf(op.getWeights().getType());
  return of(std::move(*codes), element.getIntOrFloatBitWidth(),
            op.hasUnsignedWeights(), *offset, reason);
}

FailureOr<PlainWeights> PlainWeights::of(SmallVector<int64_t> codes,
                                         unsigned bits, bool isUnsigned,
                                         int64_t offset, std::string &reason) {
  // A wider type says nothing of codes.
  a2q::Range type = rangeOfBits(std::min(bits, 17u), isUnsigned);
  PlainWeights weights;
  weights.range = {type.lo - offset, type.hi - offset};
  // What the type could hold besides need not be stored.
  unsigned storage = 8;
  for (int64_t code : codes)
    if (!contains(rangeOfBits(8, false), code))
      storage = 16;
  a2q::Range fits = rangeOfBits(storage, false);
  for (int64_t code : codes)
    if (!contains(fits, code))
      return fail(reason, "a weight less its zero point is " + Twine(code) +
                              ", codes have at most 16 bits");
  weights.range = {std::max(weights.range.lo, fits.lo),
                   std::min(weights.range.hi, fits.hi)};
  weights.codes = std::move(codes);
  return weights;
}

FailureOr<PlainCodes> PlainCodes::of(Value value, bool isUnsigned,
                                     std::optional<int64_t> zeroPoint,
                                     StringRef what, std::string &reason) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.getElementType().isSignlessInteger())
    return fail(reason, what + " are no tensor of signless integers");
  unsigned bits = type.getElementTypeBitWidth();
  if (bits != 8 && bits != 16)
    return fail(reason, what + " have " + Twine(bits) +
                            " bits, supported are 8 and 16");
  if (!zeroPoint)
    return fail(reason, "the zero point of " + what + " is not constant");
  PlainCodes codes{value, isUnsigned, *zeroPoint};
  if (!contains(codes.range(), *zeroPoint))
    return fail(reason, "the zero point of " + what + ", " + Twine(*zeroPoint) +
                            ", is none of their codes");
  return codes;
}

FailureOr<PlainCodes> PlainCodes::activations(AccumulatingOpInterface op,
                                              std::string &reason) {
  return of(op.getActivations(), op.hasUnsignedActivations(),
            op.getActivationOffset(), "its activations", reason);
}

FailureOr<PlainCodes> PlainCodes::secondOperand(AccumulatingOpInterface op,
                                                std::string &reason) {
  return of(op.getWeights(), op.hasUnsignedWeights(), op.getWeightOffset(),
            "its second operand's elements", reason);
}

a2q::Range PlainCodes::range() const {
  return rangeOfBits(tensorOf(value).getElementTypeBitWidth(), isUnsigned);
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

quant::UniformQuantizedType a2q::getCodeType(MLIRContext *context,
                                             unsigned bits, bool isSigned,
                                             a2q::Range codes,
                                             int64_t zeroPoint) {
  return quant::UniformQuantizedType::get(
      isSigned ? quant::QuantizationFlags::Signed : 0,
      IntegerType::get(context, bits), Float32Type::get(context), 1.0,
      zeroPoint, codes.lo, codes.hi);
}

Value CodeSumBuilder::castToCodes(const PlainCodes &codes) {
  RankedTensorType type = tensorOf(codes.value);
  auto element = getCodeType(b.getContext(), type.getElementTypeBitWidth(),
                             !codes.isUnsigned, codes.range(), codes.zeroPoint);
  return quant::StorageCastOp::create(b, loc, type.clone(element), codes.value);
}

Value CodeSumBuilder::constantWeights(const PlainWeights &weights,
                                      ArrayRef<int64_t> shape) {
  a2q::Range range = weights.range;
  unsigned bits = contains(rangeOfBits(8, false), range.lo) &&
                          contains(rangeOfBits(8, false), range.hi)
                      ? 8
                      : 16;
  auto type = RankedTensorType::get(shape, b.getIntegerType(bits));
  DenseElementsAttr elements;
  if (bits == 8)
    elements = DenseElementsAttr::get(
        type, ArrayRef(llvm::to_vector_of<int8_t>(weights.codes)));
  else
    elements = DenseElementsAttr::get(
        type, ArrayRef(llvm::to_vector_of<int16_t>(weights.codes)));
  Value constant = arith::ConstantOp::create(b, loc, elements);
  return quant::StorageCastOp::create(
      b, loc,
      type.clone(getCodeType(b.getContext(), bits, /*isSigned=*/true, range,
                             /*zeroPoint=*/0)),
      constant);
}

static unsigned signedBits(a2q::Range range) {
  return signedWidth(Interval{range.lo, range.hi});
}

/// Wide enough for the data types; what is needed is proven later.
AccumulatorType CodeSumBuilder::accumulator(int64_t length, a2q::Range weights,
                                            a2q::Range codes) {
  unsigned width = datatypeWidth(length, signedBits(weights), codes);
  return AccumulatorType::get(b.getContext(), std::max(32u, width));
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

CodeSums CodeSumBuilder::finish(Value value, const PlainCodes &codes,
                                const PlainWeights &weights, int64_t channels) {
  CodeSums sums{value, SmallVector<int64_t>(channels, 0)};
  int64_t length = weights.codes.size() / channels;
  for (auto [index, code] : llvm::enumerate(weights.codes))
    sums.bias[index / length] -= codes.zeroPoint * code;
  return sums;
}

CodeSums CodeSumBuilder::convolve(const PlainCodes &image,
                                  const PlainWeights &weights,
                                  ArrayRef<int64_t> filterShape,
                                  const ConvGeometry &geometry,
                                  RankedTensorType resultType) {
  int64_t channels = filterShape.front();
  int64_t length = weights.codes.size() / channels;
  Value filter = constantWeights(weights, filterShape);
  Value codes = castToCodes(image);
  Type type =
      resultType.clone(accumulator(length, weights.range, image.range()));
  Value sums = Conv2DOp::create(
      b, loc, type, codes, filter, /*initial=*/Value(), geometry.strides,
      geometry.dilations, geometry.padding, geometry.groups, ScheduleAttr());
  return finish(sums, image, weights, channels);
}

/// `lhs` with N for K.
static RankedTensorType productType(RankedTensorType lhs, int64_t channels,
                                    Type element) {
  SmallVector<int64_t> shape(lhs.getShape());
  shape.back() = channels;
  return RankedTensorType::get(shape, element);
}

CodeSums CodeSumBuilder::multiply(const PlainCodes &lhs,
                                  const PlainWeights &weights,
                                  int64_t channels) {
  int64_t length = weights.codes.size() / channels;
  Value rhs = constantWeights(weights, {channels, length});
  Value codes = castToCodes(lhs);
  Type type = productType(tensorOf(lhs.value), channels,
                          accumulator(length, weights.range, lhs.range()));
  Value sums = MatmulOp::create(b, loc, type, codes, rhs, /*initial=*/Value(),
                                ScheduleAttr());
  return finish(sums, lhs, weights, channels);
}

//===----------------------------------------------------------------------===//
// Plain integers
//===----------------------------------------------------------------------===//

static Value resize(OpBuilder &b, Location loc, Value value, IntegerType type,
                    bool isUnsigned = false) {
  unsigned from = value.getType().getIntOrFloatBitWidth();
  if (from > type.getWidth())
    return arith::TruncIOp::create(b, loc, type, value);
  if (from == type.getWidth())
    return value;
  if (isUnsigned)
    return arith::ExtUIOp::create(b, loc, type, value);
  return arith::ExtSIOp::create(b, loc, type, value);
}

/// An elementwise op over `inputs`, read by `maps`, in the shape of the first.
static Value
buildElementwise(OpBuilder &b, Location loc, ValueRange inputs,
                 ArrayRef<AffineMap> maps, Type element,
                 function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  int64_t rank = tensorOf(inputs[0]).getRank();
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, inputs[0]), element);
  SmallVector<AffineMap> all(maps);
  all.push_back(b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, empty.getType(), inputs, empty, all, iterators,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
        linalg::YieldOp::create(nested, nestedLoc,
                                body(nested, nestedLoc, args));
      });
  return generic.getResult(0);
}

Value CodeSumBuilder::decode(const CodeSums &sums, IntegerType element) {
  RankedTensorType type = tensorOf(sums.value);
  unsigned width = cast<AccumulatorType>(type.getElementType()).getWidth();
  IntegerType wide =
      b.getIntegerType(std::max(width, element.getWidth()) <= 32 ? 32 : 64);
  Value plain =
      DecodeOp::create(b, loc, type.clone(wide), sums.value).getResult();
  bool hasBias = llvm::any_of(sums.bias, [](int64_t bias) { return bias; });
  if (!hasBias && wide == element)
    return plain;
  SmallVector<Value> inputs{plain};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(type.getRank())};
  if (hasBias) {
    SmallVector<APInt> values;
    for (int64_t bias : sums.bias)
      values.emplace_back(wide.getWidth(), bias, /*isSigned=*/true,
                          /*implicitTrunc=*/true);
    auto shape =
        RankedTensorType::get({static_cast<int64_t>(values.size())}, wide);
    inputs.push_back(arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(shape, values)));
    maps.push_back(AffineMap::get(type.getRank(), 0,
                                  b.getAffineDimExpr(type.getRank() - 1)));
  }
  return buildElementwise(b, loc, inputs, maps, element,
                          [&](OpBuilder &b, Location loc, ValueRange args) {
                            Value sum = args[0];
                            if (hasBias)
                              sum = arith::AddIOp::create(b, loc, sum, args[1]);
                            return resize(b, loc, sum, element);
                          });
}

/// The sum of the codes along the last dimension.
Value CodeSumBuilder::sumOverLast(const PlainCodes &codes,
                                  IntegerType element) {
  RankedTensorType type = tensorOf(codes.value);
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, codes.value);
  sizes.pop_back();
  Value empty = tensor::EmptyOp::create(b, loc, sizes, element);
  Value zero = arith::ConstantOp::create(b, loc, b.getIntegerAttr(element, 0));
  Value init = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  AffineMap all = b.getMultiDimIdentityMap(rank);
  return linalg::GenericOp::create(
             b, loc, init.getType(), codes.value, init,
             ArrayRef<AffineMap>{all, all.dropResult(rank - 1)}, iterators,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value code = resize(b, loc, args[0], element, codes.isUnsigned);
               Value sum = arith::AddIOp::create(b, loc, args[1], code);
               linalg::YieldOp::create(b, loc, sum);
             })
      .getResult(0);
}

/// sum (a - a0) * (b - b0) is what the codes sum to, less b0 times the sum of
/// a's codes and a0 times that of b's, and K * a0 * b0.
Value CodeSumBuilder::multiply(const PlainCodes &lhs, const PlainCodes &rhs,
                               IntegerType element) {
  RankedTensorType lhsType = tensorOf(lhs.value), rhsType = tensorOf(rhs.value);
  int64_t rank = lhsType.getRank(), length = lhsType.getShape().back();
  int64_t channels = rhsType.getShape()[rank - 2];
  Type type = productType(lhsType, channels,
                          accumulator(length, rhs.range(), lhs.range()));
  Value left = castToCodes(lhs), right = castToCodes(rhs);
  Value sums = MatmulOp::create(b, loc, type, left, right,
                                /*initial=*/Value(), ScheduleAttr());
  int64_t constant = length * lhs.zeroPoint * rhs.zeroPoint;
  Value plain =
      decode({sums, SmallVector<int64_t>(channels, constant)}, element);
  if (lhs.zeroPoint == 0 && rhs.zeroPoint == 0)
    return plain;
  SmallVector<Value> inputs{plain};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank)};
  SmallVector<int64_t> factors;
  auto correct = [&](const PlainCodes &codes, int64_t factor, int64_t dropped) {
    if (factor == 0)
      return;
    inputs.push_back(sumOverLast(codes, element));
    maps.push_back(b.getMultiDimIdentityMap(rank).dropResult(dropped));
    factors.push_back(factor);
  };
  correct(lhs, rhs.zeroPoint, rank - 1);
  correct(rhs, lhs.zeroPoint, rank - 2);
  return buildElementwise(
      b, loc, inputs, maps, element,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Value sum = args[0];
        for (auto [codes, factor] : llvm::zip(args.drop_front(), factors)) {
          Value by = arith::ConstantOp::create(
              b, loc, b.getIntegerAttr(element, factor));
          Value product = arith::MulIOp::create(b, loc, codes, by);
          sum = arith::SubIOp::create(b, loc, sum, product);
        }
        return sum;
      });
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

Value CodeSumBuilder::transpose(Value value, ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> same(permutation.size());
  std::iota(same.begin(), same.end(), 0);
  if (permutation == ArrayRef(same))
    return value;
  RankedTensorType type = tensorOf(value);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, value), moved;
  for (int64_t dim : permutation)
    moved.push_back(sizes[dim]);
  Value empty = tensor::EmptyOp::create(b, loc, moved, type.getElementType());
  return linalg::TransposeOp::create(b, loc, value, empty, permutation)
      ->getResult(0);
}

Value CodeSumBuilder::reshape(Value value, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorOf(value);
  if (type.getShape() == shape)
    return value;
  // By way of one dimension, which both forms of reassociation know.
  auto all = [](int64_t rank) {
    ReassociationIndices dims(rank);
    std::iota(dims.begin(), dims.end(), 0);
    return SmallVector<ReassociationIndices>{dims};
  };
  if (type.getRank() != 1)
    value = tensor::CollapseShapeOp::create(
        b, loc, value,
        type.getRank() == 0 ? SmallVector<ReassociationIndices>{}
                            : all(type.getRank()));
  if (shape.size() == 1)
    return value;
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, type.getElementType()), value,
      all(shape.size()));
}
