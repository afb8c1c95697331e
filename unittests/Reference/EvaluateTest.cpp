//===- EvaluateTest.cpp - Tests of the reference evaluation ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Reference/Evaluate.h"

#include "a2q/InitAll.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace a2q;

namespace {

using Integers = std::vector<Wide>;
using Reals = std::vector<float>;

class EvaluateTest : public ::testing::Test {
protected:
  EvaluateTest() {
    DialectRegistry registry;
    a2q::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
      error = diagnostic.str();
      return success();
    });
  }

  /// Evaluates the only function of `source`.
  FailureOr<SmallVector<ReferenceTensor>>
  run(StringRef source, ArrayRef<ReferenceTensor> arguments,
      std::optional<Emulation> emulation = std::nullopt) {
    module = parseSourceString<ModuleOp>(source, &context);
    if (!module)
      return failure();
    return evaluate(*module->getOps<func::FuncOp>().begin(), arguments,
                    emulation);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string error;
};

ReferenceTensor integers(SmallVector<int64_t> shape, Integers values) {
  return {std::move(shape), std::move(values)};
}
ReferenceTensor reals(SmallVector<int64_t> shape, Reals values) {
  return {std::move(shape), std::move(values)};
}

TEST_F(EvaluateTest, MatmulSumsCodesAndInitialValue) {
  auto result = run(
      R"mlir(
    !x = !quant.uniform<u8:f32, 1.0:128>
    !w = !quant.uniform<i8:f32, 1.0>
    func.func @f(%x: tensor<2x2x!x>, %w: tensor<2x2x!w>) -> tensor<2x2xi32> {
      %b = arith.constant dense<[100, -100]> : tensor<2xi32>
      %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
          : tensor<2x2x!x>, tensor<2x2x!w> -> tensor<2x2x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<2x2x!a2q.acc<32>> to tensor<2x2xi32>
      return %d : tensor<2x2xi32>
    })mlir",
      {integers({2, 2}, {255, 1, 2, 3}), integers({2, 2}, {-128, 5, 7, 11})});
  ASSERT_TRUE(succeeded(result)) << error;
  EXPECT_EQ(result->front().integers(),
            (Integers{255 * -128 + 5 + 100, 255 * 7 + 11 - 100,
                      2 * -128 + 15 + 100, 14 + 33 - 100}));
}

TEST_F(EvaluateTest, ConvolutionPadsWithTheZeroPointCode) {
  // 1x3 kernel [1, 10, 100] over codes [5, 6, 7, 8] of zero point 2, padded by
  // one on the left only, stride 2.
  auto result = run(R"mlir(
    !x = !quant.uniform<u8:f32, 1.0:2>
    !w = !quant.uniform<i8:f32, 1.0>
    func.func @f(%x: tensor<1x1x4x1x!x>, %w: tensor<1x1x3x1x!w>) -> tensor<1x1x2x1xi32> {
      %y = a2q.conv_2d %x, %w strides [1, 2] padding [0, 1, 0, 0]
          : tensor<1x1x4x1x!x>, tensor<1x1x3x1x!w> -> tensor<1x1x2x1x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x1x2x1x!a2q.acc<32>> to tensor<1x1x2x1xi32>
      return %d : tensor<1x1x2x1xi32>
    })mlir",
                    {integers({1, 1, 4, 1}, {5, 6, 7, 8}),
                     integers({1, 1, 3, 1}, {1, 10, 100})});
  ASSERT_TRUE(succeeded(result)) << error;
  EXPECT_EQ(result->front().integers(), (Integers{2 + 50 + 600, 6 + 70 + 800}));
}

TEST_F(EvaluateTest, DepthwiseConvolutionReadsItsOwnChannel) {
  auto result = run(R"mlir(
    !x = !quant.uniform<u8:f32, 1.0>
    !w = !quant.uniform<i8:f32, 1.0>
    func.func @f(%x: tensor<1x1x2x2x!x>, %w: tensor<2x1x2x1x!w>) -> tensor<1x1x1x2xi32> {
      %y = a2q.conv_2d %x, %w groups 2
          : tensor<1x1x2x2x!x>, tensor<2x1x2x1x!w> -> tensor<1x1x1x2x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x1x1x2x!a2q.acc<32>> to tensor<1x1x1x2xi32>
      return %d : tensor<1x1x1x2xi32>
    })mlir",
                    {integers({1, 1, 2, 2}, {1, 2, 3, 4}),
                     integers({2, 1, 2, 1}, {1, 10, 100, 1000})});
  ASSERT_TRUE(succeeded(result)) << error;
  EXPECT_EQ(result->front().integers(), (Integers{31, 4200}));
}

