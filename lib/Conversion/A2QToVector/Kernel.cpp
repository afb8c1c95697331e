//===- Kernel.cpp - Loops over positions, tiles and steps -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops, outermost first: groups, blocks of channels, positions (several at
// a time), then for each stage the tiles in the current tile of the stage
// outside it, and the steps of an innermost tile. An accumulator begins at its
// start where its tile begins and is added, sign-extended, to the accumulator
// of the next stage where its tile ends.
//
// A step loads the codes of each position once for all vectors of the block,
// and each vector of weights once for all positions: positions + vectors loads
// for positions * vectors multiplications. All accumulators of a stage are
// carried in registers, [positions][vectors][registers of a vector].
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Transforms/ParallelLoops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

namespace {
/// An index that may be known: tiles of a stage with one tile are.
struct Index {
  Value value;
  std::optional<int64_t> known;
};

class Kernel {
public:
  Kernel(OpBuilder &b, const Layer &layer, const Plan &plan,
         const Activations &activations, const PackedWeights &packed,
         const Epilogue &epilogue)
      : b(b), loc(layer.op.getLoc()), layer(layer), plan(plan),
        activations(activations), packed(packed), epilogue(epilogue),
        lanes(plan.lanes()) {}

  Value emit(Value out);

private:
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Index index(int64_t value) { return {number(value), value}; }
  VectorType vectorOf(unsigned bits, int64_t count) {
    return VectorType::get({count}, b.getIntegerType(bits));
  }
  unsigned bits(size_t stage) const { return plan.stageBits[stage]; }
  size_t stages() const { return plan.stageBits.size(); }

  using Body = function_ref<Value(Value out)>;
  using PositionBody =
      function_ref<Value(Value out, Value position, int64_t count)>;
  Value emitBlocks(Value out, Body body);
  Value emitPositions(Value out, PositionBody body);
  void prepareEpilogues();
  Value emitBlocksFirst(Value out);
  Value emitPositionsFirst(Value out);
  Value emitPositionBlock(Value out, Value position, int64_t count);
  Value store(Value out, Value position, int64_t vector, Value result);

  /// Where a vector of the block is among all of its group.
  Value vectorIndex(int64_t vector);
  /// How many of its channels there are.
  int64_t validChannels(int64_t vector) {
    return std::min(plan.block, blockChannels - vector * plan.block);
  }
  Value channelTable(int64_t vector, ArrayRef<Attribute> values, Type element);
  Index bound(size_t stage, Index tile);
  SmallVector<Value> starts(size_t stage, Index tile, int64_t vector);
  Value firstChannel(int64_t vector);
  Value initialValue(unsigned width, int64_t vector);
  /// Whether two lanes of an output are neighbours in one register; otherwise
  /// each lane has a register of its own.
  bool interleaved(size_t stage) const {
    return plan.form == KernelForm::Pmaddubsw && stage == 0;
  }
  SmallVector<Value> emitTile(size_t stage, Index tile);
  SmallVector<Value> step(Value index, ValueRange accumulators);
  SmallVector<Value> portableStep(Value index, ValueRange accumulators);
  SmallVector<Value> lookUpStep(Value index, ValueRange accumulators);
  SmallVector<Value> readWeights(Value index, int64_t row);
  Value stepPlace(Value index);
  Value loadActivations(Value position, Value place, int64_t product);
  Value spill(size_t stage, ArrayRef<Value> lanesOfOutput, Value outer);
  Value addLanes(ArrayRef<Value> lanesOfOutput, int64_t vector);
  void check(size_t stage, Value accumulator);

  OpBuilder &b;
  Location loc;
  const Layer &layer;
  const Plan &plan;
  const Activations &activations;
  const PackedWeights &packed;
  const Epilogue &epilogue;
  int64_t lanes;

  // Where the emission stands.
  Value group, block;
  Value weights, weightBlock;      ///< the packed constant, the block in it
  int64_t vectors = 0;             ///< in the block
  int64_t blockChannels = 0;       ///< that exist
  SmallVector<Value> positions;    ///< their indices; in place: their origins
  SmallVector<Epilogue> epilogues; ///< of the block's vectors
};
} // namespace

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Two tiles side by side have twice the accumulators: LLVM then keeps some of
/// them on the stack, in the innermost loop.
static Attribute dontUnroll(MLIRContext *context) {
  auto unroll = LLVM::LoopUnrollAttr::get(
      context, /*disable=*/BoolAttr::get(context, true), {}, {}, {}, {}, {},
      {});
  return LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {},
                                       {}, {}, {}, {}, {}, {}, {}, {});
}

