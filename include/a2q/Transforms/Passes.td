//===- Passes.td - Passes of a2q/Transforms
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_PASSES_TD
#define A2Q_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

// Passes in alphabetical order.

def A2QEmitCEntry : Pass<"a2q-emit-c-entry", "::mlir::ModuleOp"> {
  let summary = "Give a lowered module the functions that C programs call";
  let description = [{
    On LLVM functions whose buffers are arguments:

    ```c
    size_t <prefix>_workspace_size(void);
    int <prefix>_run(const void *const *inputs, void *const *outputs,
                     void *workspace);
    ```

    The workspace may have any address: its size includes room to align it.
    The program itself becomes internal. Inputs, outputs and workspace must not
    overlap, and the program is told so.
  }];
  let options = [
    Option<"prefix", "prefix", "std::string", "\"model\"",
           "what the names of the functions begin with">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def A2QPlanWorkspace : Pass<"a2q-plan-workspace", "::mlir::ModuleOp"> {
  let summary = "Place all buffers in one workspace that the caller provides";
  let description = [{
    The entry gets one more argument, `memref<Nxi8>`. Every allocation becomes
    a view of it at an offset that is a multiple of 64; buffers that are never
    alive together may share their place. A program so planned calls no
    allocator and can run in several threads, each with its workspace.

    Preconditions:

    - All calls are inlined, and the entry is one block: lifetimes are counted
      in its operations.
    - Allocations have static shapes.
    - `a2q-prepare-entry` noted how many arguments are inputs; results are
      written to the arguments after them (`buffer-results-to-out-params`).
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect"];
}

def A2QPrepareEntry : Pass<"a2q-prepare-entry", "::mlir::ModuleOp"> {
  let summary = "Check the function that programs call";
  let description = [{
    A program has one public function. It takes and returns tensors of static
    shape that are not empty. Its arguments become read-only for bufferization,
    since they are the caller's, and their number is noted on the function.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def A2QVerifyLowered : Pass<"a2q-verify-lowered"> {
  let summary = "Verify that nothing abstract is left before bufferization";
  let description = [{
    No type of the a2q or the quant dialect, and no tensor or memref of integers
    below 8 bits. One-shot bufferization silently writes invalid memrefs of
    the former; element and vector accesses to the latter disagree.
  }];
}

#endif // A2Q_TRANSFORMS_PASSES_TD
