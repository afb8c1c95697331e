//===- RealLayers.cpp - Conv, Gemm, MatMul and BatchNormalization in float32 -*-
// C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// A constant of finite real numbers; weights of at least one term.
FailureOr<Tensor> Importer::realWeights(const Node &node, unsigned index,
                                        unsigned rank) {
  FailureOr<Known *> input = lookup(node, index);
  if (failed(input))
    return failure();
  const Known &known = **input;
  if (!known.isConstant()) {
    node.emitInputError(index) << "is computed, weights must be constant";
    return failure();
  }
  if (known.kind == Known::Constant && !known.constant->isFloat()) {
    node.emitInputError(index)
        << "holds integers, expected real numbers (a DequantizeLinear)";
    return failure();
  }
  if (known.shape.size() != rank) {
    node.emitInputError(index)
        << "has shape " << shapeText(known.shape) << ", expected rank " << rank;
    return failure();
  }
  Tensor tensor;
  tensor.shape = known.shape;
  tensor.floats = constantReals(known);
  if (tensor.floats.empty()) {
    node.emitInputError(index) << "has shape " << shapeText(known.shape)
                               << ": there is nothing to sum";
    return failure();
  }
  for (auto [at, value] : llvm::enumerate(tensor.floats))
    if (!std::isfinite(value)) {
      node.emitInputError(index) << "holds " << value << " at index " << at;
      return failure();
    }
  return tensor;
}

