//===- InputFacts.cpp - What is known of inputs beside ranges -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/InputFacts.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace a2q {

//===----------------------------------------------------------------------===//
// Where facts come from
//===----------------------------------------------------------------------===//

/// More than the relative error of a float32 operation, 2^-24, and of the
/// double arithmetic here.
static constexpr double roundoff = 0x1p-22;

/// More than the absolute error of a float32 operation on tiny numbers.
static constexpr double tiny = 0x1p-140;

/// Leaves a coordinate to its range: an infinite gain.
static void release(Ball &ball, size_t k) {
  ball.gain[k] = std::numeric_limits<double>::infinity();
}

/// The larger of what the coordinate rests at and moves from.
static double magnitude(const Ball &ball, size_t k) {
  return std::max(std::abs(ball.centre[k]), std::abs(ball.resting(k)));
}

/// Whether float32 holds whatever the coordinate can be, far from overflow.
static bool isModerate(const Ball &ball, size_t k) {
  double reach =
      magnitude(ball, k) + ball.gain[k] * ball.radius + ball.slack[k];
  return reach < 1e37;
}

Ball Ball::select(std::span<const int64_t> indices) const {
  auto picked = [&](const std::vector<double> &values) {
    std::vector<double> result;
    result.reserve(indices.size());
    for (int64_t index : indices)
      result.push_back(index < 0 ? 0 : values[static_cast<size_t>(index)]);
    return result;
  };
  Ball result{radius, picked(centre), picked(gain), picked(slack)};
  if (!rest.empty())
    result.rest = picked(rest);
  return result;
}

Ball normalizedBall(size_t length, double share) {
  double summation = static_cast<double>(length) * 0x1p-23;
  Ball ball;
  ball.radius = (1 + 1e-3 + summation) / std::sqrt(share);
  ball.centre.assign(length, 0.0);
  ball.gain.assign(length, 1.0);
  ball.slack.assign(length, tiny);
  return ball;
}

Ball scaled(Ball ball, std::span<const double> factors) {
  for (size_t k = 0; k < ball.length(); ++k) {
    double factor = factors[factors.size() == 1 ? 0 : k];
    ball.centre[k] *= factor;
    if (!ball.rest.empty())
      ball.rest[k] *= factor;
    ball.gain[k] *= std::abs(factor) * (1 + roundoff);
    ball.slack[k] = ball.slack[k] * std::abs(factor) * (1 + roundoff) +
                    magnitude(ball, k) * roundoff + tiny;
    if (!isModerate(ball, k))
      release(ball, k);
  }
  return ball;
}

Ball shifted(Ball ball, std::span<const double> offsets) {
  for (size_t k = 0; k < ball.length(); ++k) {
    double offset = offsets[offsets.size() == 1 ? 0 : k];
    ball.slack[k] = ball.slack[k] * (1 + roundoff) + tiny +
                    (magnitude(ball, k) + std::abs(offset)) * roundoff;
    ball.centre[k] += offset;
    if (!ball.rest.empty())
      ball.rest[k] += offset;
    ball.gain[k] *= 1 + roundoff;
    if (!isModerate(ball, k))
      release(ball, k);
  }
  return ball;
}

/// The most by which rounding moves a value.
static double roundingStep(Rounding rounding) {
  bool toNearest = rounding != Rounding::TowardZero &&
                   rounding != Rounding::Floor && rounding != Rounding::Double;
  return toNearest ? 0.5 : 1.0;
}

std::optional<Ball> quantized(Ball ball, std::span<const double> scales,
                              int64_t zeroPoint, Range codes,
                              Rounding rounding) {
  if (zeroPoint < codes.lo || zeroPoint > codes.hi)
    return std::nullopt;
  double lowest = static_cast<double>(codes.lo - zeroPoint);
  double highest = static_cast<double>(codes.hi - zeroPoint);
  for (size_t k = 0; k < ball.length(); ++k) {
    // The program divides by the scale as a float32.
    double scale = static_cast<float>(scales[scales.size() == 1 ? 0 : k]);
    ball.centre[k] /= scale;
    if (!ball.rest.empty())
      ball.rest[k] = std::clamp(ball.rest[k] / scale, lowest, highest);
    ball.gain[k] *= (1 + roundoff) / scale;
    ball.slack[k] = ball.slack[k] / scale * (1 + roundoff) +
                    magnitude(ball, k) * roundoff + roundingStep(rounding) +
                    0x1p-10;
    // Clipping moves codes towards a centre that is itself among them.
    if (!isModerate(ball, k) || !(ball.centre[k] >= lowest) ||
        !(ball.centre[k] <= highest))
      release(ball, k);
  }
  return ball;
}

