//===- OutputFile.cpp - Files that appear complete or not at all -*-C++-*--===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Support/OutputFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

using namespace llvm;
using namespace a2q;

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

namespace {
/// A file that is written but for the last step.
struct Staged {
  /// Where it goes; not a link.
  std::string path;
  StringRef contents;
  /// Absent where there is nothing to move: the contents are yet to be written.
  std::optional<sys::fs::TempFile> file;
};
} // namespace

static Expected<sys::fs::TempFile> writeBeside(StringRef path,
                                               StringRef contents) {
  using namespace sys::fs;
  unsigned mode = owner_read | owner_write | group_read | others_read;
  Expected<TempFile> file = TempFile::create(path + ".%%%%%%%%", mode);
  if (!file)
    return file.takeError();
  raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << contents;
  if (Error error = finish(os)) {
    consumeError(file->discard());
    return std::move(error);
  }
  return file;
}

static Expected<Staged> stage(StringRef path, StringRef contents) {
  Staged result{path.str(), contents, std::nullopt};
  if (path == "-")
    return result;
  sys::fs::file_status status;
  if (sys::fs::status(path, status)) {
    // A link to nothing is no place for a file: moving one there replaces it.
    if (sys::fs::is_symlink_file(path))
      return createStringError("it is a link to what does not exist");
  } else {
    if (sys::fs::is_directory(status))
      return createStringError("it is a directory");
    if (!sys::fs::is_regular_file(status))
      return result;
    // Moving a file over this one asks the folder, not the file.
    if (!sys::fs::can_write(path))
      return createStringError("it is read-only");
    SmallString<128> target;
    if (std::error_code problem = sys::fs::real_path(path, target))
      return errorCodeToError(problem);
    result.path = target.str();
  }
  Expected<sys::fs::TempFile> file = writeBeside(result.path, contents);
  if (!file)
    return file.takeError();
  result.file.emplace(std::move(*file));
  return result;
}

static Error complete(Staged &staged) {
  if (staged.file) {
    Error error = staged.file->keep(staged.path);
    staged.file.reset();
    return error;
  }
  if (staged.path != "-")
    return writeInPlace(staged.path, staged.contents);
  outs() << staged.contents;
  return finish(outs());
}

/// Sets `current` to the file that an error is about.
static Error writeAll(ArrayRef<OutputContents> files, size_t &current) {
  SmallVector<Staged> staged;
  auto write = [&]() -> Error {
    for (current = 0; current < files.size(); ++current) {
      Expected<Staged> next =
          stage(files[current].path, files[current].contents);
      if (!next)
        return next.takeError();
      staged.push_back(std::move(*next));
    }
    // A device may be full; moves come last.
    for (bool moves : {false, true})
      for (current = 0; current < files.size(); ++current)
        if (staged[current].file.has_value() == moves)
          if (Error error = complete(staged[current]))
            return error;
    return Error::success();
  };
  Error error = write();
  for (Staged &file : staged)
    if (file.file)
      consumeError(file.file->discard());
  return error;
}

Error a2q::writeOutputFile(StringRef path, StringRef contents) {
  size_t current;
  return writeAll(OutputContents{path, contents}, current);
}

Error a2q::writeOutputFiles(ArrayRef<OutputContents> files) {
  size_t current;
  Error error = writeAll(files, current);
  if (!error)
    return error;
  return createStringError(
      "'" + files[current].path +
      "': cannot be written: " + toString(std::move(error)));
}
