//===- Pack.cpp - Weights in the order of the kernel ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

int64_t a2q::placeInStep(const Plan &plan, int64_t channel, int64_t product) {
  if (plan.form == KernelForm::Portable)
    return product * plan.block + channel;
  return channel * plan.chunk + product;
}

/// `count` blocks of `vectors` vectors, `row` elements of each in a step.
static RankedTensorType packedType(const Layer &layer, const Plan &plan,
                                   IntegerType element, int64_t count,
                                   int64_t vectors, int64_t row) {
  SmallVector<int64_t> shape = {layer.groups, count, plan.steps(), row};
  if (vectors > 1)
    shape.insert(shape.end() - 1, vectors);
  return RankedTensorType::get(shape, element);
}

/// Packed at compile time: `count` blocks of `vectors` vectors from channel
/// `first` of each group. Channels beyond the last are 0.
static Value packConstants(OpBuilder &builder, const Layer &layer,
                           const Plan &plan, IntegerType element, int64_t first,
                           int64_t count, int64_t vectors) {
  int64_t row = plan.block * plan.chunk;
  RankedTensorType type = packedType(layer, plan, element, count, vectors, row);
  SmallVector<APInt> packed(type.getNumElements(),
                            APInt(element.getWidth(), 0));
  int64_t inBlock = vectors * plan.block;
  int64_t last = std::min(layer.channels, first + count * inBlock);
  for (int64_t group = 0; group < layer.groups; ++group)
    for (int64_t c = first; c < last; ++c) {
      int64_t block = group * count + (c - first) / inBlock;
      int64_t vector = (c - first) % inBlock / plan.block;
      const int64_t *codes = layer.weightCodes->data() +
                             (group * layer.channels + c) * layer.length;
      for (auto [place, term] : llvm::enumerate(plan.terms)) {
        if (term < 0)
          continue;
        int64_t step = block * plan.steps() + place / plan.chunk;
        int64_t index =
            (step * vectors + vector) * row +
            placeInStep(plan, (c - first) % plan.block, place % plan.chunk);
        packed[index] = APInt(element.getWidth(), codes[term],
                              /*isSigned=*/true, /*implicitTrunc=*/true);
      }
    }
  return arith::ConstantOp::create(builder, layer.op.getLoc(),
                                   DenseElementsAttr::get(type, packed));
}

/// The same for look-ups, a byte for each digit of the weights of a channel in
/// a step: bit j belongs to product j.
static Value packBits(OpBuilder &builder, const Layer &layer, const Plan &plan,
                      IntegerType element, int64_t first, int64_t count,
                      int64_t vectors) {
  ArrayRef<int64_t> digits = plan.lookUps->digits;
  int64_t row = plan.block * plan.digits();
  RankedTensorType type = packedType(layer, plan, element, count, vectors, row);
  SmallVector<char> packed(type.getNumElements(), 0);
  int64_t inBlock = vectors * plan.block;
  int64_t last = std::min(layer.channels, first + count * inBlock);
  for (int64_t c = first; c < last; ++c) {
    const int64_t *codes = layer.weightCodes->data() + c * layer.length;
    for (auto [place, term] : llvm::enumerate(plan.terms)) {
      int64_t step = (c - first) / inBlock * plan.steps() + place / plan.chunk;
      int64_t vector = (c - first) % inBlock / plan.block;
      int64_t index = (step * vectors + vector) * row +
                      (c - first) % plan.block * plan.digits();
      unsigned bits = term < 0 ? 0 : bitsOfWeight(digits, codes[term]);
      for (int64_t d = 0; d < plan.digits(); ++d)
        packed[index + d] |= (bits >> d & 1) << place % plan.chunk;
    }
  }
  return arith::ConstantOp::create(
      builder, layer.op.getLoc(),
      DenseElementsAttr::getFromRawBuffer(type, packed));
}

