//===- Arrays.cpp - Arrays bound to inputs and outputs --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model.h"

namespace nb = nanobind;
using namespace llvm;
using namespace a2q;
using namespace a2q::python;

static std::optional<ElementKind> kindOf(nb::dlpack::dtype type) {
  static constexpr ElementKind kinds[] = {
      ElementKind::I8,  ElementKind::U8,  ElementKind::I16, ElementKind::U16,
      ElementKind::I32, ElementKind::U32, ElementKind::I64, ElementKind::F32};
  static const nb::dlpack::dtype types[] = {
      nb::dtype<int8_t>(),   nb::dtype<uint8_t>(), nb::dtype<int16_t>(),
      nb::dtype<uint16_t>(), nb::dtype<int32_t>(), nb::dtype<uint32_t>(),
      nb::dtype<int64_t>(),  nb::dtype<float>()};
  for (auto [kind, known] : zip_equal(kinds, types))
    if (type == known)
      return kind;
  return std::nullopt;
}

template <typename ArrayType>
static SmallVector<int64_t> shapeOf(const ArrayType &array) {
  SmallVector<int64_t> shape;
  for (size_t d = 0; d < array.ndim(); ++d)
    shape.push_back(static_cast<int64_t>(array.shape(d)));
  return shape;
}

static Failure failureOf(const TensorSpec &spec, const Twine &what) {
  return Failure(("array for '" + spec.name + "': " + what).str());
}

Buffers::Buffers(const Signature &signature, const std::vector<Array> &inputs,
                 const std::vector<MutableArray> &outputs) {
  if (inputs.size() != signature.inputs.size())
    throw Failure("the network takes " +
                  std::to_string(signature.inputs.size()) +
                  " inputs, there are " + std::to_string(inputs.size()));
  for (auto [index, spec] : enumerate(signature.inputs)) {
    const Array &array = inputs[index];
    std::optional<ElementKind> kind = kindOf(array.dtype());
    if (!kind)
      throw failureOf(spec, "elements of this dtype are not known; the network "
                            "takes " +
                                spec.describe());
    SmallVector<int64_t> shape = shapeOf(array);
    auto *data = const_cast<char *>(static_cast<const char *>(array.data()));
    Expected<int64_t> count =
        bindInput(spec, {*kind, shape, {data, array.nbytes()}});
    if (!count)
      throw failureOf(spec, toString(count.takeError()));
    if (index && *count != runs)
      throw Failure("the inputs are different multiples of the network's "
                    "shapes along the first dimension");
    runs = *count;
    inputBuffers.push_back({data, spec.sizeInBytes()});
  }
  if (!outputs.empty() && outputs.size() != signature.outputs.size())
    throw Failure("an array for each output is wanted");
  for (auto [index, array] : enumerate(outputs)) {
    const TensorSpec &spec = signature.outputs[index];
    if (runs != 1 && spec.shape.empty())
      throw Failure("output '" + spec.name +
                    "' has no dimension along which several runs could be "
                    "joined");
    if (kindOf(array.dtype()) != spec.kind ||
        array.nbytes() != spec.sizeInBytes() * runs)
      throw failureOf(spec, "does not take the output");
    outputBuffers.push_back(
        {static_cast<char *>(array.data()), spec.sizeInBytes()});
  }
}

CalibrationData Buffers::getData() const {
  CalibrationData data;
  data.runs = runs;
  for (const Buffer &buffer : inputBuffers)
    data.arrays.push_back(buffer.data);
  return data;
}

SmallVector<const void *> Buffers::inputs(int64_t run) const {
  SmallVector<const void *> pointers;
  for (const Buffer &buffer : inputBuffers)
    pointers.push_back(buffer.data + buffer.bytes * run);
  return pointers;
}

SmallVector<void *> Buffers::outputs(int64_t run) const {
  SmallVector<void *> pointers;
  for (const Buffer &buffer : outputBuffers)
    pointers.push_back(buffer.data + buffer.bytes * run);
  return pointers;
}

nb::list a2q::python::toPython(ArrayRef<TensorSpec> specs) {
  nb::list list;
  for (const TensorSpec &spec : specs) {
    nb::list shape;
    for (int64_t size : spec.shape)
      shape.append(size);
    nb::object range = nb::none();
    if (spec.range) {
      Range joined = spec.range->joined();
      range = nb::make_tuple(joined.lo, joined.hi);
    }
    list.append(nb::make_tuple(toText(spec.name),
                               toText(numpyName(spec.kind).str()),
                               nb::tuple(shape), range, toText(spec.meaning)));
  }
  return list;
}
