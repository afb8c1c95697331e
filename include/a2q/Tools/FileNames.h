//===- FileNames.h - The files that a command line names --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_FILENAMES_H
#define A2Q_TOOLS_FILENAMES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace a2q {

/// The files that a tool reads and writes. Nothing that is read may be written,
/// under whatever name, and nothing twice.
class FileNames {
public:
  /// A file to read, and what it is in words: "the model". One without a name
  /// is none.
  void read(llvm::StringRef path, llvm::StringRef role);
  /// The files of several `[name=]x.npy`.
  void readArrays(llvm::ArrayRef<std::string> arguments, llvm::StringRef role);

  /// A file to write; `-` is standard output. One without a name is none.
  void write(llvm::StringRef path);

  /// An error when writing to one of the outputs would overwrite an input or
  /// another output.
  llvm::Error check() const;

private:
  struct Input {
    std::string path, role;
  };
  std::vector<Input> inputs;
  std::vector<std::string> outputs;
};

/// The same for a tool that reads the model and writes one file.
llvm::Error checkOutputName(llvm::StringRef output, llvm::StringRef model);

} // namespace a2q

#endif // A2Q_TOOLS_FILENAMES_H
