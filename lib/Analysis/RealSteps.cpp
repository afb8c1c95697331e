//===- RealSteps.cpp - Real arithmetic in any dialect ---------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RealSteps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// Whether result i of the map of a tensor is dimension i, or 0 where the
/// tensor has size 1.
static bool isAligned(AffineMap map, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || map.getNumResults() != map.getNumDims())
    return false;
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    bool isUnit =
        isa<AffineConstantExpr>(expr) && tensor.getDimSize(position) == 1;
    if (dim ? dim.getPosition() != position : !isUnit)
      return false;
  }
  return true;
}

bool a2q::isElementwise(Operation *candidate) {
  auto op = dyn_cast<LinalgOp>(candidate);
  if (!op || !op.hasPureTensorSemantics() || !op.getBlock() ||
      op.getNumParallelLoops() != op.getNumLoops())
    return false;
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    return op.getMatchingIndexingMap(&init).isIdentity();
  });
}

/// The structured op whose body has this argument, and which of its operands
/// that is.
static OpOperand *operandOf(BlockArgument argument) {
  auto op = dyn_cast_or_null<LinalgOp>(argument.getOwner()->getParentOp());
  if (!op || argument.getOwner() != op.getBlock() ||
      op.getBlock()->getNumArguments() != op->getNumOperands())
    return nullptr;
  OpOperand &operand = op->getOpOperand(argument.getArgNumber());
  bool isInput =
      argument.getArgNumber() < static_cast<unsigned>(op.getNumDpsInputs());
  return isInput ? &operand : nullptr;
}

Value a2q::readOperand(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  OpOperand *operand = argument ? operandOf(argument) : nullptr;
  return operand ? operand->get() : Value();
}

Value a2q::alignedOperand(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || isa<ShapedType>(value.getType()))
    return value;
  OpOperand *operand = operandOf(argument);
  if (!operand)
    return {};
  auto op = cast<LinalgOp>(operand->getOwner());
  AffineMap map = op.getMatchingIndexingMap(operand);
  return isAligned(map, operand->get().getType()) ? operand->get() : Value();
}

bool a2q::addsUnitsOnly(Type from, Type to) {
  auto a = dyn_cast<RankedTensorType>(from), b = dyn_cast<RankedTensorType>(to);
  if (!a || !b)
    return false;
  auto others = [](RankedTensorType type) {
    SmallVector<int64_t> sizes;
    for (int64_t size : type.getShape())
      if (size != 1)
        sizes.push_back(size);
    return sizes;
  };
  // Two dynamic sizes could change places, or one of them be 1.
  return others(a) == others(b) && a.getNumDynamicDims() <= 1;
}

/// The source of an op that keeps all elements in their order.
static Value renamed(Operation *op) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([](tosa::IdentityOp identity) { return identity.getInput1(); })
      .Case([](tensor::CastOp cast) { return cast.getSource(); })
      .Case([](tosa::ReshapeOp reshape) {
        bool same =
            addsUnitsOnly(reshape.getInput1().getType(), reshape.getType());
        return same ? reshape.getInput1() : Value();
      })
      // A reassociation keeps the order of dynamic dimensions.
      .Case([](tensor::ExpandShapeOp expand) {
        bool same = llvm::all_of(
            expand.getReassociationIndices(), [&](ArrayRef<int64_t> group) {
              return llvm::count_if(group, [&](int64_t dim) {
                       return expand.getResultType().getDimSize(dim) != 1;
                     }) <= 1;
            });
        return same ? expand.getSrc() : Value();
      })
      .Case([](tensor::CollapseShapeOp collapse) {
        bool same = llvm::all_of(
            collapse.getReassociationIndices(), [&](ArrayRef<int64_t> group) {
              return llvm::count_if(group, [&](int64_t dim) {
                       return collapse.getSrcType().getDimSize(dim) != 1;
                     }) <= 1;
            });
        return same ? collapse.getSrc() : Value();
      })
      .Default([](Operation *) { return Value(); });
}

