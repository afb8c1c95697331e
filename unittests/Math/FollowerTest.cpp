//===- FollowerTest.cpp - Round columns and feed errors back --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Against the definition of both ways to feed errors back, in plain loops and
// with a budget that has room for everything.
//
//===----------------------------------------------------------------------===//

#include "../../lib/Math/Follower.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace a2q;

namespace {

using Rows = std::vector<std::vector<double>>;

/// C with H = C C^T, lower triangular.
Rows cholesky(const Rows &h) {
  size_t size = h.size();
  Rows c(size, std::vector<double>(size));
  for (size_t i = 0; i < size; ++i)
    for (size_t j = 0; j <= i; ++j) {
      double sum = h[i][j];
      for (size_t k = 0; k < j; ++k)
        sum -= c[i][k] * c[j][k];
      c[i][j] = i == j ? std::sqrt(sum) : sum / c[j][j];
    }
  return c;
}

/// Integers by position; `factor` is H or C.
std::vector<double> reference(const Rows &factor,
                              const std::vector<double> &weights,
                              double limit) {
  std::vector<double> q(weights.size());
  for (size_t t = weights.size(); t-- > 0;) {
    double target = weights[t];
    for (size_t s = t + 1; s < weights.size(); ++s)
      target += (weights[s] - q[s]) * factor[s][t] / factor[t][t];
    q[t] = std::clamp(std::rint(target), -limit, limit);
  }
  return q;
}

// 150 activations: more than two blocks of columns, and no multiple of one.
TEST(Follower, FollowsTheDefinition) {
  constexpr size_t length = 150, channels = 3, samples = 400;
  std::mt19937_64 random(60);
  std::normal_distribution<double> normal;
  std::vector<float> x(length * samples);
  for (size_t n = 0; n < samples; ++n) {
    double common = normal(random);
    for (size_t k = 0; k < length; ++k)
      x[n * length + k] =
          static_cast<float>(std::rint(3 * std::abs(normal(random) + common)));
  }
  MomentAccumulator accumulator(length);
  ASSERT_TRUE(accumulator.add(x));
  Moments moments = accumulator.take();
  std::vector<double> weights(length * channels);
  for (double &weight : weights)
    weight = 2 * normal(random);

  LayerConstraint layer = {weights, length, 30, {0, 15}, 4};
  Budget budget = budgetOf(Bound::Centred, 30, {0, 15});
  std::vector<double> squares = moments.diagonal();
  double damping =
      0.01 * std::accumulate(squares.begin(), squares.end(), 0.0) / length;
  for (bool nearestPlane : {false, true}) {
    QuadraticForm form(moments, 0.01);
    std::span<const uint32_t> order = form.order();
    Rows h(length, std::vector<double>(length));
    // In the order of the form, largest squares last, which has to be so.
    Matrix before = form.matrix();
    for (size_t i = 0; i < length; ++i)
      for (size_t j = 0; j < length; ++j)
        h[i][j] =
            before(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
    for (size_t t = 0; t < length; ++t) {
      EXPECT_NEAR(h[t][t], squares[order[t]] + damping, 1e-9);
      EXPECT_TRUE(t == 0 || h[t - 1][t - 1] <= h[t][t]);
    }
    if (nearestPlane) {
      ASSERT_EQ(form.factor(), "");
    }
    Matrix target(length, channels);
    for (size_t c = 0; c < channels; ++c)
      for (size_t t = 0; t < length; ++t)
        target(static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(c)) =
            layer.channel(c)[order[t]];
    Matrix exact = target;
    Follower(layer, budget, form).round(target);
    Rows factor = nearestPlane ? cholesky(h) : h;
    for (Eigen::Index c = 0; c < target.cols(); ++c) {
      std::vector<double> u(exact.col(c).begin(), exact.col(c).end());
      std::vector<double> q(target.col(c).begin(), target.col(c).end());
      EXPECT_EQ(q, reference(factor, u, 7)) << nearestPlane;
    }
  }
}

} // namespace