Ball dequantized(Ball ball, std::span<const double> scales) {
  if (ball.rest.empty())
    ball.rest.assign(ball.length(), 0.0);
  std::vector<double> factors;
  for (double scale : scales)
    factors.push_back(static_cast<float>(scale));
  return scaled(std::move(ball), factors);
}

Ball clamped(Ball ball, double lo, double hi) {
  for (size_t k = 0; k < ball.length(); ++k)
    if (!(ball.centre[k] >= lo && ball.centre[k] <= hi))
      release(ball, k);
  for (double &rest : ball.rest)
    rest = std::clamp(rest, lo, hi);
  return ball;
}

Ball plusRange(Ball ball, double lo, double hi) {
  double middle = lo / 2 + hi / 2;
  for (double &slack : ball.slack)
    slack += (hi / 2 - lo / 2) * (1 + roundoff);
  double offsets[] = {middle};
  ball = shifted(std::move(ball), offsets);
  for (size_t k = 0; k < ball.length(); ++k)
    if (!isModerate(ball, k))
      release(ball, k);
  return ball;
}

/// Coordinates that rest are counted as such that move.
static Ball withoutRest(Ball ball) {
  for (size_t k = 0; k < ball.rest.size(); ++k)
    ball.slack[k] += std::abs(ball.rest[k] - ball.centre[k]) * (1 + roundoff);
  ball.rest.clear();
  return ball;
}

/// The same ball with a radius that is as large as the norm of the gains.
static Ball balanced(Ball ball) {
  double squares = 0;
  for (double gain : ball.gain)
    if (std::isfinite(gain))
      squares += gain * gain;
  double factor = std::sqrt(std::sqrt(squares) / ball.radius);
  if (!std::isnormal(factor))
    return ball;
  ball.radius *= factor * (1 + roundoff);
  for (double &gain : ball.gain)
    gain /= factor;
  return ball;
}

Ball sumOf(Ball a, Ball b) {
  assert(a.length() == b.length() && "a coordinate for each");
  bool areFinite = !a.rest.empty() && !b.rest.empty();
  a = balanced(withoutRest(std::move(a)));
  b = balanced(withoutRest(std::move(b)));
  a.radius = std::hypot(a.radius, b.radius) * (1 + roundoff);
  for (size_t k = 0; k < a.length(); ++k) {
    a.slack[k] += b.slack[k] + tiny +
                  (std::abs(a.centre[k]) + std::abs(b.centre[k])) * roundoff;
    a.slack[k] *= 1 + roundoff;
    a.centre[k] += b.centre[k];
    a.gain[k] = std::hypot(a.gain[k], b.gain[k]) * (1 + roundoff);
    if (!isModerate(a, k))
      release(a, k);
  }
  if (areFinite)
    a.rest = a.centre;
  return a;
}

std::optional<Ball> concatenated(const Ball &a, const Ball &b, bool areCodes) {
  // A NaN of one side has no number yet.
  if (!areCodes && a.length() > 0 && b.length() > 0 &&
      a.rest.empty() != b.rest.empty())
    return std::nullopt;
  Ball result = a;
  auto append = [](std::vector<double> &values,
                   const std::vector<double> &more) {
    values.insert(values.end(), more.begin(), more.end());
  };
  result.radius = std::hypot(a.radius, b.radius) * (1 + roundoff);
  append(result.centre, b.centre);
  append(result.gain, b.gain);
  append(result.slack, b.slack);
  if (!a.rest.empty() || !b.rest.empty()) {
    result.rest.resize(a.length(), 0);
    append(result.rest, b.rest);
    result.rest.resize(result.length(), 0);
  }
  return result;
}

