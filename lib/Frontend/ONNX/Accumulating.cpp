//===- Accumulating.cpp - Conv, Gemm, MatMul, and their biases -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/Math/Bounds.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

FailureOr<Known *> Importer::activations(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  if ((*input)->kind != Known::Dequantized || (*input)->isConstant()) {
    node.emitInputError(0) << "must be dequantized activation codes (a "
                              "DequantizeLinear of what is no constant)";
    return failure();
  }
  return input;
}

/// Subtracts zero points: the differences must fit the machine's signed codes,
/// those of 8 bits else take 16. Unsigned weights of zero point 0 may stay as
/// they are.
static LogicalResult centre(const Node &node, const CodeFormat &format,
                            const Quantization &quantization, bool &isSigned,
                            Integers &codes, a2q::Range &range,
                            unsigned &bits) {
  ArrayRef<int64_t> zeroPoints = quantization.zeroPoints;
  bits = format.storageBits();
  a2q::Range fits{llvm::minIntN(bits), llvm::maxIntN(bits)};
  auto fit = [&](a2q::Range range) {
    return range.lo >= fits.lo && range.hi <= fits.hi;
  };
  range = {format.range.lo - *llvm::max_element(zeroPoints),
           format.range.hi - *llvm::min_element(zeroPoints)};
  int64_t length = codes.size() / zeroPoints.size();
  if (llvm::any_of(zeroPoints, [](int64_t zero) { return zero != 0; }))
    for (size_t index = 0; index < codes.size(); ++index)
      codes[index] -= zeroPoints[index / length];
  if (fit(range))
    return success();
  isSigned = format.isSigned();
  if (llvm::all_of(zeroPoints, [](int64_t zero) { return zero == 0; }))
    return success();
  // The type allows more than there is.
  isSigned = true;
  a2q::Range all = range;
  range = {std::max(range.lo, fits.lo), std::min(range.hi, fits.hi)};
  for (auto [index, code] : llvm::enumerate(codes)) {
    if (code >= range.lo && code <= range.hi)
      continue;
    if (bits == 8) {
      bits = 16;
      range = all;
      return success();
    }
    return node.emitInputError(1)
           << "holds a weight that is " << code
           << " above its zero point; supported are differences from "
           << range.lo << " to " << range.hi;
  }
  return success();
}

FailureOr<Importer::Weights> Importer::weights(const Node &node,
                                               ArrayRef<int64_t> permutation,
                                               int64_t channelDim) {
  FailureOr<Known *> input = lookup(node, 1);
  if (failed(input))
    return failure();
  return weights(node, **input, permutation, channelDim);
}

/// Dequantized constants; `permutation` brings their dimensions into the
/// order of the a2q op, and `channelDim` is the output channel before that.
FailureOr<Importer::Weights> Importer::weights(const Node &node,
                                               const Known &known,
                                               ArrayRef<int64_t> permutation,
                                               int64_t channelDim) {
  if (!known.isConstant() || known.kind != Known::Dequantized) {
    node.emitInputError(1)
        << (known.isConstant()
                ? "is not quantized, weights must be a DequantizeLinear of "
                  "integers"
                : "is computed, weights must be constant");
    return failure();
  }
  if (known.shape.size() != permutation.size()) {
    node.emitInputError(1) << "has shape " << shapeText(known.shape)
                           << ", expected rank " << permutation.size();
    return failure();
  }
  if (known.constant->ints.empty()) {
    node.emitInputError(1) << "has shape " << shapeText(known.shape)
                           << ": there is nothing to sum";
    return failure();
  }
  const Quantization &quantization = known.quantization;
  if (!quantization.isPerTensor() && quantization.axis != channelDim) {
    node.emitInputError(1) << "has scales along axis " << quantization.axis
                           << ", supported is the output channel, axis "
                           << channelDim;
    return failure();
  }
  if (integerFormat(known.format.type)->bits > 16) {
    node.emitInputError(1) << "has type " << toString(known.format.type)
                           << "; supported are weights of at most 16 bits";
    return failure();
  }
  Weights result;
  Tensor tensor = transpose(*known.constant, permutation);
  result.shape = tensor.shape;
  result.codes = std::move(tensor.ints);
  result.scales = quantization.scales;
  result.isSignedInFile = known.format.isSigned();
  result.zeroPoints = quantization.zeroPoints;
  if (failed(centre(node, known.format, quantization, result.isSigned,
                    result.codes, result.range, result.bits)))
    return failure();
  return result;
}

