//===- ExportTosa.cpp - Layouts and float layers to ONNX ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

LogicalResult Exporter::exportTranspose(Value input, Value result,
                                        ArrayRef<int64_t> permutation) {
  FailureOr<ElementType> type = typeOf(input);
  if (failed(type))
    return failure();
  // Between the two forms of an image nothing moves.
  for (auto [from, to, order] : {std::tuple(Form::Plain, Form::ChannelsFirst,
                                            ArrayRef<int64_t>({0, 2, 3, 1})),
                                 std::tuple(Form::ChannelsFirst, Form::Plain,
                                            ArrayRef<int64_t>({0, 3, 1, 2}))}) {
    if (permutation != order)
      continue;
    FailureOr<std::string> name = nameOf(input, from);
    if (failed(name))
      return failure();
    define(result, *type, to, *name);
    return success();
  }
  FailureOr<std::string> name = nameOf(input, Form::Plain);
  if (failed(name))
    return failure();
  define(result, *type, Form::Plain, addTranspose(*name, permutation));
  return success();
}

LogicalResult Exporter::exportReshape(Value input, Value result) {
  FailureOr<std::string> name = nameOf(input, Form::Plain);
  FailureOr<ElementType> type = typeOf(input);
  if (failed(name) || failed(type))
    return failure();
  define(result, *type, Form::Plain,
         addReshape(*name, tensorType(result).getShape()));
  return success();
}