namespace {
enum class LoopKind {
  Plain,
  Rolled,  ///< LLVM does not unroll it
  Parallel ///< its trips write different results
};
} // namespace

/// A loop with carried values; none at all when it runs once.
static SmallVector<Value>
emitFor(OpBuilder &b, Location loc, Index lo, Index hi, int64_t step,
        ArrayRef<Value> carried,
        function_ref<SmallVector<Value>(Index, ValueRange)> body,
        LoopKind kind = LoopKind::Plain) {
  if (lo.known && hi.known) {
    if (*lo.known >= *hi.known)
      return SmallVector<Value>(carried);
    if (*lo.known + step >= *hi.known)
      return body(lo, carried);
  }
  auto loop =
      scf::ForOp::create(b, loc, lo.value, hi.value,
                         arith::ConstantIndexOp::create(b, loc, step), carried);
  if (kind == LoopKind::Rolled)
    loop->setAttr("llvm.loop_annotation", dontUnroll(b.getContext()));
  if (kind == LoopKind::Parallel)
    loop->setAttr(parallelAttrName, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> results =
      body({loop.getInductionVar(), std::nullopt}, loop.getRegionIterArgs());
  scf::YieldOp::create(b, loc, results);
  return SmallVector<Value>(loop.getResults());
}

static Index toIndex(OpBuilder &b, Location loc, OpFoldResult size) {
  return {getValueOrCreateConstantIndexOp(b, loc, size),
          getConstantIntValue(size)};
}

Value Kernel::emit(Value out) {
  return emitFor(
      b, loc, index(0), toIndex(b, loc, activations.outer), 1, out,
      [&](Index g, ValueRange carried) -> SmallVector<Value> {
        group = g.value;
        return {plan.lookUps ? emitPositionsFirst(carried[0])
                             : emitBlocksFirst(carried[0])};
      },
      LoopKind::Parallel)[0];
}

/// A block of weights stays in a cache while all positions pass.
Value Kernel::emitBlocksFirst(Value out) {
  return emitBlocks(out, [&](Value out) {
    prepareEpilogues();
    return emitPositions(out, [&](Value out, Value position, int64_t count) {
      return emitPositionBlock(out, position, count);
    });
  });
}

/// Tables are larger than weights of a few bits: those of some positions stay
/// in a cache while all weights pass.
Value Kernel::emitPositionsFirst(Value out) {
  return emitPositions(out, [&](Value out, Value position, int64_t count) {
    return emitBlocks(out, [&](Value out) {
      prepareEpilogues();
      return emitPositionBlock(out, position, count);
    });
  });
}

Value Kernel::emitBlocks(Value out, Body body) {
  int64_t whole = layer.channels / plan.channelsInBlock();
  weights = packed.whole;
  vectors = plan.vectors;
  blockChannels = plan.channelsInBlock();
  out = emitFor(
      b, loc, index(0), index(whole), 1, out,
      [&](Index i, ValueRange carried) -> SmallVector<Value> {
        block = weightBlock = i.value;
        return {body(carried[0])};
      },
      LoopKind::Parallel)[0];
  blockChannels = layer.channels % plan.channelsInBlock();
  if (blockChannels == 0)
    return out;
  block = weightBlock = number(whole);
  vectors = llvm::divideCeil(blockChannels, plan.block);
  if (packed.rest) {
    weights = packed.rest;
    weightBlock = number(0);
  }
  return body(out);
}

Value Kernel::vectorIndex(int64_t vector) {
  Value first = block;
  if (plan.vectors > 1)
    first = arith::MulIOp::create(b, loc, block, number(plan.vectors));
  if (vector)
    first = arith::AddIOp::create(b, loc, first, number(vector));
  return first;
}

void Kernel::prepareEpilogues() {
  epilogues.assign(vectors, epilogue);
  for (int64_t v = 0; v < vectors; ++v)
    epilogues[v].prepare(b, loc, [&](ArrayRef<Attribute> values, Type element) {
      return channelTable(v, values, element);
    });
}

Value Kernel::emitPositions(Value out, PositionBody body) {
  Index count = toIndex(b, loc, activations.positions);
  int64_t several = plan.positions;
  Index whole = count;
  if (count.known) {
    whole = index(*count.known / several * several);
  } else if (several > 1) {
    Value rest = arith::RemUIOp::create(b, loc, count.value, number(several));
    whole = {arith::SubIOp::create(b, loc, count.value, rest), std::nullopt};
  }
  auto loop = [&](Index lo, Index hi, int64_t step) {
    out = emitFor(
        b, loc, lo, hi, step, out,
        [&](Index p, ValueRange carried) -> SmallVector<Value> {
          return {body(carried[0], p.value, step)};
        },
        LoopKind::Parallel)[0];
  };
  loop(index(0), whole, several);
  // What is left is one smaller block where its size is known.
  if (!count.known && several > 1)
    loop(whole, count, 1);
  else if (count.known && *whole.known < *count.known)
    loop(whole, count, *count.known - *whole.known);
  return out;
}

Value Kernel::emitPositionBlock(Value out, Value position, int64_t count) {
  SmallVector<Value> indices;
  for (int64_t r = 0; r < count; ++r)
    indices.push_back(
        r == 0 ? position : arith::AddIOp::create(b, loc, position, number(r)));
  positions = indices;
  if (activations.origin)
    for (Value &p : positions)
      p = activations.origin(p, group);
  SmallVector<Value> sums = emitTile(stages() - 1, index(0));
  size_t registers = sums.size() / (count * vectors);
  for (int64_t r = 0; r < count; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value sum = addLanes(
          ArrayRef(sums).slice((r * vectors + v) * registers, registers), v);
      out = store(out, indices[r], v, epilogues[v].apply(b, loc, sum));
    }
  return out;
}

Value Kernel::store(Value out, Value position, int64_t vector, Value result) {
  if (validChannels(vector) != plan.block)
    result = vector::ExtractStridedSliceOp::create(
        b, loc, result, ArrayRef<int64_t>{0},
        ArrayRef<int64_t>{validChannels(vector)}, ArrayRef<int64_t>{1});
  Value channel =
      arith::MulIOp::create(b, loc, vectorIndex(vector), number(plan.block));
  SmallVector<Value> indices = {position, group, channel};
  if (layer.batched)
    std::swap(indices[0], indices[1]);
  return vector::TransferWriteOp::create(b, loc, result, out, indices,
                                         ArrayRef<bool>{true})
      .getResult();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// Whether all values are one.
static bool isSplat(ArrayRef<Attribute> values) {
  return llvm::all_equal(values);
}

/// Reads `row` elements of a constant [..., row] at `indices`.
static Value readRow(OpBuilder &b, Location loc, Value table,
                     SmallVector<Value> indices, VectorType type) {
  indices.push_back(arith::ConstantIndexOp::create(b, loc, 0));
  Value padding =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  return vector::TransferReadOp::create(
      b, loc, type, table, indices, padding,
      AffineMap::getMinorIdentityMap(indices.size(), 1, b.getContext()),
      ArrayRef<bool>{true});
}

/// Per-channel constants of a vector; one value stands for all.
Value Kernel::channelTable(int64_t vector, ArrayRef<Attribute> values,
                           Type element) {
  auto type = VectorType::get({plan.block}, element);
  if (isSplat(values))
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(type, values[0]));
  int64_t blocks = llvm::divideCeil(layer.channels, plan.block);
  auto tableType =
      RankedTensorType::get({layer.groups, blocks, plan.block}, element);
  SmallVector<Attribute> padded(tableType.getNumElements(),
                                b.getZeroAttr(element));
  for (int64_t c = 0; c < layer.allChannels(); ++c)
    padded[c / layer.channels * blocks * plan.block + c % layer.channels] =
        values[c];
  Value table = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(tableType, padded));
  return readRow(b, loc, table,
                 {layer.batched ? number(0) : group, vectorIndex(vector)},
                 type);
}

