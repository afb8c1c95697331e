//===- RangeState.h - What is known of a value ----------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_ANALYSIS_RANGESTATE_H
#define A2Q_LIB_ANALYSIS_RANGESTATE_H

#include "a2q/Analysis/Ranges.h"
#include "mlir/Analysis/DataFlow/SparseAnalysis.h"
#include "mlir/IR/Value.h"
#include "mlir/Interfaces/InferIntRangeInterface.h"

namespace a2q {

/// Facts are large and shared by the values that they pass through.
using SharedFact = std::shared_ptr<const AxisFact>;

/// Finite float32 values, both ends included.
struct RealRange {
  float lo = 0;
  float hi = 0;

  bool operator==(const RealRange &) const = default;
};

/// What is known of the bits of a value's elements, read as signed and as
/// unsigned: codes of 128 and more of a u8 stay right when they pass through a
/// signless i8, because both readings travel together.
///
/// Codes and integers have the width of their type, sums of `!a2q.acc` tensors
/// 64 bits. Elements that are no integers have `isInteger() == false`; float32
/// ones may have a range of reals, one for all.
class RangeState {
public:
  using Bits = mlir::ConstantIntRanges;

  /// Nothing was visited yet: dead code, or not yet.
  bool isUninitialized() const { return !visited; }
  bool isInteger() const { return !bits.empty(); }
  bool isUniform() const { return bits.size() == 1; }
  int64_t getAxis() const { return axis; }
  /// Entries along the axis; 1 for a uniform one.
  int64_t size() const { return bits.size(); }
  const Bits &at(int64_t index) const {
    return isUniform() ? bits.front() : bits[index];
  }
  Bits joined() const;
  unsigned getWidth() const { return bits.front().smin().getBitWidth(); }
  bool operator==(const RangeState &other) const {
    return visited == other.visited && axis == other.axis &&
           bits == other.bits && real == other.real && sameFact(other);
  }
  /// nullopt: no float32 elements, or they may be anything, NaN included.
  std::optional<RealRange> getReal() const { return real; }

  /// What is known of elements together; may be null.
  const SharedFact &getFact() const { return fact; }
  void setFact(SharedFact known) { fact = std::move(known); }

  static RangeState notInteger();
  /// Real elements; ends that are not finite say that nothing is known.
  static RangeState ofReal(RealRange range);
  static RangeState uniform(Bits bits);
  /// One entry per index along the axis; uniform if they are all equal.
  static RangeState perIndex(int64_t axis, llvm::SmallVector<Bits, 1> bits);
  /// All that elements of the type can be. Not more than the storage range of a
  /// quantized type.
  static RangeState ofType(mlir::Type type);
  /// Ranges of a value of this type, as `a2q.range` gives them.
  static RangeState fromRanges(mlir::Type type, const ElementRanges &ranges);

  /// What callers that are not seen may pass for a value: as its `a2q.range`
  /// promises if it is a function's argument, else all of the type. Calls that
  /// are seen speak for themselves.
  static RangeState onEntry(mlir::Value value);

  static RangeState join(const RangeState &lhs, const RangeState &rhs);
  /// What is in both; `fallback` where that is nothing.
  static RangeState intersect(const RangeState &lhs,
                              const RangeState &fallback);

  /// The same facts as integers of at most 64 bits.
  std::optional<ElementRanges> toRanges(bool isSigned) const;

private:
  bool sameFact(const RangeState &other) const {
    return fact == other.fact || (fact && other.fact && *fact == *other.fact);
  }

  bool visited = false;
  llvm::SmallVector<Bits, 1> bits;
  int64_t axis = -1;
  std::optional<RealRange> real;
  SharedFact fact;
};

/// The fact of vectors of which some are padding: all their elements, codes
/// less the zero point or values, are between `lo` and `hi`.
AxisFact padPositions(AxisFact fact, double lo, double hi);

/// Width of the patterns that stand for elements of this type; 0 when they are
/// no integers.
unsigned patternWidth(mlir::Type type);

/// Whether elements of the type are signed; a signless integer is signed unless
/// its reader says otherwise.
bool readsSigned(mlir::Type type, bool unsignedSignless);

/// `[lo, hi]` as bits of this width; all bits when it does not fit.
RangeState::Bits bitsOf(Interval values, unsigned width);

/// The state of a value in the solver. It knows the bounds that its value obeys
/// by decree (the storage range) and keeps to them, and it gives up after some
/// changes: a loop cannot move an end one by one.
class RangeLattice : public mlir::dataflow::AbstractSparseLattice {
public:
  explicit RangeLattice(mlir::Value value);

  const RangeState &getValue() const { return state; }
  mlir::ChangeResult
  join(const mlir::dataflow::AbstractSparseLattice &rhs) override {
    return joinState(static_cast<const RangeLattice &>(rhs).state);
  }
  mlir::ChangeResult joinState(const RangeState &rhs);
  void print(mlir::raw_ostream &os) const override;

private:
  RangeState state, decreed;
  unsigned changes = 0;
};

} // namespace a2q

#endif // A2Q_LIB_ANALYSIS_RANGESTATE_H
