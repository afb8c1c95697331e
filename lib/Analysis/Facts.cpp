//===- Facts.cpp - What holds of elements together ------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// FactProducers.cpp finds where a fact begins; here is what becomes of it on
// the way to an accumulator. No op passes a fact on unless it is written to.
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
#include "mlir/Dialect/Tosa/Utils/ConversionUtils.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Real arithmetic
//===----------------------------------------------------------------------===//

static SharedFact shared(std::optional<AxisFact> fact) {
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

/// The fact of the sum of two tensors that each have one: their vectors may be
/// NaN each by itself.
static SharedFact sumOf(const AxisFact &a, const AxisFact &b) {
  AxisFact result = a;
  result.ball.reset();
  result.simplex.reset();
  result.vectors += b.vectors;
  if (a.producer != b.producer)
    result.producer += " + " + b.producer;
  if (a.ball && b.ball)
    result.ball = sumOf(*a.ball, *b.ball);
  if (a.simplex && b.simplex)
    result.simplex =
        Simplex{(a.simplex->total + b.simplex->total) * (1 + 0x1p-20)};
  return shared(std::move(result));
}

/// The fact of the sum with values of a range.
static SharedFact plusRange(const AxisFact &fact, RealRange range) {
  AxisFact result = fact;
  result.simplex.reset();
  if (fact.ball)
    result.ball = plusRange(*fact.ball, range.lo, range.hi);
  return shared(std::move(result));
}

/// The fact of values that are moved into a range that holds their centres.
static SharedFact clamped(const AxisFact &fact, double lo, double hi) {
  AxisFact result = fact;
  if (fact.ball)
    result.ball = clamped(*fact.ball, lo, hi);
  // Probabilities below the lower end would grow.
  if (!(lo <= 0 && hi >= 0))
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
/// The fact of an expression of tensors and constants that keeps elements in
/// their places.
class AffineFacts {
public:
  AffineFacts(Value result, StateLookup states)
      : result(result), states(states) {}

  SharedFact run() { return evaluate(result); }

private:
  SharedFact evaluate(Value value);
  SharedFact combine(RealOp kind, Value known, Value constant,
                     bool constantFirst);
  SharedFact add(Value first, Value second);
  std::optional<RealRange> rangeOf(Value value);

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
  case RealOp::Larger:
  case RealOp::Smaller: {
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (values->size() != 1)
      return nullptr;
    return kind == RealOp::Larger ? clamped(*fact, values->front(), inf)
                                  : clamped(*fact, -inf, values->front());
  }
  case RealOp::Divide:
    if (constantFirst || llvm::is_contained(*values, 0.0))
      return nullptr;
    return scaled(*fact, map(*values, [](double v) { return 1 / v; }));
  default:
    return nullptr;
  }
}

/// Finite values of the tensor that the value stands for, wherever they are.
std::optional<RealRange> AffineFacts::rangeOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value);
      argument && !isa<ShapedType>(value.getType())) {
    value = readOperand(value);
    if (!value)
      return std::nullopt;
  }
  return isa<ShapedType>(value.getType()) ? states(value).getReal()
                                          : std::nullopt;
}

SharedFact AffineFacts::add(Value first, Value second) {
  SharedFact a = evaluate(first), b = evaluate(second);
  if ((a && a->zeroPoint) || (b && b->zeroPoint))
    return nullptr;
  if (a && b && a->axis == b->axis && a->length == b->length)
    return sumOf(*a, *b);
  for (auto [fact, other] : {std::pair(a, second), std::pair(b, first)})
    if (std::optional<RealRange> range = fact ? rangeOf(other) : std::nullopt)
      return plusRange(*fact, *range);
  return nullptr;
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
  return step.kind == RealOp::Add ? add(step.operands[0], step.operands[1])
                                  : nullptr;
}

/// A projection of each coordinate to a range that holds its centre. NaN has to
/// stay NaN.
static SharedFact clampedFact(tosa::ClampOp op, const SharedFact &fact) {
  auto lo = dyn_cast<FloatAttr>(op.getMinVal());
  auto hi = dyn_cast<FloatAttr>(op.getMaxVal());
  if (!fact || fact->zeroPoint || !lo || !hi ||
      op.getNanMode() != tosa::NanPropagationMode::PROPAGATE)
    return nullptr;
  return clamped(*fact, lo.getValueAsDouble(), hi.getValueAsDouble());
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

/// A part of the axis: any part of a vector obeys what the whole does.
static SharedFact slicedAxis(const SharedFact &fact, Value from, Value to,
                             int64_t offset, int64_t stride) {
  if (SharedFact whole = slicedFact(fact, from, to))
    return whole;
  auto source = dyn_cast<RankedTensorType>(from.getType());
  auto target = dyn_cast<RankedTensorType>(to.getType());
  if (!fact || !source || !target || source.getRank() != target.getRank() ||
      ShapedType::isDynamic(offset) || ShapedType::isDynamic(stride))
    return nullptr;
  int64_t length = target.getDimSize(fact->axis);
  if (ShapedType::isDynamic(length) || length < 1 || offset < 0 || stride < 1 ||
      offset + (length - 1) * stride >= fact->length)
    return nullptr;
  AxisFact result = *fact;
  result.length = length;
  if (fact->ball) {
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < length; ++i)
      indices.push_back(offset + i * stride);
    result.ball = fact->ball->select(indices);
  }
  return shared(std::move(result));
}

