//===- Depthwise.cpp - One channel per lane ---------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A depthwise convolution has one output channel per input channel, so nothing
// is broadcast: a vector holds the codes of `block` neighbouring channels at
// one tap of the window, and every lane is an output of its own.
//
// The instructions add pairs. Two taps are interleaved, channel by channel,
// within each 128 bits of the register, which is one instruction for the lower
// and one for the upper halves; the accumulators keep that order until the sums
// are done. For 3x3 the pairs are
//
//   (0,0)(1,0)   (0,1)(1,1)   (0,2)(1,2)   (2,0)(2,1)   (2,2)-
//
// taps of one column, then what is left of the last row. A position to the
// right has the same interleaved taps one column further on, so positions of a
// row that are computed together share most of them: it is left to CSE to see
// that, the indices are constants apart.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Transforms/ParallelLoops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

bool a2q::isDepthwise(const Layer &layer) {
  auto op = dyn_cast<Conv2DOp>(layer.op.getOperation());
  return op && layer.groups > 1 && layer.channels == 1 &&
         cast<RankedTensorType>(op.getFilter().getType()).getDimSize(3) == 1;
}

void a2q::layOutTaps(const Layer &layer, Plan &plan) {
  auto op = cast<Conv2DOp>(layer.op.getOperation());
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(op.getFilter().getType()).getShape();
  int64_t height = filter[1], width = filter[2];
  SmallVector<int64_t> offset(layer.length);
  for (const Run &run : runsOfTerms(layer))
    for (int64_t i = 0; i < run.length; ++i)
      offset[run.term + i] = run.offset + i;
  auto take = [&](int64_t kh, int64_t kw) {
    plan.terms.push_back(kh * width + kw);
    plan.offsets.push_back(offset[kh * width + kw]);
  };
  for (int64_t kh = 0; kh + 1 < height; kh += 2)
    for (int64_t kw = 0; kw < width; ++kw) {
      take(kh, kw);
      take(kh + 1, kw);
    }
  if (height % 2)
    for (int64_t kw = 0; kw < width; ++kw)
      take(height - 1, kw);
  if (plan.terms.size() % 2) {
    // Beside the last tap stands a tap again, with weight 0.
    plan.terms.push_back(-1);
    plan.offsets.push_back(plan.offsets.back());
  }
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

namespace {
class DepthwiseKernel {
public:
  DepthwiseKernel(OpBuilder &b, const Layer &layer, const Plan &plan,
                  const Activations &activations, const Epilogue &epilogue)
      : b(b), loc(layer.op.getLoc()), layer(layer), plan(plan),
        activations(activations), epilogue(epilogue),
        op(cast<Conv2DOp>(layer.op.getOperation())),
        blocks(llvm::divideCeil(layer.groups, plan.block)),
        words(plan.form == KernelForm::Pmaddwd) {}

  Value emit(Value out);

private:
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value plus(Value x, int64_t y) {
    return y ? arith::AddIOp::create(b, loc, x, number(y)).getResult() : x;
  }
  VectorType vectorOf(unsigned bits, int64_t count) {
    return VectorType::get({count}, b.getIntegerType(bits));
  }
  /// The first channel of a block: the last block ends with the channels, and
  /// computes some of them again.
  int64_t firstChannel(int64_t block) const {
    return std::min(block * plan.block, layer.groups - plan.block);
  }
  /// The channel in the block that is at a place of the interleaved order.
  int64_t channelAt(int64_t half, int64_t place) const {
    int64_t inLane = 128 / (words ? 16 : 8) / 2;
    return (place / inLane * 2 + half) * inLane + place % inLane;
  }
  Value loop(int64_t begin, Value end, int64_t step, Value out,
             function_ref<Value(Value, Value)> body, bool isParallel = false);

  Value packTaps();
  Value packStarts();
  Value channelTable(ArrayRef<Attribute> values, Type element);
  Value readRow(Value table, SmallVector<Value> indices, VectorType type);
  Value emitPositions(Value out, Value row, Value x, int64_t count);
  SmallVector<Value> interleave(Value base, int64_t step);
  Value inOrder(Value lower, Value upper);

  OpBuilder &b;
  Location loc;
  const Layer &layer;
  const Plan &plan;
  const Activations &activations;
  const Epilogue &epilogue;
  mutable Conv2DOp op;
  int64_t blocks;
  bool words; ///< pairs of 16 bits into 32, not of 8 into 16

  // Where the emission stands.
  Value block, channel, origin;
  Value weights, starts;
};
} // namespace

Value DepthwiseKernel::loop(int64_t begin, Value end, int64_t step, Value out,
                            function_ref<Value(Value, Value)> body,
                            bool isParallel) {
  auto loop = scf::ForOp::create(b, loc, number(begin), end, number(step), out);
  if (isParallel)
    loop->setAttr(parallelAttrName, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(
      b, loc, body(loop.getInductionVar(), loop.getRegionIterArgs()[0]));
  return loop.getResult(0);
}

/// [blocks][steps][halves][block]: the pairs of each channel in the interleaved
/// order.
Value DepthwiseKernel::packTaps() {
  IntegerType element = b.getIntegerType(words ? 16 : 8);
  int64_t half = plan.block / 2;
  SmallVector<APInt> packed;
  for (int64_t i = 0; i < blocks; ++i)
    for (int64_t step = 0; step < plan.steps(); ++step)
      for (int64_t h = 0; h < 2; ++h)
        for (int64_t place = 0; place < half; ++place) {
          int64_t c = firstChannel(i) + channelAt(h, place);
          for (int64_t j = 0; j < 2; ++j) {
            int64_t term = plan.terms[2 * step + j];
            int64_t code =
                term < 0 ? 0 : (*layer.weightCodes)[c * layer.length + term];
            packed.push_back(APInt(element.getWidth(), code, /*isSigned=*/true,
                                   /*implicitTrunc=*/true));
          }
        }
  auto type =
      RankedTensorType::get({blocks, plan.steps(), 2, plan.block}, element);
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(type, packed));
}

/// [blocks][halves][block / 2]; null where all are 0.
Value DepthwiseKernel::packStarts() {
  const StageSchedule &stage = plan.schedule.stages.front();
  if (llvm::all_of(stage.starts, [](int64_t s) { return s == 0; }))
    return {};
  unsigned width = plan.stageBits.front();
  SmallVector<APInt> packed;
  for (int64_t i = 0; i < blocks; ++i)
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t place = 0; place < plan.block / 2; ++place)
        packed.push_back(APInt(
            width, stage.start(firstChannel(i) + channelAt(h, place), 0, 0),
            /*isSigned=*/true, /*implicitTrunc=*/true));
  auto type = RankedTensorType::get({blocks, 2, plan.block / 2},
                                    b.getIntegerType(width));
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(type, packed));
}

