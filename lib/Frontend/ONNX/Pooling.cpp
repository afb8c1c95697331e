//===- Pooling.cpp - Pooling, and the windows of pooling and convolution -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

bool Window::isDilated() const {
  return llvm::any_of(dilations, [](int64_t size) { return size != 1; });
}

bool Window::hasPadding() const {
  return llvm::any_of(padding(), [](int64_t size) { return size != 0; });
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<int64_t>>
frontend::sizesAttribute(const Node &node, StringRef name,
                         ArrayRef<int64_t> otherwise, int64_t least,
                         unsigned dims) {
  constexpr int64_t kMost = int64_t(1) << 20;
  SmallVector<int64_t> values = node.integers(name, otherwise);
  if (values.size() != otherwise.size() ||
      llvm::any_of(values, [&](int64_t value) { return value < least; })) {
    node.emitError() << name << " [" << ArrayRef(values) << "] must be "
                     << otherwise.size() << " integers of at least " << least
                     << " (" << dims << "-D)";
    return failure();
  }
  const int64_t *largest = llvm::max_element(values);
  if (largest != values.end() && *largest > kMost) {
    node.emitError() << name << " [" << ArrayRef(values) << "] holds "
                     << *largest << ", the most is " << kMost;
    return failure();
  }
  return values;
}

/// Where a window of the kernel's size stands on an image: strides, dilations,
/// and padding by `pads` or `auto_pad`.
FailureOr<Window> Importer::window(const Node &node, ArrayRef<int64_t> image,
                                   ArrayRef<int64_t> kernel, unsigned dims) {
  SmallVector<int64_t> ones(dims, 1), zeros(2 * dims, 0);
  auto kernelShape =
      sizesAttribute(node, "kernel_shape", kernel.take_back(dims), 1, dims);
  auto strides = sizesAttribute(node, "strides", ones, 1, dims);
  if (failed(kernelShape) || failed(strides))
    return failure();
  auto dilations = sizesAttribute(node, "dilations", ones, 1, dims);
  if (failed(dilations))
    return failure();
  auto pads = sizesAttribute(node, "pads", zeros, 0, dims);
  if (failed(pads))
    return failure();
  if (dims == 1) {
    for (auto *values : {&*kernelShape, &*strides, &*dilations})
      values->insert(values->begin(), 1);
    *pads = {0, (*pads)[0], 0, (*pads)[1]};
  }
  StringRef mode = node.string("auto_pad", "NOTSET");
  bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  if (!same && mode != "VALID" && mode != "NOTSET") {
    node.emitError() << "auto_pad '" << mode << "' is not supported";
    return failure();
  }
  bool roundsUp = mode == "NOTSET" && node.integer("ceil_mode", 0) != 0;
  Window window{*kernelShape, *strides, *dilations, {}, {}, {}};
  for (unsigned dim : {0, 1}) {
    int64_t stride = window.strides[dim];
    int64_t span = (window.kernel[dim] - 1) * window.dilations[dim] + 1;
    int64_t before = mode == "NOTSET" ? (*pads)[dim] : 0;
    int64_t after = mode == "NOTSET" ? (*pads)[2 + dim] : 0;
    if (same) {
      int64_t positions = (image[dim] + stride - 1) / stride;
      int64_t total =
          std::max<int64_t>((positions - 1) * stride + span - image[dim], 0);
      before = mode == "SAME_LOWER" ? total - total / 2 : total / 2;
      after = total - before;
    }
    int64_t padded = image[dim] + before + after;
    if (span > padded) {
      node.emitError() << "the kernel spans " << span
                       << " positions, the padded image has " << padded;
      return failure();
    }
    window.before.push_back(before);
    window.after.push_back(after);
    int64_t out = (padded - span) / stride + 1;
    // One more window, if it begins before the padding at the end.
    if (roundsUp && (padded - span) % stride != 0 &&
        out * stride < image[dim] + before) {
      window.beyond[dim] = out * stride + span - padded;
      window.after[dim] += window.beyond[dim];
      ++out;
    }
    window.out.push_back(out);
  }
  return window;
}

/// The window of a pooling operator over the image `input`.
FailureOr<Window> Importer::poolingWindow(const Node &node,
                                          const Known &input) {
  size_t rank = input.shape.size();
  if (rank != 3 && rank != 4) {
    node.emitInputError(0) << "has shape " << shapeText(input.shape)
                           << ", supported is 1-D and 2-D pooling (rank 3 and "
                              "4)";
    return failure();
  }
  if (!node.find("kernel_shape")) {
    node.emitError() << "has no kernel_shape";
    return failure();
  }
  SmallVector<int64_t> image(ArrayRef(input.shape).drop_front(2));
  if (rank == 3)
    image.insert(image.begin(), 1);
  FailureOr<Window> window = this->window(node, image, {1, 1}, rank - 2);
  if (failed(window))
    return failure();
  for (unsigned dim : {0, 1}) {
    int64_t span = (window->kernel[dim] - 1) * window->dilations[dim] + 1;
    int64_t most =
        std::max(window->before[dim], window->after[dim] - window->beyond[dim]);
    if (most >= span) {
      node.emitError() << "a padding of " << most
                       << " leaves nothing to pool in a kernel that spans "
                       << span;
      return failure();
    }
  }
  return window;
}

Known Importer::asImage(Known &known) {
  if (known.shape.size() != 3)
    return known;
  SmallVector<int64_t> shape = {known.shape[0], known.shape[1], 1,
                                known.shape[2]};
  Value pixels = reshaped(get(known, Layout::ChannelsLast),
                          physicalShape(shape, Layout::ChannelsLast));
  return moved(known, shape, Layout::ChannelsLast, pixels);
}

Known Importer::fromImage(const Known &image, int64_t rank) {
  if (rank == 4)
    return image;
  ArrayRef<int64_t> from = image.shape;
  SmallVector<int64_t> shape = {from[0], from[1], from[3]};
  Value pixels = reshaped(image.layouts.channelsLast,
                          physicalShape(shape, Layout::ChannelsLast));
  return moved(image, shape, Layout::ChannelsLast, pixels);
}

Value Importer::fitted(Value image, Window &window) {
  SmallVector<int64_t> size(cast<RankedTensorType>(image.getType()).getShape());
  bool cuts = false;
  for (unsigned dim : {0, 1}) {
    int64_t span = (window.kernel[dim] - 1) * window.dilations[dim] + 1;
    int64_t covered = (window.out[dim] - 1) * window.strides[dim] + span;
    int64_t rest =
        size[1 + dim] + window.before[dim] + window.after[dim] - covered;
    int64_t ofPadding = std::min(rest, window.after[dim]);
    window.after[dim] -= ofPadding;
    size[1 + dim] -= rest - ofPadding;
    cuts |= rest > ofPadding;
  }
  return cuts ? sliced(image, {0, 0, 0, 0}, size) : image;
}

/// `image` ([N, H, W, C]) with borders of `value` around it.
Value Importer::padded(Value image, const Window &window, Value value) {
  if (!window.hasPadding())
    return image;
  auto type = cast<RankedTensorType>(image.getType());
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<OpFoldResult> low(4, b.getIndexAttr(0)), high = low;
  for (unsigned dim : {0, 1}) {
    shape[1 + dim] += window.before[dim] + window.after[dim];
    low[1 + dim] = b.getIndexAttr(window.before[dim]);
    high[1 + dim] = b.getIndexAttr(window.after[dim]);
  }
  return tensor::PadOp::create(b, type.clone(shape), image, low, high, value);
}

/// The named linalg op over a padded image, its result beginning as `initial`.
template <typename PoolingOp>
Value Importer::pool(Value image, const Window &window, Value initial) {
  auto type = cast<RankedTensorType>(image.getType());
  SmallVector<int64_t> shape = {type.getDimSize(0), window.out[0],
                                window.out[1], type.getDimSize(3)};
  Value empty = tensor::EmptyOp::create(b, shape, type.getElementType());
  Value init = linalg::FillOp::create(b, initial, empty).getResult(0);
  Value kernel =
      tensor::EmptyOp::create(b, window.kernel, type.getElementType());
  auto steps = [&](ArrayRef<int64_t> values) {
    return DenseIntElementsAttr::get(RankedTensorType::get({2}, b.getI64Type()),
                                     values);
  };
  return PoolingOp::create(b, TypeRange{init.getType()},
                           ValueRange{image, kernel}, ValueRange{init},
                           steps(window.strides), steps(window.dilations))
      ->getResult(0);
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// Codes pool as integers of their own signedness, because scales are
/// positive; padding is a code that no other is below.
LogicalResult Importer::importMaxPool(const Node &node) {
  FailureOr<Known *> input = lookup(node, 0);
  if (failed(input))
    return failure();
  bool isCode =
      !(*input)->isConstant() &&
      ((*input)->kind == Known::Codes || (*input)->kind == Known::Dequantized);
  if (!isCode)
    input = real(node, 0);
  if (failed(input))
    return failure();
  FailureOr<Window> window = poolingWindow(node, **input);
  if (failed(window))
    return failure();
  int64_t rank = (*input)->shape.size();
  Known from = asImage(**input), result = from;
  result.real = nullptr;
  result.layouts = Layouts();
  result.shape = {from.shape[0], from.shape[1], window->out[0], window->out[1]};
  Value image = storage(get(from, Layout::ChannelsLast));
  Value pooled;
  if (!isCode && window->isDilated()) {
    Value lowest = scalar(-std::numeric_limits<float>::infinity());
    pooled = pool<linalg::PoolingNhwcMaxOp>(padded(image, *window, lowest),
                                            *window, lowest);
  } else if (!isCode) {
    image = fitted(image, *window);
    auto type = RankedTensorType::get(
        physicalShape(result.shape, Layout::ChannelsLast), b.getF32Type());
    pooled = tosa::MaxPool2dOp::create(b, type, image, window->kernel,
                                       window->strides, window->tosaPadding());
  } else {
    const CodeFormat &format = (*input)->format;
    Value lowest = scalar(format.range.lo, format.storageBits());
    image = padded(image, *window, lowest);
    pooled =
        format.isSigned()
            ? pool<linalg::PoolingNhwcMaxOp>(image, *window, lowest)
            : pool<linalg::PoolingNhwcMaxUnsignedOp>(image, *window, lowest);
  }
  result.layouts.channelsLast = pooled;
  define(node, fromImage(result, rank));
  return success();
}

/// The greatest of each channel; of codes, because their scales are positive.
LogicalResult Importer::importGlobalMaxPool(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  int64_t rank = input->shape.size();
  if (rank < 3)
    return node.emitInputError(0) << "has shape " << shapeText(input->shape)
                                  << ", expected rank 3 or more";
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  SmallVector<int64_t> axes, shape(input->shape);
  for (int64_t dim = 2; dim < rank; ++dim) {
    axes.push_back(dimensionIn(layout, dim, rank));
    shape[dim] = 1;
  }
  bool isReal = input->kind == Known::Real;
  const CodeFormat &format = input->format;
  Value lowest = isReal ? scalar(-std::numeric_limits<float>::infinity())
                        : scalar(format.range.lo, format.storageBits());
  Value most = reduced(
      storage(get(*input, layout)), axes, lowest,
      [&](ImplicitLocOpBuilder &inner, Value element, Value soFar) -> Value {
        if (isReal)
          return arith::MaximumFOp::create(inner, soFar, element);
        if (format.isSigned())
          return arith::MaxSIOp::create(inner, soFar, element);
        return arith::MaxUIOp::create(inner, soFar, element);
      });
  most = reshaped(most, physicalShape(shape, layout));
  define(node, moved(*input, shape, layout, most));
  return success();
}

/// Image positions under each window, [H, W]; padding counts if asked for.
static SmallVector<float>
windowCounts(const Window &window, ArrayRef<int64_t> image, bool countPadding) {
  auto along = [&](unsigned dim, int64_t position) {
    int64_t count = 0;
    for (int64_t k = 0; k < window.kernel[dim]; ++k) {
      int64_t at = position * window.strides[dim] + k * window.dilations[dim] -
                   window.before[dim];
      int64_t after = window.after[dim] - window.beyond[dim];
      count +=
          countPadding ? at < image[dim] + after : at >= 0 && at < image[dim];
    }
    return count;
  };
  SmallVector<float> counts;
  for (int64_t h = 0; h < window.out[0]; ++h)
    for (int64_t w = 0; w < window.out[1]; ++w)
      counts.push_back(static_cast<float>(along(0, h) * along(1, w)));
  return counts;
}

/// Sums in float32, divided by how many positions each window holds.
LogicalResult Importer::average(const Node &node, Known &input, Window window) {
  bool countsPadding = node.integer("count_include_pad", 0) != 0;
  int64_t rank = input.shape.size();
  Known from = asImage(input);
  Known result{Known::Real,
               {from.shape[0], from.shape[1], window.out[0], window.out[1]}};
  Value image = get(from, Layout::ChannelsLast);
  if (!window.isDilated() && !(countsPadding && window.hasPadding())) {
    image = fitted(image, window);
    auto type = RankedTensorType::get(
        physicalShape(result.shape, Layout::ChannelsLast), b.getF32Type());
    result.layouts.channelsLast = tosa::AvgPool2dOp::create(
        b, type, image, b.getDenseI64ArrayAttr(window.kernel),
        b.getDenseI64ArrayAttr(window.strides),
        b.getDenseI64ArrayAttr(window.tosaPadding()),
        TypeAttr::get(b.getF32Type()));
    define(node, fromImage(result, rank));
    return success();
  }
  Value zero = scalar(0.0f);
  image = padded(image, window, zero);
  Value sums = pool<linalg::PoolingNhwcSumOp>(image, window, zero);
  SmallVector<float> counts =
      windowCounts(window, ArrayRef(from.shape).drop_front(2), countsPadding);
  Value divisor = constantTensor(window.out, counts);
  AffineMap position = AffineMap::get(
      4, 0, {b.getAffineDimExpr(1), b.getAffineDimExpr(2)}, b.getContext());
  result.layouts.channelsLast = elementwise(
      {sums, divisor}, {b.getMultiDimIdentityMap(4), position},
      physicalShape(result.shape, Layout::ChannelsLast), b.getF32Type(),
      [](ImplicitLocOpBuilder &builder, ValueRange in) -> Value {
        return arith::DivFOp::create(builder, in[0], in[1]);
      });
  define(node, fromImage(result, rank));
  return success();
}

LogicalResult Importer::importAveragePool(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  FailureOr<Window> window = poolingWindow(node, **input);
  if (failed(window))
    return failure();
  return average(node, **input, *window);
}

LogicalResult Importer::importGlobalAveragePool(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  if (shape.size() != 3 && shape.size() != 4)
    return node.emitInputError(0) << "has shape " << shapeText(shape)
                                  << ", supported is 1-D and 2-D pooling (rank "
                                     "3 and 4)";
  int64_t rows = shape.size() == 4 ? shape[2] : 1;
  Window all{{rows, shape.back()}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}};
  return average(node, **input, all);
}

/// The mean over an image is what some exporters write for a global pool.
LogicalResult Importer::importReduceMean(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  FailureOr<SmallVector<int64_t>> axes = sortedAxesInput(node, shape.size());
  if (failed(axes))
    return failure();
  if (shape.size() != 4 || ArrayRef(*axes) != ArrayRef<int64_t>{2, 3})
    return importReduction(node);
  SmallVector<int64_t> flat = {shape[0], shape[1]};
  Window all{{shape[2], shape[3]}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}};
  if (failed(average(node, **input, all)))
    return failure();
  if (node.integer("keepdims", 1) != 0)
    return success();
  Known pooled = *values[node.output()];
  return reshapeTo(node, pooled, flat);
}
