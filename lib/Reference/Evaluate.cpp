//===- Evaluate.cpp - Slow, readable evaluation of a module ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Reference/Evaluate.h"
#include "Region.h"
#include "Sums.h"

#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::reference;

int64_t ReferenceTensor::numElements() const {
  return isReal() ? reals().size() : integers().size();
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

namespace {

/// Calls `body` with every index of `shape`, row-major.
template <typename Body>
LogicalResult forEachIndex(ArrayRef<int64_t> shape, Body body) {
  SmallVector<int64_t> index(shape.size(), 0);
  if (llvm::is_contained(shape, 0))
    return success();
  while (true) {
    if (failed(body(ArrayRef<int64_t>(index))))
      return failure();
    int64_t axis = shape.size() - 1;
    for (; axis >= 0; --axis) {
      if (++index[axis] < shape[axis])
        break;
      index[axis] = 0;
    }
    if (axis < 0)
      return success();
  }
}

int64_t flatten(ArrayRef<int64_t> shape, ArrayRef<int64_t> index) {
  int64_t flat = 0;
  for (auto [size, i] : llvm::zip_equal(shape, index))
    flat = flat * size + i;
  return flat;
}

Scalar getElement(const ReferenceTensor &tensor, int64_t flat) {
  if (tensor.isReal())
    return {0, tensor.reals()[flat]};
  return {tensor.integers()[flat], 0};
}

void setElement(ReferenceTensor &tensor, int64_t flat, Scalar value) {
  if (tensor.isReal())
    tensor.reals()[flat] = value.real;
  else
    tensor.integers()[flat] = value.integer;
}

/// Zeros of a static type; failure when it is dynamic.
FailureOr<ReferenceTensor> zeros(Operation *op, Type type) {
  ReferenceTensor tensor;
  if (auto shaped = dyn_cast<RankedTensorType>(type)) {
    if (!shaped.hasStaticShape()) {
      op->emitError("the reference needs static shapes, found ") << type;
      return failure();
    }
    tensor.shape.assign(shaped.getShape().begin(), shaped.getShape().end());
  }
  int64_t count = 1;
  for (int64_t size : tensor.shape)
    count *= size;
  Type element = getElementTypeOrSelf(type);
  if (element.isF32())
    tensor.elements = std::vector<float>(count);
  else if (isa<FloatType>(element)) {
    op->emitError("the reference evaluates f32 only, found ") << type;
    return failure();
  } else
    tensor.elements = std::vector<Wide>(count);
  return tensor;
}

//===----------------------------------------------------------------------===//
// The evaluator
//===----------------------------------------------------------------------===//

/// Values of a function body and, innermost, of one element of a region.
class Evaluator {
public:
  explicit Evaluator(std::optional<Emulation> emulation)
      : emulation(emulation) {}

  FailureOr<SmallVector<ReferenceTensor>>
  run(func::FuncOp function, ArrayRef<ReferenceTensor> arguments);

private:
  FailureOr<ReferenceTensor> evaluateResult(Operation *op);

  FailureOr<ReferenceTensor> constant(arith::ConstantOp op);
  FailureOr<ReferenceTensor> storageCast(quant::StorageCastOp op);
  FailureOr<ReferenceTensor> quantizeOp(QuantizeOp op);
  FailureOr<ReferenceTensor> dequantizeOp(DequantizeOp op);
  FailureOr<ReferenceTensor> matmul(MatmulOp op);
  FailureOr<ReferenceTensor> convolution(Conv2DOp op);
  FailureOr<ReferenceTensor> requantizeOp(RequantizeOp op);
  FailureOr<ReferenceTensor> structured(linalg::LinalgOp op);
  FailureOr<ReferenceTensor> pad(tensor::PadOp op);
  FailureOr<ReferenceTensor> extractSlice(tensor::ExtractSliceOp op);
  FailureOr<ReferenceTensor> insertSlice(tensor::InsertSliceOp op);
  FailureOr<ReferenceTensor> concat(tensor::ConcatOp op);
  FailureOr<ReferenceTensor> elementwise(Operation *op);

  /// The same elements in another shape or integer interpretation.
  FailureOr<ReferenceTensor> reshaped(Operation *op, Value source);

  /// A block that reads scalars of this function.
  FailureOr<ScalarBlock> prepare(Block &block);

  /// The sums of an op with these weights, [channels][length].
  ChannelSums sums(const ReferenceTensor &weights, int64_t length,
                   const ReferenceTensor &activations, Value initial);

  const ReferenceTensor &operator[](Value value) { return values.at(value); }

  llvm::DenseMap<Value, ReferenceTensor> values;
  std::optional<Emulation> emulation;
};

} // namespace

FailureOr<ReferenceTensor> Evaluator::reshaped(Operation *op, Value source) {
  FailureOr<ReferenceTensor> result = zeros(op, op->getResult(0).getType());
  if (succeeded(result))
    result->elements = (*this)[source].elements;
  return result;
}

FailureOr<ReferenceTensor> Evaluator::constant(arith::ConstantOp op) {
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  if (failed(result))
    return failure();
  if (auto scalar = dyn_cast<IntegerAttr>(op.getValue())) {
    result->integers()[0] = scalar.getValue().getSExtValue();
    return result;
  }
  if (auto scalar = dyn_cast<FloatAttr>(op.getValue())) {
    result->reals()[0] = scalar.getValue().convertToFloat();
    return result;
  }
  auto elements = cast<ElementsAttr>(op.getValue());
  if (!result->isReal()) {
    FailureOr<SmallVector<int64_t>> integers = integerElements(elements);
    if (failed(integers))
      return op.emitError("the reference cannot read this constant");
    llvm::copy(*integers, result->integers().begin());
    return result;
  }
  if (auto resource = dyn_cast<DenseF32ResourceElementsAttr>(elements)) {
    std::optional<ArrayRef<float>> reals = resource.tryGetAsArrayRef();
    if (!reals || reals->size() != result->reals().size())
      return op.emitError("the reference cannot read this constant");
    llvm::copy(*reals, result->reals().begin());
    return result;
  }
  llvm::copy(elements.getValues<float>(), result->reals().begin());
  return result;
}

FailureOr<ReferenceTensor> Evaluator::storageCast(quant::StorageCastOp op) {
  FailureOr<ReferenceTensor> result = reshaped(op, op.getInput());
  if (failed(result))
    return failure();
  auto quantized = getQuantizedType(op.getType());
  unsigned bits = quantized ? quantized.getStorageTypeIntegralWidth()
                            : integerBits(op.getType());
  bool isUnsigned = quantized && !quantized.isSigned();
  for (Wide &value : result->integers())
    value = isUnsigned ? wrapUnsigned(value, bits) : wrapSigned(value, bits);
  return result;
}

/// Index of the scale of each element: along the axis of a per-axis type.
static int64_t scaleIndex(quant::QuantizedType type, ArrayRef<int64_t> index) {
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type);
  return perAxis ? index[perAxis.getQuantizedDimension()] : 0;
}

