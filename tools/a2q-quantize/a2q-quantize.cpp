//===- a2q-quantize.cpp - From a float network to integers ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/HTMLReport.h"
#include "a2q/Analysis/Report.h"
#include "a2q/Calibration/QuantizeNetwork.h"
#include "a2q/Conversion/EstimateCosts.h"
#include "a2q/Support/OutputFile.h"
#include "a2q/Tools/CompileOptions.h"
#include "a2q/Tools/Feeds.h"
#include "a2q/Tools/ModelLoader.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <cstring>

using namespace llvm;
using namespace a2q;

namespace {

struct Options {
  cl::opt<std::string> model{cl::Positional, cl::Required,
                             cl::desc("<model.onnx or model.mlir>"),
                             cl::cat(getToolOptions())};
  cl::list<std::string> calibration{
      "calibration",
      cl::desc("inputs like those that the network will see, a .npy file for "
               "each of its inputs"),
      cl::value_desc("[name=]x.npy"), cl::cat(getToolOptions())};
  cl::opt<unsigned> weightBits{"weight-bits",
                               cl::desc("bits of weights, from 2 to 8"),
                               cl::init(8), cl::cat(getToolOptions())};
  cl::opt<unsigned> activationBits{"activation-bits",
                                   cl::desc("bits of activations, from 1 to 8"),
                                   cl::init(8), cl::cat(getToolOptions())};
  cl::opt<unsigned> borderBits{
      "border-bits",
      cl::desc("bits of weights and activations in the first and the last "
               "layer, from 2 to 8 (default: as in all layers)"),
      cl::init(0), cl::cat(getToolOptions())};
  cl::opt<std::string> range{
      "range",
      cl::desc("where activations are clipped: mse (default), min-max, "
               "percentile:P (of 100) or kl"),
      cl::value_desc("rule"), cl::init("mse"), cl::cat(getToolOptions())};
  cl::opt<std::string> activationScales{
      "activation-scales",
      cl::desc("one scale of activations per tensor (default), or one per "
               "channel where the layers that read them allow it: depthwise "
               "convolutions behind another layer"),
      cl::value_desc("tensor|channel"), cl::init("tensor"),
      cl::cat(getToolOptions())};
  cl::opt<bool> equalize{
      "equalize",
      cl::desc("give the channels between two layers weights of one size "
               "(Nagel et al. 2019)"),
      cl::init(false), cl::cat(getToolOptions())};
  cl::opt<std::string> constrain{
      "constrain",
      cl::desc("change weights so that sums of TILE products (default: all) "
               "fit WIDTH bits; the method is optimal by default"),
      cl::value_desc("WIDTH[xTILE][:METHOD[:BOUND]]"),
      cl::cat(getToolOptions())};
  cl::opt<std::string> overrides{
      "overrides",
      cl::desc("what single layers have of their own: a JSON object by layer "
               "name of objects with weight_bits, activation_bits, range, "
               "width, tile, method, bound, skip"),
      cl::value_desc("file.json"), cl::cat(getToolOptions())};
  cl::opt<bool> moments{
      "moments",
      cl::desc("keep the moments of every layer's inputs in the network, for "
               "a2q-opt --a2q-constrain-weights with any method: K^2 numbers "
               "for a layer with K products per sum"),
      cl::init(false), cl::cat(getToolOptions())};
  cl::opt<std::string> report{
      "report", cl::desc("write a report of all accumulators"),
      cl::value_desc("file.json|file.html"), cl::cat(getToolOptions())};
  cl::opt<std::string> output{"o", cl::desc("the quantized network"),
                              cl::value_desc("file.mlir"), cl::init("-"),
                              cl::cat(getToolOptions())};
  ShapeOption shapes;
};

} // namespace

static Error checkBits(const cl::opt<unsigned> &option, unsigned least) {
  if (option >= least && option <= 8)
    return Error::success();
  return createStringError("--" + option.ArgStr + " is " + Twine(option) +
                           "; it takes a number from " + Twine(least) +
                           " to 8");
}

/// Nothing that is read may be written, and nothing twice.
static Error checkFiles(const Options &options) {
  FileNames files;
  files.read(options.model, "the model");
  files.readArrays(options.calibration, "calibration data");
  files.read(options.overrides, "the file of overrides");
  files.write(options.output);
  files.write(options.report);
  return files.check();
}

