//===- MomentsAttr.cpp - Moments of a layer's inputs ----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/MomentsAttr.h"

#include "a2q/Math/Moments.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <cmath>

using namespace mlir;
using namespace a2q;

using EmitError = function_ref<InFlightDiagnostic()>;

//===----------------------------------------------------------------------===//
// Rules of the attribute
//===----------------------------------------------------------------------===//

/// The shape of f64 elements, or nullopt. Elements are not read: a resource
/// comes after the attribute in a text file.
static std::optional<ArrayRef<int64_t>> realShape(ElementsAttr elements) {
  auto type = dyn_cast<RankedTensorType>(elements.getShapedType());
  if (!type || !type.getElementType().isF64() ||
      !isa<DenseElementsAttr, DenseResourceElementsAttr>(elements))
    return std::nullopt;
  return type.getShape();
}

LogicalResult MomentsAttr::verify(EmitError emitError, int64_t samples,
                                  ElementsAttr mean, ElementsAttr products,
                                  ElementsAttr sumMean,
                                  ElementsAttr sumVariance) {
  // C1
  if (samples < 1)
    return emitError() << "moments need at least one sample, found " << samples;
  std::optional<ArrayRef<int64_t>> shape = realShape(mean);
  if (!shape || shape->size() != 2 || llvm::is_contained(*shape, 0))
    return emitError() << "the mean of moments must be f64 elements of shape "
                          "[groups, K], found "
                       << mean.getShapedType();
  // C2
  SmallVector<int64_t, 3> diagonal(*shape), all(*shape);
  all.push_back(shape->back());
  std::optional<ArrayRef<int64_t>> found = realShape(products);
  if (!found || (*found != ArrayRef(diagonal) && *found != ArrayRef(all)))
    return emitError() << "the products of moments must be f64 elements of "
                          "shape ["
                       << all[0] << ", " << all[1] << ", " << all[1] << "] or ["
                       << all[0] << ", " << all[1] << "], found "
                       << products.getShapedType();
  // C3
  if (!sumMean != !sumVariance)
    return emitError() << "moments have sum_mean and sum_variance, or neither";
  if (!sumMean)
    return success();
  for (ElementsAttr sums : {sumMean, sumVariance}) {
    std::optional<ArrayRef<int64_t>> channels = realShape(sums);
    if (!channels || channels->size() != 1 ||
        sums.getShapedType() != sumMean.getShapedType())
      return emitError() << "sums of moments must be f64 elements of one shape "
                            "[channels], found "
                         << sums.getShapedType();
  }
  return success();
}

int64_t MomentsAttr::getNumGroups() const {
  return getMean().getShapedType().getDimSize(0);
}

int64_t MomentsAttr::getReductionLength() const {
  return getMean().getShapedType().getDimSize(1);
}

bool MomentsAttr::hasAllProducts() const {
  return getProducts().getShapedType().getRank() == 3;
}

//===----------------------------------------------------------------------===//
// To and from numbers
//===----------------------------------------------------------------------===//

bool MomentsData::hasAllProducts() const {
  return static_cast<int64_t>(products.size()) == groups * length * length;
}

std::vector<double> MomentsData::diagonal(int64_t group) const {
  int64_t stride = hasAllProducts() ? length + 1 : 1;
  int64_t block = hasAllProducts() ? length * length : length;
  std::vector<double> result;
  for (int64_t i = 0; i < length; ++i)
    result.push_back(products[group * block + i * stride]);
  return result;
}

/// More numbers than this are written as a resource, not inline.
static constexpr size_t kLargeConstant = 64;

static ElementsAttr realElements(MLIRContext *context, ArrayRef<int64_t> shape,
                                 ArrayRef<double> values, StringRef name) {
  auto type = RankedTensorType::get(shape, Float64Type::get(context));
  if (values.size() <= kLargeConstant)
    return DenseElementsAttr::get(type, values);
  return DenseResourceElementsAttr::get(
      type, name, HeapAsmResourceBlob::allocateAndCopyInferAlign(values));
}

MomentsAttr a2q::momentsAttr(MLIRContext *context, const MomentsData &data) {
  SmallVector<int64_t, 3> shape = {data.groups, data.length};
  ElementsAttr mean = realElements(context, shape, data.mean, "mean");
  if (data.hasAllProducts())
    shape.push_back(data.length);
  ElementsAttr products =
      realElements(context, shape, data.products, "products");
  ElementsAttr sumMean, sumVariance;
  if (!data.sumMean.empty()) {
    auto channels = static_cast<int64_t>(data.sumMean.size());
    sumMean = realElements(context, channels, data.sumMean, "sum_mean");
    sumVariance =
        realElements(context, channels, data.sumVariance, "sum_variance");
  }
  return MomentsAttr::get(context, data.samples, mean, products, sumMean,
                          sumVariance);
}

