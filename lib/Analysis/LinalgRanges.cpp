//===- LinalgRanges.cpp - Ranges through structured ops -------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace a2q;
using linalg::LinalgOp;

using Bits = RangeState::Bits;

namespace {
/// A structured op computes each element of its results by its body, once per
/// index of the loops that the result does not have. So a body evaluated on
/// ranges gives the ranges of the results: once for elementwise ops; for
/// reductions as an invariant of the loops, or, for sums, from the number of
/// their iterations.
class StructuredRanges {
public:
  StructuredRanges(LinalgOp op, StateLookup states) : op(op), states(states) {}

  SmallVector<RangeState, 1> run();

private:
  void countIterations();
  void chooseAxis();
  bool follows(OpOperand &operand);
  Bits entry(OpOperand &operand, const RangeState &state, int64_t index);

  SmallVector<RangeState> evaluate(ArrayRef<RangeState> arguments);
  SmallVector<RangeState> reduceAt(SmallVector<RangeState> arguments);
  std::optional<RangeState> sumAt(ArrayRef<RangeState> arguments);
  RangeState indexState(linalg::IndexOp index) const;

  LinalgOp op;
  StateLookup states;
  SmallVector<RangeState> operands;
  /// Loops of the body per element of the result; nullopt when dynamic.
  std::optional<int64_t> iterations = 1;
  bool reduces = false;
  /// The loop whose indices are told apart, where that is axis `axis` of the
  /// results, and their number.
  int64_t loop = -1, axis = -1, count = 1;
  bool waiting = false;
};
} // namespace

/// The position of the loop among the results of the map, as itself.
static int64_t positionOf(AffineMap map, int64_t loop) {
  for (auto [position, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr);
        dim && dim.getPosition() == loop)
      return static_cast<int64_t>(position);
  return -1;
}

void StructuredRanges::countIterations() {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  for (auto [loop, size] : llvm::enumerate(sizes)) {
    // A loop that any result lacks reduces into that result.
    if (llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
          return positionOf(op.getMatchingIndexingMap(&init), loop) >= 0;
        }))
      continue;
    reduces = true;
    if (ShapedType::isDynamic(size))
      iterations = std::nullopt;
    else if (iterations)
      iterations = *iterations * size;
  }
}

/// Takes the first operand that has ranges per index of a loop which all
/// results have too.
void StructuredRanges::chooseAxis() {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  for (OpOperand &init : op.getDpsInitsMutable())
    if (op.getMatchingIndexingMap(&init) != result)
      return;
  for (OpOperand &operand : op->getOpOperands()) {
    const RangeState &state = operands[operand.getOperandNumber()];
    if (!state.isInteger() || state.isUniform())
      continue;
    AffineExpr expr =
        op.getMatchingIndexingMap(&operand).getResult(state.getAxis());
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || positionOf(result, dim.getPosition()) < 0)
      continue;
    loop = dim.getPosition();
    axis = positionOf(result, loop);
    count = state.size();
    return;
  }
}

/// Whether the operand's own axis runs with the chosen loop.
bool StructuredRanges::follows(OpOperand &operand) {
  const RangeState &state = operands[operand.getOperandNumber()];
  if (loop < 0 || state.isUniform() || state.size() != count)
    return false;
  AffineExpr expr =
      op.getMatchingIndexingMap(&operand).getResult(state.getAxis());
  auto dim = dyn_cast<AffineDimExpr>(expr);
  return dim && dim.getPosition() == loop;
}

Bits StructuredRanges::entry(OpOperand &operand, const RangeState &state,
                             int64_t index) {
  return follows(operand) ? state.at(index) : state.joined();
}

RangeState StructuredRanges::indexState(linalg::IndexOp index) const {
  int64_t size = LinalgOp(op).getStaticLoopRanges()[index.getDim()];
  if (ShapedType::isDynamic(size) || size < 1)
    return RangeState::ofType(index.getType());
  return RangeState::uniform(bitsOf(Interval{0, size - 1}, 64));
}

/// Any element of a tensor.
static RangeState elementState(const RangeState &tensor) {
  if (tensor.isUninitialized())
    return tensor;
  if (tensor.isInteger())
    return RangeState::uniform(tensor.joined());
  if (std::optional<RealRange> real = tensor.getReal())
    return RangeState::ofReal(*real);
  return RangeState::notInteger();
}

/// What the body yields for these block arguments.
SmallVector<RangeState>
StructuredRanges::evaluate(ArrayRef<RangeState> arguments) {
  Block *body = op.getBlock();
  llvm::DenseMap<Value, RangeState> known;
  for (auto [argument, state] :
       llvm::zip_equal(body->getArguments(), arguments))
    known.try_emplace(argument, state);
  auto lookup = [&](Value value) -> const RangeState & {
    if (auto it = known.find(value); it != known.end())
      return it->second;
    // From outside of the body.
    const RangeState &state = states(value);
    waiting |= state.isUninitialized();
    return state;
  };
  for (Operation &inner : body->without_terminator()) {
    Results results;
    if (auto index = dyn_cast<linalg::IndexOp>(inner))
      results = SmallVector<RangeState, 1>{indexState(index)};
    else if (auto extract = dyn_cast<tensor::ExtractOp>(inner))
      results =
          SmallVector<RangeState, 1>{elementState(lookup(extract.getTensor()))};
    else
      results = transferReal(&inner, lookup);
    if (!results)
      results = transferScalar(&inner, lookup);
    if (waiting)
      return {};
    for (auto [value, state] : llvm::zip_equal(inner.getResults(), *results))
      known[value] = state;
  }
  SmallVector<RangeState> yields;
  for (Value value : body->getTerminator()->getOperands())
    yields.push_back(lookup(value));
  return yields;
}

