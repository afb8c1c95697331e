//===- Gather.cpp - Activations in the order of the kernel ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

Value a2q::toCodes(OpBuilder &builder, Value quantized) {
  Location loc = quantized.getLoc();
  auto type = cast<RankedTensorType>(quantized.getType());
  quant::QuantizedType element = getQuantizedType(type);
  RankedTensorType storage = type.clone(element.getStorageType());
  Value codes;
  if (auto cast = quantized.getDefiningOp<quant::StorageCastOp>();
      cast && cast.getInput().getType() == storage)
    codes = cast.getInput();
  else
    codes = quant::StorageCastOp::create(builder, loc, storage, quantized);
  if (element.getStorageTypeIntegralWidth() == codeBits(element))
    return codes;
  RankedTensorType wide = type.clone(builder.getIntegerType(codeBits(element)));
  if (element.isSigned())
    return arith::ExtSIOp::create(builder, loc, wide, codes);
  return arith::ExtUIOp::create(builder, loc, wide, codes);
}

Value a2q::fromCodes(OpBuilder &builder, Value codes, Type quantized) {
  Location loc = codes.getLoc();
  auto type = cast<RankedTensorType>(quantized);
  Type storage = getQuantizedType(quantized).getStorageType();
  if (getElementTypeOrSelf(codes) != storage)
    codes = arith::TruncIOp::create(builder, loc, type.clone(storage), codes);
  return quant::StorageCastOp::create(builder, loc, quantized, codes);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// An integer constant of a code's type.
static Value codeConstant(OpBuilder &builder, Location loc, Type type,
                          int64_t code) {
  unsigned bits = type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      builder, loc,
      builder.getIntegerAttr(
          type, APInt(bits, code, /*isSigned=*/true, /*implicitTrunc=*/true)));
}

/// [..., K] to [..., K + padding]; the new places hold 0.
static Value padLast(OpBuilder &builder, Location loc, Value tensor,
                     int64_t padding) {
  if (padding == 0)
    return tensor;
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() += padding;
  SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> high(type.getRank(), builder.getIndexAttr(0));
  high.back() = builder.getIndexAttr(padding);
  Value zero = codeConstant(builder, loc, type.getElementType(), 0);
  return tensor::PadOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), tensor,
      low, high, zero);
}

/// [positions, groups * K] to [positions, groups, K].
static Value splitGroups(OpBuilder &builder, Location loc, Value tensor,
                         int64_t groups) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape = {type.getDimSize(0), groups,
                                type.getDimSize(1) / groups};
  SmallVector<OpFoldResult> sizes = {
      tensor::getMixedSize(builder, loc, tensor, 0),
      builder.getIndexAttr(shape[1]), builder.getIndexAttr(shape[2])};
  return tensor::ExpandShapeOp::create(
      builder, loc, type.clone(shape), tensor,
      SmallVector<ReassociationIndices>{{0}, {1, 2}}, sizes);
}

/// Merges all dimensions of a tensor but its last `keep`.
static Value mergeLeading(OpBuilder &builder, Location loc, Value tensor,
                          int64_t keep) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  if (rank == keep + 1)
    return tensor;
  SmallVector<ReassociationIndices> map(1);
  for (int64_t d = 0; d < rank; ++d) {
    if (d < rank - keep)
      map[0].push_back(d);
    else
      map.push_back({d});
  }
  return tensor::CollapseShapeOp::create(builder, loc, tensor, map);
}

//===----------------------------------------------------------------------===//
// Gathers
//===----------------------------------------------------------------------===//

/// Whether the places of K' are the terms in default order, padding last.
static bool isDefaultOrder(const Plan &plan, int64_t length) {
  for (int64_t p = 0; p < length; ++p)
    if (plan.terms[p] != p)
      return false;
  return true;
}

/// The body of a gather: one copied element.
static void yieldFirst(OpBuilder &builder, Location loc, ValueRange args) {
  linalg::YieldOp::create(builder, loc, args[0]);
}

