//===- PlaneKernel.cpp - Loops over lists of planes -------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loops, outermost first: images, blocks of positions, output channels,
// then the tiles of the channel, the levels of the tile, and the two lists of
// the level. A block is a few vectors of positions whose accumulators stay in
// registers, so that one index serves them all; what a block reads of all
// channels stays in the first level of the cache. Channels with lists of the
// same lengths follow each other, so that the ends of the loops are predicted.
//
//===----------------------------------------------------------------------===//

#include "Planes.h"

#include "a2q/Transforms/ParallelLoops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace a2q;

namespace {
class PlaneKernel {
public:
  PlaneKernel(OpBuilder &b, const Layer &layer, const PlanePlan &plan,
              PlaneEpilogue &epilogue, Value input)
      : b(b), loc(layer.op.getLoc()), layer(layer), plan(plan),
        epilogue(epilogue), input(input) {}

  Value emit(Value out);

private:
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value plus(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value times(Value x, int64_t factor) {
    return arith::MulIOp::create(b, loc, x, number(factor));
  }
  VectorType lanesOf(unsigned bits) {
    return VectorType::get({plan.lanes}, b.getIntegerType(bits));
  }
  SmallVector<Value> loop(Value lo, Value hi, int64_t step, ValueRange carried,
                          function_ref<SmallVector<Value>(Value, ValueRange)>,
                          bool isParallel = false);
  Value table(ArrayRef<int32_t> values);
  Value entry(Value table, Value index);
  Value bytes(Value tensor, Value index);

  void writeLists();
  Value emitImage(Value image, Value out);
  Value emitBlock(Value position, int64_t vectors, Value out);
  Value emitChannel(Value place, ArrayRef<Value> inside, Value out);
  SmallVector<Value> emitTile(Value tile);
  SmallVector<Value> emitList(Value tile, int64_t list, ValueRange lanes,
                              bool subtract);
  SmallVector<Value> emitTiles(Value place);
  SmallVector<Value> widen(Value lanes);

  OpBuilder &b;
  Location loc;
  const Layer &layer;
  const PlanePlan &plan;
  PlaneEpilogue &epilogue;
  Value input;

  // The lists of all channels, one behind the other.
  Value distances, ends, order, starts;
  SmallVector<bool> isEmpty; ///< [list], in every tile
  // Where the emission stands.
  Value origin;     ///< of the image in the input
  Value firstPlane; ///< of the image in the output
  Value position;   ///< of the block
  int64_t vectors = 0;
};
} // namespace

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value PlaneKernel::table(ArrayRef<int32_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    b.getI32Type());
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(type, values));
}

Value PlaneKernel::entry(Value table, Value index) {
  Value element = tensor::ExtractOp::create(b, loc, table, index);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), element);
}

/// Channels by the lengths of their lists.
static SmallVector<int32_t> orderChannels(const PlanePlan &plan) {
  SmallVector<SmallVector<size_t>> lengths;
  for (const SmallVector<PlaneTile> &tiles : plan.channels) {
    SmallVector<size_t> &own = lengths.emplace_back();
    for (const PlaneTile &tile : tiles)
      for (const PlaneTile::Level &level : tile.levels)
        own.append({level.added.size(), level.subtracted.size()});
  }
  SmallVector<int32_t> order = llvm::to_vector(
      llvm::seq<int32_t>(0, static_cast<int32_t>(plan.channels.size())));
  llvm::sort(order, [&](int32_t x, int32_t y) {
    return std::tie(lengths[x], x) < std::tie(lengths[y], y);
  });
  return order;
}

