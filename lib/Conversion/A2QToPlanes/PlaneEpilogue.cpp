//===- PlaneEpilogue.cpp - From lanes to codes ------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All lanes of a vector belong to one channel, and 8 bits have 256 values. So
// whatever requantization does is a table of 256 codes per channel, evaluated
// by the definition when the layer is compiled: with VBMI two look-ups of 128
// entries. Requantization is monotone as well (multipliers are positive), so a
// code is the number of thresholds that the sum reaches: 15 for 4-bit codes,
// found in 4 steps by a search that keeps them in one register, or counted.
// Everything else is computed as it is defined, in wider vectors.
//
//===----------------------------------------------------------------------===//

#include "Planes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Codes of sums
//===----------------------------------------------------------------------===//

/// The lane of sum s holds s + start, in [-2^(bits-1), 2^(bits-1)); per
/// threshold the largest lane that does not reach it.
static SmallVector<int64_t> thresholdsOf(const PlanePlan &plan, int64_t channel,
                                         int64_t lowest, int64_t count) {
  PlaneTile tile = plan.total(channel);
  auto lo = static_cast<int64_t>(tile.sum.lo);
  auto hi = static_cast<int64_t>(tile.sum.hi);
  SmallVector<int64_t> thresholds;
  int64_t sum = lo;
  for (int64_t k = 1; k <= count; ++k) {
    while (sum <= hi && plan.sumCodes(channel, sum) < lowest + k)
      ++sum;
    int64_t most = (int64_t(1) << (plan.sumBits - 1)) - 1;
    thresholds.push_back(sum > hi ? most : sum - 1 + tile.start);
  }
  return thresholds;
}

namespace {
/// The codes that the sums of a layer can become.
struct CodesOfLayer {
  int64_t lo = 0, hi = 0;
  int64_t count() const { return hi - lo; }
};
} // namespace

static CodesOfLayer rangeOfCodes(const PlanePlan &plan) {
  CodesOfLayer all;
  for (size_t c = 0; c < plan.channels.size(); ++c) {
    Interval sum = plan.total(c).sum;
    int64_t lo = plan.sumCodes(c, sum.lo), hi = plan.sumCodes(c, sum.hi);
    all.lo = c == 0 ? lo : std::min(all.lo, lo);
    all.hi = c == 0 ? hi : std::max(all.hi, hi);
  }
  return all;
}

/// Whether every threshold is a lane that a signed comparison can be made with.
static bool fitThresholds(const PlanePlan &plan, CodesOfLayer codes) {
  int64_t least = -(int64_t(1) << (plan.sumBits - 1));
  for (size_t c = 0; c < plan.channels.size(); ++c)
    for (int64_t threshold : thresholdsOf(plan, c, codes.lo, codes.count()))
      if (threshold < least)
        return false;
  return true;
}

/// Whether reals are finite and codes grow with the sums, which nobody has
/// promised of reals; or the reason why not.
static bool growReals(const PlanePlan &plan, std::string &reason) {
  for (size_t c = 0; c < plan.channels.size(); ++c) {
    Interval sums = plan.total(c).sum;
    std::optional<int64_t> last;
    for (Wide sum = sums.lo; sum <= sums.hi; ++sum) {
      std::optional<int64_t> code = plan.sumCodes.find(c, sum);
      if (!code || (last && *code < *last)) {
        reason = "codes of channel " + std::to_string(c) + " that " +
                 (code ? "fall while sums grow" : "have no real");
        return false;
      }
      last = code;
    }
  }
  return true;
}

