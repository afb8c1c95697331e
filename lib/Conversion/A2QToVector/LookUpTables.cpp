//===- LookUpTables.cpp - Sums of subsets of codes --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Entry i of the table of codes a0...a3 is the sum of those a_j for which bit j
// of i is set. A shuffle of bytes can write zeros too: four shuffles of the
// codes and three additions are the tables of a register. With both signs,
// entry i has -a_j where bit j is not set, so it is entry i less entry 15 - i.
//
// A table of 64 sums of 6 codes would take six shuffles. Tables of 8 sums of
// three codes take three, for eight of them in one register; entry i of 64 is
// then the sum of entry i % 8 of one and entry i / 8 of the next, two more
// shuffles.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Transforms/ParallelLoops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace a2q;

/// Lane i of the result is lane place(i) of both vectors side by side.
static Value shuffle(OpBuilder &b, Location loc, Value v1, Value v2,
                     int64_t lanes, function_ref<int64_t(int64_t)> place) {
  SmallVector<int64_t> places;
  for (int64_t lane = 0; lane < lanes; ++lane)
    places.push_back(place(lane));
  return vector::ShuffleOp::create(b, loc, v1, v2, places);
}

/// Four tables of 64 sums for 24 codes.
static SmallVector<Value> largeTables(OpBuilder &b, Location loc, Value codes,
                                      bool bothSigns) {
  constexpr int64_t lanes = 64;
  auto type = VectorType::get({lanes}, b.getI8Type());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value spread = shuffle(b, loc, codes, codes, lanes,
                         [&](int64_t lane) { return lane % 24; });
  // Eight tables of 8 sums.
  Value small;
  for (int64_t j = 0; j < 3; ++j) {
    Value code = shuffle(b, loc, spread, zero, lanes, [&](int64_t lane) {
      return lane % 8 >> j & 1 ? lane / 8 * 3 + j : lanes;
    });
    small =
        small ? arith::AddIOp::create(b, loc, small, code).getResult() : code;
  }
  if (bothSigns) {
    Value others = shuffle(b, loc, small, small, lanes, [](int64_t lane) {
      return lane / 8 * 8 + 7 - lane % 8;
    });
    small = arith::SubIOp::create(b, loc, small, others);
  }
  SmallVector<Value> tables;
  for (int64_t t = 0; t < 4; ++t) {
    Value low = shuffle(b, loc, small, small, lanes,
                        [&](int64_t i) { return t * 16 + i % 8; });
    Value high = shuffle(b, loc, small, small, lanes,
                         [&](int64_t i) { return t * 16 + 8 + i / 8; });
    tables.push_back(arith::AddIOp::create(b, loc, low, high));
  }
  return tables;
}

/// The tables of 16 sums of the codes, four by four, in one vector.
static Value smallTables(OpBuilder &b, Location loc, Value codes,
                         bool bothSigns) {
  constexpr int64_t entries = 16;
  int64_t count = cast<VectorType>(codes.getType()).getNumElements();
  int64_t lanes = count / 4 * entries;
  auto type = VectorType::get({lanes}, b.getI8Type());
  // Every 16 bytes hold the eight codes from which their table takes four.
  Value spread = shuffle(b, loc, codes, codes, lanes, [&](int64_t lane) {
    return lane / (2 * entries) * 8 + lane % 8;
  });
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value sums;
  for (int64_t j = 0; j < 4; ++j) {
    Value code = shuffle(b, loc, spread, zero, lanes, [&](int64_t lane) {
      bool isAdded = lane % entries >> j & 1;
      int64_t table = lane / entries;
      return isAdded ? table * entries + table % 2 * 4 + j : lanes;
    });
    sums = sums ? arith::AddIOp::create(b, loc, sums, code).getResult() : code;
  }
  if (!bothSigns)
    return sums;
  Value others = shuffle(b, loc, sums, sums, lanes, [&](int64_t lane) {
    return lane / entries * entries + entries - 1 - lane % entries;
  });
  return arith::SubIOp::create(b, loc, sums, others);
}

Value a2q::emitTables(OpBuilder &b, Location loc, Value codes,
                      const Plan &plan) {
  const LookUps &lookUps = *plan.lookUps;
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  // As many steps at a time as the tables of fill a register.
  auto type = cast<RankedTensorType>(codes.getType());
  bool large = lookUps.entries() == 64;
  int64_t codesAtOnce = large ? 24 : plan.chunk;
  if (!large && plan.block * plan.digits() == 64 && !type.isDynamicDim(0) &&
      type.getDimSize(0) % (2 * plan.chunk) == 0)
    codesAtOnce *= 2;
  int64_t bytesAtOnce = codesAtOnce / plan.chunk * lookUps.stepBytes();
  Value size = tensor::DimOp::create(b, loc, codes, 0);
  Value trips = arith::DivUIOp::create(b, loc, size, number(codesAtOnce));
  Value bytes = arith::MulIOp::create(b, loc, trips, number(bytesAtOnce));
  int64_t known = type.isDynamicDim(0)
                      ? ShapedType::kDynamic
                      : type.getDimSize(0) / codesAtOnce * bytesAtOnce;
  SmallVector<OpFoldResult> sizes = {known == ShapedType::kDynamic
                                         ? OpFoldResult(bytes)
                                         : b.getIndexAttr(known)};
  Value out = tensor::EmptyOp::create(b, loc, sizes, b.getI8Type());
  auto loop = scf::ForOp::create(b, loc, number(0), trips, number(1), out);
  loop->setAttr(parallelAttrName, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value trip = loop.getInductionVar();
  Value from = arith::MulIOp::create(b, loc, trip, number(codesAtOnce));
  Value to = arith::MulIOp::create(b, loc, trip, number(bytesAtOnce));
  AffineMap map = b.getMultiDimIdentityMap(1);
  Value read = vector::TransferReadOp::create(
      b, loc, VectorType::get({codesAtOnce}, b.getI8Type()), codes, from,
      arith::ConstantIntOp::create(b, loc, b.getI8Type(), 0), map,
      ArrayRef<bool>{true});
  SmallVector<Value> tables;
  if (large)
    tables = largeTables(b, loc, read, lookUps.bothSigns());
  else
    tables = {smallTables(b, loc, read, lookUps.bothSigns())};
  Value written = loop.getRegionIterArg(0);
  for (auto [t, table] : llvm::enumerate(tables)) {
    Value at = to;
    if (t)
      at = arith::AddIOp::create(b, loc, to, number(t * lookUps.entries()));
    written = vector::TransferWriteOp::create(b, loc, table, written, at,
                                              ArrayRef<bool>{true})
                  .getResult();
  }
  scf::YieldOp::create(b, loc, written);
  return loop.getResult(0);
}
