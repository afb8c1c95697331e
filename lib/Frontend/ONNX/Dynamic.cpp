//===- Dynamic.cpp - Codes whose scale is known when the program runs -----===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DynamicQuantizeLinear finds scale and zero point of each tensor anew. Layers
// do not need them: with z the zero point and any codes x from 0 to 255,
//
//   sum of (x - z) * w  =  sum of x * w  -  z * (sum of w)
//
// whose first sum is an accumulator over codes of zero point 0, bounded by
// [0, 255] and the weights alone, and whose second is a constant per channel
// times z, taken off when the accumulator is done. Padding is z in ONNX, so
// that it adds nothing; codes are padded by z before such a layer.
//
//===----------------------------------------------------------------------===//

#include "Rounding.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Emitter = ImplicitLocOpBuilder;

/// `lhs` where the comparison holds, else `rhs`: NaN on the left gives `rhs`.
static Value chosen(Emitter &b, arith::CmpFPredicate predicate, Value lhs,
                    Value rhs) {
  Value holds = arith::CmpFOp::create(b, predicate, lhs, rhs);
  return arith::SelectOp::create(b, holds, lhs, rhs);
}

static Value larger(Emitter &b, Value lhs, Value rhs) {
  return chosen(b, arith::CmpFPredicate::OGT, lhs, rhs);
}

static Value smaller(Emitter &b, Value lhs, Value rhs) {
  return chosen(b, arith::CmpFPredicate::OLT, lhs, rhs);
}

//===----------------------------------------------------------------------===//
// DynamicQuantizeLinear
//===----------------------------------------------------------------------===//

/// The largest or smallest of all elements and 0.
Value Importer::extreme(Value x, bool isLargest) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rank = type.getRank();
  Value empty =
      tensor::EmptyOp::create(b, ArrayRef<int64_t>(), type.getElementType());
  Value init = linalg::FillOp::create(b, scalar(0.0f), empty).getResult(0);
  AffineMap none = AffineMap::get(rank, 0, b.getContext());
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::reduction);
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{x}, ValueRange{init},
             ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank), none},
             iterators,
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               Emitter inner(loc, builder);
               Value result = isLargest ? larger(inner, in[0], in[1])
                                        : smaller(inner, in[0], in[1]);
               linalg::YieldOp::create(inner, result);
             })
      .getResult(0);
}

/// x to codes, scale and zero point, as the standard and ONNX Runtime compute
/// them in float32: the scale of a tensor of zeros is 1.
LogicalResult Importer::importDynamicQuantizeLinear(const Node &node) {
  FailureOr<Known *> found = real(node, 0);
  if (failed(found))
    return failure();
  Known &input = **found;
  Layout layout = preferred(input);
  Value x = get(input, layout);
  Value most = extreme(x, true), least = extreme(x, false);
  AffineMap one = AffineMap::get(0, 0, b.getContext());
  Value scale = elementwise(
      {most, least}, {one, one}, {}, b.getF32Type(),
      [](Emitter &b, ValueRange in) -> Value {
        Value width = arith::SubFOp::create(b, in[0], in[1]);
        Value step = arith::DivFOp::create(b, width, realNumber(b, 255));
        Value isEmpty =
            arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[0], in[1]);
        return arith::SelectOp::create(b, isEmpty, realNumber(b, 1), step);
      });
  Value zeroPoint = elementwise(
      {least, scale}, {one, one}, {}, b.getI8Type(),
      [](Emitter &b, ValueRange in) -> Value {
        Value zero = arith::DivFOp::create(b, in[0], in[1]);
        zero = arith::SubFOp::create(b, realNumber(b, 0), zero);
        zero =
            smaller(b, larger(b, zero, realNumber(b, 0)), realNumber(b, 255));
        Value integer =
            arith::FPToSIOp::create(b, b.getI32Type(), nearestInteger(b, zero));
        return arith::TruncIOp::create(b, b.getI8Type(), integer);
      });
  auto type = cast<RankedTensorType>(x.getType());
  AffineMap none = AffineMap::get(type.getRank(), 0, b.getContext());
  Value codes = elementwise(
      {x, scale, zeroPoint},
      {b.getMultiDimIdentityMap(type.getRank()), none, none}, type.getShape(),
      b.getI8Type(), [](Emitter &b, ValueRange in) -> Value {
        Value zero = arith::ExtUIOp::create(b, b.getI32Type(), in[2]);
        Value real = arith::SIToFPOp::create(b, b.getF32Type(), zero);
        Value lo = arith::SubFOp::create(b, realNumber(b, 0), real);
        Value hi = arith::SubFOp::create(b, realNumber(b, 255), real);
        Value x = arith::DivFOp::create(b, in[0], in[1]);
        x = nearestInteger(b, smaller(b, larger(b, x, lo), hi));
        Value code = arith::FPToSIOp::create(b, b.getI32Type(), x);
        code = arith::AddIOp::create(b, code, zero);
        return arith::TruncIOp::create(b, b.getI8Type(), code);
      });
  Known result{Known::Codes, input.shape};
  result.format = {ElementType::UInt8, {0, 255}};
  result.layouts.flattenedFrom = input.layouts.flattenedFrom;
  set(result.layouts, layout, codes);
  define(node, std::move(result));
  Known step{Known::Real, {}};
  step.layouts.plain = scale;
  define(node, std::move(step), 1);
  Known zero{Known::Codes, {}};
  zero.format = {ElementType::UInt8, {0, 255}};
  zero.layouts.plain = zeroPoint;
  define(node, std::move(zero), 2);
  return success();
}