/// bounds[stage][tile]: computed where tiles are equal (the last may be
/// shorter), else read from a table.
Index Kernel::bound(size_t stage, Index tile) {
  ArrayRef<int64_t> bounds = plan.bounds[stage];
  if (tile.known)
    return index(bounds[*tile.known]);
  int64_t size = bounds[1], last = bounds.back();
  bool equal = true;
  for (auto [i, value] : llvm::enumerate(bounds))
    equal &= value == std::min<int64_t>(i * size, last);
  if (equal) {
    Value value = arith::MulIOp::create(b, loc, tile.value, number(size));
    if (last % size)
      value = arith::MinUIOp::create(b, loc, value, number(last));
    return {value, std::nullopt};
  }
  auto type = RankedTensorType::get({static_cast<int64_t>(bounds.size())},
                                    b.getI64Type());
  Value table =
      arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, bounds));
  Value entry = tensor::ExtractOp::create(b, loc, table, tile.value);
  return {arith::IndexCastOp::create(b, loc, b.getIndexType(), entry),
          std::nullopt};
}

/// What the accumulators of a tile begin with, one value per lane register.
SmallVector<Value> Kernel::starts(size_t stage, Index tile, int64_t vector) {
  const StageSchedule &schedule = plan.schedule.stages[stage];
  unsigned width = bits(stage);
  bool paired = interleaved(stage);
  int64_t registers = paired ? 1 : schedule.lanes;
  int64_t row = plan.block * (paired ? 2 : stage == 0 ? plan.digits() : 1);
  VectorType type = vectorOf(width, row);
  if (llvm::all_of(schedule.starts, [](int64_t s) { return s == 0; })) {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
    return SmallVector<Value>(registers, zero);
  }
  int64_t blocks = llvm::divideCeil(layer.channels, plan.block);
  auto tableType = RankedTensorType::get(
      {layer.groups, blocks, schedule.tiles(), registers, row},
      type.getElementType());
  SmallVector<APInt> values(tableType.getNumElements(), APInt(width, 0));
  for (int64_t c = 0; c < layer.allChannels(); ++c) {
    int64_t within = c % layer.channels;
    int64_t first = (c / layer.channels * blocks + within / plan.block) *
                    schedule.tiles() * registers * row;
    for (int64_t t = 0; t < schedule.tiles(); ++t)
      for (int64_t l = 0; l < schedule.lanes; ++l) {
        int64_t place = paired ? within % plan.block * 2 + l
                               : l * row + within % plan.block;
        values[first + t * registers * row + place] =
            APInt(width, schedule.start(c, t, l), /*isSigned=*/true,
                  /*implicitTrunc=*/true);
      }
  }
  if (llvm::all_equal(values)) {
    Value splat = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, values[0]));
    return SmallVector<Value>(registers, splat);
  }
  Value table = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(tableType, values));
  SmallVector<Value> result;
  for (int64_t r = 0; r < registers; ++r)
    result.push_back(readRow(b, loc, table,
                             {layer.batched ? number(0) : group,
                              vectorIndex(vector), tile.value, number(r)},
                             type));
  return result;
}

