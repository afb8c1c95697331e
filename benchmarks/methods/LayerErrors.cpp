//===- LayerErrors.cpp - Errors of every method on synthetic layers -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   a2q-layer-errors K WEIGHT_BITS ACTIVATION_BITS CORRELATION WIDTHS
//   [POINT...]
//
// WIDTHS is LOW-HIGH, a POINT METHOD:BOUND; without one, every method with the
// bounds that the tables show. Prints one line of JSON for each width and
// point. run.py calls it.
//
//===----------------------------------------------------------------------===//

#include "SyntheticLayer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace a2q;
using namespace a2q::benchmark;

/// Calibration vectors, unless K asks for more.
static constexpr size_t kSamples = 8192;

namespace {
struct Point {
  const ConstraintMethod *method;
  Bound bound;
};
} // namespace

[[noreturn]] static void fail(const std::string &reason) {
  std::fprintf(stderr, "error: %s\n", reason.c_str());
  std::exit(1);
}

static Point parsePoint(const std::string &text) {
  size_t colon = text.find(':');
  Point point{lookupConstraintMethod(text.substr(0, colon)), Bound::Exact};
  if (!point.method)
    fail("'" + text + "' names no method");
  if (colon == std::string::npos) {
    point.bound = point.method->bounds.front();
    return point;
  }
  for (Bound bound : point.method->bounds)
    if (toString(bound) == text.substr(colon + 1)) {
      point.bound = bound;
      return point;
    }
  fail("'" + text + "' names no bound of the method");
}

/// Each method with its own bound, or `centred`, and `exact` where it has both.
static std::vector<Point> allPoints() {
  std::vector<Point> points;
  for (const ConstraintMethod &method : constraintMethods())
    for (Bound bound : method.bounds)
      if (bound == Bound::Centred || bound == method.bounds.front())
        points.push_back({&method, bound});
  return points;
}

static void measure(SyntheticLayer &layer, const LayerShape &shape,
                    unsigned width, Point point) {
  auto begin = std::chrono::steady_clock::now();
  LayerResult result = point.method->constrainLayer(
      layer.constraint(width, point.bound), &layer.getMoments());
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - begin;
  if (!result.refusal.empty())
    fail(std::string(point.method->name) + ": " + result.refusal);
  LayerErrors errors = layer.errors(result.channels);
  std::printf("{\"length\": %zu, \"weight_bits\": %u, \"activation_bits\": %u, "
              "\"correlation\": %g, \"method\": \"%s\", \"bound\": \"%s\", "
              "\"width\": %u, \"weight_error\": %.5g, \"output_error\": %.5g, "
              "\"held_out_error\": %.5g, \"corrected_error\": %.5g, "
              "\"sparsity\": %.4f, \"seconds\": %.3f}\n",
              shape.length, shape.weightBits, shape.activationBits,
              shape.correlation, std::string(point.method->name).c_str(),
              std::string(toString(point.bound)).c_str(), width, errors.weights,
              errors.calibration, errors.heldOut, errors.corrected,
              errors.zeros, seconds.count());
  std::fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 6)
    fail("usage: a2q-layer-errors K WEIGHT_BITS ACTIVATION_BITS CORRELATION "
         "LOW-HIGH [METHOD[:BOUND]...]");
  LayerShape shape;
  shape.length = std::strtoul(argv[1], nullptr, 10);
  shape.weightBits = std::atoi(argv[2]);
  shape.activationBits = std::atoi(argv[3]);
  shape.correlation = std::atof(argv[4]);
  unsigned low = 0, high = 0;
  if (shape.length < 1 || shape.weightBits < 2 || shape.weightBits > 8 ||
      shape.activationBits < 1 || shape.activationBits > 8 ||
      shape.correlation < 0 || shape.correlation >= 1 ||
      std::sscanf(argv[5], "%u-%u", &low, &high) != 2 || low < 1 || high > 64)
    fail("a number is out of range");
  std::vector<Point> points;
  for (int i = 6; i < argc; ++i)
    points.push_back(parsePoint(argv[i]));
  if (points.empty())
    points = allPoints();
  SyntheticLayer layer(shape, Unit::LeastSquares,
                       std::max<size_t>(2 * shape.length, kSamples));
  for (unsigned width = low; width <= high; ++width)
    for (const Point &point : points)
      measure(layer, shape, width, point);
  return 0;
}
