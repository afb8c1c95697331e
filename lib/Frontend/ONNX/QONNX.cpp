//===- QONNX.cpp - Quantizers of QONNX, Brevitas and FINN -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A Quant node takes real numbers and gives real numbers that are multiples of
// a scale. It divides, adds the zero point, clamps and rounds, in this order
// and in float32:
//
//   code = round(max(lo, min(hi, x / scale + zero_point)))
//   y = (code - zero_point) * scale
//
// ONNX's QuantizeLinear rounds before it adds the zero point. The two agree
// where the zero point is 0, for rounding to even, and differ on ties
// elsewhere: x / scale = 0.5 with zero point 1 is code 2 here and 1 there. So
// only the former becomes QuantizeLinear's arithmetic, and all else is emitted
// as written. What such a node defines is codes with their quantization, as if
// a DequantizeLinear followed.
//
//===----------------------------------------------------------------------===//

#include "Rounding.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Mode = QuantRounding;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

FailureOr<std::shared_ptr<const Tensor>>
Importer::realParameter(const Node &node, unsigned index, StringRef what) {
  auto found = constantInput(node, index, what);
  if (failed(found))
    return failure();
  const Tensor &tensor = **found;
  if (!tensor.isFloat() || tensor.floats.empty()) {
    node.emitInputError(index)
        << "has type " << toString(tensor.type) << " and shape "
        << shapeText(tensor.shape) << ", expected real numbers: the " << what;
    return failure();
  }
  for (auto [at, value] : llvm::enumerate(tensor.floats))
    if (!std::isfinite(value)) {
      node.emitInputError(index) << "holds " << value << " at index " << at;
      return failure();
    }
  return *found;
}

/// The same, of integers in float32.
FailureOr<SmallVector<int64_t>>
Importer::integerParameter(const Node &node, unsigned index, StringRef what) {
  auto found = realParameter(node, index, what);
  if (failed(found))
    return failure();
  SmallVector<int64_t> result;
  for (float value : (*found)->floats) {
    if (value != std::nearbyint(value) || std::fabs(value) > 0x1p24f) {
      node.emitInputError(index)
          << "holds " << value << ", the " << what << " must be an integer";
      return failure();
    }
    result.push_back(static_cast<int64_t>(value));
  }
  return result;
}

/// The dimension of `shape` along which a tensor that is broadcast to it
/// varies.
static FailureOr<int64_t> variesAlong(const Node &node, unsigned index,
                                      const Tensor &tensor,
                                      ArrayRef<int64_t> shape) {
  int64_t rank = tensor.shape.size(), of = shape.size(), axis = -1;
  auto count = static_cast<int64_t>(tensor.floats.size());
  if (count == 1)
    return 0;
  for (auto [dim, size] : llvm::enumerate(tensor.shape))
    if (size == count)
      axis = static_cast<int64_t>(dim) + of - rank;
  if (axis >= 0 && rank <= of && shape[axis] == count)
    return axis;
  node.emitInputError(index) << "has shape " << shapeText(tensor.shape)
                             << ", expected one number or one for each index "
                                "of one dimension of "
                             << shapeText(shape);
  return failure();
}

static a2q::Range codeRange(int64_t bits, bool isSigned, bool isNarrow) {
  if (isSigned)
    return {llvm::minIntN(bits) + isNarrow, llvm::maxIntN(bits)};
  return {0, static_cast<int64_t>(llvm::maxUIntN(bits)) - isNarrow};
}

//===----------------------------------------------------------------------===//
// Quant
//===----------------------------------------------------------------------===//

/// What a Quant node says; lists have one entry or one per channel.
struct Importer::QuantNode {
  Quantization quantization;
  SmallVector<a2q::Range> ranges;
  Mode mode = Mode::HalfEven;
  CodeFormat format; ///< of all channels

  a2q::Range range(size_t channel) const {
    return ranges[ranges.size() == 1 ? 0 : channel];
  }
  bool isPerTensor() const {
    return quantization.isPerTensor() && ranges.size() == 1;
  }
  /// Whether QuantizeLinear does the same.
  bool isLinear() const {
    return mode == Mode::HalfEven &&
           llvm::all_of(quantization.zeroPoints,
                        [](int64_t zero) { return zero == 0; });
  }
};

