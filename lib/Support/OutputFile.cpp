//===- OutputFile.cpp - Files that appear complete or not at all -*-C++-*--===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Support/OutputFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

/// Takes the stream's error: one that nobody takes ends the process.
static Error finish(raw_fd_ostream &os) {
  os.flush();
  std::error_code problem = os.error();
  os.clear_error();
  return errorCodeToError(problem);
}

/// Writes to what is there already.
static Error writeInPlace(StringRef path, StringRef contents) {
  std::error_code problem;
  raw_fd_ostream os(path, problem, sys::fs::CD_OpenExisting);
  if (problem)
    return errorCodeToError(problem);
  os << contents;
  return finish(os);
}

static Error replaceFile(StringRef path, StringRef contents) {
  using namespace sys::fs;
  unsigned mode = owner_read | owner_write | group_read | others_read;
  Expected<TempFile> file = TempFile::create(path + ".%%%%%%%%", mode);
  if (!file)
    return file.takeError();
  raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << contents;
  if (Error error = finish(os)) {
    consumeError(file->discard());
    return error;
  }
  return file->keep(path);
}

Error a2q::writeOutputFile(StringRef path, StringRef contents) {
  if (path == "-") {
    outs() << contents;
    return finish(outs());
  }
  sys::fs::file_status status;
  if (sys::fs::status(path, status))
    // A link to nothing is no place for a file: moving one there replaces it.
    return sys::fs::is_symlink_file(path)
               ? createStringError("it is a link to what does not exist")
               : replaceFile(path, contents);
  if (sys::fs::is_directory(status))
    return createStringError("it is a directory");
  if (!sys::fs::is_regular_file(status))
    return writeInPlace(path, contents);
  // Moving a file over this one asks the folder, not the file.
  if (!sys::fs::can_write(path))
    return createStringError("it is read-only");
  SmallString<128> target;
  if (std::error_code problem = sys::fs::real_path(path, target))
    return errorCodeToError(problem);
  return replaceFile(target, contents);
}
