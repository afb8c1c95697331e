//===- QuantizeNetwork.cpp - From a float network to integers -------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Calibration/QuantizeNetwork.h"

#include "a2q/Analysis/FloatLayers.h"
#include "a2q/Analysis/Report.h"
#include "a2q/Calibration/Layers.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/MomentsAttr.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Transforms/ConstrainLayer.h"
#include "a2q/Transforms/Entry.h"
#include "a2q/Transforms/EqualizeActivations.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace a2q;

/// Number of a float layer; the integer layer that it becomes carries it on.
static constexpr StringLiteral numberAttrName = "a2q.layer";

ArrayRef<StringRef> a2q::quantizationKeys() {
  static constexpr StringRef keys[] = {"activation_bits", "range",
                                       "weight_bits"};
  return keys;
}

namespace {

/// How a layer is quantized.
struct Precision {
  unsigned weightBits, activationBits;
  RangeRule range;
};

/// What is known of a layer of the float network.
struct FloatFacts {
  std::string name;
  std::vector<float> weights;
  std::vector<SumStatistics> sums;
};

/// A layer in integers, and what it came from.
struct IntegerLayer {
  AccumulatingOpInterface op;
  std::string name;
  /// What the sums are to be.
  std::vector<SumStatistics> sums;
  /// Null for a layer that was quantized before.
  const FloatFacts *original = nullptr;
};

class Quantizer {
public:
  Quantizer(ModuleOp module, const CalibrationData &data,
            const QuantizationOptions &options)
      : module(module), data(data), options(options) {}

  LogicalResult run();

private:
  LogicalResult prepare();
  LogicalResult findLayers();
  FailureOr<Precision> precisionOf(size_t index);
  LogicalResult applyOwn(StringRef name, Precision &precision);
  LogicalResult refuseOwn(StringRef name);
  LogicalResult refuseFloatOptions();
  LogicalResult checkWidth(Operation *op, StringRef name);
  LogicalResult equalizeChannels();
  LogicalResult observeFloats();
  LogicalResult chooseCodes();
  LogicalResult quantizeFloats();
  LogicalResult visitIntegers();
  LogicalResult visit(IntegerLayer &layer, ArrayRef<Moments> moments);
  /// By the options, the file of overrides, or an attribute of its own.
  bool isConstrained(const IntegerLayer &layer) const {
    return options.constraint || options.overrides.lookup(layer.name) ||
           layer.op->hasAttr(A2QDialect::getConstrainAttrName());
  }

  ModuleOp module;
  const CalibrationData &data;
  const QuantizationOptions &options;
  func::FuncOp entry;
  std::vector<FloatLayer> floats;
  std::vector<FloatFacts> facts;
  /// By the values that float layers read.
  llvm::MapVector<Value, Histogram> histograms;
  std::vector<IntegerLayer> integers;
};

} // namespace

//===----------------------------------------------------------------------===//
// The float network
//===----------------------------------------------------------------------===//

LogicalResult Quantizer::prepare() {
  PassManager pm(module.getContext());
  // Layers are found in one block.
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createA2QFoldAffine());
  if (options.equalize)
    pm.addPass(createA2QEqualize());
  if (failed(pm.run(module)))
    return failure();
  // A number that the file brings is none of ours.
  module.walk([](Operation *op) { op->removeAttr(numberAttrName); });
  FailureOr<func::FuncOp> found = findEntry(module);
  if (failed(found))
    return failure();
  entry = *found;
  return options.channelScales ? equalizeChannels() : success();
}