/// Reads the last dimension of a constant.
Value DepthwiseKernel::readRow(Value table, SmallVector<Value> indices,
                               VectorType type) {
  indices.push_back(number(0));
  Value padding =
      arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
  return vector::TransferReadOp::create(
      b, loc, type, table, indices, padding,
      AffineMap::getMinorIdentityMap(indices.size(), 1, b.getContext()),
      ArrayRef<bool>{true});
}

/// Per-channel constants of the block, in the order of the channels.
Value DepthwiseKernel::channelTable(ArrayRef<Attribute> values, Type element) {
  auto type = VectorType::get({plan.block}, element);
  if (llvm::all_equal(values))
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(type, values[0]));
  SmallVector<Attribute> rows;
  for (int64_t i = 0; i < blocks; ++i)
    llvm::append_range(rows, values.slice(firstChannel(i), plan.block));
  auto tableType = RankedTensorType::get({blocks, plan.block}, element);
  Value table = arith::ConstantOp::create(
      b, loc, DenseElementsAttr::get(tableType, rows));
  return readRow(table, {block}, type);
}

/// The two taps of a step, interleaved: the lower and the upper halves of each
/// 128 bits.
SmallVector<Value> DepthwiseKernel::interleave(Value base, int64_t step) {
  IntegerType element = b.getIntegerType(8);
  SmallVector<Value> taps;
  for (int64_t j = 0; j < 2; ++j) {
    Value index = plus(base, plan.offsets[2 * step + j]);
    Value codes = vector::TransferReadOp::create(
        b, loc, VectorType::get({plan.block}, element), activations.codes,
        index, arith::ConstantIntOp::create(b, loc, element, 0),
        b.getMultiDimIdentityMap(1), ArrayRef<bool>{true});
    if (words) {
      VectorType wide = vectorOf(16, plan.block);
      codes = layer.activationsUnsigned()
                  ? arith::ExtUIOp::create(b, loc, wide, codes).getResult()
                  : arith::ExtSIOp::create(b, loc, wide, codes).getResult();
    }
    taps.push_back(codes);
  }
  SmallVector<Value> halves;
  for (int64_t h = 0; h < 2; ++h) {
    SmallVector<int64_t> mask;
    for (int64_t place = 0; place < plan.block / 2; ++place) {
      mask.push_back(channelAt(h, place));
      mask.push_back(plan.block + channelAt(h, place));
    }
    halves.push_back(vector::ShuffleOp::create(b, loc, taps[0], taps[1], mask));
  }
  return halves;
}