FailureOr<ReferenceTensor> Evaluator::quantizeOp(QuantizeOp op) {
  const ReferenceTensor &input = (*this)[op.getInput()];
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  quant::QuantizedType type = getQuantizedType(op.getType());
  SmallVector<double> scale = scales(type);
  SmallVector<int64_t> zero = zeroPoints(type);
  int64_t flat = 0;
  (void)forEachIndex(input.shape, [&](ArrayRef<int64_t> index) {
    int64_t s = scaleIndex(type, index);
    result->integers()[flat] = quantize(input.reals()[flat], scale[s], zero[s],
                                        codeRange(type), op.getRounding());
    ++flat;
    return success();
  });
  return result;
}

FailureOr<ReferenceTensor> Evaluator::dequantizeOp(DequantizeOp op) {
  const ReferenceTensor &input = (*this)[op.getInput()];
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  quant::QuantizedType type = getQuantizedType(op.getInput().getType());
  SmallVector<double> scale = scales(type);
  SmallVector<int64_t> zero = zeroPoints(type);
  int64_t flat = 0;
  (void)forEachIndex(input.shape, [&](ArrayRef<int64_t> index) {
    int64_t s = scaleIndex(type, index);
    Wide difference = input.integers()[flat] - zero[s];
    result->reals()[flat++] =
        static_cast<float>(difference) * static_cast<float>(scale[s]);
    return success();
  });
  return result;
}

