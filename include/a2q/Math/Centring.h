//===- Centring.h - Accumulators that start off zero ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A register of P bits holds 2^P values, half of them negative. An accumulator
// of mostly positive terms uses one half and overflows there. But where its
// interval lies is known when we compile: begin at a constant that moves the
// interval into the register's middle, and subtract the constant where the
// accumulator is widened anyway. Then only the width of the interval matters:
// `hi - lo <= 2^P - 1`. For one range of codes that is a budget on the l1 norm,
// `l1 <= (2^P - 1) / (hi - lo)`, with no condition on signs.
//
// Worked example: 17 weights of +1 and 4-bit codes. Partial sums lie in
// [0, 17 * 15] = [0, 255]; from 0 that needs 9 bits. The start is
// -ceil((0 + 255) / 2) = -128: the register holds [-128, 127], 8 bits to the
// last value, and the sum is what it holds plus 128.
//
// A start belongs to one accumulator. Let the same loop keep two registers, the
// first with eight of the terms from -128, the second with the other nine from
// 0: nine terms reach 135, which 8 bits do not hold. Each register has an
// interval and a start of its own. (`exact`, from start 0, has no such
// condition: any subset of the terms lies in the interval.) The order of terms
// in one register is free.
//
// The start itself is in the register's range, because the empty sum, 0, is a
// partial sum.
//
// Rivals. A2Q+ (arXiv 2401.10432) gets the same budget by weights that sum to
// zero, a constraint on the network. Signed codes with a zero point move every
// term's range instead of the sum's; that comes close, and needs no start, but
// moves positive and negative weights in opposite directions: the row above
// holds [-136, 119] and needs 9 bits. On wrapping hardware the residue mod 2^P
// and the interval identify the value from any start; the constant is merely
// the cheapest decoder.
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
