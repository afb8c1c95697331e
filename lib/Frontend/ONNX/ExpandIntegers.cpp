//===- ExpandIntegers.cpp - MatMulInteger and its kin ---------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of integers is one of real numbers of scale 1, whose sums are then
// taken as INT32. A zero point that is computed is not known to the layer:
// Dynamic.cpp says how it comes off its sums where the weights are constant.
// Where both sides are computed, it comes off the codes.
//
//===----------------------------------------------------------------------===//

#include "Expand.h"

#include "Proto.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// Only zero points of activations come off sums.
LogicalResult Expander::checkWeightZeroPoint(const Node &node, unsigned index,
                                             unsigned weights) {
  if (!node.hasInput(index) || constant(node.input(index)) ||
      !isFixed(node.input(weights)))
    return success();
  return node.emitInputError(index)
         << "is computed; the zero point of weights must be constant";
}

/// DequantizeLinear of scale 1; without the zero point when it is computed.
std::string Expander::unscaled(StringRef codes, StringRef zeroPoint,
                               int64_t axis) {
  const onnx::TensorProto *zero = constant(zeroPoint);
  int64_t count = zero && zero->dims_size() == 1 ? zero->dims(0) : 0;
  bool isVector = count > 1 && count <= kMostChannels;
  std::string scale = isVector ? real({count}, std::vector<float>(count, 1.0f))
                               : real(zero && count == 1 ? ArrayRef<int64_t>{1}
                                                         : ArrayRef<int64_t>(),
                                      1.0f);
  std::string value =
      emit("DequantizeLinear", {codes, scale, zero ? zeroPoint : StringRef()});
  setAxis(axis);
  return value;
}

/// INT32 of a, b, and their zero points, which may be "".
std::string Expander::integerProduct(StringRef a, StringRef b,
                                     StringRef zeroPoint,
                                     StringRef weightZeroPoint,
                                     StringRef output) {
  // Of several matrices of weights zero points come off the activations: their
  // sums differ.
  const onnx::TensorProto *weights = constant(b);
  bool areComputed =
      !isFixed(a) && (!isFixed(b) || (weights && weights->dims_size() > 2));
  auto difference = [&](StringRef codes, StringRef zero) {
    std::string value = codes.str();
    if (!zero.empty() && !constant(zero))
      value = emit("Differences", {codes, zero});
    return unscaled(value, constant(zero) ? zero : StringRef(), -1);
  };
  if (areComputed) {
    std::string x = difference(a, zeroPoint);
    std::string y = difference(b, weightZeroPoint);
    return emit("IntegerSums", {emit("MatMul", {x, y}), y}, output);
  }
  std::string x = unscaled(a, zeroPoint, 0);
  std::string w = unscaled(b, weightZeroPoint, -1);
  std::string sums = emit("MatMul", {x, w});
  bool isComputed = !zeroPoint.empty() && !constant(zeroPoint);
  return emit("IntegerSums", {sums, w, isComputed ? zeroPoint : StringRef()},
              output);
}

/// Activations have one zero point.
LogicalResult Expander::checkZeroPoint(const Node &node, unsigned index) {
  const onnx::TensorProto *zero = constant(node.input(index));
  if (!zero || llvm::all_of(zero->dims(), [](int64_t n) { return n == 1; }))
    return success();
  SmallVector<int64_t> shape(zero->dims().begin(), zero->dims().end());
  return node.emitInputError(index)
         << "has shape " << shapeText(shape)
         << "; supported is one zero point for all activations";
}

/// a, b, az, bz.
LogicalResult Expander::expandMatMulInteger(const Node &node) {
  if (failed(checkZeroPoint(node, 2)) ||
      failed(checkWeightZeroPoint(node, 3, 1)))
    return failure();
  integerProduct(node.input(0), node.input(1), node.input(2), node.input(3),
                 node.output());
  return success();
}

/// x, w, xz, wz. Padding is the zero point: codes are padded before the layer
/// where it is computed.
LogicalResult Expander::expandConvInteger(const Node &node) {
  if (failed(checkZeroPoint(node, 2)) ||
      failed(checkWeightZeroPoint(node, 3, 1)))
    return failure();
  std::string codes = node.input(0).str();
  bool isComputed = node.hasInput(2) && !constant(node.input(2));
  bool isPadded = llvm::any_of(node.integers("pads", {}),
                               [](int64_t size) { return size != 0; });
  StringRef automatic = node.string("auto_pad", "NOTSET");
  if (isComputed && automatic != "NOTSET" && automatic != "VALID")
    return node.emitError() << "auto_pad " << automatic
                            << " is not supported where the zero point is "
                               "computed, only pads";
  if (isComputed && isPadded)
    codes = emit("PadCodes", {codes, node.input(2)});
  std::string x = unscaled(codes, node.input(2), 0);
  std::string w = unscaled(node.input(1), node.input(3), 0);
  std::string sums = emit("Conv", {x, w});
  if (isComputed && isPadded)
    for (onnx::AttributeProto &attribute : *last().mutable_attribute())
      if (attribute.name() == "pads")
        for (int64_t &size : *attribute.mutable_ints())
          size = 0;
  emit("IntegerSums", {sums, w, isComputed ? node.input(2) : StringRef()},
       node.output());
  return success();
}

/// float32(sums) * (as * bs) + bias, in the order of the unfused nodes.
void Expander::scaledProduct(const Node &node, StringRef product,
                             StringRef inputScale, StringRef weightScale,
                             StringRef bias) {
  std::string sums = emit("Cast", {product});
  addAttribute(last(), "to", onnx::TensorProto::FLOAT);
  std::string scale = emit("Mul", {inputScale, weightScale});
  std::string reals =
      emit("Mul", {sums, scale}, bias.empty() ? node.output() : "");
  if (!bias.empty())
    emit("Add", {reals, bias}, node.output());
}

/// a (real), b, bs, bz, bias.
LogicalResult Expander::expandDynamicQuantizeMatMul(const Node &node) {
  if (failed(checkWeightZeroPoint(node, 3, 1)))
    return failure();
  std::string codes = emit("DynamicQuantizeLinear", {node.input(0)});
  std::string scale = ownName(node.output()),
              zeroPoint = ownName(node.output());
  last().add_output(scale);
  last().add_output(zeroPoint);
  std::string product =
      integerProduct(codes, node.input(1), zeroPoint, node.input(3));
  scaledProduct(node, product, scale, node.input(2), node.input(4));
  return success();
}

/// a, b, as, bs, az, bz, bias.
LogicalResult Expander::expandMatMulIntegerToFloat(const Node &node) {
  if (failed(checkZeroPoint(node, 4)) ||
      failed(checkWeightZeroPoint(node, 5, 1)))
    return failure();
  std::string product = integerProduct(node.input(0), node.input(1),
                                       node.input(4), node.input(5));
  scaledProduct(node, product, node.input(2), node.input(3), node.input(6));
  return success();
}