/// Lists the layers of both kinds and checks that overrides mean one of them.
LogicalResult Quantizer::findLayers() {
  // In program order and under the names that reports of the result have.
  std::vector<std::string> names;
  std::string reason;
  int64_t number = 0;
  WalkResult walked = entry.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (std::optional<FloatLayer> layer = FloatLayer::match(op, reason)) {
      // Else whatever follows from it would be blamed on the data.
      if (failed(layer->verifyFinite()))
        return WalkResult::interrupt();
      StringRef kind = layer->isConvolution ? Conv2DOp::getOperationName()
                                            : MatmulOp::getOperationName();
      names.push_back(layerName(op, kind, number++));
      facts.push_back({names.back(), layer->weights(), {}});
      floats.push_back(std::move(*layer));
      return WalkResult::advance();
    }
    if (!reason.empty())
      op->emitWarning() << "stays in floating point: " << reason;
    auto accumulating = dyn_cast<AccumulatingOpInterface>(op);
    if (!accumulating || !accumulating.isAccumulating())
      return WalkResult::advance();
    if (isWeightLayer(accumulating)) {
      names.push_back(layerName(op, number));
      integers.push_back({accumulating, names.back(), {}, nullptr});
    }
    ++number;
    return WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  if (names.empty()) {
    InFlightDiagnostic error =
        module.emitError("the model has no layers to quantize");
    error.attachNote() << "layers are convolutions and matrix products with "
                          "constant weights";
    return error;
  }
  if (failed(options.overrides.checkNames(names, module.getLoc())))
    return failure();
  for (const IntegerLayer &layer : integers)
    if (failed(refuseOwn(layer.name)) ||
        failed(checkWidth(layer.op, layer.name)))
      return failure();
  for (auto [layer, fact] : llvm::zip_equal(floats, facts))
    if (failed(checkWidth(layer.op, fact.name)))
      return failure();
  if (floats.empty() && failed(refuseFloatOptions()))
    return failure();
  if (floats.empty() && !options.keepMoments &&
      llvm::none_of(integers, [&](const IntegerLayer &layer) {
        return isConstrained(layer);
      }))
    return module.emitError("the model is quantized already, and neither a "
                            "constraint nor moments are asked for: there is "
                            "nothing to do");
  return success();
}

/// What is asked of one float layer.
FailureOr<Precision> Quantizer::precisionOf(size_t index) {
  Precision result{options.weightBits, options.activationBits, options.range};
  if (options.borderBits && (index == 0 || index + 1 == floats.size()))
    result.weightBits = result.activationBits = *options.borderBits;
  if (failed(applyOwn(facts[index].name, result)))
    return failure();
  return result;
}

/// An error for what has no meaning for a layer in integers.
LogicalResult Quantizer::refuseOwn(StringRef name) {
  DictionaryAttr own = options.overrides.lookupOther(name);
  if (!own)
    return success();
  // A wrong value is wrong first.
  Precision ignored{};
  if (failed(applyOwn(name, ignored)))
    return failure();
  InFlightDiagnostic error = module.emitError()
                             << "override of layer '" << name << "': `"
                             << own.begin()->getName().strref()
                             << "` is for a layer of floats, and this one is "
                                "quantized already";
  error.attachNote() << "a constraint is all that it takes";
  return error;
}

/// The same for options that were given for all layers.
LogicalResult Quantizer::refuseFloatOptions() {
  if (options.floatOptions.empty())
    return success();
  InFlightDiagnostic error = module.emitError();
  error << "`" << options.floatOptions.front()
        << "` is for layers of floats, and this network has none: it is "
           "quantized already";
  error.attachNote() << "a constraint is all that it takes";
  return error;
}

/// A layer's own constraint says how many bits it means, or all layers have
/// one that does.
LogicalResult Quantizer::checkWidth(Operation *op, StringRef name) {
  auto own =
      op->getAttrOfType<DictionaryAttr>(A2QDialect::getConstrainAttrName());
  DictionaryAttr entries = options.overrides.lookup(name);
  if (options.constraint || (!own && !entries))
    return success();
  ConstraintSpec spec;
  auto emitError = [&] { return op->emitError(); };
  if ((own && failed(spec.override(own, emitError))) ||
      (entries && failed(spec.override(entries, emitError))))
    return failure();
  if (spec.skip || (own && own.contains("width")) ||
      (entries && entries.contains("width")))
    return success();
  InFlightDiagnostic error = module.emitError()
                             << "the constraint of layer '" << name
                             << "' has no `width`, and none is given for all "
                                "layers";
  error.attachNote() << "give the layer a `width`, or all of them a constraint";
  return error;
}

/// Takes over what the overrides say of a layer's codes.
LogicalResult Quantizer::applyOwn(StringRef name, Precision &result) {
  DictionaryAttr own = options.overrides.lookupOther(name);
  if (!own)
    return success();
  auto error = [&] {
    return module.emitError() << "override of layer '" << name << "': ";
  };
  auto readBits = [&](StringRef key, unsigned least, unsigned &bits) {
    Attribute attr = own.get(key);
    if (!attr)
      return success();
    auto integer = dyn_cast<IntegerAttr>(attr);
    if (!integer || integer.getInt() < least || integer.getInt() > 8)
      return LogicalResult(error() << "`" << key << "` is an integer from "
                                   << least << " to 8, found " << attr);
    bits = integer.getInt();
    return success();
  };
  if (failed(readBits("weight_bits", 2, result.weightBits)) ||
      failed(readBits("activation_bits", 1, result.activationBits)))
    return failure();
  if (Attribute attr = own.get("range")) {
    auto text = dyn_cast<StringAttr>(attr);
    std::optional<RangeRule> rule =
        text ? parseRangeRule(text.getValue()) : std::nullopt;
    if (!rule)
      return error() << "`range` is \"min-max\", \"percentile:P\", \"mse\" or "
                        "\"kl\", found "
                     << attr;
    result.range = *rule;
  }
  return success();
}

