//===- TosaRanges.cpp - Ranges through tosa ops ---------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/Requantization.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;

using Bits = RangeState::Bits;

/// Applies a monotone function to the signed (or unsigned, as the type reads)
/// ends of every entry. The type is that of operand and result.
template <typename Function>
static RangeState mapEnds(Type type, const RangeState &state,
                          Function function) {
  std::optional<ElementRanges> ranges =
      state.toRanges(readsSigned(type, /*unsignedSignless=*/false));
  if (!ranges)
    return RangeState::ofType(type);
  SmallVector<Bits, 1> bits;
  for (Range range : ranges->ranges)
    bits.push_back(bitsOf(Interval{function(range.lo), function(range.hi)},
                          patternWidth(type)));
  return RangeState::perIndex(ranges->axis, std::move(bits));
}

static RangeState clampState(tosa::ClampOp op, const RangeState &input) {
  auto lo = dyn_cast<IntegerAttr>(op.getMinVal());
  auto hi = dyn_cast<IntegerAttr>(op.getMaxVal());
  if (!lo || !hi || !input.isInteger() || lo.getValue().getBitWidth() > 64 ||
      hi.getValue().getBitWidth() > 64)
    return RangeState::ofType(op.getType());
  bool isSigned = readsSigned(op.getType(), false);
  auto value = [&](IntegerAttr attr) {
    return isSigned ? attr.getValue().getSExtValue()
                    : static_cast<int64_t>(attr.getValue().getZExtValue());
  };
  return mapEnds(op.getType(), input, [&](int64_t end) {
    return std::min(std::max(end, value(lo)), value(hi));
  });
}

/// The entries of the slice, where its place along the axis is constant.
static RangeState sliceState(tosa::SliceOp op, const RangeState &input) {
  int64_t axis = input.getAxis();
  if (!input.isInteger() || axis < 0)
    return input;
  RangeState joined = RangeState::uniform(input.joined());
  DenseIntElementsAttr start;
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!type || type.isDynamicDim(axis) ||
      !matchPattern(op.getStart(), m_Constant(&start)) ||
      start.getNumElements() <= axis)
    return joined;
  int64_t first = start.getValues<APInt>()[axis].getSExtValue();
  int64_t size = type.getDimSize(axis);
  if (first < 0 || size < 1 || first > input.size() - size)
    return joined;
  SmallVector<Bits, 1> bits;
  for (int64_t at = 0; at < size; ++at)
    bits.push_back(input.at(first + at));
  return RangeState::perIndex(axis, std::move(bits));
}

/// Sign extension, or truncation of what fits.
static RangeState castState(tosa::CastOp op, const RangeState &input) {
  Type from = getElementTypeOrSelf(op.getInput().getType());
  unsigned width = patternWidth(op.getType());
  std::optional<ElementRanges> ranges =
      input.toRanges(readsSigned(from, /*unsignedSignless=*/from.isInteger(1)));
  RangeState all = RangeState::ofType(op.getType());
  if (!ranges || !from.isInteger() || width == 0 || width > 64 ||
      !getElementTypeOrSelf(op.getType()).isInteger())
    return all;
  SmallVector<Bits, 1> bits;
  for (Range range : ranges->ranges)
    bits.push_back(bitsOf(Interval{range.lo, range.hi}, width));
  return RangeState::perIndex(ranges->axis, std::move(bits));
}

static RangeState joinedState(const RangeState &state) {
  return state.isInteger() ? RangeState::uniform(state.joined()) : state;
}

static RangeState transposeState(tosa::TransposeOp op,
                                 const RangeState &input) {
  if (input.isUniform() || !input.isInteger())
    return input;
  auto *position = llvm::find(op.getPerms(), input.getAxis());
  return withAxis(input, position - op.getPerms().begin());
}

//===----------------------------------------------------------------------===//
// Arithmetic on integers
//===----------------------------------------------------------------------===//

