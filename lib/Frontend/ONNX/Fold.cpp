//===- Fold.cpp - Arithmetic on constant tensors -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Shapes and positions
//===----------------------------------------------------------------------===//

std::optional<SmallVector<int64_t>>
frontend::broadcastShapes(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  SmallVector<int64_t> shape(a);
  size_t offset = a.size() - b.size();
  for (auto [dim, size] : llvm::enumerate(b)) {
    int64_t &result = shape[offset + dim];
    if (result != size && result != 1 && size != 1)
      return std::nullopt;
    result = result == 1 ? size : result;
  }
  return shape;
}

SmallVector<int64_t> frontend::stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;)
    strides[dim - 1] = strides[dim] * shape[dim];
  return strides;
}

Tensor frontend::rearranged(const Tensor &tensor, ArrayRef<int64_t> shape,
                            function_ref<int64_t(ArrayRef<int64_t>)> from) {
  Tensor result;
  result.type = tensor.type;
  result.shape.assign(shape.begin(), shape.end());
  SmallVector<int64_t> index(shape.size(), 0);
  for (int64_t left = *elementCount(shape); left > 0; --left) {
    int64_t at = from(index);
    if (tensor.isFloat())
      result.floats.push_back(tensor.floats[at]);
    else
      result.ints.push_back(tensor.ints[at]);
    for (size_t dim = shape.size(); dim-- > 0;) {
      if (++index[dim] < shape[dim])
        break;
      index[dim] = 0;
    }
  }
  return result;
}

Tensor frontend::broadcastTo(const Tensor &tensor, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides = stridesOf(tensor.shape);
  size_t offset = shape.size() - tensor.shape.size();
  return rearranged(tensor, shape, [&](ArrayRef<int64_t> index) {
    int64_t at = 0;
    for (auto [dim, size] : llvm::enumerate(tensor.shape))
      at += size == 1 ? 0 : index[offset + dim] * strides[dim];
    return at;
  });
}

FailureOr<int64_t> frontend::axisAttribute(const Node &node, int64_t otherwise,
                                           int64_t rank) {
  int64_t axis = node.integer("axis", otherwise);
  if (axis < -rank || axis >= rank) {
    node.emitError() << "axis " << axis << " is outside a shape of rank "
                     << rank;
    return failure();
  }
  return axis < 0 ? axis + rank : axis;
}

/// Whether a constant of that shape is worth its memory: shapes are short, and
/// a small file must not ask for gigabytes.
static bool isModest(ArrayRef<int64_t> shape) {
  constexpr int64_t kMost = int64_t(1) << 22;
  std::optional<int64_t> count = elementCount(shape);
  return count && *count <= kMost;
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

static int64_t wrapped(ElementType type, int64_t value) {
  IntegerFormat format = *integerFormat(type);
  if (type == ElementType::Bool)
    return value != 0;
  if (format.bits == 64)
    return value;
  return format.isSigned ? llvm::SignExtend64(value, format.bits)
                         : static_cast<int64_t>(
                               static_cast<uint64_t>(value) &
                               llvm::maskTrailingOnes<uint64_t>(format.bits));
}

/// The sign of the result is the divisor's, or the dividend's.
static int64_t remainder(int64_t a, int64_t b, bool signOfDividend) {
  int64_t rest = a % b;
  return rest != 0 && !signOfDividend && (rest < 0) != (b < 0) ? rest + b
                                                               : rest;
}

/// One of two; nullopt when integers are divided by 0, or -2^63 by -1.
static std::optional<int64_t> evaluate(StringRef op, int64_t a, int64_t b,
                                       bool isFmod) {
  auto product = [](int64_t a, int64_t b) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) *
                                static_cast<uint64_t>(b));
  };
  bool divides = b != 0 && !(b == -1 && a == INT64_MIN);
  if (op == "Add")
    return static_cast<int64_t>(static_cast<uint64_t>(a) +
                                static_cast<uint64_t>(b));
  if (op == "Sub")
    return static_cast<int64_t>(static_cast<uint64_t>(a) -
                                static_cast<uint64_t>(b));
  if (op == "Mul")
    return product(a, b);
  if (op == "Div")
    return divides ? std::optional(a / b) : std::nullopt;
  if (op == "Mod")
    return divides ? std::optional(remainder(a, b, isFmod)) : std::nullopt;
  if (op == "Min")
    return std::min(a, b);
  if (op == "Max")
    return std::max(a, b);
  if (op == "And")
    return a && b;
  if (op == "Or")
    return a || b;
  if (op == "Xor")
    return (a != 0) != (b != 0);
  if (op == "Pow" && b >= 0 && b < 64) {
    int64_t power = 1;
    for (int64_t i = 0; i < b; ++i)
      power = product(power, a);
    return power;
  }
  return std::nullopt;
}