Ball unboundedBall(size_t length) {
  Ball ball;
  ball.centre.assign(length, 0.0);
  ball.gain.assign(length, std::numeric_limits<double>::infinity());
  ball.slack.assign(length, 0.0);
  return ball;
}

Ball constantBall(size_t length, double lo, double hi) {
  Ball ball;
  ball.centre.assign(length, lo / 2 + hi / 2);
  ball.gain.assign(length, 0.0);
  double half = hi / 2 - lo / 2, middle = std::abs(lo / 2 + hi / 2);
  ball.slack.assign(length, (half + middle * roundoff) * (1 + roundoff));
  return ball;
}

Ball covering(Ball ball, double lo, double hi) {
  double squares = 0;
  for (size_t k = 0; k < ball.length(); ++k) {
    if (std::isinf(ball.gain[k]))
      continue;
    double centre = ball.centre[k];
    double distance =
        std::max(std::abs(lo - centre), std::abs(hi - centre)) - ball.slack[k];
    if (distance <= 0)
      continue;
    double n = distance / ball.gain[k] * (1 + roundoff);
    // More than all others may have: it would cost them more than it is worth.
    if (!(n <= ball.radius))
      release(ball, k);
    else
      squares += n * n;
  }
  ball.radius = std::max(ball.radius, std::sqrt(squares) * (1 + roundoff));
  return ball;
}

Range coordinateRange(const Ball &ball, size_t k, Range codes) {
  if (std::isinf(ball.gain[k]))
    return codes;
  double reach = ball.gain[k] * ball.radius * (1 + roundoff) + ball.slack[k];
  double slack = ball.rest.empty() ? 0 : ball.slack[k];
  double lowest =
      std::ceil(std::min(ball.centre[k] - reach, ball.resting(k) - slack));
  double highest =
      std::floor(std::max(ball.centre[k] + reach, ball.resting(k) + slack));
  Range result = codes;
  if (lowest > static_cast<double>(codes.lo))
    result.lo = static_cast<int64_t>(lowest);
  if (highest < static_cast<double>(codes.hi))
    result.hi = static_cast<int64_t>(highest);
  return {std::max(result.lo, codes.lo), std::min(result.hi, codes.hi)};
}

Simplex probabilities(size_t length) {
  return {1 + 1e-3 + static_cast<double>(length) * 0x1p-23};
}

std::optional<Simplex> quantized(const Simplex &simplex, size_t length,
                                 double scale, int64_t zeroPoint, Range codes,
                                 Rounding rounding) {
  // Below the zero point clipping would move codes up.
  if (zeroPoint < codes.lo || zeroPoint > codes.hi)
    return std::nullopt;
  double total = simplex.total /
                 static_cast<double>(static_cast<float>(scale)) *
                 (1 + roundoff);
  // round(y) <= y + 1/2, and round(y) <= 2 y because it is 0 below 1/2.
  if (roundingStep(rounding) < 1)
    total = std::min(total + static_cast<double>(length) / 2, 2 * total);
  return Simplex{std::floor(total)};
}

//===----------------------------------------------------------------------===//
// The support function of box and ball
//===----------------------------------------------------------------------===//

namespace {
/// What one term adds at most when its coordinate is n away from its centre:
/// `min(cap, base + slope * n)`; and when its code rests.
struct Piece {
  double base = 0, slope = 0, cap = 0, rest = 0;

  /// How far until the cap; infinite where nothing grows.
  double reach() const {
    if (base >= cap)
      return 0;
    return slope > 0 ? (cap - base) / slope
                     : std::numeric_limits<double>::infinity();
  }
  /// The best distance at a multiplier.
  double best(double multiplier) const {
    double reached = reach();
    if (slope <= 0 || reached <= 0)
      return 0;
    return multiplier > 0 ? std::min(reached, slope / multiplier) : reached;
  }
};
} // namespace

