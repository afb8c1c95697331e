//===- PlaneBorders.cpp - Between planes and dense images -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An image [n, h, w, c] has the channels of a pixel side by side, planes have
// the pixels of a channel. From one to the other is a transposition of bytes,
// in blocks of 16 pixels by 16 channels that stay in registers. Where a side is
// no multiple of the block the last one begins early and writes some bytes
// twice.
//
//===----------------------------------------------------------------------===//

#include "Planes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

namespace {
/// Arithmetic on indices, loops and bytes.
struct Emitter {
  OpBuilder &b;
  Location loc;

  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value plus(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value plus(Value x, int64_t y) { return y ? plus(x, number(y)) : x; }
  Value times(Value x, int64_t factor) {
    return factor == 1 ? x : arith::MulIOp::create(b, loc, x, number(factor));
  }

  /// A loop from 0 that carries one tensor.
  Value loop(int64_t count, int64_t step, Value carried,
             function_ref<Value(Value, Value)> body) {
    if (count <= step)
      return body(number(0), carried);
    auto loop = scf::ForOp::create(b, loc, number(0), number(count),
                                   number(step), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(
        b, loc, body(loop.getInductionVar(), loop.getRegionIterArg(0)));
    return loop.getResult(0);
  }

  Value read(Value tensor, Value index, int64_t count) {
    return vector::TransferReadOp::create(
        b, loc, VectorType::get({count}, b.getI8Type()), tensor, index,
        arith::ConstantIntOp::create(b, loc, b.getI8Type(), 0),
        b.getMultiDimIdentityMap(1), ArrayRef<bool>{true});
  }
  Value write(Value tensor, Value index, Value codes) {
    return vector::TransferWriteOp::create(b, loc, codes, tensor, index,
                                           ArrayRef<bool>{true})
        .getResult();
  }
  Value splat(int64_t count, int64_t code) {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(VectorType::get({count}, b.getI8Type()),
                               APInt(8, code, /*isSigned=*/true,
                                     /*implicitTrunc=*/true)));
  }

  /// The columns of these rows, which are a power of two in number and length:
  /// halves are interleaved until one vector is left.
  SmallVector<Value> transpose(SmallVector<Value> rows) {
    int64_t height = rows.size();
    int64_t width = cast<VectorType>(rows[0].getType()).getNumElements();
    while (rows.size() > 1) {
      size_t half = rows.size() / 2;
      for (size_t i = 0; i < half; ++i)
        rows[i] = vector::InterleaveOp::create(b, loc, rows[i], rows[i + half]);
      rows.resize(half);
    }
    SmallVector<Value> columns;
    for (int64_t i = 0; i < width; ++i)
      columns.push_back(vector::ExtractStridedSliceOp::create(
          b, loc, rows[0], ArrayRef<int64_t>{i * height},
          ArrayRef<int64_t>{height}, ArrayRef<int64_t>{1}));
    return columns;
  }
};

/// A block of pixels and channels, and where it lies on both sides.
struct Patch {
  Value plane; ///< of the first channel
  Value inPlanes, inImage;
  int64_t pixels, channels;
};
} // namespace

/// Visits all blocks of an image; `body` takes and returns what is written.
static Value forBlocks(Emitter e, const PlaneLayout &layout, Value carried,
                       function_ref<Value(const Patch &, Value)> body) {
  int64_t pixels =
      std::min<int64_t>(16, llvm::bit_floor<uint64_t>(layout.width));
  int64_t channels =
      std::min<int64_t>(16, llvm::bit_floor<uint64_t>(layout.channels));
  auto clamp = [&](Value index, int64_t size, int64_t block) -> Value {
    if (size % block == 0)
      return index;
    return arith::MinUIOp::create(e.b, e.loc, index, e.number(size - block));
  };
  return e.loop(layout.images, 1, carried, [&](Value n, Value carried) {
    return e.loop(
        layout.channels, channels, carried, [&](Value c, Value carried) {
          c = clamp(c, layout.channels, channels);
          Value plane = e.plus(e.times(n, layout.channels), c);
          Value origin = e.plus(e.times(plane, layout.plane), layout.lead);
          return e.loop(layout.height, 1, carried, [&](Value y, Value carried) {
            Value row = e.plus(e.times(n, layout.height), y);
            Value rowInPlane = e.plus(origin, e.times(y, layout.pitch));
            return e.loop(
                layout.width, pixels, carried, [&](Value x, Value carried) {
                  x = clamp(x, layout.width, pixels);
                  Value pixel = e.plus(e.times(row, layout.width), x);
                  Patch block = {plane, e.plus(rowInPlane, x),
                                 e.plus(e.times(pixel, layout.channels), c),
                                 pixels, channels};
                  return body(block, carried);
                });
          });
        });
  });
}

/// Fills the halo behind each row.
static Value emitGaps(Emitter e, Value out, const PlaneLayout &layout) {
  int64_t gap = layout.pitch - layout.width;
  if (gap == 0)
    return out;
  return e.loop(layout.planes(), 1, out, [&](Value plane, Value out) {
    Value origin = e.plus(e.times(plane, layout.plane), layout.lead);
    return e.loop(layout.height, 1, out, [&](Value y, Value out) {
      Value row = e.plus(origin, e.times(y, layout.pitch));
      return e.write(out, e.plus(row, layout.width), e.splat(gap, layout.halo));
    });
  });
}

Value a2q::toPlanes(OpBuilder &b, Location loc, Value image,
                    const PlaneLayout &layout) {
  Emitter e{b, loc};
  Value flat = tensor::CollapseShapeOp::create(
      b, loc, image, SmallVector<ReassociationIndices>{{0, 1, 2, 3}});
  Value out = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{layout.size()},
                                      b.getI8Type());
  out = emitHalo(b, loc, out, layout);
  out = emitGaps(e, out, layout);
  return forBlocks(e, layout, out, [&](const Patch &block, Value out) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < block.pixels; ++i)
      rows.push_back(e.read(flat, e.plus(block.inImage, i * layout.channels),
                            block.channels));
    for (auto [i, codes] : llvm::enumerate(e.transpose(rows)))
      out = e.write(out, e.plus(block.inPlanes, i * layout.plane), codes);
    return out;
  });
}