ChannelSums Evaluator::sums(const ReferenceTensor &weights, int64_t length,
                            const ReferenceTensor &activations, Value initial) {
  ArrayRef<Wide> start;
  if (initial)
    start = (*this)[initial].integers();
  return ChannelSums(weights.integers(), length,
                     largestMagnitude(activations.integers()), start,
                     emulation);
}

FailureOr<ReferenceTensor> Evaluator::matmul(MatmulOp op) {
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  if (failed(result))
    return failure();
  const ReferenceTensor &lhs = (*this)[op.getLhs()];
  const ReferenceTensor &rhs = (*this)[op.getRhs()];
  int64_t length = lhs.shape.back(), channels = result->shape.back();
  int64_t rows = result->shape[result->shape.size() - 2];
  bool batched = rhs.shape.size() > 2;
  // Channels of every batch, one after the other; they share initial values.
  ChannelSums sum = sums(rhs, length, lhs, op.getInitial());
  std::vector<int64_t> x(length);
  for (int64_t row = 0; row * channels < result->numElements(); ++row) {
    std::copy_n(lhs.integers().begin() + row * length, length, x.begin());
    int64_t batch = batched ? row / rows : 0;
    for (int64_t channel = 0; channel < channels; ++channel)
      result->integers()[row * channels + channel] =
          sum(x, batch * channels + channel);
  }
  return result;
}

FailureOr<ReferenceTensor> Evaluator::convolution(Conv2DOp op) {
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  if (failed(result))
    return failure();
  const ReferenceTensor &input = (*this)[op.getInput()];
  const ReferenceTensor &filter = (*this)[op.getFilter()];
  int64_t zero = zeroPoint(getQuantizedType(op.getInput().getType()));
  int64_t channels = filter.shape[0] / op.getGroups();
  int64_t inputs = filter.shape[3];
  int64_t length = filter.shape[1] * filter.shape[2] * inputs;
  ChannelSums sum = sums(filter, length, input, op.getInitial());
  // The codes that one output position of a group reads, in default order.
  std::vector<int64_t> x(length);
  auto gather = [&](ArrayRef<int64_t> position) {
    int64_t n = position[0], group = position[3];
    auto to = x.begin();
    for (int64_t kh = 0; kh < filter.shape[1]; ++kh)
      for (int64_t kw = 0; kw < filter.shape[2]; ++kw, to += inputs) {
        int64_t h = position[1] * op.getStrides()[0] +
                    kh * op.getDilations()[0] - op.getPadding()[0];
        int64_t w = position[2] * op.getStrides()[1] +
                    kw * op.getDilations()[1] - op.getPadding()[1];
        if (h < 0 || h >= input.shape[1] || w < 0 || w >= input.shape[2])
          std::fill_n(to, inputs, zero);
        else
          std::copy_n(input.integers().begin() +
                          flatten(input.shape, {n, h, w, group * inputs}),
                      inputs, to);
      }
  };
  SmallVector<int64_t> positions(result->shape);
  positions[3] = op.getGroups();
  int64_t flat = 0;
  (void)forEachIndex(positions, [&](ArrayRef<int64_t> position) {
    gather(position);
    for (int64_t c = 0; c < channels; ++c)
      result->integers()[flat++] = sum(x, position[3] * channels + c);
    return success();
  });
  return result;
}

