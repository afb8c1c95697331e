//===- Compiled.h - Networks as programs -----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_PYTHON_COMPILED_H
#define A2Q_PYTHON_COMPILED_H

#include "Model.h"

#include "a2q/Execution/Program.h"

namespace a2q::python {

struct CompileArguments {
  /// "auto", "proven" or a number of bits.
  std::string accumulator = "auto";
  std::string targetCpu, isa;
  bool checkAccumulators = false;
  std::string prefix = "model";
};

/// An object file and, where this processor can run it, the program.
class Compiled {
public:
  Compiled(Signature signature, std::unique_ptr<llvm::MemoryBuffer> object,
           const CompileArguments &arguments);

  void loadProgram();
  /// Why there is no program; empty when there is one.
  std::string missing;

  /// Any number of threads at the same time.
  void run(const std::vector<Array> &inputs,
           const std::vector<MutableArray> &outputs) const;

  /// Both files or none.
  void save(const std::string &object, const std::string &header) const;

  const Signature &getSignature() const { return signature; }

private:
  class Workspace;
  /// Workspaces that no thread is using.
  struct Pool {
    std::mutex mutex;
    std::vector<std::unique_ptr<char[]>> idle;
  };

  Signature signature;
  std::unique_ptr<llvm::MemoryBuffer> object;
  CompileArguments arguments;
  std::optional<Program> program;
  std::unique_ptr<Pool> pool = std::make_unique<Pool>();
};

Compiled compile(const Model &model, const CompileArguments &arguments);

} // namespace a2q::python

#endif // A2Q_PYTHON_COMPILED_H
