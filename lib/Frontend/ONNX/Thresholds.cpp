//===- Thresholds.cpp - FINN's quantizer ----------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rounding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// The dimension of the channels; without a layout, what the rank suggests.
static FailureOr<int64_t> thresholdChannels(const Node &node, int64_t rank) {
  static constexpr llvm::StringLiteral layouts[] = {"", "C", "NC", "NWC",
                                                    "NCHW"};
  StringRef layout = node.string("data_layout", "");
  if (layout.empty() && rank < 5)
    layout = layouts[rank];
  size_t at = layout.find('C');
  auto dim = at == StringRef::npos ? 1 : static_cast<int64_t>(at);
  if (dim < rank)
    return dim;
  node.emitError() << "data_layout '" << layout
                   << "' does not fit an input of rank " << rank;
  return failure();
}

/// FINN's type of the results says nothing that the thresholds do not, unless
/// it is an integer that there is not.
static LogicalResult checkDatatype(const Node &node) {
  StringRef type = node.string("out_dtype", ""), digits = type;
  digits.consume_front("U");
  unsigned bits = 0;
  if (!digits.consume_front("INT") ||
      (!digits.getAsInteger(10, bits) && bits >= 1 && bits <= 32))
    return success();
  return node.emitError() << "out_dtype '" << type
                          << "' is not supported, only integers of 1 to 32 "
                             "bits";
}

/// out_bias plus out_scale for each threshold that x reaches: [C, T] or [1, T].
/// Where scale and bias are integers these are the codes, else their count.
LogicalResult Importer::importMultiThreshold(const Node &node) {
  FailureOr<Known *> found = real(node, 0);
  auto thresholds = realParameter(node, 1, "thresholds");
  if (failed(found) || failed(thresholds))
    return failure();
  Known &input = **found;
  auto rank = static_cast<int64_t>(input.shape.size());
  FailureOr<int64_t> channel = thresholdChannels(node, rank);
  if (failed(channel))
    return failure();
  ArrayRef<int64_t> sizes = (*thresholds)->shape;
  if (sizes.size() != 2 || (sizes[0] != 1 && sizes[0] != input.shape[*channel]))
    return node.emitInputError(1)
           << "has shape " << shapeText(sizes) << ", expected thresholds for 1 "
           << "or " << input.shape[*channel] << " channels";
  if (failed(checkDatatype(node)))
    return failure();
  float scale = node.real("out_scale", 1), bias = node.real("out_bias", 0);
  auto isInteger = [](float value) {
    return value == std::nearbyint(value) && std::fabs(value) < 32768;
  };
  Quantization quantization;
  quantization.scales = {1};
  quantization.zeroPoints = {0};
  int64_t start = 0, step = 1;
  if (isInteger(scale) && isInteger(bias)) {
    start = static_cast<int64_t>(bias);
    step = static_cast<int64_t>(scale);
  } else {
    quantization.scales = {scale};
    quantization.zeroPoints = {std::lround(-bias / scale)};
  }
  if (!std::isnormal(scale) || scale < 0 || !std::isfinite(bias) ||
      !(std::fabs(bias / scale) < 32768) ||
      (step == 1 && !isInteger(bias / scale)))
    return node.emitError()
           << "out_scale " << scale << " and out_bias " << bias
           << " give no codes: the bias must be a multiple of the scale";
  a2q::Range range{start, start + step * sizes[1]};
  CodeFormat format{smallestType(range), range};
  if (integerFormat(format.type)->bits > 16)
    return node.emitError() << "its codes are from " << range.lo << " to "
                            << range.hi << ", supported are 16 bits";
  // The type of codes holds their zero point.
  format.range.lo = std::min(format.range.lo, quantization.zeroPoints.front());
  format.range.hi = std::max(format.range.hi, quantization.zeroPoints.front());
  if (format.range != range)
    format.type = smallestType(format.range);
  if (failed(codeType(node, format, quantization)))
    return failure();
  Layout layout = preferred(input) == Layout::ChannelsLast
                      ? Layout::ChannelsLast
                      : Layout::Plain;
  int64_t dim = dimensionIn(layout, *channel, input.shape.size());
  Known result{Known::Dequantized, input.shape};
  result.format = format;
  result.quantization = quantization;
  Value codes = countThresholds(get(input, layout), **thresholds, dim, start,
                                step, format.storageBits());
  codes = elementwise(codes, b.getIntegerType(format.storageBits()),
                      [&](ImplicitLocOpBuilder &inner, ValueRange in) {
                        return clampCode(inner, in[0], format);
                      });
  set(result.layouts, layout, codes);
  define(node, std::move(result));
  return success();
}

/// start + step * (how many thresholds each element reaches).
Value Importer::countThresholds(Value x, const Tensor &thresholds, int64_t dim,
                                int64_t start, int64_t step, unsigned bits) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rank = type.getRank();
  Type integer = b.getIntegerType(bits);
  Value empty = tensor::EmptyOp::create(b, type.getShape(), integer);
  Value init =
      linalg::FillOp::create(b, scalar(start, bits), empty).getResult(0);
  Value steps = constantTensor(thresholds.shape, ArrayRef(thresholds.floats));
  Value one = scalar(step, bits);
  SmallVector<AffineExpr> elements;
  for (int64_t i = 0; i < rank; ++i)
    elements.push_back(b.getAffineDimExpr(i));
  AffineExpr row = thresholds.shape[0] == 1 ? b.getAffineConstantExpr(0)
                                            : b.getAffineDimExpr(dim);
  AffineMap element = AffineMap::get(rank + 1, 0, elements, b.getContext());
  AffineMap threshold = AffineMap::get(
      rank + 1, 0, {row, b.getAffineDimExpr(rank)}, b.getContext());
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{x, steps},
             ValueRange{init}, ArrayRef<AffineMap>{element, threshold, element},
             iterators,
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               ImplicitLocOpBuilder inner(loc, builder);
               Value reaches = arith::CmpFOp::create(
                   inner, arith::CmpFPredicate::OGE, in[0], in[1]);
               Value next = arith::AddIOp::create(inner, in[2], one);
               Value sum = arith::SelectOp::create(inner, reaches, next, in[2]);
               linalg::YieldOp::create(inner, sum);
             })
      .getResult(0);
}
