//===- RangesTest.cpp - Ranges against every input ------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Small functions are evaluated on every input in their arguments' ranges. No
// value may leave the range that the analysis claims, and where it is exact
// both ends are reached.
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Accumulators.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/Reference/Evaluate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace a2q;

namespace {

using Range = a2q::Range;

constexpr StringRef types = R"mlir(
  !x = !quant.uniform<u8:f32, 0.1:200>
  !s = !quant.uniform<i8:f32, 0.1:-3>
  !w = !quant.uniform<i8:f32, 0.5>
  !y = !quant.uniform<u8<0:15>:f32, 0.2:2>
)mlir";

class RangesTest : public ::testing::Test {
protected:
  RangesTest() {
    context.loadDialect<A2QDialect, quant::QuantDialect, arith::ArithDialect,
                        func::FuncDialect, linalg::LinalgDialect,
                        tensor::TensorDialect>();
  }

  void parse(StringRef source) {
    module = parseSourceString<ModuleOp>((types + source).str(), &context);
    ASSERT_TRUE(module);
    function = *module->getOps<func::FuncOp>().begin();
  }

  Value returned() {
    return function.getBody().front().getTerminator()->getOperand(0);
  }

  /// Counts the argument's elements through all values of its trusted range.
  void compare(StringRef source, bool exact = true);

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
};

/// The smallest and largest element per index of the last dimension.
void widen(std::vector<Interval> &reached, const std::vector<Wide> &elements,
           bool first) {
  for (size_t i = 0; i < elements.size(); ++i) {
    Interval &interval = reached[i % reached.size()];
    Interval element = {elements[i], elements[i]};
    interval = first && i < reached.size() ? element : join(interval, element);
  }
}

void RangesTest::compare(StringRef source, bool exact) {
  parse(source);
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[0]);
  RangeAnalysis analysis(function);
  std::optional<ElementRanges> inputs =
      analysis.lookup(function.getArgument(0));
  ASSERT_TRUE(inputs);
  ASSERT_TRUE(inputs->isUniform());
  Range range = inputs->joined();
  std::vector<Wide> elements(type.getNumElements(), range.lo);
  int64_t channels =
      cast<RankedTensorType>(returned().getType()).getShape().back();
  std::vector<Interval> reached(channels);
  for (bool first = true;; first = false) {
    auto results =
        evaluate(function,
                 {ReferenceTensor{llvm::to_vector(type.getShape()), elements}});
    ASSERT_TRUE(succeeded(results));
    widen(reached, results->front().integers(), first);
    size_t digit = 0;
    while (digit < elements.size() && elements[digit] == range.hi)
      elements[digit++] = range.lo;
    if (digit == elements.size())
      break;
    ++elements[digit];
  }
  std::optional<ElementRanges> claimed = analysis.lookup(returned());
  ASSERT_TRUE(claimed);
  for (int64_t channel = 0; channel < channels; ++channel) {
    Range claim = claimed->at(channel);
    EXPECT_LE(claim.lo, reached[channel].lo) << "channel " << channel;
    EXPECT_GE(claim.hi, reached[channel].hi) << "channel " << channel;
    if (exact) {
      EXPECT_EQ(claim.lo, reached[channel].lo) << "channel " << channel;
      EXPECT_EQ(claim.hi, reached[channel].hi) << "channel " << channel;
    }
  }
}

TEST_F(RangesTest, MatmulWithSignedWeightsAndInitialValue) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x3x!s> {a2q.range = [-3, 2]}) -> tensor<1x2xi32> {
      %c = arith.constant dense<[[1, -2, 3], [-4, 0, 5]]> : tensor<2x3xi8>
      %w = quant.scast %c : tensor<2x3xi8> to tensor<2x3x!w>
      %b = arith.constant dense<[100, -7]> : tensor<2xi32>
      %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
          : tensor<1x3x!s>, tensor<2x3x!w> -> tensor<1x2x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
      return %d : tensor<1x2xi32>
    })mlir");
}

// Two input positions and a kernel of two: the outer outputs read one code of
// padding (200), which no input in [126, 129] has.
TEST_F(RangesTest, ConvolutionReadsItsPadding) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x1x2x1x!x> {a2q.range = [126, 129]}) -> tensor<1x1x5x1xi32> {
      %c = arith.constant dense<[[[[1], [0]]]]> : tensor<1x1x2x1xi8>
      %w = quant.scast %c : tensor<1x1x2x1xi8> to tensor<1x1x2x1x!w>
      %y = a2q.conv_2d %x, %w padding [0, 2, 0, 2]
          : tensor<1x1x2x1x!x>, tensor<1x1x2x1x!w> -> tensor<1x1x5x1x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x1x5x1x!a2q.acc<32>> to tensor<1x1x5x1xi32>
      return %d : tensor<1x1x5x1xi32>
    })mlir");
}