FailureOr<Value> Importer::emitWeights(const Node &node,
                                       const Weights &weights) {
  Type storageType = b.getIntegerType(weights.bits);
  unsigned flags = weights.isSigned ? quant::QuantizationFlags::Signed : 0;
  auto emitError = [&] { return node.emitError(); };
  Type type;
  a2q::Range range = weights.range;
  if (weights.scales.size() == 1) {
    type = quant::UniformQuantizedType::getChecked(
        emitError, flags, storageType, b.getF32Type(), weights.scales.front(),
        0, range.lo, range.hi);
  } else {
    SmallVector<double> scales(weights.scales.begin(), weights.scales.end());
    SmallVector<int64_t> zeroPoints(scales.size(), 0);
    type = quant::UniformQuantizedPerAxisType::getChecked(
        emitError, flags, storageType, b.getF32Type(), scales, zeroPoints, 0,
        range.lo, range.hi);
  }
  if (!type)
    return failure();
  return quantized(constantTensor(weights.shape, weights.codes, weights.bits),
                   type);
}

/// Leaves on the op what the file has and the op has not: other runtimes
/// multiply the codes of the file, in its order.
void Importer::noteOrigin(Value sums, const Weights &weights,
                          ArrayRef<int64_t> flattenedFrom) {
  NamedAttrList origin;
  if (!weights.isSignedInFile)
    origin.set("unsigned_weights", b.getUnitAttr());
  if (llvm::any_of(weights.zeroPoints, [](int64_t zero) { return zero != 0; }))
    origin.set("weight_zero_points",
               b.getDenseI64ArrayAttr(weights.zeroPoints));
  if (!flattenedFrom.empty())
    origin.set("image", b.getDenseI64ArrayAttr(flattenedFrom));
  if (!origin.empty())
    sums.getDefiningOp()->setAttr(A2QDialect::getOriginAttrName(),
                                  origin.getDictionary(b.getContext()));
}

//===----------------------------------------------------------------------===//
// Sums and biases
//===----------------------------------------------------------------------===//

/// What an accumulating op over these operands is known by; `value` is still
/// to be set. The correction for the zero point of the activations, -z * sum
/// of the weights, is where the bias begins.
Sums Importer::startSums(const Known &input, const Weights &weights,
                         float factor) {
  Sums sums;
  unsigned weightBits = signedWidth({weights.range.lo, weights.range.hi});
  sums.width = datatypeWidth(weights.length(), weightBits, input.format.range);
  for (float scale : weights.scales)
    sums.scales.push_back(factor * input.quantization.scales.front() * scale);
  int64_t zeroPoint = input.quantization.zeroPoints.front();
  sums.bias.assign(weights.channels(), 0);
  for (auto [index, code] : llvm::enumerate(weights.codes))
    sums.bias[index / weights.length()] -= zeroPoint * code;
  return sums;
}

/// The accumulator before anything is proven: wide enough for its data types.
Type Importer::accumulator(unsigned width) {
  return AccumulatorType::get(b.getContext(), std::max(32u, width));
}

/// One value per channel of a constant whose only dimension that is not 1 is
/// the channel, counted from the end.
template <typename T>
static std::optional<SmallVector<T>>
perChannel(ArrayRef<int64_t> shape, ArrayRef<T> values, int64_t channelFromEnd,
           int64_t channels) {
  int64_t rank = shape.size();
  for (auto [dim, size] : llvm::enumerate(shape))
    if (size != 1 && rank - static_cast<int64_t>(dim) != channelFromEnd)
      return std::nullopt;
  if (values.size() == 1)
    return SmallVector<T>(channels, values.front());
  if (static_cast<int64_t>(values.size()) != channels)
    return std::nullopt;
  return SmallVector<T>(values);
}

