//===- ExportLayers.cpp - Codes and layers to ONNX ------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/Budget.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

static ElementType codeType(quant::QuantizedType type) {
  if (type.getStorageTypeIntegralWidth() <= 8)
    return type.isSigned() ? ElementType::Int8 : ElementType::UInt8;
  return type.isSigned() ? ElementType::Int16 : ElementType::UInt16;
}

LogicalResult Exporter::checkPerTensor(Operation *op, Type type) {
  auto quantized =
      dyn_cast_or_null<quant::UniformQuantizedType>(getQuantizedType(type));
  if (!quantized)
    return op->emitError()
           << "codes of type " << type
           << " cannot be exported: one scale for the whole tensor is";
  if (quantized.getStorageTypeIntegralWidth() > 16)
    return op->emitError() << "codes of "
                           << quantized.getStorageTypeIntegralWidth()
                           << " bits cannot be exported: up to 16 can";
  return success();
}

ElementType Exporter::typeOfCodes(quant::QuantizedType type) const {
  return target == ONNXForm::QONNX ? ElementType::Float : codeType(type);
}

/// The fewest bits whose integers hold the range, all of them or all but the
/// smallest one ("narrow").
static std::pair<unsigned, bool> bitsOf(a2q::Range range) {
  unsigned bits = codeBits(range);
  bool isNarrow =
      isSigned(range) && range.lo == -range.hi && range.hi == narrowLimit(bits);
  return {bits, isNarrow};
}

std::string Exporter::addQuant(const std::string &reals,
                               const std::string &scale,
                               const std::string &zero, a2q::Range range) {
  auto [bits, isNarrow] = bitsOf(range);
  onnx::NodeProto &node = addNode("Quant", {reals, scale, zero, addReal(bits)});
  node.set_domain(quantDomain.str());
  addAttribute(node, "signed", isSigned(range));
  addAttribute(node, "narrow", isNarrow);
  onnx::AttributeProto &rounding = *node.add_attribute();
  rounding.set_name("rounding_mode");
  rounding.set_type(onnx::AttributeProto::STRING);
  rounding.set_s("ROUND");
  return node.output(0);
}

std::string Exporter::addQuantize(const std::string &reals,
                                  quant::QuantizedType type) {
  if (target == ONNXForm::QONNX) {
    a2q::Range range = codeRange(type);
    auto scale = static_cast<float>(scales(type).front());
    float zero = zeroPoint(type);
    std::string quantized =
        addQuant(reals, addReal(scale), addReal(zero), range);
    auto [bits, isNarrow] = bitsOf(range);
    a2q::Range held = IntegerFormat{bits, isSigned(range)}.range();
    held.lo += isNarrow;
    return held == range ? quantized : clipWords(quantized, type);
  }
  ElementType element = codeType(type);
  std::string scale = addReal(static_cast<float>(scales(type).front()));
  std::string zero = addInteger(element, zeroPoint(type));
  a2q::Range range = codeRange(type);
  bool isWhole = range == integerFormat(element)->range();
  bool isWord = integerFormat(element)->bits > 8;
  std::string codes =
      add("QuantizeLinear",
          {isWord && !isWhole ? clipWords(reals, type) : reals, scale, zero});
  if (isWhole || isWord)
    return codes;
  return add("Clip", {codes, addInteger(element, range.lo),
                      addInteger(element, range.hi)});
}

std::string Exporter::clipWords(const std::string &reals,
                                quant::QuantizedType type) {
  a2q::Range range = codeRange(type);
  auto scale = static_cast<float>(scales(type).front());
  auto zero = static_cast<float>(zeroPoint(type));
  return add("Clip", {reals, addReal((range.lo - zero) * scale),
                      addReal((range.hi - zero) * scale)});
}

std::string Exporter::addDequantize(const std::string &codes,
                                    quant::QuantizedType type) {
  if (target == ONNXForm::QONNX)
    return codes;
  std::string scale = addReal(static_cast<float>(scales(type).front()));
  std::string zero = addInteger(codeType(type), zeroPoint(type));
  return add("DequantizeLinear", {codes, scale, zero});
}