TEST_F(RangesTest, RequantizePerChannel) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x2x!s> {a2q.range = [-8, 7]}) -> tensor<1x3x!y> {
      %c = arith.constant dense<[[1, 1], [3, -1], [-1, -1]]> : tensor<3x2xi8>
      %w = quant.scast %c : tensor<3x2xi8> to tensor<3x2x!w>
      %y = a2q.matmul %x, %w : tensor<1x2x!s>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<32>>
      %q = a2q.requantize %y multiplier dense<[0.3, 0.125, 1.0e-3]> : tensor<3xf32>
          bias dense<[5, 0, -1]> : tensor<3xi32>
          : tensor<1x3x!a2q.acc<32>> to tensor<1x3x!y>
      return %q : tensor<1x3x!y>
    })mlir");
}

TEST_F(RangesTest, RequantizeInFixedPoint) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x2x!x> {a2q.range = [120, 135]}) -> tensor<1x2x!y> {
      %c = arith.constant dense<[[1, -1], [1, 1]]> : tensor<2x2xi8>
      %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
      %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
      %q = a2q.requantize %y multiplier dense<[3, 5]> : tensor<2xi32> shift dense<[2, 4]> : tensor<2xi8>
          bias dense<[0, -250]> : tensor<2xi32> rounding half_up
          : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
      return %q : tensor<1x2x!y>
    })mlir");
}

// Codes on both sides of 128, through the signless i8 that stores them.
TEST_F(RangesTest, UnsignedCodesInSignlessIntegers) {
  compare(R"mlir(
    func.func @f(%x: tensor<2x!x> {a2q.range = [120, 140]}) -> tensor<2xi32> {
      %s = quant.scast %x : tensor<2x!x> to tensor<2xi8>
      %u = arith.extui %s : tensor<2xi8> to tensor<2xi32>
      return %u : tensor<2xi32>
    })mlir");
  compare(R"mlir(
    func.func @f(%x: tensor<2x!x> {a2q.range = [120, 140]}) -> tensor<2xi32> {
      %s = quant.scast %x : tensor<2x!x> to tensor<2xi8>
      %u = arith.extsi %s : tensor<2xi8> to tensor<2xi32>
      return %u : tensor<2xi32>
    })mlir");
  compare(R"mlir(
    func.func @f(%x: tensor<2x!x> {a2q.range = [130, 140]}) -> tensor<2xi32> {
      %s = quant.scast %x : tensor<2x!x> to tensor<2xi8>
      %c = arith.constant dense<-120> : tensor<2xi8>
      %m = arith.maxsi %s, %c : tensor<2xi8>
      %u = arith.extui %m : tensor<2xi8> to tensor<2xi32>
      return %u : tensor<2xi32>
    })mlir");
}

TEST_F(RangesTest, MaximumPoolingOfUnsignedCodes) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x1x3x1x!x> {a2q.range = [126, 130]}) -> tensor<1x1x2x1xi32> {
      %s = quant.scast %x : tensor<1x1x3x1x!x> to tensor<1x1x3x1xi8>
      %zero = arith.constant 0 : i8
      %e = tensor.empty() : tensor<1x1x2x1xi8>
      %f = linalg.fill ins(%zero : i8) outs(%e : tensor<1x1x2x1xi8>) -> tensor<1x1x2x1xi8>
      %w = tensor.empty() : tensor<1x2xi8>
      %p = linalg.pooling_nhwc_max_unsigned {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>}
          ins(%s, %w : tensor<1x1x3x1xi8>, tensor<1x2xi8>) outs(%f : tensor<1x1x2x1xi8>) -> tensor<1x1x2x1xi8>
      %u = arith.extui %p : tensor<1x1x2x1xi8> to tensor<1x1x2x1xi32>
      return %u : tensor<1x1x2x1xi32>
    })mlir");
}

