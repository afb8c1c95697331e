//===- VerifyLowered.cpp - Nothing abstract reaches bufferization -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/A2QDialect.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace a2q {
#define GEN_PASS_DEF_A2QVERIFYLOWERED
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

namespace {

/// Why memory cannot hold values of a type, and what to do about it.
struct Objection {
  Type type;
  StringRef remedy;
};

std::optional<Objection> objectTo(Type type) {
  std::optional<Objection> found;
  type.walk([&](Type nested) {
    if (isa<a2q::A2QDialect>(nested.getDialect()))
      found = {nested,
               "run convert-a2q-to-vector, which computes accumulators"};
    else if (isa<quant::QuantDialect>(nested.getDialect()))
      found = {nested, "run convert-a2q-to-linalg, which turns codes into "
                       "integers"};
    else if (auto shaped = dyn_cast<ShapedType>(nested);
             shaped && isa<TensorType, BaseMemRefType>(nested)) {
      auto integer = dyn_cast<IntegerType>(shaped.getElementType());
      if (integer && integer.getWidth() < 8)
        found = {nested, "elements of memory have at least 8 bits: extend the "
                         "integers, signed or unsigned, where they are made"};
    }
    return found ? WalkResult::interrupt() : WalkResult::advance();
  });
  return found;
}

struct VerifyLowered : a2q::impl::A2QVerifyLoweredBase<VerifyLowered> {
  void runOnOperation() override {
    WalkResult result = getOperation()->walk([](Operation *op) {
      if (isa_and_nonnull<tosa::TosaDialect>(op->getDialect())) {
        op->emitOpError("was not lowered: there is no implementation for its "
                        "operands");
        return WalkResult::interrupt();
      }
      SmallVector<Type> types(op->getOperandTypes());
      llvm::append_range(types, op->getResultTypes());
      if (auto function = dyn_cast<FunctionOpInterface>(op))
        types.push_back(function.getFunctionType());
      for (Region &region : op->getRegions())
        for (Block &block : region)
          llvm::append_range(types, block.getArgumentTypes());
      for (Type type : types)
        if (std::optional<Objection> objection = objectTo(type)) {
          InFlightDiagnostic diagnostic = op->emitOpError("uses ")
                                          << objection->type
                                          << ", which no memory can hold";
          diagnostic.attachNote() << objection->remedy;
          return WalkResult::interrupt();
        }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