/// What needs no model.
static Error check(const Options &options) {
  if (Error error = checkBits(options.weightBits, 2))
    return error;
  if (Error error = checkBits(options.activationBits, 1))
    return error;
  if (options.borderBits.getNumOccurrences())
    if (Error error = checkBits(options.borderBits, 2))
      return error;
  if (!parseRangeRule(options.range))
    return createStringError("--range is '" + options.range +
                             "'; it takes mse, min-max, percentile:P with P "
                             "above 0 and at most 100, or kl");
  if (options.activationScales != "tensor" &&
      options.activationScales != "channel")
    return createStringError("--activation-scales is '" +
                             options.activationScales +
                             "'; it takes tensor or channel");
  if (options.constrain.getNumOccurrences() &&
      !parseConstraint(options.constrain))
    return constraintError(options.constrain);
  if (options.calibration.empty())
    return createStringError("--calibration is missing: codes are chosen by "
                             "what the network sees");
  if (Error error = checkFiles(options))
    return error;
  std::string reason;
  if (!options.report.empty() &&
      failed(checkReportName(options.report, reason)))
    return createStringError(reason);
  return Error::success();
}

/// An infinite or missing number in one array spoils what all others say.
static Error checkFinite(const NamedArray &input) {
  if (input.array.kind != ElementKind::F32)
    return Error::success();
  for (size_t i = 0; i < input.array.data.size() / sizeof(float); ++i) {
    float value;
    std::memcpy(&value, input.array.data.data() + i * sizeof(float),
                sizeof(float));
    if (!std::isfinite(value))
      return fileError(
          input.file.path,
          formatv("element {0} is {1}; calibration data are finite", i, value)
              .str());
  }
  return Error::success();
}

/// Failure with a diagnostic.
static mlir::FailureOr<QuantizationOptions> makeOptions(const Options &options,
                                                        mlir::ModuleOp module) {
  QuantizationOptions result;
  result.weightBits = options.weightBits;
  result.activationBits = options.activationBits;
  if (options.borderBits)
    result.borderBits = options.borderBits;
  result.range = *parseRangeRule(options.range);
  result.constraint = parseConstraint(options.constrain);
  result.equalize = options.equalize;
  result.channelScales = options.activationScales == "channel";
  result.keepMoments = options.moments;
  for (const cl::Option *option : std::initializer_list<const cl::Option *>{
           &options.weightBits, &options.activationBits, &options.borderBits,
           &options.range, &options.activationScales, &options.equalize})
    if (option->getNumOccurrences())
      result.floatOptions.push_back("--" + option->ArgStr.str());
  if (!options.overrides.empty()) {
    auto overrides = ConstraintOverrides::read(
        options.overrides, module.getLoc(), quantizationKeys());
    if (failed(overrides))
      return mlir::failure();
    result.overrides = std::move(*overrides);
  }
  return result;
}

static std::string print(mlir::ModuleOp module) {
  std::string text;
  raw_string_ostream os(text);
  mlir::OpPrintingFlags flags;
  // Names of layers are locations.
  flags.enableDebugInfo();
  module->print(os, flags);
  return text;
}

/// Writes the network and, if asked to, the report: both or none.
static Error write(const Options &options, mlir::ModuleOp module,
                   const Report &report) {
  std::string network = print(module), facts;
  SmallVector<OutputContents> files = {{options.output, network}};
  if (!options.report.empty()) {
    raw_string_ostream os(facts);
    writeJSON(report, os);
    facts = reportForFile(std::move(facts), options.model, options.report);
    files.push_back({options.report, facts});
  }
  return writeOutputFiles(files);
}

/// True when all went well; false after a diagnostic.
static Expected<bool> quantize(const Options &options) {
  if (Error error = check(options))
    return std::move(error);
  auto arrays = readInputs(options.calibration);
  if (!arrays)
    return arrays.takeError();
  for (const NamedArray &array : *arrays)
    if (Error error = checkFinite(array))
      return std::move(error);
  Expected<ImportOptions> shapes = options.shapes.parse();
  if (!shapes)
    return shapes.takeError();
  ModelContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      context.load(options.model, *shapes);
  if (!module)
    return false;
  mlir::FailureOr<Signature> signature = getSignature(*module);
  if (failed(signature))
    return false;
  Expected<Feeds> feeds = Feeds::bind(*signature, std::move(*arrays), {});
  if (!feeds)
    return feeds.takeError();
  auto quantization = makeOptions(options, *module);
  if (failed(quantization))
    return false;

  CalibrationData data;
  data.runs = feeds->getNumRuns();
  for (const void *array : feeds->inputs(0))
    data.arrays.push_back(static_cast<const char *>(array));
  if (failed(quantizeNetwork(*module, data, *quantization)))
    return false;
  mlir::FailureOr<Report> report = buildReport(*module);
  if (failed(report))
    return false;
  if (!options.report.empty())
    estimateCosts(*module, *report);
  if (Error error = write(options, *module, *report))
    return std::move(error);
  return true;
}

int main(int argc, char **argv) {
  Options options;
  parseCommandLine(argc, argv, "a2q-quantize: a float network to integers\n");
  return exitStatus(quantize(options));
}