// A signed maximum of the same codes takes 128 and more for negative.
TEST_F(RangesTest, SignedMaximumOfUnsignedCodesIsSound) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x1x3x1x!x> {a2q.range = [126, 130]}) -> tensor<1x1x2x1xi32> {
      %s = quant.scast %x : tensor<1x1x3x1x!x> to tensor<1x1x3x1xi8>
      %min = arith.constant -128 : i8
      %e = tensor.empty() : tensor<1x1x2x1xi8>
      %f = linalg.fill ins(%min : i8) outs(%e : tensor<1x1x2x1xi8>) -> tensor<1x1x2x1xi8>
      %w = tensor.empty() : tensor<1x2xi8>
      %p = linalg.pooling_nhwc_max {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>}
          ins(%s, %w : tensor<1x1x3x1xi8>, tensor<1x2xi8>) outs(%f : tensor<1x1x2x1xi8>) -> tensor<1x1x2x1xi8>
      %u = arith.extui %p : tensor<1x1x2x1xi8> to tensor<1x1x2x1xi32>
      return %u : tensor<1x1x2x1xi32>
    })mlir",
          /*exact=*/false);
}

// The sum wraps in its 8 bits: the claim has to be all of them.
TEST_F(RangesTest, SumsThatWrap) {
  compare(R"mlir(
    func.func @f(%x: tensor<2x1xi8> {a2q.range = [60, 68]}) -> tensor<1xi8> {
      %zero = arith.constant 0 : i8
      %e = tensor.empty() : tensor<1xi8>
      %f = linalg.fill ins(%zero : i8) outs(%e : tensor<1xi8>) -> tensor<1xi8>
      %s = linalg.reduce { arith.addi } ins(%x : tensor<2x1xi8>) outs(%f : tensor<1xi8>) dimensions = [0]
      return %s : tensor<1xi8>
    })mlir",
          /*exact=*/false);
}

// Codes [197, 203] of zero point 200 and the sums of a layer, added as reals:
// fewer codes come out than the type has.
TEST_F(RangesTest, ResidualAddInReals) {
  compare(R"mlir(
    func.func @f(%x: tensor<1x2x!x> {a2q.range = [197, 203]}) -> tensor<1x2x!y> {
      %c = arith.constant dense<[[1, 0], [0, 1]]> : tensor<2x2xi8>
      %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
      %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
      %e = tensor.empty() : tensor<1x2xf32>
      %bias = arith.constant dense<[-10.0, -10.5]> : tensor<2xf32>
      %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                           iterator_types = ["parallel", "parallel"]}
          ins(%d, %bias : tensor<1x2xi32>, tensor<2xf32>) outs(%e : tensor<1x2xf32>) {
      ^bb0(%sum: i32, %b: f32, %out: f32):
        %scale = arith.constant 0.05 : f32
        %f = arith.sitofp %sum : i32 to f32
        %s = arith.mulf %f, %scale : f32
        %t = arith.addf %s, %b : f32
        linalg.yield %t : f32
      } -> tensor<1x2xf32>
      %own = a2q.dequantize %x : tensor<1x2x!x> to tensor<1x2xf32>
      %add = arith.addf %r, %own : tensor<1x2xf32>
      %max = arith.constant dense<0.9> : tensor<1x2xf32>
      %clip = arith.minimumf %add, %max : tensor<1x2xf32>
      %q = a2q.quantize %clip : tensor<1x2xf32> to tensor<1x2x!y>
      return %q : tensor<1x2x!y>
    })mlir",
          /*exact=*/false);
  // Sums give [9.85, 10.15] with a bias of -10.5 or -10, codes [-0.3, 0.3]; the
  // real numbers lie in [-0.95, 0.45], codes of scale 0.2 and zero point 2 in
  // round(-4.75) + 2 = -3, clamped to 0, and round(2.25) + 2 = 4.
  EXPECT_EQ(RangeAnalysis(function).lookup(returned())->joined(),
            (Range{0, 4}));
}

TEST_F(RangesTest, RealsThatMayBeAnythingGiveAllCodes) {
  parse(R"mlir(
    func.func @f(%x: tensor<2x!y>, %r: tensor<2xf32>) -> tensor<2x!y> {
      %own = a2q.dequantize %x : tensor<2x!y> to tensor<2xf32>
      %huge = arith.constant dense<3.0e38> : tensor<2xf32>
      %overflow = arith.mulf %own, %huge : tensor<2xf32>
      %q = a2q.quantize %overflow : tensor<2xf32> to tensor<2x!y>
      %add = arith.addf %own, %r : tensor<2xf32>
      %p = a2q.quantize %add : tensor<2xf32> to tensor<2x!y>
      return %p : tensor<2x!y>
    })mlir");
  RangeAnalysis analysis(function);
  for (Operation &op : function.getBody().front())
    if (isa<QuantizeOp>(op))
      EXPECT_EQ(analysis.lookup(op.getResult(0))->joined(), (Range{0, 15}));
}