/// The multiplier at which the best distances have the norm `radius`; 0 when
/// all terms reach their caps within it.
static double findMultiplier(std::span<const Piece> pieces, double radius) {
  double squares = 0; // of the slopes that are not saturated
  double steepest = 0;
  for (const Piece &piece : pieces)
    if (piece.slope > 0 && piece.base < piece.cap) {
      squares += piece.slope * piece.slope;
      steepest = std::max(steepest,
                          piece.slope * piece.slope / (piece.cap - piece.base));
    }
  double left = radius * radius;
  // Most often no term reaches its cap, and nothing has to be sorted.
  if (double multiplier = std::sqrt(squares / left); steepest <= multiplier)
    return multiplier;
  struct Growing {
    double ratio, reach, slope;
  };
  std::vector<Growing> growing;
  for (const Piece &piece : pieces)
    if (double reach = piece.reach(); piece.slope > 0 && reach > 0)
      growing.push_back({piece.slope / reach, reach, piece.slope});
  std::sort(
      growing.begin(), growing.end(),
      [](const Growing &a, const Growing &b) { return a.ratio > b.ratio; });
  for (const Growing &next : growing) {
    // With what is left of the radius, does the next one stay below its cap?
    if (left <= 0)
      return next.ratio;
    double multiplier = std::sqrt(std::max(squares, 0.0) / left);
    if (multiplier >= next.ratio)
      return multiplier;
    left -= next.reach * next.reach;
    squares -= next.slope * next.slope;
  }
  return 0;
}

/// The integer part of an upper bound.
static Wide floorOf(double value) {
  if (!(value < 0x1p120))
    return wideMax;
  if (value < -0x1p120)
    return wideMin;
  return static_cast<Wide>(std::floor(value));
}

/// The dual function, rounded outward. The multiplier may be anything >= 0.
static Wide dualBound(std::span<const Piece> pieces, double radius,
                      double multiplier) {
  double sum = multiplier * radius * radius / 2, magnitude = sum;
  for (const Piece &piece : pieces) {
    double n = piece.best(multiplier);
    double grown = std::min(piece.cap, piece.base + piece.slope * n);
    double price = multiplier * n * n / 2;
    sum += grown - price;
    magnitude +=
        std::abs(piece.base) + std::abs(piece.cap) + piece.slope * n + price;
  }
  double operations = static_cast<double>(pieces.size()) + 64;
  return floorOf(sum + magnitude * operations * 0x1p-52);
}

static Wide largestSum(std::span<const Piece> pieces, double radius) {
  return dualBound(pieces, radius, findMultiplier(pieces, radius));
}

/// The most that is left of inputs which are not finite: each term at its
/// centre or at rest.
static Wide restingSum(std::span<const Piece> pieces) {
  double sum = 0, magnitude = 0;
  for (const Piece &piece : pieces) {
    double rest = std::max(std::min(piece.base, piece.cap), piece.rest);
    sum += rest;
    magnitude += std::abs(rest);
  }
  double operations = static_cast<double>(pieces.size()) + 64;
  return floorOf(sum + magnitude * operations * 0x1p-52);
}

/// What the term adds because inputs have `shift` on top.
static Interval shiftOf(const DotProduct &dot, const InputFact &fact,
                        size_t k) {
  Interval weights = product(dot.weights[k], fact.factor);
  Interval first = {weights.lo * fact.shift, weights.lo * fact.shift};
  Interval second = {weights.hi * fact.shift, weights.hi * fact.shift};
  return join(first, second);
}

/// Whether products with the weight are exact in double.
static bool isSmall(int64_t weight, Range range, int64_t shift) {
  constexpr int64_t mostWeight = 1 << 20, mostInput = 1ll << 32;
  return weight >= -mostWeight && weight <= mostWeight &&
         range.lo >= -mostInput && range.hi <= mostInput &&
         shift >= -mostInput && shift <= mostInput;
}

/// A term with a small weight (its sign is that of the sum).
static Piece pieceOfSmall(const Ball &ball, size_t k, double weight,
                          Range range, double shift) {
  double cap = std::max(weight * static_cast<double>(range.lo),
                        weight * static_cast<double>(range.hi));
  double zero = weight * shift, steepest = std::abs(weight);
  if (std::isinf(ball.gain[k]))
    return {cap, 0, cap, zero};
  double slack = steepest * ball.slack[k];
  double rest = ball.rest.empty() ? zero : zero + weight * ball.rest[k] + slack;
  return {weight * ball.centre[k] + slack + zero, steepest * ball.gain[k], cap,
          rest};
}

