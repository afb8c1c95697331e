//===- MethodOrderTest.cpp - Which method loses least ---------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of docs/methods.md on one synthetic layer, as inequalities with a
// margin, so that none hangs on the seed. Activations are correlated, which is
// what error feedback lives on.
//
//===----------------------------------------------------------------------===//

#include "SyntheticLayer.h"
#include "gtest/gtest.h"

using namespace a2q;
using namespace a2q::benchmark;

namespace {

class MethodOrderTest : public ::testing::TestWithParam<unsigned> {
protected:
  /// Weights whose largest one is 7, as the published figures have them: at
  /// 14 bits the order of the published methods depends on the scale.
  static SyntheticLayer &getLayer() {
    static SyntheticLayer layer(
        {.length = 576, .channels = 8, .correlation = 0.9}, Unit::Largest,
        1200);
    return layer;
  }

  static LayerErrors errors(std::string_view name, Bound bound) {
    SyntheticLayer &layer = getLayer();
    LayerResult result = lookupConstraintMethod(name)->constrainLayer(
        layer.constraint(GetParam(), bound), &layer.getMoments());
    EXPECT_EQ(result.refusal, "") << name;
    return layer.errors(result.channels);
  }
};

TEST_P(MethodOrderTest, IsThatOfTheTheory) {
  LayerErrors init = errors("a2q", Bound::A2Q);
  LayerErrors projected = errors("ep-init", Bound::A2Q);
  LayerErrors zeroSum = errors("a2q-plus", Bound::A2QPlus);
  LayerErrors nearest = errors("optimal-fixed-scale", Bound::Centred);
  LayerErrors searched = errors("optimal", Bound::Centred);
  LayerErrors followed = errors("gpfq", Bound::Centred);
  LayerErrors nearestPlane = errors("optq", Bound::Centred);

  EXPECT_LT(projected.heldOut, 0.9 * init.heldOut);
  if (GetParam() < 14)
    EXPECT_LT(zeroSum.heldOut, 0.9 * projected.heldOut);
  EXPECT_LT(nearest.heldOut, 0.9 * projected.heldOut);
  EXPECT_LT(nearest.heldOut, 0.9 * zeroSum.heldOut);
  // The scale is chosen for the weights: where the budget cuts off little, the
  // outputs may like another one as well.
  EXPECT_LT(searched.weights, 0.98 * nearest.weights);
  if (GetParam() < 13)
    EXPECT_LT(searched.heldOut, 0.9 * nearest.heldOut);
  EXPECT_LT(searched.heldOut, 0.9 * zeroSum.heldOut);
  EXPECT_LT(followed.heldOut, 0.7 * searched.heldOut);
  EXPECT_LT(nearestPlane.heldOut, 0.7 * searched.heldOut);
}

INSTANTIATE_TEST_SUITE_P(Widths, MethodOrderTest,
                         ::testing::Values(11, 12, 13, 14));

} // namespace
