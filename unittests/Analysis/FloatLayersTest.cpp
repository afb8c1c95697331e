//===- FloatLayersTest.cpp - Every layout of weights as [C, K] ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weight of channel c, kernel row h, kernel column w, input channel i has
// the value 1000 c + 100 h + 10 w + i, wherever its op keeps it.
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/FloatLayers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace a2q;

namespace {

using Coordinates = std::array<int64_t, 4>; // c, h, w, i

/// A dense constant whose dimensions are those of `letters`, of sizes by
/// letter; '1' is a dimension of one.
std::string weightsText(StringRef letters,
                        const std::map<char, int64_t> &sizes) {
  auto at = [](char letter) { return StringRef("chwi").find(letter); };
  std::function<std::string(StringRef, Coordinates)> list =
      [&](StringRef rest, Coordinates index) -> std::string {
    if (rest.empty())
      return std::to_string(1000 * index[0] + 100 * index[1] + 10 * index[2] +
                            index[3]) +
             ".0";
    std::string text = "[";
    int64_t size = rest[0] == '1' ? 1 : sizes.at(rest[0]);
    for (int64_t i = 0; i < size; ++i) {
      if (rest[0] != '1')
        index[at(rest[0])] = i;
      text += (i ? ", " : "") + list(rest.drop_front(), index);
    }
    return text + "]";
  };
  return "dense<" + list(letters, {}) + ">";
}

class FloatLayersTest : public ::testing::Test {
protected:
  FloatLayersTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect,
                        tosa::TosaDialect>();
  }

  /// The only layer of a function of `body`; `reason` if there is none.
  std::optional<FloatLayer> layerOf(const std::string &signature,
                                    const std::string &body) {
    module = parseSourceString<ModuleOp>(
        "func.func @f" + signature + " {\n" +
            R"(%zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}>
                   : () -> tensor<1xf32>
               %z = arith.constant 0.0 : f32
            )" +
            body + "}",
        &context);
    EXPECT_TRUE(module);
    std::optional<FloatLayer> found;
    if (!module)
      return found;
    module->walk([&](Operation *op) {
      std::string why;
      if (auto layer = FloatLayer::match(op, why))
        found = layer;
      if (!why.empty())
        reason = why;
    });
    return found;
  }

  /// Weights in default order, then new ones, read again by another match.
  void expectWeights(FloatLayer layer) {
    std::vector<float> expected;
    for (int64_t c = 0; c < layer.channels; ++c)
      for (int64_t h = 0; h < layer.window[0]; ++h)
        for (int64_t w = 0; w < layer.window[1]; ++w)
          for (int64_t i = 0; i < layer.window[2]; ++i)
            expected.push_back(1000 * c + 100 * h + 10 * w + i);
    EXPECT_EQ(layer.weights(), expected);
    for (float &value : expected)
      value = 0.5f * value - 7;
    std::vector<float> bias;
    for (int64_t c = 0; c < layer.channels; ++c)
      bias.push_back(c + 0.25f);
    layer.setWeights(expected);
    layer.setBias(bias);
    ASSERT_TRUE(succeeded(verify(*module)));
    auto again = FloatLayer::match(layer.op);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->weights(), expected);
    EXPECT_EQ(again->bias(), bias);
    EXPECT_EQ(again->result, layer.result);
    // Set twice is as set once.
    again->setBias(expected.empty() ? bias
                                    : std::vector(bias.rbegin(), bias.rend()));
    EXPECT_EQ(FloatLayer::match(layer.op)->bias(),
              std::vector(bias.rbegin(), bias.rend()));
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string reason;
};

const std::map<char, int64_t> sizes = {{'c', 4}, {'h', 2}, {'w', 3}, {'i', 5}};