static LogicalResult notFinite(Value value) {
  InFlightDiagnostic error =
      emitError(value.getLoc())
      << "this value is infinite or no number for some of the calibration data";
  error.attachNote() << "a layer reads it, and codes stand for finite reals";
  return error;
}

/// Runs the float network for the magnitudes of channels that may have scales
/// of their own.
LogicalResult Quantizer::equalizeChannels() {
  return equalizeActivations(
      entry,
      [&](ArrayRef<Value> values)
          -> FailureOr<std::vector<std::vector<float>>> {
        std::vector<std::vector<float>> largest(values.size());
        auto see = [&](size_t index, const TensorSpec &spec,
                       const void *elements) -> LogicalResult {
          std::vector<float> &channels = largest[index];
          channels.resize(spec.shape.back(), 0);
          ArrayRef<float> reals(static_cast<const float *>(elements),
                                spec.numElements());
          for (auto [at, real] : llvm::enumerate(reals)) {
            if (!std::isfinite(real))
              return notFinite(values[index]);
            float &channel = channels[at % channels.size()];
            channel = std::max(channel, std::abs(real));
          }
          return success();
        };
        if (failed(observe(entry, values, data, see)))
          return failure();
        return largest;
      });
}

/// Runs the float network: histograms of what layers read, statistics of what
/// they sum.
LogicalResult Quantizer::observeFloats() {
  SmallVector<Value> values;
  for (FloatLayer &layer : floats)
    if (histograms.insert({layer.input, {}}).second)
      values.push_back(layer.input);
  size_t inputs = values.size();
  for (FloatLayer &layer : floats)
    values.push_back(layer.result);
  std::vector<ChannelStatistics> sums(floats.size());
  auto see = [&](size_t index, const TensorSpec &spec, const void *elements) {
    ArrayRef<float> reals(static_cast<const float *>(elements),
                          spec.numElements());
    if (index >= inputs) {
      sums[index - inputs].add(reals, spec.shape.back());
      return success();
    }
    if (histograms.begin()[index].second.add(reals))
      return success();
    return notFinite(values[index]);
  };
  if (failed(observe(entry, values, data, see)))
    return failure();
  for (auto [layer, found, fact] : llvm::zip_equal(floats, sums, facts)) {
    std::vector<float> bias = layer.bias();
    SmallVector<double> offsets(bias.begin(), bias.end());
    fact.sums = found.get(offsets, SmallVector<double>(offsets.size(), 1));
    for (auto [channel, sum] : llvm::enumerate(fact.sums))
      if (!std::isfinite(sum.mean) || !std::isfinite(sum.variance))
        return layer.op->emitError()
               << "the sum of channel " << channel
               << " is infinite or no number for some of the calibration data";
  }
  return success();
}

/// Writes on each layer which codes its input has.
LogicalResult Quantizer::chooseCodes() {
  Builder builder(module.getContext());
  for (auto [index, layer] : llvm::enumerate(floats)) {
    FailureOr<Precision> precision = precisionOf(index);
    if (failed(precision))
      return failure();
    const Histogram &seen = histograms.find(layer.input)->second;
    std::optional<ActivationCodes> codes = chooseActivationCodes(
        seen, precision->activationBits, precision->range);
    if (!codes) {
      InFlightDiagnostic error =
          layer.op->emitError() << "one bit holds no codes of its input, which "
                                   "is from "
                                << seen.min() << " to " << seen.max();
      error.attachNote() << "signed codes have two bits at least";
      return error;
    }
    auto type = quant::UniformQuantizedType::get(
        isSigned(codes->codes) ? quant::QuantizationFlags::Signed : 0,
        builder.getI8Type(), builder.getF32Type(), codes->scale,
        /*zeroPoint=*/0, codes->codes.lo, codes->codes.hi);
    layer.op->setAttr(A2QDialect::getActivationAttrName(), TypeAttr::get(type));
    layer.op->setAttr(A2QDialect::getWeightBitsAttrName(),
                      builder.getI64IntegerAttr(precision->weightBits));
    layer.op->setAttr(numberAttrName, builder.getI64IntegerAttr(index));
  }
  return success();
}

