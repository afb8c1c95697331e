//===- Program.cpp - A compiled network in this process ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Execution/Program.h"

#include "a2q/Transforms/Entry.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;
using namespace a2q;

Program::Program() = default;
Program::Program(Program &&) = default;
Program::~Program() = default;

Expected<Program> Program::load(std::unique_ptr<MemoryBuffer> object,
                                StringRef prefix,
                                decltype(&a2q_check_failed) onCheckFailed) {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  Program program;
  Expected<std::unique_ptr<orc::LLJIT>> jit = orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  program.jit = std::move(*jit);

  // memcpy and its like come from this process.
  char global = program.jit->getDataLayout().getGlobalPrefix();
  auto process =
      orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(global);
  if (!process)
    return process.takeError();
  orc::JITDylib &library = program.jit->getMainJITDylib();
  library.addGenerator(std::move(*process));
  orc::SymbolMap symbols;
  symbols[program.jit->mangleAndIntern("a2q_check_failed")] = {
      orc::ExecutorAddr::fromPtr(onCheckFailed),
      JITSymbolFlags::Exported | JITSymbolFlags::Callable};
  if (Error error = library.define(orc::absoluteSymbols(std::move(symbols))))
    return std::move(error);

  if (Error error = program.jit->addObjectFile(std::move(object)))
    return std::move(error);
  auto size = program.jit->lookup((prefix + "_workspace_size").str());
  if (!size)
    return size.takeError();
  auto run = program.jit->lookup((prefix + "_run").str());
  if (!run)
    return run.takeError();
  program.entry = run->toPtr<decltype(program.entry)>();
  program.workspaceSize = size->toPtr<size_t (*)()>()();
  return program;
}

int Program::run(ArrayRef<const void *> inputs, ArrayRef<void *> outputs) {
  if (!workspace)
    workspace = std::make_unique<char[]>(workspaceSize);
  return run(inputs, outputs, workspace.get());
}

int Program::run(ArrayRef<const void *> inputs, ArrayRef<void *> outputs,
                 void *workspace) const {
  return entry(inputs.data(), outputs.data(), workspace);
}

std::string Program::describe(int status) {
  switch (static_cast<RunStatus>(status)) {
  case RunStatus::Success:
    return "success";
  case RunStatus::UnsupportedCpu:
    return "this processor lacks instructions of the program";
  case RunStatus::NullPointer:
    return "an array is null";
  case RunStatus::Misaligned:
    return "an array begins in the middle of an element";
  }
  return "the program returned status " + std::to_string(status);
}
