//===- Layers.cpp - The layers of a quantized network, one by one ---------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Calibration/Layers.h"

#include "a2q/Analysis/Report.h"
#include "a2q/Calibration/LayerInputs.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Support/Progress.h"

using namespace mlir;
using namespace a2q;

SmallVector<AccumulatingOpInterface> a2q::getWeightLayers(func::FuncOp entry) {
  SmallVector<AccumulatingOpInterface> layers;
  entry.walk<WalkOrder::PreOrder>([&](AccumulatingOpInterface op) {
    if (isa<MatmulOp, Conv2DOp>(op.getOperation()) &&
        hasConstantCodes(op.getWeights()))
      layers.push_back(op);
  });
  return layers;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// What a layer's sums of codes are as reals: `scale * (sum - offset)`.
static LogicalResult toReals(AccumulatingOpInterface op,
                             SmallVector<double> &offsets,
                             SmallVector<double> &reals) {
  FailureOr<SmallVector<int64_t>> weights = op.getWeightCodes();
  std::optional<int64_t> channels = op.getNumChannels();
  std::optional<int64_t> length = op.getReductionLength();
  if (failed(weights) || !channels || !length)
    return op->emitError("calibration needs constant weights");
  auto codes = cast<quant::UniformQuantizedType>(
      getQuantizedType(op.getActivations().getType()));
  reals = a2q::scales(getQuantizedType(op.getWeights().getType()));
  reals.resize(*channels, reals.front());
  for (double &scale : reals)
    scale *= codes.getScale();
  offsets.assign(*channels, 0);
  for (int64_t channel = 0; channel < *channels; ++channel)
    for (int64_t k = 0; k < *length; ++k)
      offsets[channel] +=
          static_cast<double>(codes.getZeroPoint()) *
          static_cast<double>((*weights)[channel * *length + k]);
  if (Value initial = op.getInitialValue()) {
    FailureOr<SmallVector<int64_t>> values = constantCodes(initial);
    if (failed(values))
      return op->emitError("calibration needs a constant initial value");
    for (auto [offset, value] : llvm::zip_equal(offsets, *values))
      offset += static_cast<double>(value);
  }
  return success();
}

FailureOr<std::vector<std::vector<SumStatistics>>>
a2q::observeSums(func::FuncOp entry, ArrayRef<AccumulatingOpInterface> layers,
                 const CalibrationData &data) {
  SmallVector<Value> sums;
  for (AccumulatingOpInterface layer : layers)
    sums.push_back(layer->getResult(0));
  std::vector<ChannelStatistics> statistics(layers.size());
  auto add = [&](size_t index, const TensorSpec &spec, const void *elements) {
    int64_t channels = spec.shape.back();
    if (spec.kind == ElementKind::I32)
      statistics[index].add(
          ArrayRef(static_cast<const int32_t *>(elements), spec.numElements()),
          channels);
    else
      statistics[index].add(
          ArrayRef(static_cast<const int64_t *>(elements), spec.numElements()),
          channels);
    return success();
  };
  if (failed(observe(entry, sums, data, add)))
    return failure();
  std::vector<std::vector<SumStatistics>> result;
  for (auto [layer, found] : llvm::zip_equal(layers, statistics)) {
    SmallVector<double> offsets, scales;
    if (failed(toReals(layer, offsets, scales)))
      return failure();
    result.push_back(found.get(offsets, scales));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Moments
//===----------------------------------------------------------------------===//

/// The moments of one layer's inputs over all runs; `codes` holds an array of
/// the layer's input per run.
static std::vector<Moments> collectMoments(const LayerInputs &inputs,
                                           const char *codes, int64_t runs,
                                           StringRef name) {
  std::vector<Moments> result;
  int64_t length = inputs.getLength(), groups = inputs.getNumGroups();
  // Blocks of some megabytes, whatever the length.
  int64_t capacity = std::max<int64_t>(64, (int64_t(1) << 20) / length);
  std::vector<float> block(capacity * length);
  Progress progress("collecting moments of " + name.str(), groups * runs);
  for (int64_t group = 0; group < groups; ++group) {
    MomentAccumulator accumulator(length);
    int64_t filled = 0;
    auto flush = [&] {
      [[maybe_unused]] bool finite = accumulator.add(
          std::span<const float>(block.data(), filled * length));
      assert(finite && "codes are integers");
      filled = 0;
    };
    for (int64_t run = 0; run < runs; ++run, progress.advance())
      for (int64_t first = 0; first < inputs.getNumVectors();) {
        int64_t count =
            std::min(capacity - filled, inputs.getNumVectors() - first);
        inputs.gather(codes + run * inputs.getNumBytes(), group, first, count,
                      block.data() + filled * length);
        first += count;
        filled += count;
        if (filled == capacity)
          flush();
      }
    flush();
    result.push_back(accumulator.take());
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

namespace {

/// Arrays of values of the network, one per run.
class HostValues {
public:
  HostValues(func::FuncOp entry, const CalibrationData &data)
      : runs(data.runs) {
    for (auto [argument, array] :
         llvm::zip_equal(entry.getArguments(), data.arrays)) {
      values.push_back(argument);
      arrays[argument] = array;
    }
  }

  /// The arrays of a value, computed from those that are known; null after a
  /// diagnostic.
  const char *get(Value value);

private:
  int64_t runs;
  SmallVector<Value> values;
  llvm::DenseMap<Value, const char *> arrays;
  std::vector<std::unique_ptr<char[]>> owned;
};

} // namespace

const char *HostValues::get(Value value) {
  if (const char *known = arrays.lookup(value))
    return known;
  auto module = value.getDefiningOp()->getParentOfType<ModuleOp>();
  FailureOr<Slice> slice = Slice::compile(values, value, RangeAnalysis(module));
  if (failed(slice))
    return nullptr;
  const Signature &signature = slice->getSignature();
  size_t bytes = signature.outputs.front().sizeInBytes();
  owned.push_back(std::make_unique<char[]>(bytes * runs));
  char *to = owned.back().get();
  Progress progress("running the network", runs);
  for (int64_t run = 0; run < runs; ++run, progress.advance()) {
    SmallVector<const void *> from;
    for (auto [input, spec] :
         llvm::zip_equal(slice->getInputs(), signature.inputs))
      from.push_back(arrays.lookup(input) + run * spec.sizeInBytes());
    void *at = to + run * bytes;
    if (failed(slice->run(from, at)))
      return nullptr;
  }
  values.push_back(value);
  arrays[value] = to;
  return to;
}

LogicalResult a2q::visitLayers(func::FuncOp entry,
                               ArrayRef<AccumulatingOpInterface> layers,
                               const CalibrationData &data,
                               LayerVisitor visit) {
  HostValues values(entry, data);
  for (auto [index, op] : llvm::enumerate(layers)) {
    AccumulatingOpInterface layer = op;
    FailureOr<LayerInputs> inputs = LayerInputs::of(layer);
    if (failed(inputs))
      return failure();
    const char *codes = values.get(layer.getActivations());
    if (!codes)
      return failure();
    std::vector<Moments> moments =
        collectMoments(*inputs, codes, data.runs, layerName(layer, index));
    if (failed(visit(index, moments)))
      return failure();
  }
  return success();
}