Value a2q::resolve(Value value, SmallVectorImpl<Value> *path) {
  while (true) {
    if (path && isa<ShapedType>(value.getType()))
      path->push_back(value);
    if (isa<BlockArgument>(value)) {
      Value operand = alignedOperand(value);
      if (!operand || operand == value)
        return value;
      value = operand;
      continue;
    }
    Operation *op = value.getDefiningOp();
    Value next;
    if (isElementwise(op))
      next = cast<LinalgOp>(op).getBlock()->getTerminator()->getOperand(
          cast<OpResult>(value).getResultNumber());
    else
      next = renamed(op);
    if (!next)
      return value;
    value = next;
  }
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static std::optional<double> finite(const APFloat &value) {
  APFloat real = value;
  bool losesInfo;
  real.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  double result = real.convertToDouble();
  return std::isfinite(result) ? std::optional(result) : std::nullopt;
}

std::optional<double> a2q::constantScalar(Value value) {
  // A scalar or a splat may be read by any map.
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (OpOperand *operand = operandOf(argument))
      value = operand->get();
  Attribute attr;
  if (!matchPattern(resolve(value), m_Constant(&attr)))
    return std::nullopt;
  if (auto scalar = dyn_cast<FloatAttr>(attr))
    return finite(scalar.getValue());
  auto elements = dyn_cast<DenseElementsAttr>(attr);
  if (elements && elements.isSplat() &&
      isa<FloatType>(elements.getElementType()))
    return finite(elements.getSplatValue<APFloat>());
  return std::nullopt;
}

std::optional<std::vector<double>> a2q::constantAlong(Value value, int64_t axis,
                                                      int64_t length) {
  if (std::optional<double> scalar = constantScalar(value))
    return std::vector<double>{*scalar};
  // Which dimension of the constant runs along the axis?
  int64_t dimension = axis;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    OpOperand *operand = operandOf(argument);
    if (!operand)
      return std::nullopt;
    AffineMap map =
        cast<LinalgOp>(operand->getOwner()).getMatchingIndexingMap(operand);
    auto position =
        map.getResultPosition(getAffineDimExpr(axis, map.getContext()));
    if (!position)
      return std::nullopt;
    dimension = *position;
    value = operand->get();
  }
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || dimension >= type.getRank() ||
      type.getDimSize(dimension) != length || type.getNumElements() != length)
    return std::nullopt;
  // All other dimensions have size 1, and so they have before a reshape.
  ElementsAttr elements;
  if (!matchPattern(resolve(value), m_Constant(&elements)) ||
      elements.getNumElements() != length)
    return std::nullopt;
  auto reals = elements.tryGetValues<float>();
  if (!reals)
    return std::nullopt;
  std::vector<double> result(reals->begin(), reals->end());
  bool isFinite =
      llvm::all_of(result, [](double real) { return std::isfinite(real); });
  return isFinite ? std::optional(std::move(result)) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

template <typename Op> static bool propagatesNaN(Op op) {
  return op.getNanMode() == tosa::NanPropagationMode::PROPAGATE;
}

static RealOp kindOf(Operation *op) {
  return TypeSwitch<Operation *, RealOp>(op)
      .Case<tosa::AddOp, arith::AddFOp>([](auto) { return RealOp::Add; })
      .Case<tosa::SubOp, arith::SubFOp>([](auto) { return RealOp::Subtract; })
      .Case<tosa::MulOp, arith::MulFOp>([](auto) { return RealOp::Multiply; })
      .Case<arith::DivFOp>([](auto) { return RealOp::Divide; })
      .Case<math::SqrtOp>([](auto) { return RealOp::SquareRoot; })
      .Case<tosa::RsqrtOp, math::RsqrtOp>(
          [](auto) { return RealOp::InverseRoot; })
      .Case<tosa::ReciprocalOp>([](auto) { return RealOp::Reciprocal; })
      .Case<tosa::ExpOp, math::ExpOp>([](auto) { return RealOp::Exponential; })
      .Case<tosa::PowOp, math::PowFOp>([](auto) { return RealOp::Power; })
      .Case<arith::MaximumFOp>([](auto) { return RealOp::Larger; })
      .Case<arith::MinimumFOp>([](auto) { return RealOp::Smaller; })
      .Case([](tosa::MaximumOp op) {
        return propagatesNaN(op) ? RealOp::Larger : RealOp::Other;
      })
      .Case([](tosa::MinimumOp op) {
        return propagatesNaN(op) ? RealOp::Smaller : RealOp::Other;
      })
      .Default([](Operation *) { return RealOp::Other; });
}

