//===- FactsTest.cpp - What holds of elements together --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Accumulators.h"
#include "a2q/IR/A2QOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

namespace {

/// RMSNorm of rows of 64, as %n.
constexpr StringRef normalization = R"mlir(
  !x = !quant.uniform<i8:f32, 0.0625:3>
  func.func @f(%v: tensor<4x64xf32>, %other: tensor<4x16x!x>) -> RESULT {
    %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
    %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
    %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
    %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
    %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
    %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
    %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
    %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
    %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
)mlir";

class FactsTest : public ::testing::Test {
protected:
  FactsTest() {
    context.loadDialect<A2QDialect, quant::QuantDialect, arith::ArithDialect,
                        func::FuncDialect, linalg::LinalgDialect,
                        math::MathDialect, tensor::TensorDialect,
                        tosa::TosaDialect>();
  }

  /// The fact of what the function returns; null when nothing is known.
  const AxisFact *factOf(StringRef source) {
    module = parseSourceString<ModuleOp>(source, &context);
    if (!module) {
      ADD_FAILURE() << "does not parse";
      return nullptr;
    }
    func::FuncOp function = *module->getOps<func::FuncOp>().begin();
    ranges = std::make_unique<RangeAnalysis>(module->getOperation());
    return ranges->lookupFact(
        function.getBody().front().getTerminator()->getOperand(0));
  }

