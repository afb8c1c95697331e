//===- Observe.cpp - Values inside a network, on calibration data ---------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Calibration/Observe.h"

#include "a2q/Support/Progress.h"

using namespace mlir;
using namespace a2q;

LogicalResult a2q::observe(func::FuncOp entry, ArrayRef<Value> values,
                           const CalibrationData &data, Observer observer) {
  if (values.empty())
    return success();
  auto arguments = llvm::to_vector_of<Value>(entry.getArguments());
  FailureOr<Slice> slice = Slice::compile(
      arguments, values, RangeAnalysis(entry->getParentOfType<ModuleOp>()));
  if (failed(slice))
    return failure();
  const Signature &signature = slice->getSignature();
  SmallVector<const char *> arrays;
  for (Value input : slice->getInputs())
    arrays.push_back(data.arrays[cast<BlockArgument>(input).getArgNumber()]);
  SmallVector<std::vector<char>> buffers;
  SmallVector<void *> to;
  for (const TensorSpec &spec : signature.outputs)
    to.push_back(buffers.emplace_back(spec.sizeInBytes()).data());
  Progress progress("observing the network", data.runs);
  for (int64_t run = 0; run < data.runs; ++run) {
    SmallVector<const void *> from;
    for (auto [array, spec] : llvm::zip_equal(arrays, signature.inputs))
      from.push_back(array + run * spec.sizeInBytes());
    if (failed(slice->run(from, to)))
      return failure();
    for (auto [index, spec] : llvm::enumerate(signature.outputs))
      if (failed(observer(index, spec, to[index])))
        return failure();
    progress.advance();
  }
  return success();
}

std::vector<SumStatistics>
ChannelStatistics::get(ArrayRef<double> offsets,
                       ArrayRef<double> scales) const {
  std::vector<SumStatistics> result(pivots.size());
  for (size_t channel = 0; channel < pivots.size(); ++channel) {
    double mean = sums[channel] / static_cast<double>(count);
    double variance =
        squares[channel] / static_cast<double>(count) - mean * mean;
    double scale = scales[channel];
    result[channel] = {scale * (pivots[channel] + mean - offsets[channel]),
                       scale * scale * std::max(variance, 0.0)};
  }
  return result;
}