/// The constant that a reduction begins with.
static std::optional<double> initialValue(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs().front();
  Attribute attr;
  if (!matchPattern(init, m_Constant(&attr)))
    return std::nullopt;
  if (auto scalar = dyn_cast<FloatAttr>(attr))
    return scalar.getValueAsDouble();
  auto elements = dyn_cast<DenseFPElementsAttr>(attr);
  if (!elements || !elements.isSplat())
    return std::nullopt;
  return elements.getSplatValue<FloatAttr>().getValueAsDouble();
}

/// A sum or a maximum over some loops, the others in their order.
static RealStep readReduction(LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 ||
      op.getNumReductionLoops() == 0 || !op.getBlock() ||
      op.getBlock()->getNumArguments() != op->getNumOperands())
    return {};
  OpOperand *init = op.getDpsInitOperand(0);
  AffineMap map = op.getMatchingIndexingMap(init);
  RealStep step;
  SmallVector<AffineExpr> kept;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind == utils::IteratorType::reduction)
      step.axes.push_back(static_cast<int64_t>(loop));
    else
      kept.push_back(getAffineDimExpr(loop, op->getContext()));
  }
  bool inOrder = llvm::equal(map.getResults(), kept);
  if (!inOrder && !isAligned(map, init->get().getType()))
    return {};
  Operation *last =
      op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument soFar = op.getBlock()->getArguments().back();
  if (!last || last->getNumOperands() != 2 || !soFar.hasOneUse() ||
      *soFar.user_begin() != last)
    return {};
  std::optional<double> first = initialValue(init->get());
  if (isa<arith::AddFOp>(last) && first == 0.0)
    step.kind = RealOp::Sum;
  else if (isa<arith::MaximumFOp, arith::MaxNumFOp>(last) && first &&
           *first < -3.4e38)
    step.kind = RealOp::Maximum;
  else
    return {};
  step.operands = {last->getOperand(last->getOperand(0) == soFar ? 1 : 0)};
  llvm::append_range(step.extents, op.getStaticLoopRanges());
  return step;
}

/// A reduction of one tensor along one axis.
static RealStep alongAxis(RealOp kind, Value input, int64_t axis) {
  RealStep step{kind, {input}, {axis}};
  if (auto type = dyn_cast<RankedTensorType>(input.getType()))
    llvm::append_range(step.extents, type.getShape());
  return step;
}

RealStep a2q::readStep(Value value) {
  Operation *op = resolve(value).getDefiningOp();
  if (!op)
    return {};
  if (auto structured = dyn_cast<LinalgOp>(op))
    return readReduction(structured);
  if (auto sum = dyn_cast<tosa::ReduceSumOp>(op))
    return alongAxis(RealOp::Sum, sum.getInput(), sum.getAxis());
  if (auto most = dyn_cast<tosa::ReduceMaxOp>(op))
    return alongAxis(RealOp::Maximum, most.getInput(), most.getAxis());
  RealStep step;
  step.kind = kindOf(op);
  if (step.kind == RealOp::Other)
    return step;
  step.operands.assign(op->operand_begin(), op->operand_end());
  // The shift of integer products.
  if (isa<tosa::MulOp>(op))
    step.operands.pop_back();
  return step;
}

bool a2q::isSameValue(Value a, Value b, SmallVectorImpl<Value> *path) {
  a = resolve(a, path);
  b = resolve(b, path);
  if (a == b)
    return true;
  Operation *first = a.getDefiningOp(), *second = b.getDefiningOp();
  if (!first || !second || first->getName() != second->getName() ||
      first->getNumRegions() != 0 || !isPure(first) ||
      first->getAttrDictionary() != second->getAttrDictionary() ||
      first->getNumResults() != 1 || first->getNumOperands() == 0 ||
      first->getNumOperands() != second->getNumOperands())
    return false;
  // Of the same operands at the same indices.
  return llvm::all_of(
      llvm::zip(first->getOperands(), second->getOperands()), [](auto pair) {
        Value left = alignedOperand(std::get<0>(pair));
        return left && left == alignedOperand(std::get<1>(pair));
      });
}
