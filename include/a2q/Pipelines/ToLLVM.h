//===- ToLLVM.h - From quantized tensors to the LLVM dialect ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PIPELINES_TOLLVM_H
#define A2Q_PIPELINES_TOLLVM_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace a2q {

struct ToLLVMOptions : mlir::PassPipelineOptions<ToLLVMOptions> {
  Option<std::string> targetCpu{
      *this, "target-cpu",
      llvm::cl::desc("the processor to generate code for; the host by default"),
      llvm::cl::init("")};
  Option<std::string> isa{
      *this, "isa",
      llvm::cl::desc("instructions that kernels use: portable, avx2, avx512bw, "
                     "avx512vnni, avx512vbmi; the best of the processor by "
                     "default"),
      llvm::cl::init("")};
  Option<bool> checkAccumulators{
      *this, "check-accumulators",
      llvm::cl::desc("compare every accumulator with what its type promises; "
                     "the program then calls a2q_check_failed"),
      llvm::cl::init(false)};
  Option<std::string> planes{
      *this, "planes",
      llvm::cl::desc("layers that become lists of planes: auto (where that is "
                     "faster), always (where it is possible), never"),
      llvm::cl::init("auto")};
  Option<std::string> lookUps{
      *this, "look-ups",
      llvm::cl::desc("layers that look sums up in tables: auto (where that is "
                     "faster), always (where it is possible), never; 16, 64: "
                     "always, in tables of so many"),
      llvm::cl::init("auto")};
  Option<unsigned> lanes{
      *this, "lanes",
      llvm::cl::desc("bits of the lanes of planes: 8, 16, 32; 0 chooses"),
      llvm::cl::init(0)};
  Option<unsigned> threads{
      *this, "threads",
      llvm::cl::desc(
          "how many threads share the work of a layer; more than one "
          "needs the OpenMP library of LLVM at run time"),
      llvm::cl::init(1)};
  Option<std::string> prefix{
      *this, "prefix",
      llvm::cl::desc("what the names of the C functions begin with"),
      llvm::cl::init("model")};
};

/// Lowers a module with proven accumulators to the LLVM dialect: the functions
/// <prefix>_run and <prefix>_workspace_size, and no call of a run-time library
/// but for OpenMP's where there are several threads.
/// An unknown processor is an error when the pipeline runs.
void buildToLLVMPipeline(mlir::OpPassManager &pm, const ToLLVMOptions &options);

/// Registers `a2q-to-llvm-pipeline`.
void registerToLLVMPipeline();

} // namespace a2q

#endif // A2Q_PIPELINES_TOLLVM_H
