//===- BoundsTest.cpp - Conditions that guarantee no overflow -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Math/Bounds.h"

#include "a2q/Math/Centring.h"

#include <algorithm>
#include <bitset>
#include <gtest/gtest.h>

using namespace a2q;

namespace {

//===----------------------------------------------------------------------===//
// Brute force: sets of reachable sums, found by trying every input
//===----------------------------------------------------------------------===//

/// The sums that some input reaches; |sum| <= 4 * 4 * 8.
class Reachable {
public:
  Reachable() { at(0) = true; }

  /// Every sum plus every product of the weight and a code; with `orNothing`
  /// also the sums as they are (the term has not been added yet).
  Reachable add(int64_t weight, Range codes, bool orNothing) const {
    Reachable next;
    next.sums.reset();
    if (orNothing)
      next.sums = sums;
    for (int64_t x = codes.lo; x <= codes.hi; ++x) {
      int64_t shift = weight * x;
      next.sums |= shift >= 0 ? sums << shift : sums >> -shift;
    }
    return next;
  }

  int64_t lowest() const {
    int64_t sum = -limit;
    while (!sums[sum + limit])
      ++sum;
    return sum;
  }
  int64_t highest() const {
    int64_t sum = limit;
    while (!sums[sum + limit])
      --sum;
    return sum;
  }

private:
  static constexpr int64_t limit = 160;
  std::bitset<2 * limit + 1>::reference at(int64_t sum) {
    return sums[sum + limit];
  }
  std::bitset<2 * limit + 1> sums;
};

bool fitsSigned(int64_t lo, int64_t hi, unsigned width) {
  int64_t half = int64_t(1) << (width - 1);
  return lo >= -half && hi <= half - 1;
}

bool someStartFits(int64_t lo, int64_t hi, unsigned width) {
  int64_t half = int64_t(1) << (width - 1);
  for (int64_t start = -half - hi; start <= half - lo; ++start)
    if (fitsSigned(lo + start, hi + start, width))
      return true;
  return false;
}

int64_t evaluate(const std::vector<int64_t> &weights,
                 const std::vector<int64_t> &inputs) {
  int64_t sum = 0;
  for (size_t k = 0; k < weights.size(); ++k)
    sum += weights[k] * inputs[k];
  return sum;
}

/// Ranges of integer types up to 3 bits, and ranges without 0 or with one code.
const Range smallRanges[] = {{0, 1},  {0, 3},  {0, 7},   {-1, 0}, {-2, 1},
                             {-4, 3}, {0, 0},  {2, 5},   {3, 3},  {-4, -2},
                             {-3, 0}, {-1, 1}, {-4, -4}, {-2, 7}};

/// Visits every vector of at most 4 weights of at most 3 bits, each with what
/// it reaches when complete and on the way.
class EveryWeightVector {
public:
  template <typename Visitor> void visit(Range range, Visitor visitor) {
    codes = range;
    extend(Reachable(), Reachable(), visitor);
  }

private:
  template <typename Visitor>
  void extend(const Reachable &final, const Reachable &prefix,
              Visitor &visitor) {
    if (!weights.empty())
      visitor(weights, final, prefix);
    if (weights.size() == 4)
      return;
    for (int64_t weight = -4; weight <= 3; ++weight) {
      weights.push_back(weight);
      extend(final.add(weight, codes, false), prefix.add(weight, codes, true),
             visitor);
      weights.pop_back();
    }
  }

