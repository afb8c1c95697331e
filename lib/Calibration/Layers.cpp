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

bool a2q::isWeightLayer(AccumulatingOpInterface op) {
  return isa<MatmulOp, Conv2DOp>(op.getOperation()) &&
         hasConstantCodes(op.getWeights());
}

SmallVector<AccumulatingOpInterface> a2q::getWeightLayers(func::FuncOp entry) {
  SmallVector<AccumulatingOpInterface> layers;
  entry.walk<WalkOrder::PreOrder>([&](AccumulatingOpInterface op) {
    if (isWeightLayer(op))
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

/// Shows the vectors of one group over all runs, [count, K] at a time; `codes`
/// holds an array of the layer's input per run.
static void gatherAll(const LayerInputs &inputs, const char *codes,
                      int64_t runs, int64_t group, Progress &progress,
                      function_ref<void(std::span<const float>)> show) {
  int64_t length = inputs.getLength();
  // A megabyte, whatever the length.
  int64_t capacity = std::max<int64_t>(64, (int64_t(1) << 18) / length);
  std::vector<float> block(capacity * length);
  int64_t filled = 0;
  for (int64_t run = 0; run < runs; ++run, progress.advance())
    for (int64_t first = 0; first < inputs.getNumVectors();) {
      int64_t count =
          std::min(capacity - filled, inputs.getNumVectors() - first);
      inputs.gather(codes + run * inputs.getNumBytes(), group, first, count,
                    block.data() + filled * length);
      first += count;
      filled += count;
      if (filled == capacity) {
        show(block);
        filled = 0;
      }
    }
  show({block.data(), static_cast<size_t>(filled * length)});
}

/// Means and squares alone.
static Moments collectSquares(const LayerInputs &inputs, const char *codes,
                              int64_t runs, int64_t group, Progress &progress) {
  Moments result;
  size_t length = inputs.getLength();
  result.length = inputs.getLength();
  result.samples = static_cast<double>(runs * inputs.getNumVectors());
  result.mean.resize(length);
  result.products.resize(length);
  gatherAll(inputs, codes, runs, group, progress,
            [&](std::span<const float> vectors) {
              for (size_t at = 0; at < vectors.size(); at += length)
                for (size_t k = 0; k < length; ++k) {
                  double x = vectors[at + k];
                  result.mean[k] += x;
                  result.products[k] += x * x;
                }
            });
  for (std::vector<double> *sums : {&result.mean, &result.products})
    for (double &sum : *sums)
      sum /= result.samples;
  return result;
}

static Moments collectProducts(const LayerInputs &inputs, const char *codes,
                               int64_t runs, int64_t group,
                               Progress &progress) {
  MomentAccumulator accumulator(inputs.getLength());
  gatherAll(inputs, codes, runs, group, progress,
            [&](std::span<const float> vectors) {
              [[maybe_unused]] bool finite = accumulator.add(vectors);
              assert(finite && "codes are integers");
            });
  return accumulator.take();
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
                               function_ref<bool(size_t)> wantsProducts,
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
    auto collect = wantsProducts(index) ? collectProducts : collectSquares;
    int64_t groups = inputs->getNumGroups();
    std::vector<Moments> moments;
    Progress progress("collecting moments of " + layerName(layer, index),
                      groups * data.runs);
    for (int64_t group = 0; group < groups; ++group)
      moments.push_back(collect(*inputs, codes, data.runs, group, progress));
    if (failed(visit(index, moments)))
      return failure();
  }
  return success();
}