/// The dimension along which the parameters vary, inputs from 1 on of those
/// sizes, and how many values there are.
FailureOr<std::pair<int64_t, size_t>>
Importer::channelsOf(const Node &node, ArrayRef<int64_t> shape,
                     ArrayRef<size_t> sizes) {
  size_t count = 1;
  int64_t axis = 0;
  for (auto [at, size] : llvm::enumerate(sizes)) {
    unsigned index = at + 1;
    if (size != 1 && count != 1 && size != count) {
      node.emitInputError(index)
          << "has " << size << " values, another parameter has " << count;
      return failure();
    }
    if (size == 1)
      continue;
    auto own = variesAlong(node, index,
                           **realParameter(node, index, "parameter"), shape);
    if (failed(own))
      return failure();
    if (count != 1 && *own != axis) {
      node.emitInputError(index)
          << "varies along dimension " << *own << ", another parameter along "
          << axis << "; all must vary along the same one";
      return failure();
    }
    count = size;
    axis = *own;
  }
  return std::pair(axis, count);
}

/// x, scale, zero point, bit width; `signed`, `narrow`, `rounding_mode`.
FailureOr<Importer::QuantNode> Importer::quantNode(const Node &node,
                                                   ArrayRef<int64_t> shape) {
  auto scale = realParameter(node, 1, "scale");
  auto zero = integerParameter(node, 2, "zero point");
  auto bits = integerParameter(node, 3, "bit width");
  FailureOr<Mode> mode = roundingMode(node, "ROUND");
  if (failed(scale) || failed(zero) || failed(bits) || failed(mode))
    return failure();
  for (float value : (*scale)->floats)
    if (!std::isnormal(value) || value < 0) {
      node.emitInputError(1) << "has scale " << value
                             << ", scales are positive, normal and finite";
      return failure();
    }
  QuantNode result;
  result.mode = *mode;
  auto along = channelsOf(
      node, shape, {(*scale)->floats.size(), zero->size(), bits->size()});
  if (failed(along))
    return failure();
  auto [axis, count] = *along;
  bool isSigned = node.integer("signed", 1) != 0;
  bool isNarrow = node.integer("narrow", 0) != 0;
  Quantization &quantization = result.quantization;
  quantization.axis = axis;
  a2q::Range all{0, 0};
  for (size_t channel = 0; channel < count; ++channel) {
    auto of = [&](const auto &values) {
      return values[values.size() == 1 ? 0 : channel];
    };
    int64_t width = of(*bits);
    if (width < 1 || width > 32 || (width > 16 && !isSigned)) {
      node.emitInputError(3)
          << "is " << width
          << ", supported are bit widths from 1 to 16, and to 32 for constants "
             "that are signed";
      return failure();
    }
    quantization.scales.push_back(of((*scale)->floats));
    quantization.zeroPoints.push_back(of(*zero));
    a2q::Range range = codeRange(width, isSigned, isNarrow);
    if (width == 1 && isSigned) {
      range = {-1, 1};
      result.mode = Mode::Sign;
    }
    if (channel == 0)
      all = range;
    all = {std::min(all.lo, range.lo), std::max(all.hi, range.hi)};
    result.ranges.push_back(range);
  }
  bool sameRanges = llvm::all_of(result.ranges, [&](a2q::Range range) {
    return range == result.ranges.front();
  });
  if (sameRanges)
    result.ranges.resize(1);
  if (result.mode == Mode::Sign && !sameRanges) {
    node.emitInputError(3)
        << "is 1 in some channels only, which is not supported";
    return failure();
  }
  result.format = {smallestType(all), all};
  return result;
}

LogicalResult Importer::importQuant(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  FailureOr<QuantNode> quant = quantNode(node, (*input)->shape);
  if (failed(quant))
    return failure();
  const Known &known = **input;
  if (known.isRealConstant())
    return quantConstant(node, known, *quant);
  if (!quant->isPerTensor())
    return node.emitInputError(1)
           << "has one scale per channel, activations need one per tensor";
  if (integerFormat(quant->format.type)->bits > 16)
    return node.emitInputError(3) << "is more than 16 for what is no constant";
  if (failed(codeType(node, quant->format, quant->quantization)))
    return failure();
  if (quant->isLinear() && known.kind == Known::Accumulated) {
    FailureOr<bool> done =
        requantize(node, **input, quant->format, quant->quantization);
    if (failed(done))
      return failure();
    if (*done) {
      Known &codes = *values[node.output()];
      codes.kind = Known::Dequantized;
      codes.quantization = quant->quantization;
      return success();
    }
  }
  FailureOr<Known *> reals = real(node, 0);
  if (failed(reals))
    return failure();
  float scale = quant->quantization.scales.front();
  auto zeroPoint = static_cast<float>(quant->quantization.zeroPoints.front());
  a2q::Range range = quant->format.range;
  return defineCodes(
      node, **reals, quant->format, quant->quantization, quant->isLinear(),
      [&](ImplicitLocOpBuilder &inner, Value x) -> Value {
        x = arith::DivFOp::create(inner, x, realNumber(inner, scale));
        if (zeroPoint != 0)
          x = arith::AddFOp::create(inner, x, realNumber(inner, zeroPoint));
        return roundedInteger(inner, clampReal(inner, x, range), quant->mode);
      });
}