static std::optional<Range> rangeOf(const RangeState &state, bool isSigned) {
  std::optional<ElementRanges> ranges = state.toRanges(isSigned);
  if (!ranges)
    return std::nullopt;
  return ranges->joined();
}

/// `[lo, hi]` for all elements; all of the type where it does not fit.
static RangeState uniformState(Type type, Interval values) {
  unsigned width = patternWidth(type);
  if (width == 0 || width > 64)
    return RangeState::ofType(type);
  return RangeState::uniform(bitsOf(values, width));
}

/// What two intervals give.
static RangeState combine(Operation *op, StateLookup states,
                          function_ref<Interval(Interval, Interval)> function) {
  Type type = op->getResult(0).getType();
  bool isSigned = readsSigned(type, false);
  std::optional<Range> lhs = rangeOf(states(op->getOperand(0)), isSigned);
  std::optional<Range> rhs = rangeOf(states(op->getOperand(1)), isSigned);
  if (!lhs || !rhs)
    return RangeState::ofType(type);
  return uniformState(type, function({lhs->lo, lhs->hi}, {rhs->lo, rhs->hi}));
}

/// The one integer of a zero point.
static std::optional<int64_t> zeroOf(Value value, bool isUnsigned) {
  FailureOr<SmallVector<int64_t>> zero = constantCodes(value, !isUnsigned);
  if (failed(zero) || zero->size() != 1)
    return std::nullopt;
  return zero->front();
}

namespace {
/// A rescale with constant factors.
struct Rescaler {
  SmallVector<int64_t> multipliers, shifts;
  int64_t inputZero = 0, outputZero = 0;
  Range codes;
  Rounding rounding = Rounding::HalfUp;

  static std::optional<Rescaler> of(tosa::RescaleOp op);

  /// The result for a value; nullopt where TOSA does not define it, beyond 32
  /// bits before the zero point is added.
  std::optional<int64_t> apply(int64_t channel, int64_t value) const {
    auto at = [&](ArrayRef<int64_t> list) {
      return list[list.size() == 1 ? 0 : channel];
    };
    int64_t scaled =
        requantize(Wide(value) - inputZero, at(multipliers),
                   static_cast<unsigned>(at(shifts)), /*zeroPoint=*/0,
                   {INT64_MIN, INT64_MAX}, rounding);
    if (!llvm::isInt<32>(scaled))
      return std::nullopt;
    return std::clamp(scaled + outputZero, codes.lo, codes.hi);
  }
};
} // namespace

std::optional<Rescaler> Rescaler::of(tosa::RescaleOp op) {
  FailureOr<SmallVector<int64_t>> multipliers =
      constantCodes(op.getMultiplier());
  FailureOr<SmallVector<int64_t>> shifts = constantCodes(op.getShift());
  auto inputZero = zeroOf(op.getInputZp(), op.getInputUnsigned());
  auto outputZero = zeroOf(op.getOutputZp(), op.getOutputUnsigned());
  unsigned bits = patternWidth(op.getType());
  if (failed(multipliers) || failed(shifts) || !inputZero || !outputZero ||
      bits == 0 || bits > 32)
    return std::nullopt;
  for (int64_t multiplier : *multipliers)
    if (multiplier <= 0)
      return std::nullopt;
  for (int64_t shift : *shifts)
    if (shift < 0 || shift > 62)
      return std::nullopt;
  Rescaler result{
      std::move(*multipliers), std::move(*shifts), *inputZero, *outputZero, {},
      Rounding::HalfUp};
  result.codes = {llvm::minIntN(bits), llvm::maxIntN(bits)};
  if (op.getOutputUnsigned())
    result.codes = {0, static_cast<int64_t>(llvm::maxUIntN(bits))};
  if (op.getRoundingMode() == tosa::RoundingMode::DOUBLE_ROUND)
    result.rounding = Rounding::Double;
  return result;
}

