//===- MoveRanges.cpp - Ranges through ops that move elements -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;

using Bits = RangeState::Bits;

static RangeState joinedState(const RangeState &state) {
  return state.isInteger() ? RangeState::uniform(state.joined()) : state;
}

RangeState a2q::withAxis(const RangeState &state, int64_t axis) {
  if (!state.isInteger() || state.isUniform() || axis == state.getAxis())
    return state;
  if (axis < 0)
    return joinedState(state);
  SmallVector<Bits, 1> bits;
  for (int64_t i = 0; i < state.size(); ++i)
    bits.push_back(state.at(i));
  return RangeState::perIndex(axis, std::move(bits));
}

RangeState a2q::padState(const RangeState &source, const RangeState &padding,
                         bool padsAxis) {
  if (source.isUninitialized() || padding.isUninitialized())
    return {};
  return RangeState::join(padsAxis ? joinedState(source) : source,
                          joinedState(padding));
}

RangeState a2q::concatState(ArrayRef<RangeState> sources, ArrayRef<Type> types,
                            int64_t axis) {
  auto alongOther = [&](const RangeState &state) {
    return !state.isUniform() && state.getAxis() != axis;
  };
  for (const RangeState &source : sources)
    if (source.isUninitialized())
      return source;
  // Reals have one range for all.
  bool areIntegers = llvm::all_of(
      sources, [](const RangeState &source) { return source.isInteger(); });
  if (!areIntegers || llvm::any_of(sources, alongOther)) {
    // Another axis survives where all of them have it.
    RangeState result = sources.front();
    for (const RangeState &source : sources)
      result = RangeState::join(
          result, source.getAxis() == axis ? joinedState(source) : source);
    return result;
  }
  SmallVector<Bits, 1> bits;
  for (auto [source, type] : llvm::zip_equal(sources, types)) {
    int64_t size = cast<ShapedType>(type).getDimSize(axis);
    if (ShapedType::isDynamic(size) || size > maxRangeIndices ||
        (!source.isUniform() && source.size() != size)) {
      RangeState result = joinedState(sources.front());
      for (const RangeState &other : sources)
        result = RangeState::join(result, joinedState(other));
      return result;
    }
    for (int64_t i = 0; i < size; ++i)
      bits.push_back(source.at(i));
  }
  return bits.empty() ? sources.front()
                      : RangeState::perIndex(axis, std::move(bits));
}

/// The dimension of the collapsed shape that is `axis` of the expanded one,
/// alone in its group but for ones; -1 if there is none.
static int64_t collapsedAxis(ArrayRef<ReassociationIndices> groups,
                             ArrayRef<int64_t> expanded, int64_t axis) {
  for (auto [index, group] : llvm::enumerate(groups)) {
    if (!llvm::is_contained(group, axis))
      continue;
    bool alone = llvm::all_of(
        group, [&](int64_t dim) { return dim == axis || expanded[dim] == 1; });
    return alone ? static_cast<int64_t>(index) : -1;
  }
  return -1;
}

/// The other direction.
static int64_t expandedAxis(ArrayRef<ReassociationIndices> groups,
                            ArrayRef<int64_t> expanded, int64_t axis,
                            int64_t size) {
  for (int64_t dim : groups[axis])
    if (expanded[dim] == size && collapsedAxis(groups, expanded, dim) == axis)
      return dim;
  return -1;
}

