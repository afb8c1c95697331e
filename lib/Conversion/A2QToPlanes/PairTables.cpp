//===- PairTables.cpp - What two short codes become together ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PairTables.h"

#include "a2q/Transforms/ParallelLoops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The codes that a leaf has, in the halo as well.
static std::optional<a2q::Range> leafCodes(Value leaf,
                                           const RangeAnalysis &ranges) {
  quant::QuantizedType type = getQuantizedType(leaf.getType());
  a2q::Range range = codeRange(type);
  if (std::optional<ElementRanges> proven = ranges.lookup(leaf))
    range = proven->joined();
  int64_t zero = zeroPoint(type);
  range = {std::min(range.lo, zero), std::max(range.hi, zero)};
  if (range.hi - range.lo >= PairFunction::most)
    return std::nullopt;
  return range;
}

static std::optional<PairFunction> findFunction(QuantizeOp op,
                                                const RangeAnalysis &ranges) {
  SmallVector<Value> leaves = elementwiseLeaves(op);
  if (leaves.size() != 2)
    return std::nullopt;
  std::optional<a2q::Range> first = leafCodes(leaves[0], ranges);
  std::optional<a2q::Range> second = leafCodes(leaves[1], ranges);
  if (!first || !second)
    return std::nullopt;
  PairFunction function;
  function.first = *first;
  function.second = *second;
  for (int64_t a = first->lo; a <= first->hi; ++a)
    for (int64_t b = second->lo; b <= second->hi; ++b)
      function.codes.push_back(evaluateElement(op, {a, b}));
  auto [lo, hi] =
      std::minmax_element(function.codes.begin(), function.codes.end());
  function.results = {*lo, *hi};
  return function;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

namespace {
/// x[to] - x[from] <= most.
struct Difference {
  size_t from, to;
  int64_t most;
};
} // namespace

/// A solution with x[0] = 0, if there is one.
static std::optional<SmallVector<int64_t>>
solveDifferences(size_t count, ArrayRef<Difference> differences) {
  constexpr int64_t far = int64_t(1) << 40;
  SmallVector<int64_t> x(count, far);
  x[0] = 0;
  for (size_t round = 0; round <= count; ++round) {
    bool changed = false;
    for (const Difference &d : differences)
      if (x[d.from] + d.most < x[d.to]) {
        x[d.to] = x[d.from] + d.most;
        changed = true;
      }
    if (!changed)
      return x;
  }
  return std::nullopt;
}

static std::optional<PairSums> splitPairs(const PairFunction &function,
                                          unsigned shift) {
  int64_t firsts = function.first.hi - function.first.lo + 1;
  int64_t seconds = function.second.hi - function.second.lo + 1;
  int64_t unit = int64_t(1) << shift;
  // Unknowns: 0, each A, and each B with the other sign. Both in half of what
  // 16 bits hold.
  constexpr int64_t half = int64_t(1) << 14;
  SmallVector<Difference> differences;
  for (int64_t i = 1; i <= firsts + seconds; ++i) {
    differences.push_back({0, size_t(i), half - 1});
    differences.push_back({size_t(i), 0, half - 1});
  }
  for (int64_t a = 0; a < firsts; ++a)
    for (int64_t b = 0; b < seconds; ++b) {
      size_t atA = 1 + a, atB = 1 + firsts + b;
      int64_t code = function.at(a, b);
      int64_t steps = code - function.results.lo;
      if (code > function.results.lo)
        differences.push_back({atA, atB, -steps * unit});
      if (code < function.results.hi)
        differences.push_back({atB, atA, (steps + 1) * unit - 1});
    }
  std::optional<SmallVector<int64_t>> x =
      solveDifferences(1 + firsts + seconds, differences);
  if (!x)
    return std::nullopt;
  PairSums sums;
  sums.shift = shift;
  for (int64_t a = 0; a < firsts; ++a)
    sums.first.push_back((*x)[1 + a]);
  for (int64_t b = 0; b < seconds; ++b)
    sums.second.push_back(-(*x)[1 + firsts + b]);
  return sums;
}

std::optional<PairSums> a2q::splitPairs(const PairFunction &function) {
  if (function.results.hi - function.results.lo > 127)
    return std::nullopt;
  for (unsigned shift = 12; shift >= 4; --shift)
    if (std::optional<PairSums> sums = ::splitPairs(function, shift))
      return sums;
  return std::nullopt;
}

PairFunctions::PairFunctions(ModuleOp module, const RangeAnalysis &ranges,
                             Isa isa)
    : isa(isa) {
  if (isa == Isa::Portable)
    return;
  module.walk([&](QuantizeOp op) {
    std::optional<PairFunction> function = findFunction(op, ranges);
    if (!function)
      return;
    if (isa < Isa::Avx512vbmi) {
      std::optional<PairSums> split = splitPairs(*function);
      if (!split)
        return;
      sums[op] = std::move(*split);
    }
    functions[op] = std::move(*function);
  });
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

namespace {
/// Vectors of codes and constants.
struct PairEmitter {
  OpBuilder &b;
  Location loc;
  int64_t lanes; ///< bytes of a vector

  VectorType bytes() const { return VectorType::get({lanes}, b.getI8Type()); }
  VectorType words() const {
    return VectorType::get({lanes / 2}, b.getI16Type());
  }
  Value constant(VectorType type, function_ref<int64_t(int64_t)> value) {
    SmallVector<APInt> values;
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      values.push_back(APInt(type.getElementTypeBitWidth(), value(i),
                             /*isSigned=*/true, /*implicitTrunc=*/true));
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(type, values));
  }
  Value splat(VectorType type, int64_t value) {
    return constant(type, [=](int64_t) { return value; });
  }
  Value call(StringRef name, VectorType type, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, loc, type, b.getStringAttr(name),
                                         operands)
        .getResult(0);
  }
  Value minus(Value codes, int64_t lowest) {
    if (lowest == 0)
      return codes;
    return arith::SubIOp::create(b, loc, codes, splat(bytes(), lowest));
  }

  Value lookUp(const PairFunction &function, Value first, Value second);
  Value look16(ArrayRef<int64_t> table, unsigned shift, Value index);
  SmallVector<Value> words16(ArrayRef<int64_t> table, Value index);
  Value add(const PairFunction &function, const PairSums &sums, Value first,
            Value second);
};
} // namespace