/// Monotone, so that the ends of a value give those of the result.
static RangeState rescaleState(tosa::RescaleOp op, const RangeState &input) {
  RangeState all = RangeState::ofType(op.getType());
  auto type = dyn_cast<RankedTensorType>(op.getType());
  std::optional<Rescaler> rescaler = Rescaler::of(op);
  std::optional<ElementRanges> values = input.toRanges(!op.getInputUnsigned());
  if (!type || !rescaler || !values || type.getRank() == 0)
    return all;
  int64_t axis = type.getRank() - 1;
  bool along = !values->isUniform() && values->axis == axis;
  int64_t channels =
      along || op.getPerChannel() ? type.getDimSize(axis) : int64_t(1);
  size_t factors =
      std::max(rescaler->multipliers.size(), rescaler->shifts.size());
  if (ShapedType::isDynamic(channels) || channels == 0 ||
      (factors != 1 && factors != static_cast<size_t>(channels)) ||
      (rescaler->multipliers.size() != rescaler->shifts.size()))
    return all;
  Range joined = values->joined();
  SmallVector<Bits, 1> bits;
  for (int64_t channel = 0; channel < channels; ++channel) {
    Range value = along ? values->at(channel) : joined;
    auto lo = rescaler->apply(channel, value.lo);
    auto hi = rescaler->apply(channel, value.hi);
    if (!lo || !hi)
      return all;
    bits.push_back(bitsOf(Interval{*lo, *hi}, patternWidth(type)));
  }
  return RangeState::perIndex(axis, std::move(bits));
}

/// All entries; of 16 bits, what lies between two of them, with 7 more bits.
static RangeState tableState(tosa::TableOp op) {
  FailureOr<SmallVector<int64_t>> entries = constantCodes(op.getTable());
  if (failed(entries) || entries->empty())
    return RangeState::ofType(op.getType());
  auto [lo, hi] = std::minmax_element(entries->begin(), entries->end());
  bool interpolates = patternWidth(op.getInput1().getType()) == 16;
  Wide unit = interpolates ? 128 : 1;
  return uniformState(op.getType(), {*lo * unit, *hi * unit});
}

/// Means lie between the ends: the reciprocal of the size is rounded by less
/// than what moves a mean to the next integer.
static RangeState averageState(tosa::AvgPool2dOp op, const RangeState &input) {
  bool isSigned = readsSigned(op.getType(), false);
  std::optional<Range> values = rangeOf(input, isSigned);
  auto inputZero = zeroOf(op.getInputZp(), !isSigned);
  auto outputZero = zeroOf(op.getOutputZp(), !isSigned);
  unsigned bits = patternWidth(op.getType());
  if (!values || !inputZero || !outputZero || bits == 0 || bits > 16 ||
      !isSigned)
    return RangeState::ofType(op.getType());
  auto end = [&](int64_t value) -> Wide {
    return std::clamp(value - *inputZero + *outputZero, llvm::minIntN(bits),
                      llvm::maxIntN(bits));
  };
  return uniformState(op.getType(), {end(values->lo), end(values->hi)});
}

static RangeState reduceSumState(tosa::ReduceSumOp op,
                                 const RangeState &input) {
  std::optional<Range> values =
      rangeOf(input, readsSigned(op.getType(), false));
  auto type = dyn_cast<RankedTensorType>(op.getInput().getType());
  if (!values || !type || type.isDynamicDim(op.getAxis()))
    return RangeState::ofType(op.getType());
  Wide size = type.getDimSize(op.getAxis());
  return uniformState(op.getType(), {size * values->lo, size * values->hi});
}

