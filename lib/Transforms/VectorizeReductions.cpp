//===- VectorizeReductions.cpp - Sums of reals in registers -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Plain loops over a convolution in f32 add one product to one number in memory
// at a time, and the processor waits for each. Here a tile of the result,
// `rows` positions times some channels, is loaded into registers, the loops of
// the reduction run around the tile, and it is stored once:
//
//   for n, oh, tiles of ow, tiles of c:
//     acc[4][lanes] = result[n, oh, ow .. ow + 3, c .. c + lanes - 1]
//     for kh, kw, i:
//       acc[r][:] += image[n, oh + kh, ow + r + kw, i] * weights[kh, kw, i, c:]
//     result[...] = acc
//
// Every number of the result is summed in the order of the plain loops. What is
// left over of channels is done by ever narrower vectors, what is left over of
// positions by a lower tile.
//
// Elementwise functions of an operand that is one number for a row, as in
// softmax, are done in the same way without the loops of the reduction: LLVM
// does not know that the result is not where that number is, and loads it, and
// computes, one element at a time.
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace a2q {
#define GEN_PASS_DEF_A2QVECTORIZEREDUCTIONS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

static constexpr int64_t kRows = 4;

namespace {

/// A reduction in f32 over buffers, or an elementwise function with a broadcast
/// operand, whose loops are numbered as in its maps.
struct Reduction {
  mutable linalg::LinalgOp op; // its accessors are not const
  SmallVector<int64_t> sizes;
  SmallVector<AffineMap> maps;
  SmallVector<unsigned> outer, inner; ///< parallel ones, reductions
  unsigned channel = 0;               ///< becomes vectors
  std::optional<unsigned> row;        ///< becomes rows of a tile

  static std::optional<Reduction> match(linalg::LinalgOp op);
  bool usesOperand(unsigned operand) const {
    return !op.getBlock()->getArgument(operand).use_empty();
  }
  bool varies(unsigned operand, unsigned loop) const {
    return maps[operand].isFunctionOfDim(loop);
  }
  unsigned result() const { return maps.size() - 1; }
  /// Whether an operand has one number for all channels.
  bool broadcasts() const {
    return llvm::any_of(llvm::seq(result()), [&](unsigned operand) {
      return usesOperand(operand) && !varies(operand, channel);
    });
  }
};

/// Emits one reduction.
class Emitter {
public:
  Emitter(const Reduction &reduction, int64_t lanes)
      : reduction(reduction), lanes(lanes),
        b(reduction.op.getLoc(), reduction.op) {}
  void run();

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  template <typename Body>
  void forTiles(unsigned loop, int64_t begin, int64_t step, Body body);
  void emitOuter(size_t next);
  void emitRows();
  void emitChannels(int64_t rows);
  void emitTile(int64_t rows, int64_t width);
  SmallVector<Value> emitInner(size_t next, ValueRange sums, int64_t width);
  SmallVector<Value> emitBody(ValueRange sums, int64_t width);
  Value applyBody(ArrayRef<Value> operands, int64_t width);
  Value load(unsigned operand, int64_t row, int64_t width);
  SmallVector<Value> indices(unsigned operand, int64_t row);

  const Reduction &reduction;
  int64_t lanes;
  ImplicitLocOpBuilder b;
  /// The value of each loop where code is emitted.
  SmallVector<Value> loops;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Whether neighbours along the last dimension are neighbours in memory.
static bool isContiguous(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return type.getRank() > 0 &&
         succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

/// Whether an operand is read (or written) along the channels by its last
/// dimension and nothing else.
static bool movesWithChannels(AffineMap map, unsigned channel) {
  auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
  return last && last.getPosition() == channel &&
         llvm::none_of(map.getResults().drop_back(), [&](AffineExpr expr) {
           return expr.isFunctionOfDim(channel);
         });
}

static bool isScalarBody(Block &body) {
  return llvm::all_of(body.without_terminator(), [](Operation &op) {
    return op.hasTrait<OpTrait::ConstantLike>() ||
           (OpTrait::hasElementwiseMappableTraits(&op) &&
            op.getNumResults() == 1);
  });
}

std::optional<Reduction> Reduction::match(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() != 1 ||
      op.hasDynamicShape() || !isScalarBody(*op.getBlock()))
    return std::nullopt;
  Reduction found;
  found.op = op;
  found.sizes = op.getStaticLoopRanges();
  found.maps = op.getIndexingMapsArray();
  AffineMap result = found.maps.back();
  if (!result.isProjectedPermutation() || result.getNumResults() == 0)
    return std::nullopt;
  found.channel = result.getDimPosition(result.getNumResults() - 1);
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind == utils::IteratorType::reduction)
      found.inner.push_back(loop);
    else if (loop != found.channel)
      found.outer.push_back(loop);
  }
  if (found.outer.size() + 1 != result.getNumResults())
    return std::nullopt;
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || !type.getElementType().isF32())
      return std::nullopt;
    if (found.usesOperand(number) && found.varies(number, found.channel) &&
        (!movesWithChannels(found.maps[number], found.channel) ||
         !isContiguous(type)))
      return std::nullopt;
  }
  if (!isContiguous(cast<MemRefType>(op.getDpsInits()[0].getType())))
    return std::nullopt;
  if (found.inner.empty() &&
      (!found.broadcasts() || found.sizes[found.channel] < 8))
    return std::nullopt;
  for (unsigned loop : llvm::reverse(found.outer))
    if (found.sizes[loop] > 1) {
      found.row = loop;
      llvm::erase(found.outer, loop);
      break;
    }
  return found;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