  Range codes;
  std::vector<int64_t> weights;
};

/// The narrowest type of these weights.
unsigned weightBits(const std::vector<int64_t> &weights) {
  auto [lo, hi] = std::minmax_element(weights.begin(), weights.end());
  return signedWidth({*lo, *hi});
}

class SmallRange : public testing::TestWithParam<Range> {};
INSTANTIATE_TEST_SUITE_P(Bounds, SmallRange, testing::ValuesIn(smallRanges),
                         [](const auto &info) {
                           auto text = [](int64_t v) {
                             return (v < 0 ? "m" : "") +
                                    std::to_string(v < 0 ? -v : v);
                           };
                           return text(info.param.lo) + "to" +
                                  text(info.param.hi);
                         });

TEST_P(SmallRange, EveryWeightVectorTwoSided) {
  std::vector<Range> ranges = {GetParam()};
  EveryWeightVector().visit(GetParam(), [&](const std::vector<int64_t> &weights,
                                            const Reachable &final,
                                            const Reachable &prefix) {
    DotProduct dot = {weights, ranges};
    ChannelBounds bounds = boundChannel(dot, weightBits(weights));
    int64_t lo = prefix.lowest(), hi = prefix.highest();

    // The intervals are exactly what is reached, and the witnesses reach it.
    ASSERT_EQ(bounds.prefix, (Interval{lo, hi}));
    ASSERT_EQ(bounds.final, (Interval{final.lowest(), final.highest()}));
    ASSERT_EQ(evaluate(weights, upperWitness(dot)), final.highest());
    ASSERT_EQ(evaluate(weights, lowerWitness(dot)), final.lowest());

    // Two-sided where exact: all fits at P, something overflows at P - 1.
    ASSERT_TRUE(fitsSigned(lo, hi, bounds.exact));
    if (bounds.exact > 1) {
      ASSERT_FALSE(fitsSigned(lo, hi, bounds.exact - 1));
    }
    ASSERT_TRUE(someStartFits(lo, hi, bounds.centred));
    if (bounds.centred > 1) {
      ASSERT_FALSE(someStartFits(lo, hi, bounds.centred - 1));
    }
    ASSERT_TRUE(fitsSigned(final.lowest(), final.highest(), bounds.finalWidth));
    if (bounds.finalWidth > 1) {
      ASSERT_FALSE(
          fitsSigned(final.lowest(), final.highest(), bounds.finalWidth - 1));
    }

    // The looser bounds are sound, and looser.
    ASSERT_TRUE(fitsSigned(lo, hi, bounds.a2qPlus));
    ASSERT_TRUE(fitsSigned(lo, hi, bounds.a2q));
    ASSERT_TRUE(fitsSigned(lo, hi, bounds.datatype));
    ASSERT_LE(bounds.centred, bounds.exact);
    ASSERT_LE(bounds.exact, bounds.a2q);
    ASSERT_LE(bounds.a2q, bounds.datatype);
    ASSERT_LE(bounds.exact, bounds.a2qPlus);
    ASSERT_LE(bounds.finalWidth, bounds.exact);

    // Codes shifted to signed are bounded by brute force as well.
    if (GetParam().lo >= 0 && GetParam().hi > 0) {
      int64_t zeroPoint = int64_t(1) << (codeBits(GetParam()) - 1);
      Range shifted = {GetParam().lo - zeroPoint, GetParam().hi - zeroPoint};
      Reachable reached;
      for (int64_t weight : weights)
        reached = reached.add(weight, shifted, true);
      ASSERT_TRUE(
          fitsSigned(reached.lowest(), reached.highest(), bounds.zeroPoint));
      if (bounds.zeroPoint > 1) {
        ASSERT_FALSE(fitsSigned(reached.lowest(), reached.highest(),
                                bounds.zeroPoint - 1));
      }
    } else {
      ASSERT_EQ(bounds.zeroPoint, bounds.exact);
    }
  });
}

TEST_P(SmallRange, BudgetsAreSoundAndTight) {
  Range range = GetParam();
  if (range == Range{0, 0})
    return;
  std::vector<Range> ranges = {range};
  constexpr unsigned widths = 8;
  std::vector<bool> exactOverflows(widths + 1), a2qOverflows(widths + 1);
  EveryWeightVector().visit(range, [&](const std::vector<int64_t> &weights,
                                       const Reachable &, const Reachable &) {
    ChannelBounds bounds = boundChannel({weights, ranges}, 3);
    for (unsigned width = 1; width <= widths; ++width) {
      Wide l1 = bounds.norms.l1();
      // A vector within the budget fits; for a2q and centred none beyond does.
      ASSERT_EQ(l1 <= l1Budget(Bound::A2Q, width, range), bounds.a2q <= width);
      ASSERT_EQ(l1 <= l1Budget(Bound::Centred, width, range),
                bounds.centred <= width);
      if (l1 <= l1Budget(Bound::Exact, width, range)) {
        ASSERT_LE(bounds.exact, width);
      }
      // For exact it depends on the signs: the least lucky one overflows.
      if (l1 == l1Budget(Bound::Exact, width, range) + 1 &&
          bounds.exact > width)
        exactOverflows[width] = true;
      if (2 * std::max(bounds.norms.pos, bounds.norms.neg) <=
          l1Budget(Bound::A2QPlus, width, range)) {
        ASSERT_LE(bounds.a2qPlus, width);
      } else {
        ASSERT_GT(bounds.a2qPlus, width);
      }
    }
  });
  for (unsigned width = 1; width <= widths; ++width)
    if (l1Budget(Bound::Exact, width, range) < 12) {
      EXPECT_TRUE(exactOverflows[width]) << width;
    }
}

// Terms with ranges of their own: every pair of weights and of ranges.
TEST(Bounds, PerTermRanges) {
  for (int64_t first = -4; first <= 3; ++first)
    for (int64_t second = -4; second <= 3; ++second)
      for (Range a : smallRanges)
        for (Range b : smallRanges) {
          std::vector<int64_t> weights = {first, second};
          std::vector<Range> ranges = {a, b};
          DotProduct dot = {weights, ranges};
          ChannelBounds bounds = boundChannel(dot, 3);
          Reachable prefix =
              Reachable().add(first, a, true).add(second, b, true);
          ASSERT_EQ(bounds.prefix,
                    (Interval{prefix.lowest(), prefix.highest()}));
          ASSERT_EQ(evaluate(weights, upperWitness(dot)), bounds.final.hi);
          ASSERT_EQ(evaluate(weights, lowerWitness(dot)), bounds.final.lo);
          ASSERT_LE(bounds.centred, bounds.exact);
          ASSERT_LE(bounds.exact, bounds.a2qPlus);
          ASSERT_LE(bounds.exact, bounds.a2q);
          ASSERT_LE(bounds.a2q, bounds.datatype);
        }
}

//===----------------------------------------------------------------------===//
// Named traps
//===----------------------------------------------------------------------===//

ChannelBounds boundsOf(const std::vector<int64_t> &weights, Range range,
                       unsigned bits) {
  std::vector<Range> ranges = {range};
  return boundChannel({weights, ranges}, bits);
}

TEST(BoundsTrap, A2QPlusByTotalL1OverflowsOnAnAllPositiveRow) {
  std::vector<int64_t> weights(256, 1);
  ChannelBounds bounds = boundsOf(weights, {0, 255}, 8);
  // The published budget (2^16 - 2) / 255 = 256.99 would admit l1 = 256.
  EXPECT_LE(bounds.norms.l1() * 255, (1 << 16) - 2);
  EXPECT_EQ(bounds.final.hi, 65280);
  EXPECT_EQ(bounds.a2qPlus, 17u);
  EXPECT_EQ(bounds.exact, 17u);
  EXPECT_EQ(bounds.centred, 16u);
  // Half positive, half negative: then it does hold.
  std::fill(weights.begin(), weights.begin() + 128, -1);
  EXPECT_EQ(boundsOf(weights, {0, 255}, 8).a2qPlus, 16u);
  EXPECT_EQ(l1Budget(Bound::A2QPlus, 16, {0, 255}), 256);
}

TEST(BoundsTrap, CentredAcceptsWhateverA2QPlusAccepts) {
  for (int64_t pos = 0; pos <= 40; ++pos)
    for (int64_t neg = 0; neg <= 40; ++neg)
      for (Range range : {Range{0, 15}, Range{-8, 7}, Range{0, 1}}) {
        ChannelBounds bounds = boundsOf({pos, -neg}, range, 7);
        EXPECT_LE(bounds.centred, bounds.a2qPlus);
      }
}

TEST(BoundsTrap, PaddingJoinsTheZeroPoint) {
  Range codes = {100, 140};
  Range padded = join(codes, Range{128, 128});
  EXPECT_EQ(padded, codes); // A zero point inside changes nothing,
  padded = join(Range{130, 140}, Range{128, 128});
  EXPECT_EQ(padded, (Range{128, 140}));
  // but one outside moves the final interval's lower end.
  EXPECT_EQ(boundsOf({1, 1}, {130, 140}, 2).final.lo, 260);
  EXPECT_EQ(boundsOf({1, 1}, padded, 2).final.lo, 256);
}

TEST(BoundsTrap, TheAccumulatorHoldsProductsOfCodes) {
  // x = x' - 128 in [-128, 127] looks like 8 bits signed; the register holds
  // products of x' in [0, 255].
  std::vector<int64_t> weights(257, 1);
  ChannelBounds codes = boundsOf(weights, {0, 255}, 2);
  ChannelBounds values = boundsOf(weights, {-128, 127}, 2);
  EXPECT_EQ(codes.final.hi, 65535);
  EXPECT_EQ(codes.exact, 17u);
  EXPECT_EQ(values.exact, 17u); // -32896
  EXPECT_EQ(codes.zeroPoint, values.exact);
  weights.pop_back();
  EXPECT_EQ(boundsOf(weights, {0, 255}, 2).exact, 17u);
  EXPECT_EQ(boundsOf(weights, {-128, 127}, 2).exact, 16u);
}

TEST(BoundsTrap, BiasIsOneMoreTerm) {
  // A near-dead filter: one weight of 1 and a bias beyond 16 bits.
  std::vector<int64_t> weights = {1, 40000};
  std::vector<Range> ranges = {{0, 255}, {1, 1}};
  std::span<const int64_t> filter(weights.data(), 1);
  std::span<const Range> codes(ranges.data(), 1);
  EXPECT_EQ(boundChannel({filter, codes}, 8).exact, 9u);
  EXPECT_EQ(signedWidth(prefixInterval({weights, ranges})), 17u);
}

TEST(BoundsTrap, SignedTimesSignedReachesTheProductOfTheLowerEnds) {
  // (-8) * (-8) is the largest product, not 7 * 7 and not 8 * 7.
  std::vector<int64_t> w4(576, -8), w2(16, -2);
  EXPECT_EQ(boundsOf(w4, {-8, 7}, 4).exact, 17u);
  EXPECT_EQ(datatypeWidth(576, 4, {-8, 7}), 17u);
  EXPECT_EQ(boundsOf(w2, {-2, 1}, 2).exact, 8u);
  EXPECT_EQ(datatypeWidth(16, 2, {-2, 1}), 8u);
}

TEST(BoundsTrap, PowersOfTwoAndTheirNeighbours) {
  // K * 2^(N + M - 1) = 2^15 exactly: 2^15 - 1 does not hold it.
  EXPECT_EQ(datatypeWidth(16, 4, {0, 255}), 17u);
  EXPECT_EQ(datatypeWidth(15, 4, {0, 255}), 16u);
  // l1 * 2^N around 2^15.
  EXPECT_EQ(a2qWidth({127, 0}, {0, 255}), 16u);
  EXPECT_EQ(a2qWidth({128, 0}, {0, 255}), 17u);
  // At 2^60 a double no longer tells neighbours apart.
  Wide power = Wide(1) << 60;
  EXPECT_EQ(boundsOf({int64_t(power - 1)}, {0, 1}, 62).exact, 61u);
  EXPECT_EQ(boundsOf({int64_t(power)}, {0, 1}, 62).exact, 62u);
  EXPECT_EQ(boundsOf({int64_t(-power)}, {0, 1}, 62).exact, 61u);
  EXPECT_EQ(boundsOf({int64_t(-power - 1)}, {0, 1}, 62).exact, 62u);
}

TEST(BoundsTrap, CodesWithoutZeroHaveWiderPrefixes) {
  ChannelBounds bounds = boundsOf({1, 1}, {200, 255}, 2);
  EXPECT_EQ(bounds.final, (Interval{400, 510}));
  EXPECT_EQ(bounds.prefix, (Interval{0, 510}));
  EXPECT_EQ(spanWidth(bounds.final), 7u);
  EXPECT_EQ(spanWidth(bounds.prefix), 9u);
  EXPECT_EQ(bounds.centred, 9u);
  EXPECT_EQ(bounds.finalWidth, 10u);
  // Opposite signs: the final value is small, the partial sum is not.
  bounds = boundsOf({1, -1}, {200, 255}, 2);
  EXPECT_EQ(bounds.finalWidth, 7u);
  EXPECT_EQ(bounds.exact, 9u);
}

TEST(BoundsTrap, NothingToAddNeedsOneBit) {
  for (const ChannelBounds &bounds :
       {boundsOf({0, 0, 0}, {0, 255}, 4), boundsOf({5, -7, 3}, {0, 0}, 4)}) {
    EXPECT_EQ(bounds.centred, 1u);
    EXPECT_EQ(bounds.exact, 1u);
    EXPECT_EQ(bounds.a2qPlus, 1u);
    EXPECT_EQ(bounds.a2q, 1u);
    EXPECT_EQ(bounds.zeroPoint, 1u);
    EXPECT_GT(bounds.datatype, 1u);
  }
}

// The largest interval that bitnet.cpp's 16-bit lane reaches: 2-bit weights
// stored as 0..2, 8-bit activations, 128 terms.
TEST(BoundsTrap, IntervalsAreInferredNotAssumed) {
  std::vector<int64_t> weights(128, 2);
  ChannelBounds bounds = boundsOf(weights, {0, 254}, 3);
  EXPECT_EQ(bounds.final.hi, 65024);
  EXPECT_EQ(bounds.exact, 17u);
  EXPECT_EQ(bounds.centred, 16u);
}

// 64-bit codes and weights can sum beyond 128 bits. Nothing wraps: the width
// says that no register holds it, also when later terms lead back.
TEST(BoundsTrap, SumsBeyond128BitsStayThere) {
  Range all = {INT64_MIN, INT64_MAX};
  std::vector<int64_t> weights(8, INT64_MIN);
  ChannelBounds bounds = boundsOf(weights, all, 64);
  EXPECT_EQ(bounds.exact, 128u);
  EXPECT_EQ(bounds.centred, 128u);
  EXPECT_GT(bounds.a2q, 126u);
  EXPECT_GT(bounds.a2qPlus, 126u);
  EXPECT_GT(bounds.datatype, 126u);
  std::vector<Range> back = {all, all, all, all, {INT64_MAX, INT64_MAX}};
  weights.assign(4, INT64_MIN);
  weights.push_back(INT64_MIN);
  EXPECT_EQ(finalInterval({weights, back}).hi, wideMax);
  EXPECT_EQ(finalInterval({weights, back}).lo, wideMin);
}

// The example in Bounds.h.
TEST(Bounds, WorkedExample) {
  ChannelBounds bounds = boundsOf({5, -3, 2, 6}, {0, 15}, 4);
  EXPECT_EQ(bounds.norms, (Norms{13, 3}));
  EXPECT_EQ(bounds.datatype, 11u);
  EXPECT_EQ(bounds.a2q, 10u);
  EXPECT_EQ(bounds.a2qPlus, 9u);
  EXPECT_EQ(bounds.prefix, (Interval{-45, 195}));
  EXPECT_EQ(bounds.exact, 9u);
  EXPECT_EQ(bounds.centred, 8u);
  EXPECT_EQ(centredStart(bounds.prefix), -75);
}

TEST(Bounds, WidthByName) {
  ChannelBounds bounds = boundsOf({3, -1}, {0, 15}, 4);
  for (auto [bound, width] : {std::pair{Bound::DataType, bounds.datatype},
                              {Bound::A2Q, bounds.a2q},
                              {Bound::A2QPlus, bounds.a2qPlus},
                              {Bound::Exact, bounds.exact},
                              {Bound::Centred, bounds.centred}}) {
    EXPECT_EQ(bounds.width(bound), width);
    EXPECT_EQ(parseBound(toString(bound)), bound);
  }
  EXPECT_EQ(parseBound("a2q+"), std::nullopt);
}

//===----------------------------------------------------------------------===//
// The saturating pair
//===----------------------------------------------------------------------===//

TEST(Pair, SaturatesExactlyWhereThePairOverflows) {
  Range u8 = {0, 255};
  for (int64_t q0 = -128; q0 <= 127; ++q0)
    for (int64_t q1 = q0; q1 <= 127; ++q1) {
      // Positive and negative parts separately.
      int64_t pos = std::max<int64_t>(q0, 0) + std::max<int64_t>(q1, 0);
      int64_t neg = std::max<int64_t>(-q0, 0) + std::max<int64_t>(-q1, 0);
      bool exact = pos * 255 <= 32767 && neg * 255 <= 32768;
      ASSERT_EQ(pairIsExact(q0, u8, q1, u8), exact) << q0 << " " << q1;
    }
  EXPECT_TRUE(pairIsExact(64, u8, 64, u8));
  EXPECT_FALSE(pairIsExact(64, u8, 65, u8));
  EXPECT_TRUE(pairIsExact(127, u8, -128, u8));
  EXPECT_TRUE(pairIsExact(127, {0, 129}, 127, {0, 129}));
}

// The hardware forms both products and saturates their sum once, so a product
// beyond 16 bits is not possible and a partial sum does not count.
TEST(Pair, OnlyTheSumOfThePairCounts) {
  EXPECT_TRUE(pairIsExact(-128, {250, 255}, -128, {0, 1}));
  EXPECT_FALSE(pairIsExact(-128, {0, 255}, -128, {0, 2}));
}

TEST(Pair, OperandsAreBytes) {
  EXPECT_FALSE(pairIsExact(1, {0, 256}, 1, {0, 1}));
  EXPECT_FALSE(pairIsExact(1, {-1, 1}, -1, {0, 1}));
  EXPECT_FALSE(pairIsExact(128, {0, 255}, -1, {0, 1}));
  // Roles swapped: unsigned weights, signed codes.
  EXPECT_TRUE(pairIsExact(128, {-128, 127}, 1, {-128, 127}));
}

} // namespace