/// A term of the sum, or of the negated sum for `sign == -1`.
static Piece pieceOf(const DotProduct &dot, const InputFact &fact, size_t k,
                     int sign) {
  const Ball &ball = *fact.ball;
  if (fact.factor == Range{1, 1} &&
      isSmall(dot.weights[k], dot.range(k), fact.shift))
    return pieceOfSmall(ball, k, static_cast<double>(sign * dot.weights[k]),
                        dot.range(k), static_cast<double>(fact.shift));
  Interval term = product(dot.weights[k], dot.range(k));
  Interval shift = shiftOf(dot, fact, k);
  auto cap = static_cast<double>(sign > 0 ? term.hi : -term.lo);
  auto zero = static_cast<double>(sign > 0 ? shift.hi : -shift.lo);
  if (std::isinf(ball.gain[k]))
    return {cap, 0, cap, zero};
  Interval weights = product(dot.weights[k], fact.factor);
  double first = sign * static_cast<double>(weights.lo);
  double second = sign * static_cast<double>(weights.hi);
  double steepest = std::max(std::abs(first), std::abs(second));
  double centred = std::max(first * ball.centre[k], second * ball.centre[k]);
  double resting = zero;
  if (!ball.rest.empty())
    resting += std::max(first * ball.rest[k], second * ball.rest[k]) +
               steepest * ball.slack[k];
  return {centred + steepest * ball.slack[k] + zero, steepest * ball.gain[k],
          cap, resting};
}

/// What a partial sum may leave out adds at least 0.
static Piece orNothing(Piece piece) {
  return {std::max({0.0, piece.base, piece.rest}), piece.slope,
          std::max(0.0, piece.cap), 0};
}

/// A term of several vectors, of which any may be NaN: its code may rest while
/// others move.
static Piece orRest(Piece piece) {
  return {std::max(piece.base, piece.rest), piece.slope,
          std::max(piece.cap, piece.rest), piece.rest};
}

/// The upper ends of the final and the prefix interval of the sum, or of the
/// negated one.
static std::pair<Wide, Wide> ballEnds(const DotProduct &dot,
                                      const InputFact &fact,
                                      std::span<const int64_t> terms,
                                      int sign) {
  double radius = fact.ball->radius;
  std::vector<Piece> pieces;
  pieces.reserve(terms.size());
  for (int64_t k : terms)
    pieces.push_back(pieceOf(dot, fact, static_cast<size_t>(k), sign));
  if (fact.vectors != 1)
    std::transform(pieces.begin(), pieces.end(), pieces.begin(), orRest);
  Wide final = std::max(largestSum(pieces, radius), restingSum(pieces));
  std::transform(pieces.begin(), pieces.end(), pieces.begin(), orNothing);
  return {final, largestSum(pieces, radius)};
}

static SumIntervals ballIntervals(const DotProduct &dot, const InputFact &fact,
                                  std::span<const int64_t> terms) {
  auto [finalHi, prefixHi] = ballEnds(dot, fact, terms, 1);
  auto [finalLo, prefixLo] = ballEnds(dot, fact, terms, -1);
  auto negated = [](Wide end) { return end == wideMax ? wideMin : -end; };
  return {{negated(finalLo), finalHi}, {negated(prefixLo), prefixHi}};
}

//===----------------------------------------------------------------------===//
// The support function of box and simplex
//===----------------------------------------------------------------------===//