  /// The same behind a normalization; `%r` of this type is returned.
  const AxisFact *behindNormalization(StringRef body, StringRef type) {
    std::string source = normalization.str();
    source.replace(source.find("RESULT"), 6, type.str());
    return factOf(source + body.str() + "\n return %r : " + type.str() +
                  "\n }");
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<RangeAnalysis> ranges;
};

TEST_F(FactsTest, NormalizationHasTheRootOfItsLength) {
  const AxisFact *fact = behindNormalization(
      "%r = tosa.identity %n : (tensor<4x64xf32>) -> tensor<4x64xf32>",
      "tensor<4x64xf32>");
  ASSERT_TRUE(fact && fact->ball);
  EXPECT_EQ(fact->axis, 1);
  EXPECT_EQ(fact->length, 64);
  EXPECT_EQ(fact->producer, "rmsnorm");
  EXPECT_EQ(fact->vectors, 1);
  EXPECT_FALSE(fact->zeroPoint);
  EXPECT_GE(fact->ball->radius, 8.0);
  EXPECT_LE(fact->ball->radius, 8.01);
}

// Every element is 1 or -1, so a row of 64 has norm 8, not the 1 of the single
// square that was summed.
TEST_F(FactsTest, UnitsThatAreBroadcastAreNotCovered) {
  constexpr StringRef source = R"mlir(
  #all = affine_map<(d0, d1) -> (d0, d1)>
  #unit = affine_map<(d0, d1) -> (d0, 0)>
  func.func @f(%v: tensor<4xSIZExf32>) -> tensor<4x64xf32> {
    %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
    %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
    %squares = tosa.mul %v, %v, %none : (tensor<4xSIZExf32>, tensor<4xSIZExf32>, tensor<1xi8>) -> tensor<4xSIZExf32>
    %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4xSIZExf32>) -> tensor<4x1xf32>
    %shifted = tosa.add %sum, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
    %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
    %empty = tensor.empty() : tensor<4x64xf32>
    %r = linalg.generic {indexing_maps = [MAP, #unit, #all], iterator_types = ["parallel", "parallel"]}
        ins(%v, %inverse : tensor<4xSIZExf32>, tensor<4x1xf32>) outs(%empty : tensor<4x64xf32>) {
      ^bb0(%a: f32, %b: f32, %out: f32):
        %product = arith.mulf %a, %b : f32
        linalg.yield %product : f32
    } -> tensor<4x64xf32>
    return %r : tensor<4x64xf32>
  })mlir";
  auto of = [&](StringRef size, StringRef map) {
    std::string text = source.str();
    for (auto [from, to] : {std::pair<StringRef, StringRef>("SIZE", size),
                            std::pair<StringRef, StringRef>("MAP", map)})
      for (size_t at = text.find(from); at != std::string::npos;
           at = text.find(from))
        text.replace(at, from.size(), to);
    return factOf(text);
  };
  EXPECT_EQ(of("1", "#unit"), nullptr);
  const AxisFact *whole = of("64", "#all");
  ASSERT_TRUE(whole && whole->ball) << "the same of whole rows";
  EXPECT_LE(whole->ball->radius, 1.01);
}

TEST_F(FactsTest, CodesBecomeValuesThatRestAtZero) {
  constexpr StringRef codes =
      "%q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>\n";
  const AxisFact *fact = behindNormalization(
      (codes + "%r = tensor.cast %q : tensor<4x64x!x> to tensor<4x64x!x>")
          .str(),
      "tensor<4x64x!x>");
  ASSERT_TRUE(fact && fact->ball);
  EXPECT_EQ(fact->zeroPoint, 3);
  EXPECT_TRUE(fact->ball->rest.empty());
  EXPECT_NEAR(fact->ball->gain.front(), 16, 0.01);
  fact = behindNormalization(
      (codes + "%r = a2q.dequantize %q : tensor<4x64x!x> to tensor<4x64xf32>")
          .str(),
      "tensor<4x64xf32>");
  ASSERT_TRUE(fact && fact->ball);
  EXPECT_FALSE(fact->zeroPoint);
  EXPECT_EQ(fact->ball->rest, std::vector<double>(64, 0.0));
  EXPECT_NEAR(fact->ball->gain.front(), 1, 0.001);
}

TEST_F(FactsTest, PartsAndPairs) {
  const AxisFact *fact = behindNormalization(
      R"mlir(
    %gain = "tosa.const"() <{values = dense<2.0> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
    %twice = tosa.mul %n, %gain, %none : (tensor<4x64xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
    %pair = tosa.concat %n, %twice {axis = 1 : i32} : (tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<4x128xf32>
    %r = tensor.extract_slice %pair[0, 62] [4, 4] [1, 1] : tensor<4x128xf32> to tensor<4x4xf32>)mlir",
      "tensor<4x4xf32>");
  ASSERT_TRUE(fact && fact->ball);
  EXPECT_EQ(fact->length, 4);
  EXPECT_EQ(fact->vectors, 2);
  EXPECT_NEAR(fact->ball->radius, std::sqrt(128), 0.1);
  for (size_t k = 0; k < 4; ++k)
    EXPECT_NEAR(fact->ball->gain[k], k < 2 ? 1 : 2, 0.001);
}

// Beside a normalization whatever has only a range keeps that.
TEST_F(FactsTest, RangesBesideABall) {
  constexpr StringRef codes =
      "%q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>\n";
  const AxisFact *fact = behindNormalization(
      (codes + "%r = tensor.concat dim(1) %other, %q : (tensor<4x16x!x>, "
               "tensor<4x64x!x>) -> tensor<4x80x!x>")
          .str(),
      "tensor<4x80x!x>");
  ASSERT_TRUE(fact && fact->ball);
  EXPECT_TRUE(std::isinf(fact->ball->gain[15]));
  EXPECT_FALSE(std::isinf(fact->ball->gain[16]));
  EXPECT_EQ(fact->vectors, 1);
}

// Rows of one and of another gain: no row obeys both.
TEST_F(FactsTest, RowsOfOtherGainsHaveNoCommonFact) {
  constexpr StringRef rows = R"mlir(
    %gain = "tosa.const"() <{values = dense<GAIN> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
    %other_rows = tosa.mul %n, %gain, %none : (tensor<4x64xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
    %r = tosa.concat %other_rows, SECOND {axis = 0 : i32} : (tensor<4x64xf32>, tensor<4x64xf32>) -> tensor<8x64xf32>)mlir";
  auto of = [&](StringRef second) {
    std::string body = rows.str();
    body.replace(body.find("GAIN"), 4, "2.0");
    body.replace(body.find("SECOND"), 6, second.str());
    return behindNormalization(body, "tensor<8x64xf32>");
  };
  EXPECT_EQ(of("%n"), nullptr);
  EXPECT_NE(of("%other_rows"), nullptr);
}

// Rows of padding obey the fact where their constant does, and move the radius
// to where they are otherwise: 64 times 3 has norm 24.
TEST_F(FactsTest, RowsOfPadding) {
  auto of = [&](StringRef constant) {
    std::string body = R"mlir(
    %c = arith.constant CONSTANT : f32
    %r = tensor.pad %n low[1, 0] high[2, 0] {
    ^bb0(%i: index, %j: index):
      tensor.yield %c : f32
    } : tensor<4x64xf32> to tensor<7x64xf32>)mlir";
    body.replace(body.find("CONSTANT"), 8, constant.str());
    const AxisFact *fact = behindNormalization(body, "tensor<7x64xf32>");
    return fact && fact->ball ? fact->ball->radius : 0;
  };
  EXPECT_NEAR(of("0.0"), 8, 0.01);
  EXPECT_NEAR(of("-1.0"), 8, 0.01);
  EXPECT_NEAR(of("3.0"), 24, 0.01);
  EXPECT_EQ(of("0x7F800000"), 0) << "infinity";
}

// Elements beside those of a row have norm of their own.
TEST_F(FactsTest, PaddedRows) {
  const AxisFact *fact = behindNormalization(
      R"mlir(
    %c = "tosa.const"() <{values = dense<3.0> : tensor<1xf32>}> : () -> tensor<1xf32>
    %counts = tosa.const_shape {values = dense<[0, 1, 2, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
    %r = tosa.pad %n, %counts, %c : (tensor<4x64xf32>, !tosa.shape<4>, tensor<1xf32>) -> tensor<5x66xf32>)mlir",
      "tensor<5x66xf32>");
  ASSERT_TRUE(fact && fact->ball);
  EXPECT_EQ(fact->length, 66);
  EXPECT_EQ(fact->ball->centre[0], 3);
  EXPECT_EQ(fact->ball->gain[1], 0);
  EXPECT_EQ(fact->ball->centre[2], 0);
  EXPECT_EQ(fact->ball->gain[65], 1);
  EXPECT_NEAR(fact->ball->radius, 24, 0.01) << "the fifth row is 3 throughout";
}

// Codes of zero point 3: 3 is what a NaN leaves, 35 is two units from it.
TEST_F(FactsTest, PaddedCodes) {
  auto of = [&](StringRef code) {
    std::string source = normalization.str() + R"mlir(
    %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
    %stored = quant.scast %q : tensor<4x64x!x> to tensor<4x64xi8>
    %c = arith.constant CODE : i8
    %padded = tensor.pad %stored low[1, 0] high[0, 0] {
    ^bb0(%i: index, %j: index):
      tensor.yield %c : i8
    } : tensor<4x64xi8> to tensor<5x64xi8>
    %r = quant.scast %padded : tensor<5x64xi8> to tensor<5x64x!x>
    return %r : tensor<5x64x!x>
  })mlir";
    source.replace(source.find("RESULT"), 6, "tensor<5x64x!x>");
    source.replace(source.find("CODE"), 4, code.str());
    const AxisFact *fact = factOf(source);
    return fact && fact->ball ? fact->ball->radius : 0;
  };
  EXPECT_NEAR(of("3"), 8, 0.02);
  EXPECT_NEAR(of("35"), 16, 0.5);
}

// Either operand of a product of two activations may be the normalized one, and
// the first counts where both are.
TEST_F(FactsTest, EitherOperandOfAProduct) {
  auto producerOf = [&](StringRef operands, StringRef types) {
    std::string source = "!s = !quant.uniform<i8:f32, 0.0625>\n" +
                         normalization.str() + R"mlir(
    %wide = tosa.reshape %n, %shape : (tensor<4x64xf32>, !tosa.shape<3>) -> tensor<1x4x64xf32>
    %q = a2q.quantize %wide : tensor<1x4x64xf32> to tensor<1x4x64x!s>
    %r = a2q.matmul )mlir" +
                         operands.str() + " : " + types.str() +
                         R"mlir( -> tensor<1x4x4x!a2q.acc<32>>
    return %r : tensor<1x4x4x!a2q.acc<32>>
  })mlir";
    auto replace = [&](StringRef from, StringRef to) {
      source.replace(source.find(from), from.size(), to);
    };
    replace("RESULT {",
            "tensor<1x4x4x!a2q.acc<32>> {\n    %shape = tosa.const_shape "
            "{values = dense<[1, 4, 64]> : tensor<3xindex>} : () "
            "-> !tosa.shape<3>");
    replace("%other: tensor<4x16x!x>", "%other: tensor<1x4x64x!s>");
    factOf(source);
    std::string producer;
    module->walk([&](MatmulOp op) {
      std::string reason;
      auto layer = analyzeAccumulator(op, *ranges, reason);
      ASSERT_TRUE(succeeded(layer)) << reason;
      producer = layer->producer;
      // 8 * 8 * 16 and rounding, times 128; by ranges 64 * 127 * 128.
      if (!producer.empty())
        EXPECT_LE(layer->sum(0).hi, 1060 * 128);
    });
    return producer;
  };
  constexpr StringRef types = "tensor<1x4x64x!s>, tensor<1x4x64x!s>";
  EXPECT_EQ(producerOf("%q, %other", types), "rmsnorm");
  EXPECT_EQ(producerOf("%other, %q", types), "rmsnorm");
  EXPECT_EQ(producerOf("%other, %other", types), "");
}

} // namespace