/// Accumulators in the interleaved order as 32-bit integers in the order of the
/// channels.
Value DepthwiseKernel::inOrder(Value lower, Value upper) {
  SmallVector<int64_t> mask(plan.block);
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t place = 0; place < plan.block / 2; ++place)
      mask[channelAt(h, place)] = h * plan.block / 2 + place;
  Value sums = vector::ShuffleOp::create(b, loc, lower, upper, mask);
  if (words)
    return sums;
  return arith::ExtSIOp::create(b, loc, vectorOf(32, plan.block), sums);
}

/// `count` positions from x on in a row of the result.
Value DepthwiseKernel::emitPositions(Value out, Value row, Value x,
                                     int64_t count) {
  ArrayRef<int64_t> result = cast<RankedTensorType>(op.getType()).getShape();
  int64_t pitch = op.getStrides()[1] * layer.groups;
  Value base = arith::AddIOp::create(
      b, loc, arith::AddIOp::create(b, loc, origin, channel),
      arith::MulIOp::create(b, loc, x, number(pitch)));
  VectorType type = vectorOf(plan.stageBits.front(), plan.block / 2);
  unsigned codeBits = words ? 16 : 8;
  a2q::Range codes = layer.joinedRange();
  auto range = words ? DenseI64ArrayAttr()
                     : b.getDenseI64ArrayAttr({codes.lo, codes.hi});
  Value first = arith::AddIOp::create(
      b, loc, arith::MulIOp::create(b, loc, row, number(result[2])), x);
  Epilogue own = epilogue;
  own.prepare(b, loc, [&](ArrayRef<Attribute> values, Type element) {
    return channelTable(values, element);
  });
  for (int64_t r = 0; r < count; ++r) {
    Value position = plus(base, r * pitch);
    SmallVector<Value> sums;
    for (int64_t h = 0; h < 2; ++h)
      sums.push_back(
          starts ? readRow(starts, {block, number(h)}, type)
                 : arith::ConstantOp::create(b, loc, b.getZeroAttr(type)));
    for (int64_t step = 0; step < plan.steps(); ++step) {
      SmallVector<Value> taps = interleave(position, step);
      for (int64_t h = 0; h < 2; ++h) {
        Value rhs = readRow(weights, {block, number(step), number(h)},
                            vectorOf(codeBits, plan.block));
        sums[h] = MacOp::create(b, loc, type, sums[h], taps[h], rhs,
                                /*lhs_unsigned=*/!words, /*rhs_unsigned=*/false,
                                /*pair_exact=*/!words, range);
      }
    }
    Value sum = own.apply(b, loc, inOrder(sums[0], sums[1]));
    out = vector::TransferWriteOp::create(
              b, loc, sum, out, ValueRange{plus(first, r), number(0), channel},
              ArrayRef<bool>{true})
              .getResult();
  }
  return out;
}

Value DepthwiseKernel::emit(Value out) {
  ArrayRef<int64_t> result = cast<RankedTensorType>(op.getType()).getShape();
  weights = packTaps();
  starts = packStarts();
  Value positions =
      getValueOrCreateConstantIndexOp(b, loc, activations.positions);
  Value rows = arith::DivUIOp::create(b, loc, positions, number(result[2]));
  int64_t several = std::min(plan.positions, result[2]);
  int64_t whole = result[2] / several * several;
  auto emitRow = [&](Value row, Value out) {
    origin = activations.origin(
        arith::MulIOp::create(b, loc, row, number(result[2])), number(0));
    return loop(0, number(blocks), 1, out, [&](Value i, Value out) {
      block = i;
      channel = arith::MinUIOp::create(
          b, loc, arith::MulIOp::create(b, loc, i, number(plan.block)),
          number(layer.groups - plan.block));
      out = loop(0, number(whole), several, out, [&](Value x, Value out) {
        return emitPositions(out, row, x, several);
      });
      if (whole < result[2])
        out = emitPositions(out, row, number(whole), result[2] - whole);
      return out;
    });
  };
  // Blocks overlap; rows do not.
  return loop(0, rows, 1, out, emitRow, /*isParallel=*/true);
}

Value a2q::emitDepthwise(OpBuilder &builder, const Layer &layer,
                         const Plan &plan, const Activations &activations,
                         const Epilogue &epilogue, Value out) {
  return DepthwiseKernel(builder, layer, plan, activations, epilogue).emit(out);
}