/// Codes whose zero point was taken off before a product of two activations, as
/// they were before; null where that is not so.
static Value beforeDifference(Value value) {
  auto cast = value.getDefiningOp<quant::StorageCastOp>();
  Value integers = cast ? cast.getInput() : value;
  if (auto narrow = integers.getDefiningOp<arith::TruncIOp>())
    integers = narrow.getIn();
  auto difference = integers.getDefiningOp<arith::SubIOp>();
  DenseElementsAttr zero;
  if (!difference || !matchPattern(difference.getRhs(), m_Constant(&zero)) ||
      !zero.isSplat())
    return Value();
  integers = difference.getLhs();
  if (auto wide = integers.getDefiningOp<arith::ExtSIOp>())
    integers = wide.getIn();
  else if (auto wide = integers.getDefiningOp<arith::ExtUIOp>())
    integers = wide.getIn();
  auto codes = integers.getDefiningOp<quant::StorageCastOp>();
  auto type = codes ? getQuantizedType(codes.getInput().getType())
                    : quant::QuantizedType();
  if (!type || !isa<quant::UniformQuantizedType>(type) ||
      zero.getSplatValue<APInt>().getSExtValue() != zeroPoint(type))
    return Value();
  return codes.getInput();
}

bool Exporter::feedsProduct(Operation *op) {
  return llvm::all_of(op->getUsers(), [](Operation *user) {
    if (isa<arith::SubIOp, arith::TruncIOp>(user))
      return feedsProduct(user);
    return isa<quant::StorageCastOp>(user) &&
           beforeDifference(user->getResult(0)) &&
           llvm::all_of(user->getUsers(), llvm::IsaPred<MatmulOp>);
  });
}

LogicalResult Exporter::exportCast(quant::StorageCastOp op) {
  // Products take the codes from which they come.
  if (beforeDifference(op.getResult()))
    return success();
  // Weights: the layer takes them.
  if (hasConstantCodes(op.getResult()))
    return success();
  Value input = op.getInput(), result = op.getResult();
  bool toCodes = static_cast<bool>(getQuantizedType(result.getType()));
  Type coded = toCodes ? result.getType() : input.getType();
  if (failed(checkPerTensor(op, coded)))
    return failure();
  Form form = formOf(input);
  FailureOr<std::string> name = nameOf(input, form);
  FailureOr<ElementType> type = typeOf(input);
  if (failed(name) || failed(type))
    return failure();
  quant::QuantizedType codes = getQuantizedType(coded);
  if (target == ONNXForm::QONNX && *type == codeType(codes)) {
    // Integers from outside stay integers until here.
    std::string scale = addReal(static_cast<float>(scales(codes).front()));
    std::string zero = addInteger(*type, zeroPoint(codes));
    define(result, ElementType::Float, form,
           add("DequantizeLinear", {*name, scale, zero}));
    return success();
  }
  if (*type != typeOfCodes(codes))
    return op.emitError() << "reads " << toString(*type) << " as "
                          << toString(typeOfCodes(codes))
                          << ", for which ONNX has no operator";
  define(result, *type, form, *name);
  return success();
}

LogicalResult Exporter::exportQuantize(QuantizeOp op) {
  if (failed(checkPerTensor(op, op.getType())))
    return failure();
  if (op.getRounding() != Rounding::HalfEven)
    return op.emitError() << "rounds otherwise than ONNX does, to nearest even";
  Form form = formOf(op.getInput());
  FailureOr<std::string> name = nameOf(op.getInput(), form);
  if (failed(name))
    return failure();
  quant::QuantizedType type = getQuantizedType(op.getType());
  define(op, typeOfCodes(type), form, addQuantize(*name, type));
  return success();
}

LogicalResult Exporter::exportDequantize(DequantizeOp op) {
  if (failed(checkPerTensor(op, op.getInput().getType())))
    return failure();
  Form form = formOf(op.getInput());
  FailureOr<std::string> name = nameOf(op.getInput(), form);
  if (failed(name))
    return failure();
  define(op, ElementType::Float, form,
         addDequantize(*name, getQuantizedType(op.getInput().getType())));
  return success();
}

//===----------------------------------------------------------------------===//
// What is done with sums
//===----------------------------------------------------------------------===//

/// Elements of a constant, one for each channel.
template <typename T>
static std::optional<std::vector<T>> perChannel(ElementsAttr elements,
                                                int64_t channels) {
  if (!elements ||
      (elements.getNumElements() != 1 && elements.getNumElements() != channels))
    return std::nullopt;
  std::vector<T> values;
  if constexpr (std::is_same_v<T, double>) {
    std::optional<std::vector<float>> reals = realElements(elements);
    if (!reals)
      return std::nullopt;
    values.assign(reals->begin(), reals->end());
  } else {
    FailureOr<SmallVector<int64_t>> integers = integerElements(elements);
    if (failed(integers))
      return std::nullopt;
    values.assign(integers->begin(), integers->end());
  }
  if (values.size() == 1)
    values.resize(channels, values.front());
  return values;
}