/// The image with the zero-point code around it.
static Value padImage(OpBuilder &builder, Conv2DOp op, Value image) {
  ArrayRef<int64_t> padding = op.getPadding();
  if (llvm::all_of(padding, [](int64_t size) { return size == 0; }))
    return image;
  auto type = cast<RankedTensorType>(image.getType());
  auto attr = [&](int64_t size) { return builder.getIndexAttr(size); };
  SmallVector<OpFoldResult> low = {attr(0), attr(padding[0]), attr(padding[1]),
                                   attr(0)};
  SmallVector<OpFoldResult> high = {attr(0), attr(padding[2]), attr(padding[3]),
                                    attr(0)};
  SmallVector<int64_t> shape(type.getShape());
  shape[1] += padding[0] + padding[2];
  shape[2] += padding[1] + padding[3];
  Value code = codeConstant(builder, op.getLoc(), type.getElementType(),
                            *op.getPaddingCode());
  return tensor::PadOp::create(builder, op.getLoc(), type.clone(shape), image,
                               low, high, code);
}

/// Reads term by term through affine maps: [n, oh, ow, g, kh, kw, i].
static Value gatherImage(OpBuilder &builder, Conv2DOp op, Value image) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(image.getType());
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(op.getFilter().getType()).getShape();
  ArrayRef<int64_t> result = cast<RankedTensorType>(op.getType()).getShape();
  int64_t groups = op.getGroups();
  SmallVector<OpFoldResult> sizes = {
      tensor::getMixedSize(builder, loc, image, 0)};
  for (int64_t size :
       {result[1], result[2], groups, filter[1], filter[2], filter[3]})
    sizes.push_back(builder.getIndexAttr(size));
  Value empty =
      tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
  MLIRContext *context = builder.getContext();
  SmallVector<AffineExpr> d;
  for (unsigned i = 0; i < 7; ++i)
    d.push_back(getAffineDimExpr(i, context));
  ArrayRef<int64_t> stride = op.getStrides(), dilation = op.getDilations();
  AffineMap read = AffineMap::get(7, 0,
                                  {d[0], d[1] * stride[0] + d[4] * dilation[0],
                                   d[2] * stride[1] + d[5] * dilation[1],
                                   d[3] * filter[3] + d[6]},
                                  context);
  SmallVector<utils::IteratorType> loops(7, utils::IteratorType::parallel);
  Value gathered =
      linalg::GenericOp::create(builder, loc, empty.getType(), image, empty,
                                {read, builder.getMultiDimIdentityMap(7)},
                                loops, yieldFirst)
          .getResult(0);
  return tensor::CollapseShapeOp::create(
      builder, loc, gathered,
      SmallVector<ReassociationIndices>{{0, 1, 2}, {3}, {4, 5, 6}});
}

namespace {
/// Where the terms of a position lie in the rows of an image that is seen as
/// [outer, elements]: at origin + table[p].
struct Table {
  Value rows;                  ///< [outer, elements]
  SmallVector<int64_t> shape;  ///< positions in one row: [oh, ow, groups]
  SmallVector<int64_t> pitch;  ///< of an index along each of them
  SmallVector<int64_t> offset; ///< of each default-order term
};
} // namespace

/// Reads through a constant table of offsets: [outer, shape..., K'].
static Value gatherByTable(OpBuilder &builder, Location loc, const Table &table,
                           const Plan &plan) {
  int64_t places = plan.terms.size();
  SmallVector<int64_t> offsets;
  for (int64_t term : plan.terms)
    offsets.push_back(table.offset[std::max<int64_t>(term, 0)]);
  auto offsetType = RankedTensorType::get({places}, builder.getI64Type());
  Value constants = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(offsetType, ArrayRef<int64_t>(offsets)));
  Type element = getElementTypeOrSelf(table.rows);
  SmallVector<OpFoldResult> sizes = {
      tensor::getMixedSize(builder, loc, table.rows, 0)};
  for (int64_t size : table.shape)
    sizes.push_back(builder.getIndexAttr(size));
  sizes.push_back(builder.getIndexAttr(places));
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);
  unsigned rank = sizes.size();
  AffineMap read = AffineMap::get(rank, 0, {builder.getAffineDimExpr(rank - 1)},
                                  builder.getContext());
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
    for (auto [dim, pitch] : llvm::enumerate(table.pitch)) {
      Value scale = arith::ConstantIndexOp::create(b, loc, pitch);
      Value step = arith::MulIOp::create(
          b, loc, linalg::IndexOp::create(b, loc, dim + 1), scale);
      index = arith::AddIOp::create(b, loc, index, step);
    }
    Value row = linalg::IndexOp::create(b, loc, 0);
    Value code =
        tensor::ExtractOp::create(b, loc, table.rows, ValueRange{row, index});
    linalg::YieldOp::create(b, loc, code);
  };
  return linalg::GenericOp::create(
             builder, loc, empty.getType(), constants, empty,
             {read, builder.getMultiDimIdentityMap(rank)}, loops, body)
      .getResult(0);
}