/// Turns float layers into integer ones and finds them again.
LogicalResult Quantizer::quantizeFloats() {
  PassManager pm(module.getContext());
  pm.addPass(createA2QQuantizeLayers());
  if (failed(pm.run(module)))
    return failure();
  std::vector<IntegerLayer> before = std::move(integers);
  integers.clear();
  for (AccumulatingOpInterface op : getWeightLayers(entry)) {
    if (auto number = op->getAttrOfType<IntegerAttr>(numberAttrName)) {
      const FloatFacts &fact = facts[number.getInt()];
      integers.push_back({op, fact.name, fact.sums, &fact});
      op->removeAttr(numberAttrName);
      continue;
    }
    auto same = llvm::find_if(
        before, [&](const IntegerLayer &layer) { return layer.op == op; });
    if (same != before.end())
      integers.push_back(std::move(*same));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The integer network
//===----------------------------------------------------------------------===//

/// The weights that a layer's codes were rounded from, in units of its scales.
static std::vector<double> inUnits(AccumulatingOpInterface op,
                                   ArrayRef<float> weights) {
  SmallVector<double> scales =
      a2q::scales(getQuantizedType(op.getWeights().getType()));
  std::vector<double> result(weights.begin(), weights.end());
  size_t length = *op.getReductionLength();
  for (size_t i = 0; i < result.size(); ++i)
    result[i] /= scales[scales.size() == 1 ? 0 : i / length];
  return result;
}

/// As an attribute has them, the products of one group after those of another.
static MomentsData momentsData(ArrayRef<Moments> moments) {
  MomentsData data;
  data.samples = static_cast<int64_t>(moments.front().samples);
  data.groups = static_cast<int64_t>(moments.size());
  data.length = moments.front().length;
  for (const Moments &group : moments) {
    llvm::append_range(data.mean, group.mean);
    llvm::append_range(data.products, group.products);
  }
  return data;
}

LogicalResult Quantizer::visit(IntegerLayer &layer, ArrayRef<Moments> moments) {
  LayerKnowledge knowledge;
  knowledge.sums = layer.sums;
  knowledge.moments = moments;
  RangeAnalysis ranges(module);
  if (options.keepMoments)
    layer.op->setAttr(A2QDialect::getMomentsAttrName(),
                      momentsAttr(module.getContext(), momentsData(moments)));
  if (!isConstrained(layer))
    return layer.original ? correctLayer(layer.op, ranges, knowledge)
                          : success();
  std::vector<double> weights;
  if (layer.original) {
    weights = inUnits(layer.op, layer.original->weights);
    knowledge.weights = weights;
  }
  ConstraintSpec all = options.constraint.value_or(ConstraintSpec());
  FailureOr<ConstraintSpec> own =
      constraintOf(layer.op, all, options.overrides.lookup(layer.name));
  if (failed(own))
    return failure();
  if (!own->skip)
    return constrainLayer(layer.op, *own, ranges, knowledge);
  // One that was quantized before is not to be touched.
  return layer.original ? correctLayer(layer.op, ranges, knowledge) : success();
}

LogicalResult Quantizer::visitIntegers() {
  SmallVector<AccumulatingOpInterface> ops;
  SmallVector<IntegerLayer *> layers;
  for (IntegerLayer &layer : integers)
    if (layer.original || options.keepMoments || isConstrained(layer)) {
      ops.push_back(layer.op);
      layers.push_back(&layer);
    }
  // Without new weights only the means change.
  auto wantsProducts = [&](size_t index) {
    return options.keepMoments || isConstrained(*layers[index]);
  };
  return visitLayers(entry, ops, data, wantsProducts,
                     [&](size_t index, ArrayRef<Moments> moments) {
                       return visit(*layers[index], moments);
                     });
}

LogicalResult Quantizer::run() {
  if (failed(prepare()) || failed(findLayers()))
    return failure();
  if (!integers.empty()) {
    SmallVector<AccumulatingOpInterface> ops;
    for (IntegerLayer &layer : integers)
      ops.push_back(layer.op);
    auto sums = observeSums(entry, ops, data);
    if (failed(sums))
      return failure();
    for (auto [layer, found] : llvm::zip_equal(integers, *sums))
      layer.sums = std::move(found);
  }
  if (!floats.empty() && (failed(observeFloats()) || failed(chooseCodes()) ||
                          failed(quantizeFloats())))
    return failure();
  if (failed(visitIntegers()))
    return failure();
  // Nothing before this is trusted.
  PassManager verify(module.getContext());
  verify.addPass(createA2QVerifyAccumulators());
  return verify.run(module);
}

LogicalResult a2q::quantizeNetwork(ModuleOp module, const CalibrationData &data,
                                   const QuantizationOptions &options) {
  return Quantizer(module, data, options).run();
}
