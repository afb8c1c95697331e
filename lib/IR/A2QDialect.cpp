//===- A2QDialect.cpp - The a2q dialect -----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/A2QDialect.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/ConstraintAttr.h"
#include "a2q/IR/MomentsAttr.h"
#include "a2q/IR/RangeAttr.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace a2q;

#include "a2q/IR/A2QDialect.cpp.inc"
#include "a2q/IR/A2QInterfaces.cpp.inc"

void A2QDialect::initialize() {
  registerTypes();
  registerAttributes();
  registerOps();
  registerBytecode();
}

/// `a2q.range`, C1 to C3. Buffers and pointers that lowering made of tensors
/// keep a range that nobody reads any more.
static LogicalResult verifyRange(Operation *op, Attribute attr, Type type) {
  if (!isa<TensorType>(type) && !type.isIntOrIndexOrFloat())
    return success();
  return parseRangeAttr(attr, type, [op] { return op->emitError(); });
}

LogicalResult A2QDialect::verifyRegionArgAttribute(Operation *op,
                                                   unsigned regionIndex,
                                                   unsigned argIndex,
                                                   NamedAttribute attr) {
  if (attr.getName() != getRangeAttrName())
    return success();
  // The body of a declaration is empty: its type has the argument.
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function || argIndex >= function.getArgumentTypes().size())
    return op->emitError() << "a2q.range belongs to an argument of a function";
  return verifyRange(op, attr.getValue(),
                     function.getArgumentTypes()[argIndex]);
}

/// `a2q.origin`, C7.
static LogicalResult verifyOrigin(Operation *op, Attribute attr) {
  auto accumulating = dyn_cast<AccumulatingOpInterface>(op);
  auto origin = dyn_cast<DictionaryAttr>(attr);
  if (!accumulating || !accumulating.isAccumulating() || !origin)
    return op->emitError() << "a2q.origin is a dictionary of an op that "
                              "accumulates";
  for (NamedAttribute entry : origin) {
    StringRef key = entry.getName();
    auto numbers = dyn_cast<DenseI64ArrayAttr>(entry.getValue());
    if (key == "unsigned_weights" && isa<UnitAttr>(entry.getValue()))
      continue;
    if (key == "weight_zero_points" && numbers) {
      std::optional<int64_t> channels = accumulating.getNumChannels();
      if (numbers.size() != 1 && channels != numbers.size())
        return op->emitError()
               << "a2q.origin has " << numbers.size()
               << " weight_zero_points, expected one or one per channel";
      continue;
    }
    if (key == "image" && numbers) {
      ArrayRef<int64_t> sizes = numbers.asArrayRef();
      Wide points = 1;
      bool valid = sizes.size() == 3;
      for (int64_t size : sizes) {
        valid = valid && size >= 1 && points <= INT64_MAX;
        points *= valid ? size : 1;
      }
      std::optional<int64_t> length = accumulating.getReductionLength();
      if (!valid || !length || points != *length)
        return op->emitError() << "a2q.origin has an image of [" << sizes
                               << "], expected three sizes whose product is K";
      continue;
    }
    return op->emitError() << "a2q.origin has '" << key
                           << "', expected unsigned_weights, array<i64> of "
                              "weight_zero_points and of image";
  }
  return success();
}

LogicalResult A2QDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attr) {
  if (attr.getName() == getMomentsAttrName())
    return verifyMomentsOf(op, attr.getValue());
  if (attr.getName() == getConstrainAttrName())
    return verifyConstraintOf(op, attr.getValue());
  if (attr.getName() == getOriginAttrName())
    return verifyOrigin(op, attr.getValue());
  if (attr.getName() != getRangeAttrName())
    return success();
  if (op->getNumResults() != 1)
    return op->emitError() << "a2q.range belongs to an op with one result, "
                              "found "
                           << op->getNumResults();
  return verifyRange(op, attr.getValue(), op->getResult(0).getType());
}