/// Whether an operand has one element, or one for each index of the last
/// dimension.
static bool isReadByChannel(linalg::GenericOp op, OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  AffineExpr channel = getAffineDimExpr(op.getNumLoops() - 1, op.getContext());
  return llvm::all_of(llvm::zip_equal(map.getResults(), op.getShape(&operand)),
                      [&](auto pair) {
                        auto [index, size] = pair;
                        return size == 1 || index == channel;
                      });
}

/// The constant that a generic op reads as this block argument.
static ElementsAttr constantOf(linalg::GenericOp op, Value value) {
  ElementsAttr elements;
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument) {
    // One number, from outside of the body.
    Attribute number;
    if (matchPattern(value, m_Constant(&number)))
      return DenseElementsAttr::get(RankedTensorType::get({1}, value.getType()),
                                    number);
    return {};
  }
  if (argument.getOwner() == op.getBody() &&
      argument.getArgNumber() < op.getNumDpsInputs() &&
      isReadByChannel(op, *op.getDpsInputOperand(argument.getArgNumber())))
    matchPattern(op.getInputs()[argument.getArgNumber()],
                 m_Constant(&elements));
  return elements;
}

/// The first ops of the body as `float(sum + bias) * factor`, which the
/// importer and the quantizer write; `reals` is what they give. Two factors
/// round twice, which no single one does: the second belongs to the rest.
FailureOr<SumFactors> Exporter::readDecoded(linalg::GenericOp op,
                                            Value &reals) {
  bool isElementwise =
      op.getNumLoops() != 0 && op.getNumParallelLoops() == op.getNumLoops() &&
      op.getMatchingIndexingMap(op.getDpsInputOperand(0)).isIdentity() &&
      op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
  if (op.getNumDpsInits() != 1 || !isElementwise)
    return failure();
  int64_t channels =
      cast<RankedTensorType>(op.getResult(0).getType()).getShape().back();
  SumFactors factors;
  factors.bias.assign(channels, 0);
  factors.factor.assign(channels, 1);
  Value known = op.getBody()->getArgument(0);
  bool hasFactor = false;
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (hasFactor)
      break;
    std::optional<std::vector<int64_t>> bias;
    std::optional<std::vector<double>> factor;
    if (isa<arith::AddIOp>(inner) && inner.getOperand(0) == known)
      bias = perChannel<int64_t>(constantOf(op, inner.getOperand(1)), channels);
    else if (isa<arith::MulFOp>(inner) && inner.getOperand(0) == known)
      factor =
          perChannel<double>(constantOf(op, inner.getOperand(1)), channels);
    else if (inner.getNumOperands() == 0)
      continue;
    else if (!isa<arith::SIToFPOp, arith::ExtSIOp>(inner) ||
             inner.getOperand(0) != known)
      break;
    if (isa<arith::AddIOp>(inner) && !bias)
      return failure();
    if (isa<arith::MulFOp>(inner) && !factor)
      break;
    if (bias)
      for (auto [sum, value] : llvm::zip_equal(factors.bias, *bias))
        if (llvm::AddOverflow(sum, value, sum))
          return failure();
    hasFactor = factor.has_value();
    if (factor)
      factors.factor = std::move(*factor);
    known = inner.getResult(0);
  }
  if (!known.getType().isF32())
    return failure();
  reals = known;
  return factors;
}

LogicalResult Exporter::exportRequantize(RequantizeOp op) {
  if (failed(checkPerTensor(op, op.getType())))
    return failure();
  if (op.getRounding() != Rounding::HalfEven || op.getShift())
    return op.emitError()
           << "rounds otherwise than ONNX does: float32, to nearest even";
  auto type = cast<RankedTensorType>(op.getType());
  int64_t channels = type.getShape().back();
  SumFactors factors;
  auto multiplier = perChannel<double>(op.getMultiplier(), channels);
  std::optional<std::vector<int64_t>> bias(std::in_place, channels);
  if (op.getBias())
    bias = perChannel<int64_t>(*op.getBias(), channels);
  if (!multiplier || !bias)
    return op.emitError() << "multiplier or bias cannot be read";
  factors.bias = std::move(*bias);
  factors.factor = std::move(*multiplier);
  quant::QuantizedType codes = getQuantizedType(type);
  for (double &factor : factors.factor)
    factor *= scales(codes).front();
  FailureOr<std::string> reals = exportLayer(op.getInput(), factors);
  if (failed(reals))
    return failure();
  define(op, typeOfCodes(codes),
         isa<Conv2DOp>(op.getInput().getDefiningOp()) ? Form::ChannelsFirst
                                                      : Form::Plain,
         addQuantize(*reals, codes));
  return success();
}