FailureOr<ReferenceTensor> Evaluator::requantizeOp(RequantizeOp op) {
  FailureOr<ReferenceTensor> result = reshaped(op, op.getInput());
  if (failed(result))
    return failure();
  quant::QuantizedType type = getQuantizedType(op.getType());
  a2q::Range codes = codeRange(type);
  int64_t zero = zeroPoint(type), channels = result->shape.back();
  auto integersOf = [](ElementsAttr attr) {
    return attr ? *integerElements(attr) : SmallVector<int64_t>{0};
  };
  SmallVector<int64_t> bias = integersOf(op.getBiasAttr());
  SmallVector<int64_t> shift = integersOf(op.getShiftAttr());
  SmallVector<int64_t> fixed;
  SmallVector<float> multiplier;
  if (op.getShiftAttr())
    fixed = integersOf(op.getMultiplierAttr());
  else
    multiplier = llvm::to_vector(op.getMultiplierAttr().getValues<float>());
  for (auto [flat, value] : llvm::enumerate(result->integers())) {
    auto at = [&](auto &elements) {
      return elements.size() == 1 ? elements[0] : elements[flat % channels];
    };
    Wide sum = value + at(bias);
    value = op.getShiftAttr() ? requantize(sum, at(fixed), at(shift), zero,
                                           codes, op.getRounding())
                              : requantize(sum, at(multiplier), zero, codes,
                                           op.getRounding());
  }
  return result;
}

FailureOr<ScalarBlock> Evaluator::prepare(Block &block) {
  auto tables = [&](Value value) -> const ReferenceTensor * {
    auto known = values.find(value);
    return known == values.end() ? nullptr : &known->second;
  };
  auto lookup = [&](Value value) -> FailureOr<Scalar> {
    auto known = values.find(value);
    if (known != values.end())
      return getElement(known->second, 0);
    FailureOr<ReferenceTensor> result =
        constant(value.getDefiningOp<arith::ConstantOp>());
    if (failed(result))
      return failure();
    return getElement(*result, 0);
  };
  return ScalarBlock::prepare(block, lookup, tables);
}

/// Whether the result is a sum of products that an accumulator holds.
static bool isIntegerSum(linalg::LinalgOp op) {
  auto accumulating = dyn_cast<AccumulatingOpInterface>(op.getOperation());
  return accumulating && accumulating.isAccumulating() &&
         !getElementTypeOrSelf(op->getResult(0).getType()).isF32();
}

FailureOr<ReferenceTensor> Evaluator::structured(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || op.hasDynamicShape())
    return op->emitError("the reference needs one result and static shapes");
  FailureOr<ScalarBlock> body = prepare(*op.getBlock());
  if (failed(body))
    return failure();
  ReferenceTensor result = (*this)[op.getDpsInits()[0]];
  bool emulates = emulation && isIntegerSum(op);
  if (emulates)
    for (Wide &value : result.integers())
      value = emulation->hold(value);
  SmallVector<std::pair<const ReferenceTensor *, ElementMap>> operands;
  for (auto [operand, map] :
       llvm::zip_equal(op->getOpOperands(), op.getIndexingMapsArray())) {
    const ReferenceTensor &tensor =
        op.isDpsInit(&operand) ? result : (*this)[operand.get()];
    operands.emplace_back(&tensor, ElementMap(map, tensor.shape));
  }
  SmallVector<Scalar> arguments(operands.size());
  LogicalResult done =
      forEachIndex(op.getStaticLoopRanges(), [&](ArrayRef<int64_t> index) {
        int64_t at = 0;
        for (auto [argument, operand] : llvm::zip_equal(arguments, operands)) {
          at = operand.second(index);
          argument = getElement(*operand.first, at);
        }
        FailureOr<ArrayRef<Scalar>> yielded = body->evaluate(arguments, index);
        if (failed(yielded))
          return failure();
        Scalar value = yielded->front();
        if (emulates)
          value.integer = emulation->hold(value.integer);
        setElement(result, at, value);
        return success();
      });
  if (failed(done))
    return failure();
  return result;
}