/// By 16 a + b, of which the highest bit chooses between two halves.
Value PairEmitter::lookUp(const PairFunction &function, Value first,
                          Value second) {
  Value rows =
      arith::ShLIOp::create(b, loc, first, splat(bytes(), 4)).getResult();
  Value index = arith::OrIOp::create(b, loc, rows, second);
  int64_t seconds = function.second.hi - function.second.lo + 1;
  int64_t firsts = function.first.hi - function.first.lo + 1;
  SmallVector<Value> quarters;
  for (int64_t quarter = 0; quarter < 4; ++quarter)
    quarters.push_back(constant(bytes(), [&](int64_t i) -> int64_t {
      int64_t a = (64 * quarter + i) / 16, b = i % 16;
      return a < firsts && b < seconds ? function.at(a, b) : 0;
    }));
  StringRef name = "llvm.x86.avx512.vpermi2var.qi.512";
  Value low = call(name, bytes(), {quarters[0], index, quarters[1]});
  Value high = call(name, bytes(), {quarters[2], index, quarters[3]});
  Value inHigh = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index,
                                       splat(bytes(), 0));
  return arith::SelectOp::create(b, loc, inHigh, high, low);
}

/// Byte `shift / 8` of 16 entries.
Value PairEmitter::look16(ArrayRef<int64_t> table, unsigned shift,
                          Value index) {
  Value entries = constant(bytes(), [&](int64_t i) -> int64_t {
    size_t entry = i % 16;
    return entry < table.size() ? static_cast<int8_t>(table[entry] >> shift)
                                : 0;
  });
  StringRef name =
      lanes == 64 ? "llvm.x86.avx512.pshuf.b.512" : "llvm.x86.avx2.pshuf.b";
  return call(name, bytes(), {entries, index});
}

/// Words of a table, in the order in which `pack` takes them.
SmallVector<Value> PairEmitter::words16(ArrayRef<int64_t> table, Value index) {
  Value low = look16(table, 0, index), high = look16(table, 8, index);
  SmallVector<Value> halves;
  for (int64_t half = 0; half < 2; ++half) {
    SmallVector<int64_t> mask;
    for (int64_t block = 0; block < lanes; block += 16)
      for (int64_t i = 0; i < 8; ++i)
        mask.append({block + 8 * half + i, lanes + block + 8 * half + i});
    Value both = vector::ShuffleOp::create(b, loc, low, high, mask);
    halves.push_back(vector::BitCastOp::create(b, loc, words(), both));
  }
  return halves;
}

Value PairEmitter::add(const PairFunction &function, const PairSums &sums,
                       Value first, Value second) {
  SmallVector<Value> a = words16(sums.first, first);
  SmallVector<Value> c = words16(sums.second, second);
  for (auto [sum, other] : llvm::zip_equal(a, c)) {
    sum = arith::AddIOp::create(b, loc, sum, other);
    sum = arith::ShRSIOp::create(b, loc, sum, splat(words(), sums.shift));
  }
  // What is below the lowest code becomes 0.
  Value code = call(lanes == 64 ? "llvm.x86.avx512.packuswb.512"
                                : "llvm.x86.avx2.packuswb",
                    bytes(), a);
  int64_t lowest = function.results.lo;
  code = arith::MinUIOp::create(b, loc, code,
                                splat(bytes(), function.results.hi - lowest));
  return minus(code, -lowest);
}

Value PairFunctions::emit(OpBuilder &b, Value codes, ArrayRef<Value> planes,
                          int64_t size) const {
  Operation *op = codes.getDefiningOp();
  auto found = functions.find(op);
  if (found == functions.end())
    return {};
  const PairFunction &function = found->second;
  Location loc = op->getLoc();
  PairEmitter e{b, loc, isa >= Isa::Avx512bw ? 64 : 32};
  Value out =
      tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{size}, b.getI8Type());
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  auto loop =
      scf::ForOp::create(b, loc, number(0), number(size), number(e.lanes), out);
  loop->setAttr(parallelAttrName, b.getUnitAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value at = loop.getInductionVar();
  SmallVector<Value> leaves;
  // Named: a list of the loop's own would be gone in its body.
  const a2q::Range codesOf[] = {function.first, function.second};
  for (auto [plane, range] : llvm::zip_equal(planes, ArrayRef(codesOf))) {
    Value vector = vector::TransferReadOp::create(
        b, loc, e.bytes(), plane, at,
        arith::ConstantIntOp::create(b, loc, b.getI8Type(), 0),
        b.getMultiDimIdentityMap(1), ArrayRef<bool>{true});
    leaves.push_back(e.minus(vector, range.lo));
  }
  Value result =
      isa >= Isa::Avx512vbmi
          ? e.lookUp(function, leaves[0], leaves[1])
          : e.add(function, sums.find(op)->second, leaves[0], leaves[1]);
  result =
      vector::TransferWriteOp::create(b, loc, result, loop.getRegionIterArg(0),
                                      at, ArrayRef<bool>{true})
          .getResult();
  scf::YieldOp::create(b, loc, result);
  return loop.getResult(0);
}
