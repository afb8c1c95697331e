//===- MonotoneOps.cpp - Ops on reals that work on codes alike ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MonotoneOps.h"

#include "a2q/Math/Requantization.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Dialect/Tosa/Utils/ConversionUtils.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using quant::UniformQuantizedType;

//===----------------------------------------------------------------------===//
// Clamps
//===----------------------------------------------------------------------===//

namespace {
/// max(lo, min(hi, x)).
struct Clamp {
  float lo = -INFINITY, hi = INFINITY;
};
} // namespace

/// The one value of an f32 constant.
static std::optional<float> constantOf(Value value) {
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return std::nullopt;
  if (auto elements = dyn_cast<DenseFPElementsAttr>(constant);
      elements && elements.isSplat())
    constant = elements.getSplatValue<FloatAttr>();
  auto real = dyn_cast<FloatAttr>(constant);
  if (!real || !real.getType().isF32() || real.getValue().isNaN())
    return std::nullopt;
  return real.getValue().convertToFloat();
}

/// `x` or a constant, the larger or the smaller of both.
static std::optional<Clamp> minMaxOf(Operation *op, Value x) {
  if (!isa<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp,
           arith::MinNumFOp>(op))
    return std::nullopt;
  unsigned other = op->getOperand(0) == x ? 1 : 0;
  std::optional<float> bound = constantOf(op->getOperand(other));
  if (op->getOperand(1 - other) != x || !bound)
    return std::nullopt;
  Clamp clamp;
  (isa<arith::MaximumFOp, arith::MaxNumFOp>(op) ? clamp.lo : clamp.hi) = *bound;
  return clamp;
}

/// `select(x > c, x, c)`, which is how some frontends say maximum.
static std::optional<Clamp> selectedOf(Operation *op, Value x) {
  auto select = dyn_cast<arith::SelectOp>(op);
  if (!select)
    return std::nullopt;
  auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
  std::optional<float> bound = constantOf(select.getFalseValue());
  using Predicate = arith::CmpFPredicate;
  if (!compare || !bound || select.getTrueValue() != x ||
      compare.getLhs() != x || constantOf(compare.getRhs()) != bound)
    return std::nullopt;
  Clamp clamp;
  switch (compare.getPredicate()) {
  case Predicate::OGT:
  case Predicate::OGE:
  case Predicate::UGT:
  case Predicate::UGE:
    clamp.lo = *bound;
    return clamp;
  case Predicate::OLT:
  case Predicate::OLE:
  case Predicate::ULT:
  case Predicate::ULE:
    clamp.hi = *bound;
    return clamp;
  default:
    return std::nullopt;
  }
}

/// An elementwise generic op of one input that clamps it.
static std::optional<Clamp> genericClamp(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return std::nullopt;
  Block *body = op.getBody();
  Value x = body->getArgument(0);
  Operation *last = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!last || last->getBlock() != body || !body->getArgument(1).use_empty())
    return std::nullopt;
  if (std::optional<Clamp> clamp = minMaxOf(last, x))
    return clamp;
  return selectedOf(last, x);
}

static std::optional<Clamp> clampOf(Operation *op) {
  if (auto clamp = dyn_cast<tosa::ClampOp>(op)) {
    auto lo = dyn_cast<FloatAttr>(clamp.getMinVal());
    auto hi = dyn_cast<FloatAttr>(clamp.getMaxVal());
    if (!lo || !hi || !lo.getType().isF32())
      return std::nullopt;
    return Clamp{lo.getValue().convertToFloat(),
                 hi.getValue().convertToFloat()};
  }
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return genericClamp(generic);
  if (isa_and_present<arith::ArithDialect>(op->getDialect()) &&
      op->getNumOperands() == 2)
    return minMaxOf(op, op->getOperand(0));
  return std::nullopt;
}

static int64_t codeOf(float real, UniformQuantizedType type) {
  return quantize(real, static_cast<float>(type.getScale()),
                  type.getZeroPoint(),
                  {type.getStorageTypeMin(), type.getStorageTypeMax()});
}