Value a2q::fromPlanes(OpBuilder &b, Location loc, Value planes,
                      const PlaneLayout &layout) {
  Emitter e{b, loc};
  SmallVector<int64_t> shape = {layout.images, layout.height, layout.width,
                                layout.channels};
  Value out = tensor::EmptyOp::create(b, loc, shape, b.getI8Type());
  SmallVector<ReassociationIndices> all = {{0, 1, 2, 3}};
  out = tensor::CollapseShapeOp::create(b, loc, out, all);
  out = forBlocks(e, layout, out, [&](const Patch &block, Value out) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < block.channels; ++i)
      rows.push_back(e.read(planes, e.plus(block.inPlanes, i * layout.plane),
                            block.pixels));
    for (auto [i, codes] : llvm::enumerate(e.transpose(rows)))
      out = e.write(out, e.plus(block.inImage, i * layout.channels), codes);
    return out;
  });
  return tensor::ExpandShapeOp::create(
      b, loc, RankedTensorType::get(shape, b.getI8Type()), out, all);
}

Value a2q::toPhases(OpBuilder &b, Location loc, Value planes,
                    const PlaneLayout &source, const PlaneLayout &phases) {
  Emitter e{b, loc};
  Value out = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{phases.size()},
                                      b.getI8Type());
  out = emitHalo(b, loc, out, phases);
  out = emitGaps(e, out, phases);
  int64_t count =
      std::min<int64_t>(32, llvm::bit_floor<uint64_t>(phases.width));
  return e.loop(source.planes(), 1, out, [&](Value plane, Value out) {
    Value from = e.plus(e.times(plane, source.plane), source.lead);
    Value to = e.plus(e.times(plane, 4 * phases.plane), phases.lead);
    return e.loop(phases.height, 1, out, [&](Value y, Value out) {
      return e.loop(phases.width, count, out, [&](Value x, Value out) {
        if (phases.width % count)
          x = arith::MinUIOp::create(b, loc, x, e.number(phases.width - count));
        Value target = e.plus(e.plus(to, e.times(y, phases.pitch)), x);
        for (int64_t row = 0; row < 2; ++row) {
          Value pixel =
              e.plus(e.plus(from, e.times(y, 2 * source.pitch)), e.times(x, 2));
          Value pixels =
              e.read(planes, e.plus(pixel, row * source.pitch), 2 * count);
          for (int64_t column = 0; column < 2; ++column) {
            SmallVector<int64_t> every;
            for (int64_t i = 0; i < count; ++i)
              every.push_back(2 * i + column);
            Value half =
                vector::ShuffleOp::create(b, loc, pixels, pixels, every);
            out = e.write(
                out, e.plus(target, (2 * row + column) * phases.plane), half);
          }
        }
        return out;
      });
    });
  });
}

/// Whole units, from the last one that has rows of an image to where the rows
/// of the next plane begin.
Value a2q::emitHalo(OpBuilder &b, Location loc, Value planes,
                    const PlaneLayout &layout) {
  Emitter e{b, loc};
  Value halo = e.splat(layout.unit, layout.halo);
  auto fill = [&](Value out, Value from, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i += layout.unit)
      out = e.write(out, e.plus(from, i), halo);
    return out;
  };
  int64_t rows = llvm::alignDown(layout.height * layout.pitch, layout.unit);
  Value out = fill(planes, e.number(0), layout.lead);
  out = e.loop(layout.planes(), 1, out, [&](Value plane, Value out) {
    Value from = e.plus(e.times(plane, layout.plane), layout.lead + rows);
    return fill(out, from, layout.plane - rows);
  });
  int64_t last = layout.first(layout.planes());
  return fill(out, e.number(last), layout.size() - last);
}