/// Integers `k` with `value == float32(k * scale)`, if there are such.
static std::optional<int64_t> integerMultiple(float value, float scale) {
  double ratio = std::nearbyint(double(value) / double(scale));
  if (std::abs(ratio) > INT32_MAX)
    return std::nullopt;
  auto multiple = static_cast<int64_t>(ratio);
  if (static_cast<float>(multiple) * scale != value)
    return std::nullopt;
  return multiple;
}

/// Adds a constant to the sums: as integers when it is one in their units,
/// else as real numbers.
LogicalResult Importer::addBias(const Node &node, const Known &bias,
                                unsigned index, int64_t channelFromEnd,
                                Sums &sums) {
  int64_t channels = sums.channels();
  auto misshapen = [&] {
    return node.emitInputError(index)
           << "has shape " << shapeText(bias.shape) << ", expected one value "
           << "for each of " << channels << " output channels";
  };
  std::vector<float> constant = constantReals(bias);
  auto reals =
      perChannel<float>(bias.shape, constant, channelFromEnd, channels);
  if (!reals)
    return misshapen();
  for (auto [channel, value] : llvm::enumerate(*reals))
    if (!std::isfinite(value))
      return node.emitInputError(index)
             << "holds " << value << " in channel " << channel;
  SmallVector<int64_t> integers;
  if (bias.kind == Known::Dequantized) {
    // Exporters round s_x * s_w in their own ways.
    const Quantization &quantization = bias.quantization;
    auto codes = perChannel<int64_t>(bias.shape, bias.constant->ints.vector(),
                                     channelFromEnd, channels);
    for (int64_t channel = 0; channel < channels; ++channel) {
      size_t own = quantization.isPerTensor() ? 0 : channel;
      if (std::abs(double(quantization.scales[own]) / sums.scaleOf(channel) -
                   1) <= 1e-6)
        integers.push_back((*codes)[channel] - quantization.zeroPoints[own]);
    }
  }
  if (static_cast<int64_t>(integers.size()) != channels) {
    integers.clear();
    for (int64_t channel = 0; channel < channels; ++channel)
      if (auto multiple =
              integerMultiple((*reals)[channel], sums.scaleOf(channel)))
        integers.push_back(*multiple);
  }
  if (static_cast<int64_t>(integers.size()) != channels) {
    for (size_t index = 0; index < sums.bias.size(); ++index)
      sums.realBias.push_back((*reals)[sums.channelOf(index)]);
    return success();
  }
  for (auto [index, sum] : llvm::enumerate(sums.bias))
    sum += integers[sums.channelOf(index)];
  return success();
}

FailureOr<const Known *> Importer::constantBias(const Node &node,
                                                unsigned index) {
  FailureOr<Known *> bias = lookup(node, index);
  if (failed(bias))
    return failure();
  if ((*bias)->isRealConstant())
    return *bias;
  node.emitInputError(index) << "must be a constant bias: FLOAT, or a "
                                "DequantizeLinear of integers";
  return failure();
}

LogicalResult Importer::addBiasInput(const Node &node, unsigned index,
                                     Sums &sums) {
  if (!node.hasInput(index))
    return success();
  FailureOr<const Known *> bias = constantBias(node, index);
  if (failed(bias))
    return failure();
  return addBias(node, **bias, index, 1, sums);
}

