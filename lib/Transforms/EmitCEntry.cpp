//===- EmitCEntry.cpp - The functions that C programs call ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/CpuCheck.h"
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

    SmallVector<StringRef> needed;
    for (const std::string &feature : features) {
      if (!llvm::is_contained(a2q::cpuidFeatures(), feature)) {
        module.emitError("no instruction tells whether a processor has '")
            << feature << "'";
        return signalPassFailure();
      }
      needed.push_back(feature);
    }
    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    buildWorkspaceSize(b, body.getLoc(), get("workspace"));
    Run run = {body, get("inputs"), get("outputs"), get("workspace") != 0,
               cast<DenseI64ArrayAttr>(entry.get("alignments")).asArrayRef()};
    buildRun(b, run, needed);
  }

  struct Run {
    LLVM::LLVMFuncOp body;
    int64_t inputs, outputs;
    bool hasWorkspace;
    ArrayRef<int64_t> alignments; ///< of inputs and outputs
  };

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
  void buildRun(OpBuilder &b, const Run &run, ArrayRef<StringRef> features) {
    OpBuilder::InsertionGuard guard(b);
    LLVM::LLVMFuncOp body = run.body;
    Location loc = body.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    IntegerType i64 = b.getI64Type(), i32 = b.getI32Type();
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, pointer});
    LLVM::LLVMFuncOp check;
    LLVM::GlobalOp known;
    if (!features.empty()) {
      check = a2q::emitCpuCheck(b, loc, prefix.getValue() + "_cpu_has_all",
                                features);
      known = LLVM::GlobalOp::create(
          b, loc, b.getI8Type(), /*isConstant=*/false, LLVM::Linkage::Internal,
          prefix.getValue() + "_cpu_known", b.getI8IntegerAttr(0));
    }
    auto function =
        LLVM::LLVMFuncOp::create(b, loc, prefix.getValue() + "_run", type);
    if (check)
      function.setTargetCpu(a2q::baselineCpu);
    Block *block = function.addEntryBlock(b);
    b.setInsertionPointToEnd(block);

    auto constant = [&](Type t, int64_t v) -> Value {
      return LLVM::ConstantOp::create(b, loc, t, v);
    };
    if (check)
      checkCpu(b, function, check, known);
    SmallVector<Value> arguments;
    auto loadPointers = [&](Value array, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        Value slot = LLVM::GEPOp::create(b, loc, pointer, pointer, array,
                                         ArrayRef<LLVM::GEPArg>{int32_t(i)});
        arguments.push_back(LLVM::LoadOp::create(b, loc, pointer, slot));
      }
    };
    loadPointers(block->getArgument(0), run.inputs);
    loadPointers(block->getArgument(1), run.outputs);

    Value workspace = block->getArgument(2);
    checkPointers(b, function, run, arguments, workspace);
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

  /// Returns `status` where `condition` holds; goes on in a new block.
  void returnIf(OpBuilder &b, LLVM::LLVMFuncOp function, Value condition,
                a2q::RunStatus status) {
    Location loc = function.getLoc();
    Block *here = b.getInsertionBlock();
    Block *stop = b.createBlock(&function.getBody());
    Value code = LLVM::ConstantOp::create(b, loc, b.getI32Type(),
                                          static_cast<int64_t>(status));
    LLVM::ReturnOp::create(b, loc, code);
    Block *next = b.createBlock(&function.getBody());
    b.setInsertionPointToEnd(here);
    LLVM::CondBrOp::create(b, loc, condition, stop, next);
    b.setInsertionPointToEnd(next);
  }

  /// Asks the processor in the first call. Threads that ask at the same time
  /// get the same answer.
  void checkCpu(OpBuilder &b, LLVM::LLVMFuncOp function, LLVM::LLVMFuncOp check,
                LLVM::GlobalOp known) {
    Location loc = function.getLoc();
    Type i8 = b.getI8Type();
    Value address = LLVM::AddressOfOp::create(b, loc, known);
    Value flag = LLVM::LoadOp::create(
        b, loc, i8, address, /*alignment=*/1, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/false,
        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::monotonic);
    Value zero = LLVM::ConstantOp::create(b, loc, i8, 0);
    Value asked =
        LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::ne, flag, zero);
    Block *here = b.getInsertionBlock();
    Block *ask = b.createBlock(&function.getBody());
    Block *next = b.createBlock(&function.getBody());
    b.setInsertionPointToEnd(here);
    LLVM::CondBrOp::create(b, loc, asked, next, ask);

    b.setInsertionPointToEnd(ask);
    Value has = LLVM::CallOp::create(b, loc, check, ValueRange()).getResult();
    Value yes =
        LLVM::ConstantOp::create(b, loc, b.getI1Type(), b.getBoolAttr(true));
    Value lacks = LLVM::XOrOp::create(b, loc, has, yes);
    returnIf(b, function, lacks, a2q::RunStatus::UnsupportedCpu);
    Value one = LLVM::ConstantOp::create(b, loc, i8, 1);
    LLVM::StoreOp::create(b, loc, one, address, /*alignment=*/1,
                          /*isVolatile=*/false, /*isNonTemporal=*/false,
                          /*isInvariantGroup=*/false,
                          LLVM::AtomicOrdering::monotonic);
    LLVM::BrOp::create(b, loc, ValueRange(), next);
    b.setInsertionPointToEnd(next);
  }

  void checkPointers(OpBuilder &b, LLVM::LLVMFuncOp function, const Run &run,
                     ArrayRef<Value> arrays, Value workspace) {
    Location loc = function.getLoc();
    Type i64 = b.getI64Type();
    auto constant = [&](int64_t v) -> Value {
      return LLVM::ConstantOp::create(b, loc, i64, v);
    };
    auto compare = [&](LLVM::ICmpPredicate how, Value value) -> Value {
      return LLVM::ICmpOp::create(b, loc, how, value, constant(0));
    };
    Value null, rest = constant(0);
    auto add = [&](Value pointer, int64_t alignment) {
      Value address = LLVM::PtrToIntOp::create(b, loc, i64, pointer);
      Value isNull = compare(LLVM::ICmpPredicate::eq, address);
      null =
          null ? LLVM::OrOp::create(b, loc, null, isNull).getResult() : isNull;
      if (alignment == 1)
        return;
      Value low = LLVM::AndOp::create(b, loc, address, constant(alignment - 1));
      rest = LLVM::OrOp::create(b, loc, rest, low);
    };
    for (auto [array, alignment] : llvm::zip_equal(arrays, run.alignments))
      add(array, alignment);
    if (run.hasWorkspace)
      add(workspace, 1);
    Value misaligned = compare(LLVM::ICmpPredicate::ne, rest);
    returnIf(b, function, null, a2q::RunStatus::NullPointer);
    returnIf(b, function, misaligned, a2q::RunStatus::Misaligned);
  }
};

} // namespace