/// Operations on integers; nothing for real ones.
static Results transferIntegers(Operation *op, StateLookup states) {
  auto one = [](RangeState state) -> Results {
    return SmallVector<RangeState, 1>{std::move(state)};
  };
  if (op->getNumResults() != 1 ||
      !getElementTypeOrSelf(op->getResult(0)).isInteger())
    return std::nullopt;
  return TypeSwitch<Operation *, Results>(op)
      .Case([&](tosa::RescaleOp rescale) {
        return one(rescaleState(rescale, states(rescale.getInput())));
      })
      .Case([&](tosa::TableOp table) { return one(tableState(table)); })
      .Case([&](tosa::AvgPool2dOp pool) {
        return one(averageState(pool, states(pool.getInput())));
      })
      .Case([&](tosa::ReduceSumOp sum) {
        return one(reduceSumState(sum, states(sum.getInput())));
      })
      .Case([&](tosa::ReduceMaxOp reduce) {
        return one(joinedState(states(reduce.getInput())));
      })
      .Case([&](tosa::ReduceMinOp reduce) {
        return one(joinedState(states(reduce.getInput())));
      })
      .Case([&](tosa::AddOp) {
        return one(combine(op, states, [](Interval a, Interval b) {
          return Interval{a.lo + b.lo, a.hi + b.hi};
        }));
      })
      .Case([&](tosa::SubOp) {
        return one(combine(op, states, [](Interval a, Interval b) {
          return Interval{a.lo - b.hi, a.hi - b.lo};
        }));
      })
      .Case([&](tosa::MaximumOp) {
        return one(combine(op, states, [](Interval a, Interval b) {
          return Interval{std::max(a.lo, b.lo), std::max(a.hi, b.hi)};
        }));
      })
      .Case([&](tosa::MinimumOp) {
        return one(combine(op, states, [](Interval a, Interval b) {
          return Interval{std::min(a.lo, b.lo), std::min(a.hi, b.hi)};
        }));
      })
      .Default([](Operation *) { return Results(); });
}

//===----------------------------------------------------------------------===//
// All of them
//===----------------------------------------------------------------------===//

Results a2q::transferTosa(Operation *op, StateLookup states) {
  auto one = [](RangeState state) -> Results {
    return SmallVector<RangeState, 1>{std::move(state)};
  };
  if (Results results = transferIntegers(op, states))
    return results;
  return TypeSwitch<Operation *, Results>(op)
      .Case([&](tosa::ClampOp clamp) {
        return one(clampState(clamp, states(clamp.getInput())));
      })
      .Case([&](tosa::CastOp cast) {
        return one(castState(cast, states(cast.getInput())));
      })
      // Windows hold at least one element, padding is never the maximum, and
      // images and channels stay apart; rows and columns do not.
      .Case([&](tosa::MaxPool2dOp pool) {
        const RangeState &input = states(pool.getInput());
        bool pooled = input.getAxis() == 1 || input.getAxis() == 2;
        return one(pooled ? joinedState(input) : input);
      })
      .Case([&](tosa::IdentityOp identity) {
        return one(states(identity.getInput1()));
      })
      .Case([&](tosa::PadOp pad) {
        return one(padState(states(pad.getInput1()), states(pad.getPadConst()),
                            /*padsAxis=*/true));
      })
      .Case([&](tosa::ConcatOp concat) {
        SmallVector<RangeState> sources;
        for (Value input : concat.getInput1())
          sources.push_back(states(input));
        SmallVector<Type> types(concat.getInput1().getTypes());
        if (llvm::any_of(types, [](Type type) {
              return !cast<ShapedType>(type).hasRank();
            }))
          return one(RangeState::ofType(concat.getType()));
        return one(concatState(sources, types, concat.getAxis()));
      })
      .Case([&](tosa::TransposeOp transpose) {
        return one(transposeState(transpose, states(transpose.getInput1())));
      })
      .Case([&](tosa::ReshapeOp reshape) {
        return one(joinedState(states(reshape.getInput1())));
      })
      .Case([&](tosa::SliceOp slice) {
        return one(sliceState(slice, states(slice.getInput1())));
      })
      .Case([&](tosa::TileOp tile) {
        return one(joinedState(states(tile.getInput1())));
      })
      .Case([&](tosa::ReverseOp reverse) {
        return one(joinedState(states(reverse.getInput1())));
      })
      .Default([](Operation *) { return Results(); });
}