FailureOr<bool> Importer::addToSums(const Node &node, unsigned index) {
  FailureOr<Known *> accumulated = lookup(node, index);
  FailureOr<Known *> constant = lookup(node, 1 - index);
  if (failed(accumulated) || failed(constant))
    return failure();
  Known result = **accumulated;
  const Known &bias = **constant;
  if (result.kind != Known::Accumulated || !bias.isRealConstant() ||
      result.sums.lo || result.sums.hi || !result.sums.realBias.empty())
    return false;
  int64_t channelFromEnd =
      result.sums.isImage ? static_cast<int64_t>(result.shape.size()) - 1 : 1;
  std::vector<float> values = constantReals(bias);
  if (bias.shape.size() > result.shape.size() ||
      !perChannel<float>(bias.shape, values, channelFromEnd,
                         result.sums.channels()))
    return false;
  result.real = nullptr;
  if (failed(addBias(node, bias, 1 - index, channelFromEnd, result.sums)))
    return failure();
  define(node, std::move(result));
  return true;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// FLOAT weights that are all integers are codes of scale 1: FINN moves scales
/// into thresholds and leaves such weights. Nothing where they are not.
static std::optional<Tensor> integerWeights(const Tensor &tensor) {
  if (!tensor.isFloat() || tensor.floats.empty())
    return std::nullopt;
  float most = 0;
  for (float value : tensor.floats) {
    if (value != std::nearbyint(value) || std::fabs(value) > INT16_MAX)
      return std::nullopt;
    most = std::max(most, std::fabs(value));
  }
  Tensor codes;
  codes.type = most > INT8_MAX ? ElementType::Int16 : ElementType::Int8;
  codes.shape = tensor.shape;
  codes.ints.assign(tensor.floats.begin(), tensor.floats.end());
  return codes;
}

FailureOr<bool> Importer::accumulatesCodes(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0), weights = lookup(node, 1);
  if (failed(input) || failed(weights))
    return failure();
  if ((*input)->kind != Known::Dequantized || (*input)->isConstant() ||
      !(*weights)->isConstant())
    return false;
  if ((*weights)->kind == Known::Dequantized)
    return true;
  std::optional<Tensor> codes = integerWeights(*(*weights)->constant);
  if (!codes)
    return false;
  Known known = constantOf(std::move(*codes));
  known.kind = Known::Dequantized;
  known.quantization.scales = {1};
  known.quantization.zeroPoints = {0};
  known.loc = (*weights)->loc;
  **weights = std::move(known); // the same real numbers to all readers
  return true;
}

/// `filter` is [O, h, w, I / groups].
FailureOr<Importer::Geometry> Importer::geometry(const Node &node,
                                                 ArrayRef<int64_t> image,
                                                 ArrayRef<int64_t> filter,
                                                 unsigned dims) {
  FailureOr<Window> window =
      this->window(node, image.drop_front(2), filter.slice(1, 2), dims);
  if (failed(window))
    return failure();
  if (ArrayRef(window->kernel) != filter.slice(1, 2)) {
    node.emitError() << "kernel_shape [" << ArrayRef(window->kernel)
                     << "] is not that of the weights, [" << filter.slice(1, 2)
                     << "]";
    return failure();
  }
  int64_t groups = node.integer("group", 1);
  if (groups < 1 || image[1] % groups || filter[0] % groups ||
      image[1] / groups != filter[3]) {
    node.emitError() << groups << " groups do not divide " << image[1]
                     << " input and " << filter[0]
                     << " output channels into filters of " << filter[3]
                     << " input channels";
    return failure();
  }
  if (failed(checkSize(node,
                       {image[0], filter[0], window->out[0], window->out[1]})))
    return failure();
  return Geometry{*window, groups};
}