LogicalResult Exporter::exportGeneric(linalg::GenericOp op) {
  auto decode = op.getNumDpsInputs()
                    ? op.getInputs().front().getDefiningOp<DecodeOp>()
                    : DecodeOp();
  if (!decode) {
    bool isReal = getElementTypeOrSelf(op.getResultTypes().front()).isF32();
    return isReal ? exportRealGeneric(op) : exportClip(op);
  }
  KnownScalar known;
  FailureOr<SumFactors> factors = readDecoded(op, known.value);
  if (failed(factors))
    return op.emitError() << "what is done with the integer sums of a layer "
                             "cannot be exported: bias and factors are, and "
                             "what is done with the reals behind them";
  FailureOr<std::string> reals = exportLayer(decode.getInput(), *factors);
  if (failed(reals))
    return failure();
  known.name = *reals;
  known.isChannelsFirst = isa<Conv2DOp>(decode.getInput().getDefiningOp());
  if (op.getBody()->getTerminator()->getOperand(0) != known.value)
    return exportRealGeneric(op, known);
  define(op.getResult(0), ElementType::Float,
         known.isChannelsFirst ? Form::ChannelsFirst : Form::Plain, *reals);
  return success();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// The type's scales, where the factors follow from them; a network whose
/// factors were changed without them has others.
static std::vector<double> weightScales(quant::QuantizedType weights,
                                        double inputScale,
                                        ArrayRef<double> factors) {
  SmallVector<double> own = scales(weights);
  std::vector<double> result;
  for (auto [channel, factor] : llvm::enumerate(factors)) {
    double scale = own[own.size() == 1 ? 0 : channel];
    double derived = factor / inputScale;
    result.push_back(std::abs(scale - derived) <= 1e-6 * derived ? scale
                                                                 : derived);
  }
  return result;
}

std::pair<std::string, std::string>
Exporter::addWeights(const Tensor &codes, a2q::Range range, int64_t axis,
                     StringRef name, ArrayRef<double> weightScales,
                     double inputScale, ArrayRef<int64_t> bias) {
  if (target == ONNXForm::QONNX)
    return addRealWeights(codes, range, axis, name, weightScales, inputScale,
                          bias);
  Tensor scale, biasScale, biasCodes, zeros;
  scale.shape = biasScale.shape = biasCodes.shape =
      zeros.shape = {static_cast<int64_t>(bias.size())};
  scale.floats.assign(weightScales.begin(), weightScales.end());
  for (float s : scale.floats)
    biasScale.floats.push_back(s * static_cast<float>(inputScale));
  biasCodes.type = ElementType::Int32;
  biasCodes.ints.assign(bias.begin(), bias.end());
  zeros.type = codes.type;
  zeros.ints.resize(bias.size());
  std::string integers = addConstant((name + "_weight").str(), codes);
  if (range != integerFormat(codes.type)->range() &&
      integerFormat(codes.type)->bits <= 8)
    integers = add("Clip", {integers, addInteger(codes.type, range.lo),
                            addInteger(codes.type, range.hi)});
  onnx::NodeProto &weights =
      addNode("DequantizeLinear",
              {integers, addConstant((name + "_weight_scale").str(), scale),
               addConstant((name + "_weight_zero").str(), zeros)});
  addAttribute(weights, "axis", axis);
  std::string result = weights.output(0);
  zeros.type = ElementType::Int32;
  onnx::NodeProto &added = addNode(
      "DequantizeLinear", {addConstant((name + "_bias").str(), biasCodes),
                           addConstant((name + "_bias_scale").str(), biasScale),
                           addConstant((name + "_bias_zero").str(), zeros)});
  addAttribute(added, "axis", 0);
  return {result, added.output(0)};
}

std::pair<std::string, std::string>
Exporter::addRealWeights(const Tensor &codes, a2q::Range range, int64_t axis,
                         StringRef name, ArrayRef<double> weightScales,
                         double inputScale, ArrayRef<int64_t> bias) {
  Tensor reals, scale, added;
  reals.shape = codes.shape;
  scale.shape.assign(codes.shape.size(), 1);
  scale.shape[axis] = static_cast<int64_t>(bias.size());
  scale.floats.assign(weightScales.begin(), weightScales.end());
  int64_t inner = 1;
  for (int64_t size : ArrayRef(codes.shape).drop_front(axis + 1))
    inner *= size;
  for (auto [at, code] : llvm::enumerate(codes.ints))
    reals.floats.push_back(static_cast<float>(code) *
                           scale.floats[at / inner % bias.size()]);
  added.shape = {static_cast<int64_t>(bias.size())};
  for (auto [value, s] : llvm::zip_equal(bias, weightScales))
    added.floats.push_back(
        static_cast<float>(static_cast<double>(value) * s * inputScale));
  std::string weights = addQuant(
      addConstant((name + "_weight").str(), reals),
      addConstant((name + "_weight_scale").str(), scale), addReal(0), range);
  return {weights, addConstant((name + "_bias").str(), added)};
}

FailureOr<std::string> Exporter::exportLayer(Value sums,
                                             const SumFactors &factors) {
  Operation *op = sums.getDefiningOp();
  if (auto name = op ? dyn_cast<NameLoc>(op->getLoc()) : NameLoc())
    layer = name.getName().str();
  if (auto conv = dyn_cast_or_null<Conv2DOp>(op))
    return exportConv(conv, factors);
  if (auto matmul = dyn_cast_or_null<MatmulOp>(op))
    return exportMatmul(matmul, factors);
  return emitError(sums.getLoc())
         << "only sums of layers in the same function can be exported";
}

/// The integer bias of real numbers: `initial` is in it, and so is what zero
/// points take off. Failure with a diagnostic.
static FailureOr<std::vector<int64_t>>
totalBias(Operation *op, ArrayRef<int64_t> bias, Value initial,
          ArrayRef<int64_t> codes, int64_t zero) {
  if (bias.empty())
    return op->emitError()
           << "has no output channels, which cannot be exported";
  std::vector<int64_t> total(bias.begin(), bias.end());
  size_t length = codes.size() / total.size();
  SmallVector<int64_t> start(total.size(), 0);
  if (initial) {
    FailureOr<SmallVector<int64_t>> constant = constantCodes(initial);
    if (failed(constant))
      return op->emitError() << "an initial value that is not constant cannot "
                                "be exported";
    start = std::move(*constant);
  }
  for (auto [channel, value] : llvm::enumerate(total)) {
    ArrayRef<int64_t> row = codes.slice(channel * length, length);
    value += start[channel] +
             zero * std::accumulate(row.begin(), row.end(), int64_t(0));
    if (value < INT32_MIN || value > INT32_MAX)
      return op->emitError() << "the bias of channel " << channel << ", "
                             << value << ", does not fit 32 bits";
  }
  return total;
}

/// Constant weights; failure with a diagnostic.
static FailureOr<Tensor> readWeights(Operation *op, Value weights) {
  FailureOr<SmallVector<int64_t>> codes = constantCodes(weights);
  if (failed(codes))
    return op->emitError()
           << "weights that are not constant cannot be exported";
  quant::QuantizedType type = getQuantizedType(weights.getType());
  if (type.getStorageTypeIntegralWidth() > 16)
    return op->emitError() << "weights of "
                           << type.getStorageTypeIntegralWidth()
                           << " bits cannot be exported: up to 16 can";
  Tensor tensor;
  tensor.type = codeType(type);
  tensor.shape =
      llvm::to_vector(cast<RankedTensorType>(weights.getType()).getShape());
  tensor.ints.assign(codes->begin(), codes->end());
  return tensor;
}

FailureOr<std::string> Exporter::exportConv(Conv2DOp op,
                                            const SumFactors &factors) {
  if (failed(checkPerTensor(op, op.getInput().getType())))
    return failure();
  FailureOr<Tensor> weights = readWeights(op, op.getFilter());
  if (failed(weights))
    return failure();
  quant::QuantizedType input = getQuantizedType(op.getInput().getType());
  FailureOr<std::vector<int64_t>> bias =
      totalBias(op, factors.bias, op.getInitial(), weights->ints.vector(),
                zeroPoint(input));
  FailureOr<std::string> codes = nameOf(op.getInput(), Form::ChannelsFirst);
  if (failed(bias) || failed(codes))
    return failure();
  double inputScale = scales(input).front();
  std::string reals = addDequantize(*codes, input);
  auto [filter, added] = addWeights(
      transpose(*weights, {0, 3, 1, 2}),
      codeRange(getQuantizedType(op.getFilter().getType())), 0, layer,
      weightScales(getQuantizedType(op.getFilter().getType()), inputScale,
                   factors.factor),
      inputScale, *bias);
  onnx::NodeProto &node = addNode("Conv", {reals, filter, added});
  addAttribute(node, "kernel_shape", {weights->shape[1], weights->shape[2]});
  addAttribute(node, "strides", op.getStrides());
  addAttribute(node, "dilations", op.getDilations());
  addAttribute(node, "pads", op.getPadding());
  addAttribute(node, "group", static_cast<int64_t>(op.getGroups()));
  if (!layer.empty() && names.insert(layer).second)
    node.set_name(layer);
  return node.output(0);
}

FailureOr<std::string> Exporter::exportMatmul(MatmulOp op,
                                              const SumFactors &factors) {
  if (!hasConstantCodes(op.getRhs()))
    return exportProduct(op, factors);
  if (failed(checkPerTensor(op, op.getLhs().getType())))
    return failure();
  FailureOr<Tensor> weights = readWeights(op, op.getRhs());
  if (failed(weights))
    return failure();
  if (weights->shape.size() != 2)
    return op.emitError() << "weights for each batch cannot be exported";
  quant::QuantizedType input = getQuantizedType(op.getLhs().getType());
  FailureOr<std::vector<int64_t>> bias =
      totalBias(op, factors.bias, op.getInitial(), weights->ints.vector(),
                zeroPoint(input));
  FailureOr<std::string> codes = nameOf(op.getLhs(), Form::Plain);
  if (failed(bias) || failed(codes))
    return failure();
  bool isMatrix = cast<RankedTensorType>(op.getLhs().getType()).getRank() == 2;
  double inputScale = scales(input).front();
  std::string reals = addDequantize(*codes, input);
  auto [matrix, added] =
      addWeights(isMatrix ? *weights : transpose(*weights, {1, 0}),
                 codeRange(getQuantizedType(op.getRhs().getType())),
                 isMatrix ? 0 : 1, layer,
                 weightScales(getQuantizedType(op.getRhs().getType()),
                              inputScale, factors.factor),
                 inputScale, *bias);
  std::string name;
  if (!layer.empty() && names.insert(layer).second)
    name = layer;
  onnx::NodeProto &node = isMatrix ? addNode("Gemm", {reals, matrix, added})
                                   : addNode("MatMul", {reals, matrix});
  if (isMatrix)
    addAttribute(node, "transB", 1);
  if (!name.empty())
    node.set_name(name);
  std::string sum = node.output(0);
  return isMatrix ? sum : add("Add", {sum, added});
}

FailureOr<std::string> Exporter::exportProduct(MatmulOp op,
                                               const SumFactors &factors) {
  Value first = op.getLhs(), second = op.getRhs();
  quant::QuantizedType lhs = getQuantizedType(first.getType());
  quant::QuantizedType rhs = getQuantizedType(second.getType());
  bool isPlain = !op.getInitial() && zeroPoint(lhs) == 0 &&
                 zeroPoint(rhs) == 0 && llvm::all_equal(factors.factor) &&
                 llvm::all_of(factors.bias, [](int64_t b) { return b == 0; });
  if (!isPlain)
    return op.emitError() << "products of two activations can be exported with "
                             "zero points of 0, without a bias and with one "
                             "factor";
  for (auto [value, type] : {std::tie(first, lhs), std::tie(second, rhs)})
    if (Value codes = beforeDifference(value)) {
      value = codes;
      type = getQuantizedType(codes.getType());
    }
  if (failed(checkPerTensor(op, first.getType())) ||
      failed(checkPerTensor(op, second.getType())))
    return failure();
  FailureOr<std::string> left = nameOf(first, Form::Plain);
  FailureOr<std::string> right = nameOf(second, Form::Plain);
  if (failed(left) || failed(right))
    return failure();
  // ONNX has the second matrix as it is.
  auto rank = cast<RankedTensorType>(op.getRhs().getType()).getRank();
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  std::string transposed =
      addDequantize(addTranspose(*right, permutation), rhs);
  std::string product = add("MatMul", {addDequantize(*left, lhs), transposed});
  double wanted = factors.factor.front();
  double given = scales(lhs).front() * scales(rhs).front();
  if (std::abs(wanted - given) <= 1e-6 * std::abs(given))
    return product;
  return add("Mul", {product, addReal(static_cast<float>(wanted / given))});
}
