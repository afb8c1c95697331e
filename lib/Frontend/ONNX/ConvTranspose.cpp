//===- ConvTranspose.cpp - Convolutions that enlarge images ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A transposed convolution adds, at result q, the products of x[i] with w[k]
// for all i * stride + k = q + padding. Results whose q + padding leave the
// same remainder r, a phase, read the same part of the kernel, w[r], w[r +
// stride],
// ..., at neighbouring x. So a convolution of stride 1 computes all phases as
// channels, and the image is woven of them:
//
//   stride 2, kernel 3:   phase 0: x[u] * w[0] + x[u-1] * w[2]
//                         phase 1: x[u] * w[1]
//
// Nothing is multiplied with zeros that stand between pixels, and a sum has
// only the terms that the result has: its accumulator is as narrow as can be.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// The convolution that computes the phases, and what its kernel is made of.
struct Importer::Transposition {
  Geometry geometry;
  Phases phases;
  SmallVector<int64_t> kernel, dilations;
  /// Of the result.
  SmallVector<int64_t> shape;
};

//===----------------------------------------------------------------------===//
// Geometry
//===----------------------------------------------------------------------===//

namespace {
/// One dimension.
struct Axis {
  int64_t size, kernel, stride, dilation, extra; ///< extra: output_padding
  int64_t before = 0, after = 0, result = 0;

  int64_t span() const { return (kernel - 1) * dilation + 1; }
  /// Without padding.
  int64_t whole() const { return (size - 1) * stride + extra + span(); }
};
} // namespace

/// Padding and size of the result: by `pads`, or padding such that the size is
/// `output_shape` or the input's times the stride.
static LogicalResult placeResult(const Node &node, Axis &axis,
                                 std::optional<int64_t> wanted) {
  StringRef mode = node.string("auto_pad", "NOTSET");
  bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!same && mode != "VALID" && mode != "NOTSET")
    return node.emitError() << "auto_pad '" << mode << "' is not supported";
  if (wanted || same) {
    axis.result = wanted.value_or(axis.size * axis.stride);
    int64_t total = std::max<int64_t>(axis.whole() - axis.result, 0);
    axis.before = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    return success();
  }
  if (mode == "VALID")
    axis.before = axis.after = 0;
  axis.result = axis.whole() - axis.before - axis.after;
  if (axis.result > 0)
    return success();
  return node.emitError() << "pads " << axis.before << " and " << axis.after
                          << " leave nothing of " << axis.whole()
                          << " positions";
}

/// The attributes, of images.
static FailureOr<SmallVector<Axis>> axesOf(const Node &node,
                                           ArrayRef<int64_t> image,
                                           ArrayRef<int64_t> kernel,
                                           unsigned dims) {
  SmallVector<int64_t> ones(dims, 1), zeros(dims, 0), pads(2 * dims, 0);
  auto strides = sizesAttribute(node, "strides", ones, 1, dims);
  auto dilations = sizesAttribute(node, "dilations", ones, 1, dims);
  auto extra = sizesAttribute(node, "output_padding", zeros, 0, dims);
  auto given = sizesAttribute(node, "pads", pads, 0, dims);
  auto kernelShape =
      sizesAttribute(node, "kernel_shape", kernel.take_back(dims), 1, dims);
  if (failed(strides) || failed(dilations) || failed(extra) || failed(given) ||
      failed(kernelShape))
    return failure();
  for (unsigned dim = 0; dim < dims; ++dim) {
    int64_t limit = std::max((*strides)[dim], (*dilations)[dim]);
    if ((*extra)[dim] < limit)
      continue;
    node.emitError() << "output_padding " << (*extra)[dim]
                     << " must be less than the stride or the dilation, "
                     << limit;
    return failure();
  }
  if (ArrayRef(*kernelShape) != kernel.take_back(dims)) {
    node.emitError() << "kernel_shape [" << ArrayRef(*kernelShape)
                     << "] is not that of the weights, ["
                     << kernel.take_back(dims) << "]";
    return failure();
  }
  std::optional<SmallVector<int64_t>> wanted;
  if (node.find("output_shape")) {
    auto found = sizesAttribute(node, "output_shape", zeros, 1, dims);
    if (failed(found))
      return failure();
    wanted = *found;
  }
  SmallVector<Axis> axes;
  if (dims == 1)
    axes.push_back({1, 1, 1, 1, 0, 0, 0, 1});
  for (unsigned dim = 0; dim < dims; ++dim) {
    Axis axis{image.take_back(dims)[dim], (*kernelShape)[dim], (*strides)[dim],
              (*dilations)[dim],          (*extra)[dim],       (*given)[dim],
              (*given)[dims + dim]};
    if (failed(placeResult(
            node, axis, wanted ? std::optional((*wanted)[dim]) : std::nullopt)))
      return failure();
    axes.push_back(axis);
  }
  return axes;
}

