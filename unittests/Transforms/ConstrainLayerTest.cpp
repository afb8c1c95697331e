//===- ConstrainLayerTest.cpp - Layers with more than the module knows ----===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/ConstrainLayer.h"

#include "a2q/Analysis/Report.h"
#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

namespace {

/// Two channels of two weights; three bits span one unit of codes in [0, 7].
constexpr StringLiteral layer = R"mlir(
  !x = !quant.uniform<u8<0:7>:f32, 0.5>
  !w = !quant.uniform<i8<-7:7>:f32:0, {0.5, 0.25}>
  !y = !quant.uniform<u8<0:15>:f32, 1.0>
  func.func @layer(%x: tensor<1x2x!x>) -> tensor<1x2x!y> {
    %c = arith.constant dense<[[3, 2], [1, 0]]> : tensor<2x2xi8>
    %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
    %s = a2q.matmul %x, %w
        : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
    %y = a2q.requantize %s multiplier dense<[0.25, 0.5]> : tensor<2xf32>
        bias dense<[10, 20]> : tensor<2xi32>
        : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
    return %y : tensor<1x2x!y>
  }
)mlir";

class ConstrainLayer : public testing::Test {
protected:
  ConstrainLayer() {
    context.loadDialect<A2QDialect, arith::ArithDialect, func::FuncDialect,
                        quant::QuantDialect>();
    module = parseSourceString<ModuleOp>(layer, &context);
    before = text();
    spec.width = 3;
    spec.method = "optimal-fixed-scale";
  }

  MatmulOp op() {
    MatmulOp found;
    module->walk([&](MatmulOp op) { found = op; });
    return found;
  }
  RequantizeOp requantize() {
    return cast<RequantizeOp>(*op()->getUsers().begin());
  }
  std::string text() {
    std::string result;
    llvm::raw_string_ostream(result) << *module;
    return result;
  }
  std::vector<int64_t> codes() {
    FailureOr<SmallVector<int64_t>> values = op().getWeightCodes();
    return {values->begin(), values->end()};
  }

