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

#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Mode = Importer::QuantRounding;

//===----------------------------------------------------------------------===//
// Rounding
//===----------------------------------------------------------------------===//

/// QONNX's names, in any case. Its half_up and half_down go away from zero and
/// toward zero.
static FailureOr<Mode> roundingMode(const Node &node, StringRef otherwise) {
  StringRef text = node.string("rounding_mode", otherwise);
  auto mode = llvm::StringSwitch<std::optional<Mode>>(text.upper())
                  .Cases({"ROUND", "HALF_EVEN"}, Mode::HalfEven)
                  .Case("CEIL", Mode::Ceil)
                  .Case("FLOOR", Mode::Floor)
                  .Case("UP", Mode::Up)
                  .Case("DOWN", Mode::Down)
                  .Case("HALF_UP", Mode::HalfUp)
                  .Case("HALF_DOWN", Mode::HalfDown)
                  .Default(std::nullopt);
  if (mode)
    return *mode;
  node.emitError() << "rounding_mode '" << text
                   << "' is not known; known are ROUND, HALF_EVEN, CEIL, "
                      "FLOOR, UP, DOWN, HALF_UP and HALF_DOWN";
  return failure();
}

/// In float32, as numpy computes it.
static float rounded(float y, Mode mode) {
  float size = std::fabs(y);
  switch (mode) {
  case Mode::HalfEven:
    return std::nearbyint(y);
  case Mode::Ceil:
    return std::ceil(y);
  case Mode::Floor:
    return std::floor(y);
  case Mode::Up:
    return std::copysign(std::ceil(size), y);
  case Mode::Down:
    return std::trunc(y);
  case Mode::HalfUp:
    return std::copysign(std::floor(size + 0.5f), y);
  case Mode::HalfDown:
    return std::copysign(std::ceil(size - 0.5f), y);
  case Mode::Sign:
    return y >= 0 ? 1.0f : -1.0f;
  }
  llvm_unreachable("a rounding mode");
}

static Value number(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

static Value wholeNumber(ImplicitLocOpBuilder &b, int32_t value) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(value));
}

/// 1 where the comparison holds, else 0.
static Value truth(ImplicitLocOpBuilder &b, arith::CmpFPredicate predicate,
                   Value lhs, Value rhs) {
  Value holds = arith::CmpFOp::create(b, predicate, lhs, rhs);
  return arith::ExtUIOp::create(b, b.getI32Type(), holds);
}

/// An i32 from a float32 of at most 22 bits, without functions of a library.
static Value roundedInteger(ImplicitLocOpBuilder &b, Value y, Mode mode) {
  using arith::CmpFPredicate;
  auto toInteger = [&](Value real) -> Value {
    return arith::FPToSIOp::create(b, b.getI32Type(), real);
  };
  Value zero = number(b, 0.0f);
  if (mode == Mode::Sign) {
    Value holds = arith::CmpFOp::create(b, CmpFPredicate::OGE, y, zero);
    return arith::SelectOp::create(b, holds, wholeNumber(b, 1),
                                   wholeNumber(b, -1));
  }
  if (mode == Mode::HalfEven) {
    // The sum has no bits left for a fraction.
    Value magic = number(b, 0x1.8p23f);
    y = arith::AddFOp::create(b, y, magic);
    return toInteger(arith::SubFOp::create(b, y, magic));
  }
  Value negative = arith::CmpFOp::create(b, CmpFPredicate::OLT, y, zero);
  if (mode == Mode::HalfUp) {
    Value half =
        arith::SelectOp::create(b, negative, number(b, -0.5f), number(b, 0.5f));
    return toInteger(arith::AddFOp::create(b, y, half));
  }
  if (mode == Mode::HalfDown) {
    Value size =
        arith::SelectOp::create(b, negative, arith::NegFOp::create(b, y), y);
    Value less = arith::SubFOp::create(b, size, number(b, 0.5f));
    Value code = toInteger(less);
    Value whole = arith::SIToFPOp::create(b, b.getF32Type(), code);
    code = arith::AddIOp::create(b, code,
                                 truth(b, CmpFPredicate::OLT, whole, less));
    Value opposite = arith::SubIOp::create(b, wholeNumber(b, 0), code);
    return arith::SelectOp::create(b, negative, opposite, code);
  }
  Value code = toInteger(y);
  Value whole = arith::SIToFPOp::create(b, b.getF32Type(), code);
  if (mode == Mode::Floor || mode == Mode::Up)
    code =
        arith::SubIOp::create(b, code, truth(b, CmpFPredicate::OGT, whole, y));
  if (mode == Mode::Ceil || mode == Mode::Up)
    code =
        arith::AddIOp::create(b, code, truth(b, CmpFPredicate::OLT, whole, y));
  return code;
}

