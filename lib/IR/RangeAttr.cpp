//===- RangeAttr.cpp - Ranges as attributes -------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/RangeAttr.h"

#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace a2q;

a2q::Range ElementRanges::joined() const {
  Range all = ranges.front();
  for (Range range : ranges)
    all = join(all, range);
  return all;
}

Attribute a2q::rangeAttr(MLIRContext *context, const ElementRanges &ranges) {
  Builder builder(context);
  if (ranges.isUniform())
    return builder.getI64ArrayAttr({ranges.ranges[0].lo, ranges.ranges[0].hi});
  SmallVector<int64_t> lo, hi;
  for (Range range : ranges.ranges) {
    lo.push_back(range.lo);
    hi.push_back(range.hi);
  }
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("axis", builder.getI64IntegerAttr(ranges.axis)),
       builder.getNamedAttr("lo", builder.getDenseI64ArrayAttr(lo)),
       builder.getNamedAttr("hi", builder.getDenseI64ArrayAttr(hi))});
}

/// Both forms of the attribute, whatever the type; nullopt when malformed.
static std::optional<ElementRanges> readRanges(Attribute attr) {
  ElementRanges result;
  if (auto ends = dyn_cast<ArrayAttr>(attr)) {
    if (ends.size() != 2)
      return std::nullopt;
    auto lo = dyn_cast<IntegerAttr>(ends[0]);
    auto hi = dyn_cast<IntegerAttr>(ends[1]);
    if (!lo || !hi || !lo.getType().isSignlessInteger(64) ||
        !hi.getType().isSignlessInteger(64))
      return std::nullopt;
    result.ranges.push_back(
        {lo.getValue().getSExtValue(), hi.getValue().getSExtValue()});
    return result;
  }
  auto dict = dyn_cast<DictionaryAttr>(attr);
  if (!dict)
    return std::nullopt;
  auto axis = dict.getAs<IntegerAttr>("axis");
  auto lo = dict.getAs<DenseI64ArrayAttr>("lo");
  auto hi = dict.getAs<DenseI64ArrayAttr>("hi");
  if (dict.size() != 3 || !axis || !lo || !hi || lo.size() != hi.size() ||
      lo.empty() || axis.getValue().getSignificantBits() > 32)
    return std::nullopt;
  result.axis = axis.getValue().getSExtValue();
  for (int64_t i = 0; i < lo.size(); ++i)
    result.ranges.push_back({lo[i], hi[i]});
  return result;
}

/// The integers that elements of the type can hold; those of a signless type
/// may be meant as signed or as unsigned.
static std::optional<Interval> elementInterval(Type type, bool asUnsigned) {
  if (auto quantized = getQuantizedType(type)) {
    Range codes = codeRange(quantized);
    return Interval{codes.lo, codes.hi};
  }
  Type element = getElementTypeOrSelf(type);
  unsigned bits = 64;
  if (auto integer = dyn_cast<IntegerType>(element)) {
    bits = integer.getWidth();
    asUnsigned = integer.isUnsigned() || (asUnsigned && integer.isSignless());
  } else if (!element.isIndex() && !isa<AccumulatorType>(element)) {
    return std::nullopt;
  }
  if (bits == 0 || bits > 64)
    return std::nullopt;
  if (asUnsigned)
    return Interval{0, (Wide(1) << bits) - 1};
  return signedInterval(bits);
}

FailureOr<ElementRanges>
a2q::parseRangeAttr(Attribute attr, Type type,
                    function_ref<InFlightDiagnostic()> emitError) {
  std::optional<ElementRanges> ranges = readRanges(attr);
  std::string name = ("`" + A2QDialect::getRangeAttrName() + "`").str();
  // C1
  if (!ranges)
    return emitError() << name
                       << " must be [lo, hi] or {axis, lo, hi} with 64-bit "
                          "integers, found "
                       << attr;
  for (Range range : ranges->ranges)
    if (range.lo > range.hi)
      return emitError() << name << " [" << range.lo << ", " << range.hi
                         << "] has no element, its ends are swapped";
  // C2
  std::optional<Interval> asSigned = elementInterval(type, false);
  if (!asSigned)
    return emitError() << name
                       << " belongs to integers of at most 64 bits or "
                          "codes, found "
                       << type;
  Range all = ranges->joined();
  if (!asSigned->contains(Interval{all.lo, all.hi}) &&
      !elementInterval(type, true)->contains(Interval{all.lo, all.hi}))
    return emitError() << name << " [" << all.lo << ", " << all.hi
                       << "] does not fit the elements of " << type;
  // C3
  if (ranges->axis < 0 && ranges->isUniform())
    return *ranges;
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank() || ranges->axis < 0 ||
      ranges->axis >= shaped.getRank() ||
      shaped.getDimSize(ranges->axis) !=
          static_cast<int64_t>(ranges->ranges.size()))
    return emitError() << name << " has " << ranges->ranges.size()
                       << " ranges along dimension " << ranges->axis << ", "
                       << type << " does not";
  if (ranges->isUniform())
    ranges->axis = -1;
  return *ranges;
}