//===----------------------------------------------------------------------===//
// What MatMulInteger and ConvInteger become
//===----------------------------------------------------------------------===//

/// A zero point that is computed: one code of the type of `codes`.
FailureOr<Value> Importer::computedZeroPoint(const Node &node, unsigned index,
                                             ElementType type) {
  FailureOr<Known *> found = lookup(node, index);
  if (failed(found))
    return failure();
  Known &known = **found;
  std::optional<int64_t> count = elementCount(known.shape);
  if (known.kind != Known::Codes || known.format.type != type || count != 1) {
    node.emitInputError(index) << "has shape " << shapeText(known.shape)
                               << ", a zero point that is computed must be one "
                               << toString(type) << " code";
    return failure();
  }
  return reshaped(get(known, preferred(known)), {});
}

/// x, zero point, and `pads` around an image: codes around which lies the zero
/// point.
LogicalResult Importer::importPadCodes(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(found))
    return failure();
  Known &input = **found;
  SmallVector<int64_t> pads = node.integers("pads", {});
  size_t rank = input.shape.size();
  if (input.kind != Known::Codes || (rank != 3 && rank != 4) ||
      pads.size() != 2 * (rank - 2) || llvm::any_of(pads, [](int64_t size) {
        return size < 0 || size > (1 << 20);
      }))
    return node.emitInputError(0)
           << "has shape " << shapeText(input.shape) << " and pads ["
           << ArrayRef(pads) << "]; with a zero point that is computed, "
           << "supported are codes of rank 3 and 4 and two sizes for each "
              "dimension of the image, from 0 to 2^20";
  FailureOr<Value> zero = computedZeroPoint(node, 1, input.format.type);
  if (failed(zero))
    return failure();
  if (rank == 3)
    pads = {0, pads[0], 0, pads[1]};
  Known image = asImage(input), result = image;
  result.layouts = Layouts();
  result.shape[2] += pads[0] + pads[2];
  result.shape[3] += pads[1] + pads[3];
  if (failed(checkSize(node, result.shape)))
    return failure();
  Window window;
  window.before = {pads[0], pads[1]};
  window.after = {pads[2], pads[3]};
  Value element = tensor::ExtractOp::create(b, *zero, ValueRange());
  result.layouts.channelsLast =
      padded(storage(get(image, Layout::ChannelsLast)), window, element);
  define(node, fromImage(result, rank));
  return success();
}

/// Codes less a zero point that is computed, as INT16.
LogicalResult Importer::importDifferences(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(found))
    return failure();
  Known &input = **found;
  if (input.kind != Known::Codes || input.format.storageBits() != 8)
    return node.emitInputError(0)
           << "must be computed codes of 8 bits where their zero point is "
              "computed";
  FailureOr<Value> zero = computedZeroPoint(node, 1, input.format.type);
  if (failed(zero))
    return failure();
  Layout layout = preferred(input);
  Value codes = storage(get(input, layout));
  int64_t rank = typeOf(codes).getRank();
  bool isSigned = input.format.isSigned();
  Value value = elementwise(
      {codes, *zero},
      {b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, b.getContext())},
      typeOf(codes).getShape(), b.getI16Type(),
      [&](Emitter &b, ValueRange in) -> Value {
        auto wide = [&](Value code) {
          return isSigned
                     ? Value(arith::ExtSIOp::create(b, b.getI16Type(), code))
                     : Value(arith::ExtUIOp::create(b, b.getI16Type(), code));
        };
        return arith::SubIOp::create(b, wide(in[0]), wide(in[1]));
      });
  a2q::Range zeros = integerFormat(input.format.type)->range();
  Known result = moved(input, input.shape, layout, value);
  result.layouts.flattenedFrom = input.layouts.flattenedFrom;
  result.format = {
      ElementType::Int16,
      {input.format.range.lo - zeros.hi, input.format.range.hi - zeros.lo}};
  define(node, std::move(result));
  return success();
}