/// Appends f64 elements; failure when they are a resource that is absent or of
/// another size.
static LogicalResult readReals(ElementsAttr elements,
                               std::vector<double> &values) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    auto count = static_cast<uint64_t>(elements.getNumElements());
    if (!blob || blob->getData().size() % sizeof(double) ||
        blob->getData().size() / sizeof(double) != count)
      return failure();
    values.resize(count);
    memcpy(values.data(), blob->getData().data(), blob->getData().size());
    return success();
  }
  auto dense = cast<DenseElementsAttr>(elements);
  values.assign(dense.value_begin<double>(), dense.value_end<double>());
  return success();
}

FailureOr<MomentsData> a2q::readMoments(MomentsAttr attr) {
  MomentsData data;
  data.samples = attr.getSamples();
  data.groups = attr.getNumGroups();
  data.length = attr.getReductionLength();
  if (failed(readReals(attr.getMean(), data.mean)) ||
      failed(readReals(attr.getProducts(), data.products)))
    return failure();
  if (attr.getSumMean() &&
      (failed(readReals(attr.getSumMean(), data.sumMean)) ||
       failed(readReals(attr.getSumVariance(), data.sumVariance))))
    return failure();
  return data;
}

//===----------------------------------------------------------------------===//
// Rules of the op
//===----------------------------------------------------------------------===//

/// How far numbers that were summed in another order may be apart.
static constexpr double kTolerance = 1e-6;

static LogicalResult verifyProducts(Operation *op, const MomentsData &data) {
  int64_t length = data.length;
  for (int64_t group = 0; group < data.groups; ++group) {
    std::vector<double> diagonal = data.diagonal(group);
    for (int64_t i = 0; i < length; ++i) {
      double mean = data.mean[group * length + i];
      if (diagonal[i] < 0 || diagonal[i] < mean * mean * (1 - kTolerance))
        return op->emitError()
               << "moments of term " << i << " in group " << group
               << " contradict each other: the mean square is " << diagonal[i]
               << ", the mean " << mean;
    }
    std::span<const double> products(data.products);
    size_t size = products.size() / data.groups;
    if (std::string reason =
            productsRefusal(products.subspan(group * size, size), length);
        !reason.empty())
      return op->emitError()
             << "moments of group " << group << " are wrong: " << reason;
    if (!data.hasAllProducts())
      continue;
    const double *block = data.products.data() + group * length * length;
    for (int64_t i = 0; i < length; ++i)
      for (int64_t j = 0; j < i; ++j) {
        double difference = block[i * length + j] - block[j * length + i];
        if (std::abs(difference) >
            kTolerance * std::sqrt(diagonal[i]) * std::sqrt(diagonal[j]))
          return op->emitError()
                 << "moments of group " << group
                 << " are not symmetric: " << block[i * length + j]
                 << " for terms " << i << " and " << j << ", "
                 << block[j * length + i] << " the other way round";
      }
  }
  return success();
}

/// C4: whose moments these are.
static LogicalResult verifyFit(Operation *op, MomentsAttr attr) {
  auto layer = dyn_cast<AccumulatingOpInterface>(op);
  if (!layer || !layer.isAccumulating())
    return op->emitError() << "a2q.moments belong to an op that accumulates";
  if (layer.getReductionLength() != attr.getReductionLength() ||
      layer.getNumGroups() != attr.getNumGroups())
    return op->emitError() << "moments are of " << attr.getNumGroups()
                           << " groups of " << attr.getReductionLength()
                           << " terms, the op has " << layer.getNumGroups()
                           << " of " << layer.getReductionLength().value_or(-1);
  if (!attr.getSumMean())
    return success();
  int64_t sums = attr.getSumMean().getNumElements();
  if (layer.getNumChannels() == sums)
    return success();
  return op->emitError() << "moments have sums of " << sums
                         << " channels, the op has "
                         << layer.getNumChannels().value_or(-1);
}

LogicalResult a2q::verifyMomentsOf(Operation *op, Attribute attr) {
  auto moments = dyn_cast<MomentsAttr>(attr);
  if (!moments)
    return op->emitError() << "`" << A2QDialect::getMomentsAttrName()
                           << "` must be a #a2q.moments, found " << attr;
  if (failed(verifyFit(op, moments)))
    return failure();
  // C5
  FailureOr<MomentsData> data = readMoments(moments);
  if (failed(data))
    return op->emitError(
        "moments are a resource that is absent or of another size");
  for (const std::vector<double> *values :
       {&data->mean, &data->products, &data->sumMean, &data->sumVariance})
    for (double value : *values)
      if (!std::isfinite(value))
        return op->emitError() << "moments must be finite, found " << value;
  for (auto [channel, variance] : llvm::enumerate(data->sumVariance))
    if (variance < 0)
      return op->emitError() << "the sum of channel " << channel
                             << " has variance " << variance;
  return verifyProducts(op, *data);
}
