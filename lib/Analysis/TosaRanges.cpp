//===- TosaRanges.cpp - Ranges through tosa ops ---------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

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

Results a2q::transferTosa(Operation *op, StateLookup states) {
  auto one = [](RangeState state) -> Results {
    return SmallVector<RangeState, 1>{std::move(state)};
  };
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
