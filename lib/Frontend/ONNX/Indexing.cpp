//===- Indexing.cpp - Operators that move elements -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is only moved stays what it is: codes stay codes of their quantization.
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

FailureOr<Known> Importer::movable(const Node &node, unsigned index) {
  FailureOr<Known *> found = lookup(node, index);
  if (failed(found))
    return failure();
  Known &known = **found;
  if (known.kind == Known::Constant && !known.constant->isFloat()) {
    Known result = unset(known.constant->type, known.shape);
    result.layouts.plain = emitted(known, Layout::Plain);
    return result;
  }
  if (known.isConstant() || known.kind == Known::Accumulated)
    return *emitReal(known);
  return known;
}

Known Importer::moved(const Known &known, ArrayRef<int64_t> shape,
                      Layout layout, Value value) {
  Known result = known;
  result.shape.assign(shape.begin(), shape.end());
  result.real = nullptr;
  result.layouts = Layouts();
  set(result.layouts, layout, value);
  return result;
}

/// A constant vector of INT32 or INT64.
FailureOr<SmallVector<int64_t>>
Importer::integersInput(const Node &node, unsigned index, StringRef what) {
  auto found = constantInput(node, index, what);
  if (failed(found))
    return failure();
  const Tensor &tensor = **found;
  bool isInteger =
      tensor.type == ElementType::Int64 || tensor.type == ElementType::Int32;
  if (!isInteger || tensor.shape.size() > 1) {
    node.emitInputError(index)
        << "has type " << toString(tensor.type) << " and shape "
        << shapeText(tensor.shape) << ", expected a vector of INT64";
    return failure();
  }
  return SmallVector<int64_t>(tensor.ints.begin(), tensor.ints.end());
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value Importer::extracted(Value value, ArrayRef<int64_t> starts,
                          ArrayRef<int64_t> sizes, ArrayRef<int64_t> steps) {
  bool isDense = llvm::all_of(steps, [](int64_t step) { return step == 1; });
  if (isDense && typeOf(value).getElementType().isF32())
    return sliced(value, starts, sizes);
  auto indices = [&](ArrayRef<int64_t> values) {
    return getAsIndexOpFoldResult(b.getContext(), values);
  };
  return tensor::ExtractSliceOp::create(b, value, indices(starts),
                                        indices(sizes), indices(steps));
}

Value Importer::indexed(ArrayRef<int64_t> shape, Type element, Body body) {
  return elementwise({}, {}, shape, element,
                     [&](ImplicitLocOpBuilder &inner, ValueRange) {
                       SmallVector<Value> indices;
                       for (size_t dim = 0; dim < shape.size(); ++dim)
                         indices.push_back(linalg::IndexOp::create(inner, dim));
                       return body(inner, indices);
                     });
}

/// Repeats `value` along its dimensions of size 1 and in front of them.
Value Importer::broadcastValue(Value value, ArrayRef<int64_t> shape) {
  auto type = typeOf(value);
  if (type.getShape() == shape)
    return value;
  size_t offset = shape.size() - type.getRank();
  SmallVector<AffineExpr> dims;
  for (auto [dim, size] : llvm::enumerate(type.getShape()))
    dims.push_back(size == 1 ? b.getAffineConstantExpr(0)
                             : b.getAffineDimExpr(offset + dim));
  auto map = AffineMap::get(shape.size(), 0, dims, b.getContext());
  return elementwise(
      {value}, {map}, shape, type.getElementType(),
      [](ImplicitLocOpBuilder &, ValueRange in) { return in[0]; });
}

//===----------------------------------------------------------------------===//
// Slice and Split
//===----------------------------------------------------------------------===//

/// What a Slice takes of one dimension of `size`.
static SliceRange sliceRange(int64_t size, int64_t start, int64_t end,
                             int64_t step) {
  // Ends far beyond the dimension must not overflow.
  constexpr int64_t kFar = int64_t(1) << 40;
  auto within = [&](int64_t value, int64_t lo, int64_t hi) {
    value = std::clamp(value, -kFar, kFar);
    return std::clamp(value < 0 ? value + size : value, lo, hi);
  };
  SliceRange range;
  range.step = step;
  if (size == 0)
    return range;
  if (step > 0) {
    range.start = within(start, 0, size);
    range.count = (within(end, 0, size) - range.start + step - 1) / step;
  } else {
    range.start = within(start, 0, size - 1);
    range.count = (range.start - within(end, -1, size - 1) - step - 1) / -step;
  }
  range.count = std::max<int64_t>(range.count, 0);
  return range;
}

static FailureOr<SmallVector<SliceRange>>
sliceRanges(const Node &node, ArrayRef<int64_t> shape, ArrayRef<int64_t> starts,
            ArrayRef<int64_t> ends, SmallVector<int64_t> axes,
            SmallVector<int64_t> steps) {
  auto rank = static_cast<int64_t>(shape.size());
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    node.emitError() << "has " << starts.size() << " starts, " << ends.size()
                     << " ends, " << axes.size() << " axes and " << steps.size()
                     << " steps";
    return failure();
  }
  SmallVector<SliceRange> ranges;
  for (int64_t size : shape)
    ranges.push_back({0, size, 1});
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank || steps[i] == 0) {
      node.emitError() << "axis " << axes[i] << " with step " << steps[i]
                       << " cannot be taken of the shape " << shapeText(shape);
      return failure();
    }
    // No dimension is longer than 2^31: a longer step is that one.
    constexpr int64_t kLongest = int64_t(1) << 31;
    ranges[axis] = sliceRange(shape[axis], starts[i], ends[i],
                              std::clamp(steps[i], -kLongest, kLongest));
  }
  return ranges;
}

