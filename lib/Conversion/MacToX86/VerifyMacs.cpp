//===- VerifyMacs.cpp - Proves exact pairs once more ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

namespace a2q {
#define GEN_PASS_DEF_A2QVERIFYMACS
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

/// The constants that the weights of a mac are read from, whole rows at a time
/// so that pairs stay pairs.
static FailureOr<SmallVector<int64_t>> weightConstants(MacOp op) {
  Value source = op.getRhs();
  if (auto read = source.getDefiningOp<vector::TransferReadOp>()) {
    auto type = cast<ShapedType>(read.getBase().getType());
    int64_t row = type.getShape().empty() ? 0 : type.getShape().back();
    auto vector = cast<VectorType>(op.getRhs().getType());
    if (row != vector.getNumElements() ||
        !matchPattern(read.getIndices().back(), m_Zero()))
      return failure();
    source = read.getBase();
  }
  ElementsAttr elements;
  if (!matchPattern(source, m_Constant(&elements)))
    return failure();
  return integerElements(elements);
}

static LogicalResult verifyMac(MacOp op) {
  if (!op.getPairExact())
    return success();
  FailureOr<SmallVector<int64_t>> weights = weightConstants(op);
  if (failed(weights))
    return op.emitOpError("promises exact pairs, but its weights are not rows "
                          "of a constant");
  a2q::Range codes = {(*op.getLhsRange())[0], (*op.getLhsRange())[1]};
  if (op.getLhsUnsigned() && (codes.lo < 0 || codes.hi > 255))
    return op.emitOpError() << "promises exact pairs for codes [" << codes.lo
                            << ", " << codes.hi << "], which are no bytes";
  for (size_t i = 0; i + 1 < weights->size(); i += 2)
    if (!pairIsExact((*weights)[i], codes, (*weights)[i + 1], codes)) {
      InFlightDiagnostic diagnostic =
          op.emitOpError() << "promises exact pairs, but weights "
                           << (*weights)[i] << " and " << (*weights)[i + 1]
                           << " with codes [" << codes.lo << ", " << codes.hi
                           << "] leave 16 bits";
      diagnostic.attachNote()
          << "without `pair_exact` the op wraps and is lowered exactly";
      return failure();
    }
  return success();
}

namespace {
struct A2QVerifyMacs : a2q::impl::A2QVerifyMacsBase<A2QVerifyMacs> {
  void runOnOperation() override {
    bool broken = false;
    getOperation()->walk([&](MacOp op) { broken |= failed(verifyMac(op)); });
    if (broken)
      signalPassFailure();
  }
};
} // namespace