void PlaneKernel::writeLists() {
  SmallVector<int32_t> channels = orderChannels(plan);
  SmallVector<int32_t> all, bounds = {0}, first;
  isEmpty.assign(plan.levels * 2, true);
  for (auto [place, channel] : llvm::enumerate(channels)) {
    // There and back again: what one channel read last is what the next one
    // reads first, and is in the cache when not all planes fit.
    bool back = place % 2 == 1;
    SmallVector<PlaneTile> tiles = plan.channels[channel];
    if (back)
      std::reverse(tiles.begin(), tiles.end());
    for (const PlaneTile &tile : tiles) {
      int64_t list = 0;
      first.push_back(tile.start);
      for (const PlaneTile::Level &level : tile.levels)
        for (const auto *distances : {&level.added, &level.subtracted}) {
          if (back)
            llvm::append_range(all, llvm::reverse(*distances));
          else
            llvm::append_range(all, *distances);
          bounds.push_back(all.size());
          isEmpty[list++] &= distances->empty();
        }
    }
  }
  if (all.empty())
    all.push_back(0);
  distances = table(all);
  ends = table(bounds);
  order = table(channels);
  starts = table(first);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value>
PlaneKernel::loop(Value lo, Value hi, int64_t step, ValueRange carried,
                  function_ref<SmallVector<Value>(Value, ValueRange)> body,
                  bool isParallel) {
  auto loop = scf::ForOp::create(b, loc, lo, hi, number(step), carried);
  if (isParallel)
    loop->setAttr(parallelAttrName, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(b, loc,
                       body(loop.getInductionVar(), loop.getRegionIterArgs()));
  return SmallVector<Value>(loop.getResults());
}

Value PlaneKernel::emit(Value out) {
  writeLists();
  auto image = [&](Value n, ValueRange carried) -> SmallVector<Value> {
    return {emitImage(n, carried[0])};
  };
  if (plan.input.images == 1)
    return image(number(0), out)[0];
  return loop(number(0), number(plan.input.images), 1, out, image,
              /*isParallel=*/true)[0];
}

Value PlaneKernel::emitImage(Value image, Value out) {
  origin = times(image, plan.input.channels * plan.input.plane);
  firstPlane = times(image, plan.output.channels);
  int64_t count =
      llvm::divideCeil(plan.output.height * plan.output.pitch, plan.lanes);
  int64_t whole = count / plan.registers * plan.registers;
  int64_t step = plan.registers * plan.lanes;
  if (whole == plan.registers)
    out = emitBlock(number(0), plan.registers, out);
  else if (whole > 0)
    out = loop(
        number(0), number(whole * plan.lanes), step, out,
        [&](Value x, ValueRange carried) -> SmallVector<Value> {
          return {emitBlock(x, plan.registers, carried[0])};
        },
        /*isParallel=*/true)[0];
  if (whole < count)
    out = emitBlock(number(whole * plan.lanes), count - whole, out);
  return out;
}

/// The mark where a position is in the image, 0 in the halo; for one image.
static Value insideTable(OpBuilder &b, Location loc, const PlaneLayout &layout,
                         int8_t mark) {
  SmallVector<int8_t> inside;
  for (int64_t p = 0; p < layout.positions(); ++p)
    inside.push_back(p < layout.height * layout.pitch &&
                             p % layout.pitch < layout.width
                         ? mark
                         : 0);
  auto type = RankedTensorType::get({layout.positions()}, b.getI8Type());
  return arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(type, ArrayRef<int8_t>(inside)));
}

Value PlaneKernel::emitBlock(Value x, int64_t count, Value out) {
  position = x;
  vectors = count;
  Value table = insideTable(b, loc, plan.output, epilogue.insideMark());
  SmallVector<Value> inside;
  for (int64_t r = 0; r < count; ++r)
    inside.push_back(bytes(table, plus(x, number(r * plan.lanes))));
  int64_t channels = plan.channels.size();
  return loop(
      number(0), number(channels), 1, out,
      [&](Value place, ValueRange carried) -> SmallVector<Value> {
        return {emitChannel(place, inside, carried[0])};
      },
      /*isParallel=*/true)[0];
}

Value PlaneKernel::emitChannel(Value place, ArrayRef<Value> inside, Value out) {
  SmallVector<Value> sums = emitTiles(place);
  Value channel = entry(order, place);
  epilogue.prepare(b, loc, channel);
  Value plane = plus(firstPlane, channel);
  Value first = plus(plus(times(plane, plan.output.plane), position),
                     number(plan.output.lead));
  for (int64_t r = 0; r < vectors; ++r) {
    ArrayRef<Value> own =
        ArrayRef(sums).slice(r * plan.pieces(), plan.pieces());
    Value codes = epilogue.apply(b, loc, own, inside[r]);
    out =
        vector::TransferWriteOp::create(
            b, loc, codes, out, ValueRange{plus(first, number(r * plan.lanes))},
            ArrayRef<bool>{true})
            .getResult();
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// A vector of bytes of a tensor.
Value PlaneKernel::bytes(Value tensor, Value index) {
  return vector::TransferReadOp::create(
      b, loc, lanesOf(8), tensor, index,
      arith::ConstantIntOp::create(b, loc, b.getI8Type(), 0),
      b.getMultiDimIdentityMap(1), ArrayRef<bool>{true});
}

/// The sums of all tiles of a channel: [vectors][pieces].
SmallVector<Value> PlaneKernel::emitTiles(Value place) {
  if (plan.tiles == 1)
    return emitTile(place);
  auto type = VectorType::get({plan.lanes / plan.pieces()},
                              b.getIntegerType(plan.sumBits));
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  SmallVector<Value> none(vectors * plan.pieces(), zero);
  Value first = times(place, plan.tiles);
  return loop(first, plus(first, number(plan.tiles)), 1, none,
              [&](Value tile, ValueRange carried) {
                SmallVector<Value> sums;
                for (Value lanes : emitTile(tile))
                  for (Value piece : widen(lanes))
                    sums.push_back(plus(carried[sums.size()], piece));
                return sums;
              });
}

/// The lanes of each vector at the end of a tile.
SmallVector<Value> PlaneKernel::emitTile(Value tile) {
  Value start = tensor::ExtractOp::create(b, loc, starts, tile);
  if (plan.laneBits < 32)
    start =
        arith::TruncIOp::create(b, loc, b.getIntegerType(plan.laneBits), start);
  Value first =
      vector::BroadcastOp::create(b, loc, lanesOf(plan.laneBits), start);
  // Doublings would double the start: it comes last.
  bool several = plan.levels > 1;
  Value zero =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(lanesOf(plan.laneBits)));
  SmallVector<Value> lanes(vectors, several ? zero : first);
  for (int64_t level = 0; level < plan.levels; ++level) {
    if (level > 0)
      for (Value &lane : lanes)
        lane = plus(lane, lane);
    if (several && level + 1 == plan.levels)
      for (Value &lane : lanes)
        lane = plus(lane, first);
    lanes = emitList(tile, 2 * level, lanes, /*subtract=*/false);
    lanes = emitList(tile, 2 * level + 1, lanes, /*subtract=*/true);
  }
  return lanes;
}

SmallVector<Value> PlaneKernel::emitList(Value tile, int64_t list,
                                         ValueRange lanes, bool subtract) {
  if (isEmpty[list])
    return SmallVector<Value>(lanes);
  Value at = plus(times(tile, plan.levels * 2), number(list));
  Value lo = entry(ends, at), hi = entry(ends, plus(at, number(1)));
  Value base = plus(origin, position);
  return loop(lo, hi, 1, lanes, [&](Value i, ValueRange carried) {
    Value where = plus(base, entry(distances, i));
    SmallVector<Value> results;
    for (auto [r, lane] : llvm::enumerate(carried)) {
      Value term = bytes(input, plus(where, number(r * plan.lanes)));
      if (plan.laneBits > 8) {
        VectorType wide = lanesOf(plan.laneBits);
        term = layer.activationsUnsigned()
                   ? arith::ExtUIOp::create(b, loc, wide, term).getResult()
                   : arith::ExtSIOp::create(b, loc, wide, term);
      }
      results.push_back(
          subtract ? arith::SubIOp::create(b, loc, lane, term).getResult()
                   : arith::AddIOp::create(b, loc, lane, term));
    }
    return results;
  });
}

/// The lanes as wider integers, every second one in a vector, recursively. No
/// lane moves: a wider integer is two neighbours, of which one is shifted out.
SmallVector<Value> PlaneKernel::widen(Value lanes) {
  SmallVector<Value> pieces = {lanes};
  for (unsigned bits = plan.laneBits; bits < plan.sumBits; bits *= 2) {
    SmallVector<Value> wider;
    for (Value piece : pieces) {
      int64_t count = cast<VectorType>(piece.getType()).getNumElements() / 2;
      auto type = VectorType::get({count}, b.getIntegerType(2 * bits));
      Value both = vector::BitCastOp::create(b, loc, type, piece);
      Value shift = arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(type, APInt(2 * bits, bits)));
      Value even = arith::ShLIOp::create(b, loc, both, shift);
      wider.push_back(arith::ShRSIOp::create(b, loc, even, shift));
      wider.push_back(arith::ShRSIOp::create(b, loc, both, shift));
    }
    pieces = wider;
  }
  return pieces;
}

//===----------------------------------------------------------------------===//
// The layer
//===----------------------------------------------------------------------===//

/// The requantization of sums that hold all starts.
static FailureOr<Epilogue> getArithmetic(const Layer &layer,
                                         const PlanePlan &plan) {
  Plan sums;
  StageSchedule stage;
  stage.ends.push_back(layer.length);
  for (const SmallVector<PlaneTile> &tiles : plan.channels) {
    int64_t start = 0;
    for (const PlaneTile &tile : tiles)
      start += tile.start;
    stage.starts.push_back(start);
  }
  sums.schedule.stages.push_back(stage);
  return Epilogue::get(layer, sums, plan.sumCodes.getReader());
}

FailureOr<Value> a2q::emitPlanes(OpBuilder &b, const Layer &layer,
                                 const PlanePlan &plan, Value input) {
  if (failed(provePlanes(layer, plan)))
    return failure();
  FailureOr<Epilogue> arithmetic = getArithmetic(layer, plan);
  if (failed(arithmetic))
    return failure();
  PlaneEpilogue epilogue(plan, *arithmetic);
  Location loc = layer.op.getLoc();
  Value out = tensor::EmptyOp::create(
      b, loc, ArrayRef<int64_t>{plan.output.size()}, b.getI8Type());
  out = emitHalo(b, loc, out, plan.output);
  return PlaneKernel(b, layer, plan, epilogue, input).emit(out);
}
