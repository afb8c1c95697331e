//===- Kernels.cpp - Loops that are compiled per processor ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <cstring>
#include <limits>

// Clones are chosen by the dynamic linker (ifunc), which glibc has.
#if defined(__x86_64__) && defined(__gnu_linux__)
#define A2Q_PER_PROCESSOR                                                      \
  __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define A2Q_PER_PROCESSOR
#endif

namespace a2q {

// Vectors wider than a register are split by the compiler; they never cross a
// call.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpsabi"
#elif defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
#define A2Q_INLINE [[gnu::always_inline]] static inline
#define A2Q_INLINED __attribute__((always_inline))

namespace {
constexpr size_t kLanes = 8;
using Vector [[gnu::vector_size(kLanes * sizeof(double))]] = double;
constexpr double kNone = -std::numeric_limits<double>::infinity();
} // namespace

/// All of `value`.
A2Q_INLINE Vector splat(double value) { return Vector{} + value; }

A2Q_INLINE Vector load(const double *from) {
  Vector result;
  std::memcpy(&result, from, sizeof result);
  return result;
}

/// The first `count` values, then `rest`.
A2Q_INLINE Vector loadSome(const double *from, size_t count, double rest) {
  Vector result = splat(rest);
  std::memcpy(&result, from, count * sizeof(double));
  return result;
}

A2Q_INLINE double total(Vector lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

A2Q_INLINE Vector larger(Vector a, Vector b) { return a > b ? a : b; }

/// The nearest integer in [0, limit].
A2Q_INLINE Vector integerOf(Vector magnitude, Vector limit) {
  // Adding and subtracting it rounds a double to an integer.
  Vector rounder = splat(0x1.8p52);
  Vector inside = larger(magnitude, Vector{});
  inside = inside < limit ? inside : limit;
  return (inside + rounder) - rounder;
}

A2Q_PER_PROCESSOR
SignedSums thresholdSums(const double *values, const double *inverses,
                         size_t length, double limit, SignedSums theta) {
  Vector pos = {}, neg = {}, most = splat(limit);
  auto add = [&](Vector value, Vector inverse) A2Q_INLINED {
    pos += integerOf(value - theta.pos * inverse, most);
    neg += integerOf(-value - theta.neg * inverse, most);
  };
  size_t i = 0;
  for (; i + kLanes <= length; i += kLanes)
    add(load(values + i), load(inverses + i));
  if (i < length)
    add(loadSome(values + i, length - i, 0),
        loadSome(inverses + i, length - i, 0));
  return {total(pos), total(neg)};
}

A2Q_PER_PROCESSOR
WeightedSums weightedSums(const WeightedMagnitudes &all, double inverseScale,
                          double theta, double limit) {
  Vector sum = {}, uq = {}, qq = {}, most = splat(limit);
  const double *magnitudes = all.magnitudes, *weights = all.weights,
               *inverses = all.inverses;
  auto add = [&](Vector magnitude, Vector weight, Vector inverse) A2Q_INLINED {
    Vector integer =
        integerOf(magnitude * inverseScale - theta * inverse, most);
    Vector weighted = weight * integer;
    sum += integer;
    uq += weighted * magnitude;
    qq += weighted * integer;
  };
  size_t i = 0;
  for (; i + kLanes <= all.length; i += kLanes)
    add(load(magnitudes + i), load(weights + i), load(inverses + i));
  if (size_t rest = all.length - i)
    add(loadSome(magnitudes + i, rest, 0), loadSome(weights + i, rest, 0),
        loadSome(inverses + i, rest, 0));
  return {total(sum), total(uq), total(qq)};
}

namespace {
/// The gains of a step up and a step down.
struct UpDown {
  Vector up, down;
};

/// Some terms of a layer's steps.
struct Part {
  Vector q, hq, hu, diagonal;
};
} // namespace

A2Q_INLINE Part wholePart(const StepTerms &terms, size_t i) {
  Part part = {load(terms.q + i), load(terms.hq + i), load(terms.hu + i),
               load(terms.diagonal + i)};
  if (terms.column)
    part.hq += terms.by * load(terms.column + i);
  return part;
}

A2Q_INLINE Part lastPart(const StepTerms &terms, size_t i, size_t count) {
  // NaN is on no side of 0: the rest gains nothing.
  double nan = std::numeric_limits<double>::quiet_NaN();
  Part part = {
      loadSome(terms.q + i, count, nan), loadSome(terms.hq + i, count, 0),
      loadSome(terms.hu + i, count, 0), loadSome(terms.diagonal + i, count, 0)};
  if (terms.column)
    part.hq += terms.by * loadSome(terms.column + i, count, 0);
  return part;
}

/// The largest gains by what a weight is.
template <typename GainsOf>
A2Q_INLINE StepGains largestGains(const StepTerms &terms, size_t length,
                                  double limit, const GainsOf &gainsOf) {
  Vector none = splat(kNone), most = splat(limit), zero = {};
  Vector growUp = none, growDown = none, shrinkDown = none, shrinkUp = none;
  auto offer = [&](const Part &part) A2Q_INLINED {
    UpDown gains = gainsOf(part);
    Vector up = part.q < most ? gains.up : none;
    Vector down = part.q > -most ? gains.down : none;
    growUp = larger(part.q >= zero ? up : none, growUp);
    growDown = larger(part.q <= zero ? down : none, growDown);
    shrinkDown = larger(part.q > zero ? gains.down : none, shrinkDown);
    shrinkUp = larger(part.q < zero ? gains.up : none, shrinkUp);
  };
  size_t i = 0;
  for (; i + kLanes <= length; i += kLanes)
    offer(wholePart(terms, i));
  if (i < length)
    offer(lastPart(terms, i, length - i));
  StepGains result = {kNone, kNone, kNone, kNone};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const double gains[] = {growUp[lane], growDown[lane], shrinkDown[lane],
                            shrinkUp[lane]};
    for (size_t kind = 0; kind < 4; ++kind)
      result[kind] = gains[kind] > result[kind] ? gains[kind] : result[kind];
  }
  return result;
}

A2Q_PER_PROCESSOR
StepGains presentGains(const StepTerms &terms, size_t length, double scale,
                       double limit) {
  return largestGains(terms, length, limit,
                      [&](const Part &part) __attribute__((always_inline)) {
                        Vector slope = 2.0 * (part.hu - scale * part.hq);
                        Vector cost = scale * part.diagonal;
                        return UpDown{slope - cost, -slope - cost};
                      });
}

/// The square of the cosine to u, but for its length; 0 where it points away.
A2Q_INLINE Vector alignment(Vector qhu, Vector qhq) {
  Vector zero = {}, squared = qhu * qhu / qhq;
  squared = qhu > zero ? squared : zero;
  return qhq > zero ? squared : zero;
}

A2Q_PER_PROCESSOR
StepGains bestGains(const StepTerms &terms, size_t length, double qhq,
                    double qhu, double limit) {
  return largestGains(terms, length, limit,
                      [&](const Part &part) __attribute__((always_inline)) {
                        Vector image = 2.0 * part.hq,
                               cost = qhq + part.diagonal;
                        return UpDown{alignment(qhu + part.hu, cost + image),
                                      alignment(qhu - part.hu, cost - image)};
                      });
}

A2Q_PER_PROCESSOR
void addColumns(double *to, const double *x, double a, const double *y,
                double b, size_t length) {
  for (size_t i = 0; i < length; ++i)
    to[i] += a * x[i] + b * y[i];
}

A2Q_PER_PROCESSOR
void addScaled(double *to, const double *x, double a, size_t length) {
  for (size_t i = 0; i < length; ++i)
    to[i] += a * x[i];
}

} // namespace a2q
