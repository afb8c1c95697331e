//===- FactProducers.cpp - Normalizations and softmax ---------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A normalization is recognized by what it computes, not by a name that someone
// gave it: v / sqrt(share * sum(v^2) + epsilon). That v is squared and v is
// divided is the whole proof, and the reason why LayerNorm that takes its
// variance from E[x^2] - E[x]^2 is not recognized: in float32 that can be far
// from the variance, and the norm of the result above sqrt(d).
//
// softmax is exp(x - max(x)) / sum of the same. The maximum matters: it makes
// the sum at least 1, so that its reciprocal is finite.
//
//===----------------------------------------------------------------------===//

#include "RealSteps.h"
#include "Transfer.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;

using MaybeFact = std::optional<AxisFact>;

//===----------------------------------------------------------------------===//
// Producers
//===----------------------------------------------------------------------===//

namespace {
/// `share * sum`; a mean has the share 1 / d.
struct ScaledSum {
  double share = 1;
  RealStep sum;
};
} // namespace

/// `sum`, `sum * c` or `sum / c`.
static std::optional<ScaledSum> readMean(Value value,
                                         SmallVectorImpl<Value> &path) {
  auto readSum = [&](Value value, double share) -> std::optional<ScaledSum> {
    ScaledSum result{share, readStep(resolve(value, &path))};
    if (result.sum.kind != RealOp::Sum || !(share > 0 && share <= 1))
      return std::nullopt;
    return result;
  };
  RealStep step = readStep(resolve(value, &path));
  if (step.kind == RealOp::Divide) {
    std::optional<double> count = constantScalar(step.operands[1]);
    return count ? readSum(step.operands[0], 1 / *count) : std::nullopt;
  }
  if (step.kind == RealOp::Multiply) {
    for (unsigned constant : {1, 0})
      if (auto share = constantScalar(step.operands[constant]))
        return readSum(step.operands[1 - constant], *share);
    return std::nullopt;
  }
  return readSum(value, 1);
}

/// The u of sqrt(u).
static Value underRoot(Value value, SmallVectorImpl<Value> &path) {
  RealStep step = readStep(resolve(value, &path));
  bool isRoot =
      step.kind == RealOp::SquareRoot ||
      (step.kind == RealOp::Power && constantScalar(step.operands[1]) == 0.5);
  return isRoot ? step.operands[0] : Value();
}

/// The u of 1 / sqrt(u).
static Value underInverseRoot(Value value, SmallVectorImpl<Value> &path) {
  RealStep step = readStep(resolve(value, &path));
  switch (step.kind) {
  case RealOp::InverseRoot:
    return step.operands[0];
  case RealOp::Reciprocal:
    return underRoot(step.operands[0], path);
  case RealOp::Divide:
    return constantScalar(step.operands[0]) == 1.0
               ? underRoot(step.operands[1], path)
               : Value();
  case RealOp::Power:
    return constantScalar(step.operands[1]) == -0.5 ? step.operands[0]
                                                    : Value();
  default:
    return {};
  }
}

/// Whether each tensor has the shape, with size 1 in place of the axes or
/// without them. What is reduced along the axes then belongs to the very
/// elements that it was made from.
static bool alignWithReduction(ArrayRef<Value> path, ArrayRef<int64_t> shape,
                               ArrayRef<int64_t> axes) {
  SmallVector<int64_t> units(shape), without;
  for (int64_t axis : axes) {
    // A reduction that has dropped a dimension may have one more than the
    // shape.
    if (axis < 0 || axis >= static_cast<int64_t>(shape.size()))
      return false;
    units[axis] = 1;
  }
  for (auto [dim, size] : llvm::enumerate(shape))
    if (!llvm::is_contained(axes, static_cast<int64_t>(dim)))
      without.push_back(size);
  return llvm::all_of(path, [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && (type.getShape() == ArrayRef(units) ||
                    type.getShape() == ArrayRef(without));
  });
}

/// Whether there are tensors on the way, each of the shape.
static bool haveShape(ArrayRef<Value> path, ArrayRef<int64_t> shape) {
  return !path.empty() && llvm::all_of(path, [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getShape() == shape;
  });
}

/// Whether the reduction meets as many elements as the shape has along its
/// axes: a unit that is broadcast later would be counted once.
static bool coversAxes(const RealStep &reduction, ArrayRef<int64_t> shape) {
  return reduction.extents.size() == shape.size() &&
         llvm::all_of(reduction.axes, [&](int64_t axis) {
           return !ShapedType::isDynamic(shape[axis]) &&
                  reduction.extents[axis] == shape[axis];
         });
}

/// How many elements each sum along the axes has; nullopt when there are many,
/// whose rounding errors add up, or it is not known.
static std::optional<int64_t> termsOf(RankedTensorType type,
                                      ArrayRef<int64_t> axes) {
  int64_t terms = 1;
  for (int64_t axis : axes)
    if (type.isDynamicDim(axis) ||
        __builtin_mul_overflow(terms, type.getDimSize(axis), &terms) ||
        terms > (int64_t(1) << 20))
      return std::nullopt;
  return terms;
}

/// An empty fact along the last of the axes, where that is static.
static MaybeFact factAlong(RankedTensorType type, ArrayRef<int64_t> axes,
                           StringRef producer) {
  if (axes.empty())
    return std::nullopt;
  AxisFact fact;
  fact.axis = axes.back();
  fact.length = type.getDimSize(fact.axis);
  fact.producer = producer.str();
  if (ShapedType::isDynamic(fact.length) || fact.length < 1 ||
      fact.length > maxRangeIndices)
    return std::nullopt;
  return fact;
}