/// `shape` is [N, C, H, W], `weights` [C, channels of a group, h, w].
FailureOr<Importer::Transposition>
Importer::transposition(const Node &node, ArrayRef<int64_t> shape,
                        ArrayRef<int64_t> weights) {
  unsigned dims = (*lookup(node, 0))->shape.size() - 2;
  int64_t groups = node.integer("group", 1);
  if (groups < 1 || shape[1] != weights[0] || weights[0] % groups) {
    node.emitError() << groups << " groups do not divide " << shape[1]
                     << " input channels with weights for " << weights[0];
    return failure();
  }
  auto axes = axesOf(node, shape.drop_front(2), weights.drop_front(2), dims);
  if (failed(axes))
    return failure();
  Transposition result;
  Window &window = result.geometry.window;
  window.strides = window.dilations = {1, 1};
  result.geometry.groups = result.phases.groups = groups;
  result.phases.channels = weights[1];
  result.shape = {shape[0], groups * weights[1]};
  int64_t stored = weights[0] * weights[1];
  for (auto [dim, axis] : llvm::enumerate(*axes)) {
    int64_t taps = llvm::divideCeil(axis.span(), axis.stride);
    int64_t first = axis.before / axis.stride;
    int64_t last = (axis.before + axis.result - 1) / axis.stride;
    if (first - taps + 1 >= axis.size || last < 0) {
      node.emitError() << "pads " << axis.before << " and output_padding "
                       << axis.extra << " leave results that nothing reaches";
      return failure();
    }
    window.kernel.push_back(taps);
    window.before.push_back(taps - 1 - first);
    window.after.push_back(last - (axis.size - 1));
    window.out.push_back(last - first + 1);
    result.phases.strides[dim] = axis.stride;
    result.phases.start[dim] = axis.before - axis.stride * first;
    result.phases.size.push_back(axis.result);
    result.kernel.push_back(axis.kernel);
    result.dilations.push_back(axis.dilation);
    result.shape.push_back(axis.result);
    // At most 2^20 each, and twice that.
    stored = std::min(stored * std::min(axis.stride * taps, int64_t(1) << 21),
                      int64_t(1) << 40);
  }
  if (failed(checkSize(node, result.shape)) ||
      failed(checkSize(node, {shape[0], result.phases.each() * groups,
                              window.out[0], window.out[1]})))
    return failure();
  int64_t given = weights[0] * weights[1] * weights[2] * weights[3];
  if (stored > std::max(int64_t(1) << 22, 16 * given)) {
    node.emitError() << "strides [" << ArrayRef(result.phases.strides)
                     << "] and dilations [" << ArrayRef(result.dilations)
                     << "] spread a kernel of [" << ArrayRef(result.kernel)
                     << "] over more than 16 times its size";
    return failure();
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

/// Weights [C, channels of a group, h, w] as those of the convolution, [phases,
/// C / groups, h, w]; taps that a phase has not are `none(channel)`.
template <typename Transposition, typename Elements, typename None>
static void phasedWeights(const Transposition &of, ArrayRef<int64_t> shape,
                          const Elements &from, None none, Tensor &result,
                          Elements &elements) {
  const Phases &phases = of.phases;
  ArrayRef<int64_t> taps = of.geometry.window.kernel;
  int64_t inputs = shape[0] / phases.groups;
  result.shape = {phases.groups * phases.each(), inputs, taps[0], taps[1]};
  for (int64_t index = 0; index < result.shape[0]; ++index) {
    int64_t group = index / phases.each();
    int64_t phase = index % phases.each() / phases.channels;
    int64_t channel = index % phases.channels;
    int64_t offset[2] = {phase / phases.strides[1], phase % phases.strides[1]};
    for (int64_t input = 0; input < inputs; ++input)
      for (int64_t row = 0; row < taps[0]; ++row)
        for (int64_t column = 0; column < taps[1]; ++column) {
          int64_t at[2] = {row, column};
          bool isThere = true;
          for (unsigned dim : {0, 1}) {
            // The last tap meets the pixel of the result itself.
            int64_t k =
                offset[dim] + phases.strides[dim] * (taps[dim] - 1 - at[dim]);
            isThere &= k % of.dilations[dim] == 0;
            at[dim] = k / of.dilations[dim];
            isThere &= at[dim] < of.kernel[dim];
          }
          int64_t place =
              (((group * inputs + input) * shape[1] + channel) * shape[2] +
               at[0]) *
                  shape[3] +
              at[1];
          if (isThere)
            elements.push_back(from[place]);
          else
            elements.push_back(none(channel));
        }
  }
}

/// What the phases' channels are neighbours of; codes as their storage.
Value Importer::interleaved(Value image, const Phases &phases) {
  auto type = cast<RankedTensorType>(image.getType());
  int64_t batch = type.getDimSize(0), rows = type.getDimSize(1),
          columns = type.getDimSize(2);
  ArrayRef<int64_t> strides = phases.strides;
  int64_t channels = phases.groups * phases.channels;
  if (strides[0] * strides[1] != 1) {
    image = reshaped(image, {batch, rows, columns, phases.groups, strides[0],
                             strides[1], phases.channels});
    image = transposed(image, {0, 1, 4, 2, 5, 3, 6});
  }
  image = reshaped(image,
                   {batch, rows * strides[0], columns * strides[1], channels});
  return extracted(image, {0, phases.start[0], phases.start[1], 0},
                   {batch, phases.size[0], phases.size[1], channels},
                   {1, 1, 1, 1});
}

/// Rows and columns that no window reaches are no negative padding.
Value Importer::withinPadding(Value image, Window &window) {
  SmallVector<int64_t> size(cast<RankedTensorType>(image.getType()).getShape());
  SmallVector<int64_t> start(4, 0);
  bool cuts = false;
  for (unsigned dim : {0, 1}) {
    start[1 + dim] = std::max<int64_t>(-window.before[dim], 0);
    size[1 + dim] -= start[1 + dim] + std::max<int64_t>(-window.after[dim], 0);
    cuts |= window.before[dim] < 0 || window.after[dim] < 0;
    window.before[dim] = std::max<int64_t>(window.before[dim], 0);
    window.after[dim] = std::max<int64_t>(window.after[dim], 0);
  }
  return cuts ? extracted(image, start, size, {1, 1, 1, 1}) : image;
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static LogicalResult checkRanks(const Node &node, const Known &input,
                                const Known &weights) {
  size_t rank = input.shape.size();
  if (rank != 3 && rank != 4)
    return node.emitInputError(0)
           << "has shape " << shapeText(input.shape)
           << ", supported is 1-D and 2-D convolution (rank 3 and 4)";
  if (weights.shape.size() != rank || !elementCount(weights.shape) ||
      *elementCount(weights.shape) == 0)
    return node.emitInputError(1)
           << "has shape " << shapeText(weights.shape) << ", expected rank "
           << rank << " and something to sum";
  return success();
}

/// As of an image.
static SmallVector<int64_t> imageShape(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> result(shape);
  if (shape.size() == 3)
    result.insert(result.begin() + 2, 1);
  return result;
}

LogicalResult Importer::importConvTranspose(const Node &node) {
  FailureOr<bool> accumulates = accumulatesCodes(node);
  if (failed(accumulates))
    return failure();
  if (!*accumulates)
    return importRealConvTranspose(node);
  FailureOr<Known *> input = activations(node), given = lookup(node, 1);
  if (failed(input) || failed(given) ||
      failed(checkRanks(node, **input, **given)))
    return failure();
  const Quantization &quantization = (*given)->quantization;
  if (!quantization.isPerTensor() && quantization.axis != 1)
    return node.emitInputError(1)
           << "has scales along axis " << quantization.axis
           << ", supported is the output channel, axis 1";
  Known pixels = asImage(**input);
  SmallVector<int64_t> shape = imageShape((*given)->shape);
  FailureOr<Transposition> of = transposition(node, pixels.shape, shape);
  if (failed(of))
    return failure();
  auto own = [&](int64_t channel) {
    return quantization.isPerTensor() ? 0 : channel;
  };
  // The same codes as weights of a convolution.
  Tensor codes;
  codes.type = (*given)->constant->type;
  phasedWeights(
      *of, shape, (*given)->constant->ints,
      [&](int64_t channel) { return quantization.zeroPoints[own(channel)]; },
      codes, codes.ints);
  Known known = constantOf(std::move(codes));
  known.kind = Known::Dequantized;
  known.format = (*given)->format;
  known.quantization = quantization;
  if (!quantization.isPerTensor()) {
    known.quantization = Quantization();
    for (int64_t index = 0; index < known.shape[0]; ++index) {
      size_t channel = index % of->phases.channels;
      known.quantization.scales.push_back(quantization.scales[channel]);
      known.quantization.zeroPoints.push_back(quantization.zeroPoints[channel]);
    }
  }
  FailureOr<Weights> weights = this->weights(node, known, channelsToLast(4), 0);
  if (failed(weights))
    return failure();
  Value image = withinPadding(storage(get(pixels, Layout::ChannelsLast)),
                              of->geometry.window);
  ArrayRef<int64_t> physical =
      cast<RankedTensorType>(image.getType()).getShape();
  Known within =
      moved(pixels, {physical[0], physical[3], physical[1], physical[2]},
            Layout::ChannelsLast, image);
  FailureOr<Known> result =
      convolutionOfCodes(node, within, *weights, of->geometry);
  if (failed(result))
    return failure();
  result->shape = of->shape;
  if ((*input)->shape.size() == 3)
    result->shape.erase(result->shape.begin() + 2);
  result->sums.phases = of->phases;
  if (failed(addBiasInput(node, 2, result->sums)))
    return failure();
  define(node, std::move(*result));
  return success();
}

LogicalResult Importer::importRealConvTranspose(const Node &node) {
  FailureOr<Known *> input = real(node, 0), other = lookup(node, 1);
  if (failed(input) || failed(other) ||
      failed(checkRanks(node, **input, **other)))
    return failure();
  size_t rank = (*input)->shape.size();
  FailureOr<Tensor> given = realWeights(node, 1, rank);
  if (failed(given))
    return failure();
  Known from = rank == 4 ? **input : asImage(**input);
  SmallVector<int64_t> shape = imageShape(given->shape);
  FailureOr<Transposition> of = transposition(node, from.shape, shape);
  if (failed(of))
    return failure();
  FailureOr<Tensor> bias = realBias(node, 2, of->shape[1]);
  if (failed(bias))
    return failure();
  Tensor weights;
  phasedWeights(
      *of, shape, given->floats, [](int64_t) { return 0.0f; }, weights,
      weights.floats);
  std::vector<float> biases;
  for (int64_t index = 0; index < weights.shape[0]; ++index)
    biases.push_back(bias->floats[of->phases.channelOf(index)]);
  Value pixels =
      withinPadding(get(rank == 4 ? **input : from, Layout::ChannelsLast),
                    of->geometry.window);
  Value image = convolution(node, pixels, transpose(weights, channelsToLast(4)),
                            biases, of->geometry);
  Known result{Known::Real, of->shape};
  result.layouts.channelsLast = interleaved(image, of->phases);
  define(node, fromImage(result, rank));
  return success();
}