std::optional<PlaneCodes> PlaneEpilogue::choose(const PlanePlan &plan, Isa isa,
                                                std::string &reason) {
  bool areReal = plan.sumCodes.areReal();
  if (areReal && (plan.sumBits > 16 || !growReals(plan, reason))) {
    if (reason.empty())
      reason = "reals of sums of more than 16 bits";
    return std::nullopt;
  }
  if (plan.sumBits > 16)
    return PlaneCodes::Arithmetic;
  if (plan.sumBits == 8 && isa >= Isa::Avx512vbmi)
    return PlaneCodes::Table;
  CodesOfLayer codes = rangeOfCodes(plan);
  if (codes.count() > 15 || !fitThresholds(plan, codes)) {
    if (!areReal)
      return PlaneCodes::Arithmetic;
    reason = "reals that become more codes than a search finds";
    return std::nullopt;
  }
  // A search needs as many look-ups at once as a vector has sums.
  if (isa >= Isa::Avx512bw || (plan.sumBits == 8 && isa >= Isa::Avx2))
    return PlaneCodes::Search;
  // Two instructions for each threshold; arithmetic takes about 20 for 8 sums.
  return areReal || codes.count() * plan.sumBits <= 128
             ? PlaneCodes::Count
             : PlaneCodes::Arithmetic;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static Value callIntrinsic(OpBuilder &b, Location loc, StringRef name,
                           Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, type, b.getStringAttr(name),
                                       operands)
      .getResult(0);
}

static Value splatOf(OpBuilder &b, Location loc, Type type, int64_t value) {
  auto vector = cast<VectorType>(type);
  return arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(vector,
                             APInt(vector.getElementTypeBitWidth(), value,
                                   /*isSigned=*/true, /*implicitTrunc=*/true)));
}

/// A row of a constant [channels][width] of integers, spread over a vector.
static Value readRow(OpBuilder &b, Location loc, ArrayRef<APInt> values,
                     int64_t width, Value row, VectorType type) {
  auto tableType = RankedTensorType::get(
      {static_cast<int64_t>(values.size()) / width, width},
      type.getElementType());
  Value table = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(tableType, values));
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value padding =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  return vector::TransferReadOp::create(
      b, loc, VectorType::get({width}, type.getElementType()), table,
      ValueRange{row, zero}, padding,
      AffineMap::getMinorIdentityMap(2, 1, b.getContext()),
      ArrayRef<bool>{true});
}

/// The same vector over and over.
static Value repeat(OpBuilder &b, Location loc, Value row, VectorType type) {
  int64_t width = cast<VectorType>(row.getType()).getNumElements();
  SmallVector<int64_t> mask;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    mask.push_back(i % width);
  return vector::ShuffleOp::create(b, loc, row, row, mask);
}

/// One element of such a row in all lanes.
static Value spread(OpBuilder &b, Location loc, Value row, int64_t index,
                    VectorType type) {
  Value element = vector::ExtractOp::create(b, loc, row, index);
  return vector::BroadcastOp::create(b, loc, type, element);
}

/// Steps of a search among so many thresholds.
static int64_t stepsOf(int64_t thresholds) {
  return llvm::Log2_64_Ceil(thresholds + 1);
}

/// Thresholds in ascending order from index 1, as a tree in which node n has
/// the children 2n and 2n + 1, and whose root is node 1.
static SmallVector<APInt> inTreeOrder(ArrayRef<APInt> sorted, int64_t steps) {
  SmallVector<APInt> tree(sorted);
  for (int64_t depth = 0; depth < steps; ++depth)
    for (int64_t i = 0; i < int64_t(1) << depth; ++i)
      tree[(int64_t(1) << depth) + i] =
          sorted[(2 * i + 1) << (steps - 1 - depth)];
  return tree;
}