FailureOr<ReferenceTensor> Evaluator::pad(tensor::PadOp op) {
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  if (failed(result))
    return failure();
  if (!op.getLow().empty())
    return op.emitError("the reference needs static padding");
  const ReferenceTensor &source = (*this)[op.getSource()];
  FailureOr<ScalarBlock> body = prepare(op.getRegion().front());
  if (failed(body))
    return failure();
  int64_t flat = 0;
  LogicalResult done =
      forEachIndex(result->shape, [&](ArrayRef<int64_t> index) {
        SmallVector<int64_t> inner(index);
        bool inside = true;
        for (auto [axis, low] : llvm::enumerate(op.getStaticLow())) {
          inner[axis] -= low;
          inside &= inner[axis] >= 0 && inner[axis] < source.shape[axis];
        }
        if (inside) {
          setElement(*result, flat++,
                     getElement(source, flatten(source.shape, inner)));
          return success();
        }
        SmallVector<Scalar> arguments;
        for (int64_t i : index)
          arguments.push_back({i, 0});
        FailureOr<ArrayRef<Scalar>> value = body->evaluate(arguments, index);
        if (failed(value))
          return failure();
        setElement(*result, flat++, value->front());
        return success();
      });
  if (failed(done))
    return failure();
  return result;
}

/// Index in the large tensor of an index in the slice. Unit dimensions that a
/// rank-reducing slice drops are indexed by 0.
template <typename SliceOp>
static SmallVector<int64_t> sliceIndex(SliceOp op, ArrayRef<int64_t> index) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  SmallVector<int64_t> large;
  size_t next = 0;
  for (auto [axis, offset] : llvm::enumerate(op.getStaticOffsets())) {
    int64_t i = dropped.test(axis) ? 0 : index[next++];
    large.push_back(offset + i * op.getStaticStrides()[axis]);
  }
  return large;
}

template <typename SliceOp> static LogicalResult requireStatic(SliceOp op) {
  if (!op.getOffsets().empty() || !op.getSizes().empty() ||
      !op.getStrides().empty())
    return op.emitError("the reference needs static slices");
  return success();
}

FailureOr<ReferenceTensor> Evaluator::extractSlice(tensor::ExtractSliceOp op) {
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  if (failed(result) || failed(requireStatic(op)))
    return failure();
  const ReferenceTensor &source = (*this)[op.getSource()];
  int64_t flat = 0;
  (void)forEachIndex(result->shape, [&](ArrayRef<int64_t> index) {
    int64_t from = flatten(source.shape, sliceIndex(op, index));
    setElement(*result, flat++, getElement(source, from));
    return success();
  });
  return result;
}

FailureOr<ReferenceTensor> Evaluator::insertSlice(tensor::InsertSliceOp op) {
  if (failed(requireStatic(op)))
    return failure();
  ReferenceTensor result = (*this)[op.getDest()];
  const ReferenceTensor &source = (*this)[op.getSource()];
  int64_t flat = 0;
  (void)forEachIndex(source.shape, [&](ArrayRef<int64_t> index) {
    setElement(result, flatten(result.shape, sliceIndex(op, index)),
               getElement(source, flat++));
    return success();
  });
  return result;
}

FailureOr<ReferenceTensor> Evaluator::concat(tensor::ConcatOp op) {
  FailureOr<ReferenceTensor> result = zeros(op, op.getType());
  if (failed(result))
    return failure();
  int64_t base = 0;
  for (Value input : op.getInputs()) {
    const ReferenceTensor &tensor = (*this)[input];
    int64_t flat = 0;
    (void)forEachIndex(tensor.shape, [&](ArrayRef<int64_t> index) {
      SmallVector<int64_t> at(index);
      at[op.getDim()] += base;
      setElement(*result, flatten(result->shape, at),
                 getElement(tensor, flat++));
      return success();
    });
    base += tensor.shape[op.getDim()];
  }
  return result;
}

