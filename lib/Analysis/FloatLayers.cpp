//===- FloatLayers.cpp - Layers of a float network ------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/FloatLayers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static std::optional<std::vector<float>> elementsOf(ElementsAttr elements) {
  if (!elements.getElementType().isF32())
    return std::nullopt;
  auto resource = dyn_cast<DenseResourceElementsAttr>(elements);
  if (!resource) {
    auto dense = dyn_cast<DenseElementsAttr>(elements);
    if (!dense)
      return std::nullopt;
    return std::vector<float>(dense.value_begin<float>(),
                              dense.value_end<float>());
  }
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  size_t count = elements.getNumElements();
  if (!blob || blob->getData().size() != count * sizeof(float))
    return std::nullopt;
  std::vector<float> values(count);
  memcpy(values.data(), blob->getData().data(), count * sizeof(float));
  return values;
}

/// Row-major elements of the transposed tensor: its dimension i is dimension
/// `permutation[i]` of the old one.
static std::vector<float> transposed(const std::vector<float> &values,
                                     ArrayRef<int64_t> shape,
                                     ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> steps(shape.size(), 1), sizes, moves;
  for (size_t dim = shape.size(); dim-- > 1;)
    steps[dim - 1] = steps[dim] * shape[dim];
  for (int64_t dim : permutation) {
    sizes.push_back(shape[dim]);
    moves.push_back(steps[dim]);
  }
  std::vector<float> result;
  result.reserve(values.size());
  SmallVector<int64_t> index(sizes.size(), 0);
  for (size_t count = 0; count < values.size(); ++count) {
    result.push_back(values[std::inner_product(index.begin(), index.end(),
                                               moves.begin(), int64_t(0))]);
    for (size_t dim = index.size(); dim-- > 0;) {
      if (++index[dim] < sizes[dim])
        break;
      index[dim] = 0;
    }
  }
  return result;
}

static std::optional<std::vector<float>>
transposedReals(Value input, ArrayRef<int64_t> permutation) {
  auto type = dyn_cast<RankedTensorType>(input.getType());
  std::optional<std::vector<float>> values = constantReals(input);
  if (!values || !type)
    return std::nullopt;
  return transposed(*values, type.getShape(), permutation);
}

std::optional<std::vector<float>> a2q::constantReals(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  ElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements)))
    return elementsOf(elements);
  if (auto transpose = dyn_cast<tosa::TransposeOp>(op))
    return transposedReals(transpose.getInput1(),
                           SmallVector<int64_t>(transpose.getPerms().begin(),
                                                transpose.getPerms().end()));
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return transposedReals(transpose.getInput(), transpose.getPermutation());
  if (isa<tosa::ReshapeOp, tosa::IdentityOp, tensor::ReshapeOp,
          tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(op))
    return constantReals(op->getOperand(0));
  return std::nullopt;
}

/// Whether all elements are 0: a constant, or a fill with it.
static bool isZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  std::optional<std::vector<float>> values = constantReals(value);
  return values &&
         llvm::all_of(*values, [](float element) { return element == 0; });
}

/// A constant before `owner`, in its dialect.
static Value makeConstant(Operation *owner, ArrayRef<int64_t> shape,
                          ArrayRef<float> values) {
  OpBuilder builder(owner);
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  auto elements = DenseElementsAttr::get(type, values);
  if (isa<tosa::TosaDialect>(owner->getDialect()))
    return tosa::ConstOp::create(builder, owner->getLoc(), type, elements);
  return arith::ConstantOp::create(builder, owner->getLoc(), elements);
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// The shape of a tensor of f32 without dynamic sizes, the first one excepted.
static std::optional<ArrayRef<int64_t>> shapeOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.getElementType().isF32() || type.getRank() < 2 ||
      llvm::any_of(type.getShape().drop_front(), [](int64_t size) {
        return ShapedType::isDynamic(size) || size < 1;
      }))
    return std::nullopt;
  return type.getShape();
}

