//===- Feeds.cpp - Arrays for inputs and outputs of a network -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/Feeds.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace llvm;
using namespace a2q;

NamedFile NamedFile::parse(StringRef argument) {
  auto [name, path] = argument.split('=');
  if (path.empty())
    return {"", argument.str()};
  return {name.str(), path.str()};
}

Expected<std::vector<NamedArray>>
a2q::readInputs(ArrayRef<std::string> arguments) {
  std::vector<NamedArray> arrays;
  for (StringRef argument : arguments) {
    NamedFile file = NamedFile::parse(argument);
    Expected<NpyArray> array = readNpy(file.path);
    if (!array)
      return array.takeError();
    arrays.push_back({std::move(file), std::move(*array)});
  }
  return arrays;
}

/// For each file the index of the input or output that it stands for.
static Expected<SmallVector<size_t>>
match(StringRef what, ArrayRef<TensorSpec> specs, ArrayRef<NamedFile> files) {
  std::string names;
  raw_string_ostream os(names);
  interleave(
      specs, os, [&](const TensorSpec &spec) { os << "'" << spec.name << "'"; },
      ", ");
  SmallVector<bool> taken(specs.size());
  SmallVector<size_t> indices(files.size());
  for (auto [file, index] : zip_equal(files, indices)) {
    if (file.name.empty())
      continue;
    auto *spec = find_if(
        specs, [&](const TensorSpec &s) { return s.name == file.name; });
    if (spec == specs.end())
      return createStringError("the model has no " + what + " '" + file.name +
                               "'; it has " + names);
    index = spec - specs.begin();
    if (taken[index])
      return createStringError(what + " '" + file.name + "' is given twice");
    taken[index] = true;
  }
  for (auto [file, index] : zip_equal(files, indices)) {
    if (!file.name.empty())
      continue;
    index = find(taken, false) - taken.begin();
    if (index == specs.size())
      return createStringError("'" + Twine(file.path) + "' is one " + what +
                               " too many; the model has " + names);
    taken[index] = true;
  }
  return indices;
}

template <typename T>
static std::optional<size_t> findOutside(const ArrayView &array,
                                         const ElementRanges &ranges,
                                         int64_t &value) {
  size_t inner = 1, axisSize = 1;
  if (!ranges.isUniform()) {
    axisSize = array.shape[ranges.axis];
    for (size_t d = ranges.axis + 1; d < array.shape.size(); ++d)
      inner *= array.shape[d];
  }
  const char *data = array.data.data();
  for (size_t i = 0, e = array.data.size() / sizeof(T); i < e; ++i) {
    T element;
    std::memcpy(&element, data + i * sizeof(T), sizeof(T));
    value = element;
    Range range = ranges.at(i / inner % axisSize);
    if (value < range.lo || value > range.hi)
      return i;
  }
  return std::nullopt;
}

static Error checkRange(const TensorSpec &spec, const ArrayView &array) {
  if (!spec.range)
    return Error::success();
  int64_t value = 0;
  std::optional<size_t> outside;
  switch (spec.kind) {
  case ElementKind::I8:
    outside = findOutside<int8_t>(array, *spec.range, value);
    break;
  case ElementKind::U8:
    outside = findOutside<uint8_t>(array, *spec.range, value);
    break;
  case ElementKind::I16:
    outside = findOutside<int16_t>(array, *spec.range, value);
    break;
  case ElementKind::U16:
    outside = findOutside<uint16_t>(array, *spec.range, value);
    break;
  case ElementKind::I32:
    outside = findOutside<int32_t>(array, *spec.range, value);
    break;
  case ElementKind::U32:
    outside = findOutside<uint32_t>(array, *spec.range, value);
    break;
  case ElementKind::I64:
    outside = findOutside<int64_t>(array, *spec.range, value);
    break;
  case ElementKind::F32:
    break;
  }
  if (!outside)
    return Error::success();
  Range range = spec.range->joined();
  return createStringError("element " + Twine(*outside) + " is " +
                           Twine(value) + ", outside of the integers from " +
                           Twine(range.lo) + " to " + Twine(range.hi) +
                           " that input '" + spec.name + "' promises");
}

