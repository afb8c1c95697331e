//===- FileNames.cpp - The files that a command line names ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/FileNames.h"

#include "a2q/Tools/Feeds.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace a2q;

void FileNames::read(StringRef path, StringRef role) {
  if (!path.empty())
    inputs.push_back({path.str(), role.str()});
}

void FileNames::readArrays(ArrayRef<std::string> arguments, StringRef role) {
  for (StringRef argument : arguments)
    read(NamedFile::parse(argument).path, role);
}

void FileNames::write(StringRef path) {
  if (!path.empty())
    outputs.push_back(path.str());
}

/// The path without links and dots in its folder; the file may not exist.
static std::string placeOf(StringRef path) {
  SmallString<128> folder(sys::path::parent_path(path)), place;
  if (sys::fs::real_path(folder.empty() ? StringRef(".") : folder.str(), place))
    return path.str();
  sys::path::append(place, sys::path::filename(path));
  return place.str().str();
}

/// Whether one output would replace the other or mix with it. A device or a
/// pipe takes several.
static bool collide(StringRef one, StringRef other) {
  if (one == "-" || other == "-")
    return one == other;
  if (sys::fs::equivalent(one, other))
    return sys::fs::is_regular_file(one);
  return !sys::fs::exists(one) && placeOf(one) == placeOf(other);
}

Error FileNames::check() const {
  for (auto [index, output] : enumerate(outputs)) {
    for (const Input &input : inputs)
      if (sys::fs::equivalent(output, input.path))
        return createStringError("'" + output + "': is " + input.role +
                                 "; give the output another name");
    for (const std::string &other : ArrayRef(outputs).take_front(index))
      if (collide(output, other))
        return createStringError("'" + output +
                                 "': is named for two outputs; give each a "
                                 "name of its own");
  }
  return Error::success();
}

Error a2q::checkOutputName(StringRef output, StringRef model) {
  FileNames files;
  files.read(model, "the model");
  files.write(output);
  return files.check();
}
