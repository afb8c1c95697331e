//===- ReportTest.cpp - Reports as JSON and as a table --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Report.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace a2q;

namespace {

LayerReport layerOf(std::vector<int64_t> weights, Range range) {
  LayerReport layer;
  layer.name = "conv";
  layer.op = "a2q.conv_2d";
  layer.reductionLength = static_cast<int64_t>(weights.size());
  layer.activations = range;
  layer.weightBits = 8;
  layer.channels.push_back(boundChannel({weights, {&range, 1}}, 8));
  layer.accumulator = "!a2q.acc<8 x 12, 16 x 144, 32>";
  layer.stages = {{8, 12, 3}, {16, 144, 2}, {32, 288, 1}};
  layer.spills = 5;
  return layer;
}

std::string json(const Report &report) {
  std::string text;
  llvm::raw_string_ostream os(text);
  writeJSON(report, os);
  return text;
}

const llvm::json::Object &firstLayer(const llvm::json::Value &value) {
  return *(*value.getAsObject()->getArray("layers"))[0].getAsObject();
}

TEST(Report, HasTheKeysOfTheSchemaInItsOrder) {
  std::string text = json({"znver5", {layerOf({3, -4, 0}, {0, 15})}});
  size_t position = 0;
  for (const char *key : {"version",     "target",       "layers",
                          "name",        "op",           "reduction_length",
                          "channels",    "activation",   "bits",
                          "signed",      "lo",           "hi",
                          "weights",     "bits",         "sparsity",
                          "width",       "datatype",     "a2q",
                          "a2q-plus",    "exact",        "centred",
                          "zero-point",  "proof",        "accumulator",
                          "stages",      "width",        "terms",
                          "tiles",       "spills",       "constraint",
                          "per_channel", "l1",           "pos",
                          "neg",         "final",        "prefix",
                          "final_width", "prefix_width", "centred_width",
                          "notes"}) {
    position = text.find('"' + std::string(key) + "\":", position);
    ASSERT_NE(position, std::string::npos) << key;
    ++position;
  }
}

TEST(Report, TellsHowWeightsWereConstrained) {
  LayerReport layer = layerOf({3, -4, 0}, {0, 15});
  layer.constraint = {.method = "optimal",
                      .width = 8,
                      .tile = 144,
                      .bound = "centred",
                      .l1Before = 9,
                      .outputError = 0.25,
                      .restored = "mean"};
  std::string text = json({"", {layer}});
  auto value = llvm::json::parse(text);
  ASSERT_TRUE(static_cast<bool>(value));
  const llvm::json::Object *constraint =
      firstLayer(*value).getObject("constraint");
  ASSERT_NE(constraint, nullptr);
  EXPECT_EQ(constraint->getString("method"), "optimal");
  EXPECT_EQ(constraint->getInteger("tile"), 144);
  EXPECT_EQ(constraint->getInteger("l1_before"), 9);
  EXPECT_EQ(constraint->getNumber("output_error"), 0.25);
  EXPECT_EQ(constraint->getString("restored"), "mean");
  EXPECT_EQ(constraint->size(), 15u);
  size_t position = text.find("\"constraint\"");
  for (const char *key :
       {"method", "width", "tile", "bound", "channels_changed", "emptied",
        "l1_before", "l1_after", "sparsity_before", "sparsity_after",
        "weight_error", "output_error", "scale_min", "scale_max", "restored"}) {
    position = text.find('"' + std::string(key) + "\":", position);
    ASSERT_NE(position, std::string::npos) << key;
  }
}

TEST(Report, StatesWhatTheBoundsState) {
  auto value = llvm::json::parse(json({"", {layerOf({3, -4, 0}, {0, 15})}}));
  ASSERT_TRUE(static_cast<bool>(value));
  EXPECT_NE(value->getAsObject()->getNull("target"), std::nullopt);
  const llvm::json::Object &layer = firstLayer(*value);
  // [-60, 45]: 7 bits from 0, and a span of 105 is 7 bits as well.
  EXPECT_EQ(layer.getObject("width")->getInteger("exact"), 7);
  EXPECT_EQ(layer.getObject("width")->getInteger("centred"), 7);
  const llvm::json::Object &channel =
      *(*layer.getArray("per_channel"))[0].getAsObject();
  EXPECT_EQ(channel.getInteger("l1"), 7);
  EXPECT_EQ((*channel.getArray("final"))[0].getAsInteger(), -60);
  EXPECT_EQ((*channel.getArray("final"))[1].getAsInteger(), 45);
  EXPECT_EQ(layer.getInteger("spills"), 5);
  EXPECT_EQ(layer.getArray("stages")->size(), 3u);
}

TEST(Report, KeepsIntegersBeyond64BitsExact) {
  // 2^62 * 8 is neither an int64 nor a double's neighbour.
  int64_t huge = (int64_t(1) << 62) + 1;
  std::string text = json({"", {layerOf({huge}, {0, 8})}});
  EXPECT_NE(text.find("36893488147419103240"), std::string::npos) << text;
}

TEST(Report, SaysNothingOfWeightsThatAreActivations) {
  LayerReport layer = layerOf({1, 1}, {0, 225});
  layer.constantWeights = false;
  EXPECT_EQ(layer.width(Bound::A2Q), std::nullopt);
  auto value = llvm::json::parse(json({"", {layer}}));
  ASSERT_TRUE(static_cast<bool>(value));
  const llvm::json::Object &object = firstLayer(*value);
  EXPECT_NE(object.getObject("width")->getNull("a2q"), std::nullopt);
  EXPECT_NE(object.getObject("weights")->getNull("sparsity"), std::nullopt);
  EXPECT_TRUE(object.getObject("width")->getInteger("exact").has_value());
}

TEST(Report, IsJSONWhateverTheName) {
  LayerReport layer = layerOf({1}, {0, 1});
  layer.name = "quote \" backslash \\ byte \xff";
  auto value = llvm::json::parse(json({"", {layer}}));
  EXPECT_TRUE(static_cast<bool>(value)) << llvm::toString(value.takeError());
}

TEST(Report, TableHas80Columns) {
  LayerReport layer = layerOf({127, -127}, {0, 255});
  layer.name = "/features/stage4/block2/conv2/Conv_quantized";
  std::string text;
  llvm::raw_string_ostream os(text);
  writeTable({"", {layerOf({1}, {0, 1}), layer}}, os);
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n', -1, /*KeepEmpty=*/false);
  ASSERT_EQ(lines.size(), 3u);
  for (llvm::StringRef line : lines)
    EXPECT_EQ(line.size(), 80u) << line.str();
  EXPECT_TRUE(lines[2].starts_with("..")) << "the end tells layers apart";
  EXPECT_TRUE(lines[1].contains("8 x 12, 16 x 144, 32"));
}

TEST(Report, RefusesNamesThatItCannotWrite) {
  std::string error;
  EXPECT_TRUE(succeeded(checkReportName("r.json", error)));
  EXPECT_TRUE(succeeded(checkReportName("-", error)));
  EXPECT_TRUE(succeeded(checkReportName("r.html", error)));
  EXPECT_TRUE(failed(checkReportName("r.htm", error)));
  EXPECT_NE(error.find(".json or .html"), std::string::npos);
  EXPECT_TRUE(failed(checkReportName("r", error)));
}

} // namespace