TEST_F(RangesTest, LookupKnowsBothReadings) {
  parse(R"mlir(
    func.func @f(%x: tensor<2xi8> {a2q.range = [0, 200]}, %r: tensor<2xf32>) -> tensor<2xi8> {
      return %x : tensor<2xi8>
    })mlir");
  RangeAnalysis analysis(function);
  EXPECT_EQ(analysis.lookup(returned())->joined(), (Range{-128, 127}));
  EXPECT_EQ(analysis.lookup(returned(), /*unsignedSignless=*/true)->joined(),
            (Range{0, 200}));
  EXPECT_FALSE(analysis.lookup(function.getArgument(1)));
}

TEST_F(RangesTest, ProblemOfGroups) {
  parse(R"mlir(
    func.func @f(%x: tensor<1x1x1x4x!x> {a2q.range = {axis = 3, lo = array<i64: 0, 1, 2, 3>, hi = array<i64: 5, 6, 7, 8>}})
        -> tensor<1x1x1x2x!a2q.acc<32>> {
      %c = arith.constant dense<[[[[1, 2]]], [[[3, 4]]]]> : tensor<2x1x1x2xi8>
      %w = quant.scast %c : tensor<2x1x1x2xi8> to tensor<2x1x1x2x!w>
      %y = a2q.conv_2d %x, %w groups 2
          : tensor<1x1x1x4x!x>, tensor<2x1x1x2x!w> -> tensor<1x1x1x2x!a2q.acc<32>>
      return %y : tensor<1x1x1x2x!a2q.acc<32>>
    })mlir");
  RangeAnalysis analysis(function);
  std::string reason;
  auto op = cast<AccumulatingOpInterface>(returned().getDefiningOp());
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, analysis, reason);
  ASSERT_TRUE(succeeded(layer)) << reason;
  EXPECT_EQ(layer->problem.channels, 2);
  EXPECT_EQ(layer->problem.length, 2);
  EXPECT_EQ(layer->problem.weights, (std::vector<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(layer->problem.ranges,
            (std::vector<Range>{{0, 5}, {1, 6}, {2, 7}, {3, 8}}));
  EXPECT_EQ(layer->activations, (Range{0, 8}));
  EXPECT_EQ(layer->sum(0), (Interval{2, 17}));
  EXPECT_EQ(layer->sum(1), (Interval{18, 53}));
  EXPECT_EQ(layer->weightBits, 8u);
}

// What a cache has is used only where nothing that it came from has changed:
// the weights, the range of the codes, the padding, whatever the op's place.
TEST_F(RangesTest, CacheFollowsChanges) {
  parse(R"mlir(
    func.func @f(%x: tensor<1x4x4x1x!y> {a2q.range = [0, 3]}) -> tensor<1x5x5x1x!a2q.acc<32>> {
      %c = arith.constant dense<[[[[1], [2]], [[3], [-4]]]]> : tensor<1x2x2x1xi8>
      %w = quant.scast %c : tensor<1x2x2x1xi8> to tensor<1x2x2x1x!w>
      %s = a2q.conv_2d %x, %w padding [1, 1, 1, 1]
          : tensor<1x4x4x1x!y>, tensor<1x2x2x1x!w> -> tensor<1x5x5x1x!a2q.acc<32>>
      return %s : tensor<1x5x5x1x!a2q.acc<32>>
    })mlir");
  RangeCache cache;
  auto claim = [&] {
    Range claim = RangeAnalysis(function, cache).lookup(returned())->joined();
    EXPECT_EQ(claim, RangeAnalysis(function).lookup(returned())->joined());
    return claim;
  };
  EXPECT_EQ(claim(), (Range{-12, 18}));
  EXPECT_EQ(claim(), (Range{-12, 18})) << "of the cache";
  arith::ConstantOp codes = *function.getOps<arith::ConstantOp>().begin();
  codes.setValueAttr(
      DenseElementsAttr::get(cast<ShapedType>(codes.getType()), int8_t(1)));
  EXPECT_EQ(claim(), (Range{0, 12}));
  function.setArgAttr(0, "a2q.range",
                      rangeAttr(&context, ElementRanges{{Range{0, 1}}}));
  EXPECT_EQ(claim(), (Range{0, 8})) << "the padding is 2";
  returned().getDefiningOp<Conv2DOp>().setPadding({0, 0, 0, 0});
  EXPECT_EQ(claim(), (Range{0, 4}));
}

} // namespace