/// starts, ends, and perhaps axes and steps.
FailureOr<SmallVector<SliceRange>>
Importer::sliceInputs(const Node &node, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> given[4];
  static constexpr StringLiteral names[] = {"starts", "ends", "axes", "steps"};
  for (unsigned index = 1; index <= 4; ++index) {
    if (index > 2 && !node.hasInput(index))
      continue;
    auto values = integersInput(node, index, names[index - 1]);
    if (failed(values))
      return failure();
    given[index - 1] = *values;
  }
  return sliceRanges(node, shape, given[0], given[1], given[2], given[3]);
}

/// What `ranges` take of the value in that layout. Backwards: the last element
/// that is taken comes first, then all is turned.
Value Importer::taken(Value value, Layout layout, ArrayRef<SliceRange> ranges) {
  size_t rank = ranges.size();
  SmallVector<int64_t> from(rank), sizes(rank), steps(rank);
  SmallVector<bool> turned(rank);
  for (auto [dim, range] : llvm::enumerate(ranges)) {
    int64_t place = dimensionIn(layout, dim, rank);
    sizes[place] = range.count;
    turned[place] = range.step < 0;
    steps[place] = std::abs(range.step);
    from[place] = range.step < 0 ? range.start + (range.count - 1) * range.step
                                 : range.start;
  }
  value = extracted(value, from, sizes, steps);
  if (!llvm::is_contained(turned, true))
    return value;
  return indexed(
      sizes, typeOf(value).getElementType(),
      [&](ImplicitLocOpBuilder &inner, ValueRange indices) -> Value {
        SmallVector<Value> at(indices);
        for (auto [dim, index] : llvm::enumerate(at))
          if (turned[dim])
            index = arith::SubIOp::create(
                inner, arith::ConstantIndexOp::create(inner, sizes[dim] - 1),
                index);
        return tensor::ExtractOp::create(inner, value, at);
      });
}

LogicalResult Importer::importSlice(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(found))
    return failure();
  auto ranges = sliceInputs(node, (*found)->shape);
  if (failed(ranges))
    return failure();
  SmallVector<int64_t> shape = llvm::map_to_vector(
      *ranges, [](SliceRange range) { return range.count; });
  if ((*found)->kind == Known::Constant) {
    const Tensor &tensor = *(*found)->constant;
    SmallVector<int64_t> strides = stridesOf(tensor.shape);
    define(node,
           constantOf(rearranged(tensor, shape, [&](ArrayRef<int64_t> index) {
             int64_t at = 0;
             for (auto [dim, range] : llvm::enumerate(*ranges))
               at += (range.start + index[dim] * range.step) * strides[dim];
             return at;
           })));
    return success();
  }
  if (failed(checkSize(node, shape)))
    return failure();
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  bool isWhole =
      llvm::all_of(*ranges, [](SliceRange range) { return range.step == 1; }) &&
      ArrayRef(shape) == ArrayRef<int64_t>(input->shape);
  if (isWhole) {
    define(node, *input);
    return success();
  }
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  Value value = taken(storage(get(*input, layout)), layout, *ranges);
  define(node, moved(*input, shape, layout, value));
  return success();
}