/// Scalar ops on scalars and, element by element, on tensors of one shape.
FailureOr<ReferenceTensor> Evaluator::elementwise(Operation *op) {
  if (op->getNumResults() != 1 ||
      llvm::any_of(op->getOperandTypes(), [&](Type type) {
        auto shaped = dyn_cast<ShapedType>(type);
        auto result = dyn_cast<ShapedType>(op->getResult(0).getType());
        return shaped && (!result || shaped.getShape() != result.getShape());
      })) {
    op->emitError("the reference does not evaluate this op");
    return failure();
  }
  FailureOr<ReferenceTensor> result = zeros(op, op->getResult(0).getType());
  if (failed(result))
    return failure();
  for (int64_t flat = 0; flat < result->numElements(); ++flat) {
    SmallVector<Scalar> operands;
    for (Value operand : op->getOperands())
      operands.push_back(getElement(
          (*this)[operand], isa<ShapedType>(operand.getType()) ? flat : 0));
    FailureOr<Scalar> value = evaluateScalar(op, operands);
    if (failed(value))
      return failure();
    setElement(*result, flat, *value);
  }
  return result;
}

FailureOr<ReferenceTensor> Evaluator::evaluateResult(Operation *op) {
  using Result = FailureOr<ReferenceTensor>;
  return TypeSwitch<Operation *, Result>(op)
      .Case<arith::ConstantOp>([&](auto o) { return constant(o); })
      .Case<quant::StorageCastOp>([&](auto o) { return storageCast(o); })
      .Case<QuantizeOp>([&](auto o) { return quantizeOp(o); })
      .Case<DequantizeOp>([&](auto o) { return dequantizeOp(o); })
      .Case<MatmulOp>([&](auto o) { return matmul(o); })
      .Case<Conv2DOp>([&](auto o) { return convolution(o); })
      .Case<RequantizeOp>([&](auto o) { return requantizeOp(o); })
      .Case<DecodeOp, tensor::CastOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp, tensor::ReshapeOp>(
          [&](Operation *o) { return reshaped(o, o->getOperand(0)); })
      .Case<tensor::EmptyOp>(
          [&](auto o) { return zeros(o, o.getResult().getType()); })
      .Case<tensor::PadOp>([&](auto o) { return pad(o); })
      .Case<tensor::ExtractSliceOp>([&](auto o) { return extractSlice(o); })
      .Case<tensor::InsertSliceOp>([&](auto o) { return insertSlice(o); })
      .Case<tensor::ConcatOp>([&](auto o) { return concat(o); })
      .Case<linalg::LinalgOp>([&](auto o) { return structured(o); })
      .Default([&](Operation *o) { return elementwise(o); });
}

FailureOr<SmallVector<ReferenceTensor>>
Evaluator::run(func::FuncOp function, ArrayRef<ReferenceTensor> arguments) {
  if (!function.getBody().hasOneBlock() ||
      function.getNumArguments() != arguments.size())
    return function.emitError("the reference evaluates functions of one block, "
                              "given one tensor for each argument");
  for (auto [argument, value] : llvm::zip(function.getArguments(), arguments)) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getShape() != ArrayRef<int64_t>(value.shape) ||
        type.getElementType().isF32() != value.isReal())
      return function.emitError("argument ")
             << argument.getArgNumber() << " has type " << argument.getType()
             << ", the tensor given does not";
    values[argument] = value;
  }
  Block &body = function.getBody().front();
  for (Operation &op : body.without_terminator()) {
    FailureOr<ReferenceTensor> result = evaluateResult(&op);
    if (failed(result))
      return failure();
    values[op.getResult(0)] = std::move(*result);
  }
  SmallVector<ReferenceTensor> results;
  for (Value operand : body.getTerminator()->getOperands())
    results.push_back((*this)[operand]);
  return results;
}

FailureOr<SmallVector<ReferenceTensor>>
a2q::evaluate(func::FuncOp function, ArrayRef<ReferenceTensor> arguments,
              std::optional<Emulation> emulation) {
  return Evaluator(emulation).run(function, arguments);
}
