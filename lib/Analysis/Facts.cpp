//===- Facts.cpp - What holds of elements together ------------------------===//
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

#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

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
  // Sums that are longer than the axis have larger errors.
  int64_t terms = 1;
  for (int64_t axis : axes)
    if (__builtin_mul_overflow(terms, type.getDimSize(axis), &terms) ||
        type.isDynamicDim(axis) || terms > (int64_t(1) << 20))
      return std::nullopt;
  if (!fact)
    return std::nullopt;
  fact->ball = normalizedBall(fact->length, squares->share);
  fact->ball->radius *= 1 + static_cast<double>(terms) * 0x1p-23;
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
  int64_t terms = 1;
  for (int64_t axis : sum.axes)
    if (__builtin_mul_overflow(terms, type.getDimSize(axis), &terms) ||
        type.isDynamicDim(axis) || terms > (int64_t(1) << 20))
      return std::nullopt;
  if (fact)
    fact->simplex = probabilities(terms);
  return fact;
}

/// What a float32 tensor is by the formula that computes it.
static MaybeFact produced(Value value) {
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

//===----------------------------------------------------------------------===//
// Real arithmetic
//===----------------------------------------------------------------------===//

static SharedFact shared(MaybeFact fact) {
  return fact && (fact->ball || fact->simplex)
             ? std::make_shared<const AxisFact>(std::move(*fact))
             : nullptr;
}

static SharedFact scaled(const AxisFact &fact, ArrayRef<double> factors) {
  AxisFact result = fact;
  if (fact.ball)
    result.ball = scaled(*fact.ball, factors);
  // Some probabilities could grow while others shrink.
  bool keepsSum = factors.size() == 1 && factors[0] >= 0 && factors[0] < 1e30;
  result.simplex.reset();
  if (fact.simplex && keepsSum)
    result.simplex = Simplex{fact.simplex->total * factors[0] * (1 + 0x1p-20)};
  return shared(std::move(result));
}

static SharedFact shifted(const AxisFact &fact, ArrayRef<double> offsets) {
  AxisFact result = fact;
  if (fact.ball)
    result.ball = shifted(*fact.ball, offsets);
  result.simplex.reset();
  return shared(std::move(result));
}

static std::vector<double> map(std::vector<double> values,
                               function_ref<double(double)> function) {
  for (double &value : values)
    value = function(value);
  return values;
}

namespace {
/// The fact of an expression of one tensor and constants.
class AffineFacts {
public:
  AffineFacts(Value result, StateLookup states)
      : result(result), states(states) {}

  SharedFact run() { return evaluate(result); }

private:
  SharedFact evaluate(Value value);
  SharedFact combine(RealOp kind, Value known, Value constant,
                     bool constantFirst);

  Value result;
  StateLookup states;
};
} // namespace

SharedFact AffineFacts::combine(RealOp kind, Value known, Value constant,
                                bool constantFirst) {
  SharedFact fact = evaluate(known);
  // Facts of codes pass through ops on codes only.
  if (!fact || fact->zeroPoint)
    return nullptr;
  auto values = constantAlong(constant, fact->axis, fact->length);
  if (!values)
    return nullptr;
  auto negate = [](double value) { return -value; };
  switch (kind) {
  case RealOp::Add:
    return shifted(*fact, *values);
  case RealOp::Subtract: {
    if (!constantFirst)
      return shifted(*fact, map(*values, negate));
    SharedFact negated = scaled(*fact, {-1.0});
    return negated ? shifted(*negated, *values) : nullptr;
  }
  case RealOp::Multiply:
    return scaled(*fact, *values);
  case RealOp::Divide:
    if (constantFirst || llvm::is_contained(*values, 0.0))
      return nullptr;
    return scaled(*fact, map(*values, [](double v) { return 1 / v; }));
  default:
    return nullptr;
  }
}

SharedFact AffineFacts::evaluate(Value value) {
  if (value != result) {
    value = alignedOperand(value);
    if (!value)
      return nullptr;
    if (isa<ShapedType>(value.getType())) {
      auto from = cast<ShapedType>(value.getType());
      auto to = cast<ShapedType>(result.getType());
      SharedFact fact = states(value).getFact();
      // Other dimensions may be broadcast.
      bool aligned = fact && from.hasRank() && to.hasRank() &&
                     from.getRank() == to.getRank() &&
                     to.getDimSize(fact->axis) == fact->length;
      return aligned ? fact : nullptr;
    }
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return nullptr;
  Value named = value;
  if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
    if (!isElementwise(op))
      return nullptr;
    named = structured.getBlock()->getTerminator()->getOperand(
        cast<OpResult>(value).getResultNumber());
    if (isa<BlockArgument>(named))
      return evaluate(named);
  }
  RealStep step = readStep(named);
  if (step.operands.size() != 2)
    return nullptr;
  for (unsigned constant : {1, 0})
    if (SharedFact fact =
            combine(step.kind, step.operands[1 - constant],
                    step.operands[constant], /*constantFirst=*/constant == 0))
      return fact;
  return nullptr;
}

/// A projection of each coordinate to a range that holds its centre. NaN has to
/// stay NaN.
static SharedFact clampedFact(tosa::ClampOp op, const SharedFact &fact) {
  auto lo = dyn_cast<FloatAttr>(op.getMinVal());
  auto hi = dyn_cast<FloatAttr>(op.getMaxVal());
  if (!fact || fact->zeroPoint || !lo || !hi ||
      op.getNanMode() != tosa::NanPropagationMode::PROPAGATE)
    return nullptr;
  double least = lo.getValueAsDouble(), most = hi.getValueAsDouble();
  AxisFact result = *fact;
  if (result.ball)
    for (size_t k = 0; k < result.ball->length(); ++k)
      if (!(result.ball->centre[k] >= least && result.ball->centre[k] <= most))
        result.ball->gain[k] = std::numeric_limits<double>::infinity();
  // Probabilities below the lower end would grow.
  if (!(least <= 0 && most >= 0))
    result.simplex.reset();
  return shared(std::move(result));
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

static SharedFact alongAxis(const SharedFact &fact, int64_t axis) {
  if (!fact || axis < 0)
    return nullptr;
  if (axis == fact->axis)
    return fact;
  AxisFact result = *fact;
  result.axis = axis;
  return shared(std::move(result));
}

/// The axis of the new shape that runs over the same elements with the same
/// distance: as many elements behind it, and as long.
static int64_t reshapedAxis(Type from, Type to, int64_t axis) {
  auto source = dyn_cast<RankedTensorType>(from);
  auto target = dyn_cast<RankedTensorType>(to);
  if (!source || !target)
    return -1;
  auto behind = [](RankedTensorType type, int64_t axis) {
    int64_t count = 1;
    for (int64_t size : type.getShape().drop_front(axis + 1)) {
      if (ShapedType::isDynamic(size) ||
          __builtin_mul_overflow(count, size, &count))
        return int64_t(-1);
    }
    return count;
  };
  int64_t count = behind(source, axis);
  for (int64_t dim = 0; count >= 0 && dim < target.getRank(); ++dim)
    if (target.getDimSize(dim) == source.getDimSize(axis) &&
        behind(target, dim) == count)
      return dim;
  return -1;
}

static SharedFact reshapedFact(const SharedFact &fact, Value from, Value to) {
  return fact ? alongAxis(fact, reshapedAxis(from.getType(), to.getType(),
                                             fact->axis))
              : nullptr;
}

/// A part of the positions, all of the axis.
static SharedFact slicedFact(const SharedFact &fact, Value from, Value to) {
  auto source = dyn_cast<RankedTensorType>(from.getType());
  auto target = dyn_cast<RankedTensorType>(to.getType());
  bool whole = fact && source && target &&
               source.getRank() == target.getRank() &&
               target.getDimSize(fact->axis) == fact->length;
  return whole ? fact : nullptr;
}

/// Bits change their name, not their value, as long as they are read alike.
static SharedFact castFact(quant::StorageCastOp op, const SharedFact &fact) {
  quant::QuantizedType type = getQuantizedType(op.getType());
  bool readAlike =
      fact && fact->zeroPoint && (!type || type.isSigned() == fact->isSigned);
  return readAlike ? fact : nullptr;
}

static SharedFact quantizedFact(QuantizeOp op, const SharedFact &fact) {
  quant::QuantizedType type = getQuantizedType(op.getType());
  SmallVector<int64_t> zeros = zeroPoints(type);
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type);
  if (!fact || fact->zeroPoint || !llvm::all_equal(zeros) ||
      (perAxis && perAxis.getQuantizedDimension() != fact->axis))
    return nullptr;
  AxisFact result = *fact;
  SmallVector<double> all = scales(type);
  if (fact->ball)
    result.ball = quantized(*fact->ball, all, zeros.front(), codeRange(type),
                            op.getRounding());
  if (fact->simplex && all.size() == 1)
    result.simplex =
        quantized(*fact->simplex, fact->length, all.front(), zeros.front(),
                  codeRange(type), op.getRounding());
  else
    result.simplex.reset();
  result.zeroPoint = zeros.front();
  result.isSigned = type.isSigned();
  return shared(std::move(result));
}

SharedFact a2q::transferFact(Operation *op, StateLookup states) {
  if (op->getNumResults() != 1)
    return nullptr;
  auto of = [&](Value value) { return states(value).getFact(); };
  Value result = op->getResult(0);
  return TypeSwitch<Operation *, SharedFact>(op)
      .Case([&](QuantizeOp quantize) {
        return quantizedFact(quantize, of(quantize.getInput()));
      })
      .Case([&](quant::StorageCastOp cast) {
        return castFact(cast, of(cast.getInput()));
      })
      .Case([&](tosa::ClampOp clamp) {
        return clampedFact(clamp, of(clamp.getInput()));
      })
      .Case([&](tosa::IdentityOp identity) { return of(identity.getInput1()); })
      .Case([&](tosa::TransposeOp transpose) -> SharedFact {
        SharedFact fact = of(transpose.getInput1());
        if (!fact)
          return nullptr;
        auto *position = llvm::find(transpose.getPerms(), fact->axis);
        return alongAxis(fact, position - transpose.getPerms().begin());
      })
      .Case([&](linalg::TransposeOp transpose) -> SharedFact {
        SharedFact fact = of(transpose.getInput());
        if (!fact)
          return nullptr;
        const int64_t *position =
            llvm::find(transpose.getPermutation(), fact->axis);
        return alongAxis(fact, position - transpose.getPermutation().begin());
      })
      .Case([&](tosa::ReshapeOp reshape) {
        return reshapedFact(of(reshape.getInput1()), reshape.getInput1(),
                            result);
      })
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp>([&](auto reshape) {
        return reshapedFact(of(reshape.getSrc()), reshape.getSrc(), result);
      })
      .Case([&](tensor::CastOp cast) {
        return slicedFact(of(cast.getSource()), cast.getSource(), result);
      })
      .Case([&](tosa::SliceOp slice) {
        return slicedFact(of(slice.getInput1()), slice.getInput1(), result);
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return slicedFact(of(slice.getSource()), slice.getSource(), result);
      })
      .Default([&](Operation *) -> SharedFact {
        if (!getElementTypeOrSelf(result.getType()).isF32())
          return nullptr;
        if (SharedFact fact = shared(produced(result)))
          return fact;
        return isa<ShapedType>(result.getType())
                   ? AffineFacts(result, states).run()
                   : nullptr;
      });
}

void a2q::setFact(Operation *op, RangeState &state, SharedFact fact) {
  state.setFact(fact);
  auto quantize = dyn_cast<QuantizeOp>(op);
  if (!fact || !quantize || !fact->ball || !state.isUniform())
    return;
  std::optional<ElementRanges> known = state.toRanges(fact->isSigned);
  if (!known)
    return;
  int64_t zero = *fact->zeroPoint;
  Range codes = known->joined();
  Range lessZero = {codes.lo - zero, codes.hi - zero};
  SmallVector<RangeState::Bits, 1> bits;
  for (int64_t k = 0; k < fact->length; ++k) {
    Range code = coordinateRange(*fact->ball, k, lessZero);
    bits.push_back(
        bitsOf(Interval{code.lo + zero, code.hi + zero}, state.getWidth()));
  }
  RangeState narrowed = RangeState::perIndex(fact->axis, std::move(bits));
  narrowed.setFact(std::move(fact));
  state = std::move(narrowed);
}
