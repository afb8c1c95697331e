//===- KernelsTest.cpp - Loops that are compiled per processor ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lengths around the eight lanes: none, a part of a vector, one, one and a
// part, several.
//
//===----------------------------------------------------------------------===//

#include "../../lib/Math/Kernels.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

using namespace a2q;

namespace {

constexpr size_t kLengths[] = {0, 1, 7, 8, 9, 16, 37};
constexpr double kNone = -std::numeric_limits<double>::infinity();

struct Values {
  std::mt19937_64 random{3};
  std::vector<double> normal(size_t length, double size) {
    std::normal_distribution<double> distribution(0, size);
    std::vector<double> values(length);
    for (double &value : values)
      value = distribution(random);
    return values;
  }
  std::vector<double> positive(size_t length) {
    std::vector<double> values = normal(length, 1);
    for (double &value : values)
      value = std::abs(value) + 0.1;
    return values;
  }
};

double integerOf(double magnitude, double limit) {
  return std::rint(std::clamp(magnitude, 0.0, limit));
}

TEST(Kernels, ThresholdSums) {
  Values values;
  for (size_t length : kLengths) {
    std::vector<double> u = values.normal(length, 4),
                        h = values.positive(length);
    double pos = 0, neg = 0;
    for (size_t i = 0; i < length; ++i)
      (u[i] > 0 ? pos : neg) +=
          integerOf(std::abs(u[i]) - (u[i] > 0 ? 0.7 : 1.3) * h[i], 5);
    SignedSums sums = thresholdSums(u.data(), h.data(), length, 5, {0.7, 1.3});
    EXPECT_EQ(sums.pos, pos);
    EXPECT_EQ(sums.neg, neg);
  }
}

TEST(Kernels, WeightedSums) {
  Values values;
  for (size_t length : kLengths) {
    std::vector<double> m = values.positive(length),
                        h = values.positive(length),
                        inverses = values.positive(length);
    double count = 0, uq = 0, qq = 0;
    for (size_t i = 0; i < length; ++i) {
      double q = integerOf(m[i] * 4 - 0.9 * inverses[i], 3);
      count += q;
      uq += h[i] * m[i] * q;
      qq += h[i] * q * q;
    }
    WeightedSums sums =
        weightedSums({m.data(), h.data(), inverses.data(), length}, 4, 0.9, 3);
    EXPECT_EQ(sums.count, count);
    EXPECT_NEAR(sums.uq, uq, 1e-12 * (1 + uq));
    EXPECT_NEAR(sums.qq, qq, 1e-12 * (1 + qq));
  }
}

// Weights at the limit and at 0, with and without a step before.
TEST(Kernels, GainsOfSteps) {
  Values values;
  constexpr double limit = 2, scale = 1.7, qhq = 60, qhu = 80;
  for (size_t length : kLengths)
    for (int by : {0, 1, -1}) {
      std::vector<double> q(length),
          hq = values.normal(length, 3), hu = values.normal(length, 5),
          diagonal = values.positive(length), column = values.normal(length, 1);
      for (double &value : q)
        value = static_cast<double>(values.random() % 5) - 2;
      StepGains present, best;
      present.fill(kNone);
      best.fill(kNone);
      for (size_t i = 0; i < length; ++i) {
        double image = hq[i] + by * column[i];
        auto offer = [&](size_t kind, int step) {
          double newQhu = qhu + step * hu[i];
          double newQhq = qhq + 2 * step * image + diagonal[i];
          double squared =
              newQhu > 0 && newQhq > 0 ? newQhu * newQhu / newQhq : 0;
          present[kind] =
              std::max(present[kind], 2 * step * (hu[i] - scale * image) -
                                          scale * diagonal[i]);
          best[kind] = std::max(best[kind], squared);
        };
        if (q[i] >= 0 && q[i] < limit)
          offer(0, 1);
        if (q[i] <= 0 && q[i] > -limit)
          offer(1, -1);
        if (q[i] > 0)
          offer(2, -1);
        if (q[i] < 0)
          offer(3, 1);
      }
      StepTerms terms = {q.data(),
                         hq.data(),
                         hu.data(),
                         diagonal.data(),
                         by ? column.data() : nullptr,
                         static_cast<double>(by)};
      StepGains foundPresent = presentGains(terms, length, scale, limit);
      StepGains foundBest = bestGains(terms, length, qhq, qhu, limit);
      for (size_t kind = 0; kind < 4; ++kind) {
        auto expectNear = [](double found, double wanted) {
          if (wanted == kNone)
            EXPECT_EQ(found, kNone);
          else
            EXPECT_NEAR(found, wanted, 1e-11 * (1 + std::abs(wanted)));
        };
        expectNear(foundPresent[kind], present[kind]);
        expectNear(foundBest[kind], best[kind]);
      }
    }
}

TEST(Kernels, AddColumns) {
  Values values;
  for (size_t length : kLengths) {
    std::vector<double> to = values.normal(length, 1),
                        x = values.normal(length, 1),
                        y = values.normal(length, 1), one = to;
    addColumns(to.data(), x.data(), 1, y.data(), -1, length);
    addScaled(one.data(), x.data(), 1, length);
    addScaled(one.data(), y.data(), -1, length);
    for (size_t i = 0; i < length; ++i)
      EXPECT_NEAR(to[i], one[i], 1e-14);
  }
}

} // namespace