LogicalResult Importer::importSplit(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  int64_t rank = input->shape.size(), parts = node.proto->output_size();
  FailureOr<int64_t> axis = axisAttribute(node, 0, rank);
  if (failed(axis))
    return failure();
  if (int64_t wanted = node.integer("num_outputs", parts); wanted != parts)
    return node.emitError() << "num_outputs is " << wanted << ", and it has "
                            << parts << " outputs";
  int64_t size = input->shape[*axis];
  SmallVector<int64_t> sizes = node.integers("split", {});
  if (node.hasInput(1)) {
    auto found = integersInput(node, 1, "split");
    if (failed(found))
      return failure();
    sizes = *found;
  }
  if (sizes.empty()) {
    int64_t each = (size + parts - 1) / parts;
    sizes.assign(parts, each);
    sizes.back() = size - each * (parts - 1);
  }
  if (static_cast<int64_t>(sizes.size()) != parts ||
      llvm::any_of(sizes,
                   [](int64_t size) { return size < 1 || size > INT32_MAX; }) ||
      std::accumulate(sizes.begin(), sizes.end(), int64_t(0)) != size)
    return node.emitError()
           << "the parts [" << ArrayRef(sizes) << "] for " << parts
           << " outputs are not the size " << size << " of axis " << *axis;
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  Value value = storage(get(*input, layout));
  int64_t place = dimensionIn(layout, *axis, rank);
  SmallVector<int64_t> start(rank, 0), shape(input->shape);
  for (auto [part, length] : llvm::enumerate(sizes)) {
    shape[*axis] = length;
    Value slice = extracted(value, start, physicalShape(shape, layout),
                            SmallVector<int64_t>(rank, 1));
    define(node, moved(*input, shape, layout, slice), part);
    start[place] += length;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Concat
//===----------------------------------------------------------------------===//

/// Integers of one type, or else real numbers.
FailureOr<std::vector<Known>> Importer::concatInputs(const Node &node) {
  std::vector<Known> inputs;
  std::optional<ElementType> type;
  for (int index = 0; index < node.proto->input_size(); ++index) {
    FailureOr<Known *> input = lookup(node, index);
    if (failed(input))
      return failure();
    if (type && *type != elementTypeOf(**input)) {
      node.emitInputError(index)
          << "holds elements of type " << toString(elementTypeOf(**input))
          << ", the others of " << toString(*type);
      return failure();
    }
    type = elementTypeOf(**input);
    if (*type == ElementType::Float) {
      inputs.push_back(*emitReal(**input));
      continue;
    }
    FailureOr<Known> codes = movable(node, index);
    if (failed(codes))
      return failure();
    inputs.push_back(std::move(*codes));
  }
  return inputs;
}

/// The shape of the parts one after the other.
static FailureOr<SmallVector<int64_t>>
concatShape(const Node &node, ArrayRef<Known> inputs, int64_t axis) {
  SmallVector<int64_t> shape(inputs.front().shape);
  for (auto [index, input] : llvm::enumerate(inputs)) {
    SmallVector<int64_t> expected(shape);
    if (input.shape.size() == shape.size())
      expected[axis] = input.shape[axis];
    if (expected != input.shape) {
      node.emitInputError(index)
          << "has shape " << shapeText(input.shape) << ", beside "
          << shapeText(inputs.front().shape) << " along axis " << axis;
      return failure();
    }
    if (index)
      shape[axis] += input.shape[axis];
  }
  return shape;
}

Value Importer::concatenated(ArrayRef<Value> values, RankedTensorType type,
                             int64_t axis) {
  if (type.getElementType().isF32())
    return tosa::ConcatOp::create(b, type, values, b.getI32IntegerAttr(axis));
  Value joined =
      tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  SmallVector<OpFoldResult> at(type.getRank(), b.getIndexAttr(0)),
      ones(type.getRank(), b.getIndexAttr(1));
  int64_t begin = 0;
  for (Value value : values) {
    at[axis] = b.getIndexAttr(begin);
    joined = tensor::InsertSliceOp::create(
        b, value, joined, at,
        getAsIndexOpFoldResult(b.getContext(), typeOf(value).getShape()), ones);
    begin += typeOf(value).getDimSize(axis);
  }
  return joined;
}

LogicalResult Importer::importConcat(const Node &node) {
  FailureOr<std::vector<Known>> inputs = concatInputs(node);
  if (failed(inputs))
    return failure();
  if (!node.find("axis"))
    return node.emitError() << "has no axis";
  auto rank = static_cast<int64_t>(inputs->front().shape.size());
  FailureOr<int64_t> axis = axisAttribute(node, 0, rank);
  if (failed(axis))
    return failure();
  FailureOr<SmallVector<int64_t>> shape = concatShape(node, *inputs, *axis);
  if (failed(shape) || failed(checkSize(node, *shape)))
    return failure();
  bool isImage = rank > 2 && llvm::all_of(*inputs, [](const Known &input) {
                   return input.layouts.channelsLast != nullptr;
                 });
  Layout layout = isImage ? Layout::ChannelsLast : Layout::Plain;
  ElementType type = elementTypeOf(inputs->front());
  Known result = unset(type, *shape);
  a2q::Range range = inputs->front().format.range;
  SmallVector<Value> values;
  for (Known &input : *inputs) {
    range = {std::min(range.lo, input.format.range.lo),
             std::max(range.hi, input.format.range.hi)};
    values.push_back(storage(get(input, layout)));
  }
  if (type != ElementType::Float)
    result.format.range = range;
  auto resultType =
      RankedTensorType::get(physicalShape(*shape, layout), storedType(type));
  set(result.layouts, layout,
      concatenated(values, resultType, dimensionIn(layout, *axis, rank)));
  define(node, std::move(result));
  return success();
}