LogicalResult Importer::importConv(const Node &node) {
  FailureOr<bool> accumulates = accumulatesCodes(node);
  if (failed(accumulates))
    return failure();
  if (!*accumulates)
    return importRealConv(node);
  FailureOr<Known *> input = activations(node);
  if (failed(input))
    return failure();
  size_t rank = (*input)->shape.size();
  if (rank != 3 && rank != 4)
    return node.emitInputError(0)
           << "has shape " << shapeText((*input)->shape)
           << ", supported is 1-D and 2-D convolution (rank 3 and 4)";
  FailureOr<Weights> weights = this->weights(node, channelsToLast(rank), 0);
  if (failed(weights))
    return failure();
  if (rank == 3)
    weights->shape.insert(weights->shape.begin() + 1, 1);
  Known pixels = asImage(**input);
  ArrayRef<int64_t> image = pixels.shape;
  FailureOr<Geometry> geometry =
      this->geometry(node, image, weights->shape, rank - 2);
  if (failed(geometry))
    return failure();
  FailureOr<Known> result = convolutionOfCodes(
      node, rank == 4 ? **input : pixels, *weights, *geometry);
  if (failed(result) || failed(addBiasInput(node, 2, result->sums)))
    return failure();
  define(node, std::move(*result));
  return success();
}

FailureOr<Known> Importer::convolutionOfCodes(const Node &node, Known &pixels,
                                              const Weights &weights,
                                              const Geometry &geometry) {
  const Window &window = geometry.window;
  FailureOr<quant::QuantizedType> type =
      codeType(node, pixels.format, pixels.quantization);
  FailureOr<Value> emitted = emitWeights(node, weights);
  if (failed(type) || failed(emitted))
    return failure();
  Known result{
      Known::Accumulated,
      {pixels.shape[0], weights.channels(), window.out[0], window.out[1]}};
  result.sums = startSums(pixels, weights);
  result.sums.isImage = true;
  auto resultType =
      RankedTensorType::get(physicalShape(result.shape, Layout::ChannelsLast),
                            accumulator(result.sums.width));
  Value codes = this->codes(pixels, Layout::ChannelsLast, *type);
  result.sums.value = Conv2DOp::create(
      b, resultType, codes, *emitted, Value(), window.strides, window.dilations,
      window.padding(), geometry.groups, ScheduleAttr());
  noteOrigin(result.sums.value, weights, {});
  // The sums keep their rows until they are numbers.
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  if ((*input)->shape.size() == 3)
    result.shape.erase(result.shape.begin() + 2);
  return result;
}

/// The shape of a MatMul's result, whose last two sizes are there as far as its
/// operands are matrices.
static SmallVector<int64_t> productShape(ArrayRef<int64_t> lhs,
                                         ArrayRef<int64_t> rhs) {
  SmallVector<int64_t> result;
  if (rhs.size() > std::max<size_t>(lhs.size(), 2))
    result.assign(rhs.size() - std::max<size_t>(lhs.size(), 2), 1);
  llvm::append_range(result, lhs.drop_back());
  if (rhs.size() > 1)
    result.push_back(rhs.back());
  return result;
}

/// `weights` is [N, K]; the product is multiplied by `factor`.
LogicalResult Importer::matrixProduct(const Node &node, Weights weights,
                                      bool hasBias, float factor) {
  FailureOr<Known *> input = activations(node);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  if (shape.empty() || shape.back() != weights.shape[1])
    return node.emitInputError(0) << "has shape " << shapeText(shape)
                                  << ", expected a last dimension of "
                                  << weights.shape[1] << " as the weights have";
  Layout layout = preferred(**input);
  if (layout == Layout::ChannelsLast)
    layout = Layout::Plain;
  // The weights follow the image's layout, which need not be transposed.
  if (layout == Layout::Flattened)
    permuteToChannelsLast((*input)->layouts.flattenedFrom, weights.codes);
  FailureOr<quant::QuantizedType> type =
      codeType(node, (*input)->format, (*input)->quantization);
  FailureOr<Value> emitted = emitWeights(node, weights);
  if (failed(type) || failed(emitted))
    return failure();
  SmallVector<int64_t> physical(shape);
  physical.back() = weights.channels();
  if (failed(checkSize(node, physical)))
    return failure();
  Known result{Known::Accumulated, physical};
  FailureOr<Known *> second = lookup(node, 1);
  if (failed(second))
    return failure();
  if (node.op->name == "MatMul")
    result.shape = productShape(shape, (*second)->shape);
  result.sums = startSums(**input, weights, factor);
  Value codes = this->codes(**input, layout, *type);
  if (shape.size() == 1) { // a vector is one row
    physical.insert(physical.begin(), 1);
    codes = quantized(reshaped(storage(codes), {1, shape[0]}), *type);
  }
  auto resultType =
      RankedTensorType::get(physical, accumulator(result.sums.width));
  result.sums.value =
      MatmulOp::create(b, resultType, codes, *emitted, Value(), ScheduleAttr());
  noteOrigin(result.sums.value, weights,
             layout == Layout::Flattened
                 ? ArrayRef((*input)->layouts.flattenedFrom)
                 : ArrayRef<int64_t>());
  if (hasBias && failed(addBiasInput(node, 2, result.sums)))
    return failure();
  define(node, std::move(result));
  return success();
}