/// Rounding is monotone: a real clamped before it is a code clamped after it.
static UniformQuantizedType narrowed(UniformQuantizedType type, Clamp clamp) {
  int64_t lo = codeOf(clamp.lo, type), hi = codeOf(clamp.hi, type);
  if (lo >= hi || type.getZeroPoint() < lo || type.getZeroPoint() > hi)
    return {};
  return UniformQuantizedType::get(type.getFlags(), type.getStorageType(),
                                   type.getExpressedType(), type.getScale(),
                                   type.getZeroPoint(), lo, hi);
}

/// Whether a minimum with a constant leaves all codes of the type as they are.
static bool isAboveAllCodes(tosa::MinimumOp op, UniformQuantizedType type) {
  DenseFPElementsAttr bounds;
  if (op.getType() != op.getInput1().getType() ||
      !matchPattern(op.getInput2(), m_Constant(&bounds)) ||
      !bounds.getElementType().isF32())
    return false;
  return llvm::all_of(bounds.getValues<float>(), [&](float bound) {
    return codeOf(bound, type) == type.getStorageTypeMax();
  });
}

//===----------------------------------------------------------------------===//
// What can be moved
//===----------------------------------------------------------------------===//

static bool isStatic(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape();
}

/// Whether pooling begins at a value that is below all others.
static bool beginsLow(linalg::PoolingNhwcMaxOp op) {
  auto fill = op.getDpsInitOperand(0)->get().getDefiningOp<linalg::FillOp>();
  std::optional<float> first;
  if (fill)
    first = constantOf(fill.getInputs()[0]);
  else
    first = constantOf(op.getDpsInitOperand(0)->get());
  return first && *first <= std::numeric_limits<float>::lowest();
}

/// The numbers of a `tosa.const_shape`.
static std::optional<SmallVector<int64_t>> constantShape(Value value) {
  SmallVector<int64_t> numbers;
  Operation *op = value.getDefiningOp();
  if (!op || !tosa::getConstShapeValues(op, numbers))
    return std::nullopt;
  return numbers;
}

UniformQuantizedType a2q::codesBefore(Operation *op,
                                      UniformQuantizedType type) {
  if (op->getNumResults() != 1 || op->getNumOperands() < 1 ||
      !isStatic(op->getOperand(0)) || !isStatic(op->getResult(0)))
    return {};
  if (isa<tosa::ReshapeOp, tosa::IdentityOp, tosa::TransposeOp,
          tosa::MaxPool2dOp, tosa::ConcatOp, tensor::CollapseShapeOp,
          tensor::ExpandShapeOp, linalg::TransposeOp>(op))
    return type;
  if (auto slice = dyn_cast<tosa::SliceOp>(op))
    return constantShape(slice.getStart()) ? type : UniformQuantizedType();
  if (auto pad = dyn_cast<tosa::PadOp>(op)) {
    bool known =
        constantShape(pad.getPadding()) && constantOf(pad.getPadConst());
    return known ? type : UniformQuantizedType();
  }
  if (auto pool = dyn_cast<linalg::PoolingNhwcMaxOp>(op))
    return beginsLow(pool) ? type : UniformQuantizedType();
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Value value = pad.getConstantPaddingValue();
    bool known = value && constantOf(value) &&
                 !ShapedType::isDynamicShape(pad.getStaticLow()) &&
                 !ShapedType::isDynamicShape(pad.getStaticHigh());
    return known ? type : UniformQuantizedType();
  }
  if (auto minimum = dyn_cast<tosa::MinimumOp>(op))
    return isAboveAllCodes(minimum, type) ? type : UniformQuantizedType();
  if (std::optional<Clamp> clamp = clampOf(op))
    return narrowed(type, *clamp);
  return {};
}

//===----------------------------------------------------------------------===//
// On codes
//===----------------------------------------------------------------------===//