static Value gatherConv(OpBuilder &builder, Conv2DOp op, const Layer &layer,
                        const Plan &plan) {
  Location loc = op.getLoc();
  Value image = padImage(builder, op, toCodes(builder, op.getInput()));
  ArrayRef<int64_t> filter =
      cast<RankedTensorType>(op.getFilter().getType()).getShape();
  ArrayRef<int64_t> shape = cast<RankedTensorType>(image.getType()).getShape();
  auto isOne = [](int64_t size) { return size == 1; };
  int64_t padding = plan.terms.size() - layer.length;
  if (isDefaultOrder(plan, layer.length)) {
    bool pointwise = filter[1] == 1 && filter[2] == 1 &&
                     llvm::all_of(op.getStrides(), isOne);
    Value gathered =
        pointwise
            ? splitGroups(builder, loc, mergeLeading(builder, loc, image, 1),
                          layer.groups)
            : gatherImage(builder, op, image);
    return padLast(builder, loc, gathered, padding);
  }
  Table table;
  int64_t width = shape[2] * shape[3];
  table.shape = {cast<RankedTensorType>(op.getType()).getDimSize(1),
                 cast<RankedTensorType>(op.getType()).getDimSize(2),
                 layer.groups};
  table.pitch = {op.getStrides()[0] * width, op.getStrides()[1] * shape[3],
                 filter[3]};
  for (int64_t kh = 0; kh < filter[1]; ++kh)
    for (int64_t kw = 0; kw < filter[2]; ++kw)
      for (int64_t i = 0; i < filter[3]; ++i)
        table.offset.push_back(kh * op.getDilations()[0] * width +
                               kw * op.getDilations()[1] * shape[3] + i);
  table.rows = tensor::CollapseShapeOp::create(
      builder, loc, image, SmallVector<ReassociationIndices>{{0}, {1, 2, 3}});
  return mergeLeading(builder, loc, gatherByTable(builder, loc, table, plan),
                      2);
}

static Value gatherMatmul(OpBuilder &builder, MatmulOp op, const Layer &layer,
                          const Plan &plan) {
  Location loc = op.getLoc();
  Value codes = toCodes(builder, op.getLhs());
  ArrayRef<int64_t> shape = cast<RankedTensorType>(codes.getType()).getShape();
  int64_t rows = shape[shape.size() - 2];
  Value flat = mergeLeading(builder, loc, codes, 1);
  if (!isDefaultOrder(plan, layer.length)) {
    Table table;
    for (int64_t k = 0; k < layer.length; ++k)
      table.offset.push_back(k);
    table.rows = flat;
    flat = gatherByTable(builder, loc, table, plan);
  } else {
    flat = padLast(builder, loc, flat, plan.terms.size() - layer.length);
  }
  if (!layer.batched)
    return splitGroups(builder, loc, flat, 1);
  // [batch * rows, K'] to [batch, rows, K'].
  auto type = cast<RankedTensorType>(flat.getType());
  Value batches = arith::DivUIOp::create(
      builder, loc, tensor::DimOp::create(builder, loc, flat, 0),
      arith::ConstantIndexOp::create(builder, loc, rows));
  int64_t batch =
      type.isDynamicDim(0) ? ShapedType::kDynamic : type.getDimSize(0) / rows;
  SmallVector<OpFoldResult> sizes = {
      batch == ShapedType::kDynamic ? OpFoldResult(batches)
                                    : builder.getIndexAttr(batch),
      builder.getIndexAttr(rows), builder.getIndexAttr(type.getDimSize(1))};
  return tensor::ExpandShapeOp::create(
      builder, loc, type.clone({batch, rows, type.getDimSize(1)}), flat,
      SmallVector<ReassociationIndices>{{0, 1}, {2}}, sizes);
}

