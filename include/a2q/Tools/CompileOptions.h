//===- CompileOptions.h - What the tools do with a network ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_COMPILEOPTIONS_H
#define A2Q_TOOLS_COMPILEOPTIONS_H

#include "a2q/Execution/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/CommandLine.h"

namespace a2q {

/// The options that the tools share. A tool's main constructs them before it
/// parses its command line.
class CompileOptions {
public:
  llvm::cl::opt<std::string> targetCpu{
      "target-cpu",
      llvm::cl::desc("processor to generate code for (default: this one)"),
      llvm::cl::value_desc("name")};

  /// The processor; an error when its name is unknown.
  llvm::Expected<CpuTarget> getTarget() const;

  /// From a loaded network to the LLVM dialect. Fails with a diagnostic.
  mlir::LogicalResult lower(mlir::ModuleOp module,
                            llvm::StringRef prefix) const;
};

/// Prints "error: ..." and returns the exit status 1.
int reportError(llvm::Error error);

} // namespace a2q

#endif // A2Q_TOOLS_COMPILEOPTIONS_H
