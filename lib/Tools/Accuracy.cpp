//===- Accuracy.cpp - Classifications against labels ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/Accuracy.h"

#include <cstring>

using namespace llvm;
using namespace a2q;

/// An element as a double: exact for all kinds but large 64-bit integers.
static double elementAt(const NpyArray &array, size_t index) {
  auto as = [&]<typename T>(T element) -> double {
    std::memcpy(&element, array.data.data() + index * sizeof(T), sizeof(T));
    return static_cast<double>(element);
  };
  switch (array.kind) {
  case ElementKind::I8:
    return as(int8_t());
  case ElementKind::U8:
    return as(uint8_t());
  case ElementKind::I16:
    return as(int16_t());
  case ElementKind::U16:
    return as(uint16_t());
  case ElementKind::I32:
    return as(int32_t());
  case ElementKind::U32:
    return as(uint32_t());
  case ElementKind::I64:
    return as(int64_t());
  case ElementKind::F32:
    return as(float());
  }
  llvm_unreachable("all kinds are listed");
}

Expected<Accuracy> a2q::measureAccuracy(const NpyArray &scores,
                                        StringRef labelsPath) {
  Expected<NpyArray> labels = readNpy(labelsPath);
  if (!labels)
    return labels.takeError();
  if (labels->kind == ElementKind::F32)
    return fileError(labelsPath, "holds float32, labels are integers");
  if (scores.shape.empty())
    return createStringError("the first output is a scalar: it has no classes");
  size_t classes = scores.shape.back();
  size_t total = scores.data.size() / sizeInBytes(scores.kind) / classes;
  size_t given = labels->data.size() / sizeInBytes(labels->kind);
  if (given != total)
    return fileError(labelsPath, "holds " + Twine(given) +
                                     " labels, the first output has " +
                                     Twine(total) + " rows");
  Accuracy accuracy;
  accuracy.total = total;
  for (size_t row = 0; row < total; ++row) {
    size_t best = 0;
    for (size_t i = 1; i < classes; ++i)
      if (elementAt(scores, row * classes + i) >
          elementAt(scores, row * classes + best))
        best = i;
    accuracy.correct += elementAt(*labels, row) == static_cast<double>(best);
  }
  return accuracy;
}