bool FloatLayer::readWeights(unsigned operand, std::string &reason) {
  weightOperand = operand;
  Value value = op->getOperand(operand);
  std::optional<std::vector<float>> constant = constantReals(value);
  auto type = cast<RankedTensorType>(value.getType());
  if (!constant) {
    reason = "its weights are not a constant";
    return false;
  }
  if (!type.hasStaticShape() || constant->empty()) {
    reason = "its weights have no elements, or a dynamic shape";
    return false;
  }
  elements = std::move(*constant);
  return true;
}

static bool areFloats(Operation *op, unsigned weights, std::string &reason) {
  if (shapeOf(op->getOperand(0)) && shapeOf(op->getOperand(weights)) &&
      shapeOf(op->getResult(0)))
    return true;
  auto isFloat = [](Value value) {
    auto type = dyn_cast<ShapedType>(value.getType());
    return type && type.getElementType().isF32();
  };
  // Integers are another op altogether.
  if (isFloat(op->getOperand(0)) && isFloat(op->getOperand(weights)))
    reason = "its shapes are dynamic or empty";
  return false;
}

bool FloatLayer::matchTosaConvolution(Operation *op, std::string &reason) {
  if (!areFloats(op, 1, reason) || !readWeights(1, reason))
    return false;
  ArrayRef<int64_t> image = *shapeOf(op->getOperand(0));
  ArrayRef<int64_t> shape = *shapeOf(op->getOperand(1));
  isConvolution = true;
  bool isDepthwise = isa<tosa::DepthwiseConv2DOp>(op);
  int64_t inner = shape[3];
  if (isDepthwise) {
    channels = shape[2] * shape[3];
    groups = shape[2];
    window = {shape[0], shape[1], 1};
    steps = {1, shape[1] * channels, channels, 0};
  } else {
    channels = shape[0];
    groups = image[3] / inner;
    window = {shape[1], shape[2], inner};
    steps = {window[0] * window[1] * inner, window[1] * inner, inner, 1};
  }
  if (groups < 1 || groups * window[2] != image[3] || channels % groups) {
    reason = "its channels do not divide into groups";
    return false;
  }
  auto copy = [](ArrayRef<int64_t> from, auto &to) {
    llvm::copy(from, to.begin());
  };
  ArrayRef<int64_t> pad;
  if (auto plain = dyn_cast<tosa::Conv2DOp>(op)) {
    copy(plain.getStride(), strides);
    copy(plain.getDilation(), dilations);
    pad = plain.getPad();
  } else {
    auto depthwise = cast<tosa::DepthwiseConv2DOp>(op);
    copy(depthwise.getStride(), strides);
    copy(depthwise.getDilation(), dilations);
    pad = depthwise.getPad();
  }
  // TOSA: top, bottom, left, right.
  padding = {pad[0], pad[2], pad[1], pad[3]};
  biasOwner = op;
  biasOperand = 2;
  if (!constantReals(op->getOperand(2))) {
    reason = "its bias is not a constant";
    return false;
  }
  return true;
}

/// The operand of an elementwise `value + constant` that is a vector along the
/// last dimension.
static std::optional<unsigned> addedVector(linalg::GenericOp op, Value value) {
  if (op.getNumDpsInputs() != 2 || op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops())
    return std::nullopt;
  unsigned other = op.getInputs()[0] == value ? 1 : 0;
  Block *body = op.getBody();
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned last = op.getNumLoops() - 1;
  bool matches =
      add && op.getInputs()[1 - other] == value &&
      llvm::is_contained(add.getOperands(), body->getArgument(0)) &&
      llvm::is_contained(add.getOperands(), body->getArgument(1)) &&
      maps[1 - other].isIdentity() && maps[2].isIdentity() &&
      maps[other].getNumResults() == 1 &&
      maps[other].getResult(0) == getAffineDimExpr(last, op.getContext());
  if (!matches || op->getResult(0).getType() != value.getType() ||
      !constantReals(op.getInputs()[other]))
    return std::nullopt;
  return other;
}

