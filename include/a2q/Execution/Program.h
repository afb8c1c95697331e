//===- Program.h - A compiled network in this process -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_EXECUTION_PROGRAM_H
#define A2Q_EXECUTION_PROGRAM_H

#include "a2q/Execution/CheckFailed.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace a2q {

/// An object file linked into this process. Calls from several threads are
/// safe as long as each has its own `Program` or its own workspace.
class Program {
public:
  /// `prefix` is that of the functions in the object file. Programs with
  /// accumulator checks call `onCheckFailed`; when it returns they go on, and
  /// what they compute means nothing.
  static llvm::Expected<Program>
  load(std::unique_ptr<llvm::MemoryBuffer> object, llvm::StringRef prefix,
       decltype(&a2q_check_failed) onCheckFailed = &a2q_check_failed);
  Program(Program &&);
  ~Program();

  /// Runs the network once. Buffers must not overlap; their sizes are the
  /// signature's. Returns the program's status, 0 for success.
  int run(llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs);
  /// The same in the caller's workspace of at least `getWorkspaceSize()` bytes.
  int run(llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
          void *workspace) const;
  /// What a status means, for messages: "the processor lacks ...".
  static std::string describe(int status);
  size_t getWorkspaceSize() const { return workspaceSize; }

private:
  Program();

  std::unique_ptr<llvm::orc::LLJIT> jit;
  int (*entry)(const void *const *, void *const *, void *) = nullptr;
  size_t workspaceSize = 0;
  std::unique_ptr<char[]> workspace;
};

} // namespace a2q

#endif // A2Q_EXECUTION_PROGRAM_H
