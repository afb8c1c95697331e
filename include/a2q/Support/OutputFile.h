//===- OutputFile.h - Files that appear complete or not at all --*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_SUPPORT_OUTPUTFILE_H
#define A2Q_SUPPORT_OUTPUTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace a2q {

/// Writes a file, or standard output for `-`.
///
/// A file is written beside its place and then moved there: on failure an
/// existing file keeps its content, and no part of a new one is left. A
/// symbolic link keeps pointing where it does. What is no file, such as a
/// device or a pipe, is written to and never replaced. The error says what is
/// wrong, not where.
llvm::Error writeOutputFile(llvm::StringRef path, llvm::StringRef contents);

struct OutputContents {
  llvm::StringRef path, contents;
};

/// Writes all of the files, each as above, or none: files are moved to their
/// places once all are written, and devices have taken what is theirs. The
/// error names the file.
llvm::Error writeOutputFiles(llvm::ArrayRef<OutputContents> files);

} // namespace a2q

#endif // A2Q_SUPPORT_OUTPUTFILE_H