/// A constant that a `tosa.add` adds to the product, one value per channel,
/// maybe behind a reshape that leaves the channels alone.
void FloatLayer::findAddedBias() {
  Value value = result;
  for (; value.hasOneUse(); value = value.getUsers().begin()->getResult(0)) {
    Operation *user = *value.user_begin();
    if (auto reshape = dyn_cast<tosa::ReshapeOp>(user)) {
      std::optional<ArrayRef<int64_t>> shape = shapeOf(reshape.getResult());
      if (!shape || shape->back() != channels)
        return;
      continue;
    }
    auto add = dyn_cast<tosa::AddOp>(user);
    if (!add || add.getType() != value.getType())
      return;
    unsigned other = add.getInput1() == value ? 1 : 0;
    auto type = dyn_cast<RankedTensorType>(add->getOperand(other).getType());
    std::optional<std::vector<float>> constant =
        constantReals(add->getOperand(other));
    if (!constant || !type || type.getRank() < 1 ||
        (type.getShape().back() != channels && type.getShape().back() != 1) ||
        llvm::any_of(type.getShape().drop_back(),
                     [](int64_t size) { return size != 1; }))
      return;
    biasOwner = add;
    biasOperand = other;
    result = add.getResult();
    return;
  }
}

bool FloatLayer::matchTosaMatmul(Operation *op, std::string &reason) {
  if (!areFloats(op, 1, reason) || !readWeights(1, reason))
    return false;
  ArrayRef<int64_t> shape = *shapeOf(op->getOperand(1));
  if (shape[0] != 1) {
    reason = "each batch has weights of its own";
    return false;
  }
  channels = shape[2];
  window = {1, 1, shape[1]};
  steps = {1, 0, 0, channels};
  findAddedBias();
  return true;
}

/// The constant vector that an operand is broadcast from along its last
/// dimension.
static Operation *broadcastVector(Value value) {
  auto broadcast = value.getDefiningOp<linalg::BroadcastOp>();
  if (!broadcast)
    return nullptr;
  auto type = cast<ShapedType>(broadcast.getInput().getType());
  int64_t last = cast<ShapedType>(value.getType()).getRank() - 1;
  bool alongLast = type.getRank() == 1 &&
                   !llvm::is_contained(broadcast.getDimensions(), last);
  return alongLast && constantReals(broadcast.getInput()) ? broadcast : nullptr;
}

/// The image that a `tensor.pad` surrounds with zeros.
static Value withoutPadding(Value image, std::array<int64_t, 4> &padding) {
  auto pad = image.getDefiningOp<tensor::PadOp>();
  if (!pad || !pad.getConstantPaddingValue() ||
      !matchPattern(pad.getConstantPaddingValue(), m_AnyZeroFloat()) ||
      !shapeOf(pad.getSource()))
    return image;
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  auto isOutside = [](int64_t size) {
    return size != 0; // dynamic sizes too
  };
  auto isBad = [](int64_t size) {
    return ShapedType::isDynamic(size) || size < 0;
  };
  if (llvm::any_of(low, isBad) || llvm::any_of(high, isBad) ||
      isOutside(low[0]) || isOutside(low[3]) || isOutside(high[0]) ||
      isOutside(high[3]))
    return image;
  padding = {low[1], low[2], high[1], high[2]};
  return pad.getSource();
}

/// Whether the maps of a matmul are the usual ones; `transposed` is set where
/// the second matrix is [C, K].
static bool isMatmul(linalg::MatmulOp op, bool &transposed) {
  MLIRContext *context = op.getContext();
  AffineExpr m, n, k;
  bindDims(context, m, n, k);
  auto map = [&](AffineExpr row, AffineExpr column) {
    return AffineMap::get(3, 0, {row, column}, context);
  };
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  transposed = maps[1] == map(n, k);
  return maps[0] == map(m, k) && (transposed || maps[1] == map(k, n)) &&
         maps[2] == map(m, n);
}

/// Whether the result has a position for each one of the kernel on the padded
/// image: linalg lets it have fewer.
bool FloatLayer::coversImage() const {
  ArrayRef<int64_t> from = cast<RankedTensorType>(input.getType()).getShape();
  ArrayRef<int64_t> to = cast<RankedTensorType>(result.getType()).getShape();
  for (unsigned dim : {0, 1}) {
    int64_t size = from[1 + dim] + padding[dim] + padding[2 + dim];
    int64_t span = (window[dim] - 1) * dilations[dim] + 1;
    if (to[1 + dim] != (size - span) / strides[dim] + 1)
      return false;
  }
  return true;
}