LogicalResult Exporter::exportConcat(tosa::ConcatOp op) {
  Form form = formOf(op->getOperands());
  SmallVector<std::string> inputs;
  for (Value operand : op->getOperands()) {
    FailureOr<std::string> name = nameOf(operand, form);
    if (failed(name))
      return failure();
    inputs.push_back(*name);
  }
  static constexpr int64_t axisFirst[] = {0, 2, 3, 1};
  int64_t axis = op.getAxis();
  onnx::NodeProto &node = addNode("Concat", inputs);
  addAttribute(node, "axis",
               form == Form::ChannelsFirst ? axisFirst[axis] : axis);
  define(op, *typeOf(op->getOperand(0)), form, node.output(0));
  return success();
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

LogicalResult Exporter::exportElementwise(Operation *op, StringRef name) {
  if (!tensorType(op->getResult(0)).getElementType().isF32())
    return op->emitError() << "operation '" << op->getName()
                           << "' on integers cannot be exported to ONNX";
  // The third operand of a product is the shift of integers.
  ValueRange operands = op->getOperands().take_front(2);
  Form form = formOf(operands);
  SmallVector<std::string> inputs;
  for (Value operand : operands) {
    FailureOr<std::string> input = nameOf(operand, form);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  define(op->getResult(0), ElementType::Float, form, add(name, inputs));
  return success();
}

LogicalResult Exporter::exportPlain(Operation *op, StringRef name,
                                    ValueRange operands) {
  if (!tensorType(op->getResult(0)).getElementType().isF32())
    return op->emitError() << "operation '" << op->getName()
                           << "' on integers cannot be exported to ONNX";
  SmallVector<std::string> inputs;
  for (Value operand : operands) {
    FailureOr<std::string> input = nameOf(operand, Form::Plain);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  define(op->getResult(0), ElementType::Float, Form::Plain, add(name, inputs));
  return success();
}

LogicalResult Exporter::exportClamp(tosa::ClampOp op) {
  auto lo = dyn_cast<FloatAttr>(op.getMinVal());
  auto hi = dyn_cast<FloatAttr>(op.getMaxVal());
  if (!lo || !hi)
    return op.emitError() << "a clamp of integers cannot be exported to ONNX";
  Form form = formOf(op.getInput());
  FailureOr<std::string> name = nameOf(op.getInput(), form);
  if (failed(name))
    return failure();
  double low = lo.getValueAsDouble(), high = hi.getValueAsDouble();
  if (low == 0 && std::isinf(high)) {
    define(op, ElementType::Float, form, add("Relu", *name));
    return success();
  }
  std::string clipped = add("Clip", {*name, std::isinf(low) ? "" : addReal(low),
                                     std::isinf(high) ? "" : addReal(high)});
  define(op, ElementType::Float, form, clipped);
  return success();
}

/// Integers that are kept within limits.
LogicalResult Exporter::exportClip(linalg::GenericOp op) {
  auto refuse = [&] {
    return op.emitError() << "operation 'linalg.generic' cannot be exported to "
                             "ONNX: limits of integers can, and reals";
  };
  bool isPlain = op.getNumDpsInputs() == 1 &&
                 op.getNumLoops() == op.getNumParallelLoops() &&
                 llvm::all_of(op.getIndexingMapsArray(),
                              [](AffineMap map) { return map.isIdentity(); });
  if (!isPlain)
    return refuse();
  Value input = op.getInputs().front();
  FailureOr<ElementType> type = typeOf(input);
  if (failed(type))
    return failure();
  std::optional<IntegerFormat> format = integerFormat(*type);
  if (!format)
    return refuse();
  std::optional<int64_t> lo, hi;
  Value known = op.getBody()->getArgument(0);
  for (Operation &inner : op.getBody()->without_terminator()) {
    APInt limit;
    if (inner.getNumOperands() != 2 || inner.getOperand(0) != known ||
        !matchPattern(inner.getOperand(1), m_ConstantInt(&limit)))
      return refuse();
    bool isSignedOp = isa<arith::MinSIOp, arith::MaxSIOp>(inner);
    int64_t value = isSignedOp ? limit.getSExtValue()
                               : static_cast<int64_t>(limit.getZExtValue());
    if (isSignedOp != format->isSigned)
      return refuse();
    if (isa<arith::MinSIOp, arith::MinUIOp>(inner))
      hi = std::min(value, hi.value_or(value));
    else if (isa<arith::MaxSIOp, arith::MaxUIOp>(inner))
      lo = std::max(value, lo.value_or(value));
    else
      return refuse();
    known = inner.getResult(0);
  }
  if (op.getBody()->getTerminator()->getOperand(0) != known)
    return refuse();
  Form form = formOf(input);
  FailureOr<std::string> name = nameOf(input, form);
  if (failed(name))
    return failure();
  std::string clipped = add("Clip", {*name, lo ? addInteger(*type, *lo) : "",
                                     hi ? addInteger(*type, *hi) : ""});
  define(op.getResult(0), *type, form, clipped);
  return success();
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// [top, bottom, left, right] of TOSA as [top, left, bottom, right].
static SmallVector<int64_t> padsOf(ArrayRef<int64_t> pads) {
  return {pads[0], pads[2], pads[1], pads[3]};
}

LogicalResult Exporter::exportMaxPool(Operation *op, Value input,
                                      ArrayRef<int64_t> kernel,
                                      ArrayRef<int64_t> strides,
                                      ArrayRef<int64_t> pads) {
  FailureOr<std::string> name = nameOf(input, Form::ChannelsFirst);
  if (failed(name))
    return failure();
  onnx::NodeProto &node = addNode("MaxPool", *name);
  addAttribute(node, "kernel_shape", kernel);
  addAttribute(node, "strides", strides);
  addAttribute(node, "pads", padsOf(pads));
  define(op->getResult(0), *typeOf(input), Form::ChannelsFirst, node.output(0));
  return success();
}

/// The constant that a pad is made of, and nothing else; null otherwise.
static Attribute padValue(tensor::PadOp op) {
  Attribute value;
  Value padding = op.getConstantPaddingValue();
  bool isStatic = llvm::none_of(op.getStaticLow(), ShapedType::isDynamic) &&
                  llvm::none_of(op.getStaticHigh(), ShapedType::isDynamic);
  if (padding && isStatic)
    matchPattern(padding, m_Constant(&value));
  return value;
}

/// The image before a pad that no window's largest element comes from, or null.
static tensor::PadOp ignoredPad(Value image, bool isUnsigned) {
  auto pad = image.getDefiningOp<tensor::PadOp>();
  auto value = pad ? dyn_cast_or_null<IntegerAttr>(padValue(pad)) : nullptr;
  if (!value)
    return {};
  bool isLowest = isUnsigned ? value.getValue().isMinValue()
                             : value.getValue().isMinSignedValue();
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  bool isOfImage = low.size() == 4 && low[0] == 0 && low[3] == 0 &&
                   high[0] == 0 && high[3] == 0;
  return isLowest && isOfImage ? pad : tensor::PadOp();
}

LogicalResult Exporter::exportCodePool(linalg::LinalgOp op, bool isUnsigned) {
  Value image = op.getDpsInputs()[0];
  auto isOf8Bits = tensorType(image).getElementType().isInteger(8);
  auto attribute = [&](StringRef name) {
    return llvm::to_vector(
        op->getAttrOfType<DenseIntElementsAttr>(name).getValues<int64_t>());
  };
  SmallVector<int64_t> pads = {0, 0, 0, 0};
  if (tensor::PadOp pad = ignoredPad(image, isUnsigned)) {
    ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
    pads = {low[1], low[2], high[1], high[2]};
    image = pad.getSource();
  }
  FailureOr<ElementType> type = typeOf(image);
  FailureOr<std::string> name = nameOf(image, Form::ChannelsFirst);
  if (failed(type) || failed(name))
    return failure();
  std::optional<IntegerFormat> format = integerFormat(*type);
  bool isSame = *type == ElementType::Float ||
                (format && isOf8Bits && format->isSigned != isUnsigned);
  if (!isSame)
    return op.emitError() << "the largest of windows of " << toString(*type)
                          << " cannot be exported to ONNX: of bytes can";
  onnx::NodeProto &node = addNode("MaxPool", *name);
  addAttribute(node, "kernel_shape",
               tensorType(op.getDpsInputs()[1]).getShape());
  addAttribute(node, "strides", attribute("strides"));
  addAttribute(node, "dilations", attribute("dilations"));
  addAttribute(node, "pads", pads);
  define(op->getResult(0), *type, Form::ChannelsFirst, node.output(0));
  return success();
}

LogicalResult Exporter::exportPad(tensor::PadOp op) {
  // A pool that alone reads it has pads of its own.
  auto poolsIt = [&](Operation *user) {
    return (isa<linalg::PoolingNhwcMaxOp>(user) &&
            ignoredPad(op.getResult(), false)) ||
           (isa<linalg::PoolingNhwcMaxUnsignedOp>(user) &&
            ignoredPad(op.getResult(), true));
  };
  if (llvm::all_of(op->getUsers(), poolsIt))
    return success();
  Attribute value = padValue(op);
  FailureOr<ElementType> type = typeOf(op.getSource());
  if (failed(type))
    return failure();
  auto real = dyn_cast_or_null<FloatAttr>(value);
  auto integer = dyn_cast_or_null<IntegerAttr>(value);
  bool isReal = *type == ElementType::Float;
  if (isReal ? !real : !integer)
    return op.emitError() << "operation 'tensor.pad' cannot be exported to "
                             "ONNX: constant sizes and a constant can, and "
                             "codes in the form that keeps them integers";
  FailureOr<std::string> name = nameOf(op.getSource(), Form::Plain);
  if (failed(name))
    return failure();
  SmallVector<int64_t> pads(op.getStaticLow());
  llvm::append_range(pads, op.getStaticHigh());
  std::string number =
      isReal ? addReal(real.getValueAsDouble())
             : addInteger(*type, integerFormat(*type)->isSigned
                                     ? integer.getValue().getSExtValue()
                                     : integer.getValue().getZExtValue());
  define(op, *type, Form::Plain,
         add("Pad", {*name, addSizes("pads", pads), number}));
  return success();
}

LogicalResult Exporter::exportAveragePool(tosa::AvgPool2dOp op) {
  if (!tensorType(op).getElementType().isF32())
    return op.emitError() << "averages of integers cannot be exported to ONNX";
  FailureOr<std::string> name = nameOf(op.getInput(), Form::ChannelsFirst);
  if (failed(name))
    return failure();
  onnx::NodeProto &node = addNode("AveragePool", *name);
  addAttribute(node, "kernel_shape", op.getKernel());
  addAttribute(node, "strides", op.getStride());
  addAttribute(node, "pads", padsOf(op.getPad()));
  define(op, ElementType::Float, Form::ChannelsFirst, node.output(0));
  return success();
}

LogicalResult
Exporter::exportRealConv(Operation *op, Value input, Value weights, Value bias,
                         ArrayRef<int64_t> pads, ArrayRef<int64_t> strides,
                         ArrayRef<int64_t> dilations, bool isDepthwise) {
  if (!tensorType(op->getResult(0)).getElementType().isF32())
    return op->emitError() << "operation '" << op->getName()
                           << "' on integers cannot be exported to ONNX";
  ElementsAttr elements;
  if (!matchPattern(weights, m_Constant(&elements)))
    return op->emitError()
           << "weights that are not constant cannot be exported";
  std::optional<std::vector<float>> reals = realElements(elements);
  if (!reals)
    return op->emitError() << "weights that are elsewhere cannot be exported";
  Tensor filter;
  filter.shape = llvm::to_vector(tensorType(weights).getShape());
  filter.floats = std::move(*reals);
  // [F, H, W, C] or, of depthwise ones, [H, W, C, M].
  filter = transpose(filter, isDepthwise ? ArrayRef<int64_t>({2, 3, 0, 1})
                                         : ArrayRef<int64_t>({0, 3, 1, 2}));
  int64_t groups = isDepthwise ? filter.shape[0] : 1;
  if (isDepthwise)
    filter.shape = {filter.shape[0] * filter.shape[1], 1, filter.shape[2],
                    filter.shape[3]};
  FailureOr<std::string> image = nameOf(input, Form::ChannelsFirst);
  FailureOr<std::string> added = nameOf(bias, Form::Plain);
  if (failed(image) || failed(added))
    return failure();
  std::string hint = layer.empty() ? "weight" : layer + "_weight";
  SmallVector<std::string> inputs = {*image, addConstant(hint, filter)};
  // One number stands for all channels.
  if (tensorType(bias).getNumElements() == filter.shape[0])
    inputs.push_back(*added);
  onnx::NodeProto &node = addNode("Conv", inputs);
  addAttribute(node, "kernel_shape", {filter.shape[2], filter.shape[3]});
  addAttribute(node, "strides", strides);
  addAttribute(node, "dilations", dilations);
  addAttribute(node, "pads", padsOf(pads));
  addAttribute(node, "group", groups);
  std::string result = node.output(0);
  if (inputs.size() == 2)
    result = add("Add", {result, *added});
  define(op->getResult(0), ElementType::Float, Form::ChannelsFirst, result);
  return success();
}