/// Packed at run time, for weights that are not constants: a table says which
/// term each place of K' holds, places of padding and channels beyond the last
/// are 0.
static Value packValues(OpBuilder &builder, const Layer &layer,
                        const Plan &plan, IntegerType element) {
  Location loc = layer.op.getLoc();
  Value codes = toCodes(builder, layer.op.getWeights());
  auto type = cast<RankedTensorType>(codes.getType());
  // [batch, N, K]
  int64_t rank = type.getRank();
  OpFoldResult batch = builder.getIndexAttr(1);
  if (rank == 2) {
    codes = tensor::ExpandShapeOp::create(
        builder, loc, type.clone({1, type.getDimSize(0), type.getDimSize(1)}),
        codes, SmallVector<ReassociationIndices>{{0, 1}, {2}});
  } else if (rank > 3) {
    SmallVector<ReassociationIndices> map(1);
    for (int64_t d = 0; d < rank - 2; ++d)
      map[0].push_back(d);
    map.push_back({rank - 2});
    map.push_back({rank - 1});
    codes = tensor::CollapseShapeOp::create(builder, loc, codes, map);
  }
  batch = tensor::getMixedSize(builder, loc, codes, 0);
  int64_t blocks = llvm::divideCeil(layer.channels, plan.block);
  int64_t row = plan.block * plan.chunk;
  auto constant = [&](ArrayRef<int64_t> values) -> Value {
    auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                      builder.getI64Type());
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(type, values));
  };
  // Per place in a row: channel in the block and product in the step.
  SmallVector<int64_t> channelOf(row), productOf(row);
  for (int64_t c = 0; c < plan.block; ++c)
    for (int64_t j = 0; j < plan.chunk; ++j) {
      channelOf[placeInStep(plan, c, j)] = c;
      productOf[placeInStep(plan, c, j)] = j;
    }
  Value terms = constant(plan.terms);
  Value empty = tensor::EmptyOp::create(builder, loc,
                                        {batch, builder.getIndexAttr(blocks),
                                         builder.getIndexAttr(plan.steps()),
                                         builder.getIndexAttr(row)},
                                        element);
  AffineMap byPlace =
      AffineMap::get(4, 0, {builder.getAffineDimExpr(3)}, builder.getContext());
  SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    auto index = [&](Value v) -> Value {
      return arith::IndexCastOp::create(b, loc, b.getIndexType(), v);
    };
    auto number = [&](int64_t v) -> Value {
      return arith::ConstantIndexOp::create(b, loc, v);
    };
    Value channel = arith::AddIOp::create(
        b, loc,
        arith::MulIOp::create(b, loc, linalg::IndexOp::create(b, loc, 1),
                              number(plan.block)),
        index(args[0]));
    Value place = arith::AddIOp::create(
        b, loc,
        arith::MulIOp::create(b, loc, linalg::IndexOp::create(b, loc, 2),
                              number(plan.chunk)),
        index(args[1]));
    Value term = index(tensor::ExtractOp::create(b, loc, terms, place));
    Value isChannel = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                            channel, number(layer.channels));
    Value isTerm = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                         term, number(0));
    // Read some code in any case, from within bounds.
    Value safeChannel =
        arith::SelectOp::create(b, loc, isChannel, channel, number(0));
    Value safeTerm = arith::SelectOp::create(b, loc, isTerm, term, number(0));
    Value code = tensor::ExtractOp::create(
        b, loc, codes,
        ValueRange{linalg::IndexOp::create(b, loc, 0), safeChannel, safeTerm});
    Value zero = arith::ConstantIntOp::create(b, loc, element, 0);
    Value isCode = arith::AndIOp::create(b, loc, isChannel, isTerm);
    linalg::YieldOp::create(
        b, loc,
        arith::SelectOp::create(b, loc, isCode, code, zero).getResult());
  };
  return linalg::GenericOp::create(
             builder, loc, empty.getType(),
             ValueRange{constant(channelOf), constant(productOf)}, empty,
             {byPlace, byPlace, builder.getMultiDimIdentityMap(4)}, loops, body)
      .getResult(0);
}

PackedWeights a2q::packWeights(OpBuilder &builder, const Layer &layer,
                               const Plan &plan) {
  unsigned bits = codeBits(layer.weights);
  auto pack = plan.lookUps ? packBits : packConstants;
  if (!layer.weightCodes)
    return {packValues(builder, layer, plan, builder.getIntegerType(bits)), {}};
  // Extended here instead of in every step.
  if (plan.form == KernelForm::Pmaddwd ||
      (plan.form == KernelForm::Portable && plan.stageBits.front() > 8))
    bits = std::max(bits, 16u);
  IntegerType element = builder.getIntegerType(bits);
  int64_t vectors = plan.vectors;
  int64_t blocks = layer.channels / plan.channelsInBlock();
  int64_t done = blocks * plan.channelsInBlock();
  int64_t rest = llvm::divideCeil(layer.channels - done, plan.block);
  if (rest == vectors) {
    ++blocks;
    rest = 0;
  }
  PackedWeights packed;
  if (blocks)
    packed.whole = pack(builder, layer, plan, element, 0, blocks, vectors);
  if (rest)
    packed.rest = pack(builder, layer, plan, element, done, 1, rest);
  return packed;
}
