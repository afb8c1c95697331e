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
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Transforms/ParallelLoops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace a2q;

/// The tables of `count` codes, four by four.
static Value tablesOf(OpBuilder &b, Location loc, Value codes, bool bothSigns) {
  constexpr int64_t entries = 16;
  int64_t count = cast<VectorType>(codes.getType()).getNumElements();
  int64_t lanes = count / 4 * entries;
  auto type = VectorType::get({lanes}, b.getI8Type());
  auto shuffle = [&](Value v1, Value v2,
                     function_ref<int64_t(int64_t)> place) -> Value {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane < lanes; ++lane)
      places.push_back(place(lane));
    return vector::ShuffleOp::create(b, loc, v1, v2, places);
  };
  // Every 16 bytes hold the eight codes from which their table takes four.
  Value spread = shuffle(codes, codes, [&](int64_t lane) {
    return lane / (2 * entries) * 8 + lane % 8;
  });
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  Value sums;
  for (int64_t j = 0; j < 4; ++j) {
    Value code = shuffle(spread, zero, [&](int64_t lane) {
      bool isAdded = lane % entries >> j & 1;
      int64_t table = lane / entries;
      return isAdded ? table * entries + table % 2 * 4 + j : lanes;
    });
    sums = sums ? arith::AddIOp::create(b, loc, sums, code).getResult() : code;
  }
  if (!bothSigns)
    return sums;
  Value others = shuffle(sums, sums, [&](int64_t lane) {
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
  int64_t codesAtOnce = plan.chunk;
  if (plan.block * plan.digits() == 64 && !type.isDynamicDim(0) &&
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
  Value tables = tablesOf(b, loc, read, lookUps.bothSigns());
  Value written =
      vector::TransferWriteOp::create(b, loc, tables, loop.getRegionIterArg(0),
                                      to, ArrayRef<bool>{true})
          .getResult();
  scf::YieldOp::create(b, loc, written);
  return loop.getResult(0);
}
