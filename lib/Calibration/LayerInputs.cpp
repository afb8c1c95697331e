//===- LayerInputs.cpp - The vectors that a layer multiplies --------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Calibration/LayerInputs.h"

#include "a2q/IR/QuantTypes.h"

using namespace mlir;
using namespace a2q;

FailureOr<LayerInputs> LayerInputs::of(AccumulatingOpInterface op) {
  LayerInputs inputs;
  auto type = cast<RankedTensorType>(op.getActivations().getType());
  quant::QuantizedType codes = getQuantizedType(type);
  std::optional<int64_t> length = op.getReductionLength();
  if (!codes || !type.hasStaticShape() || !length ||
      !cast<RankedTensorType>(op->getResult(0).getType()).hasStaticShape())
    return op->emitError("calibration needs codes of a static shape");
  unsigned bits = codes.getStorageTypeIntegralWidth();
  if (bits > 16)
    return op->emitError() << "calibration takes codes of at most 16 bits, "
                              "found "
                           << bits;
  inputs.kind = bits <= 8
                    ? (codes.isSigned() ? ElementKind::I8 : ElementKind::U8)
                    : (codes.isSigned() ? ElementKind::I16 : ElementKind::U16);
  inputs.bytes = type.getNumElements() * sizeInBytes(inputs.kind);
  inputs.zero = zeroPoint(codes);
  inputs.length = *length;
  inputs.groups = op.getNumGroups();
  inputs.channels = type.getShape().back();
  inputs.vectors = type.getNumElements() / inputs.channels;
  auto conv = dyn_cast<Conv2DOp>(op.getOperation());
  if (!conv)
    return inputs;
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(conv.getFilter().getType()).getShape();
  ArrayRef<int64_t> result = cast<RankedTensorType>(conv.getType()).getShape();
  inputs.height = type.getDimSize(1);
  inputs.width = type.getDimSize(2);
  inputs.outHeight = result[1];
  inputs.outWidth = result[2];
  inputs.vectors = result[0] * result[1] * result[2];
  inputs.kernel = {filter[1], filter[2]};
  inputs.strides = {conv.getStrides()[0], conv.getStrides()[1]};
  inputs.dilations = {conv.getDilations()[0], conv.getDilations()[1]};
  inputs.top = conv.getPadding()[0];
  inputs.left = conv.getPadding()[1];
  return inputs;
}

template <typename T>
void LayerInputs::gatherAs(const T *codes, int64_t group, int64_t first,
                           int64_t count, float *to) const {
  int64_t perGroup = channels / groups;
  for (int64_t vector = first; vector < first + count; ++vector) {
    int64_t column = vector % outWidth;
    int64_t row = vector / outWidth % outHeight;
    int64_t image = vector / outWidth / outHeight;
    for (int64_t i = 0; i < kernel[0]; ++i)
      for (int64_t j = 0; j < kernel[1]; ++j, to += perGroup) {
        int64_t y = row * strides[0] + i * dilations[0] - top;
        int64_t x = column * strides[1] + j * dilations[1] - left;
        if (y < 0 || y >= height || x < 0 || x >= width) {
          std::fill_n(to, perGroup, 0.0f);
          continue;
        }
        const T *from = codes + ((image * height + y) * width + x) * channels +
                        group * perGroup;
        for (int64_t k = 0; k < perGroup; ++k)
          to[k] = static_cast<float>(from[k] - static_cast<int32_t>(zero));
      }
  }
}

void LayerInputs::gather(const void *codes, int64_t group, int64_t first,
                         int64_t count, float *to) const {
  switch (kind) {
  case ElementKind::I8:
    return gatherAs(static_cast<const int8_t *>(codes), group, first, count,
                    to);
  case ElementKind::U8:
    return gatherAs(static_cast<const uint8_t *>(codes), group, first, count,
                    to);
  case ElementKind::I16:
    return gatherAs(static_cast<const int16_t *>(codes), group, first, count,
                    to);
  case ElementKind::U16:
    return gatherAs(static_cast<const uint16_t *>(codes), group, first, count,
                    to);
  default:
    llvm_unreachable("codes have 8 or 16 bits");
  }
}