/// Codes of real numbers, with their quantization. `isLinear`: those of
/// QuantizeLinear; else `body` computes an i32 from a float32.
LogicalResult Importer::defineCodes(
    const Node &node, Known &reals, const CodeFormat &format,
    const Quantization &quantization, bool isLinear,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, Value)> body) {
  FailureOr<quant::QuantizedType> type = codeType(node, format, quantization);
  if (failed(type))
    return failure();
  Known result{Known::Dequantized, reals.shape};
  result.format = format;
  result.quantization = quantization;
  Layout layout = preferred(reals);
  Value value = get(reals, layout);
  result.layouts.flattenedFrom = reals.layouts.flattenedFrom;
  if (isLinear) {
    auto codes = cast<RankedTensorType>(value.getType()).clone(*type);
    value = QuantizeOp::create(b, codes, value);
  } else {
    Type storage = b.getIntegerType(format.storageBits());
    value =
        elementwise(value, storage,
                    [&](ImplicitLocOpBuilder &inner, ValueRange in) -> Value {
                      Value code = arith::TruncIOp::create(inner, storage,
                                                           body(inner, in[0]));
                      return clampCode(inner, code, format);
                    });
  }
  set(result.layouts, layout, value);
  define(node, std::move(result));
  return success();
}

LogicalResult Importer::quantConstant(const Node &node, const Known &known,
                                      const QuantNode &quant) {
  const Quantization &quantization = quant.quantization;
  Tensor codes;
  codes.type = quant.format.type;
  codes.shape = known.shape;
  int64_t inner = 1;
  for (size_t dim = quantization.axis + 1; dim < known.shape.size(); ++dim)
    inner *= known.shape[dim];
  std::vector<float> reals = constantReals(known);
  for (auto [index, value] : llvm::enumerate(reals)) {
    if (std::isnan(value))
      return node.emitInputError(0) << "holds NaN at index " << index;
    size_t channel = quantization.isPerTensor()
                         ? 0
                         : index / inner % quantization.scales.size();
    a2q::Range range = quant.range(channel);
    float y = value / quantization.scales[channel];
    y += static_cast<float>(quantization.zeroPoints[channel]);
    y = std::clamp(y, static_cast<float>(range.lo),
                   static_cast<float>(range.hi));
    // float32 has no 2^31 - 1.
    auto code = static_cast<int64_t>(rounded(y, quant.mode));
    codes.ints.push_back(std::clamp(code, range.lo, range.hi));
  }
  Known result = constantOf(std::move(codes));
  result.kind = Known::Dequantized;
  result.format = quant.format;
  result.quantization = quantization;
  define(node, std::move(result));
  return success();
}

/// x, scale: +scale from 0 on, else -scale.
LogicalResult Importer::importBipolarQuant(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  auto scale = realParameter(node, 1, "scale");
  if (failed(scale))
    return failure();
  for (float value : (*scale)->floats)
    if (!std::isnormal(value) || value < 0)
      return node.emitInputError(1)
             << "has scale " << value
             << ", scales are positive, normal and finite";
  auto axis = variesAlong(node, 1, **scale, (*input)->shape);
  if (failed(axis))
    return failure();
  QuantNode quant;
  quant.mode = Mode::Sign;
  quant.quantization.scales.assign((*scale)->floats.begin(),
                                   (*scale)->floats.end());
  quant.quantization.zeroPoints.assign(quant.quantization.scales.size(), 0);
  quant.quantization.axis = *axis;
  quant.ranges = {{-1, 1}};
  quant.format = {ElementType::Int8, {-1, 1}};
  const Known &known = **input;
  if (known.isRealConstant())
    return quantConstant(node, known, quant);
  if (!quant.isPerTensor())
    return node.emitInputError(1)
           << "has one scale per channel, activations need one per tensor";
  FailureOr<Known *> reals = real(node, 0);
  if (failed(reals))
    return failure();
  return defineCodes(node, **reals, quant.format, quant.quantization, false,
                     [&](ImplicitLocOpBuilder &inner, Value x) {
                       return roundedInteger(inner, x, Mode::Sign);
                     });
}

