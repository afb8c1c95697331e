//===- Requantization.cpp - From accumulators to codes --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Requantization.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace a2q {

/// Whether a value between the integers `floor` and `floor + 1` rounds up.
/// `half` compares the distance from `floor` with one half: negative, 0 for a
/// tie, positive. The value is not an integer.
static bool roundsUp(bool floorIsNegative, bool floorIsOdd, int half,
                     Rounding rounding) {
  switch (rounding) {
  case Rounding::HalfEven:
    return half > 0 || (half == 0 && floorIsOdd);
  case Rounding::HalfUp:
  case Rounding::Double: // What it adds beside depends on the shift.
    return half >= 0;
  case Rounding::HalfAway:
    return half > 0 || (half == 0 && !floorIsNegative);
  case Rounding::TowardZero:
    return floorIsNegative;
  case Rounding::Floor:
    return false;
  }
  return false;
}

/// Exact for every float: a float with a fraction is below 2^24, so floor,
/// difference and parity are exact in double. Independent of the rounding mode
/// of the floating-point environment.
static double roundToInteger(double value, Rounding rounding) {
  double floor = std::floor(value);
  double fraction = value - floor;
  if (!(fraction > 0)) // An integer, an infinity, or NaN.
    return value;
  int half = fraction > 0.5 ? 1 : fraction < 0.5 ? -1 : 0;
  bool odd = std::fmod(floor, 2.0) != 0;
  return roundsUp(floor < 0, odd, half, rounding) ? floor + 1 : floor;
}

static int64_t clampToCodes(Wide value, Range codes) {
  return static_cast<int64_t>(
      std::clamp<Wide>(value, static_cast<Wide>(codes.lo), codes.hi));
}

/// clamp(round(value) + zeroPoint) of a real value; NaN counts as 0.
static int64_t encode(float value, int64_t zeroPoint, Range codes,
                      Rounding rounding) {
  if (std::isnan(value))
    return clampToCodes(zeroPoint, codes);
  // Codes and zero points are 64-bit integers, so whatever is beyond 2^100
  // saturates; the clamp keeps the conversion to an integer defined.
  double limit = std::ldexp(1.0, 100);
  double rounded = std::clamp(roundToInteger(value, rounding), -limit, limit);
  return clampToCodes(static_cast<Wide>(rounded) + zeroPoint, codes);
}

int64_t quantize(float value, float scale, int64_t zeroPoint, Range codes,
                 Rounding rounding) {
  float quotient = value / scale;
  return encode(quotient, zeroPoint, codes, rounding);
}

int64_t requantize(Wide sum, float multiplier, int64_t zeroPoint, Range codes,
                   Rounding rounding) {
  float product = static_cast<float>(sum) * multiplier;
  return encode(product, zeroPoint, codes, rounding);
}

/// What double rounding adds to a product beside one half. It is at most half
/// of one half, so that the floor of the result is the one that roundsUp takes.
static Wide nudge(Wide sum, unsigned shift, Rounding rounding) {
  if (rounding != Rounding::Double || shift <= 31)
    return 0;
  Wide most = Wide(1) << 30;
  return sum < 0 ? -most : most;
}

int64_t requantize(Wide sum, int64_t multiplier, unsigned shift,
                   int64_t zeroPoint, Range codes, Rounding rounding) {
  assert(multiplier > 0 && shift <= 62 && "not a requantization factor");
  // sum = high * 2^shift + low, so that sum * multiplier / 2^shift is
  // high * multiplier + low * multiplier / 2^shift and the second product is
  // below 2^125.
  Wide one = 1;
  Wide mask = (one << shift) - 1;
  Wide high = sum >> shift;
  Wide lowProduct = (sum & mask) * multiplier;
  Wide floor;
  if (__builtin_mul_overflow(high, static_cast<Wide>(multiplier), &floor) ||
      __builtin_add_overflow(floor, lowProduct >> shift, &floor))
    return high < 0 ? codes.lo : codes.hi;
  Wide remainder = lowProduct & mask;
  if (remainder != 0) {
    Wide twice = 2 * (remainder + nudge(sum, shift, rounding));
    int half = twice > mask + 1 ? 1 : twice <= mask ? -1 : 0;
    bool odd = (floor & 1) != 0;
    if (roundsUp(floor < 0, odd, half, rounding))
      ++floor;
  }
  if (__builtin_add_overflow(floor, static_cast<Wide>(zeroPoint), &floor))
    return high < 0 ? codes.lo : codes.hi;
  return clampToCodes(floor, codes);
}

} // namespace a2q