bool FloatLayer::matchLinalg(Operation *op, std::string &reason) {
  auto structured = cast<linalg::LinalgOp>(op);
  if (!structured.hasPureTensorSemantics() || !areFloats(op, 1, reason))
    return false;
  bool isTransposed = false;
  if (auto matmul = dyn_cast<linalg::MatmulOp>(op);
      matmul && !isMatmul(matmul, isTransposed)) {
    reason = "its indexing maps are not those of a matrix product";
    return false;
  }
  if (!readWeights(1, reason))
    return false;
  ArrayRef<int64_t> shape = *shapeOf(op->getOperand(1));
  auto convolution = [&](auto conv) {
    isConvolution = true;
    llvm::copy(conv.getStrides().template getValues<int64_t>(),
               strides.begin());
    llvm::copy(conv.getDilations().template getValues<int64_t>(),
               dilations.begin());
    input = withoutPadding(input, padding);
  };
  TypeSwitch<Operation *>(op)
      .Case([&](linalg::MatmulOp) {
        channels = shape[isTransposed ? 0 : 1];
        window = {1, 1, shape[isTransposed ? 1 : 0]};
        steps = {isTransposed ? shape[1] : 1, 0, 0,
                 isTransposed ? 1 : channels};
      })
      .Case([&](linalg::Conv2DNhwcHwcfOp conv) {
        convolution(conv);
        channels = shape[3];
        window = {shape[0], shape[1], shape[2]};
        int64_t column = shape[2] * channels;
        steps = {1, shape[1] * column, column, channels};
      })
      .Case([&](linalg::Conv2DNhwcFhwcOp conv) {
        convolution(conv);
        channels = shape[0];
        window = {shape[1], shape[2], shape[3]};
        int64_t row = shape[2] * shape[3];
        steps = {shape[1] * row, row, shape[3], 1};
      })
      .Case([&](linalg::DepthwiseConv2DNhwcHwcOp conv) {
        convolution(conv);
        channels = groups = shape[2];
        window = {shape[0], shape[1], 1};
        steps = {1, shape[1] * channels, channels, 0};
      });
  Value init = structured.getDpsInitOperand(0)->get();
  biasOwner = broadcastVector(init);
  biasOperand = 0;
  if (!biasOwner && !isZero(init)) {
    reason = "it begins neither at zero nor at one constant per channel";
    return false;
  }
  if (isConvolution && !coversImage()) {
    reason = "its result leaves out positions of the image";
    return false;
  }
  auto reader = result.hasOneUse()
                    ? dyn_cast<linalg::GenericOp>(*result.user_begin())
                    : linalg::GenericOp();
  if (std::optional<unsigned> operand =
          reader && !biasOwner ? addedVector(reader, result) : std::nullopt) {
    biasOwner = reader;
    biasOperand = *operand;
    result = reader->getResult(0);
  }
  return true;
}