//===----------------------------------------------------------------------===//
// In place
//===----------------------------------------------------------------------===//

namespace {
/// How an image lies in memory, padding included, and how a filter walks it.
struct Image {
  Image(Conv2DOp op, std::optional<int64_t> bytes = std::nullopt)
      : op(op),
        filter(cast<RankedTensorType>(op.getFilter().getType()).getShape()),
        result(cast<RankedTensorType>(op.getType()).getShape()) {
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(op.getInput().getType()).getShape();
    ArrayRef<int64_t> padding = op.getPadding();
    pixel = bytes.value_or(shape[3]);
    row = (shape[2] + padding[1] + padding[3]) * pixel;
    image = (shape[1] + padding[0] + padding[2]) * row;
  }

  /// Whether position p begins at p * pixel.
  bool isLinear() const {
    return result[2] * pixel == row && result[1] * row == image &&
           op.getStrides()[0] == 1 && op.getStrides()[1] == 1;
  }

  mutable Conv2DOp op;
  ArrayRef<int64_t> filter, result;
  int64_t pixel, row, image; ///< elements from one to the next
};
} // namespace

SmallVector<Run> a2q::runsOfTerms(const Layer &layer) {
  auto op = dyn_cast<Conv2DOp>(layer.op.getOperation());
  if (!op)
    return {{0, 0, layer.length}};
  Image image(op);
  int64_t inner = image.filter[3];
  SmallVector<Run> runs;
  for (int64_t kh = 0; kh < image.filter[1]; ++kh)
    for (int64_t kw = 0; kw < image.filter[2]; ++kw) {
      Run run = {(kh * image.filter[2] + kw) * inner,
                 kh * op.getDilations()[0] * image.row +
                     kw * op.getDilations()[1] * image.pixel,
                 inner};
      if (!runs.empty() &&
          runs.back().offset + runs.back().length == run.offset)
        runs.back().length += inner;
      else
        runs.push_back(run);
    }
  return runs;
}

std::optional<int64_t> a2q::countPositions(const Layer &layer) {
  auto result = cast<RankedTensorType>(layer.op->getResult(0).getType());
  ArrayRef<int64_t> shape = result.getShape().drop_back();
  if (layer.batched)
    shape = shape.take_back();
  int64_t count = 1;
  for (int64_t size : shape) {
    if (ShapedType::isDynamic(size))
      return std::nullopt;
    count *= size;
  }
  return count;
}

/// The first element of the window of a position in the padded image.
static Value originInImage(OpBuilder &b, Location loc, const Image &image,
                           Value position, Value group) {
  auto number = [&](int64_t v) -> Value {
    return arith::ConstantIndexOp::create(b, loc, v);
  };
  auto times = [&](Value v, int64_t factor) -> Value {
    return arith::MulIOp::create(b, loc, v, number(factor));
  };
  auto plus = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, loc, x, y);
  };
  Value inGroup = times(group, image.filter[3]);
  if (image.isLinear())
    return plus(times(position, image.pixel), inGroup);
  Value width = number(image.result[2]), height = number(image.result[1]);
  Value x = arith::RemUIOp::create(b, loc, position, width);
  Value y = arith::DivUIOp::create(b, loc, position, width);
  Value origin =
      plus(times(x, image.op.getStrides()[1] * image.pixel), inGroup);
  if (cast<RankedTensorType>(image.op.getInput().getType()).getDimSize(0) !=
      1) {
    Value n = arith::DivUIOp::create(b, loc, y, height);
    y = arith::RemUIOp::create(b, loc, y, height);
    origin = plus(origin, times(n, image.image));
  }
  return plus(origin, times(y, image.op.getStrides()[0] * image.row));
}

/// Collapses a tensor to its elements.
static Value flatten(OpBuilder &builder, Location loc, Value tensor) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  if (rank == 1)
    return tensor;
  return tensor::CollapseShapeOp::create(
      builder, loc, tensor,
      SmallVector<ReassociationIndices>{
          llvm::to_vector(llvm::seq<int64_t>(0, rank))});
}

