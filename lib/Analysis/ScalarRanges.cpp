//===- ScalarRanges.cpp - Ranges of constants and scalar ops --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace a2q;

using Bits = RangeState::Bits;

/// Elements of a constant: exact, per index of the last dimension.
static RangeState constantState(Type type, ElementsAttr elements) {
  unsigned width = patternWidth(type);
  auto shaped = dyn_cast<ShapedType>(type);
  if (width == 0 || width > 64 || !shaped || shaped.getNumElements() == 0)
    return RangeState::ofType(type);
  if (elements.isSplat())
    if (auto values = elements.tryGetValues<APInt>())
      return RangeState::uniform(Bits::constant(*values->begin()));
  FailureOr<SmallVector<int64_t>> values = integerElements(elements);
  if (failed(values))
    return RangeState::ofType(type);
  int64_t indices = shaped.getRank() ? shaped.getShape().back() : 1;
  if (indices > maxRangeIndices)
    indices = 1;
  SmallVector<Bits, 1> bits;
  for (auto [i, value] : llvm::enumerate(*values)) {
    Bits element = Bits::constant(
        APInt(width, static_cast<uint64_t>(value), /*isSigned=*/true));
    if (static_cast<int64_t>(i) < indices)
      bits.push_back(element);
    else
      bits[i % indices] = bits[i % indices].rangeUnion(element);
  }
  return RangeState::perIndex(shaped.getRank() - 1, std::move(bits));
}

/// Upstream's inference for one index of the operands.
static SmallVector<Bits> inferOnce(InferIntRangeInterface op,
                                   ArrayRef<IntegerValueRange> operands) {
  SmallVector<Bits> results;
  for (Type type : op->getResultTypes())
    results.push_back(Bits::maxRange(
        std::max(1u, ConstantIntRanges::getStorageBitwidth(type))));
  op.inferResultRangesFromOptional(
      operands, [&](Value value, const IntegerValueRange &range) {
        auto result = dyn_cast<OpResult>(value);
        if (!result || result.getOwner() != op || range.isUninitialized())
          return;
        if (range.getValue().smin().getBitWidth() ==
            results[result.getResultNumber()].smin().getBitWidth())
          results[result.getResultNumber()] = range.getValue();
      });
  return results;
}

/// An axis that all operands which are not uniform agree on, with its size.
static std::pair<int64_t, int64_t> commonAxis(ArrayRef<RangeState> operands) {
  std::pair<int64_t, int64_t> common = {-1, 1};
  for (const RangeState &operand : operands) {
    if (!operand.isInteger() || operand.isUniform())
      continue;
    std::pair<int64_t, int64_t> axis = {operand.getAxis(), operand.size()};
    if (common.second != 1 && common != axis)
      return {-1, 1};
    common = axis;
  }
  return common;
}

SmallVector<RangeState, 1> a2q::inferScalar(Operation *op,
                                            ArrayRef<RangeState> operands) {
  auto inferrable = dyn_cast<InferIntRangeInterface>(op);
  if (!inferrable || op->getNumRegions() != 0)
    return resultsOfTypes(op);
  auto [axis, count] = commonAxis(operands);
  SmallVector<SmallVector<Bits, 1>> entries(op->getNumResults());
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<IntegerValueRange> ranges;
    for (const RangeState &operand : operands)
      ranges.push_back(!operand.isInteger() ? IntegerValueRange()
                       : count == 1 ? IntegerValueRange(operand.joined())
                                    : IntegerValueRange(operand.at(i)));
    for (auto [entry, range] :
         llvm::zip_equal(entries, inferOnce(inferrable, ranges)))
      entry.push_back(range);
  }
  SmallVector<RangeState, 1> results;
  for (auto [type, entry] : llvm::zip_equal(op->getResultTypes(), entries))
    results.push_back(patternWidth(type) == 0 ||
                              patternWidth(type) !=
                                  entry.front().smin().getBitWidth()
                          ? RangeState::ofType(type)
                          : RangeState::perIndex(axis, std::move(entry)));
  return results;
}

SmallVector<RangeState, 1> a2q::transferScalar(Operation *op,
                                               StateLookup states) {
  Attribute constant;
  if (op->getNumResults() == 1 && matchPattern(op, m_Constant(&constant))) {
    if (auto elements = dyn_cast<ElementsAttr>(constant))
      return {constantState(op->getResult(0).getType(), elements)};
    if (auto integer = dyn_cast<IntegerAttr>(constant))
      return {RangeState::uniform(Bits::constant(integer.getValue()))};
  }
  // Only ops that work element by element, or on scalars: a shape op's range is
  // not that of elements.
  bool scalars = llvm::none_of(op->getResultTypes(),
                               [](Type type) { return isa<ShapedType>(type); });
  if (!scalars && !op->hasTrait<OpTrait::Elementwise>())
    return resultsOfTypes(op);
  bool shapedOperands = llvm::any_of(
      op->getOperandTypes(), [](Type type) { return isa<ShapedType>(type); });
  // tensor.extract, vector.reduction and the like are not of this family.
  if (scalars && shapedOperands)
    return resultsOfTypes(op);
  SmallVector<RangeState> operands;
  for (Value operand : op->getOperands())
    operands.push_back(states(operand));
  return inferScalar(op, operands);
}