std::optional<FloatLayer> FloatLayer::match(Operation *op,
                                            std::string &reason) {
  reason.clear();
  if (!isa<tosa::Conv2DOp, tosa::DepthwiseConv2DOp, tosa::MatMulOp,
           linalg::MatmulOp, linalg::Conv2DNhwcHwcfOp, linalg::Conv2DNhwcFhwcOp,
           linalg::DepthwiseConv2DNhwcHwcOp>(op))
    return std::nullopt;
  if (op->getNumResults() != 1)
    return std::nullopt;
  FloatLayer layer;
  layer.op = op;
  layer.input = op->getOperand(0);
  layer.result = op->getResult(0);
  bool matched = isa<linalg::LinalgOp>(op) ? layer.matchLinalg(op, reason)
                 : isa<tosa::MatMulOp>(op)
                     ? layer.matchTosaMatmul(op, reason)
                     : layer.matchTosaConvolution(op, reason);
  return matched ? std::optional(std::move(layer)) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Reading and replacing
//===----------------------------------------------------------------------===//

/// Calls `function(index in [C, K], index in the IR)` for each weight.
template <typename Function>
static void forEachWeight(const FloatLayer &layer,
                          const std::array<int64_t, 4> &steps,
                          Function function) {
  int64_t index = 0;
  for (int64_t channel = 0; channel < layer.channels; ++channel)
    for (int64_t row = 0; row < layer.window[0]; ++row)
      for (int64_t column = 0; column < layer.window[1]; ++column)
        for (int64_t in = 0; in < layer.window[2]; ++in)
          function(index++, channel * steps[0] + row * steps[1] +
                                column * steps[2] + in * steps[3]);
}

std::vector<float> FloatLayer::weights() const {
  std::vector<float> result(channels * terms());
  forEachWeight(*this, steps, [&](int64_t index, int64_t position) {
    result[index] = elements[position];
  });
  return result;
}

std::vector<float> FloatLayer::bias() const {
  if (!biasOwner)
    return std::vector<float>(channels, 0.0f);
  std::vector<float> values =
      *constantReals(biasOwner->getOperand(biasOperand));
  // TOSA broadcasts a single value.
  if (values.size() == 1)
    values.resize(channels, values.front());
  return values;
}

LogicalResult FloatLayer::verifyFinite() const {
  for (auto [index, value] : llvm::enumerate(weights()))
    if (!std::isfinite(value)) {
      int64_t channel = index / terms(), term = index % terms();
      InFlightDiagnostic error = op->emitError()
                                 << "channel " << channel << " has the weight "
                                 << value << " at term " << term;
      error.attachNote() << "terms are numbered by kernel row, kernel column "
                            "and input channel";
      return error;
    }
  for (auto [channel, value] : llvm::enumerate(bias()))
    if (!std::isfinite(value))
      return op->emitError()
             << "channel " << channel << " has the bias " << value;
  return success();
}

void FloatLayer::setWeights(ArrayRef<float> weights) {
  forEachWeight(*this, steps, [&](int64_t index, int64_t position) {
    elements[position] = weights[index];
  });
  auto type = cast<RankedTensorType>(op->getOperand(weightOperand).getType());
  op->setOperand(weightOperand, makeConstant(op, type.getShape(), elements));
}

void FloatLayer::setBias(ArrayRef<float> bias) {
  if (isa_and_present<linalg::GenericOp>(biasOwner)) {
    biasOwner->setOperand(biasOperand,
                          makeConstant(biasOwner, {channels}, bias));
    return;
  }
  if (isa<linalg::LinalgOp>(op)) {
    // A new one: the old broadcast may begin other ops too.
    OpBuilder builder(op);
    auto structured = cast<linalg::LinalgOp>(op);
    OpOperand *init = structured.getDpsInitOperand(0);
    Location loc = op->getLoc();
    auto type = cast<RankedTensorType>(init->get().getType());
    SmallVector<Value> dynamic;
    if (type.isDynamicDim(0))
      dynamic.push_back(tensor::DimOp::create(builder, loc, init->get(), 0));
    Value empty = tensor::EmptyOp::create(builder, loc, type, dynamic);
    auto broadcast = linalg::BroadcastOp::create(
        builder, loc, makeConstant(op, {channels}, bias), empty,
        llvm::to_vector(llvm::seq<int64_t>(0, type.getRank() - 1)));
    init->set(broadcast->getResult(0));
    biasOwner = broadcast;
    return;
  }
  if (!biasOwner) {
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    auto add = tosa::AddOp::create(builder, op->getLoc(), result.getType(),
                                   result, result);
    result.replaceAllUsesExcept(add.getResult(), add);
    biasOwner = add;
    biasOperand = 1;
    result = add.getResult();
  }
  SmallVector<int64_t> shape = {channels};
  if (isa<tosa::AddOp>(biasOwner))
    shape.insert(shape.begin(),
                 cast<RankedTensorType>(result.getType()).getRank() - 1, 1);
  biasOwner->setOperand(biasOperand, makeConstant(biasOwner, shape, bias));
}
