//===- Requantization.h - From accumulators to codes ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The scalar definition of `a2q.quantize` and `a2q.requantize`: what the
// lowerings are held against, and what range analysis evaluates at the ends of
// an interval (both are monotone).
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_REQUANTIZATION_H
#define A2Q_MATH_REQUANTIZATION_H

#include "a2q/Math/Interval.h"

namespace a2q {

/// Rounding of a real value to an integer. HalfEven is ONNX QuantizeLinear;
/// HalfUp (ties toward +infinity) is TOSA's single rounding; HalfAway is
/// TFLite's; TowardZero and Floor as named. Double is TOSA's double rounding
/// and for products with a shift only: it adds 2^(shift - 1) and, for shifts
/// above 31, 2^30 with the sign of the sum before it shifts.
enum class Rounding { HalfEven, HalfUp, HalfAway, TowardZero, Floor, Double };

/// Saturated code: clamp(round(value / scale) + zeroPoint), the division in
/// float32 (ONNX QuantizeLinear). NaN gives the zero point, clamped.
int64_t quantize(float value, float scale, int64_t zeroPoint, Range codes,
                 Rounding rounding = Rounding::HalfEven);

/// clamp(round(float32(sum) * multiplier) + zeroPoint): sum (accumulator +
/// bias, exact) is converted to float32 (nearest even), multiplied in float32.
int64_t requantize(Wide sum, float multiplier, int64_t zeroPoint, Range codes,
                   Rounding rounding = Rounding::HalfEven);

/// clamp(round(sum * multiplier / 2^shift) + zeroPoint), exact integers;
/// multiplier > 0, 0 <= shift <= 62.
int64_t requantize(Wide sum, int64_t multiplier, unsigned shift,
                   int64_t zeroPoint, Range codes,
                   Rounding rounding = Rounding::HalfUp);

} // namespace a2q

#endif // A2Q_MATH_REQUANTIZATION_H