/// The number of elements of dimensions [first, last) together.
static OpFoldResult countOf(OpBuilder &builder, Location loc, Value tensor,
                            int64_t first, int64_t last) {
  int64_t known = 1;
  Value count;
  for (int64_t d = first; d < last; ++d) {
    OpFoldResult size = tensor::getMixedSize(builder, loc, tensor, d);
    if (std::optional<int64_t> constant = getConstantIntValue(size)) {
      known *= *constant;
      continue;
    }
    auto value = cast<Value>(size);
    count = count ? arith::MulIOp::create(builder, loc, count, value) : value;
  }
  if (!count)
    return builder.getIndexAttr(known);
  return arith::MulIOp::create(
             builder, loc, count,
             arith::ConstantIndexOp::create(builder, loc, known))
      .getResult();
}

/// The codes as the kernel reads them where they lie, [elements]; or tables of
/// theirs.
static Value readAll(OpBuilder &builder, Location loc, Value codes,
                     const Plan &plan) {
  if (!plan.lookUps)
    return flatten(builder, loc, codes);
  int64_t width = plan.lookUps->width;
  codes = padLast(builder, loc, codes, plan.lookUps->paddedWidth() - width);
  return emitTables(builder, loc, flatten(builder, loc, codes), plan);
}

static Activations readImage(OpBuilder &builder, Conv2DOp op,
                             const Layer &layer, const Plan &plan) {
  Location loc = op.getLoc();
  Value padded = padImage(builder, op, toCodes(builder, op.getInput()));
  Image image = plan.lookUps ? Image(op, plan.lookUps->pixel) : Image(op);
  Activations result;
  result.codes = readAll(builder, loc, padded, plan);
  OpFoldResult batch = tensor::getMixedSize(builder, loc, padded, 0);
  int64_t perImage = image.result[1] * image.result[2];
  if (std::optional<int64_t> known = getConstantIntValue(batch))
    result.positions = builder.getIndexAttr(*known * perImage);
  else
    result.positions = arith::MulIOp::create(builder, loc, cast<Value>(batch),
                                             arith::ConstantIndexOp::create(
                                                 builder, loc, perImage))
                           .getResult();
  result.outer = builder.getIndexAttr(layer.groups);
  result.origin = [&builder, loc, image](Value position, Value group) {
    return originInImage(builder, loc, image, position, group);
  };
  return result;
}

static Activations readMatrix(OpBuilder &builder, MatmulOp op,
                              const Layer &layer, const Plan &plan) {
  Location loc = op.getLoc();
  Value codes = toCodes(builder, op.getLhs());
  auto type = cast<RankedTensorType>(codes.getType());
  int64_t rank = type.getRank(), rows = type.getDimSize(rank - 2);
  Activations result;
  result.codes = readAll(builder, loc, codes, plan);
  int64_t outer = layer.batched ? rank - 2 : 0;
  result.positions = countOf(builder, loc, codes, outer, rank - 1);
  result.outer = countOf(builder, loc, codes, 0, outer);
  int64_t length = plan.lookUps ? plan.lookUps->pixel : layer.length;
  bool batched = layer.batched;
  result.origin = [=, &builder](Value position, Value batch) -> Value {
    auto times = [&](Value v, int64_t factor) -> Value {
      return arith::MulIOp::create(
          builder, loc, v,
          arith::ConstantIndexOp::create(builder, loc, factor));
    };
    Value origin = times(position, length);
    if (!batched)
      return origin;
    return arith::AddIOp::create(builder, loc, origin,
                                 times(batch, rows * length));
  };
  return result;
}

Activations a2q::gatherActivations(OpBuilder &builder, const Layer &layer,
                                   const Plan &plan) {
  Operation *op = layer.op;
  Location loc = op->getLoc();
  auto conv = dyn_cast<Conv2DOp>(op);
  if (!plan.offsets.empty())
    return conv ? readImage(builder, conv, layer, plan)
                : readMatrix(builder, cast<MatmulOp>(op), layer, plan);
  Activations result;
  result.codes = conv ? gatherConv(builder, conv, layer, plan)
                      : gatherMatmul(builder, cast<MatmulOp>(op), layer, plan);
  result.positions =
      tensor::getMixedSize(builder, loc, result.codes, layer.batched ? 1 : 0);
  result.outer =
      tensor::getMixedSize(builder, loc, result.codes, layer.batched ? 0 : 1);
  return result;
}
