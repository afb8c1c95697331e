//===- EqualizeActivations.cpp - Activation scales per channel ------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/EqualizeActivations.h"

#include "ScalableChannels.h"
#include "mlir/IR/Remarks.h"

#include <cmath>

using namespace mlir;
using namespace a2q;

/// Whether each output channel reads one input channel.
static bool isDepthwise(const ScalableLayer *layer) {
  return layer->layer.isConvolution && layer->layer.window[2] == 1;
}

/// What channels are divided by, from the largest magnitudes that readers see.
static std::vector<double> factorsOf(const ScalablePair &pair,
                                     ArrayRef<std::vector<float>> magnitudes) {
  std::vector<double> largest(pair.first->layer.channels, 0);
  for (const std::vector<float> &seen : magnitudes)
    for (auto [input, magnitude] : llvm::enumerate(seen)) {
      double &channel = largest[input % largest.size()];
      channel = std::max<double>(channel, magnitude);
    }
  double most = *llvm::max_element(largest);
  std::vector<double> factors(largest.size(), 1);
  for (auto [factor, magnitude] : llvm::zip_equal(factors, largest))
    if (magnitude > 0)
      factor = std::max(magnitude / most, std::ldexp(1.0, -20));
  return factors;
}

LogicalResult a2q::equalizeActivations(Operation *root,
                                       MeasureChannels measure) {
  ScalableLayers all;
  if (failed(all.collect(root)))
    return failure();
  auto options =
      remark::RemarkOpts::name("equalize-activations").category("a2q-quantize");
  std::vector<ScalablePair> pairs;
  SmallVector<Value> values;
  for (auto &[op, layer] : all.layers) {
    std::string reason;
    std::optional<ScalablePair> pair =
        all.readersOf(layer, reason, /*allowBounds=*/true);
    if (!pair || !llvm::all_of(pair->second, isDepthwise))
      continue;
    for (const ScalableLayer *reader : pair->second)
      values.push_back(reader->layer.input);
    pairs.push_back(std::move(*pair));
  }
  if (pairs.empty())
    return success();
  FailureOr<std::vector<std::vector<float>>> measured = measure(values);
  if (failed(measured))
    return failure();
  ArrayRef<std::vector<float>> rest = *measured;
  for (ScalablePair &pair : pairs) {
    pair.scale(factorsOf(pair, rest.take_front(pair.second.size())));
    rest = rest.drop_front(pair.second.size());
  }
  if (failed(all.writeBack()))
    return failure();
  for (ScalablePair &pair : pairs) {
    pair.writeBounds();
    remark::passed(pair.first->layer.op->getLoc(), options)
        << "a scale per channel for the activations that it makes";
  }
  return success();
}
