//===- Centring.h - Accumulators that start off zero ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ESSAY TO WRITE HERE: theory section 2, one worked example, the
// counter-example with two registers.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_CENTRING_H
#define A2Q_MATH_CENTRING_H

#include "a2q/Math/Interval.h"

namespace a2q {

/// The constant that one physical accumulator with this prefix interval begins
/// with: `-ceil((lo + hi) / 2)`. `interval + start` fits `spanWidth(interval)`
/// signed bits.
Wide centredStart(Interval interval);

} // namespace a2q

#endif // A2Q_MATH_CENTRING_H