static std::optional<float> evaluate(StringRef op, float a, float b) {
  if (op == "Add")
    return a + b;
  if (op == "Sub")
    return a - b;
  if (op == "Mul")
    return a * b;
  if (op == "Div")
    return a / b;
  if (op == "Min")
    return std::isnan(a) ? a : std::isnan(b) ? b : std::min(a, b);
  if (op == "Max")
    return std::isnan(a) ? a : std::isnan(b) ? b : std::max(a, b);
  if (op == "Pow")
    return std::pow(a, b);
  return std::nullopt;
}

template <typename T>
static std::optional<bool> compare(StringRef op, T a, T b) {
  if (op == "Equal")
    return a == b;
  if (op == "Greater")
    return a > b;
  if (op == "GreaterOrEqual")
    return a >= b;
  if (op == "Less")
    return a < b;
  if (op == "LessOrEqual")
    return a <= b;
  return std::nullopt;
}

static std::optional<float> evaluate(StringRef op, float x) {
  if (op == "Neg")
    return -x;
  if (op == "Abs")
    return std::abs(x);
  if (op == "Sqrt")
    return std::sqrt(x);
  if (op == "Reciprocal")
    return 1.0f / x;
  if (op == "Exp")
    return std::exp(x);
  if (op == "Log")
    return std::log(x);
  if (op == "Floor")
    return std::floor(x);
  if (op == "Ceil")
    return std::ceil(x);
  if (op == "Round")
    return std::nearbyint(x);
  return std::nullopt;
}

static std::optional<int64_t> evaluate(StringRef op, int64_t x) {
  if (op == "Neg")
    return static_cast<int64_t>(-static_cast<uint64_t>(x));
  if (op == "Abs")
    return x < 0 ? static_cast<int64_t>(-static_cast<uint64_t>(x)) : x;
  if (op == "Not")
    return !x;
  return std::nullopt;
}

/// Two tensors that broadcast, of one type; nullopt when it cannot be folded.
static std::optional<Tensor> foldBinary(const Node &node, const Tensor &lhs,
                                        const Tensor &rhs) {
  StringRef op = node.op->name;
  auto shape = broadcastShapes(lhs.shape, rhs.shape);
  if (!shape || lhs.type != rhs.type || !isModest(*shape))
    return std::nullopt;
  Tensor a = broadcastTo(lhs, *shape), b = broadcastTo(rhs, *shape), result;
  result.shape = *shape;
  result.type = lhs.type;
  bool isFmod = node.integer("fmod", 0) != 0;
  for (int64_t i = 0, end = a.size(); i < end; ++i) {
    std::optional<bool> truth = a.isFloat()
                                    ? compare(op, a.floats[i], b.floats[i])
                                    : compare(op, a.ints[i], b.ints[i]);
    if (truth) {
      result.type = ElementType::Bool;
      result.ints.push_back(*truth);
    } else if (a.isFloat()) {
      auto value = evaluate(op, a.floats[i], b.floats[i]);
      if (!value)
        return std::nullopt;
      result.floats.push_back(*value);
    } else {
      auto value = evaluate(op, a.ints[i], b.ints[i], isFmod);
      if (!value)
        return std::nullopt;
      result.ints.push_back(wrapped(a.type, *value));
    }
  }
  return result;
}

