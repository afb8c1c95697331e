//===- Integers.cpp - Many integers in few bytes --------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Integers.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SwapByteOrder.h"

using namespace a2q::frontend;

static_assert(llvm::sys::IsLittleEndianHost,
              "elements are the low bytes of an int64_t");

void Integers::fit(int64_t value) {
  bool isNegative = hasNegative || value < 0, isLarge = hasLarge || value > 127;
  unsigned needed = 8;
  if (value >= -128 && value <= 255 && !(isNegative && isLarge))
    needed = 1;
  else if (llvm::isInt<16>(value))
    needed = 2;
  else if (llvm::isInt<32>(value))
    needed = 4;
  if (needed > width) {
    std::vector<char> wider(size() * needed);
    for (size_t at = 0, end = size(); at < end; ++at) {
      int64_t element = get(at);
      std::memcpy(wider.data() + at * needed, &element, needed);
    }
    wider.reserve(bytes.capacity() / width * needed);
    bytes = std::move(wider);
    width = needed;
  }
  hasNegative = isNegative;
  hasLarge = isLarge;
}

std::vector<char> Integers::littleEndian(unsigned elementSize) const {
  std::vector<char> result(size() * elementSize);
  for (size_t at = 0, end = size(); at < end; ++at) {
    int64_t element = get(at);
    std::memcpy(result.data() + at * elementSize, &element, elementSize);
  }
  return result;
}