/// How often the network has to run for this array; an error when its shape
/// does not fit.
static Expected<int64_t> countRuns(const TensorSpec &spec,
                                   const ArrayView &array) {
  ArrayRef<int64_t> shape = array.shape, wanted = spec.shape;
  if (shape == wanted)
    return 1;
  if (shape.size() == wanted.size() && !shape.empty() && shape[0] > 0 &&
      shape[0] % wanted[0] == 0 && shape.drop_front() == wanted.drop_front())
    return shape[0] / wanted[0];
  return createStringError("has shape " + formatShape(shape) + ", input '" +
                           spec.name + "' takes " + spec.describe() +
                           " or a multiple along the first dimension");
}

Expected<int64_t> a2q::bindInput(const TensorSpec &spec,
                                 const ArrayView &array) {
  if (array.kind != spec.kind)
    return createStringError("holds " + numpyName(array.kind) + ", input '" +
                             spec.name + "' takes " + spec.describe());
  Expected<int64_t> count = countRuns(spec, array);
  if (!count)
    return count;
  if (Error error = checkRange(spec, array))
    return std::move(error);
  return count;
}

std::vector<InputShape> a2q::shapesOf(ArrayRef<NamedArray> arrays) {
  std::vector<InputShape> shapes;
  for (const NamedArray &input : arrays)
    shapes.push_back({input.file.name, input.array.shape});
  return shapes;
}

Expected<Feeds> Feeds::bind(const Signature &signature,
                            std::vector<NamedArray> inputs,
                            ArrayRef<std::string> outputFiles) {
  Feeds feeds;
  SmallVector<NamedFile> files;
  for (const NamedArray &input : inputs)
    files.push_back(input.file);
  auto inputIndices = match("input", signature.inputs, files);
  if (!inputIndices)
    return inputIndices.takeError();
  feeds.inputArrays.resize(signature.inputs.size());
  SmallVector<bool> given(signature.inputs.size());
  SmallVector<int64_t> runs;
  for (auto [input, index] : zip_equal(inputs, *inputIndices)) {
    const TensorSpec &spec = signature.inputs[index];
    const NpyArray &array = input.array;
    Expected<int64_t> count =
        bindInput(spec, {array.kind, array.shape, array.data});
    if (!count)
      return fileError(input.file.path, toString(count.takeError()));
    runs.push_back(*count);
    given[index] = true;
    feeds.inputArrays[index] = std::move(input.array);
  }
  for (auto [spec, isGiven] : zip_equal(signature.inputs, given))
    if (!isGiven)
      return createStringError("input '" + spec.name +
                               "' is missing; the model takes " +
                               spec.describe());
  if (!all_equal(runs))
    return createStringError("the inputs are different multiples of the "
                             "model's shapes along the first dimension");
  feeds.runs = runs.empty() ? 1 : runs.front();

  SmallVector<NamedFile> outputs;
  for (StringRef argument : outputFiles)
    outputs.push_back(NamedFile::parse(argument));
  auto outputIndices = match("output", signature.outputs, outputs);
  if (!outputIndices)
    return outputIndices.takeError();
  feeds.outputPaths.resize(signature.outputs.size());
  for (auto [file, index] : zip_equal(outputs, *outputIndices))
    feeds.outputPaths[index] = file.path;
  for (const TensorSpec &spec : signature.outputs) {
    NpyArray array{spec.kind, spec.shape, {}};
    if (feeds.runs != 1) {
      if (array.shape.empty())
        return createStringError("output '" + spec.name +
                                 "' has no dimension along which several runs "
                                 "could be joined");
      array.shape[0] *= feeds.runs;
    }
    array.data.resize(spec.sizeInBytes() * feeds.runs);
    array.isTruth = spec.isTruth;
    feeds.outputArrays.push_back(std::move(array));
  }
  return feeds;
}

int64_t Feeds::getLeadingSize() const {
  if (inputArrays.empty() || inputArrays.front().shape.empty())
    return 1;
  return inputArrays.front().shape.front();
}

SmallVector<const void *> Feeds::inputs(int64_t run) const {
  return map_to_vector(inputArrays, [&](const NpyArray &array) -> const void * {
    return array.data.data() + array.data.size() / runs * run;
  });
}

SmallVector<void *> Feeds::outputs(int64_t run) {
  return map_to_vector(outputArrays, [&](NpyArray &array) -> void * {
    return array.data.data() + array.data.size() / runs * run;
  });
}

Error Feeds::writeOutputs() const {
  SmallVector<std::pair<StringRef, const NpyArray *>> files;
  for (const auto &[path, array] : zip_equal(outputPaths, outputArrays))
    if (!path.empty())
      files.emplace_back(path, &array);
  return writeNpyFiles(files);
}