void PlaneEpilogue::prepare(OpBuilder &b, Location loc, Value channel) {
  constants.clear();
  unsigned bits = plan.sumBits;
  int64_t count = plan.lanes / plan.pieces();
  auto lane = VectorType::get({count}, b.getIntegerType(bits));
  switch (plan.codes) {
  case PlaneCodes::Arithmetic:
    arithmetic.prepare(
        b, loc, [&](ArrayRef<Attribute> values, Type element) -> Value {
          auto type = VectorType::get({count}, element);
          if (llvm::all_equal(values))
            return arith::ConstantOp::create(
                b, loc, DenseElementsAttr::get(type, values[0]));
          Value table = arith::ConstantOp::create(
              b, loc,
              DenseElementsAttr::get(
                  RankedTensorType::get({static_cast<int64_t>(values.size())},
                                        element),
                  values));
          Value value = tensor::ExtractOp::create(b, loc, table, channel);
          return vector::BroadcastOp::create(b, loc, type, value);
        });
    return;
  case PlaneCodes::Table: {
    SmallVector<APInt> entries;
    for (auto [c, tiles] : llvm::enumerate(plan.channels)) {
      const PlaneTile &tile = tiles.front();
      SmallVector<int64_t> row(256, 0);
      for (Wide sum = tile.sum.lo; sum <= tile.sum.hi; ++sum)
        row[static_cast<uint8_t>(sum + tile.start)] = plan.sumCodes(c, sum);
      for (int64_t value : row)
        entries.push_back(APInt(8, value, /*isSigned=*/true, true));
    }
    Value row = readRow(b, loc, entries, 256, channel, lane);
    for (int64_t i = 0; i < 4; ++i)
      constants.push_back(vector::ExtractStridedSliceOp::create(
          b, loc, row, ArrayRef<int64_t>{64 * i}, ArrayRef<int64_t>{64},
          ArrayRef<int64_t>{1}));
    return;
  }
  case PlaneCodes::Search:
  case PlaneCodes::Count: {
    CodesOfLayer codes = rangeOfCodes(plan);
    int64_t width = 16;
    SmallVector<APInt> entries;
    APInt never(bits, (int64_t(1) << (bits - 1)) - 1);
    for (size_t c = 0; c < plan.channels.size(); ++c) {
      SmallVector<APInt> row(width, never);
      for (auto [k, threshold] :
           llvm::enumerate(thresholdsOf(plan, c, codes.lo, codes.count())))
        row[k + 1] = APInt(bits, threshold, /*isSigned=*/true);
      if (plan.codes == PlaneCodes::Search) {
        row = inTreeOrder(row, stepsOf(codes.count()));
        // The left child of the root. LLVM would turn the first step into a
        // choice of constants if it knew it.
        row[0] = 2;
      }
      llvm::append_range(entries, row);
    }
    Value row = readRow(b, loc, entries, width, channel, lane);
    if (plan.codes == PlaneCodes::Search) {
      constants.push_back(spread(b, loc, row, 1, lane));
      constants.push_back(repeat(b, loc, row, lane));
      constants.push_back(spread(b, loc, row, 0, lane));
      constants.push_back(arith::SubIOp::create(b, loc, constants.back(),
                                                splatOf(b, loc, lane, 1)));
      return;
    }
    for (int64_t k = 1; k <= codes.count(); ++k)
      constants.push_back(spread(b, loc, row, k, lane));
    return;
  }
  }
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static Value isGreater(OpBuilder &b, Location loc, Value lanes,
                       Value threshold) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, lanes,
                               threshold);
}

/// `count`, and one more where the lane is greater.
static Value countGreater(OpBuilder &b, Location loc, Value lanes,
                          Value threshold, Value count) {
  Value minusOne = arith::ExtSIOp::create(b, loc, count.getType(),
                                          isGreater(b, loc, lanes, threshold));
  return arith::SubIOp::create(b, loc, count, minusOne);
}

Value PlaneEpilogue::search(OpBuilder &b, Location loc, Value lanes) const {
  int64_t steps = stepsOf(rangeOfCodes(plan).count());
  auto type = cast<VectorType>(lanes.getType());
  // With masks a step adds where the lane is greater; LLVM finds that addition
  // only if it does not know what is added.
  bool masks = type.getNumElements() * plan.sumBits == 512;
  auto descend = [&](Value threshold, Value left) -> Value {
    if (!masks)
      return countGreater(b, loc, lanes, threshold, left);
    Value right = arith::AddIOp::create(b, loc, left, constants[3]);
    return arith::SelectOp::create(b, loc, isGreater(b, loc, lanes, threshold),
                                   right, left);
  };
  Value node = descend(constants[0], constants[2]);
  for (int64_t step = 1; step < steps; ++step) {
    StringRef shuffle = plan.sumBits == 16 ? "llvm.x86.avx512.permvar.hi.512"
                        : type.getNumElements() == 64
                            ? "llvm.x86.avx512.pshuf.b.512"
                            : "llvm.x86.avx2.pshuf.b";
    Value threshold =
        callIntrinsic(b, loc, shuffle, type, {constants[1], node});
    node = descend(threshold, arith::AddIOp::create(b, loc, node, node));
  }
  if (masksSearch())
    return node;
  return arith::AndIOp::create(
      b, loc, node, splatOf(b, loc, type, (int64_t(1) << steps) - 1));
}

