//===- Centring.cpp - Accumulators that start off zero --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Centring.h"

namespace a2q {

Wide centredStart(Interval interval) {
  // -ceil(s / 2) = floor(-s / 2), and an arithmetic shift rounds down.
  return -(interval.lo + interval.hi) >> 1;
}

} // namespace a2q
