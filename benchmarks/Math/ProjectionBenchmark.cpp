//===- ProjectionBenchmark.cpp - Selection against sorting ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows of a layer of K products each. `Sorted` is the textbook projection, as
// quantization frameworks have it.
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/IntegerProjection.h"
#include "a2q/Math/Projection.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cmath>
#include <functional>
#include <random>

using namespace a2q;

static std::vector<double> gaussian(size_t length) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal(0, 2.5);
  std::vector<double> u(length);
  for (double &value : u)
    value = normal(random);
  return u;
}

static void sortedProjection(std::span<double> u, double radius) {
  std::vector<double> sorted(u.begin(), u.end());
  for (double &value : sorted)
    value = std::abs(value);
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0, theta = 0;
  for (size_t j = 0; j < sorted.size(); ++j) {
    sum += sorted[j];
    double candidate = (sum - radius) / static_cast<double>(j + 1);
    if (sorted[j] <= candidate)
      break;
    theta = candidate;
  }
  for (double &value : u)
    value = std::copysign(std::max(std::abs(value) - theta, 0.0), value);
}

template <typename Project>
static void runProjection(benchmark::State &state, Project project) {
  std::vector<double> u = gaussian(state.range(0));
  for (auto _ : state) {
    std::vector<double> v = u;
    project(std::span<double>(v));
    benchmark::DoNotOptimize(v.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

static void ProjectOntoL1Ball(benchmark::State &state) {
  runProjection(state, [&](std::span<double> v) {
    projectOntoL1Ball(v, static_cast<double>(state.range(1)));
  });
}
static void Sorted(benchmark::State &state) {
  runProjection(state, [&](std::span<double> v) {
    sortedProjection(v, static_cast<double>(state.range(1)));
  });
}
BENCHMARK(ProjectOntoL1Ball)
    ->Args({576, 273})
    ->Args({4608, 273})
    ->Args({4608, 4000});
BENCHMARK(Sorted)->Args({576, 273})->Args({4608, 273})->Args({4608, 4000});

static void NearestIntegers(benchmark::State &state) {
  std::vector<double> u = gaussian(state.range(0));
  Budget budget = budgetOf(Bound::Centred, state.range(1), {0, 15});
  for (auto _ : state)
    benchmark::DoNotOptimize(nearestIntegers(u, budget, 7));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(NearestIntegers)->Args({576, 12})->Args({4608, 12})->Args({4608, 16});
