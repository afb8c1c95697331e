//===- ConstraintAttr.cpp - What a layer's weights are to meet ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/ConstraintAttr.h"

#include "a2q/IR/A2QDialect.h"
#include "a2q/Math/Constraining.h"

using namespace mlir;
using namespace a2q;

using EmitError = ConstraintSpec::EmitError;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

static LogicalResult checkWidth(int64_t width, EmitError emitError) {
  if (width >= 1 && width <= 64)
    return success();
  return emitError() << "an accumulator has from 1 to 64 bits, found " << width;
}

static LogicalResult checkTile(int64_t tile, EmitError emitError) {
  if (tile >= 0)
    return success();
  return emitError() << "a tile has at least one term, or is 0 for all of "
                        "them, found "
                     << tile;
}

static LogicalResult checkMethod(StringRef method, EmitError emitError) {
  if (lookupConstraintMethod(method))
    return success();
  InFlightDiagnostic error = emitError() << "unknown method '" << method << "'";
  Diagnostic &note = error.attachNote() << "known methods: ";
  llvm::interleaveComma(
      constraintMethods(), note,
      [&](const ConstraintMethod &known) { note << StringRef(known.name); });
  return error;
}

LogicalResult ConstraintSpec::verify(EmitError emitError) const {
  if (failed(checkWidth(width, emitError)) ||
      failed(checkTile(tile, emitError)) ||
      failed(checkMethod(method, emitError)))
    return failure();
  std::optional<Bound> parsed = parseBound(bound);
  if (bound.empty() || (parsed && getMethod().allows(*parsed)))
    return success();
  InFlightDiagnostic error = emitError() << "method '" << method
                                         << "' has no bound '" << bound << "'";
  Diagnostic &note = error.attachNote() << "its bounds: ";
  llvm::interleaveComma(getMethod().bounds, note, [&](Bound known) {
    note << StringRef(a2q::toString(known));
  });
  return error;
}

const ConstraintMethod &ConstraintSpec::getMethod() const {
  return *lookupConstraintMethod(method);
}

Bound ConstraintSpec::getBound() const {
  return parseBound(bound).value_or(getMethod().bounds.front());
}

//===----------------------------------------------------------------------===//
// Dictionaries
//===----------------------------------------------------------------------===//

ArrayRef<StringRef> ConstraintSpec::keys() {
  static constexpr StringRef keys[] = {"bound", "method", "skip", "tile",
                                       "width"};
  return keys;
}

static LogicalResult readInteger(NamedAttribute entry, int64_t &value,
                                 EmitError emitError) {
  auto integer = dyn_cast<IntegerAttr>(entry.getValue());
  if (!integer || integer.getType().isInteger(1) ||
      integer.getValue().getSignificantBits() > 64)
    return emitError() << "`" << entry.getName().strref()
                       << "` must be an integer, found " << entry.getValue();
  value = integer.getValue().getSExtValue();
  return success();
}

static LogicalResult readString(NamedAttribute entry, std::string &value,
                                EmitError emitError) {
  auto string = dyn_cast<StringAttr>(entry.getValue());
  if (!string)
    return emitError() << "`" << entry.getName().strref()
                       << "` must be a string, found " << entry.getValue();
  value = string.str();
  return success();
}

static LogicalResult readFlag(NamedAttribute entry, bool &value,
                              EmitError emitError) {
  auto flag = dyn_cast<BoolAttr>(entry.getValue());
  if (!flag && !isa<UnitAttr>(entry.getValue()))
    return emitError() << "`" << entry.getName().strref()
                       << "` must be true or false, found " << entry.getValue();
  value = !flag || flag.getValue();
  return success();
}

static LogicalResult readEntry(NamedAttribute entry, ConstraintSpec &result,
                               EmitError emitError) {
  StringRef key = entry.getName();
  int64_t integer = 0;
  if (key == "width") {
    if (failed(readInteger(entry, integer, emitError)) ||
        failed(checkWidth(integer, emitError)))
      return failure();
    result.width = static_cast<unsigned>(integer);
    return success();
  }
  if (key == "tile") {
    if (failed(readInteger(entry, integer, emitError)))
      return failure();
    result.tile = integer;
    return checkTile(integer, emitError);
  }
  if (key == "method") {
    if (failed(readString(entry, result.method, emitError)))
      return failure();
    return checkMethod(result.method, emitError);
  }
  if (key == "bound") {
    if (failed(readString(entry, result.bound, emitError)))
      return failure();
    if (parseBound(result.bound))
      return success();
    return emitError() << "unknown bound '" << result.bound << "'";
  }
  if (key == "skip")
    return readFlag(entry, result.skip, emitError);
  InFlightDiagnostic error = emitError() << "unknown key '" << key << "'";
  llvm::interleaveComma(ConstraintSpec::keys(), error.attachNote()
                                                    << "known keys: ");
  return error;
}

LogicalResult ConstraintSpec::override(DictionaryAttr entries,
                                       EmitError emitError) {
  ConstraintSpec result = *this;
  if (entries.contains("method"))
    result.bound.clear();
  for (NamedAttribute entry : entries)
    if (failed(readEntry(entry, result, emitError)))
      return failure();
  // Of two orders that exclude each other neither is the one that is meant.
  if (result.skip && entries.contains("skip") && entries.size() > 1)
    return emitError() << "`skip` leaves the layer as it is, and `"
                       << llvm::find_if(entries,
                                        [](NamedAttribute entry) {
                                          return entry.getName() != "skip";
                                        })
                              ->getName()
                              .strref()
                       << "` asks for other weights";
  *this = std::move(result);
  return success();
}

/// Whether the op sums codes, or may be a layer that is still in f32: on
/// tensors, or lowered to buffers, where the last operand is the result.
static bool mayAccumulate(Operation *op) {
  if (auto layer = dyn_cast<AccumulatingOpInterface>(op))
    if (layer.isAccumulating())
      return true;
  bool isLowered = op->getNumResults() == 0 && op->getNumOperands() > 0;
  if (!isLowered && op->getNumResults() != 1)
    return false;
  Value result = isLowered ? op->getOperands().back() : op->getResult(0);
  auto type = dyn_cast<ShapedType>(result.getType());
  return type && type.getElementType().isF32();
}

LogicalResult a2q::verifyConstraintOf(Operation *op, Attribute attr) {
  StringRef name = A2QDialect::getConstrainAttrName();
  if (!mayAccumulate(op))
    return op->emitError() << "`" << name
                           << "` belongs to an op that accumulates";
  auto entries = dyn_cast<DictionaryAttr>(attr);
  if (!entries)
    return op->emitError() << "`" << name << "` must be a dictionary, found "
                           << attr;
  return ConstraintSpec().override(
      entries, [&] { return op->emitError() << "`" << name << "`: "; });
}