TEST_F(FloatLayersTest, TosaConvolution) {
  auto layer =
      layerOf("(%x: tensor<1x6x7x5xf32>) -> tensor<1x3x9x4xf32>",
              "%w = \"tosa.const\"() <{values = " + weightsText("chwi", sizes) +
                  R"( : tensor<4x2x3x5xf32>}> : () -> tensor<4x2x3x5xf32>
    %b = "tosa.const"() <{values = dense<[1., 2., 3., 4.]> : tensor<4xf32>}>
        : () -> tensor<4xf32>
    %y = tosa.conv2d %x, %w, %b, %zp, %zp {acc_type = f32, pad = array<i64: 0, 1, 3, 5>,
        stride = array<i64: 2, 1>, dilation = array<i64: 2, 3>}
      : (tensor<1x6x7x5xf32>, tensor<4x2x3x5xf32>, tensor<4xf32>, tensor<1xf32>,
         tensor<1xf32>) -> tensor<1x3x9x4xf32>
    return %y : tensor<1x3x9x4xf32>)");
  ASSERT_TRUE(layer);
  EXPECT_TRUE(layer->isConvolution);
  EXPECT_EQ(layer->groups, 1);
  EXPECT_EQ(layer->padding, (std::array<int64_t, 4>{0, 3, 1, 5}));
  EXPECT_EQ(layer->strides, (std::array<int64_t, 2>{2, 1}));
  EXPECT_EQ(layer->dilations, (std::array<int64_t, 2>{2, 3}));
  EXPECT_EQ(layer->bias(), (std::vector<float>{1, 2, 3, 4}));
  expectWeights(*layer);
}

