//===- EmitCEntry.cpp - The functions that C programs call ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Entry.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace a2q {
#define GEN_PASS_DEF_A2QEMITCENTRY
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

namespace {

struct EmitCEntry : a2q::impl::A2QEmitCEntryBase<EmitCEntry> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    LLVM::LLVMFuncOp body;
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (function->hasAttr(a2q::entryAttrName))
        body = function;
    if (!body) {
      module.emitError("no function has a planned workspace").attachNote()
          << "run a2q-plan-workspace before the conversion to LLVM";
      return signalPassFailure();
    }
    auto entry = body->getAttrOfType<DictionaryAttr>(a2q::entryAttrName);
    auto get = [&](StringRef name) {
      return cast<IntegerAttr>(entry.get(name)).getInt();
    };
    body->removeAttr(a2q::entryAttrName);
    body.setLinkage(LLVM::Linkage::Internal);
    // Buffers do not overlap: the calling convention says so.
    for (unsigned i = 0, e = body.getNumArguments(); i < e; ++i)
      body.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      UnitAttr::get(&getContext()));
    body.setName((prefix.getValue() + "_body"));

    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    buildWorkspaceSize(b, body.getLoc(), get("workspace"));
    buildRun(b, body, get("inputs"), get("outputs"));
  }

  /// size_t <prefix>_workspace_size(void): room to align as well.
  void buildWorkspaceSize(OpBuilder &b, Location loc, int64_t size) {
    OpBuilder::InsertionGuard guard(b);
    auto type = LLVM::LLVMFunctionType::get(b.getI64Type(), {});
    auto function = LLVM::LLVMFuncOp::create(
        b, loc, prefix.getValue() + "_workspace_size", type);
    b.setInsertionPointToEnd(function.addEntryBlock(b));
    int64_t bytes = size ? size + a2q::workspaceAlignment - 1 : 0;
    Value result = LLVM::ConstantOp::create(b, loc, b.getI64Type(), bytes);
    LLVM::ReturnOp::create(b, loc, result);
  }

  /// int <prefix>_run(inputs, outputs, workspace).
  void buildRun(OpBuilder &b, LLVM::LLVMFuncOp body, int64_t inputs,
                int64_t outputs) {
    OpBuilder::InsertionGuard guard(b);
    Location loc = body.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    IntegerType i64 = b.getI64Type(), i32 = b.getI32Type();
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, pointer});
    auto function =
        LLVM::LLVMFuncOp::create(b, loc, prefix.getValue() + "_run", type);
    Block *block = function.addEntryBlock(b);
    b.setInsertionPointToEnd(block);

    auto constant = [&](Type t, int64_t v) -> Value {
      return LLVM::ConstantOp::create(b, loc, t, v);
    };
    SmallVector<Value> arguments;
    auto loadPointers = [&](Value array, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        Value slot = LLVM::GEPOp::create(b, loc, pointer, pointer, array,
                                         ArrayRef<LLVM::GEPArg>{int32_t(i)});
        arguments.push_back(LLVM::LoadOp::create(b, loc, pointer, slot));
      }
    };
    loadPointers(block->getArgument(0), inputs);
    loadPointers(block->getArgument(1), outputs);

    Value workspace = block->getArgument(2);
    Value address = LLVM::PtrToIntOp::create(b, loc, i64, workspace);
    Value negated = LLVM::SubOp::create(b, loc, constant(i64, 0), address);
    Value gap = LLVM::AndOp::create(b, loc, negated,
                                    constant(i64, a2q::workspaceAlignment - 1));
    arguments.push_back(LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(),
                                            workspace,
                                            ArrayRef<LLVM::GEPArg>{gap}));
    LLVM::CallOp::create(b, loc, body, arguments);
    LLVM::ReturnOp::create(b, loc, constant(i32, 0));
  }
};

} // namespace
