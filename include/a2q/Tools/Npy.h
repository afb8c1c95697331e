//===- Npy.h - NumPy's file format ------------------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_NPY_H
#define A2Q_TOOLS_NPY_H

#include "a2q/Execution/Signature.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace a2q {

/// A dense row-major array of a .npy file.
struct NpyArray {
  ElementKind kind;
  llvm::SmallVector<int64_t> shape;
  std::vector<char> data;
  bool isTruth = false; ///< bytes of 0 or 1, NumPy's bool
};

/// Reads a .npy file (format 1 to 3, little-endian, C order). Errors name the
/// file and what is wrong with it.
llvm::Expected<NpyArray> readNpy(llvm::StringRef path);

/// Writes a .npy file; whole or not at all.
llvm::Error writeNpy(llvm::StringRef path, const NpyArray &array);

/// All of them or none.
llvm::Error writeNpyFiles(
    llvm::ArrayRef<std::pair<llvm::StringRef, const NpyArray *>> files);

/// An error that begins with the file's name.
llvm::Error fileError(llvm::StringRef path, const llvm::Twine &message);

} // namespace a2q

#endif // A2Q_TOOLS_NPY_H