/// The first output channel of a vector, counted over all groups.
Value Kernel::firstChannel(int64_t vector) {
  return arith::AddIOp::create(
      b, loc,
      arith::MulIOp::create(b, loc, vectorIndex(vector), number(plan.block)),
      layer.batched
          ? number(0)
          : arith::MulIOp::create(b, loc, group, number(layer.channels))
                .getResult());
}

/// The initial value of a vector's channels in integers of `target` bits; null
/// if there is none.
Value Kernel::initialValue(unsigned target, int64_t vector) {
  Value initial = layer.op.getInitialValue();
  if (!initial)
    return {};
  unsigned width =
      cast<RankedTensorType>(initial.getType()).getElementTypeBitWidth();
  Value channel = firstChannel(vector);
  Value padding =
      arith::ConstantIntOp::create(b, loc, b.getIntegerType(width), 0);
  // A block that is not full reads channels of the next group, or padding
  // beyond the last: nobody stores what becomes of them.
  Value values = vector::TransferReadOp::create(
      b, loc, vectorOf(width, plan.block), initial, channel, padding,
      b.getMultiDimIdentityMap(1),
      ArrayRef<bool>{validChannels(vector) == plan.block});
  VectorType type = vectorOf(target, plan.block);
  if (width < type.getElementTypeBitWidth())
    return arith::ExtSIOp::create(b, loc, type, values);
  if (width > type.getElementTypeBitWidth())
    return arith::TruncIOp::create(b, loc, type, values);
  return values;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Accumulators of a stage at the end of a tile: [positions][vectors]
/// [registers].
SmallVector<Value> Kernel::emitTile(size_t stage, Index tile) {
  SmallVector<Value> first;
  for (int64_t v = 0; v < vectors; ++v) {
    SmallVector<Value> own = starts(stage, tile, v);
    if (stage + 1 == stages() && !interleaved(stage))
      if (Value initial = initialValue(bits(stage), v))
        own[0] = arith::AddIOp::create(b, loc, own[0], initial);
    llvm::append_range(first, own);
  }
  SmallVector<Value> accumulators;
  for (size_t r = 0; r < positions.size(); ++r)
    llvm::append_range(accumulators, first);
  if (plan.check && !layer.type.getWrap())
    for (Value accumulator : first)
      check(stage, accumulator);
  auto body = [&](Index i, ValueRange carried) -> SmallVector<Value> {
    if (stage == 0) {
      SmallVector<Value> results = step(i.value, carried);
      for (int64_t j = 1; j < plan.unroll; ++j)
        results =
            step(arith::AddIOp::create(b, loc, i.value, number(j)), results);
      return results;
    }
    SmallVector<Value> inner = emitTile(stage - 1, i);
    size_t registers = inner.size() / carried.size();
    SmallVector<Value> outer;
    for (auto [i, value] : llvm::enumerate(carried)) {
      outer.push_back(
          spill(stage, ArrayRef(inner).slice(i * registers, registers), value));
      if (plan.check && !layer.type.getWrap())
        check(stage, outer.back());
    }
    return outer;
  };
  // Tiles of one step each have its number.
  if (stage == 0 && plan.form != KernelForm::Portable &&
      plan.schedule.stages[0].tiles() == plan.steps())
    return body(tile, accumulators);
  Index lo = bound(stage, tile);
  Index hi =
      tile.known
          ? bound(stage, index(*tile.known + 1))
          : bound(stage, {arith::AddIOp::create(b, loc, tile.value, number(1)),
                          std::nullopt});
  int64_t trip = stage == 0 ? plan.unroll : 1;
  accumulators = emitFor(b, loc, lo, hi, trip, accumulators, body,
                         stage > 0 ? LoopKind::Rolled : LoopKind::Plain);
  if (plan.check && layer.type.getWrap())
    for (Value accumulator : accumulators)
      check(stage, accumulator);
  return accumulators;
}

/// Where the codes of a step begin behind those of its position.
Value Kernel::stepPlace(Value index) {
  bool inOrder = true;
  for (auto [s, offset] : llvm::enumerate(plan.offsets))
    inOrder &= offset == static_cast<int64_t>(s) * plan.stepStride();
  if (inOrder)
    return plan.stepStride() == 1
               ? index
               : arith::MulIOp::create(b, loc, index, number(plan.stepStride()))
                     .getResult();
  SmallVector<int32_t> offsets(plan.offsets.begin(), plan.offsets.end());
  auto type = RankedTensorType::get({plan.steps()}, b.getI32Type());
  Value table = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(offsets)));
  Value entry = tensor::ExtractOp::create(b, loc, table, index);
  return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), entry);
}