/// One real number for each channel; zeros when the input is absent.
FailureOr<Tensor> Importer::realBias(const Node &node, unsigned index,
                                     int64_t channels) {
  Tensor bias;
  bias.shape = {channels};
  bias.floats.assign(channels, 0);
  if (!node.hasInput(index))
    return bias;
  FailureOr<const Known *> constant = constantBias(node, index);
  if (failed(constant))
    return failure();
  const Known &known = **constant;
  std::vector<float> values = constantReals(known);
  auto most = static_cast<int64_t>(values.size());
  bool isVector = known.shape.empty() || known.shape.back() == most;
  if (!isVector || (most != channels && most != 1)) {
    node.emitInputError(index)
        << "has shape " << shapeText(known.shape) << ", expected one value "
        << "for each of " << channels << " output channels";
    return failure();
  }
  for (int64_t channel = 0; channel < channels; ++channel) {
    bias.floats[channel] = values[most == 1 ? 0 : channel];
    if (!std::isfinite(bias.floats[channel])) {
      node.emitInputError(index)
          << "holds " << bias.floats[channel] << " in channel " << channel;
      return failure();
    }
  }
  return bias;
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

static RankedTensorType resultType(Value image, const Window &window,
                                   int64_t channels) {
  auto type = cast<RankedTensorType>(image.getType());
  return type.clone(
      {type.getDimSize(0), window.out[0], window.out[1], channels});
}

/// `weights` is [O, h, w, I].
Value Importer::convolution(Value image, const Tensor &weights,
                            ArrayRef<float> bias, const Window &window) {
  int64_t channels = weights.shape[0];
  return tosa::Conv2DOp::create(b, resultType(image, window, channels), image,
                                realConstant(weights.shape, weights.floats),
                                realConstant({channels}, bias),
                                b.getDenseI64ArrayAttr(window.tosaPadding()),
                                b.getDenseI64ArrayAttr(window.strides),
                                b.getDenseI64ArrayAttr(window.dilations),
                                TypeAttr::get(b.getF32Type()));
}

/// `weights` is [O, h, w, 1]; each input channel has the same number of
/// filters, which follow each other.
Value Importer::depthwiseConvolution(Value image, const Tensor &weights,
                                     ArrayRef<float> bias,
                                     const Window &window) {
  int64_t inputs = cast<RankedTensorType>(image.getType()).getDimSize(3);
  Tensor filter = weights;
  filter.shape = {inputs, weights.shape[0] / inputs, weights.shape[1],
                  weights.shape[2]};
  filter = transpose(filter, {2, 3, 0, 1});
  return tosa::DepthwiseConv2DOp::create(
      b, resultType(image, window, weights.shape[0]), image,
      realConstant(filter.shape, filter.floats),
      realConstant({weights.shape[0]}, bias),
      b.getDenseI64ArrayAttr(window.tosaPadding()),
      b.getDenseI64ArrayAttr(window.strides),
      b.getDenseI64ArrayAttr(window.dilations), TypeAttr::get(b.getF32Type()));
}

/// One convolution for each group, named after the node and the group.
Value Importer::groupedConvolution(const Node &node, Value image,
                                   const Tensor &weights, ArrayRef<float> bias,
                                   const Geometry &geometry) {
  SmallVector<int64_t> size(cast<RankedTensorType>(image.getType()).getShape());
  size[3] = weights.shape[3];
  int64_t channels = weights.shape[0] / geometry.groups;
  int64_t length = weights.floats.size() / geometry.groups;
  SmallVector<Value> parts;
  for (int64_t group = 0; group < geometry.groups; ++group) {
    std::string name = node.name + "/" + std::to_string(group);
    b.setLoc(NameLoc::get(b.getStringAttr(name), graph.loc()));
    Tensor part;
    part.shape = weights.shape;
    part.shape[0] = channels;
    auto begin = weights.floats.begin() + group * length;
    part.floats.assign(begin, begin + length);
    Value slice = sliced(image, {0, 0, 0, group * size[3]}, size);
    parts.push_back(convolution(
        slice, part, bias.slice(group * channels, channels), geometry.window));
  }
  b.setLoc(node.loc);
  return tosa::ConcatOp::create(
      b, resultType(image, geometry.window, weights.shape[0]), parts,
      b.getI32IntegerAttr(3));
}

Value Importer::convolution(const Node &node, Value image,
                            const Tensor &weights, ArrayRef<float> bias,
                            const Geometry &geometry) {
  if (geometry.groups == 1)
    return convolution(image, weights, bias, geometry.window);
  if (geometry.groups == cast<RankedTensorType>(image.getType()).getDimSize(3))
    return depthwiseConvolution(image, weights, bias, geometry.window);
  return groupedConvolution(node, image, weights, bias, geometry);
}

LogicalResult Importer::importRealConv(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  size_t rank = (*input)->shape.size();
  if (rank != 3 && rank != 4)
    return node.emitInputError(0)
           << "has shape " << shapeText((*input)->shape)
           << ", supported is 1-D and 2-D convolution (rank 3 and 4)";
  FailureOr<Tensor> found = realWeights(node, 1, rank);
  if (failed(found))
    return failure();
  Tensor weights = transpose(*found, channelsToLast(rank));
  if (rank == 3)
    weights.shape.insert(weights.shape.begin() + 1, 1);
  Known from = asImage(**input);
  ArrayRef<int64_t> image = from.shape;
  FailureOr<Geometry> geometry =
      this->geometry(node, image, weights.shape, rank - 2);
  if (failed(geometry))
    return failure();
  FailureOr<Tensor> bias = realBias(node, 2, weights.shape[0]);
  if (failed(bias))
    return failure();
  Known result{Known::Real,
               {image[0], weights.shape[0], geometry->window.out[0],
                geometry->window.out[1]}};
  Value pixels = fitted(get(rank == 4 ? **input : from, Layout::ChannelsLast),
                        geometry->window);
  result.layouts.channelsLast =
      convolution(node, pixels, weights, bias->floats, *geometry);
  define(node, fromImage(result, rank));
  return success();
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

/// `weights` is [K, N].
FailureOr<Known> Importer::realMatrixProduct(const Node &node, Known &input,
                                             Tensor weights) {
  ArrayRef<int64_t> shape = input.shape;
  int64_t length = weights.shape[0], channels = weights.shape[1];
  if (shape.size() < 2 || shape.back() != length) {
    node.emitInputError(0)
        << "has shape " << shapeText(shape)
        << ", expected rank 2 or more and a last dimension of " << length
        << " as the weights have";
    return failure();
  }
  Known result{Known::Real, SmallVector<int64_t>(shape)};
  result.shape.back() = channels;
  if (failed(checkSize(node, result.shape)))
    return failure();
  Layout layout = preferred(input);
  if (layout == Layout::ChannelsLast)
    layout = Layout::Plain;
  if (layout == Layout::Flattened) {
    // The weights follow the image's layout, which need not be transposed.
    weights = transpose(weights, {1, 0});
    permuteToChannelsLast(input.layouts.flattenedFrom, weights.floats);
    weights = transpose(weights, {1, 0});
  }
  int64_t rows = *elementCount(shape) / length;
  Value lhs = reshaped(get(input, layout), {1, rows, length});
  Value rhs = realConstant({1, length, channels}, weights.floats);
  auto type = RankedTensorType::get({1, rows, channels}, b.getF32Type());
  Value sums = tosa::MatMulOp::create(b, type, lhs, rhs);
  result.layouts.plain = reshaped(sums, result.shape);
  return result;
}

LogicalResult Importer::importRealMatMul(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  FailureOr<Known *> other = lookup(node, 1);
  if (failed(other))
    return failure();
  FailureOr<Known> result = failure();
  if ((*other)->isConstant() && (*other)->shape.size() == 2 &&
      (*input)->shape.size() > 1) {
    FailureOr<Tensor> weights = realWeights(node, 1, 2);
    if (failed(weights))
      return failure();
    result = realMatrixProduct(node, **input, std::move(*weights));
  } else {
    other = real(node, 1);
    if (failed(other))
      return failure();
    result = computedProduct(node, **input, **other, false, false);
  }
  if (failed(result))
    return failure();
  define(node, std::move(*result));
  return success();
}

/// A product of matrices in the last two dimensions, for each index of the
/// dimensions before them, which are broadcast. A vector is a row on the left
/// and a column on the right.
FailureOr<Known> Importer::computedProduct(const Node &node, Known &lhs,
                                           Known &rhs, bool transA,
                                           bool transB) {
  Value values[2] = {get(lhs, Layout::Plain), get(rhs, Layout::Plain)};
  SmallVector<int64_t> shapes[2] = {lhs.shape, rhs.shape};
  bool isVector[2] = {false, false};
  for (unsigned side : {0, 1}) {
    SmallVector<int64_t> &shape = shapes[side];
    if (shape.empty()) {
      node.emitInputError(side) << "is a scalar, expected rank 1 or more";
      return failure();
    }
    if ((isVector[side] = shape.size() == 1))
      shape.insert(side == 0 ? shape.begin() : shape.end(), 1);
    if (side == 0 ? transA : transB) {
      values[side] = transposed(values[side], {1, 0});
      std::swap(shape[0], shape[1]);
    }
  }
  int64_t rows = shapes[0].end()[-2], length = shapes[0].back(),
          columns = shapes[1].back();
  auto batch = broadcastShapes(ArrayRef(shapes[0]).drop_back(2),
                               ArrayRef(shapes[1]).drop_back(2));
  if (shapes[1].end()[-2] != length || !batch) {
    node.emitError() << "the shapes " << shapeText(lhs.shape) << " and "
                     << shapeText(rhs.shape) << " cannot be multiplied";
    return failure();
  }
  Known result{Known::Real, *batch};
  if (!isVector[0])
    result.shape.push_back(rows);
  if (!isVector[1])
    result.shape.push_back(columns);
  if (failed(checkSize(node, result.shape)))
    return failure();
  int64_t count = *elementCount(*batch);
  bool isShared = *elementCount(ArrayRef(shapes[1]).drop_back(2)) == 1;
  if (isShared) {
    // One matrix on the right: all rows are one product.
    rows *= count;
    count = 1;
  }
  for (unsigned side : {0, 1}) {
    SmallVector<int64_t> whole = *batch;
    whole.append(shapes[side].end() - 2, shapes[side].end());
    values[side] = reshaped(values[side], shapes[side]);
    if (!isShared)
      values[side] = broadcastValue(values[side], whole);
    values[side] = side == 0 ? reshaped(values[0], {count, rows, length})
                             : reshaped(values[1], {count, length, columns});
  }
  auto type = RankedTensorType::get({count, rows, columns}, b.getF32Type());
  Value sums = tosa::MatMulOp::create(b, type, values[0], values[1]);
  result.layouts.plain = reshaped(sums, result.shape);
  return result;
}

/// alpha * A * B + beta * C, of which anything may be computed.
LogicalResult Importer::importComputedGemm(const Node &node) {
  FailureOr<Known *> lhs = real(node, 0), rhs = real(node, 1);
  if (failed(lhs) || failed(rhs))
    return failure();
  if ((*rhs)->shape.size() != 2)
    return node.emitInputError(1)
           << "has shape " << shapeText((*rhs)->shape) << ", expected rank 2";
  FailureOr<Known> result = computedProduct(
      node, **lhs, **rhs, node.integer("transA", 0), node.integer("transB", 0));
  if (failed(result))
    return failure();
  Value &sums = result->layouts.plain;
  if (float alpha = node.real("alpha", 1); alpha != 1)
    sums = product(sums, realScalar(alpha, 2));
  if (node.hasInput(2)) {
    FailureOr<Known *> bias = real(node, 2);
    if (failed(bias))
      return failure();
    auto shape = broadcastShapes((*bias)->shape, result->shape);
    if (!shape || ArrayRef<int64_t>(*shape) != ArrayRef<int64_t>(result->shape))
      return node.emitInputError(2)
             << "has shape " << shapeText((*bias)->shape)
             << ", which does not broadcast to " << shapeText(result->shape);
    Value summand = broadcastOperand(**bias, 2, Layout::Plain);
    if (float beta = node.real("beta", 1); beta != 1)
      summand = product(summand, realScalar(beta, 2));
    sums = binary<tosa::AddOp>(sums, summand);
  }
  define(node, std::move(*result));
  return success();
}

/// alpha * A * B + beta * C, the factors in the constants.
LogicalResult Importer::importRealGemm(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  FailureOr<Known *> other = lookup(node, 1);
  if (failed(input) || failed(other))
    return failure();
  if ((*input)->shape.size() != 2)
    return node.emitInputError(0)
           << "has shape " << shapeText((*input)->shape) << ", expected rank 2";
  bool isConstantBias = true;
  if (node.hasInput(2)) {
    FailureOr<Known *> bias = lookup(node, 2);
    if (failed(bias))
      return failure();
    isConstantBias = (*bias)->isConstant() && (*bias)->shape.size() < 2;
  }
  if (!(*other)->isConstant() || !isConstantBias ||
      node.integer("transA", 0) != 0)
    return importComputedGemm(node);
  FailureOr<Tensor> weights = realWeights(node, 1, 2);
  if (failed(weights))
    return failure();
  if (node.integer("transB", 0) != 0)
    weights = transpose(*weights, {1, 0});
  for (float &weight : weights->floats)
    weight *= node.real("alpha", 1);
  int64_t channels = weights->shape[1];
  FailureOr<Tensor> bias = realBias(node, 2, channels);
  if (failed(bias))
    return failure();
  for (float &value : bias->floats)
    value *= node.real("beta", 1);
  FailureOr<Known> result =
      realMatrixProduct(node, **input, std::move(*weights));
  if (failed(result))
    return failure();
  if (node.hasInput(2))
    result->layouts.plain = binary<tosa::AddOp>(
        result->layouts.plain, realConstant({1, channels}, bias->floats));
  define(node, std::move(*result));
  return success();
}

//===----------------------------------------------------------------------===//
// BatchNormalization
//===----------------------------------------------------------------------===//

/// With the statistics of training: one factor and one summand per channel.
LogicalResult Importer::importBatchNormalization(const Node &node) {
  if (node.integer("training_mode", 0) != 0)
    return node.emitError() << "training_mode is not supported, only inference";
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  if (shape.size() < 2)
    return node.emitInputError(0)
           << "has shape " << shapeText(shape) << ", expected rank 2 or more";
  std::vector<float> parameters[4]; // scale, bias, mean, variance
  for (unsigned index = 1; index <= 4; ++index) {
    FailureOr<Tensor> tensor = realWeights(node, index, 1);
    if (failed(tensor))
      return failure();
    if (tensor->shape[0] != shape[1])
      return node.emitInputError(index)
             << "has shape " << shapeText(tensor->shape)
             << ", expected one value for each of " << shape[1] << " channels";
    parameters[index - 1] = std::move(tensor->floats);
  }
  double epsilon = node.real("epsilon", 1e-5f);
  std::vector<float> factors, summands;
  for (int64_t channel = 0; channel < shape[1]; ++channel) {
    auto [scale, bias, mean, variance] =
        std::tuple<double, double, double, double>(
            parameters[0][channel], parameters[1][channel],
            parameters[2][channel], parameters[3][channel]);
    double factor = scale / std::sqrt(variance + epsilon);
    factors.push_back(static_cast<float>(factor));
    summands.push_back(static_cast<float>(bias - mean * factor));
    if (!(variance >= 0) || !std::isfinite(factors.back()) ||
        !std::isfinite(summands.back()))
      return node.emitError()
             << "channel " << channel << " has variance "
             << parameters[3][channel] << " and epsilon "
             << static_cast<float>(epsilon)
             << ", which normalize nothing: a variance is at least 0, and "
                "positive with epsilon";
  }
  Layout layout = preferred(**input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  Value x = get(**input, layout);
  int64_t rank = shape.size();
  x = product(x, channelConstant(factors, rank, layout));
  Known result{Known::Real, SmallVector<int64_t>(shape)};
  set(result.layouts, layout,
      binary<tosa::AddOp>(x, channelConstant(summands, rank, layout)));
  define(node, std::move(result));
  return success();
}
