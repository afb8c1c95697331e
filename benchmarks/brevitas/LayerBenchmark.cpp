//===- LayerBenchmark.cpp - This project's side of compare.py -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs one case and prints what it took as JSON: processor seconds, and the
// resident set before and at its largest since. Matrices are raw float32, row
// by row.
//
//   LayerBenchmark project WEIGHTS RADIUS ROWSxCOLUMNS...
//   LayerBenchmark ep-init WEIGHTS RADIUS ROWSxCOLUMNS...
//   LayerBenchmark layer METHOD WIDTH CODE_BITS WEIGHT_BITS WEIGHTS
//                  ROWSxCOLUMNS INPUTS SAMPLES RESULT
//
// `layer` counts the moments of the inputs in, where there are inputs: all of
// them for methods that need them, else the diagonal, which is all that these
// read. It writes scale * integers.
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Constraining.h"
#include "a2q/Math/Projection.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

using namespace a2q;

namespace {
struct Shape {
  size_t rows, columns;
  size_t size() const { return rows * columns; }
};
} // namespace

[[noreturn]] static void fail(const std::string &what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  std::exit(1);
}

static Shape parseShape(const std::string &text) {
  Shape shape = {};
  if (std::sscanf(text.c_str(), "%zux%zu", &shape.rows, &shape.columns) != 2)
    fail("a shape is ROWSxCOLUMNS, found '" + text + "'");
  return shape;
}

static std::vector<float> readFloats(const std::string &path, size_t count) {
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char *>(values.data()),
            static_cast<std::streamsize>(count * sizeof(float)));
  if (!file)
    fail("no " + std::to_string(count) + " floats in " + path);
  return values;
}

static double seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// A field of /proc/self/status in KiB; 0 where there is none.
static long statusKiB(const std::string &field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":"))
      return std::atol(line.c_str() + field.size() + 1);
  return 0;
}

/// Starts a new high-water mark and returns where it starts.
static long startPeakKiB() {
  std::ofstream("/proc/self/clear_refs") << "5";
  return statusKiB("VmRSS");
}

static long peakKiB() { return statusKiB("VmHWM"); }

static void report(double taken, long before) {
  std::printf("{\"seconds\": %.9g, \"kib_before\": %ld, \"kib_after\": %ld}\n",
              taken, before, peakKiB());
}

/// Rows of one matrix after the other.
static void projectRows(int argc, char **argv, bool truncate) {
  double radius = std::atof(argv[3]);
  std::vector<Shape> shapes;
  size_t total = 0;
  for (int i = 4; i < argc; ++i) {
    shapes.push_back(parseShape(argv[i]));
    total += shapes.back().size();
  }
  std::vector<float> floats = readFloats(argv[2], total);
  std::vector<double> all(floats.begin(), floats.end());
  long before = startPeakKiB();
  double start = seconds();
  std::span<double> rest(all);
  for (Shape shape : shapes)
    for (size_t row = 0; row < shape.rows; ++row) {
      std::span<double> values = rest.first(shape.columns);
      rest = rest.subspan(shape.columns);
      if (!projectOntoL1Ball(values, radius))
        fail("weights that are no numbers");
      if (truncate)
        for (double &value : values)
          value = std::trunc(value);
    }
  report(seconds() - start, before);
}

/// E[x_k^2].
static std::vector<double> squaresOf(const std::vector<float> &inputs,
                                     size_t columns) {
  std::vector<double> squares(columns);
  for (size_t i = 0; i < inputs.size(); i += columns)
    for (size_t k = 0; k < columns; ++k)
      squares[k] += static_cast<double>(inputs[i + k]) *
                    static_cast<double>(inputs[i + k]);
  double samples = static_cast<double>(inputs.size() / columns);
  for (double &square : squares)
    square /= samples;
  return squares;
}

static void constrainLayer(char **argv) {
  const ConstraintMethod *method = lookupConstraintMethod(argv[2]);
  if (!method)
    fail(std::string("unknown method '") + argv[2] + "'");
  Shape shape = parseShape(argv[7]);
  auto samples = static_cast<size_t>(std::atoll(argv[9]));
  std::vector<double> weights;
  {
    std::vector<float> floats = readFloats(argv[6], shape.size());
    weights.assign(floats.begin(), floats.end());
  }
  std::vector<float> inputs = readFloats(argv[8], samples * shape.columns);
  LayerConstraint layer;
  layer.weights = weights;
  layer.length = shape.columns;
  layer.width = static_cast<unsigned>(std::atoi(argv[3]));
  layer.range = {0, (int64_t(1) << std::atoi(argv[4])) - 1};
  layer.weightBits = static_cast<unsigned>(std::atoi(argv[5]));

  double start = seconds();
  Moments moments;
  std::vector<double> diagonal;
  if (samples > 0 && !method->needsMoments()) {
    diagonal = squaresOf(inputs, shape.columns);
    layer.diagonal = diagonal;
  } else if (samples > 0) {
    MomentAccumulator accumulator(static_cast<int64_t>(shape.columns));
    if (!accumulator.add(inputs))
      fail("inputs that are no numbers");
    moments = accumulator.take();
  }
  long before = startPeakKiB();
  LayerResult result = method->constrainLayer(
      layer, method->needsMoments() ? &moments : nullptr);
  double taken = seconds() - start;
  long after = peakKiB();
  if (!result.refusal.empty())
    fail(result.refusal);
  std::printf("{\"seconds\": %.9g, \"kib_before\": %ld, \"kib_after\": %ld}\n",
              taken, before, after);
  std::ofstream file(argv[10], std::ios::binary);
  for (const ScaledIntegers &channel : result.channels)
    for (int64_t integer : channel.integers) {
      auto value =
          static_cast<float>(channel.scale * static_cast<double>(integer));
      file.write(reinterpret_cast<const char *>(&value), sizeof value);
    }
  if (!file.flush())
    fail(std::string("cannot write ") + argv[10]);
}

int main(int argc, char **argv) {
  std::string mode = argc > 1 ? argv[1] : "";
  if ((mode == "project" || mode == "ep-init") && argc > 4)
    projectRows(argc, argv, mode == "ep-init");
  else if (mode == "layer" && argc == 11)
    constrainLayer(argv);
  else
    fail("see the head of LayerBenchmark.cpp for how to call this");
  return 0;
}