Value a2q::reshape(OpBuilder &builder, Location loc, Value value,
                   ArrayRef<int64_t> shape) {
  auto from = cast<RankedTensorType>(value.getType());
  auto to = from.clone(shape);
  if (from == to)
    return value;
  if (auto groups = getReassociationIndicesForReshape(from, to))
    return from.getRank() > to.getRank()
               ? Value(tensor::CollapseShapeOp::create(builder, loc, to, value,
                                                       *groups))
               : Value(tensor::ExpandShapeOp::create(builder, loc, to, value,
                                                     *groups));
  int64_t count = from.getNumElements();
  return reshape(builder, loc, reshape(builder, loc, value, {count}), shape);
}

static Value storageOf(OpBuilder &builder, Location loc, Value codes) {
  auto type = cast<RankedTensorType>(codes.getType());
  auto element = cast<quant::QuantizedType>(type.getElementType());
  if (auto cast = codes.getDefiningOp<quant::StorageCastOp>())
    return cast.getInput();
  return quant::StorageCastOp::create(
      builder, loc, type.clone(element.getStorageType()), codes);
}

static Value codesOf(OpBuilder &builder, Location loc, Value storage,
                     UniformQuantizedType type) {
  return quant::StorageCastOp::create(
      builder, loc, cast<RankedTensorType>(storage.getType()).clone(type),
      storage);
}

Value a2q::reshapeCodes(OpBuilder &builder, Location loc, Value codes,
                        ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(codes.getType());
  if (type.getShape() == shape)
    return codes;
  Value storage = storageOf(builder, loc, codes);
  return codesOf(builder, loc, reshape(builder, loc, storage, shape),
                 cast<UniformQuantizedType>(type.getElementType()));
}

static Value scalar(OpBuilder &builder, Location loc, Type type, int64_t code) {
  unsigned bits = type.getIntOrFloatBitWidth();
  APInt value(bits, static_cast<uint64_t>(code), /*isSigned=*/true,
              /*implicitTrunc=*/true);
  return arith::ConstantOp::create(builder, loc,
                                   builder.getIntegerAttr(type, value));
}

static Value pad(OpBuilder &builder, Location loc, Value storage,
                 ArrayRef<int64_t> low, ArrayRef<int64_t> high, int64_t code) {
  auto type = cast<RankedTensorType>(storage.getType());
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<OpFoldResult> before, after;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    shape[dim] += low[dim] + high[dim];
    before.push_back(builder.getIndexAttr(low[dim]));
    after.push_back(builder.getIndexAttr(high[dim]));
  }
  if (ArrayRef(shape) == type.getShape())
    return storage;
  return tensor::PadOp::create(
      builder, loc, type.clone(shape), storage, before, after,
      scalar(builder, loc, type.getElementType(), code));
}

/// Integers have the signedness of their codes, and begin at the lowest.
static Value maxPool(OpBuilder &builder, Location loc, Value storage,
                     UniformQuantizedType type, ArrayRef<int64_t> kernel,
                     ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                     ArrayRef<int64_t> shape) {
  Type element = type.getStorageType();
  auto resultType = RankedTensorType::get(shape, element);
  Value empty = tensor::EmptyOp::create(builder, loc, shape, element);
  Value lowest = scalar(builder, loc, element, type.getStorageTypeMin());
  Value init = linalg::FillOp::create(builder, loc, lowest, empty).getResult(0);
  Value window = tensor::EmptyOp::create(builder, loc, kernel, element);
  auto attr = [&](ArrayRef<int64_t> values) {
    return DenseIntElementsAttr::get(
        RankedTensorType::get({2}, builder.getI64Type()), values);
  };
  auto pool = [&](auto op) -> Value {
    return decltype(op)::create(builder, loc, TypeRange{resultType},
                                ValueRange{storage, window}, ValueRange{init},
                                attr(strides), attr(dilations))
        ->getResult(0);
  };
  return type.isSigned() ? pool(linalg::PoolingNhwcMaxOp())
                         : pool(linalg::PoolingNhwcMaxUnsignedOp());
}

