//===- Quantization.cpp - QuantizeLinear, DequantizeLinear, and clamping -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

int64_t frontend::quantizeReal(float x, float scale, int64_t zeroPoint,
                               a2q::Range range) {
  double code = std::isnan(x) ? 0.0 : std::nearbyint(x / scale);
  code += static_cast<double>(zeroPoint);
  return static_cast<int64_t>(std::clamp(code, static_cast<double>(range.lo),
                                         static_cast<double>(range.hi)));
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// Scales and zero points of a QuantizeLinear or DequantizeLinear of `value`,
/// whose codes have the given type.
FailureOr<Quantization> Importer::quantizationOf(const Node &node,
                                                 ElementType type,
                                                 const Known &value) {
  if (node.integer("block_size", 0) != 0) {
    node.emitError() << "block_size " << node.integer("block_size", 0)
                     << " is not supported, only one scale per tensor or axis";
    return failure();
  }
  if (int64_t precision = node.integer("precision", 0); precision > 1) {
    node.emitError() << "precision "
                     << toString(static_cast<ElementType>(precision))
                     << " is not supported, only FLOAT";
    return failure();
  }
  auto scale = constantInput(node, 1, "scale");
  if (failed(scale))
    return failure();
  if (!(*scale)->isFloat() || (*scale)->shape.size() > 1) {
    node.emitInputError(1) << "has type " << toString((*scale)->type)
                           << " and shape " << shapeText((*scale)->shape)
                           << ", a scale is a FLOAT scalar or vector";
    return failure();
  }
  Quantization result;
  result.scales.assign((*scale)->floats.begin(), (*scale)->floats.end());
  for (auto [index, value] : llvm::enumerate(result.scales))
    if (!std::isnormal(value) || value < 0) {
      node.emitInputError(1) << "has scale " << value << " at index " << index
                             << ", scales are positive, normal and finite";
      return failure();
    }
  result.zeroPoints.assign(result.scales.size(), 0);
  if (node.hasInput(2)) {
    auto zeroPoint = constantInput(node, 2, "zero point");
    if (failed(zeroPoint))
      return failure();
    if ((*zeroPoint)->type != type || (*zeroPoint)->shape.size() > 1 ||
        (*zeroPoint)->size() != (*scale)->size()) {
      node.emitInputError(2)
          << "has type " << toString((*zeroPoint)->type) << " and shape "
          << shapeText((*zeroPoint)->shape) << ", expected " << toString(type)
          << " and the shape of the scale, " << shapeText((*scale)->shape);
      return failure();
    }
    result.zeroPoints.assign((*zeroPoint)->ints.begin(),
                             (*zeroPoint)->ints.end());
    if (type == ElementType::Int32 &&
        llvm::any_of(result.zeroPoints, [](int64_t zero) { return zero; })) {
      node.emitInputError(2)
          << "is not 0; INT32 values have zero point 0 in ONNX";
      return failure();
    }
  }
  int64_t rank = value.shape.size();
  result.axis = node.integer("axis", 1);
  if (result.axis < 0)
    result.axis += rank;
  if (result.isPerTensor())
    return result;
  if (result.axis < 0 || result.axis >= rank ||
      value.shape[result.axis] != static_cast<int64_t>(result.scales.size())) {
    node.emitInputError(1) << "has " << result.scales.size()
                           << " scales along axis " << node.integer("axis", 1)
                           << " of a tensor of shape "
                           << shapeText(value.shape);
    return failure();
  }
  return result;
}

FailureOr<quant::QuantizedType>
Importer::codeType(const Node &node, const CodeFormat &format,
                   const Quantization &quantization) {
  int64_t zeroPoint = quantization.zeroPoints.front();
  if (zeroPoint < format.range.lo || zeroPoint > format.range.hi) {
    node.emitError() << "zero point " << zeroPoint
                     << " is outside the range of the codes, ["
                     << format.range.lo << ", " << format.range.hi << "]";
    return failure();
  }
  if (format.range.lo == format.range.hi) {
    node.emitError() << "the codes can only be " << format.range.lo;
    return failure();
  }
  unsigned flags = format.isSigned() ? quant::QuantizationFlags::Signed : 0;
  auto type = quant::UniformQuantizedType::getChecked(
      [&] { return node.emitError(); }, flags,
      b.getIntegerType(format.storageBits()), b.getF32Type(),
      quantization.scales.front(), zeroPoint, format.range.lo, format.range.hi);
  if (!type)
    return failure();
  return quant::QuantizedType(type);
}

Value Importer::codes(Known &known, Layout layout, Type type) {
  return quantized(get(known, layout), type);
}

//===----------------------------------------------------------------------===//
// QuantizeLinear, DequantizeLinear
//===----------------------------------------------------------------------===//

/// The type of the codes: that of the zero point, or the attribute, or UINT8.
static FailureOr<ElementType> quantizedElementType(const Node &node,
                                                   const Tensor *zeroPoint) {
  int64_t attribute = node.integer("output_dtype", 0);
  auto type = zeroPoint   ? zeroPoint->type
              : attribute ? static_cast<ElementType>(attribute)
                          : ElementType::UInt8;
  auto format = integerFormat(type);
  if (!format || format->bits > 16) {
    node.emitError() << "quantizes to " << toString(type)
                     << "; supported are integers of at most 16 bits";
    return failure();
  }
  if (attribute && static_cast<ElementType>(attribute) != type) {
    node.emitError() << "output_dtype "
                     << toString(static_cast<ElementType>(attribute))
                     << " is not the type of the zero point, "
                     << toString(type);
    return failure();
  }
  return type;
}

LogicalResult Importer::importQuantizeLinear(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  std::shared_ptr<const Tensor> zeroPoint;
  if (failed(input))
    return failure();
  if (node.hasInput(2)) {
    auto tensor = constantInput(node, 2, "zero point");
    if (failed(tensor))
      return failure();
    zeroPoint = *tensor;
  }
  FailureOr<ElementType> type = quantizedElementType(node, zeroPoint.get());
  if (failed(type))
    return failure();
  FailureOr<Quantization> quantization = quantizationOf(node, *type, **input);
  CodeFormat format{*type, integerFormat(*type)->range()};
  if (failed(quantization) || failed(narrowByClips(node, format)))
    return failure();
  if ((*input)->kind == Known::Constant && (*input)->constant->isFloat())
    return quantizeConstant(node, *(*input)->constant, format, *quantization);
  if (!quantization->isPerTensor())
    return node.emitInputError(1)
           << "has one scale per channel, activations need one per tensor";
  if ((*input)->kind == Known::Accumulated) {
    FailureOr<bool> done = requantize(node, **input, format, *quantization);
    if (failed(done) || *done)
      return success(succeeded(done));
  }
  FailureOr<Known *> reals = real(node, 0);
  FailureOr<quant::QuantizedType> codes = codeType(node, format, *quantization);
  if (failed(reals) || failed(codes))
    return failure();
  Known result{Known::Codes, (*reals)->shape};
  result.format = format;
  Layout layout = preferred(**reals);
  Value value = get(**reals, layout);
  auto resultType = cast<RankedTensorType>(value.getType()).clone(*codes);
  result.layouts.flattenedFrom = (*reals)->layouts.flattenedFrom;
  set(result.layouts, layout, QuantizeOp::create(b, resultType, value));
  define(node, std::move(result));
  return success();
}

LogicalResult Importer::quantizeConstant(const Node &node, const Tensor &tensor,
                                         const CodeFormat &format,
                                         const Quantization &quantization) {
  Tensor codes;
  codes.type = format.type;
  codes.shape = tensor.shape;
  int64_t inner = 1;
  for (size_t dim = quantization.axis + 1; dim < tensor.shape.size(); ++dim)
    inner *= tensor.shape[dim];
  for (auto [index, value] : llvm::enumerate(tensor.floats)) {
    if (std::isnan(value))
      return node.emitInputError(0) << "holds NaN at index " << index;
    size_t channel = quantization.isPerTensor()
                         ? 0
                         : index / inner % quantization.scales.size();
    codes.ints.push_back(quantizeReal(value, quantization.scales[channel],
                                      quantization.zeroPoints[channel],
                                      format.range));
  }
  Known known = constantOf(std::move(codes));
  known.format = format;
  define(node, std::move(known));
  return success();
}

/// A sequence loses the one row that it has as an image, a product of matrices
/// the one batch.
Value Importer::resultOf(const Known &known, Value value) {
  if (known.sums.phases)
    value = interleaved(value, *known.sums.phases);
  if (!known.sums.isImage) {
    bool isSame = typeOf(value).getShape() == ArrayRef<int64_t>(known.shape);
    return isSame ? value : reshaped(value, known.shape);
  }
  if (known.shape.size() == 4)
    return value;
  return reshaped(value, physicalShape(known.shape, Layout::ChannelsLast));
}

/// An accumulating layer's sums become codes in one step, as runtimes compute
/// it: float32(s_x * s_w) / s_y is one float32 multiplier per channel. A Relu
/// between them bounds the codes, because rounding is monotone: clamping a real
/// number at 0 before rounding is clamping the code at the zero point.
/// False when the sums have real parts that the op cannot express.
FailureOr<bool> Importer::requantize(const Node &node, Known &input,
                                     CodeFormat format,
                                     const Quantization &quantization) {
  const Sums &sums = input.sums;
  if (!sums.realBias.empty())
    return false;
  float scale = quantization.scales.front();
  int64_t zeroPoint = quantization.zeroPoints.front();
  a2q::Range range = format.range;
  if (sums.lo)
    range.lo = quantizeReal(*sums.lo, scale, zeroPoint, format.range);
  if (sums.hi)
    range.hi = quantizeReal(*sums.hi, scale, zeroPoint, format.range);
  bool holdsZeroPoint = zeroPoint >= range.lo && zeroPoint <= range.hi;
  if (holdsZeroPoint && range.lo < range.hi)
    format.range = range;
  else if (range != format.range)
    return false;
  FailureOr<quant::QuantizedType> type = codeType(node, format, quantization);
  if (failed(type))
    return failure();
  SmallVector<float> multipliers;
  for (auto [channel, sumScale] : llvm::enumerate(sums.scales)) {
    multipliers.push_back(sumScale / scale);
    if (!std::isnormal(multipliers.back())) {
      node.emitError() << "channel " << channel << " would be multiplied by "
                       << sumScale << " / " << scale << " = "
                       << multipliers.back()
                       << ", which must be normal and finite";
      return failure();
    }
  }
  auto vector = [&](size_t size, Type element) {
    return RankedTensorType::get({static_cast<int64_t>(size)}, element);
  };
  ElementsAttr bias;
  if (llvm::any_of(sums.bias, [](int64_t value) { return value != 0; })) {
    bool narrow = llvm::all_of(sums.bias, llvm::isInt<32>);
    Type element = b.getIntegerType(narrow ? 32 : 64);
    SmallVector<APInt> values;
    for (int64_t value : sums.bias)
      values.emplace_back(narrow ? 32 : 64, static_cast<uint64_t>(value), true,
                          true);
    bias = DenseElementsAttr::get(vector(values.size(), element), values);
  }
  auto multiplier = DenseElementsAttr::get(
      vector(multipliers.size(), b.getF32Type()), ArrayRef(multipliers));
  auto resultType = cast<RankedTensorType>(sums.value.getType()).clone(*type);
  Value codes = RequantizeOp::create(b, resultType, sums.value, multiplier,
                                     ElementsAttr(), bias);
  Known result{Known::Codes, input.shape};
  result.format = format;
  set(result.layouts, sums.isImage ? Layout::ChannelsLast : Layout::Plain,
      resultOf(input, codes));
  define(node, std::move(result));
  return true;
}

LogicalResult Importer::importDequantizeLinear(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  Known &codes = **input;
  bool isConstant = codes.kind == Known::Constant && !codes.constant->isFloat();
  if (!isConstant && codes.kind != Known::Codes)
    return node.emitInputError(0) << "holds real numbers, expected integers";
  if (int64_t type = node.integer("output_dtype", 1); type > 1)
    return node.emitError()
           << "output_dtype " << toString(static_cast<ElementType>(type))
           << " is not supported, only FLOAT";
  if (isConstant && node.integer("block_size", 0) != 0)
    return dequantizeBlocks(node, codes);
  FailureOr<Quantization> quantization =
      quantizationOf(node, codes.format.type, codes);
  if (failed(quantization))
    return failure();
  if (!isConstant) {
    if (!quantization->isPerTensor())
      return node.emitInputError(1)
             << "has one scale per channel, activations need one per tensor";
    if (failed(codeType(node, codes.format, *quantization)))
      return failure();
  }
  Known result = codes;
  result.kind = Known::Dequantized;
  result.quantization = std::move(*quantization);
  result.real = nullptr;
  define(node, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Clamping
//===----------------------------------------------------------------------===//

/// The bounds of a Clip of integers; the type's own where one is absent.
FailureOr<a2q::Range> Importer::integerBounds(const Node &node,
                                              ElementType type) {
  a2q::Range range = integerFormat(type)->range();
  for (unsigned index : {1, 2}) {
    if (!node.hasInput(index))
      continue;
    auto bound = constantInput(node, index, "bound");
    if (failed(bound))
      return failure();
    if ((*bound)->type != type || !(*bound)->isScalar()) {
      node.emitInputError(index)
          << "has type " << toString((*bound)->type) << " and shape "
          << shapeText((*bound)->shape) << ", expected a scalar of type "
          << toString(type);
      return failure();
    }
    (index == 1 ? range.lo : range.hi) = (*bound)->ints.front();
  }
  if (range.lo > range.hi) {
    node.emitError() << "the range [" << range.lo << ", " << range.hi
                     << "] is empty";
    return failure();
  }
  return range;
}

static std::optional<a2q::Range> intersect(a2q::Range a, a2q::Range b) {
  a2q::Range range{std::max(a.lo, b.lo), std::min(a.hi, b.hi)};
  if (range.lo > range.hi)
    return std::nullopt;
  return range;
}

LogicalResult Importer::narrowByClips(const Node &node, CodeFormat &format) {
  StringRef value = node.output();
  while (const Node *clip = graph.onlyConsumer(value)) {
    bool known = llvm::all_of(ArrayRef<unsigned>{1, 2}, [&](unsigned index) {
      StringRef bound = clip->input(index);
      return bound.empty() || graph.initializer(bound) || values.count(bound);
    });
    if (clip->op->name != "Clip" || clip->input(0) != value || !known)
      break;
    FailureOr<a2q::Range> bounds = integerBounds(*clip, format.type);
    if (failed(bounds))
      return failure();
    std::optional<a2q::Range> range = intersect(format.range, *bounds);
    if (!range)
      return success();
    format.range = *range;
    value = clip->output();
  }
  return success();
}

LogicalResult Importer::importClip(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(found))
    return failure();
  Known &input = **found;
  bool isConstant = input.kind == Known::Constant && !input.constant->isFloat();
  if (!isConstant && input.kind != Known::Codes) {
    std::optional<float> bounds[2];
    for (unsigned index : {1, 2}) {
      if (!node.hasInput(index))
        continue;
      auto bound = constantInput(node, index, "bound");
      if (failed(bound))
        return failure();
      if (!(*bound)->isFloat() || !(*bound)->isScalar() ||
          std::isnan((*bound)->floats.front()))
        return node.emitInputError(index) << "must be a FLOAT scalar, not NaN";
      bounds[index - 1] = (*bound)->floats.front();
    }
    // Where the least is above the most, all becomes the most.
    if (bounds[0] && bounds[1])
      bounds[0] = std::min(*bounds[0], *bounds[1]);
    return clipReals(node, input, bounds[0], bounds[1]);
  }
  FailureOr<a2q::Range> bounds = integerBounds(node, input.format.type);
  if (failed(bounds))
    return failure();
  if (!isConstant)
    return clipCodes(node, input, *bounds);
  for (auto [index, code] : llvm::enumerate(input.constant->ints))
    if (code < bounds->lo || code > bounds->hi)
      return node.emitInputError(0)
             << "holds " << code << " at index " << index
             << ", outside the range [" << bounds->lo << ", " << bounds->hi
             << "] that the node declares";
  Known result = input;
  if (auto range = intersect(input.format.range, *bounds))
    result.format.range = *range;
  define(node, std::move(result));
  return success();
}

/// A real clamp, because whoever runs the program may feed any code.
LogicalResult Importer::clipCodes(const Node &node, Known &input,
                                  a2q::Range bounds) {
  std::optional<a2q::Range> range = intersect(input.format.range, bounds);
  if (!range)
    return node.emitError()
           << "the codes are from " << input.format.range.lo << " to "
           << input.format.range.hi << ", none of them in [" << bounds.lo
           << ", " << bounds.hi << "]";
  Known result = input;
  result.real = nullptr;
  if (*range != input.format.range) {
    bool isSigned = input.format.isSigned();
    Layout layout = preferred(input);
    Value value = storage(get(input, layout));
    unsigned bits = input.format.storageBits();
    Value lo, hi;
    if (range->lo > input.format.range.lo)
      lo = scalar(range->lo, bits);
    if (range->hi < input.format.range.hi)
      hi = scalar(range->hi, bits);
    Value clamped = elementwise(
        value, b.getIntegerType(bits),
        [&](ImplicitLocOpBuilder &builder, ValueRange in) -> Value {
          Value code = in[0];
          if (lo)
            code = isSigned ? Value(arith::MaxSIOp::create(builder, code, lo))
                            : Value(arith::MaxUIOp::create(builder, code, lo));
          if (hi)
            code = isSigned ? Value(arith::MinSIOp::create(builder, code, hi))
                            : Value(arith::MinUIOp::create(builder, code, hi));
          return code;
        });
    result.layouts = Layouts();
    result.layouts.flattenedFrom = input.layouts.flattenedFrom;
    set(result.layouts, layout, clamped);
    result.format.range = *range;
  }
  define(node, std::move(result));
  return success();
}

LogicalResult Importer::importRelu(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  Known &known = **input;
  // On codes of positive scale, max(x, 0) is max(code, zero point).
  if (known.kind == Known::Dequantized && !known.isConstant() &&
      known.quantization.zeroPoints.front() < known.format.range.hi)
    return clipCodes(
        node, known,
        {known.quantization.zeroPoints.front(), known.format.range.hi});
  if (known.kind == Known::Codes && known.format.type != ElementType::Bool &&
      known.format.range.hi >= 0)
    return clipCodes(node, known, {0, known.format.range.hi});
  return clipReals(node, known, 0.0f, std::nullopt);
}

LogicalResult Importer::clipReals(const Node &node, Known &input,
                                  std::optional<float> lo,
                                  std::optional<float> hi) {
  if (input.kind == Known::Accumulated) {
    Known result = input;
    result.real = nullptr;
    auto clamped = [&](float value) {
      value = lo ? std::max(value, *lo) : value;
      return hi ? std::min(value, *hi) : value;
    };
    Sums &sums = result.sums;
    sums.lo = sums.lo ? clamped(*sums.lo) : lo;
    sums.hi = sums.hi ? clamped(*sums.hi) : hi;
    define(node, std::move(result));
    return success();
  }
  return defineElementwise(node, [&](Value x) { return clamped(x, lo, hi); });
}

//===----------------------------------------------------------------------===//
// Real numbers
//===----------------------------------------------------------------------===//

FailureOr<Known *> Importer::real(const Node &node, unsigned index) {
  FailureOr<Known *> found = lookup(node, index);
  if (failed(found))
    return failure();
  Known &known = **found;
  bool isInteger =
      known.kind == Known::Codes ||
      (known.kind == Known::Constant && !known.constant->isFloat());
  if (isInteger) {
    node.emitInputError(index)
        << "holds integers, expected real numbers (a DequantizeLinear)";
    return failure();
  }
  return emitReal(known);
}

/// Real numbers of a constant: (code - zero point) * scale, in float32.
std::vector<float> Importer::constantReals(const Known &known) {
  const Tensor &tensor = *known.constant;
  if (tensor.isFloat())
    return tensor.floats;
  const Quantization &quantization = known.quantization;
  int64_t inner = 1;
  for (size_t dim = quantization.axis + 1; dim < tensor.shape.size(); ++dim)
    inner *= tensor.shape[dim];
  std::vector<float> reals;
  for (auto [index, code] : llvm::enumerate(tensor.ints)) {
    size_t channel = quantization.isPerTensor()
                         ? 0
                         : index / inner % quantization.scales.size();
    reals.push_back(
        static_cast<float>(code - quantization.zeroPoints[channel]) *
        quantization.scales[channel]);
  }
  return reals;
}

Known *Importer::emitReal(Known &known) {
  if (known.kind == Known::Real)
    return &known;
  if (known.real)
    return known.real.get();
  Location before = b.getLoc();
  if (known.loc)
    b.setLoc(known.loc);
  auto reals = std::make_shared<Known>(Known{Known::Real, known.shape});
  if (known.isConstant()) {
    reals->layouts.plain = realConstant(known.shape, constantReals(known));
  } else if (known.kind == Known::Accumulated) {
    set(reals->layouts,
        known.sums.isImage ? Layout::ChannelsLast : Layout::Plain,
        resultOf(known, emitSums(known.sums)));
  } else {
    // The type was checked when the codes were dequantized.
    unsigned flags =
        known.format.isSigned() ? quant::QuantizationFlags::Signed : 0;
    Type type = quant::UniformQuantizedType::get(
        flags, b.getIntegerType(known.format.storageBits()), b.getF32Type(),
        known.quantization.scales.front(),
        known.quantization.zeroPoints.front(), known.format.range.lo,
        known.format.range.hi);
    Layout layout = preferred(known);
    Value value = codes(known, layout, type);
    reals->layouts.flattenedFrom = known.layouts.flattenedFrom;
    auto resultType =
        cast<RankedTensorType>(value.getType()).clone(b.getF32Type());
    set(reals->layouts, layout, DequantizeOp::create(b, resultType, value));
  }
  b.setLoc(before);
  known.real = reals;
  return reals.get();
}

/// max(lo, min(hi, float32(sum + bias) * scale + realBias)).
Value Importer::emitSums(const Sums &sums) {
  auto type = cast<RankedTensorType>(sums.value.getType());
  unsigned width = cast<AccumulatorType>(type.getElementType()).getWidth();
  Wide most = Wide(1) << (sums.width - 1);
  for (int64_t bias : sums.bias)
    most = std::max(most, (Wide(1) << (sums.width - 1)) + std::abs(bias));
  unsigned bits = width <= 32 && most <= INT32_MAX ? 32 : 64;
  Type integer = b.getIntegerType(bits);
  Value decoded = DecodeOp::create(b, type.clone(integer), sums.value);

  int64_t rank = type.getRank();
  AffineMap all = b.getMultiDimIdentityMap(rank);
  AffineMap channel = AffineMap::get(rank, 0, b.getAffineDimExpr(rank - 1));
  SmallVector<Value> operands = {decoded};
  SmallVector<AffineMap> maps = {all};
  auto operand = [&](Value value) {
    operands.push_back(value);
    maps.push_back(channel);
    return operands.size() - 1;
  };
  size_t scale = 0, bias = 0, realBias = 0; // 0: not an operand
  Value oneScale;
  if (sums.scales.size() == 1)
    oneScale = scalar(sums.scales.front());
  else
    scale = operand(
        constantTensor({int64_t(sums.scales.size())}, ArrayRef(sums.scales)));
  if (llvm::any_of(sums.bias, [](int64_t value) { return value != 0; }))
    bias = operand(
        constantTensor({int64_t(sums.bias.size())}, ArrayRef(sums.bias), bits));
  if (!sums.realBias.empty())
    realBias = operand(constantTensor({int64_t(sums.realBias.size())},
                                      ArrayRef(sums.realBias)));
  Value lo = sums.lo ? scalar(*sums.lo) : Value();
  Value hi = sums.hi ? scalar(*sums.hi) : Value();
  return elementwise(
      operands, maps, type.getShape(), b.getF32Type(),
      [&](ImplicitLocOpBuilder &builder, ValueRange in) -> Value {
        Value sum = in[0];
        if (bias)
          sum = arith::AddIOp::create(builder, sum, in[bias]);
        Value x = arith::SIToFPOp::create(builder, builder.getF32Type(), sum);
        x = arith::MulFOp::create(builder, x, scale ? in[scale] : oneScale);
        if (realBias)
          x = arith::AddFOp::create(builder, x, in[realBias]);
        if (hi)
          x = arith::MinimumFOp::create(builder, x, hi);
        if (lo)
          x = arith::MaximumFOp::create(builder, x, lo);
        return x;
      });
}
