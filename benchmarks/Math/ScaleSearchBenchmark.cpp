//===- ScaleSearchBenchmark.cpp - Scale search against pulse search -------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both find the scale and the integers of a channel. The counter `error` is the
// relative squared error of the weights, lower is better.
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/IntegerProjection.h"
#include "a2q/Math/ScaleSearch.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cmath>
#include <random>

using namespace a2q;

static std::vector<std::vector<double>> laplaceRows(size_t length) {
  std::mt19937_64 random(1);
  std::exponential_distribution<double> magnitude;
  std::vector<std::vector<double>> rows(8, std::vector<double>(length));
  for (std::vector<double> &row : rows)
    for (double &value : row)
      value = magnitude(random) * (random() % 2 ? 1 : -1);
  return rows;
}

/// Pyramid vector quantization (Fischer 1986): start from the truncated
/// direction, then set each pulse where the cosine to `u` becomes largest, up
/// to the clip and while it grows.
static ScaledIntegers pulseSearch(std::span<const double> u, int64_t budget,
                                  int64_t limit) {
  std::vector<int64_t> magnitudes(u.size());
  double norm = 0, largest = 0, uq = 0, qq = 0;
  for (double value : u) {
    norm += std::abs(value);
    largest = std::max(largest, std::abs(value));
  }
  double factor = std::min(static_cast<double>(budget) / norm,
                           static_cast<double>(limit) / largest);
  int64_t used = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    auto q = static_cast<int64_t>(std::abs(u[i]) * factor);
    magnitudes[i] = q;
    used += q;
    uq += static_cast<double>(q) * std::abs(u[i]);
    qq += static_cast<double>(q * q);
  }
  for (; used < budget; ++used) {
    size_t best = u.size();
    double bestGain = qq > 0 ? uq * uq / qq : 0;
    for (size_t i = 0; i < u.size(); ++i) {
      double newUq = uq + std::abs(u[i]);
      double newQq = qq + static_cast<double>(2 * magnitudes[i] + 1);
      if (magnitudes[i] < limit && newUq * newUq > bestGain * newQq) {
        bestGain = newUq * newUq / newQq;
        best = i;
      }
    }
    if (best == u.size())
      break;
    uq += std::abs(u[best]);
    qq += static_cast<double>(2 * magnitudes[best] + 1);
    ++magnitudes[best];
  }
  ScaledIntegers result;
  for (size_t i = 0; i < u.size(); ++i)
    result.integers.push_back(u[i] < 0 ? -magnitudes[i] : magnitudes[i]);
  result.scale = bestScale(u, result.integers);
  return result;
}

template <typename Search>
static void runSearch(benchmark::State &state, Search search) {
  auto rows = laplaceRows(state.range(0));
  double error = 0;
  for (auto _ : state) {
    error = 0;
    for (const std::vector<double> &u : rows) {
      ScaledIntegers found = search(u);
      double energy = squaredError(u, std::vector<int64_t>(u.size(), 0));
      error += squaredError(u, found.integers, found.scale) / energy;
    }
  }
  state.counters["error"] = error / static_cast<double>(rows.size());
  state.SetItemsProcessed(state.iterations() * rows.size());
}

static void SearchScale(benchmark::State &state) {
  Budget budget = budgetOf(Bound::Centred, state.range(1), {0, 15});
  int64_t limit = narrowLimit(state.range(2));
  runSearch(state, [&](std::span<const double> u) {
    return searchScale(u, budget, limit);
  });
}
static void PulseSearch(benchmark::State &state) {
  Budget budget = budgetOf(Bound::Centred, state.range(1), {0, 15});
  int64_t limit = narrowLimit(state.range(2));
  runSearch(state, [&](std::span<const double> u) {
    return pulseSearch(u, static_cast<int64_t>(budget.largestPos(0)), limit);
  });
}
// K, P and M.
static void layers(benchmark::internal::Benchmark *benchmark) {
  for (int64_t length : {576, 4608})
    for (int64_t width : {8, 11, 13, 15})
      benchmark->Args({length, width, 4});
  benchmark->Args({4608, 16, 8});
  benchmark->Unit(benchmark::kMicrosecond);
}
BENCHMARK(SearchScale)->Apply(layers);
BENCHMARK(PulseSearch)->Apply(layers);