/// A sum: `acc + f(inputs)` as often as the loops run. Exact as long as it fits
/// the type, wherever partial sums may wrap.
std::optional<RangeState>
StructuredRanges::sumAt(ArrayRef<RangeState> arguments) {
  Block *body = op.getBlock();
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddIOp>();
  if (op.getNumDpsInits() != 1 || !add || add->getBlock() != body ||
      !iterations || patternWidth(add.getType()) > 64)
    return std::nullopt;
  BlockArgument acc = body->getArguments().back();
  Value term = add.getLhs() == acc ? add.getRhs() : add.getLhs();
  if (!acc.hasOneUse() || *acc.user_begin() != add.getOperation() ||
      term == acc)
    return std::nullopt;
  // The term does not read the accumulator, so a body that yields the term
  // would be the same but for the sum. Evaluate it with the accumulator at 0.
  unsigned width = patternWidth(add.getType());
  SmallVector<RangeState> fromZero(arguments);
  fromZero.back() = RangeState::uniform(Bits::constant(APInt(width, 0)));
  SmallVector<RangeState> yields = evaluate(fromZero);
  if (waiting)
    return std::nullopt;
  std::optional<ElementRanges> terms, initial;
  for (bool isSigned : {true, false}) {
    terms = yields.front().toRanges(isSigned);
    initial = arguments.back().toRanges(isSigned);
    if (!terms || !initial)
      continue;
    a2q::Range each = terms->joined(), first = initial->joined();
    Interval sum = {Wide(each.lo) * *iterations + first.lo,
                    Wide(each.hi) * *iterations + first.hi};
    Bits bits = bitsOf(sum, width);
    if (bits != Bits::maxRange(width))
      return RangeState::uniform(bits);
  }
  return RangeState::ofType(add.getType());
}

/// The values after all iterations, from the initial ones.
SmallVector<RangeState>
StructuredRanges::reduceAt(SmallVector<RangeState> arguments) {
  if (!reduces)
    return evaluate(arguments);
  if (std::optional<RangeState> sum = sumAt(arguments))
    return {*sum};
  unsigned first = op.getNumDpsInputs(), inits = op.getNumDpsInits();
  // Join what an iteration gives until it gives nothing new: then that holds
  // before and after each of them. A maximum does at once.
  constexpr int attempts = 3;
  for (int attempt = 0; attempt < attempts && !waiting; ++attempt) {
    SmallVector<RangeState> next = evaluate(arguments);
    if (waiting)
      return {};
    bool stable = true;
    SmallVector<RangeState> joined = arguments;
    for (unsigned i = 0; i < inits; ++i) {
      joined[first + i] = RangeState::join(arguments[first + i], next[i]);
      stable &= joined[first + i] == arguments[first + i];
    }
    if (stable)
      return iterations && *iterations > 0
                 ? next
                 : SmallVector<RangeState>(
                       ArrayRef(arguments).slice(first, inits));
    arguments = std::move(joined);
  }
  SmallVector<RangeState> unknown;
  for (Value init : op.getDpsInits())
    unknown.push_back(RangeState::ofType(init.getType()));
  return unknown;
}

SmallVector<RangeState, 1> StructuredRanges::run() {
  for (Value operand : op->getOperands())
    operands.push_back(states(operand));
  countIterations();
  chooseAxis();
  SmallVector<SmallVector<Bits, 1>> entries(op->getNumResults());
  SmallVector<RangeState, 1> results(op->getNumResults());
  for (int64_t index = 0; index < count; ++index) {
    SmallVector<RangeState> arguments;
    for (OpOperand &operand : op->getOpOperands()) {
      const RangeState &state = operands[operand.getOperandNumber()];
      arguments.push_back(
          state.isInteger() ? RangeState::uniform(entry(operand, state, index))
                            : state);
    }
    SmallVector<RangeState> values = reduceAt(std::move(arguments));
    if (waiting)
      return results;
    for (auto [entry, result, value] :
         llvm::zip_equal(entries, results, values)) {
      if (value.isInteger())
        entry.push_back(value.joined());
      else
        result = RangeState::join(result, value);
    }
  }
  for (auto [entry, result] : llvm::zip_equal(entries, results))
    if (!entry.empty())
      result = RangeState::perIndex(axis, std::move(entry));
  return results;
}

Results a2q::transferLinalg(Operation *op, StateLookup states) {
  auto structured = dyn_cast<LinalgOp>(op);
  if (!structured)
    return std::nullopt;
  if (!structured.hasPureTensorSemantics() || !structured.getBlock() ||
      structured.getBlock()->getNumArguments() != op->getNumOperands())
    return resultsOfTypes(op);
  // Of a diagonal, a column or overlapping windows the body does not write
  // each element, or some more often than others.
  for (OpOperand &init : structured.getDpsInitsMutable())
    if (!structured.getMatchingIndexingMap(&init).isProjectedPermutation())
      return resultsOfTypes(op);
  return StructuredRanges(structured, states).run();
}