static std::optional<Tensor> foldUnary(const Node &node, const Tensor &x) {
  Tensor result;
  result.type = x.type;
  result.shape = x.shape;
  for (float value : x.floats) {
    auto folded = evaluate(node.op->name, value);
    if (!folded)
      return std::nullopt;
    result.floats.push_back(*folded);
  }
  for (int64_t value : x.ints) {
    auto folded = evaluate(node.op->name, value);
    if (!folded)
      return std::nullopt;
    result.ints.push_back(wrapped(x.type, *folded));
  }
  return result;
}

static std::optional<Tensor> foldCast(const Node &node, const Tensor &x) {
  Tensor result;
  result.type = static_cast<ElementType>(node.integer("to", 0));
  result.shape = x.shape;
  bool toInteger = integerFormat(result.type).has_value();
  if (!toInteger && !result.isFloat())
    return std::nullopt;
  for (float value : x.floats) {
    if (!toInteger) {
      result.floats.push_back(value);
      continue;
    }
    bool isTruth = result.type == ElementType::Bool;
    if (!isTruth && !(std::abs(value) < 0x1p62f))
      return std::nullopt;
    result.ints.push_back(
        isTruth ? value != 0
                : wrapped(result.type, static_cast<int64_t>(value)));
  }
  for (int64_t value : x.ints) {
    if (toInteger)
      result.ints.push_back(wrapped(result.type, value));
    else
      result.floats.push_back(static_cast<float>(value));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Making and moving elements
//===----------------------------------------------------------------------===//

/// 1-D integers, such as a shape.
static std::optional<SmallVector<int64_t>> vectorOf(const Tensor &tensor) {
  if (tensor.isFloat() || tensor.shape.size() > 1)
    return std::nullopt;
  return SmallVector<int64_t>(tensor.ints.begin(), tensor.ints.end());
}

static std::optional<Tensor> foldConstantOfShape(const Node &node,
                                                 const Tensor &shape) {
  Tensor value;
  value.floats = {0};
  if (const onnx::AttributeProto *attribute = node.find("value")) {
    FailureOr<Tensor> read = readTensor(attribute->t(), "", [&] {
      InFlightDiagnostic diagnostic = node.emitError();
      diagnostic << "its value ";
      return diagnostic;
    });
    if (failed(read) || read->size() != 1)
      return std::nullopt;
    value = std::move(*read);
  }
  value.shape.clear();
  auto sizes = vectorOf(shape);
  if (!sizes || !isModest(*sizes))
    return std::nullopt;
  return broadcastTo(value, *sizes);
}

/// Exact, however far the ends are from each other.
static uint64_t stepsBetween(int64_t start, int64_t limit, int64_t delta) {
  if (delta > 0 ? limit <= start : limit >= start)
    return 0;
  auto from = static_cast<uint64_t>(start), to = static_cast<uint64_t>(limit),
       step = static_cast<uint64_t>(delta);
  uint64_t span = delta > 0 ? to - from : from - to;
  step = delta > 0 ? step : -step;
  return span / step + (span % step != 0);
}

static std::optional<Tensor> foldRange(const Tensor &start, const Tensor &limit,
                                       const Tensor &delta) {
  if (start.type != limit.type || start.type != delta.type ||
      start.size() != 1 || limit.size() != 1 || delta.size() != 1)
    return std::nullopt;
  double count;
  if (start.isFloat()) {
    double difference = limit.floats.front();
    difference -= start.floats.front();
    count = std::ceil(difference / delta.floats.front());
  } else if (delta.ints.front() != 0) {
    count = static_cast<double>(stepsBetween(
        start.ints.front(), limit.ints.front(), delta.ints.front()));
  } else {
    return std::nullopt;
  }
  if ((start.isFloat() && delta.floats.front() == 0) || !(count < 0x1p22))
    return std::nullopt;
  Tensor result;
  result.type = start.type;
  result.shape = {static_cast<int64_t>(std::max(count, 0.0))};
  for (int64_t i = 0; i < result.shape[0]; ++i) {
    if (start.isFloat())
      result.floats.push_back(start.floats[0] +
                              static_cast<float>(i) * delta.floats[0]);
    else
      result.ints.push_back(static_cast<int64_t>(
          static_cast<uint64_t>(start.ints[0]) +
          static_cast<uint64_t>(i) * static_cast<uint64_t>(delta.ints[0])));
  }
  return result;
}

static std::optional<Tensor> foldGather(const Node &node, const Tensor &data,
                                        const Tensor &indices) {
  int64_t rank = data.shape.size(), axis = node.integer("axis", 0);
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis >= rank || indices.isFloat())
    return std::nullopt;
  int64_t size = data.shape[axis], count = indices.shape.size();
  for (int64_t index : indices.ints)
    if (index < -size || index >= size)
      return std::nullopt;
  SmallVector<int64_t> shape(data.shape.begin(), data.shape.begin() + axis);
  llvm::append_range(shape, indices.shape);
  shape.append(data.shape.begin() + axis + 1, data.shape.end());
  if (!isModest(shape))
    return std::nullopt;
  SmallVector<int64_t> strides = stridesOf(data.shape);
  SmallVector<int64_t> indexStrides = stridesOf(indices.shape);
  return rearranged(data, shape, [&](ArrayRef<int64_t> at) {
    int64_t position = 0, which = 0;
    for (int64_t dim = 0; dim < axis; ++dim)
      position += at[dim] * strides[dim];
    for (int64_t dim = 0; dim < count; ++dim)
      which += at[axis + dim] * indexStrides[dim];
    int64_t index = indices.ints[which];
    position += (index < 0 ? index + size : index) * strides[axis];
    for (int64_t dim = axis + 1; dim < rank; ++dim)
      position += at[count - 1 + dim] * strides[dim];
    return position;
  });
}

static std::optional<Tensor> foldConcat(const Node &node,
                                        ArrayRef<const Tensor *> parts) {
  int64_t rank = parts[0]->shape.size(), axis = node.integer("axis", 0);
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis >= rank)
    return std::nullopt;
  Tensor result;
  result.type = parts[0]->type;
  result.shape = parts[0]->shape;
  result.shape[axis] = 0;
  int64_t outer = 1;
  for (int64_t dim = 0; dim < axis; ++dim)
    outer *= result.shape[dim];
  for (const Tensor *part : parts) {
    SmallVector<int64_t> expected = result.shape;
    if (static_cast<int64_t>(part->shape.size()) != rank ||
        part->type != result.type)
      return std::nullopt;
    expected[axis] = part->shape[axis];
    if (expected != part->shape)
      return std::nullopt;
    result.shape[axis] += part->shape[axis];
  }
  if (!isModest(result.shape))
    return std::nullopt;
  for (int64_t block = 0; block < outer; ++block)
    for (const Tensor *part : parts) {
      int64_t length = part->size() / outer;
      auto copy = [&](const auto &from, auto &to) {
        for (int64_t at = block * length; at < (block + 1) * length; ++at)
          to.push_back(from[at]);
      };
      if (result.isFloat())
        copy(part->floats, result.floats);
      else
        copy(part->ints, result.ints);
    }
  return result;
}