/// Two channels for each of two inputs: c = 2 * input + m.
TEST_F(FloatLayersTest, TosaDepthwise) {
  std::string weights = weightsText("hwc", sizes);
  auto layer = layerOf("(%x: tensor<1x6x7x2xf32>) -> tensor<1x5x5x4xf32>",
                       "%w0 = \"tosa.const\"() <{values = " + weights +
                           R"( : tensor<2x3x4xf32>}> : () -> tensor<2x3x4xf32>
    %s = tosa.const_shape {values = dense<[2, 3, 2, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
    %w = tosa.reshape %w0, %s : (tensor<2x3x4xf32>, !tosa.shape<4>) -> tensor<2x3x2x2xf32>
    %y = tosa.depthwise_conv2d %x, %w, %zp, %zp, %zp {acc_type = f32,
        pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}
      : (tensor<1x6x7x2xf32>, tensor<2x3x2x2xf32>, tensor<1xf32>, tensor<1xf32>,
         tensor<1xf32>) -> tensor<1x5x5x4xf32>
    return %y : tensor<1x5x5x4xf32>)");
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->groups, 2);
  EXPECT_EQ(layer->bias(), std::vector<float>(4, 0));
  expectWeights(*layer);
}

/// [C, K] transposed and reshaped to what the op wants; the bias is added
/// behind another reshape.
TEST_F(FloatLayersTest, TosaMatmul) {
  auto layer =
      layerOf("(%x: tensor<1x3x5xf32>) -> tensor<3x4xf32>",
              "%w0 = \"tosa.const\"() <{values = " + weightsText("ci", sizes) +
                  R"( : tensor<4x5xf32>}> : () -> tensor<4x5xf32>
    %w1 = tosa.transpose %w0 {perms = array<i32: 1, 0>} : (tensor<4x5xf32>) -> tensor<5x4xf32>
    %s = tosa.const_shape {values = dense<[1, 5, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
    %w = tosa.reshape %w1, %s : (tensor<5x4xf32>, !tosa.shape<3>) -> tensor<1x5x4xf32>
    %b = "tosa.const"() <{values = dense<[[1., 2., 3., 4.]]> : tensor<1x4xf32>}>
        : () -> tensor<1x4xf32>
    %y = tosa.matmul %x, %w, %zp, %zp
      : (tensor<1x3x5xf32>, tensor<1x5x4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x4xf32>
    %t = tosa.const_shape {values = dense<[3, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
    %r = tosa.reshape %y, %t : (tensor<1x3x4xf32>, !tosa.shape<2>) -> tensor<3x4xf32>
    %a = tosa.add %b, %r : (tensor<1x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    return %a : tensor<3x4xf32>)");
  ASSERT_TRUE(layer);
  EXPECT_FALSE(layer->isConvolution);
  EXPECT_EQ(layer->bias(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_TRUE(layer->result.getDefiningOp<tosa::AddOp>());
  expectWeights(*layer);
}

/// Without a bias, one is made; a residual add is none.
TEST_F(FloatLayersTest, TosaMatmulWithoutBias) {
  auto layer = layerOf(
      "(%x: tensor<1x3x5xf32>, %o: tensor<1x3x4xf32>) -> tensor<1x3x4xf32>",
      "%w = \"tosa.const\"() <{values = " + weightsText("1ic", sizes) +
          R"( : tensor<1x5x4xf32>}> : () -> tensor<1x5x4xf32>
    %y = tosa.matmul %x, %w, %zp, %zp
      : (tensor<1x3x5xf32>, tensor<1x5x4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x4xf32>
    %a = tosa.add %y, %o : (tensor<1x3x4xf32>, tensor<1x3x4xf32>) -> tensor<1x3x4xf32>
    return %a : tensor<1x3x4xf32>)");
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->result, layer->op->getResult(0));
  expectWeights(*layer);
}

TEST_F(FloatLayersTest, LinalgMatmul) {
  for (bool transposed : {false, true}) {
    std::string shape = transposed ? "tensor<4x5xf32>" : "tensor<5x4xf32>";
    std::string maps =
        transposed ? "indexing_maps = [affine_map<(m, n, k) -> (m, k)>, "
                     "affine_map<(m, n, k) -> (n, k)>, "
                     "affine_map<(m, n, k) -> (m, n)>] "
                   : "";
    auto layer = layerOf("(%x: tensor<3x5xf32>) -> tensor<3x4xf32>",
                         "%w = arith.constant " +
                             weightsText(transposed ? "ci" : "ic", sizes) +
                             " : " + shape + R"(
      %b = arith.constant dense<[1., 2., 3., 4.]> : tensor<4xf32>
      %e = tensor.empty() : tensor<3x4xf32>
      %i = linalg.broadcast ins(%b : tensor<4xf32>) outs(%e : tensor<3x4xf32>) dimensions = [0]
      %y = linalg.matmul )" + maps +
                             "ins(%x, %w : tensor<3x5xf32>, " + shape + R"()
          outs(%i : tensor<3x4xf32>) -> tensor<3x4xf32>
      return %y : tensor<3x4xf32>)");
    ASSERT_TRUE(layer);
    EXPECT_EQ(layer->bias(), (std::vector<float>{1, 2, 3, 4}));
    expectWeights(*layer);
  }
}

/// As torch exports it: the sums begin at zero, and the bias comes after.
TEST_F(FloatLayersTest, LinalgAddedBias) {
  auto layer = layerOf("(%x: tensor<3x5xf32>) -> tensor<3x4xf32>",
                       "%w = arith.constant " + weightsText("ic", sizes) +
                           R"( : tensor<5x4xf32>
    %b = arith.constant dense<[1., 2., 3., 4.]> : tensor<4xf32>
    %e = tensor.empty() : tensor<3x4xf32>
    %i = linalg.fill ins(%z : f32) outs(%e : tensor<3x4xf32>) -> tensor<3x4xf32>
    %y = linalg.matmul ins(%x, %w : tensor<3x5xf32>, tensor<5x4xf32>)
        outs(%i : tensor<3x4xf32>) -> tensor<3x4xf32>
    %a = linalg.generic {indexing_maps = [affine_map<(m, n) -> (n)>,
        affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%b, %y : tensor<4xf32>, tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
      ^bb0(%0: f32, %1: f32, %2: f32):
        %s = arith.addf %0, %1 : f32
        linalg.yield %s : f32
    } -> tensor<3x4xf32>
    return %a : tensor<3x4xf32>)");
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->bias(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_TRUE(layer->result.getDefiningOp<linalg::GenericOp>());
  expectWeights(*layer);
}

/// Three of the four positions that a kernel of 2 has on 5 pixels.
TEST_F(FloatLayersTest, LinalgLeavesPositionsOut) {
  EXPECT_FALSE(layerOf("(%x: tensor<1x5x5x1xf32>) -> tensor<1x3x4x1xf32>", R"(
    %w = arith.constant dense<1.0> : tensor<2x2x1x1xf32>
    %i = arith.constant dense<0.0> : tensor<1x3x4x1xf32>
    %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<1x5x5x1xf32>, tensor<2x2x1x1xf32>)
        outs(%i : tensor<1x3x4x1xf32>) -> tensor<1x3x4x1xf32>
    return %y : tensor<1x3x4x1xf32>)"));
  EXPECT_EQ(reason, "its result leaves out positions of the image");
}

TEST_F(FloatLayersTest, LinalgConvolutions) {
  struct Case {
    const char *op, *letters, *shape, *input;
  };
  const Case cases[] = {
      {"conv_2d_nhwc_hwcf", "hwic", "2x3x5x4", "5"},
      {"conv_2d_nhwc_fhwc", "chwi", "4x2x3x5", "5"},
      {"depthwise_conv_2d_nhwc_hwc", "hwc", "2x3x4", "4"},
  };
  for (const Case &c : cases) {
    std::string weights = "tensor<" + std::string(c.shape) + "xf32>";
    std::string image = "tensor<1x6x7x" + std::string(c.input) + "xf32>";
    std::string padded = "tensor<1x7x11x" + std::string(c.input) + "xf32>";
    auto layer =
        layerOf("(%x: " + image + ") -> tensor<1x6x9x4xf32>",
                "%w = arith.constant " + weightsText(c.letters, sizes) + " : " +
                    weights + R"(
      %p = tensor.pad %x low[0, 0, 1, 0] high[0, 1, 3, 0] {
        ^bb0(%0: index, %1: index, %2: index, %3: index): tensor.yield %z : f32
      } : )" + image +
                    " to " + padded + R"(
      %e = tensor.empty() : tensor<1x6x9x4xf32>
      %i = linalg.fill ins(%z : f32) outs(%e : tensor<1x6x9x4xf32>) -> tensor<1x6x9x4xf32>
      %y = linalg.)" +
                    c.op + " ins(%p, %w : " + padded + ", " + weights + R"()
          outs(%i : tensor<1x6x9x4xf32>) -> tensor<1x6x9x4xf32>
      return %y : tensor<1x6x9x4xf32>)");
    ASSERT_TRUE(layer) << c.op;
    EXPECT_TRUE(isa<BlockArgument>(layer->input));
    EXPECT_EQ(layer->padding, (std::array<int64_t, 4>{0, 1, 1, 3}));
    EXPECT_EQ(layer->groups, c.input[0] == '4' ? 4 : 1);
    expectWeights(*layer);
  }
}

TEST_F(FloatLayersTest, WhatIsMissing) {
  EXPECT_FALSE(layerOf(
      "(%x: tensor<1x3x5xf32>, %w: tensor<1x5x4xf32>) -> tensor<1x3x4xf32>", R"(
    %y = tosa.matmul %x, %w, %zp, %zp
      : (tensor<1x3x5xf32>, tensor<1x5x4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x4xf32>
    return %y : tensor<1x3x4xf32>)"));
  EXPECT_EQ(reason, "its weights are not a constant");
  reason.clear();
  EXPECT_FALSE(
      layerOf("(%x: tensor<3x5xf32>, %o: tensor<3x4xf32>) -> tensor<3x4xf32>",
              R"(
    %w = arith.constant dense<1.0> : tensor<5x4xf32>
    %y = linalg.matmul ins(%x, %w : tensor<3x5xf32>, tensor<5x4xf32>)
        outs(%o : tensor<3x4xf32>) -> tensor<3x4xf32>
    return %y : tensor<3x4xf32>)"));
  EXPECT_EQ(reason,
            "it begins neither at zero nor at one constant per channel");
  reason.clear();
  // Integers are no float layer, and nothing is to be said of them.
  EXPECT_FALSE(
      layerOf("(%x: tensor<3x5xi32>, %o: tensor<3x4xi32>) -> tensor<3x4xi32>",
              R"(
    %w = arith.constant dense<1> : tensor<5x4xi32>
    %y = linalg.matmul ins(%x, %w : tensor<3x5xi32>, tensor<5x4xi32>)
        outs(%o : tensor<3x4xi32>) -> tensor<3x4xi32>
    return %y : tensor<3x4xi32>)"));
  EXPECT_EQ(reason, "");
}

} // namespace