static SharedFact slicedFact(const SharedFact &fact, tosa::SliceOp op) {
  SmallVector<int64_t> starts;
  if (!fact ||
      !tosa::getConstShapeValues(op.getStart().getDefiningOp(), starts))
    return fact ? slicedFact(fact, op.getInput1(), op.getResult()) : nullptr;
  return slicedAxis(fact, op.getInput1(), op.getResult(), starts[fact->axis],
                    /*stride=*/1);
}

static SharedFact slicedFact(const SharedFact &fact,
                             tensor::ExtractSliceOp op) {
  return fact ? slicedAxis(fact, op.getSource(), op.getResult(),
                           op.getStaticOffsets()[fact->axis],
                           op.getStaticStrides()[fact->axis])
              : nullptr;
}

/// Tensors side by side along another axis all have to obey one fact.
static SharedFact commonFact(ArrayRef<SharedFact> facts) {
  bool same = llvm::all_of(facts, [&](const SharedFact &fact) {
    return fact && facts.front() && *fact == *facts.front();
  });
  return same ? facts.front() : nullptr;
}

/// Vectors one after the other. What is not known of some is left to their
/// ranges; all have to be codes of one zero point, or all values.
static SharedFact concatenatedFacts(ArrayRef<SharedFact> facts,
                                    ArrayRef<int64_t> lengths) {
  const SharedFact *known = llvm::find_if(
      facts, [](const SharedFact &fact) { return fact && fact->ball; });
  if (known == facts.end())
    return nullptr;
  AxisFact result = **known;
  result.length = result.vectors = 0;
  result.simplex.reset();
  result.ball = unboundedBall(0);
  for (auto [fact, length] : llvm::zip_equal(facts, lengths)) {
    bool obeys = fact && fact->ball;
    if (ShapedType::isDynamic(length) || (obeys && fact->length != length) ||
        (fact && (fact->zeroPoint != result.zeroPoint ||
                  fact->isSigned != result.isSigned)))
      return nullptr;
    Ball next = obeys ? *fact->ball : unboundedBall(length);
    // Nothing rests where there is nothing yet, nor in what has only a range.
    if (!obeys && !(*known)->ball->rest.empty())
      next.rest.assign(length, 0);
    if (result.length == 0)
      result.ball = std::move(next);
    else
      result.ball =
          concatenated(*result.ball, next, result.zeroPoint.has_value());
    if (!result.ball ||
        __builtin_add_overflow(result.length, length, &result.length) ||
        result.length > maxRangeIndices)
      return nullptr;
    result.vectors += obeys ? fact->vectors : 0;
  }
  return shared(std::move(result));
}

static SharedFact concatenatedFact(ValueRange inputs, int64_t axis,
                                   StateLookup states) {
  SmallVector<SharedFact> facts;
  SmallVector<int64_t> lengths;
  int64_t factAxis = -1;
  for (Value input : inputs) {
    auto type = dyn_cast<RankedTensorType>(input.getType());
    if (!type)
      return nullptr;
    const SharedFact &fact = states(input).getFact();
    if (fact && factAxis >= 0 && factAxis != fact->axis)
      return nullptr;
    if (fact)
      factAxis = fact->axis;
    facts.push_back(fact);
    lengths.push_back(type.getDimSize(axis));
  }
  if (factAxis < 0)
    return nullptr;
  return factAxis == axis ? concatenatedFacts(facts, lengths)
                          : commonFact(facts);
}

/// What stands around a padded tensor: codes less the zero point of the fact,
/// or values. Nullopt where it may be anything.
static std::optional<std::pair<double, double>>
paddingRange(const AxisFact &fact, const RangeState &padding) {
  if (!fact.zeroPoint) {
    std::optional<RealRange> real = padding.getReal();
    return real ? std::optional(std::pair<double, double>(real->lo, real->hi))
                : std::nullopt;
  }
  std::optional<ElementRanges> codes =
      padding.isInteger() ? padding.toRanges(fact.isSigned) : std::nullopt;
  if (!codes)
    return std::nullopt;
  a2q::Range all = codes->joined();
  auto lessZero = [&](int64_t code) {
    return static_cast<double>(Wide(code) - *fact.zeroPoint);
  };
  return std::pair(lessZero(all.lo), lessZero(all.hi));
}

AxisFact a2q::padPositions(AxisFact fact, double lo, double hi) {
  bool isNaN = fact.zeroPoint && lo == 0 && hi == 0;
  // What a NaN has left is in the ball.
  if (fact.ball && !(isNaN && fact.ball->rest.empty()))
    fact.ball = covering(std::move(*fact.ball), lo, hi);
  if (fact.simplex && lo >= 0)
    fact.simplex->total =
        std::max(fact.simplex->total,
                 hi * static_cast<double>(fact.length) * (1 + 0x1p-20));
  else
    fact.simplex.reset();
  return fact;
}