/// NaN becomes `lo`.
static Value clampReal(ImplicitLocOpBuilder &b, Value y, a2q::Range range) {
  y = arith::MaxNumFOp::create(b, y, number(b, static_cast<float>(range.lo)));
  return arith::MinNumFOp::create(b, y,
                                  number(b, static_cast<float>(range.hi)));
}

/// Changes no code: it shows the range to those who look at the integers.
static Value clampCode(ImplicitLocOpBuilder &b, Value code,
                       const CodeFormat &format) {
  auto bound = [&](int64_t value) -> Value {
    auto bits = APInt(format.storageBits(), value, true, true);
    return arith::ConstantOp::create(b, b.getIntegerAttr(code.getType(), bits));
  };
  Value lo = bound(format.range.lo), hi = bound(format.range.hi);
  if (format.isSigned()) {
    code = arith::MaxSIOp::create(b, code, lo);
    return arith::MinSIOp::create(b, code, hi);
  }
  code = arith::MaxUIOp::create(b, code, lo);
  return arith::MinUIOp::create(b, code, hi);
}

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

/// The smallest type that holds the range.
static ElementType elementType(a2q::Range range) {
  for (ElementType type : {ElementType::UInt8, ElementType::Int8,
                           ElementType::UInt16, ElementType::Int16}) {
    a2q::Range all = integerFormat(type)->range();
    if (range.lo >= all.lo && range.hi <= all.hi)
      return type;
  }
  return ElementType::Int32;
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
  auto count = static_cast<size_t>(1);
  int64_t axis = 0;
  for (auto [index, size] :
       {std::pair(1u, (*scale)->floats.size()), std::pair(2u, zero->size()),
        std::pair(3u, bits->size())}) {
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
  result.format = {elementType(all), all};
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
        x = arith::DivFOp::create(inner, x, number(inner, scale));
        if (zeroPoint != 0)
          x = arith::AddFOp::create(inner, x, number(inner, zeroPoint));
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
      node, **reals, {elementType(range), range}, quantization, false,
      [&](ImplicitLocOpBuilder &inner, Value x) -> Value {
        x = arith::DivFOp::create(inner, x, number(inner, step));
        x = arith::AddFOp::create(inner, x, number(inner, zeroPoint));
        Value code =
            roundedInteger(inner, clampReal(inner, x, before), Mode::HalfEven);
        x = arith::SIToFPOp::create(inner, inner.getF32Type(), code);
        x = arith::MulFOp::create(
            inner, x, number(inner, 1.0f / static_cast<float>(unit)));
        return roundedInteger(inner, clampReal(inner, x, range), *mode);
      });
}

//===----------------------------------------------------------------------===//
// MultiThreshold
//===----------------------------------------------------------------------===//

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
  CodeFormat format{elementType(range), range};
  if (integerFormat(format.type)->bits > 16)
    return node.emitError() << "its codes are from " << range.lo << " to "
                            << range.hi << ", supported are 16 bits";
  // The type of codes holds their zero point.
  format.range.lo = std::min(format.range.lo, quantization.zeroPoints.front());
  format.range.hi = std::max(format.range.hi, quantization.zeroPoints.front());
  if (format.range != range)
    format.type = elementType(format.range);
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
