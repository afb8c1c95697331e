//===- LayersTest.cpp - What calibration collects of layers ---------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codes and sums are those of the slow reference; moments and statistics are
// then computed from them as they are defined.
//
//===----------------------------------------------------------------------===//

#include "a2q/Calibration/Layers.h"

#include "a2q/Calibration/LayerInputs.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/InitAll.h"
#include "a2q/Reference/Evaluate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;
using namespace a2q;

namespace {

constexpr int64_t runs = 7;
/// Of the network's input, two images in a batch.
constexpr int64_t height = 6, width = 5, channels = 4, batch = 2;
constexpr int64_t inputZero = 3;

/// Two groups, and everything that a convolution can have, each different along
/// rows and columns; then a matrix product.
constexpr StringLiteral network = R"mlir(
  !x = !quant.uniform<u8<0:15>:f32, 0.5:3>
  !w = !quant.uniform<i8<-7:7>:f32:0, {0.5, 0.25, 0.125, 1.0}>
  !y = !quant.uniform<u8<0:15>:f32, 2.0>
  !v = !quant.uniform<i8<-7:7>:f32, 0.5>
  func.func @network(%x: tensor<2x6x5x4x!x>) -> (tensor<12x3xi32>) {
    %wc = arith.constant dense<WEIGHTS> : tensor<4x3x2x2xi8>
    %w = quant.scast %wc : tensor<4x3x2x2xi8> to tensor<4x3x2x2x!w>
    %sum = a2q.conv_2d %x, %w strides [2, 1] dilations [1, 2]
        padding [1, 2, 0, 1] groups 2
        : tensor<2x6x5x4x!x>, tensor<4x3x2x2x!w> -> tensor<2x3x6x4x!a2q.acc<32>>
    %y = a2q.requantize %sum multiplier dense<0.0625> : tensor<1xf32>
        bias dense<[60, 90, 30, 10]> : tensor<4xi32>
        : tensor<2x3x6x4x!a2q.acc<32>> to tensor<2x3x6x4x!y>
    %yc = quant.scast %y : tensor<2x3x6x4x!y> to tensor<2x3x6x4xi8>
    %flat = tensor.collapse_shape %yc [[0, 1], [2, 3]]
        : tensor<2x3x6x4xi8> into tensor<6x24xi8>
    %rows = tensor.collapse_shape %flat [[0, 1]]
        : tensor<6x24xi8> into tensor<144xi8>
    %m = tensor.expand_shape %rows [[0, 1]] output_shape [12, 12]
        : tensor<144xi8> into tensor<12x12xi8>
    %z = quant.scast %m : tensor<12x12xi8> to tensor<12x12x!y>
    %vc = arith.constant dense<VECTORS> : tensor<3x12xi8>
    %v = quant.scast %vc : tensor<3x12xi8> to tensor<3x12x!v>
    %i = arith.constant dense<[100, -5, 0]> : tensor<3xi32>
    %last = a2q.matmul %z, %v initial %i : tensor<3xi32>
        : tensor<12x12x!y>, tensor<3x12x!v> -> tensor<12x3x!a2q.acc<32>>
    %d = a2q.decode %last : tensor<12x3x!a2q.acc<32>> to tensor<12x3xi32>
    return %d : tensor<12x3xi32>
  })mlir";

std::string randomList(ArrayRef<int64_t> shape, std::mt19937 &random) {
  if (shape.empty())
    return std::to_string(int(random() % 15) - 7);
  std::string text = "[";
  for (int64_t i = 0; i < shape.front(); ++i)
    text += (i ? "," : "") + randomList(shape.drop_front(), random);
  return text + "]";
}

void replace(std::string &text, StringRef what, const std::string &with) {
  text.replace(text.find(what.str()), what.size(), with);
}

bool all(size_t) { return true; }