TEST_F(EvaluateTest, RequantizesByChannelWithBias) {
  auto result = run(R"mlir(
    !x = !quant.uniform<u8:f32, 1.0>
    !w = !quant.uniform<i8:f32, 1.0>
    !y = !quant.uniform<u8<0:15>:f32, 0.5:1>
    func.func @f(%x: tensor<1x1x!x>, %w: tensor<3x1x!w>) -> tensor<1x3xi8> {
      %a = a2q.matmul %x, %w : tensor<1x1x!x>, tensor<3x1x!w> -> tensor<1x3x!a2q.acc<32>>
      %q = a2q.requantize %a multiplier dense<[0.5, 0.5, 0.25]> : tensor<3xf32>
          bias dense<[1, 2, -100]> : tensor<3xi32>
          : tensor<1x3x!a2q.acc<32>> to tensor<1x3x!y>
      %i = quant.scast %q : tensor<1x3x!y> to tensor<1x3xi8>
      return %i : tensor<1x3xi8>
    })mlir",
                    {integers({1, 1}, {4}), integers({3, 1}, {1, 1, 1})});
  ASSERT_TRUE(succeeded(result)) << error;
  // 2.5 rounds to 2 and 3.0 to 3, then the zero point; -24 saturates.
  EXPECT_EQ(result->front().integers(), (Integers{3, 4, 0}));
}

TEST_F(EvaluateTest, PoolsUnsignedCodesAsUnsigned) {
  auto result = run(R"mlir(
    func.func @f(%x: tensor<1x2x2x1xi8>) -> tensor<1x1x1x1xi8> {
      %z = arith.constant 0 : i8
      %e = tensor.empty() : tensor<1x1x1x1xi8>
      %o = linalg.fill ins(%z : i8) outs(%e : tensor<1x1x1x1xi8>) -> tensor<1x1x1x1xi8>
      %k = tensor.empty() : tensor<2x2xi8>
      %y = linalg.pooling_nhwc_max_unsigned
          ins(%x, %k : tensor<1x2x2x1xi8>, tensor<2x2xi8>)
          outs(%o : tensor<1x1x1x1xi8>) -> tensor<1x1x1x1xi8>
      return %y : tensor<1x1x1x1xi8>
    })mlir",
                    {integers({1, 2, 2, 1}, {-56, 100, 3, 4})});
  ASSERT_TRUE(succeeded(result)) << error;
  EXPECT_EQ(result->front().integers(), (Integers{-56}));
}

TEST_F(EvaluateTest, RefusesAnOpThatItDoesNotKnow) {
  auto result = run(R"mlir(
    func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
      %y = math.cbrt %x : tensor<2xf32>
      return %y : tensor<2xf32>
    })mlir",
                    {reals({2}, {0, 1})});
  EXPECT_TRUE(failed(result));
  EXPECT_EQ(error, "the reference does not evaluate this op");
}

TEST(EmulationTest, HoldsWhatFits) {
  Emulation wrap{Overflow::Wrap, 4}, saturate{Overflow::Saturate, 4};
  for (Wide sum = -8; sum <= 7; ++sum) {
    EXPECT_EQ(wrap.hold(sum), sum);
    EXPECT_EQ(saturate.hold(sum), sum);
  }
  EXPECT_EQ(wrap.hold(8), -8);
  EXPECT_EQ(wrap.hold(-9), 7);
  EXPECT_EQ(wrap.hold(39), 7);
  EXPECT_EQ(saturate.hold(8), 7);
  EXPECT_EQ(saturate.hold(-9), -8);
  Emulation widest{Overflow::Wrap, 64};
  EXPECT_EQ(widest.hold(widest.highest() + 1), widest.lowest());
}

TEST(EmulationTest, IsSpelledAsOneWord) {
  auto parsed = Emulation::parse("saturate:12");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->overflow, Overflow::Saturate);
  EXPECT_EQ(parsed->width, 12u);
  ASSERT_TRUE(Emulation::parse("wrap:64"));
  for (const char *text : {"", "wrap", "wrap:", "wrap:0", "wrap:65", "wrap:-1",
                           "wrap:8x", "clamp:8", "saturate:8:8", ":8"})
    EXPECT_FALSE(Emulation::parse(text)) << text;
}

/// x = (5, 5, 5), q = (1, 1, -1), then initial values 0 and 3: the sums 5, 10,
/// 5 and 8, 13, 8 leave 4 bits on the way.
constexpr StringLiteral threeTerms = R"mlir(
    !x = !quant.uniform<u8:f32, 1.0>
    !w = !quant.uniform<i8:f32, 1.0>
    func.func @f(%x: tensor<1x3x!x>, %w: tensor<2x3x!w>) -> tensor<1x2xi32> {
      %b = arith.constant dense<[0, 3]> : tensor<2xi32>
      %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
          : tensor<1x3x!x>, tensor<2x3x!w> -> tensor<1x2x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
      return %d : tensor<1x2xi32>
    })mlir";