Value PlaneEpilogue::lookUp(OpBuilder &b, Location loc, Value lanes) const {
  Type type = lanes.getType();
  StringRef name = "llvm.x86.avx512.vpermi2var.qi.512";
  Value low =
      callIntrinsic(b, loc, name, type, {constants[0], lanes, constants[1]});
  Value high =
      callIntrinsic(b, loc, name, type, {constants[2], lanes, constants[3]});
  Value inHigh = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, lanes,
                                       splatOf(b, loc, type, 0));
  return arith::SelectOp::create(b, loc, inHigh, high, low);
}

bool PlaneEpilogue::masksSearch() const {
  return plan.codes == PlaneCodes::Search && plan.output.halo == 0 &&
         rangeOfCodes(plan).lo == 0;
}

int8_t PlaneEpilogue::insideMark() const {
  if (!masksSearch())
    return -1;
  return (1 << stepsOf(rangeOfCodes(plan).count())) - 1;
}

/// The codes of pieces side by side again, as bytes.
Value PlaneEpilogue::join(OpBuilder &b, Location loc, ValueRange pieces) const {
  auto type = cast<VectorType>(pieces[0].getType());
  int64_t count = type.getNumElements();
  if (pieces.size() == 1) {
    if (type.getElementTypeBitWidth() == 8)
      return pieces[0];
    return arith::TruncIOp::create(
        b, loc, VectorType::get({count}, b.getI8Type()), pieces[0]);
  }
  if (type.getElementTypeBitWidth() == 16) {
    Value even =
        arith::AndIOp::create(b, loc, pieces[0], splatOf(b, loc, type, 255));
    Value odd =
        arith::ShLIOp::create(b, loc, pieces[1], splatOf(b, loc, type, 8));
    return vector::BitCastOp::create(
        b, loc, VectorType::get({2 * count}, b.getI8Type()),
        arith::OrIOp::create(b, loc, even, odd));
  }
  size_t half = pieces.size() / 2;
  Value even = join(b, loc, pieces.take_front(half));
  Value odd = join(b, loc, pieces.drop_front(half));
  return vector::InterleaveOp::create(b, loc, even, odd);
}

Value PlaneEpilogue::apply(OpBuilder &b, Location loc, ValueRange sums,
                           Value inside) const {
  SmallVector<Value> pieces;
  for (Value piece : sums)
    pieces.push_back(codesOf(b, loc, piece));
  Value codes = join(b, loc, pieces);
  Type type = codes.getType();
  if (plan.output.halo == 0)
    return arith::AndIOp::create(b, loc, codes, inside);
  Value isInside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne,
                                         inside, splatOf(b, loc, type, 0));
  return arith::SelectOp::create(b, loc, isInside, codes,
                                 splatOf(b, loc, type, plan.output.halo));
}

Value PlaneEpilogue::codesOf(OpBuilder &b, Location loc, Value sums) const {
  switch (plan.codes) {
  case PlaneCodes::Arithmetic:
    return arithmetic.apply(b, loc, sums);
  case PlaneCodes::Table:
    return lookUp(b, loc, sums);
  case PlaneCodes::Search:
  case PlaneCodes::Count:
    break;
  }
  int64_t lowest = rangeOfCodes(plan).lo;
  Value code;
  if (plan.codes == PlaneCodes::Search) {
    code = search(b, loc, sums);
  } else {
    code = splatOf(b, loc, sums.getType(), lowest);
    lowest = 0;
    for (Value threshold : constants)
      code = countGreater(b, loc, sums, threshold, code);
  }
  if (lowest != 0)
    code = arith::AddIOp::create(b, loc, code,
                                 splatOf(b, loc, code.getType(), lowest));
  return code;
}