class CalibrationTest : public ::testing::Test {
protected:
  CalibrationTest() {
    DialectRegistry registry;
    a2q::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
      error = diagnostic.str();
      return success();
    });
    std::mt19937 random(1);
    std::string text = network.str();
    replace(text, "WEIGHTS", randomList({4, 3, 2, 2}, random));
    replace(text, "VECTORS", randomList({3, 12}, random));
    module = parseSourceString<ModuleOp>(text, &context);
    entry = *module->getOps<func::FuncOp>().begin();
    codes.resize(runs * batch * height * width * channels);
    for (uint8_t &code : codes)
      code = random() % 16;
    data.runs = runs;
    data.arrays = {reinterpret_cast<const char *>(codes.data())};
    layers = getWeightLayers(entry);
  }

  size_t perRun() const { return codes.size() / runs; }

  /// The codes or sums of a value in one run, by the reference.
  std::vector<Wide> reference(Value value, int64_t run) {
    OwningOpRef<ModuleOp> copy = module->clone();
    auto function = *copy->getOps<func::FuncOp>().begin();
    auto ops =
        llvm::zip_equal(entry.getBody().getOps(), function.getBody().getOps());
    Value same;
    for (auto [old, made] : ops)
      if (value.getDefiningOp() == &old)
        same = made.getResult(0);
    function.getBody().front().getTerminator()->setOperands(same);
    function.setFunctionType(FunctionType::get(
        &context, function.getArgumentTypes(), same.getType()));
    ReferenceTensor argument;
    argument.shape = {batch, height, width, channels};
    argument.elements = std::vector<Wide>(codes.begin() + run * perRun(),
                                          codes.begin() + (run + 1) * perRun());
    auto result = evaluate(function, argument);
    EXPECT_TRUE(succeeded(result)) << error;
    return result->front().integers();
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp entry;
  std::vector<uint8_t> codes;
  CalibrationData data;
  SmallVector<AccumulatingOpInterface> layers;
  std::string error;
};

/// The formula of a2q.conv_2d: the input of term (kh, kw, i) of a group at
/// output position (image, oh, ow), as a difference.
float convolutionInput(const uint8_t *codes, int64_t group, int64_t image,
                       int64_t oh, int64_t ow, int64_t kh, int64_t kw,
                       int64_t i) {
  int64_t y = oh * 2 + kh - 1, x = ow + kw * 2 - 2;
  if (y < 0 || y >= height || x < 0 || x >= width)
    return 0;
  return float(codes[((image * height + y) * width + x) * channels + group * 2 +
                     i]) -
         inputZero;
}

TEST_F(CalibrationTest, GathersWhatAConvolutionReads) {
  ASSERT_EQ(layers.size(), 2u);
  FailureOr<LayerInputs> inputs = LayerInputs::of(layers[0]);
  ASSERT_TRUE(succeeded(inputs));
  EXPECT_EQ(inputs->getLength(), 12);
  EXPECT_EQ(inputs->getNumGroups(), 2);
  EXPECT_EQ(inputs->getNumVectors(), batch * 3 * 6);
  EXPECT_EQ(inputs->getNumBytes(), perRun());
  for (int64_t group = 0; group < 2; ++group)
    for (int64_t first = 0; first < inputs->getNumVectors(); first += 5) {
      int64_t count = std::min<int64_t>(5, inputs->getNumVectors() - first);
      std::vector<float> found(count * 12);
      inputs->gather(codes.data(), group, first, count, found.data());
      for (int64_t at = 0; at < count * 12; ++at) {
        int64_t position = first + at / 12, term = at % 12;
        EXPECT_EQ(found[at],
                  convolutionInput(codes.data(), group, position / 18,
                                   position / 6 % 3, position % 6, term / 4,
                                   term / 2 % 2, term % 2))
            << at;
      }
    }
}

TEST_F(CalibrationTest, GathersRowsOfAMatrix) {
  FailureOr<LayerInputs> inputs = LayerInputs::of(layers[1]);
  ASSERT_TRUE(succeeded(inputs));
  EXPECT_EQ(inputs->getNumVectors(), 12);
  std::vector<uint8_t> matrix(144);
  for (size_t i = 0; i < matrix.size(); ++i)
    matrix[i] = i;
  std::vector<float> found(36);
  inputs->gather(matrix.data(), 0, 4, 3, found.data());
  for (int i = 0; i < 36; ++i)
    EXPECT_EQ(found[i], 48 + i);
}

TEST_F(CalibrationTest, ObservesRealSums) {
  auto statistics = observeSums(entry, layers, data);
  ASSERT_TRUE(succeeded(statistics)) << error;
  ASSERT_EQ(statistics->size(), 2u);
  double scales[2][4] = {{0.25, 0.125, 0.0625, 0.5}, {1, 1, 1}};
  for (int layer : {0, 1}) {
    size_t count = layer ? 3 : 4;
    auto weights = layers[layer].getWeightCodes();
    for (size_t channel = 0; channel < count; ++channel) {
      // Differences of the first layer's codes from 3; the second layer's
      // initial value is not part of the sum.
      double offset = 0;
      if (layer == 0)
        for (int k = 0; k < 12; ++k)
          offset += inputZero * (*weights)[channel * 12 + k];
      else
        offset = channel == 0 ? 100 : channel == 1 ? -5 : 0;
      std::vector<double> sums;
      for (int64_t run = 0; run < runs; ++run)
        for (auto [i, sum] :
             llvm::enumerate(reference(layers[layer]->getResult(0), run)))
          if (i % count == channel)
            sums.push_back((double(sum) - offset) * scales[layer][channel]);
      double mean = 0, variance = 0;
      for (double sum : sums)
        mean += sum / sums.size();
      for (double sum : sums)
        variance += (sum - mean) * (sum - mean) / sums.size();
      EXPECT_NEAR((*statistics)[layer][channel].mean, mean, 1e-9);
      EXPECT_NEAR((*statistics)[layer][channel].variance, variance, 1e-8);
    }
  }
}