static Value transpose(OpBuilder &builder, Location loc, Value storage,
                       ArrayRef<int64_t> permutation, ArrayRef<int64_t> shape) {
  Value empty = tensor::EmptyOp::create(
      builder, loc, shape,
      cast<RankedTensorType>(storage.getType()).getElementType());
  return linalg::TransposeOp::create(builder, loc, storage, empty, permutation)
      ->getResult(0);
}

/// The part of that shape that begins at `start`.
static Value slice(OpBuilder &builder, Location loc, Value storage,
                   ArrayRef<int64_t> start, ArrayRef<int64_t> shape) {
  SmallVector<OpFoldResult> offsets, sizes;
  for (auto [offset, size] : llvm::zip_equal(start, shape)) {
    offsets.push_back(builder.getIndexAttr(offset));
    sizes.push_back(builder.getIndexAttr(size));
  }
  SmallVector<OpFoldResult> strides(shape.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, storage, offsets, sizes,
                                        strides);
}

/// TOSA lists what is before and what is after each dimension in turn.
static Value pad(OpBuilder &builder, tosa::PadOp op, Value storage,
                 UniformQuantizedType type) {
  SmallVector<int64_t> both = *constantShape(op.getPadding()), low, high;
  for (size_t dim = 0; 2 * dim < both.size(); ++dim) {
    low.push_back(both[2 * dim]);
    high.push_back(both[2 * dim + 1]);
  }
  return pad(builder, op.getLoc(), storage, low, high,
             codeOf(*constantOf(op.getPadConst()), type));
}

Value a2q::applyToCodes(OpBuilder &builder, Operation *op, ValueRange inputs) {
  Value codes = inputs.front();
  Location loc = op->getLoc();
  auto type = cast<UniformQuantizedType>(
      cast<RankedTensorType>(codes.getType()).getElementType());
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  if (clampOf(op) || isa<tosa::IdentityOp, tosa::MinimumOp>(op))
    return codes;
  if (isa<tosa::ReshapeOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return reshapeCodes(builder, loc, codes, shape);
  Value storage = storageOf(builder, loc, codes);
  Value result =
      TypeSwitch<Operation *, Value>(op)
          .Case([&](tosa::TransposeOp move) {
            return transpose(builder, loc, storage,
                             SmallVector<int64_t>(move.getPerms().begin(),
                                                  move.getPerms().end()),
                             shape);
          })
          .Case([&](linalg::TransposeOp move) {
            return transpose(builder, loc, storage, move.getPermutation(),
                             shape);
          })
          .Case([&](tosa::ConcatOp concat) {
            SmallVector<Value> parts;
            for (Value input : inputs)
              parts.push_back(storageOf(builder, loc, input));
            return tensor::ConcatOp::create(builder, loc, concat.getAxis(),
                                            parts);
          })
          .Case([&](tosa::SliceOp part) {
            return slice(builder, loc, storage, *constantShape(part.getStart()),
                         shape);
          })
          .Case([&](tosa::PadOp padding) {
            return pad(builder, padding, storage, type);
          })
          .Case([&](tensor::PadOp padding) {
            float value = *constantOf(padding.getConstantPaddingValue());
            return pad(builder, loc, storage, padding.getStaticLow(),
                       padding.getStaticHigh(), codeOf(value, type));
          })
          .Case([&](tosa::MaxPool2dOp pool) {
            // Padding is never the maximum: each window holds an element.
            ArrayRef<int64_t> pads = pool.getPad();
            Value image =
                pad(builder, loc, storage, {0, pads[0], pads[2], 0},
                    {0, pads[1], pads[3], 0}, type.getStorageTypeMin());
            return maxPool(builder, loc, image, type, pool.getKernel(),
                           pool.getStride(), {1, 1}, shape);
          })
          .Case([&](linalg::PoolingNhwcMaxOp pool) {
            auto kernel = cast<RankedTensorType>(pool.getInputs()[1].getType());
            return maxPool(
                builder, loc, storage, type, kernel.getShape(),
                llvm::to_vector(pool.getStrides().getValues<int64_t>()),
                llvm::to_vector(pool.getDilations().getValues<int64_t>()),
                shape);
          });
  return codesOf(builder, loc, result, type);
}