/// One product per lane and vector at a time.
SmallVector<Value> Kernel::portableStep(Value index, ValueRange accumulators) {
  unsigned weightBits =
      cast<RankedTensorType>(weights.getType()).getElementTypeBitWidth();
  SmallVector<Value> results(accumulators);
  size_t registers = accumulators.size() / positions.size();
  Value place = stepPlace(index);
  Value zero = number(0);
  for (int64_t j = 0; j < plan.chunk; ++j) {
    SmallVector<Value> indices = {group, weightBlock, index,
                                  j ? number(j * plan.block) : zero};
    Value rhs = vector::TransferReadOp::create(
        b, loc, vectorOf(weightBits, plan.block), weights, indices,
        arith::ConstantIntOp::create(b, loc, b.getIntegerType(weightBits), 0),
        AffineMap::getMinorIdentityMap(4, 1, b.getContext()),
        ArrayRef<bool>{true});
    for (auto [r, position] : llvm::enumerate(positions)) {
      Value lhs = loadActivations(position, place, j);
      Value &acc = results[r * registers + j / 2 % lanes];
      acc = MacOp::create(b, loc, acc.getType(), acc, lhs, rhs,
                          layer.activationsUnsigned(), layer.weightsUnsigned(),
                          /*pair_exact=*/false,
                          /*lhs_range=*/DenseI64ArrayAttr());
      if (plan.check && !layer.type.getWrap())
        check(0, acc);
    }
  }
  return results;
}