/// Whether the value is something less its mean along the axes.
static bool isCentred(Value value, ArrayRef<int64_t> axes) {
  RealStep step = readStep(value);
  SmallVector<Value> path;
  if (step.kind != RealOp::Subtract)
    return false;
  std::optional<ScaledSum> mean = readMean(step.operands[1], path);
  return mean && ArrayRef<int64_t>(mean->sum.axes) == axes;
}

/// `dividend / sqrt(share * sum(dividend^2) + epsilon)` of this type,
/// `radicand` being what is under the root. `path` are the tensors on the way
/// to it.
static MaybeFact normalization(RankedTensorType type, Value dividend,
                               Value radicand, SmallVector<Value> path) {
  RealStep sum = readStep(resolve(radicand, &path));
  if (sum.kind != RealOp::Add)
    return std::nullopt;
  Value mean;
  for (unsigned constant : {1, 0}) {
    // Enough that squares which float32 cannot hold do not matter.
    std::optional<double> epsilon = constantScalar(sum.operands[constant]);
    if (epsilon && *epsilon >= 1e-30)
      mean = sum.operands[1 - constant];
  }
  std::optional<ScaledSum> squares;
  if (mean)
    squares = readMean(mean, path);
  if (!squares ||
      !alignWithReduction(path, type.getShape(), squares->sum.axes) ||
      !coversAxes(squares->sum, type.getShape()))
    return std::nullopt;
  SmallVector<Value> values;
  RealStep square = readStep(resolve(squares->sum.operands[0], &values));
  bool ofDividend = false;
  if (square.kind == RealOp::Multiply)
    ofDividend = isSameValue(square.operands[0], dividend, &values) &&
                 isSameValue(square.operands[1], dividend, &values);
  else if (square.kind == RealOp::Power)
    ofDividend = constantScalar(square.operands[1]) == 2.0 &&
                 isSameValue(square.operands[0], dividend, &values);
  if (!ofDividend || !haveShape(values, type.getShape()))
    return std::nullopt;
  ArrayRef<int64_t> axes = squares->sum.axes;
  MaybeFact fact = factAlong(
      type, axes, isCentred(dividend, axes) ? "layernorm" : "rmsnorm");
  std::optional<int64_t> terms = termsOf(type, axes);
  if (!fact || !terms)
    return std::nullopt;
  fact->ball = normalizedBall(fact->length, squares->share);
  // Sums that are longer than the axis have larger errors.
  fact->ball->radius *= 1 + static_cast<double>(*terms) * 0x1p-23;
  return fact;
}

/// `powers / sum(powers)` with `powers = exp(x - max(x))`.
static MaybeFact softmax(RankedTensorType type, Value powers, Value divisor,
                         SmallVector<Value> path) {
  RealStep sum = readStep(resolve(divisor, &path));
  if (sum.kind != RealOp::Sum ||
      !alignWithReduction(path, type.getShape(), sum.axes) ||
      !coversAxes(sum, type.getShape()))
    return std::nullopt;
  SmallVector<Value> values, maxima;
  if (!isSameValue(sum.operands[0], powers, &values))
    return std::nullopt;
  RealStep exponential = readStep(resolve(powers, &values));
  if (exponential.kind != RealOp::Exponential)
    return std::nullopt;
  RealStep difference = readStep(resolve(exponential.operands[0], &values));
  if (difference.kind != RealOp::Subtract)
    return std::nullopt;
  RealStep most = readStep(resolve(difference.operands[1], &maxima));
  if (most.kind != RealOp::Maximum || most.axes != sum.axes ||
      !isSameValue(most.operands[0], difference.operands[0], &values) ||
      !haveShape(values, type.getShape()) ||
      !alignWithReduction(maxima, type.getShape(), sum.axes) ||
      !coversAxes(most, type.getShape()))
    return std::nullopt;
  MaybeFact fact = factAlong(type, sum.axes, "softmax");
  std::optional<int64_t> terms = termsOf(type, sum.axes);
  if (!fact || !terms)
    return std::nullopt;
  fact->simplex = probabilities(*terms);
  return fact;
}

MaybeFact a2q::producedFact(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  // Ops that only rename have the fact of their operand.
  if (!type || !type.getElementType().isF32() || !op ||
      isa<tosa::ReshapeOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
          tensor::CastOp, tosa::IdentityOp>(op))
    return std::nullopt;
  RealStep step = readStep(value);
  if (step.kind == RealOp::Divide) {
    SmallVector<Value> path;
    if (Value radicand = underRoot(step.operands[1], path))
      return normalization(type, step.operands[0], radicand, path);
    return softmax(type, step.operands[0], step.operands[1], {});
  }
  if (step.kind != RealOp::Multiply)
    return std::nullopt;
  for (unsigned factor : {1, 0}) {
    Value dividend = step.operands[1 - factor];
    SmallVector<Value> path;
    if (Value radicand = underInverseRoot(step.operands[factor], path))
      return normalization(type, dividend, radicand, path);
    path.clear();
    RealStep inverse = readStep(resolve(step.operands[factor], &path));
    if (inverse.kind == RealOp::Reciprocal)
      return softmax(type, dividend, inverse.operands[0], path);
  }
  return std::nullopt;
}