//===----------------------------------------------------------------------===//
// Trunc
//===----------------------------------------------------------------------===//

/// Drops low bits of codes. Version 1: x, scale, zero point, input bits, output
/// bits; the result keeps scale and zero point. Version 2 has the output scale
/// before the output bits, divides the zero point too, and clamps.
LogicalResult Importer::importTrunc(const Node &node) {
  bool isOld = !node.hasInput(5);
  FailureOr<Known *> reals = real(node, 0);
  auto scale = realParameter(node, 1, "scale");
  auto zero = integerParameter(node, 2, "zero point");
  auto inputBits = integerParameter(node, 3, "input bit width");
  auto bits = integerParameter(node, isOld ? 4 : 5, "output bit width");
  FailureOr<Mode> mode = roundingMode(node, "FLOOR");
  if (failed(reals) || failed(scale) || failed(zero) || failed(inputBits) ||
      failed(bits) || failed(mode))
    return failure();
  if ((*scale)->floats.size() != 1 || zero->size() != 1 ||
      inputBits->size() != 1 || bits->size() != 1)
    return node.emitError() << "has parameters per channel, supported is one "
                               "of each for the whole tensor";
  float step = (*scale)->floats.front(), outputStep = step;
  int64_t shift = inputBits->front() - bits->front();
  if (!isOld) {
    auto output = realParameter(node, 4, "output scale");
    if (failed(output))
      return failure();
    if ((*output)->floats.size() != 1)
      return node.emitError() << "has parameters per channel, supported is one "
                                 "of each for the whole tensor";
    outputStep = (*output)->floats.front();
    double ratio = std::log2(double(outputStep) / double(step));
    shift = std::isfinite(ratio) ? std::lround(ratio) : -1;
  }
  if (!std::isnormal(step) || step < 0 || !std::isnormal(outputStep) ||
      outputStep < 0)
    return node.emitInputError(1) << "has scale " << step
                                  << ", scales are positive, normal and finite";
  if (inputBits->front() > 20 || bits->front() < 1 || bits->front() > 15 ||
      shift < 0 || shift > 20)
    return node.emitError() << "takes " << inputBits->front() << " bits to "
                            << bits->front() << " and drops " << shift
                            << "; supported are at most 20, 15, and 0 to 20";
  // Version 1 does not say whether its codes are signed: they are either.
  bool isNarrow = node.integer("narrow", 0) != 0;
  a2q::Range range = codeRange(bits->front(), node.integer("signed", 1) != 0,
                               !isOld && isNarrow);
  if (isOld)
    range = {llvm::minIntN(bits->front()),
             static_cast<int64_t>(llvm::maxUIntN(bits->front()))};
  Quantization quantization;
  quantization.scales = {outputStep};
  int64_t divisor = isOld ? 1 : int64_t(1) << shift;
  if (zero->front() % divisor)
    return node.emitInputError(2)
           << "is " << zero->front() << ", no multiple of " << divisor;
  quantization.zeroPoints = {zero->front() / divisor};
  auto zeroPoint = static_cast<float>(zero->front());
  int64_t unit = int64_t(1) << shift;
  // Beyond, all codes clamp to the same.
  a2q::Range before{(range.lo - 1) * unit, (range.hi + 1) * unit};
  return defineCodes(
      node, **reals, {smallestType(range), range}, quantization, false,
      [&](ImplicitLocOpBuilder &inner, Value x) -> Value {
        x = arith::DivFOp::create(inner, x, realNumber(inner, step));
        x = arith::AddFOp::create(inner, x, realNumber(inner, zeroPoint));
        Value code =
            roundedInteger(inner, clampReal(inner, x, before), Mode::HalfEven);
        x = arith::SIToFPOp::create(inner, inner.getF32Type(), code);
        x = arith::MulFOp::create(
            inner, x, realNumber(inner, 1.0f / static_cast<float>(unit)));
        return roundedInteger(inner, clampReal(inner, x, range), *mode);
      });
}