LogicalResult Importer::importGemm(const Node &node) {
  FailureOr<bool> accumulates = accumulatesCodes(node);
  if (failed(accumulates))
    return failure();
  // alpha is part of the sums' scale; what else there is, is real numbers.
  float alpha = node.real("alpha", 1);
  bool hasBias = node.hasInput(2);
  if (!*accumulates || !std::isnormal(alpha) || alpha < 0 ||
      (hasBias && node.real("beta", 1) != 1) || node.integer("transA", 0) != 0)
    return importRealGemm(node);
  FailureOr<Known *> input = activations(node);
  if (failed(input))
    return failure();
  if ((*input)->shape.size() != 2)
    return node.emitInputError(0)
           << "has shape " << shapeText((*input)->shape) << ", expected rank 2";
  bool transposed = node.integer("transB", 0) != 0;
  FailureOr<Weights> weights = transposed ? this->weights(node, {0, 1}, 0)
                                          : this->weights(node, {1, 0}, 1);
  if (failed(weights))
    return failure();
  return matrixProduct(node, std::move(*weights), true, alpha);
}

/// Constant weights of a MatMul without the sizes 1 before a matrix; a vector
/// is a matrix of one column.
static Known asMatrix(const Known &weights) {
  Known result = weights;
  size_t dropped = 0;
  while (result.shape.size() > 2 && result.shape.front() == 1) {
    result.shape.erase(result.shape.begin());
    ++dropped;
  }
  if (result.shape.size() == 1)
    result.shape.push_back(1);
  if (result.shape == weights.shape || !weights.constant)
    return weights;
  result.quantization.axis -= dropped;
  auto reshaped = std::make_shared<Tensor>(*weights.constant);
  reshaped->shape = result.shape;
  result.constant = std::move(reshaped);
  return result;
}

LogicalResult Importer::importMatMul(const Node &node) {
  FailureOr<bool> done = importBlockProduct(node);
  if (failed(done) || *done)
    return success(succeeded(done));
  FailureOr<bool> accumulates = accumulatesCodes(node);
  if (failed(accumulates))
    return failure();
  if (!*accumulates) {
    FailureOr<bool> imported = importProductOfCodes(node);
    if (failed(imported))
      return failure();
    return *imported ? success() : importRealMatMul(node);
  }
  FailureOr<Known *> input = lookup(node, 1);
  if (failed(input))
    return failure();
  Known matrix = asMatrix(**input);
  if (matrix.shape.size() > 2) {
    FailureOr<bool> imported = importProductOfCodes(node);
    if (failed(imported))
      return failure();
    if (*imported)
      return success();
    return node.emitInputError(1)
           << "has shape " << shapeText(matrix.shape) << " and "
           << matrix.quantization.scales.size()
           << " scales or zero points; supported are matrices of one scale and "
              "zero point that fit the activations, or a single matrix";
  }
  FailureOr<Weights> weights = this->weights(node, matrix, {1, 0}, 1);
  if (failed(weights))
    return failure();
  return matrixProduct(node, std::move(*weights), false);
}
