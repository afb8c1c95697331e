//===- Math.cpp - Bounds and projections on arrays ------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"
#include "Errors.h"

#include "a2q/Math/Constraining.h"
#include "a2q/Math/IntegerProjection.h"
#include "a2q/Math/Moments.h"
#include "a2q/Math/Projection.h"
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <limits>

namespace nb = nanobind;
using namespace a2q;
using namespace a2q::python;

namespace {
/// [channels, K], read only.
using Integers =
    nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Reals =
    nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector =
    nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
/// The same, written to.
using IntegersOut =
    nb::ndarray<int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using RealsOut =
    nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using VectorOut =
    nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
} // namespace

template <typename T, typename ArrayType>
static std::span<T> row(const ArrayType &array, size_t index) {
  return {array.data() + index * array.shape(1), array.shape(1)};
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// Codes of more than 32 bits could overflow the sums that bounds are made of.
static Range makeRange(int64_t lo, int64_t hi) {
  Range range{lo, hi};
  if (lo > hi)
    throw Failure("the range from " + std::to_string(lo) + " to " +
                  std::to_string(hi) + " is empty");
  if (lo < -(int64_t(1) << 31) || hi >= int64_t(1) << 32 ||
      codeBits(range) > 32)
    throw Failure("codes from " + std::to_string(lo) + " to " +
                  std::to_string(hi) + " need more than 32 bits");
  return range;
}

static Bound makeBound(const std::string &name) {
  if (std::optional<Bound> bound = parseBound(name))
    return *bound;
  throw Failure("unknown bound '" + name +
                "', expected datatype, a2q, a2q-plus, exact or centred");
}

static void checkWidth(unsigned width) {
  if (width < 1 || width > 64)
    throw Failure("width is " + std::to_string(width) +
                  "; it takes a number from 1 to 64");
}

static void checkFinite(std::span<const double> values, const char *what) {
  size_t at = firstNonFinite(values);
  if (at < values.size())
    throw Failure(std::string(what) + " " + std::to_string(at) +
                  (std::isnan(values[at]) ? " is nan" : " is infinite"));
}

/// The narrowest width with another budget than none.
static void checkBudget(Bound bound, unsigned width, Range range) {
  unsigned least = std::min(smallestWidth(bound, range, {1, 0}),
                            smallestWidth(bound, range, {0, 1}));
  if (width < least)
    throw Failure("no weight but 0 fits " + std::to_string(width) +
                  " bits under the bound '" + std::string(toString(bound)) +
                  "' with codes from " + std::to_string(range.lo) + " to " +
                  std::to_string(range.hi) + "; the narrowest accumulator is " +
                  std::to_string(least) + " bits");
}

/// The ends of tiles of this many terms.
static std::vector<uint32_t> tileEnds(size_t length, int64_t tile) {
  std::vector<uint32_t> ends;
  if (tile < 0)
    throw Failure("tile is " + std::to_string(tile) +
                  "; it takes a number from 0, which is one tile");
  if (tile)
    for (size_t end = tile; end < length + tile; end += tile)
      ends.push_back(static_cast<uint32_t>(std::min(end, length)));
  return ends;
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

/// Weights are 32-bit integers; sums of any number of them are exact.
static void checkWeights(const Integers &weights) {
  for (size_t at = 0; at < weights.size(); ++at)
    if (int64_t weight = weights.data()[at];
        weight < -(int64_t(1) << 31) || weight >= int64_t(1) << 31)
      throw Failure("weight " + std::to_string(at) + " is " +
                    std::to_string(weight) + "; weights have at most 32 bits");
}

/// Per channel: what `visit` writes.
template <typename Visit>
static void forEachChannel(const Integers &weights, Range range, Visit visit) {
  checkWeights(weights);
  for (size_t channel = 0; channel < weights.shape(0); ++channel)
    visit(channel, DotProduct{row<const int64_t>(weights, channel),
                              std::span(&range, 1)});
}

static void widths(const Integers &weights, int64_t lo, int64_t hi,
                   const std::string &bound, unsigned weightBits,
                   IntegersOut out) {
  Bound kind = makeBound(bound);
  forEachChannel(weights, makeRange(lo, hi), [&](size_t channel, auto dot) {
    out.data()[channel] = boundChannel(dot, weightBits).width(kind);
  });
}

static void intervals(const Integers &weights, int64_t lo, int64_t hi,
                      bool prefix, IntegersOut out) {
  forEachChannel(weights, makeRange(lo, hi), [&](size_t channel, auto dot) {
    Interval interval = prefix ? prefixInterval(dot) : finalInterval(dot);
    if (interval.lo < std::numeric_limits<int64_t>::min() ||
        interval.hi > std::numeric_limits<int64_t>::max())
      throw Failure("the sums of channel " + std::to_string(channel) +
                    " do not fit int64");
    out.data()[2 * channel] = static_cast<int64_t>(interval.lo);
    out.data()[2 * channel + 1] = static_cast<int64_t>(interval.hi);
  });
}

static void witnesses(const Integers &weights, int64_t lo, int64_t hi,
                      bool upper, IntegersOut out) {
  forEachChannel(weights, makeRange(lo, hi), [&](size_t channel, auto dot) {
    std::vector<int64_t> codes = upper ? upperWitness(dot) : lowerWitness(dot);
    std::copy(codes.begin(), codes.end(), row<int64_t>(out, channel).begin());
  });
}

/// Decimal text: it may not fit 64 bits.
static std::string budget(const std::string &bound, unsigned width, int64_t lo,
                          int64_t hi) {
  checkWidth(width);
  return a2q::toString(l1Budget(makeBound(bound), width, makeRange(lo, hi)));
}

static unsigned narrowest(const std::string &bound, int64_t lo, int64_t hi) {
  return smallestWidth(makeBound(bound), makeRange(lo, hi));
}

//===----------------------------------------------------------------------===//
// Projections
//===----------------------------------------------------------------------===//

static void project(RealsOut weights, unsigned width, int64_t lo, int64_t hi,
                    const std::string &bound, int64_t tile) {
  checkWidth(width);
  checkFinite({weights.data(), weights.size()}, "weight");
  Budget budget = budgetOf(makeBound(bound), width, makeRange(lo, hi));
  std::vector<uint32_t> ends = tileEnds(weights.shape(1), tile);
  for (size_t channel = 0; channel < weights.shape(0); ++channel) {
    std::span<double> all = row<double>(weights, channel);
    forEachTile(all.size(), ends, [&](size_t begin, size_t end) {
      projectOntoBudget(all.subspan(begin, end - begin), budget);
    });
  }
}

/// `moments` is empty for equal weights.
static void nearest(const Reals &weights, unsigned width, int64_t lo,
                    int64_t hi, unsigned weightBits, const std::string &bound,
                    int64_t tile, const Vector &moments, IntegersOut out) {
  checkWidth(width);
  checkFinite({weights.data(), weights.size()}, "weight");
  Bound kind = makeBound(bound);
  Range range = makeRange(lo, hi);
  checkBudget(kind, width, range);
  Budget budget = budgetOf(kind, width, range);
  std::vector<uint32_t> ends = tileEnds(weights.shape(1), tile);
  for (size_t channel = 0; channel < weights.shape(0); ++channel) {
    std::vector<int64_t> integers = nearestIntegers(
        row<const double>(weights, channel), budget, narrowLimit(weightBits),
        {moments.data(), moments.size()}, ends);
    std::copy(integers.begin(), integers.end(),
              row<int64_t>(out, channel).begin());
  }
}

static const ConstraintMethod &findMethod(const std::string &name) {
  if (const ConstraintMethod *method = lookupConstraintMethod(name))
    return *method;
  std::string names;
  for (const ConstraintMethod &method : constraintMethods())
    names += (names.empty() ? "" : ", ") + std::string(method.name);
  throw Failure("unknown method '" + name + "', expected one of " + names);
}

/// All products, K x K; none where there are no elements. Without means: no
/// method looks at them.
static std::optional<Moments> makeMoments(const Reals &products,
                                          double samples) {
  if (products.size() == 0)
    return std::nullopt;
  Moments moments;
  moments.length = static_cast<int64_t>(products.shape(1));
  moments.samples = samples;
  moments.mean.resize(products.shape(1));
  moments.products.assign(products.data(), products.data() + products.size());
  return moments;
}

/// `diagonal` is empty for equal weights, or where there are products.
static void constrainWeights(const Reals &weights, unsigned width, int64_t lo,
                             int64_t hi, unsigned weightBits,
                             const std::string &name, const std::string &bound,
                             int64_t tile, const Vector &diagonal,
                             const Reals &products, double samples,
                             IntegersOut integers, VectorOut scales) {
  const ConstraintMethod &method = findMethod(name);
  std::vector<uint32_t> ends = tileEnds(weights.shape(1), tile);
  LayerConstraint layer;
  layer.weights = {weights.data(), weights.size()};
  layer.length = weights.shape(1);
  layer.width = width;
  layer.range = makeRange(lo, hi);
  layer.weightBits = weightBits;
  if (!bound.empty())
    layer.bound = makeBound(bound);
  layer.tiles = ends;
  layer.diagonal = {diagonal.data(), diagonal.size()};
  checkFinite(layer.weights, "weight");
  checkBudget(layer.bound.value_or(method.bounds.front()), width, layer.range);
  std::optional<Moments> moments = makeMoments(products, samples);
  LayerResult result =
      method.constrainLayer(layer, moments ? &*moments : nullptr);
  if (!result.refusal.empty())
    throw Failure(result.refusal + (method.needsMoments() && !moments
                                        ? "; give all products, [K, K]"
                                        : ""));
  for (auto [channel, choice] : llvm::enumerate(result.channels)) {
    std::copy(choice.integers.begin(), choice.integers.end(),
              row<int64_t>(integers, channel).begin());
    scales.data()[channel] = choice.scale;
  }
}

static std::vector<std::string> methodNames() {
  std::vector<std::string> names;
  for (const ConstraintMethod &method : constraintMethods())
    names.emplace_back(method.name);
  return names;
}

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

void a2q::python::bindMath(nb::module_ &module) {
  using Release = nb::call_guard<nb::gil_scoped_release>;
  module.def("widths", &widths, nb::arg("weights"), nb::arg("lo"),
             nb::arg("hi"), nb::arg("bound"), nb::arg("weight_bits"),
             nb::arg("out"), Release());
  module.def("intervals", &intervals, nb::arg("weights"), nb::arg("lo"),
             nb::arg("hi"), nb::arg("prefix"), nb::arg("out"), Release());
  module.def("witnesses", &witnesses, nb::arg("weights"), nb::arg("lo"),
             nb::arg("hi"), nb::arg("upper"), nb::arg("out"), Release());
  module.def("l1_budget", &budget, nb::arg("bound"), nb::arg("width"),
             nb::arg("lo"), nb::arg("hi"));
  module.def("smallest_width", &narrowest, nb::arg("bound"), nb::arg("lo"),
             nb::arg("hi"));
  module.def("project", &project, nb::arg("weights"), nb::arg("width"),
             nb::arg("lo"), nb::arg("hi"), nb::arg("bound"), nb::arg("tile"),
             Release());
  module.def("nearest_integers", &nearest, nb::arg("weights"), nb::arg("width"),
             nb::arg("lo"), nb::arg("hi"), nb::arg("weight_bits"),
             nb::arg("bound"), nb::arg("tile"), nb::arg("moments"),
             nb::arg("out"), Release());
  module.def("constrain_weights", &constrainWeights, nb::arg("weights"),
             nb::arg("width"), nb::arg("lo"), nb::arg("hi"),
             nb::arg("weight_bits"), nb::arg("method"), nb::arg("bound"),
             nb::arg("tile"), nb::arg("moments"), nb::arg("products"),
             nb::arg("samples"), nb::arg("integers"), nb::arg("scales"),
             Release());
  module.def("method_names", &methodNames);
}