static RangeState sliceState(tensor::ExtractSliceOp op,
                             const RangeState &source) {
  if (!source.isInteger() || source.isUniform())
    return source;
  int64_t axis = source.getAxis();
  int64_t offset = op.getStaticOffsets()[axis];
  int64_t size = op.getStaticSizes()[axis];
  int64_t stride = op.getStaticStrides()[axis];
  if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(size) ||
      ShapedType::isDynamic(stride) || size < 1 || offset < 0 || stride < 1 ||
      offset + (size - 1) * stride >= source.size())
    return joinedState(source);
  SmallVector<Bits, 1> bits;
  for (int64_t i = 0; i < size; ++i)
    bits.push_back(source.at(offset + i * stride));
  llvm::SmallBitVector dropped = op.getDroppedDims();
  if (dropped.test(axis))
    return RangeState::uniform(bits.front());
  int64_t before = 0;
  for (int64_t dim = 0; dim < axis; ++dim)
    before += dropped.test(dim);
  return RangeState::perIndex(axis - before, std::move(bits));
}

static RangeState tensorPadState(tensor::PadOp op, StateLookup states) {
  Value padding = op.getConstantPaddingValue();
  if (!padding)
    padding = op.getRegion().front().getTerminator()->getOperand(0);
  const RangeState &source = states(op.getSource());
  bool padsAxis =
      source.getAxis() >= 0 && (op.getStaticLow()[source.getAxis()] != 0 ||
                                op.getStaticHigh()[source.getAxis()] != 0);
  return padState(source, states(padding), padsAxis);
}

static RangeState joinedOperands(Operation *op, StateLookup states) {
  if (op->getNumOperands() == 0)
    return RangeState::ofType(op->getResult(0).getType());
  RangeState result;
  for (Value operand : op->getOperands())
    result = RangeState::join(result, joinedState(states(operand)));
  return result;
}

Results a2q::transferMoves(Operation *op, StateLookup states) {
  auto one = [](RangeState state) -> Results {
    return SmallVector<RangeState, 1>{std::move(state)};
  };
  return TypeSwitch<Operation *, Results>(op)
      .Case([&](tensor::PadOp pad) { return one(tensorPadState(pad, states)); })
      .Case([&](tensor::ConcatOp concat) {
        SmallVector<RangeState> sources;
        for (Value input : concat.getInputs())
          sources.push_back(states(input));
        SmallVector<Type> types(concat.getInputs().getTypes());
        return one(concatState(sources, types, concat.getDim()));
      })
      .Case([&](tensor::CollapseShapeOp collapse) {
        const RangeState &source = states(collapse.getSrc());
        int64_t axis = source.getAxis();
        if (axis >= 0)
          axis = collapsedAxis(collapse.getReassociationIndices(),
                               collapse.getSrcType().getShape(), axis);
        return one(withAxis(source, axis));
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        const RangeState &source = states(expand.getSrc());
        int64_t axis = source.getAxis();
        if (axis >= 0)
          axis = expandedAxis(expand.getReassociationIndices(),
                              expand.getResultType().getShape(), axis,
                              source.size());
        return one(withAxis(source, axis));
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        return one(sliceState(slice, states(slice.getSource())));
      })
      // Elements of the slice may be anywhere in the result.
      .Case([&](tensor::InsertSliceOp insert) {
        return one(RangeState::join(states(insert.getDest()),
                                    joinedState(states(insert.getSource()))));
      })
      .Case([&](tensor::CastOp cast) { return one(states(cast.getSource())); })
      .Case([&](tensor::ReshapeOp reshape) {
        return one(joinedState(states(reshape.getSource())));
      })
      .Case([&](tensor::ExtractOp extract) {
        return one(joinedState(states(extract.getTensor())));
      })
      .Case([&](tensor::GatherOp gather) {
        return one(joinedState(states(gather.getSource())));
      })
      .Case([&](tensor::InsertOp insert) {
        return one(RangeState::join(states(insert.getDest()),
                                    states(insert.getScalar())));
      })
      .Case(
          [&](tensor::SplatOp splat) { return one(states(splat.getInput())); })
      .Case([&](tensor::FromElementsOp elements) {
        return one(joinedOperands(elements, states));
      })
      .Case([&](tensor::GenerateOp generate) {
        return one(
            states(generate.getBody().front().getTerminator()->getOperand(0)));
      })
      .Default([](Operation *) { return Results(); });
}
