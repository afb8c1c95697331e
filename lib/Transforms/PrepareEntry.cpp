//===- PrepareEntry.cpp - One function that programs call -------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Entry.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

namespace a2q {
#define GEN_PASS_DEF_A2QPREPAREENTRY
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

FailureOr<func::FuncOp> a2q::findEntry(ModuleOp module) {
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    if (entry) {
      InFlightDiagnostic diagnostic =
          function.emitOpError("is the second public function");
      diagnostic.attachNote(entry.getLoc())
          << "a program has one entry; make all functions but one private";
      return failure();
    }
    entry = function;
  }
  if (!entry)
    return module.emitError("the module has no public function to call");
  return entry;
}

std::optional<int64_t> a2q::countBytes(ArrayRef<int64_t> shape,
                                       Type elementType) {
  int64_t bytes = 8; // of codes and indices at most, whatever holds them
  if (elementType.isIntOrFloat())
    bytes = llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8);
  if (llvm::is_contained(shape, 0))
    return 0;
  for (int64_t size : shape)
    if (llvm::MulOverflow(bytes, size, bytes))
      return std::nullopt;
  return bytes;
}

namespace {

/// Every size and offset is an `index`, of 64 bits.
LogicalResult verifySizes(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    for (Type type : op->getResultTypes()) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || !tensor.hasStaticShape() ||
          a2q::countBytes(tensor.getShape(), tensor.getElementType()))
        continue;
      op->emitError("makes a ")
          << tensor << ", whose bytes 64 bits cannot count";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult verifyBoundary(func::FuncOp entry, StringRef what, unsigned index,
                             Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && tensor.hasStaticShape() &&
      !llvm::is_contained(tensor.getShape(), 0)) {
    if (a2q::countBytes(tensor.getShape(), tensor.getElementType()))
      return success();
    return entry.emitOpError() << what << " " << index << " has type " << type
                               << ", whose bytes 64 bits cannot count";
  }
  return entry.emitOpError() << what << " " << index << " has type " << type
                             << ", but programs exchange tensors of static "
                                "shape that are not empty";
}

struct PrepareEntry : a2q::impl::A2QPrepareEntryBase<PrepareEntry> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> entry = a2q::findEntry(getOperation());
    if (failed(entry) || failed(verifySizes(getOperation())))
      return signalPassFailure();
    // Ranges of tensors are none of the scalars that they are lowered to, which
    // would inherit them. Those of arguments are on functions.
    getOperation().walk([](Operation *op) {
      op->removeAttr(a2q::A2QDialect::getRangeAttrName());
    });
    for (auto [index, type] : llvm::enumerate(entry->getArgumentTypes())) {
      if (failed(verifyBoundary(*entry, "argument", index, type)))
        return signalPassFailure();
      entry->setArgAttr(index,
                        bufferization::BufferizationDialect::kWritableAttrName,
                        BoolAttr::get(&getContext(), false));
    }
    if (entry->getNumResults() == 0) {
      entry->emitOpError("returns nothing");
      return signalPassFailure();
    }
    for (auto [index, type] : llvm::enumerate(entry->getResultTypes()))
      if (failed(verifyBoundary(*entry, "result", index, type)))
        return signalPassFailure();
    Builder b(&getContext());
    (*entry)->setAttr(
        a2q::entryAttrName,
        b.getDictionaryAttr(b.getNamedAttr(
            "inputs", b.getI64IntegerAttr(entry->getNumArguments()))));
  }
};

} // namespace