TEST_F(CalibrationTest, VisitsLayersWithTheirMoments) {
  size_t visited = 0;
  auto visit = [&](size_t index, ArrayRef<Moments> moments) {
    EXPECT_EQ(index, visited);
    AccumulatingOpInterface layer = layers[index];
    FailureOr<LayerInputs> inputs = LayerInputs::of(layer);
    EXPECT_EQ(moments.size(), visited == 0 ? 2u : 1u);

    // All vectors by the reference, whatever the visits changed so far.
    int64_t length = inputs->getLength(), count = inputs->getNumVectors();
    for (int64_t group = 0; group < int64_t(moments.size()); ++group) {
      std::vector<double> mean(length), products(length * length);
      for (int64_t run = 0; run < runs; ++run) {
        std::vector<uint8_t> input(codes.begin() + run * perRun(),
                                   codes.begin() + (run + 1) * perRun());
        if (visited == 1) {
          std::vector<Wide> made = reference(layer.getActivations(), run);
          input.assign(made.begin(), made.end());
        }
        std::vector<float> vectors(count * length);
        inputs->gather(input.data(), group, 0, count, vectors.data());
        for (int64_t v = 0; v < count; ++v)
          for (int64_t i = 0; i < length; ++i) {
            double x = vectors[v * length + i] / moments[group].samples;
            mean[i] += x;
            for (int64_t j = 0; j < length; ++j)
              products[i * length + j] += x * vectors[v * length + j];
          }
      }
      EXPECT_EQ(moments[group].samples, runs * count);
      for (int64_t i = 0; i < length; ++i)
        EXPECT_NEAR(moments[group].mean[i], mean[i], 1e-9);
      for (int64_t i = 0; i < length * length; ++i)
        EXPECT_NEAR(moments[group].products[i], products[i], 1e-9);
    }

    // The second layer has to see the first one's new weights.
    if (visited++ == 0) {
      auto cast = layer.getWeights().getDefiningOp<quant::StorageCastOp>();
      auto constant = cast.getInput().getDefiningOp<arith::ConstantOp>();
      auto type = llvm::cast<RankedTensorType>(constant.getType());
      SmallVector<int8_t> ones(type.getNumElements(), 1);
      constant.setValueAttr(DenseElementsAttr::get(type, ArrayRef(ones)));
    }
    return success();
  };
  ASSERT_TRUE(succeeded(visitLayers(entry, layers, data, all, visit))) << error;
  EXPECT_EQ(visited, 2u);
}

TEST_F(CalibrationTest, CollectsSquaresOfTheSameVectors) {
  std::vector<Moments> products;
  auto keep = [&](size_t, ArrayRef<Moments> moments) {
    products.insert(products.end(), moments.begin(), moments.end());
    return success();
  };
  ASSERT_TRUE(succeeded(visitLayers(entry, layers, data, all, keep)));
  size_t next = 0;
  auto compare = [&](size_t, ArrayRef<Moments> moments) {
    for (const Moments &group : moments) {
      const Moments &same = products[next++];
      EXPECT_EQ(group.length, same.length);
      EXPECT_EQ(group.samples, same.samples);
      EXPECT_EQ(group.mean, same.mean);
      EXPECT_EQ(group.products, same.diagonal());
    }
    return success();
  };
  auto none = [](size_t) { return false; };
  ASSERT_TRUE(succeeded(visitLayers(entry, layers, data, none, compare)));
  EXPECT_EQ(next, 3u);
}

TEST_F(CalibrationTest, StopsWhereAVisitorFails) {
  int visited = 0;
  auto refuse = [&](size_t, ArrayRef<Moments>) {
    ++visited;
    return failure();
  };
  EXPECT_TRUE(failed(visitLayers(entry, layers, data, all, refuse)));
  EXPECT_EQ(visited, 1);
}

TEST_F(CalibrationTest, ObservesTheEntrysOwnArguments) {
  std::vector<uint8_t> seen;
  auto add = [&](size_t, const TensorSpec &spec, const void *elements) {
    auto *bytes = static_cast<const uint8_t *>(elements);
    seen.insert(seen.end(), bytes, bytes + spec.sizeInBytes());
    return success();
  };
  ASSERT_TRUE(succeeded(observe(entry, Value(entry.getArgument(0)), data, add)))
      << error;
  EXPECT_EQ(seen, codes);
}

} // namespace
