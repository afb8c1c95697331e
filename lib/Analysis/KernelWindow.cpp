//===- KernelWindow.cpp - Where a kernel lies on its image ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelWindow.h"

#include "a2q/IR/A2QOps.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

#include <algorithm>

using namespace mlir;
using namespace a2q;

static std::array<int64_t, 2> two(ArrayRef<int64_t> values) {
  return {values[0], values[1]};
}

std::optional<KernelWindow> KernelWindow::of(Operation *op) {
  KernelWindow window;
  ShapedType input, result;
  // Padding of TOSA is top, bottom, left, right.
  auto readTosa = [&](auto conv, int64_t kernelAt) {
    input = dyn_cast<ShapedType>(conv.getInput().getType());
    result = dyn_cast<ShapedType>(conv.getType());
    auto filter = cast<ShapedType>(conv.getWeight().getType());
    window.kernel = two(filter.getShape().slice(kernelAt, 2));
    window.strides = two(conv.getStride());
    window.dilations = two(conv.getDilation());
    window.before = {conv.getPad()[0], conv.getPad()[2]};
  };
  if (auto conv = dyn_cast<Conv2DOp>(op)) {
    input = conv.getInput().getType();
    result = conv.getType();
    window.kernel = two(conv.getFilter().getType().getShape().slice(1, 2));
    window.strides = two(conv.getStrides());
    window.dilations = two(conv.getDilations());
    window.before = two(conv.getPadding());
  } else if (auto conv = dyn_cast<tosa::Conv2DOp>(op)) {
    readTosa(conv, 1);
  } else if (auto conv = dyn_cast<tosa::DepthwiseConv2DOp>(op)) {
    readTosa(conv, 0);
  }
  if (!input || !result || !input.hasRank() || !result.hasRank() ||
      input.isDynamicDim(1) || input.isDynamicDim(2) ||
      result.isDynamicDim(1) || result.isDynamicDim(2))
    return std::nullopt;
  window.height = input.getDimSize(1);
  window.width = input.getDimSize(2);
  window.outputs = two(result.getShape().slice(1, 2));
  return window;
}

std::array<int64_t, 2> KernelWindow::pixel(std::array<int64_t, 2> position,
                                           int64_t tap) const {
  std::array<int64_t, 2> at = {tap / kernel[1], tap % kernel[1]}, result;
  for (unsigned dim : {0, 1})
    result[dim] =
        position[dim] * strides[dim] + at[dim] * dilations[dim] - before[dim];
  return result;
}

llvm::BitVector KernelWindow::inside(unsigned dim, int64_t position) const {
  int64_t size = dim == 0 ? height : width;
  llvm::BitVector bits(kernel[dim]);
  for (int64_t tap = 0; tap < kernel[dim]; ++tap) {
    int64_t at = position * strides[dim] + tap * dilations[dim] - before[dim];
    bits[tap] = at >= 0 && at < size;
  }
  return bits;
}

std::vector<TapMask> KernelWindow::masks() const {
  std::array<std::vector<llvm::BitVector>, 2> different;
  for (unsigned dim : {0, 1})
    for (int64_t position = 0; position < outputs[dim]; ++position)
      if (llvm::BitVector bits = inside(dim, position);
          !llvm::is_contained(different[dim], bits))
        different[dim].push_back(std::move(bits));
  std::vector<TapMask> result;
  for (const llvm::BitVector &rows : different[0])
    for (const llvm::BitVector &columns : different[1])
      result.emplace_back(rows, columns);
  return result;
}

std::array<int64_t, 2> KernelWindow::find(const TapMask &mask) const {
  // The middle first.
  auto candidates = [](int64_t count) {
    SmallVector<int64_t> positions = llvm::to_vector(llvm::seq(count));
    auto distance = [&](int64_t position) {
      return std::make_pair(std::abs(2 * position + 1 - count), position);
    };
    llvm::sort(positions,
               [&](int64_t a, int64_t b) { return distance(a) < distance(b); });
    return positions;
  };
  SmallVector<int64_t> columns = candidates(outputs[1]);
  for (int64_t row : candidates(outputs[0]))
    for (int64_t column : columns)
      if (TapMask(inside(0, row), inside(1, column)) == mask ||
          (mask == TapMask() &&
           TapMask(inside(0, row), inside(1, column)).all()))
        return {row, column};
  return {0, 0};
}