/// `before` and `after` coordinates of padding in each vector.
static AxisFact padAxis(AxisFact fact, int64_t before, int64_t after, double lo,
                        double hi) {
  if (fact.ball) {
    auto constants = [&](int64_t count) {
      Ball ball = constantBall(count, lo, hi);
      if (!fact.ball->rest.empty())
        ball.rest = ball.centre;
      return ball;
    };
    bool areCodes = fact.zeroPoint.has_value();
    std::optional<Ball> ball =
        concatenated(constants(before), *fact.ball, areCodes);
    fact.ball = concatenated(*ball, constants(after), areCodes);
  }
  if (fact.simplex && lo >= 0)
    fact.simplex->total +=
        hi * static_cast<double>(before + after) * (1 + 0x1p-20);
  else
    fact.simplex.reset();
  fact.length += before + after;
  return fact;
}

/// `low` and `high` elements of `padding` around a tensor of this fact.
static SharedFact paddedFact(const SharedFact &fact, const RangeState &padding,
                             ArrayRef<int64_t> low, ArrayRef<int64_t> high) {
  if (!fact || fact->axis >= static_cast<int64_t>(low.size()))
    return nullptr;
  auto range = paddingRange(*fact, padding);
  int64_t before = low[fact->axis], after = high[fact->axis];
  // Sizes of the run are negative.
  if (!range || before < 0 || after < 0 || before > maxRangeIndices ||
      after > maxRangeIndices ||
      fact->length + before + after > maxRangeIndices)
    return nullptr;
  auto [lo, hi] = *range;
  AxisFact result = *fact;
  if (before + after > 0)
    result = padAxis(std::move(result), before, after, lo, hi);
  bool padsOthers = false;
  for (size_t dim = 0; dim < low.size(); ++dim)
    padsOthers |= static_cast<int64_t>(dim) != fact->axis &&
                  (low[dim] != 0 || high[dim] != 0);
  if (padsOthers)
    result = padPositions(std::move(result), lo, hi);
  return shared(std::move(result));
}

static SharedFact paddedFact(tensor::PadOp op, StateLookup states) {
  Value padding = op.getConstantPaddingValue();
  if (!padding)
    padding = op.getRegion().front().getTerminator()->getOperand(0);
  return paddedFact(states(op.getSource()).getFact(), states(padding),
                    op.getStaticLow(), op.getStaticHigh());
}

static SharedFact paddedFact(tosa::PadOp op, StateLookup states) {
  SmallVector<int64_t> counts, low, high;
  if (!tosa::getConstShapeValues(op.getPadding().getDefiningOp(), counts))
    return nullptr;
  for (size_t i = 0; i + 1 < counts.size(); i += 2) {
    low.push_back(counts[i]);
    high.push_back(counts[i + 1]);
  }
  return paddedFact(states(op.getInput1()).getFact(), states(op.getPadConst()),
                    low, high);
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

/// Codes become values again.
static SharedFact dequantizedFact(DequantizeOp op, const SharedFact &fact) {
  quant::QuantizedType type = getQuantizedType(op.getInput().getType());
  auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type);
  SmallVector<int64_t> zeros = zeroPoints(type);
  if (!fact || !fact->zeroPoint || fact->isSigned != type.isSigned() ||
      !llvm::all_equal(zeros) || zeros.front() != *fact->zeroPoint ||
      (perAxis && perAxis.getQuantizedDimension() != fact->axis))
    return nullptr;
  AxisFact result = *fact;
  SmallVector<double> all = scales(type);
  if (fact->ball)
    result.ball = dequantized(*fact->ball, all);
  if (fact->simplex && all.size() == 1)
    result.simplex =
        Simplex{fact->simplex->total * all.front() * (1 + 0x1p-20)};
  else
    result.simplex.reset();
  result.zeroPoint.reset();
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
      .Case([&](DequantizeOp dequantize) {
        return dequantizedFact(dequantize, of(dequantize.getInput()));
      })
      .Case([&](quant::StorageCastOp cast) {
        return castFact(cast, of(cast.getInput()));
      })
      .Case([&](tosa::ConcatOp concat) {
        return concatenatedFact(concat.getInput1(), concat.getAxis(), states);
      })
      .Case([&](tensor::ConcatOp concat) {
        return concatenatedFact(concat.getInputs(), concat.getDim(), states);
      })
      .Case<tensor::PadOp, tosa::PadOp>(
          [&](auto pad) { return paddedFact(pad, states); })
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
        return slicedFact(of(slice.getInput1()), slice);
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return slicedFact(of(slice.getSource()), slice);
      })
      .Default([&](Operation *) -> SharedFact {
        if (!getElementTypeOrSelf(result.getType()).isF32())
          return nullptr;
        if (SharedFact fact = shared(producedFact(result)))
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
