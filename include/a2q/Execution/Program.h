//===- Program.h - A compiled network in this process -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_EXECUTION_PROGRAM_H
#define A2Q_EXECUTION_PROGRAM_H

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
  /// `prefix` is that of the functions in the object file.
  static llvm::Expected<Program>
  load(std::unique_ptr<llvm::MemoryBuffer> object, llvm::StringRef prefix);
  Program(Program &&);
  ~Program();

  /// Runs the network once. Buffers must not overlap; their sizes are the
  /// signature's. Returns the program's status, 0 for success.
  int run(llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs);

private:
  Program();

  std::unique_ptr<llvm::orc::LLJIT> jit;
  int (*entry)(const void *const *, void *const *, void *) = nullptr;
  std::unique_ptr<char[]> workspace;
};

} // namespace a2q

#endif // A2Q_EXECUTION_PROGRAM_H