  FailureOr<bool> constrain(const LayerKnowledge &knowledge = {}) {
    return constrainLayer(op(), spec, RangeAnalysis(*module), knowledge);
  }
  /// Constrains, which is an error, and gives its text.
  std::string refusal(const LayerKnowledge &knowledge) {
    std::string message;
    ScopedDiagnosticHandler handler(
        &context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
    EXPECT_TRUE(failed(constrain(knowledge)));
    EXPECT_EQ(text(), before);
    return message;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string before;
  ConstraintSpec spec;
};

/// Inputs 0 or 4, evenly and independent.
Moments independent() {
  return {.length = 2, .samples = 4, .mean = {2, 2}, .products = {8, 4, 4, 8}};
}

TEST_F(ConstrainLayer, RoundsRealWeights) {
  // As codes the first weight is the larger one; as reals it is the second.
  std::vector<double> reals = {2.6, 2.9, 1, 0};
  FailureOr<bool> changed = constrain({.weights = reals});
  ASSERT_TRUE(succeeded(changed));
  EXPECT_TRUE(*changed);
  EXPECT_EQ(codes(), (std::vector<int64_t>{0, 1, 1, 0}));
  EXPECT_TRUE(succeeded(proveLayer(op(), RangeAnalysis(*module))));
}

/// Inputs that are nearly the same.
Moments alike() {
  return {
      .length = 2, .samples = 4, .mean = {0, 0}, .products = {1, .9, .9, 1}};
}

// Rounded one by one both weights are .4 too large, and so is their sum: an
// error of .61. With one of them .6 too small it is .09.
TEST_F(ConstrainLayer, FeedsErrorsBackWhereRealsAreKnown) {
  spec.width = 16;
  std::vector<Moments> moments = {alike()};
  std::vector<double> reals = {2.6, 1.6, 1, 0};
  for (const char *method : {"gpfq-fixed-scale", "optq-fixed-scale"}) {
    spec.method = method;
    module = parseSourceString<ModuleOp>(layer, &context);
    // Codes that are all there is and fit are kept.
    ASSERT_TRUE(succeeded(constrain({.moments = moments})));
    EXPECT_EQ(codes(), (std::vector<int64_t>{3, 2, 1, 0}));
    FailureOr<bool> changed = constrain({.moments = moments, .weights = reals});
    ASSERT_TRUE(succeeded(changed));
    EXPECT_TRUE(*changed);
    std::vector<int64_t> found = codes();
    EXPECT_EQ(found[0] + found[1], 4);
    EXPECT_EQ(found[2], 1);
    EXPECT_EQ(found[3], 0);
  }
}

// Methods keep to narrow range, so -8 would become -7.
TEST_F(ConstrainLayer, KeepsCodesThatFitAndLoseLess) {
  std::string text = layer.str();
  text.replace(text.find("i8<-7:7>"), 8, "i8<-8:7>");
  text.replace(text.find("[3, 2]"), 6, "[-8, 2]");
  module = parseSourceString<ModuleOp>(text, &context);
  spec.width = 16;
  spec.method = "gpfq-fixed-scale";
  std::vector<Moments> moments = {independent()};
  std::vector<double> reals = {-8, 2, 1.1, 0};
  FailureOr<bool> changed = constrain({.moments = moments, .weights = reals});
  ASSERT_TRUE(succeeded(changed));
  EXPECT_EQ(codes(), (std::vector<int64_t>{-8, 2, 1, 0}));
}

TEST_F(ConstrainLayer, LeavesWhatFits) {
  spec.width = 16;
  FailureOr<bool> changed = constrain();
  ASSERT_TRUE(succeeded(changed));
  EXPECT_FALSE(*changed);
  EXPECT_EQ(codes(), (std::vector<int64_t>{3, 2, 1, 0}));
}

TEST_F(ConstrainLayer, SkipsOnRequest) {
  spec.skip = true;
  FailureOr<bool> changed = constrain();
  ASSERT_TRUE(succeeded(changed));
  EXPECT_FALSE(*changed);
  EXPECT_EQ(text(), before);
}

TEST_F(ConstrainLayer, BringsBackTheStatisticsThatSumsHad) {
  std::vector<Moments> moments = {independent()};
  ASSERT_TRUE(succeeded(constrain({.moments = moments})));
  EXPECT_EQ(codes(), (std::vector<int64_t>{1, 0, 1, 0}));
  // (3, 2) has mean 10 and variance 4 * 13, (1, 0) mean 2 and variance 4.
  double factor = std::sqrt(13.0);
  auto multipliers = requantize().getMultiplierAttr().getValues<float>();
  EXPECT_FLOAT_EQ(multipliers[0], 0.25 * factor);
  EXPECT_FLOAT_EQ(multipliers[1], 0.5);
  auto bias = requantize().getBiasAttr().getValues<APInt>();
  EXPECT_EQ(bias[0].getSExtValue(),
            std::lround((10 + 10 - 2 * factor) / factor));
  EXPECT_EQ(bias[1].getSExtValue(), 20);
}

TEST_F(ConstrainLayer, CorrectsTheBiasAlone) {
  // Units of sums are 0.5 * 0.5 and 0.5 * 0.25; they have means 10 and 2. Both
  // are to have 3 units more.
  std::vector<Moments> moments = {independent()};
  std::vector<SumStatistics> sums = {{13 * 0.25, 1}, {5 * 0.125, 1}};
  ASSERT_TRUE(succeeded(correctLayer(op(), RangeAnalysis(*module),
                                     {.moments = moments, .sums = sums})));
  EXPECT_EQ(codes(), (std::vector<int64_t>{3, 2, 1, 0}));
  auto bias = requantize().getBiasAttr().getValues<APInt>();
  EXPECT_EQ(bias[0].getSExtValue(), 13);
  EXPECT_EQ(bias[1].getSExtValue(), 23);
  EXPECT_FLOAT_EQ(requantize().getMultiplierAttr().getValues<float>()[0],
                  0.25f);
}

TEST_F(ConstrainLayer, RefusesBadKnowledge) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> reals = {1, 2, nan, 4};
  EXPECT_EQ(refusal({.weights = reals}),
            "weight 0 of channel 1 is no finite number");
  reals = {1, 2, 3, HUGE_VAL};
  EXPECT_EQ(refusal({.weights = reals}),
            "weight 1 of channel 1 is no finite number");
  reals = {1, 2, 3};
  EXPECT_EQ(refusal({.weights = reals}), "found 3 real weights, the op has 4");
  std::vector<Moments> moments = {independent(), independent()};
  EXPECT_EQ(refusal({.moments = moments}),
            "found moments of 2 groups, the op has 1");
  moments = {Moments{.length = 3,
                     .samples = 4,
                     .mean = {1, 1, 1},
                     .products = std::vector<double>(9, 1)}};
  EXPECT_NE(refusal({.moments = moments}).find("the moments of group 0"),
            std::string::npos);
  moments = {independent()};
  moments[0].products[0] = nan;
  EXPECT_NE(refusal({.moments = moments}).find("the moments of group 0"),
            std::string::npos);
  moments = {independent()};
  std::vector<SumStatistics> sums = {{1, 1}};
  EXPECT_EQ(refusal({.moments = moments, .sums = sums}),
            "found statistics of 1 sums, the op has 2 channels");
  sums = {{1, 1}, {nan, 1}};
  EXPECT_EQ(refusal({.moments = moments, .sums = sums}),
            "the statistics of the sum of channel 1 are no numbers");
}

TEST_F(ConstrainLayer, LeavesAnOpWhoseReaderCannotFollowAsItWas) {
  // Scales that leave f32, found out after the weights were chosen.
  requantize().setMultiplierAttr(DenseElementsAttr::get(
      RankedTensorType::get({1}, Float32Type::get(&context)), {3e38f}));
  before = text();
  spec.method = "optimal";
  EXPECT_NE(refusal({}).find("the multiplier of channel 0 leaves f32"),
            std::string::npos);
}

} // namespace