/// A step's vectors of weights, `row` elements each.
SmallVector<Value> Kernel::readWeights(Value index, int64_t row) {
  auto type = cast<RankedTensorType>(weights.getType());
  SmallVector<Value> rows;
  for (int64_t v = 0; v < vectors; ++v) {
    SmallVector<Value> indices = {group, weightBlock, index};
    if (type.getRank() == 5)
      indices.push_back(number(v));
    rows.push_back(readRow(b, loc, weights, indices,
                           vectorOf(type.getElementTypeBitWidth(), row)));
  }
  return rows;
}

/// The bits of a step's weights say which sums of its codes are added.
SmallVector<Value> Kernel::lookUpStep(Value index, ValueRange accumulators) {
  const LookUps &lookUps = *plan.lookUps;
  SmallVector<Value> rows = readWeights(index, plan.block * plan.digits());
  auto splat = [&](int8_t value) -> Value {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(cast<VectorType>(rows[0].getType()), value));
  };
  // [vectors][tables]
  SmallVector<Value> indices;
  for (Value row : rows)
    if (lookUps.tables == 1)
      indices.push_back(row);
    else
      for (int64_t t = 0; t < lookUps.tables; ++t) {
        Value bits = row;
        if (t)
          bits = arith::ShRUIOp::create(b, loc, bits, splat(4 * t));
        else
          bits = arith::AndIOp::create(b, loc, bits, splat(15));
        indices.push_back(bits);
      }
  Value place = stepPlace(index);
  Value zero = arith::ConstantIntOp::create(b, loc, b.getI8Type(), 0);
  SmallVector<Value> results(accumulators);
  for (auto [p, position] : llvm::enumerate(positions))
    for (int64_t t = 0; t < lookUps.tables; ++t) {
      Value at = arith::AddIOp::create(b, loc, position, place);
      if (t)
        at = arith::AddIOp::create(b, loc, at, number(t * lookUps.entries()));
      Value table = vector::TransferReadOp::create(
          b, loc, vectorOf(8, lookUps.entries()), activations.codes, at, zero,
          b.getMultiDimIdentityMap(1), ArrayRef<bool>{true});
      for (int64_t v = 0; v < vectors; ++v) {
        Value sums =
            LookUpOp::create(b, loc, table, indices[v * lookUps.tables + t]);
        Value &acc = results[p * vectors + v];
        acc = arith::AddIOp::create(b, loc, acc, sums);
      }
    }
  return results;
}

/// One step: `chunk` products into the accumulators of every position.
SmallVector<Value> Kernel::step(Value index, ValueRange accumulators) {
  if (plan.form == KernelForm::Portable)
    return portableStep(index, accumulators);
  if (plan.form == KernelForm::LookUps)
    return lookUpStep(index, accumulators);
  unsigned weightBits =
      cast<RankedTensorType>(weights.getType()).getElementTypeBitWidth();
  SmallVector<Value> rows = readWeights(index, plan.block * plan.chunk);
  bool pairExact = plan.form == KernelForm::Pmaddubsw;
  a2q::Range codes = layer.joinedRange();
  auto range = pairExact ? b.getDenseI64ArrayAttr({codes.lo, codes.hi})
                         : DenseI64ArrayAttr();
  bool rhsUnsigned = layer.weightsUnsigned() && weightBits == 8;
  Value place = stepPlace(index);
  SmallVector<Value> results;
  for (Value position : positions) {
    Value lhs = loadActivations(position, place, 0);
    for (Value rhs : rows) {
      Value acc = accumulators[results.size()];
      results.push_back(MacOp::create(b, loc, acc.getType(), acc, lhs, rhs,
                                      layer.activationsUnsigned(), rhsUnsigned,
                                      pairExact, range));
    }
  }
  return results;
}