static std::optional<Tensor> foldExpand(const Tensor &x, const Tensor &shape) {
  auto sizes = vectorOf(shape);
  if (!sizes)
    return std::nullopt;
  auto result = broadcastShapes(x.shape, *sizes);
  if (!result || !isModest(*result))
    return std::nullopt;
  return broadcastTo(x, *result);
}

static std::optional<Tensor> foldWhere(const Tensor &condition, const Tensor &a,
                                       const Tensor &b) {
  auto shape = broadcastShapes(a.shape, b.shape);
  if (shape)
    shape = broadcastShapes(*shape, condition.shape);
  if (!shape || a.type != b.type || condition.isFloat() || !isModest(*shape))
    return std::nullopt;
  Tensor truth = broadcastTo(condition, *shape), x = broadcastTo(a, *shape),
         result = broadcastTo(b, *shape);
  for (int64_t i = 0; i < truth.size(); ++i) {
    if (!truth.ints[i])
      continue;
    if (x.isFloat())
      result.floats[i] = x.floats[i];
    else
      result.ints.set(i, std::as_const(x).ints[i]);
  }
  return result;
}

static std::optional<Tensor> foldReduction(const Node &node, const Tensor &x) {
  // Of whole vectors, as element counts are computed.
  if (x.isFloat() || x.shape.size() != 1 || x.ints.empty() ||
      node.integer("noop_with_empty_axes", 0) != 0)
    return std::nullopt;
  int64_t value = x.ints.front();
  StringRef op = node.op->name.drop_front(StringRef("Reduce").size());
  op = op == "Prod" ? "Mul" : op == "Sum" ? "Add" : op;
  for (size_t at = 1; at < x.ints.size(); ++at) {
    auto folded = evaluate(op, value, x.ints[at], false);
    if (!folded)
      return std::nullopt;
    value = wrapped(x.type, *folded);
  }
  Tensor result;
  result.type = x.type;
  if (node.integer("keepdims", 1) != 0)
    result.shape = {1};
  result.ints = {value};
  return result;
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

static Tensor integers(ArrayRef<int64_t> values) {
  Tensor tensor;
  tensor.type = ElementType::Int64;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.ints.assign(values.begin(), values.end());
  return tensor;
}

/// The sizes from `start` to `end`, which may count from the end.
static Tensor shapeTensor(const Node &node, ArrayRef<int64_t> shape) {
  int64_t rank = shape.size();
  auto clamped = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  int64_t start = clamped(node.integer("start", 0));
  int64_t end = clamped(node.integer("end", rank));
  return integers(shape.slice(start, std::max<int64_t>(end - start, 0)));
}

static std::optional<Tensor> foldNode(const Node &node,
                                      ArrayRef<const Tensor *> inputs) {
  StringRef op = node.op->name;
  if (op == "Cast")
    return foldCast(node, *inputs[0]);
  if (op == "Concat")
    return foldConcat(node, inputs);
  if (op == "ConstantOfShape")
    return foldConstantOfShape(node, *inputs[0]);
  if (op == "Expand")
    return foldExpand(*inputs[0], *inputs[1]);
  if (op == "Gather")
    return foldGather(node, *inputs[0], *inputs[1]);
  if (op == "Range")
    return foldRange(*inputs[0], *inputs[1], *inputs[2]);
  if (op == "Where")
    return foldWhere(*inputs[0], *inputs[1], *inputs[2]);
  if (op.starts_with("Reduce"))
    return foldReduction(node, *inputs[0]);
  if (inputs.size() == 1)
    return foldUnary(node, *inputs[0]);
  if (inputs.size() == 2)
    return foldBinary(node, *inputs[0], *inputs[1]);
  return std::nullopt;
}

static bool isFoldable(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Abs", "Add", "And", "Cast", "Ceil", "Concat"}, true)
      .Cases({"ConstantOfShape", "Div", "Equal", "Exp", "Expand"}, true)
      .Cases({"Floor", "Gather", "Greater", "GreaterOrEqual", "Less"}, true)
      .Cases({"LessOrEqual", "Log", "Max", "Min", "Mod", "Mul"}, true)
      .Cases({"Neg", "Not", "Or", "Pow", "Range", "Reciprocal"}, true)
      .Cases({"ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"}, true)
      .Cases({"Round", "Sqrt", "Sub", "Where", "Xor"}, true)
      .Default(false);
}

/// Defines the node as a constant, when it is one that can be computed here.
FailureOr<bool> Importer::fold(const Node &node) {
  StringRef op = node.op->name;
  if (op == "Shape" || op == "Size") {
    FailureOr<Known *> input = lookup(node, 0);
    if (failed(input))
      return failure();
    ArrayRef<int64_t> shape = (*input)->shape;
    Tensor result = shapeTensor(node, shape);
    if (op == "Size") {
      result = integers(*elementCount(shape));
      result.shape.clear();
    }
    define(node, constantOf(std::move(result)));
    return true;
  }
  if (!isFoldable(op))
    return false;
  SmallVector<const Tensor *> inputs;
  for (int index = 0; index < node.proto->input_size(); ++index) {
    if (!node.hasInput(index))
      return false;
    FailureOr<Known *> input = lookup(node, index);
    if (failed(input))
      return failure();
    if ((*input)->kind != Known::Constant)
      return false;
    inputs.push_back((*input)->constant.get());
  }
  std::optional<Tensor> result = foldNode(node, inputs);
  if (!result)
    return false;
  define(node, constantOf(std::move(*result)));
  return true;
}