void Emitter::run() {
  loops.assign(reduction.sizes.size(), Value());
  emitOuter(0);
}

/// A loop from `begin` over whole tiles of `step`; none for a single one.
template <typename Body>
void Emitter::forTiles(unsigned loop, int64_t begin, int64_t step, Body body) {
  int64_t end = begin + (reduction.sizes[loop] - begin) / step * step;
  if (end - begin == step) {
    loops[loop] = index(begin);
    return body();
  }
  if (end == begin)
    return;
  auto tiles = scf::ForOp::create(b, index(begin), index(end), index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(tiles.getBody());
  loops[loop] = tiles.getInductionVar();
  body();
}

void Emitter::emitOuter(size_t next) {
  if (next == reduction.outer.size())
    return emitRows();
  forTiles(reduction.outer[next], 0, 1, [&] { emitOuter(next + 1); });
}

void Emitter::emitRows() {
  if (!reduction.row)
    return emitChannels(1);
  int64_t size = reduction.sizes[*reduction.row], rest = size % kRows;
  forTiles(*reduction.row, 0, kRows, [&] { emitChannels(kRows); });
  if (rest)
    forTiles(*reduction.row, size - rest, rest, [&] { emitChannels(rest); });
}

void Emitter::emitChannels(int64_t rows) {
  int64_t begin = 0, size = reduction.sizes[reduction.channel];
  for (int64_t width = lanes; width > 0; width /= 2) {
    forTiles(reduction.channel, begin, width, [&] { emitTile(rows, width); });
    begin += (size - begin) / width * width;
  }
}

void Emitter::emitTile(int64_t rows, int64_t width) {
  SmallVector<Value> sums;
  for (int64_t row = 0; row < rows; ++row)
    sums.push_back(load(reduction.result(), row, width));
  sums = emitInner(0, sums, width);
  Value buffer = reduction.op.getDpsInits()[0];
  for (int64_t row = 0; row < rows; ++row)
    vector::StoreOp::create(b, sums[row], buffer,
                            indices(reduction.result(), row));
}

SmallVector<Value> Emitter::emitInner(size_t next, ValueRange sums,
                                      int64_t width) {
  if (next == reduction.inner.size())
    return emitBody(sums, width);
  unsigned loop = reduction.inner[next];
  if (reduction.sizes[loop] == 1) {
    loops[loop] = index(0);
    return emitInner(next + 1, sums, width);
  }
  auto steps = scf::ForOp::create(b, index(0), index(reduction.sizes[loop]),
                                  index(1), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(steps.getBody());
  loops[loop] = steps.getInductionVar();
  scf::YieldOp::create(b,
                       emitInner(next + 1, steps.getRegionIterArgs(), width));
  return SmallVector<Value>(steps.getResults());
}

/// One term of every sum of the tile.
SmallVector<Value> Emitter::emitBody(ValueRange sums, int64_t width) {
  SmallVector<Value> shared(reduction.result()), next;
  for (unsigned operand = 0; operand < shared.size(); ++operand)
    if (reduction.usesOperand(operand) &&
        !(reduction.row && reduction.varies(operand, *reduction.row)))
      shared[operand] = load(operand, 0, width);
  for (auto [row, sum] : llvm::enumerate(sums)) {
    SmallVector<Value> operands = shared;
    for (unsigned operand = 0; operand < shared.size(); ++operand)
      if (!shared[operand] && reduction.usesOperand(operand))
        operands[operand] = load(operand, row, width);
    operands.push_back(sum);
    next.push_back(applyBody(operands, width));
  }
  return next;
}

/// The scalar body on vectors. A product may be added without being rounded
/// before, where the processor has an instruction for it.
Value Emitter::applyBody(ArrayRef<Value> operands, int64_t width) {
  Block &body = *reduction.op.getBlock();
  IRMapping mapping;
  for (auto [argument, operand] : llvm::zip(body.getArguments(), operands))
    if (operand)
      mapping.map(argument, operand);
  auto asVector = [&](Value scalar) -> Value {
    if (Value known = mapping.lookupOrNull(scalar))
      return known;
    auto type = VectorType::get({width}, scalar.getType());
    return vector::BroadcastOp::create(b, type, scalar);
  };
  for (Operation &op : body.without_terminator()) {
    if (op.hasTrait<OpTrait::ConstantLike>()) {
      Value scalar = b.clone(op)->getResult(0);
      mapping.map(op.getResult(0), asVector(scalar));
      continue;
    }
    OperationState state(b.getLoc(), op.getName());
    for (Value operand : op.getOperands())
      state.addOperands(asVector(operand));
    state.addTypes(VectorType::get({width}, op.getResult(0).getType()));
    state.addAttributes(op.getAttrs());
    Operation *wide = b.create(state);
    if (!reduction.inner.empty() && isa<arith::AddFOp, arith::MulFOp>(wide))
      wide->setAttr("fastmath",
                    arith::FastMathFlagsAttr::get(
                        b.getContext(), arith::FastMathFlags::contract));
    mapping.map(op.getResult(0), wide->getResult(0));
  }
  return asVector(body.getTerminator()->getOperand(0));
}

/// Channels of an operand at a row of the tile, or one number for all of them.
Value Emitter::load(unsigned operand, int64_t row, int64_t width) {
  Value buffer = reduction.op->getOperand(operand);
  auto type = VectorType::get({width}, b.getF32Type());
  SmallVector<Value> at = indices(operand, row);
  if (reduction.varies(operand, reduction.channel))
    return vector::LoadOp::create(b, type, buffer, at);
  Value scalar = memref::LoadOp::create(b, buffer, at);
  return vector::BroadcastOp::create(b, type, scalar);
}

SmallVector<Value> Emitter::indices(unsigned operand, int64_t row) {
  AffineMap map = reduction.maps[operand];
  SmallVector<AffineExpr> dims;
  SmallVector<OpFoldResult> at;
  for (auto [loop, value] : llvm::enumerate(loops)) {
    AffineExpr dim = b.getAffineDimExpr(loop);
    dims.push_back(loop == reduction.row ? dim + row : dim);
    // A loop that the map leaves out may not be there yet.
    at.push_back(value ? OpFoldResult(value) : b.getIndexAttr(0));
  }
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults()) {
    auto single = AffineMap::get(dims.size(), 0, expr.replaceDims(dims));
    result.push_back(getValueOrCreateConstantIndexOp(
        b, b.getLoc(),
        affine::makeComposedFoldedAffineApply(b, b.getLoc(), single, at)));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

struct VectorizeReductions
    : a2q::impl::A2QVectorizeReductionsBase<VectorizeReductions> {
  using A2QVectorizeReductionsBase::A2QVectorizeReductionsBase;

  void runOnOperation() override {
    if (!llvm::isPowerOf2_32(lanes)) {
      getOperation()->emitError()
          << "lanes is " << lanes.getValue() << ", it is a power of two";
      return signalPassFailure();
    }
    std::vector<Reduction> reductions;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (std::optional<Reduction> found = Reduction::match(op))
        reductions.push_back(std::move(*found));
    });
    for (Reduction &reduction : reductions) {
      Emitter(reduction, lanes).run();
      reduction.op->erase();
    }
  }
};

} // namespace