/// The activations of a step for every channel of the block: one code, or the
/// `chunk` codes of the step side by side.
Value Kernel::loadActivations(Value position, Value place, int64_t product) {
  Value source = activations.codes;
  auto element = cast<IntegerType>(getElementTypeOrSelf(source.getType()));
  if (product)
    place = arith::AddIOp::create(b, loc, place, number(product));
  SmallVector<Value> indices = {position, group, place};
  if (activations.origin)
    indices = {arith::AddIOp::create(b, loc, position, place)};
  else if (layer.batched)
    std::swap(indices[0], indices[1]);
  bool portable = plan.form == KernelForm::Portable;
  Value codes = vector::TransferReadOp::create(
      b, loc, VectorType::get({portable ? 1 : plan.chunk}, element), source,
      indices, arith::ConstantIntOp::create(b, loc, element, 0),
      AffineMap::getMinorIdentityMap(indices.size(), 1, b.getContext()),
      ArrayRef<bool>{true});
  if (portable)
    return vector::BroadcastOp::create(
        b, loc, VectorType::get({plan.block}, element),
        vector::ExtractOp::create(b, loc, codes, ArrayRef<int64_t>{0}));
  unsigned stepBits = plan.chunk * element.getWidth();
  Value word = vector::BitCastOp::create(b, loc, vectorOf(stepBits, 1), codes);
  Value all = vector::BroadcastOp::create(
      b, loc, vectorOf(stepBits, plan.block),
      vector::ExtractOp::create(b, loc, word, ArrayRef<int64_t>{0}));
  return vector::BitCastOp::create(
      b, loc, VectorType::get({plan.block * plan.chunk}, element), all);
}

/// Adds the lanes of a tile that ended to the accumulator of the next stage.
Value Kernel::spill(size_t stage, ArrayRef<Value> lanesOfOutput, Value outer) {
  auto type = cast<VectorType>(outer.getType());
  if (plan.form == KernelForm::Pmaddubsw && stage == 1) {
    Value ones = arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(cast<VectorType>(lanesOfOutput[0].getType()),
                               b.getI16IntegerAttr(1)));
    return MacOp::create(b, loc, type, outer, lanesOfOutput[0], ones,
                         /*lhs_unsigned=*/false, /*rhs_unsigned=*/false,
                         /*pair_exact=*/false, DenseI64ArrayAttr());
  }
  if (plan.digits() > 1 && stage == 1) {
    // Lanes of digits of one weight are neighbours.
    SmallVector<int8_t> digits;
    for (int64_t lane = 0; lane < plan.block * plan.digits(); ++lane)
      digits.push_back(plan.lookUps->digits[lane % plan.digits()]);
    Value weights = arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(cast<VectorType>(lanesOfOutput[0].getType()),
                               ArrayRef<int8_t>(digits)));
    return MacOp::create(b, loc, type, outer, lanesOfOutput[0], weights,
                         /*lhs_unsigned=*/true, /*rhs_unsigned=*/false,
                         /*pair_exact=*/true, b.getDenseI64ArrayAttr({0, 255}));
  }
  for (Value lane : lanesOfOutput) {
    if (lane.getType() != type)
      lane = arith::ExtSIOp::create(b, loc, type, lane);
    outer = arith::AddIOp::create(b, loc, outer, lane);
  }
  return outer;
}

/// The sum of the lanes of the outermost stage, in a type that holds it.
Value Kernel::addLanes(ArrayRef<Value> lanesOfOutput, int64_t vector) {
  if (plan.form == KernelForm::Pmaddubsw && stages() == 1) {
    Value outer = initialValue(32, vector);
    if (!outer)
      outer = arith::ConstantOp::create(
          b, loc, b.getZeroAttr(vectorOf(32, plan.block)));
    return spill(1, lanesOfOutput, outer);
  }
  if (lanesOfOutput.size() == 1)
    return lanesOfOutput[0];
  unsigned width = std::max<unsigned>(32, 2 * bits(stages() - 1));
  VectorType type = vectorOf(std::min(width, 64u), plan.block);
  return spill(stages(), lanesOfOutput,
               arith::ConstantOp::create(b, loc, b.getZeroAttr(type)));
}

/// Checked kernels have one vector in a block.
void Kernel::check(size_t stage, Value accumulator) {
  Value channel = firstChannel(0);
  emitCheck(b, loc, accumulator,
            {channel, static_cast<int64_t>(stage),
             signedInterval(layer.type.getStages()[stage].width)});
}

Value a2q::emitKernel(OpBuilder &builder, const Layer &layer, const Plan &plan,
                      const Activations &activations,
                      const PackedWeights &weights, const Epilogue &epilogue,
                      Value out) {
  return Kernel(builder, layer, plan, activations, weights, epilogue).emit(out);
}