/// The largest sum of at most `total` units, where a unit of term k adds
/// `value` until the term has reached `cap`. Without the shift.
static Wide simplexEnd(const DotProduct &dot, const InputFact &fact, Wide total,
                       std::span<const int64_t> terms, int sign) {
  struct Filling {
    Wide value, cap;
  };
  std::vector<Filling> fillings;
  for (int64_t k : terms) {
    Interval value = product(dot.weights[k], fact.factor);
    Interval term = product(dot.weights[k], dot.range(k));
    Interval shift = shiftOf(dot, fact, k);
    Filling filling = sign > 0 ? Filling{value.hi, term.hi - shift.lo}
                               : Filling{-value.lo, shift.hi - term.lo};
    if (filling.value > 0 && filling.cap > 0)
      fillings.push_back(filling);
  }
  std::sort(
      fillings.begin(), fillings.end(),
      [](const Filling &a, const Filling &b) { return a.value > b.value; });
  Wide sum = 0;
  for (const Filling &filling : fillings) {
    Wide units = filling.cap / filling.value;
    if (units >= total)
      return sum + std::min(filling.cap, total * filling.value);
    sum += filling.cap;
    total -= units;
  }
  return sum;
}

/// Subsets are in the simplex too, so only the shift tells partial sums apart.
static SumIntervals simplexIntervals(const DotProduct &dot,
                                     const InputFact &fact,
                                     std::span<const int64_t> terms) {
  constexpr Interval anything = {wideMin, wideMax};
  Wide total = floorOf(fact.simplex->total);
  if (total < 0 || total > (Wide(1) << 60))
    return {anything, anything};
  Interval unshifted = {-simplexEnd(dot, fact, total, terms, -1),
                        simplexEnd(dot, fact, total, terms, 1)};
  SumIntervals result = {unshifted, unshifted};
  for (int64_t k : terms) {
    Interval shift = shiftOf(dot, fact, k);
    result.final = result.final + shift;
    result.prefix = result.prefix + join(shift, Interval{0, 0});
  }
  return result;
}

//===----------------------------------------------------------------------===//
// All together
//===----------------------------------------------------------------------===//

SumIntervals boundTerms(const DotProduct &dot, const InputFact &fact,
                        std::span<const int64_t> terms) {
  SumIntervals result;
  for (int64_t k : terms) {
    Interval term = product(dot.weights[k], dot.range(k));
    result.final = result.final + term;
    result.prefix = result.prefix + join(term, Interval{0, 0});
  }
  if (fact.ball) {
    assert(fact.ball->length() == dot.length() && "a coordinate for each term");
    SumIntervals ball = ballIntervals(dot, fact, terms);
    result.final = intersection(result.final, ball.final);
    result.prefix = intersection(result.prefix, ball.prefix);
  }
  if (fact.simplex) {
    SumIntervals simplex = simplexIntervals(dot, fact, terms);
    result.final = intersection(result.final, simplex.final);
    result.prefix = intersection(result.prefix, simplex.prefix);
  }
  return result;
}

SumIntervals boundSum(const DotProduct &dot, const InputFact &fact) {
  std::vector<int64_t> terms(dot.length());
  std::iota(terms.begin(), terms.end(), 0);
  return boundTerms(dot, fact, terms);
}

// How near a bound is to what can happen; no proof rests on it.
std::vector<int64_t> ballWitness(const DotProduct &dot, const InputFact &fact,
                                 bool upper) {
  int sign = upper ? 1 : -1;
  const Ball &ball = *fact.ball;
  std::vector<Piece> pieces;
  for (size_t k = 0; k < dot.length(); ++k)
    pieces.push_back(pieceOf(dot, fact, k, sign));
  double multiplier = findMultiplier(pieces, ball.radius);
  std::vector<int64_t> inputs(dot.length());
  for (size_t k = 0; k < dot.length(); ++k) {
    Range range = dot.range(k);
    bool grows = sign * dot.weights[k] > 0;
    if (std::isinf(ball.gain[k])) {
      inputs[k] = grows ? range.hi : range.lo;
      continue;
    }
    double centre = ball.centre[k] + static_cast<double>(fact.shift);
    double moved = ball.gain[k] * pieces[k].best(multiplier);
    double input =
        grows ? std::floor(centre + moved) : std::ceil(centre - moved);
    // A centre between two integers is rounded.
    if (grows ? input < centre : input > centre)
      input = std::nearbyint(centre);
    inputs[k] = std::clamp(static_cast<int64_t>(input), range.lo, range.hi);
  }
  return inputs;
}

} // namespace a2q
