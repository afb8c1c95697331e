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

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

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
    if (axis < 0 || axis >= rank || steps[i] == 0 ||
        std::abs(steps[i]) > INT32_MAX) {
      node.emitError() << "axis " << axes[i] << " with step " << steps[i]
                       << " cannot be taken of the shape " << shapeText(shape);
      return failure();
    }
    ranges[axis] = sliceRange(shape[axis], starts[i], ends[i], steps[i]);
  }
  return ranges;
}

LogicalResult Importer::importSlice(const Node &node) {
  FailureOr<Known *> found = lookup(node, 0);
  auto starts = integersInput(node, 1, "starts");
  auto ends = integersInput(node, 2, "ends");
  if (failed(found) || failed(starts) || failed(ends))
    return failure();
  SmallVector<int64_t> optional[2];
  for (unsigned index : {3, 4}) {
    if (!node.hasInput(index))
      continue;
    auto values = integersInput(node, index, index == 3 ? "axes" : "steps");
    if (failed(values))
      return failure();
    optional[index - 3] = *values;
  }
  auto ranges = sliceRanges(node, (*found)->shape, *starts, *ends, optional[0],
                            optional[1]);
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
  Value value = storage(get(*input, layout));
  // Backwards: the last element that is taken comes first, then all is turned.
  SmallVector<int64_t> from, sizes, steps;
  SmallVector<bool> turned;
  SmallVector<int64_t> physical = physicalShape(shape, layout);
  from.resize(physical.size());
  sizes = physical;
  steps.assign(physical.size(), 1);
  turned.assign(physical.size(), false);
  for (auto [dim, range] : llvm::enumerate(*ranges)) {
    int64_t place = dimensionIn(layout, dim, shape.size());
    turned[place] = range.step < 0;
    steps[place] = std::abs(range.step);
    from[place] = range.step < 0 ? range.start + (range.count - 1) * range.step
                                 : range.start;
  }
  value = extracted(value, from, sizes, steps);
  if (llvm::is_contained(turned, true))
    value = indexed(
        physical, typeOf(value).getElementType(),
        [&](ImplicitLocOpBuilder &inner, ValueRange indices) -> Value {
          SmallVector<Value> at(indices);
          for (auto [dim, index] : llvm::enumerate(at))
            if (turned[dim])
              index = arith::SubIOp::create(
                  inner,
                  arith::ConstantIndexOp::create(inner, physical[dim] - 1),
                  index);
          return tensor::ExtractOp::create(inner, value, at);
        });
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
LogicalResult Importer::importConcat(const Node &node) {
  std::vector<Known> inputs;
  std::optional<ElementType> type;
  for (int index = 0; index < node.proto->input_size(); ++index) {
    FailureOr<Known *> input = lookup(node, index);
    if (failed(input))
      return failure();
    if (type && *type != elementTypeOf(**input))
      return node.emitInputError(index)
             << "holds elements of type " << toString(elementTypeOf(**input))
             << ", the others of " << toString(*type);
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
  SmallVector<int64_t> shape(inputs.front().shape);
  auto rank = static_cast<int64_t>(shape.size());
  if (!node.find("axis"))
    return node.emitError() << "has no axis";
  FailureOr<int64_t> axis = axisAttribute(node, 0, rank);
  if (failed(axis))
    return failure();
  bool isImage = rank > 2;
  for (auto [index, input] : llvm::enumerate(inputs)) {
    SmallVector<int64_t> expected(shape);
    if (static_cast<int64_t>(input.shape.size()) == rank)
      expected[*axis] = input.shape[*axis];
    if (expected != input.shape)
      return node.emitInputError(index)
             << "has shape " << shapeText(input.shape) << ", beside "
             << shapeText(inputs.front().shape) << " along axis " << *axis;
    if (index)
      shape[*axis] += input.shape[*axis];
    isImage &= input.layouts.channelsLast != nullptr;
  }
  if (failed(checkSize(node, shape)))
    return failure();
  Layout layout = isImage ? Layout::ChannelsLast : Layout::Plain;
  int64_t place = dimensionIn(layout, *axis, rank);
  Known result = unset(*type, shape);
  if (*type != ElementType::Float) {
    a2q::Range range = inputs.front().format.range;
    for (const Known &input : inputs)
      range = {std::min(range.lo, input.format.range.lo),
               std::max(range.hi, input.format.range.hi)};
    result.format.range = range;
  }
  SmallVector<Value> values;
  for (Known &input : inputs)
    values.push_back(storage(get(input, layout)));
  auto resultType =
      RankedTensorType::get(physicalShape(shape, layout), storedType(*type));
  Value joined;
  if (*type == ElementType::Float) {
    joined = tosa::ConcatOp::create(b, resultType, values,
                                    b.getI32IntegerAttr(place));
  } else {
    joined = tensor::EmptyOp::create(b, resultType.getShape(),
                                     resultType.getElementType());
    SmallVector<OpFoldResult> at(rank, b.getIndexAttr(0)),
        ones(rank, b.getIndexAttr(1));
    int64_t begin = 0;
    for (Value value : values) {
      at[place] = b.getIndexAttr(begin);
      joined = tensor::InsertSliceOp::create(
          b, value, joined, at,
          getAsIndexOpFoldResult(b.getContext(), typeOf(value).getShape()),
          ones);
      begin += typeOf(value).getDimSize(place);
    }
  }
  set(result.layouts, layout, joined);
  define(node, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Gather, Expand, Tile
//===----------------------------------------------------------------------===//

/// An argument of the function promises to hold only indices of that dimension,
/// which programs and tools check before they run.
static void promiseIndices(Value value, int64_t size) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return;
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  unsigned number = argument.getArgNumber();
  StringRef name = A2QDialect::getRangeAttrName();
  int64_t lo = -size, hi = size - 1;
  if (auto before = function.getArgAttrOfType<ArrayAttr>(number, name)) {
    lo = std::max(lo, cast<IntegerAttr>(before[0]).getInt());
    hi = std::min(hi, cast<IntegerAttr>(before[1]).getInt());
  }
  function.setArgAttr(number, name,
                      Builder(function.getContext()).getI64ArrayAttr({lo, hi}));
}

/// Negative indices count from the end. The standard forbids what is outside of
/// the dimension: inputs of the network that hold such indices are refused, and
/// those that are computed take the first or the last element.
LogicalResult Importer::importGather(const Node &node) {
  FailureOr<Known *> source = lookup(node, 0), places = lookup(node, 1);
  if (failed(source) || failed(places))
    return failure();
  bool hasVector = (*places)->kind == Known::Constant &&
                   !(*places)->constant->isFloat() &&
                   (*places)->shape.size() == 1 && !(*source)->isConstant();
  if (hasVector)
    return gatherConstantIndices(node);
  FailureOr<Known> data = movable(node, 0), indices = movable(node, 1);
  if (failed(data) || failed(indices))
    return failure();
  ElementType type = elementTypeOf(*indices);
  if (type != ElementType::Int32 && type != ElementType::Int64)
    return node.emitInputError(1) << "holds elements of type " << toString(type)
                                  << ", expected INT32 or INT64";
  FailureOr<int64_t> found = axisAttribute(node, 0, data->shape.size());
  if (failed(found))
    return failure();
  size_t axis = *found, count = indices->shape.size();
  SmallVector<int64_t> shape(ArrayRef(data->shape).take_front(axis));
  llvm::append_range(shape, indices->shape);
  llvm::append_range(shape, ArrayRef(data->shape).drop_front(axis + 1));
  if (failed(checkSize(node, shape)))
    return failure();
  int64_t size = data->shape[axis];
  Value from = storage(get(*data, Layout::Plain));
  Value where = storage(get(*indices, Layout::Plain));
  promiseIndices(where, size);
  Value value = indexed(
      shape, typeOf(from).getElementType(),
      [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
        auto constant = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(inner, value);
        };
        Value index =
            tensor::ExtractOp::create(inner, where, at.slice(axis, count));
        index = arith::IndexCastOp::create(inner, inner.getIndexType(), index);
        Value isNegative = arith::CmpIOp::create(
            inner, arith::CmpIPredicate::slt, index, constant(0));
        Value fromEnd = arith::AddIOp::create(inner, index, constant(size));
        index = arith::SelectOp::create(inner, isNegative, fromEnd, index);
        index = arith::MaxSIOp::create(inner, index, constant(0));
        index = arith::MinSIOp::create(inner, index, constant(size - 1));
        SmallVector<Value> place(at.take_front(axis));
        place.push_back(index);
        llvm::append_range(place, at.drop_front(axis + count));
        return tensor::ExtractOp::create(inner, from, place);
      });
  define(node, moved(*data, shape, Layout::Plain, value));
  return success();
}

LogicalResult Importer::importExpand(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  auto sizes = integersInput(node, 1, "shape");
  if (failed(input) || failed(sizes))
    return failure();
  auto shape = broadcastShapes(input->shape, *sizes);
  if (!shape)
    return node.emitError() << "shapes " << shapeText(input->shape) << " and "
                            << shapeText(*sizes) << " do not broadcast";
  if (failed(checkSize(node, *shape)))
    return failure();
  if (ArrayRef<int64_t>(*shape) == ArrayRef<int64_t>(input->shape)) {
    define(node, *input);
    return success();
  }
  Value value = broadcastValue(storage(get(*input, Layout::Plain)), *shape);
  define(node, moved(*input, *shape, Layout::Plain, value));
  return success();
}

LogicalResult Importer::importTile(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  auto repeats = integersInput(node, 1, "repeats");
  if (failed(input) || failed(repeats))
    return failure();
  if (repeats->size() != input->shape.size())
    return node.emitInputError(1)
           << "has " << repeats->size() << " elements for a shape of rank "
           << input->shape.size();
  SmallVector<int64_t> shape(input->shape);
  for (auto [size, times] : llvm::zip(shape, *repeats))
    size = times < 1 || times > INT32_MAX ? 0 : size * times;
  if (failed(checkSize(node, shape)))
    return failure();
  Value from = storage(get(*input, Layout::Plain));
  Value value = indexed(
      shape, typeOf(from).getElementType(),
      [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
        SmallVector<Value> place;
        for (auto [index, size] : llvm::zip(at, input->shape))
          place.push_back(arith::RemUIOp::create(
              inner, index, arith::ConstantIndexOp::create(inner, size)));
        return tensor::ExtractOp::create(inner, from, place);
      });
  define(node, moved(*input, shape, Layout::Plain, value));
  return success();
}

//===----------------------------------------------------------------------===//
// Pad
//===----------------------------------------------------------------------===//

/// The position in a dimension of `size` that lies `index` - `before` from its
/// begin; beyond the ends the nearest, or the mirrored one.
static Value insidePosition(ImplicitLocOpBuilder &b, Value index,
                            int64_t before, int64_t size, bool mirrors) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Value at = arith::SubIOp::create(b, index, constant(before));
  if (mirrors) {
    at = arith::MaxSIOp::create(b, at,
                                arith::SubIOp::create(b, constant(0), at));
    return arith::MinSIOp::create(
        b, at, arith::SubIOp::create(b, constant(2 * (size - 1)), at));
  }
  at = arith::MaxSIOp::create(b, at, constant(0));
  return arith::MinSIOp::create(b, at, constant(size - 1));
}

LogicalResult Importer::importPad(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  auto given = integersInput(node, 1, "pads");
  if (failed(input) || failed(given))
    return failure();
  int64_t rank = input->shape.size();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (node.hasInput(3)) {
    auto found = axesInput(node, rank, 3);
    if (failed(found))
      return failure();
    axes = *found;
  }
  StringRef mode = node.string("mode", "constant");
  bool isConstant = mode == "constant", mirrors = mode == "reflect";
  if (!isConstant && !mirrors && mode != "edge")
    return node.emitError() << "mode '" << mode
                            << "' is not supported, only constant, edge and "
                               "reflect";
  if (given->size() != 2 * axes.size())
    return node.emitInputError(1) << "has " << given->size() << " elements for "
                                  << axes.size() << " axes";
  SmallVector<int64_t> before(rank, 0), after(rank, 0), shape(input->shape);
  for (auto [index, axis] : llvm::enumerate(axes)) {
    before[axis] = (*given)[index];
    after[axis] = (*given)[axes.size() + index];
    int64_t most = mirrors ? shape[axis] - 1 : INT32_MAX;
    for (int64_t pad : {before[axis], after[axis]})
      if (pad < 0 || pad > most)
        return node.emitInputError(1)
               << "pads axis " << axis << " of size " << shape[axis] << " by "
               << pad << ", supported is 0 to " << most;
    shape[axis] += before[axis] + after[axis];
  }
  if (failed(checkSize(node, shape)))
    return failure();
  if (input->kind == Known::Dequantized)
    input = *emitReal(*input);
  Value from = storage(get(*input, Layout::Plain));
  Type element = typeOf(from).getElementType();
  if (!isConstant) {
    Value value =
        indexed(shape, element,
                [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
                  SmallVector<Value> place;
                  for (int64_t dim = 0; dim < rank; ++dim)
                    place.push_back(insidePosition(inner, at[dim], before[dim],
                                                   input->shape[dim], mirrors));
                  return tensor::ExtractOp::create(inner, from, place);
                });
    define(node, moved(*input, shape, Layout::Plain, value));
    return success();
  }
  bool isReal = element.isF32();
  Value border =
      isReal ? scalar(0.0f) : scalar(0, element.getIntOrFloatBitWidth());
  if (node.hasInput(2)) {
    auto value = constantInput(node, 2, "value");
    if (failed(value))
      return failure();
    if ((*value)->type != elementTypeOf(*input) || (*value)->size() != 1)
      return node.emitInputError(2)
             << "must be one " << toString(elementTypeOf(*input));
    border = isReal ? scalar((*value)->floats.front())
                    : scalar((*value)->ints.front(),
                             element.getIntOrFloatBitWidth());
    if (!isReal) {
      a2q::Range &range = input->format.range;
      range = {std::min(range.lo, (*value)->ints.front()),
               std::max(range.hi, (*value)->ints.front())};
    }
  } else if (!isReal) {
    a2q::Range &range = input->format.range;
    range = {std::min<int64_t>(range.lo, 0), std::max<int64_t>(range.hi, 0)};
  }
  Value value = tensor::PadOp::create(
      b, typeOf(from).clone(shape), from,
      getAsIndexOpFoldResult(b.getContext(), before),
      getAsIndexOpFoldResult(b.getContext(), after), border);
  define(node, moved(*input, shape, Layout::Plain, value));
  return success();
}