/// Sums of codes, their weights, and the codes' zero point where it is
/// computed: the sums as INT32, less the zero point times the sum of the
/// weights of their channel. INT32 wraps, in ONNX too.
LogicalResult Importer::importIntegerSums(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0), weights = lookup(node, 1);
  if (failed(found) || failed(weights))
    return failure();
  if ((*found)->kind != Known::Accumulated)
    return node.emitError() << "multiplies what is no pair of computed codes "
                               "and constant weights of at most 16 bits";
  const Sums &sums = (*found)->sums;
  auto type = cast<RankedTensorType>(sums.value.getType());
  int64_t rank = type.getRank(), channels = type.getDimSize(rank - 1);
  unsigned width = cast<AccumulatorType>(type.getElementType()).getWidth();
  Type decoded = b.getIntegerType(width <= 32 ? 32 : 64);
  SmallVector<Value> operands = {
      DecodeOp::create(b, type.clone(decoded), sums.value)};
  AffineMap channel = AffineMap::get(rank, 0, b.getAffineDimExpr(rank - 1));
  SmallVector<AffineMap> maps = {b.getMultiDimIdentityMap(rank), channel};
  SmallVector<int64_t> wrapped;
  for (int64_t bias : sums.bias)
    wrapped.push_back(static_cast<int32_t>(bias));
  operands.push_back(constantTensor({channels}, wrapped, 32));
  bool isSigned = false;
  if (node.hasInput(2)) {
    if (!(*weights)->isConstant())
      return node.emitInputError(1)
             << "is computed; where a zero point is computed, one side must be "
                "constant or both computed by nodes";
    // Of the activations, whose format is that of the zero point.
    FailureOr<Known *> zero = lookup(node, 2);
    if (failed(zero))
      return failure();
    FailureOr<Value> code = computedZeroPoint(node, 2, (*zero)->format.type);
    if (failed(code))
      return failure();
    isSigned = (*zero)->format.isSigned();
    operands.push_back(*code);
    maps.push_back(AffineMap::get(rank, 0, b.getContext()));
    operands.push_back(
        constantTensor({channels}, weightSums(**weights, channels), 32));
    maps.push_back(channel);
  }
  Known result{Known::Codes, (*found)->shape};
  result.format = {ElementType::Int32,
                   integerFormat(ElementType::Int32)->range()};
  Value value =
      elementwise(operands, maps, type.getShape(), b.getI32Type(),
                  [&](Emitter &b, ValueRange in) -> Value {
                    Type i32 = b.getI32Type();
                    Value sum = in[0];
                    if (decoded != i32)
                      sum = arith::TruncIOp::create(b, i32, sum);
                    sum = arith::AddIOp::create(b, sum, in[1]);
                    if (in.size() == 2)
                      return sum;
                    Value zero =
                        isSigned ? Value(arith::ExtSIOp::create(b, i32, in[2]))
                                 : Value(arith::ExtUIOp::create(b, i32, in[2]));
                    Value less = arith::MulIOp::create(b, zero, in[3]);
                    return arith::SubIOp::create(b, sum, less);
                  });
  set(result.layouts, sums.isImage ? Layout::ChannelsLast : Layout::Plain,
      resultOf(**found, value));
  define(node, std::move(result));
  return success();
}

/// Of dequantized constants: (code - zero point), summed for each channel, the
/// last dimension of a matrix and the first of a filter; wrapped to 32 bits.
SmallVector<int64_t> Importer::weightSums(const Known &weights,
                                          int64_t channels) {
  const Tensor &tensor = *weights.constant;
  const Quantization &quantization = weights.quantization;
  int64_t inner = 1;
  if (tensor.shape.size() > 2)
    inner = tensor.size() / channels;
  SmallVector<int64_t> result(channels, 0);
  for (auto [index, code] : llvm::enumerate(tensor.ints)) {
    int64_t channel = static_cast<int64_t>(index) / inner % channels;
    result[channel] +=
        code -
        quantization.zeroPoints[quantization.isPerTensor() ? 0 : channel];
  }
  for (int64_t &sum : result)
    sum = static_cast<int32_t>(sum);
  return result;
}