TEST_F(EvaluateTest, EmulatesNarrowMatmuls) {
  auto sums = [&](std::optional<Emulation> emulation) {
    auto result = run(
        threeTerms,
        {integers({1, 3}, {5, 5, 5}), integers({2, 3}, {1, 1, -1, 1, 1, -1})},
        emulation);
    EXPECT_TRUE(succeeded(result)) << error;
    return result->front().integers();
  };
  EXPECT_EQ(sums(std::nullopt), (Integers{5, 8}));
  EXPECT_EQ(sums(Emulation{Overflow::Wrap, 32}), (Integers{5, 8}));
  EXPECT_EQ(sums(Emulation{Overflow::Saturate, 32}), (Integers{5, 8}));
  // Wrapping forgives what cancels: 5 fits, 8 does not.
  EXPECT_EQ(sums(Emulation{Overflow::Wrap, 4}), (Integers{5, -8}));
  // 7 - 5, whatever was cut off before.
  EXPECT_EQ(sums(Emulation{Overflow::Saturate, 4}), (Integers{2, 2}));
  // The initial value is held first: 3 in 2 bits is -1, or saturates at 1.
  EXPECT_EQ(sums(Emulation{Overflow::Wrap, 2}), (Integers{1, 0}));
  EXPECT_EQ(sums(Emulation{Overflow::Saturate, 2}), (Integers{-2, -2}));
}

TEST_F(EvaluateTest, EmulationCountsPadding) {
  // Zero point 7, kernel [1, 1], one code of padding before the code 1.
  auto sum = [&](Overflow overflow) {
    auto result =
        run(R"mlir(
    !x = !quant.uniform<u8:f32, 1.0:7>
    !w = !quant.uniform<i8:f32, 1.0>
    func.func @f(%x: tensor<1x1x1x1x!x>, %w: tensor<1x1x2x1x!w>) -> tensor<1x1x1x1xi32> {
      %y = a2q.conv_2d %x, %w padding [0, 1, 0, 0]
          : tensor<1x1x1x1x!x>, tensor<1x1x2x1x!w> -> tensor<1x1x1x1x!a2q.acc<32>>
      %d = a2q.decode %y : tensor<1x1x1x1x!a2q.acc<32>> to tensor<1x1x1x1xi32>
      return %d : tensor<1x1x1x1xi32>
    })mlir",
            {integers({1, 1, 1, 1}, {1}), integers({1, 1, 2, 1}, {1, 1})},
            Emulation{overflow, 4});
    EXPECT_TRUE(succeeded(result)) << error;
    return result->front().integers().front();
  };
  EXPECT_EQ(sum(Overflow::Wrap), -8);
  EXPECT_EQ(sum(Overflow::Saturate), 7);
}

TEST_F(EvaluateTest, EmulatesStructuredSumsOfIntegersOnly) {
  // 100 * 2 + 100 * -1 leaves 8 bits on the way; pooling is no sum.
  auto results = [&](std::optional<Emulation> emulation) {
    auto result = run(R"mlir(
    func.func @f(%x: tensor<1x2xi8>, %w: tensor<2x1xi8>) -> (tensor<1x1xi32>, tensor<1x1xi32>) {
      %z = arith.constant 0 : i32
      %e = tensor.empty() : tensor<1x1xi32>
      %o = linalg.fill ins(%z : i32) outs(%e : tensor<1x1xi32>) -> tensor<1x1xi32>
      %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>)
          outs(%o : tensor<1x1xi32>) -> tensor<1x1xi32>
      %t = linalg.add ins(%y, %y : tensor<1x1xi32>, tensor<1x1xi32>)
          outs(%e : tensor<1x1xi32>) -> tensor<1x1xi32>
      return %y, %t : tensor<1x1xi32>, tensor<1x1xi32>
    })mlir",
                      {integers({1, 2}, {100, 100}), integers({2, 1}, {2, -1})},
                      emulation);
    EXPECT_TRUE(succeeded(result)) << error;
    return Integers{(*result)[0].integers()[0], (*result)[1].integers()[0]};
  };
  EXPECT_EQ(results(std::nullopt), (Integers{100, 200}));
  EXPECT_EQ(results(Emulation{Overflow::Wrap, 8}), (Integers{100, 200}));
  EXPECT_EQ(results(Emulation{Overflow::Saturate, 8}), (Integers{27, 54}));
}

} // namespace
