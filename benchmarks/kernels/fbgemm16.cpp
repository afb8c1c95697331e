// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// FBGEMM's kernels with 16-bit accumulators. The PyTorch package contains them
// and never calls them, so this file does: matrix products and convolutions
// without groups, weights packed beforehand, requantized to bytes by FBGEMM's
// own output processing. Its sums saturate where they leave 16 bits.

#include "fbgemm/Fbgemm.h"

#include <cstdint>
#include <memory>
#include <vector>

using namespace fbgemm;

namespace {
using Weights = PackBMatrix<int8_t, int16_t>;
using Requantize = ReQuantizeOutput<false, QuantizationGranularity::TENSOR>;

struct Layer {
  int rows, channels, length;
  bool isConvolution;
  conv_param_t<2> convolution;
  float factor;
  std::unique_ptr<Weights> weights;
  std::vector<int32_t> sums;

  template <typename Pack> void multiply(Pack &inputs, uint8_t *outputs) {
    int32_t zero = 0;
    DoNothing<> last;
    // Both zero points are 0: offsets of rows and columns do not matter.
    std::vector<int32_t> columns(channels);
    Requantize after(last, &factor, 0, 0, &zero, inputs.getRowOffsetBuffer(),
                     columns.data(), nullptr, channels);
    fbgemmPacked(inputs, *weights, outputs, sums.data(), channels, after, 0, 1);
  }
};
} // namespace

extern "C" {

/// A matrix product [rows, length] x [channels, length]^T if image is 0, else a
/// convolution over [image, image, inputs] with weights [channels, kernel,
/// kernel, inputs], padded by kernel / 2.
Layer *create(int rows, int channels, int length, int image, int inputs,
              int kernel, int stride, const int8_t *weights, float factor) {
  int pad = kernel / 2;
  conv_param_t<2> convolution(1, inputs, channels, {image, image}, 1,
                              {kernel, kernel}, {stride, stride},
                              {pad, pad, pad, pad});
  if (image) {
    rows = convolution.OUT_DIM[0] * convolution.OUT_DIM[1];
    length = kernel * kernel * inputs;
  }
  return new Layer{rows,
                   channels,
                   length,
                   image != 0,
                   convolution,
                   factor,
                   std::make_unique<Weights>(matrix_op_t::Transpose, length,
                                             channels, weights, length),
                   std::vector<int32_t>(size_t(rows) * channels)};
}

void run(Layer *layer, const uint8_t *inputs, uint8_t *outputs) {
  if (layer->isConvolution) {
    PackAWithIm2Col<uint8_t, int16_t> packed(layer->convolution, inputs,
                                             nullptr, 0, nullptr, true);
    layer->multiply(packed, outputs);
    return;
  }
  PackAMatrix<uint8_t, int16_t> packed(matrix_op_t::NoTranspose, layer->rows,
                                       layer->length, inputs, layer->length);
  layer->multiply(packed, outputs);
}
}
