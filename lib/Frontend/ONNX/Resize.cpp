//===- Resize.cpp - Images of another size --------------------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every mode is separable: along one axis, each result is a weighted sum of a
// few elements of the input, its taps. Which elements and which weights depends
// on the sizes only, so both are tables in the program. One tap of weight 1
// moves elements, codes as codes.
//
// The tables are computed in float32 and in ONNX Runtime's order: where a
// coordinate lies near the middle of two elements, another order takes the
// other one.
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

/// `count` places and weights for each result.
struct Importer::Taps {
  int64_t count = 1;
  SmallVector<int64_t> places;
  SmallVector<float> weights;
  /// Results that lie beyond the input's ends, where that matters.
  SmallVector<bool> isOutside;
};

namespace {
enum class Coordinates {
  HalfPixel,
  HalfPixelSymmetric,
  PytorchHalfPixel,
  TensorFlowHalfPixel,
  AlignCorners,
  Asymmetric,
  Crop
};
enum class Nearest { PreferFloor, PreferCeil, Floor, Ceil };
enum class Interpolation { Nearest, Linear, Cubic };

/// What a Resize node says of all its axes.
struct ResizeMode {
  Interpolation interpolation = Interpolation::Nearest;
  Coordinates coordinates = Coordinates::HalfPixel;
  Nearest nearest = Nearest::PreferFloor;
  bool smooths = false;  ///< the kernel spans what one result covers
  bool excludes = false; ///< taps beyond the ends have no weight
  float coefficient = -0.75f;
  float outside = 0;
};
} // namespace

//===----------------------------------------------------------------------===//
// Coordinates and weights
//===----------------------------------------------------------------------===//

/// Where the result `index` lies in the input, in units of its elements.
static float coordinateOf(Coordinates mode, const Resampling &axis,
                          int64_t index) {
  auto x = static_cast<float>(index), to = static_cast<float>(axis.to),
       from = static_cast<float>(axis.from);
  switch (mode) {
  case Coordinates::HalfPixel:
    return (x + 0.5f) / axis.scale - 0.5f;
  case Coordinates::PytorchHalfPixel:
    return axis.to > 1 ? (x + 0.5f) / axis.scale - 0.5f : 0.0f;
  case Coordinates::TensorFlowHalfPixel:
    return (x + 0.5f) / axis.scale;
  case Coordinates::AlignCorners:
    return axis.to == 1 ? 0.0f : x * (from - 1) / (to - 1);
  case Coordinates::Asymmetric:
    return x / axis.scale;
  case Coordinates::HalfPixelSymmetric: {
    // Sizes are whole: the exact size is centred in the one that is there.
    float adjustment = to / (axis.scale * from);
    float offset = from / 2 * (1 - adjustment);
    return static_cast<float>(offset + (x + 0.5) / axis.scale - 0.5);
  }
  case Coordinates::Crop:
    if (axis.to == 1)
      return static_cast<float>(0.5 * (axis.begin + axis.end) * (from - 1));
    return axis.begin * (from - 1) +
           (x * (axis.end - axis.begin) * (from - 1)) / (to - 1);
  }
  llvm_unreachable("coordinates");
}

static int64_t nearestPlace(Nearest mode, float x) {
  switch (mode) {
  case Nearest::Floor:
    return static_cast<int64_t>(std::floor(x));
  case Nearest::Ceil:
    return static_cast<int64_t>(std::ceil(x));
  case Nearest::PreferFloor:
    if (x == static_cast<float>(static_cast<int64_t>(x)) + 0.5f)
      return static_cast<int64_t>(std::floor(x));
    [[fallthrough]];
  case Nearest::PreferCeil:
    return static_cast<int64_t>(std::round(x));
  }
  llvm_unreachable("a mode");
}

/// Keys' kernel, at a distance of less than 2.
static float cubicWeight(float distance, float a) {
  float x = std::fabs(distance);
  if (x < 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static float kernelWeight(const ResizeMode &mode, float distance) {
  if (mode.interpolation == Interpolation::Cubic)
    return cubicWeight(distance, mode.coefficient);
  return std::max(0.0f, 1 - std::fabs(distance));
}

/// Elements around `x` with the weights of a kernel that is `width` times as
/// wide as the elements are apart; what lies beyond the ends counts for the
/// last element there, or not at all.
static void addKernel(const ResizeMode &mode, int64_t size, float x,
                      float width, Importer::Taps &taps) {
  float reach = (mode.interpolation == Interpolation::Cubic ? 2 : 1) * width;
  auto first = static_cast<int64_t>(std::floor(x - reach + 1));
  if (!mode.smooths)
    first = static_cast<int64_t>(std::floor(x)) -
            (mode.interpolation == Interpolation::Cubic);
  float sum = 0;
  size_t begin = taps.weights.size();
  for (int64_t place = first; place < first + taps.count; ++place) {
    float weight = kernelWeight(mode, (static_cast<float>(place) - x) / width);
    if (mode.excludes && (place < 0 || place >= size))
      weight = 0;
    taps.places.push_back(std::clamp<int64_t>(place, 0, size - 1));
    taps.weights.push_back(weight);
    sum += weight;
  }
  bool divides = mode.smooths || mode.excludes;
  for (float &weight : MutableArrayRef(taps.weights).drop_front(begin))
    weight = divides && sum != 0 ? weight / sum : weight;
}

/// An error where the tables would be far larger than any image.
static FailureOr<Importer::Taps>
tapsOf(const Node &node, const ResizeMode &mode, const Resampling &axis) {
  constexpr int64_t kMostTaps = int64_t(1) << 22;
  Importer::Taps taps;
  bool isNearest = mode.interpolation == Interpolation::Nearest;
  float width = mode.smooths ? std::max(1.0f, 1 / axis.scale) : 1;
  if (!isNearest) {
    int64_t reach = mode.interpolation == Interpolation::Cubic ? 2 : 1;
    taps.count = 2 * reach;
    if (mode.smooths)
      taps.count =
          2 * static_cast<int64_t>(std::ceil(static_cast<float>(reach) *
                                             std::min(width, 0x1p24f))) +
          1;
  }
  if (taps.count * axis.to > kMostTaps) {
    node.emitError() << "computes " << axis.to << " elements of " << taps.count
                     << " each along one axis, supported are products to 2^22";
    return failure();
  }
  for (int64_t index = 0; index < axis.to; ++index) {
    float x = axis.scale == 1 ? static_cast<float>(index)
                              : coordinateOf(mode.coordinates, axis, index);
    auto last = static_cast<float>(axis.from - 1);
    bool isOutside =
        mode.coordinates == Coordinates::Crop && (x < 0 || x > last);
    taps.isOutside.push_back(isOutside);
    if (isNearest) {
      taps.places.push_back(
          std::clamp<int64_t>(nearestPlace(mode.nearest, x), 0, axis.from - 1));
    } else {
      bool ends = mode.interpolation == Interpolation::Linear && !mode.smooths;
      x = ends ? std::clamp(x, 0.0f, last) : x;
      addKernel(mode, axis.from, x, width, taps);
    }
  }
  return taps;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// The value of a string attribute among those that are known.
template <typename T>
static FailureOr<T> oneOf(const Node &node, StringRef attribute,
                          StringRef otherwise,
                          ArrayRef<std::pair<StringLiteral, T>> known) {
  StringRef text = node.string(attribute, otherwise);
  for (auto [name, value] : known)
    if (text == name)
      return value;
  InFlightDiagnostic diagnostic = node.emitError() << attribute << " '" << text
                                                   << "' is not known; known ";
  diagnostic << "are ";
  llvm::interleaveComma(known, diagnostic,
                        [&](const auto &one) { diagnostic << one.first; });
  return failure();
}

static FailureOr<ResizeMode> resizeMode(const Node &node) {
  auto interpolation =
      oneOf<Interpolation>(node, "mode", "nearest",
                           {{"nearest", Interpolation::Nearest},
                            {"linear", Interpolation::Linear},
                            {"cubic", Interpolation::Cubic}});
  auto coordinates = oneOf<Coordinates>(
      node, "coordinate_transformation_mode", "half_pixel",
      {{"half_pixel", Coordinates::HalfPixel},
       {"half_pixel_symmetric", Coordinates::HalfPixelSymmetric},
       {"pytorch_half_pixel", Coordinates::PytorchHalfPixel},
       {"tf_half_pixel_for_nn", Coordinates::TensorFlowHalfPixel},
       {"align_corners", Coordinates::AlignCorners},
       {"asymmetric", Coordinates::Asymmetric},
       {"tf_crop_and_resize", Coordinates::Crop}});
  if (failed(interpolation) || failed(coordinates))
    return failure();
  auto nearest = oneOf<Nearest>(node, "nearest_mode", "round_prefer_floor",
                                {{"round_prefer_floor", Nearest::PreferFloor},
                                 {"round_prefer_ceil", Nearest::PreferCeil},
                                 {"floor", Nearest::Floor},
                                 {"ceil", Nearest::Ceil}});
  if (failed(nearest))
    return failure();
  ResizeMode mode{*interpolation,
                  *coordinates,
                  *nearest,
                  node.integer("antialias", 0) != 0,
                  node.integer("exclude_outside", 0) != 0,
                  node.real("cubic_coeff_a", -0.75f),
                  node.real("extrapolation_value", 0)};
  bool isNearest = mode.interpolation == Interpolation::Nearest;
  if (isNearest && mode.smooths) {
    node.emitError() << "antialias needs mode linear or cubic";
    return failure();
  }
  if (mode.excludes && mode.interpolation != Interpolation::Cubic &&
      !mode.smooths) {
    node.emitError() << "exclude_outside needs mode cubic or antialias";
    return failure();
  }
  return mode;
}

/// A constant vector with an element for each axis that is named; nothing when
/// the input is absent or empty.
FailureOr<std::shared_ptr<const Tensor>> Importer::resizeInput(const Node &node,
                                                               unsigned index,
                                                               StringRef what,
                                                               size_t length) {
  if (!node.hasInput(index))
    return std::shared_ptr<const Tensor>();
  auto found = constantInput(node, index, what);
  if (failed(found))
    return failure();
  const Tensor &tensor = **found;
  if (tensor.size() == 0)
    return std::shared_ptr<const Tensor>();
  bool isRight =
      what == "sizes" ? tensor.type == ElementType::Int64 : tensor.isFloat();
  if (!isRight || tensor.shape.size() != 1 ||
      tensor.size() != static_cast<int64_t>(length)) {
    node.emitInputError(index)
        << "has type " << toString(tensor.type) << " and shape "
        << shapeText(tensor.shape) << ", expected " << length << " "
        << (what == "sizes" ? "INT64" : "FLOAT") << " elements: the " << what;
    return failure();
  }
  return *found;
}

/// Sizes of one aspect ratio: the least or the greatest of the scales.
static LogicalResult keepAspectRatio(const Node &node, ArrayRef<int64_t> axes,
                                     SmallVectorImpl<Resampling> &resamplings) {
  StringRef policy = node.string("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch")
    return success();
  if (policy != "not_larger" && policy != "not_smaller")
    return node.emitError()
           << "keep_aspect_ratio_policy '" << policy
           << "' is not known; known are stretch, not_larger and not_smaller";
  float scale = resamplings[axes.front()].scale;
  for (int64_t axis : axes)
    scale = policy == "not_larger" ? std::min(scale, resamplings[axis].scale)
                                   : std::max(scale, resamplings[axis].scale);
  for (int64_t axis : axes) {
    resamplings[axis].scale = scale;
    resamplings[axis].to = static_cast<int64_t>(
        std::round(scale * static_cast<float>(resamplings[axis].from)));
  }
  return success();
}

/// x, roi, scales, sizes.
FailureOr<SmallVector<Resampling>>
Importer::resamplings(const Node &node, ArrayRef<int64_t> shape) {
  constexpr float kMost = 0x1p31f;
  auto rank = static_cast<int64_t>(shape.size());
  SmallVector<Resampling> result;
  for (int64_t size : shape)
    result.push_back({size, size});
  FailureOr<SmallVector<int64_t>> axes = axesInput(node, rank, 4);
  if (failed(axes))
    return failure();
  if (axes->empty())
    *axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  size_t count = axes->size();
  bool crops =
      node.string("coordinate_transformation_mode", "") == "tf_crop_and_resize";
  std::shared_ptr<const Tensor> roi;
  if (crops) {
    auto found = resizeInput(node, 1, "roi", 2 * count);
    if (failed(found))
      return failure();
    roi = *found;
  }
  auto scales = resizeInput(node, 2, "scales", count);
  auto sizes = resizeInput(node, 3, "sizes", count);
  if (failed(scales) || failed(sizes))
    return failure();
  if ((*scales != nullptr) == (*sizes != nullptr) || (crops && !roi)) {
    node.emitError() << "has " << (*scales ? "" : "no ") << "scales and "
                     << (*sizes ? "" : "no ") << "sizes, expected either"
                     << (crops ? ", and a roi" : "");
    return failure();
  }
  for (auto [at, dim] : llvm::enumerate(*axes)) {
    Resampling &axis = result[dim];
    float size = 0;
    if (*scales) {
      axis.scale = (*scales)->floats[at];
      size = axis.scale * static_cast<float>(axis.from);
      axis.to = size >= 1 && size <= kMost ? static_cast<int64_t>(size) : 0;
    } else {
      axis.to = (*sizes)->ints[at];
      if (axis.to < 1 || axis.to > INT32_MAX) {
        node.emitInputError(3)
            << "asks for size " << axis.to << " in dimension " << dim
            << ", sizes are 1 to " << INT32_MAX;
        return failure();
      }
      axis.scale = static_cast<float>(axis.to) / static_cast<float>(axis.from);
    }
    if (roi) {
      axis.begin = roi->floats[at];
      axis.end = roi->floats[count + at];
    }
    if (!std::isnormal(axis.scale) || axis.scale < 0 ||
        !(std::fabs(axis.begin) < 0x1p20f) ||
        !(std::fabs(axis.end) < 0x1p20f)) {
      node.emitError() << "scales dimension " << dim << " by " << axis.scale
                       << (roi ? ", or its roi is out of bounds" : "")
                       << ", scales are positive, normal and finite";
      return failure();
    }
    if (size > kMost) {
      node.emitError() << "scales dimension " << dim << " of size " << axis.from
                       << " by " << axis.scale << ", the result is at most "
                       << static_cast<int64_t>(kMost) << " elements long";
      return failure();
    }
  }
  if (*sizes && failed(keepAspectRatio(node, *axes, result)))
    return failure();
  return result;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// Whether each element of `from` is repeated equally often.
static bool repeats(const Importer::Taps &taps, int64_t from) {
  auto to = static_cast<int64_t>(taps.places.size());
  if (to % from != 0)
    return false;
  for (auto [at, place] : llvm::enumerate(taps.places))
    if (place != static_cast<int64_t>(at) / (to / from))
      return false;
  return !llvm::is_contained(taps.isOutside, true);
}

/// All axes at once, one element for each result: `value` is read at places
/// that are computed where elements are repeated, and else come from a table,
/// which says -1 for what lies outside.
Value Importer::takenNearest(Value value, ArrayRef<int64_t> shape,
                             ArrayRef<Taps> taps, Value outside) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<Value> tables(shape.size());
  bool hasOutside = false;
  for (auto [dim, axis] : llvm::enumerate(taps)) {
    if (repeats(axis, type.getDimSize(dim)))
      continue;
    SmallVector<int64_t> places = axis.places;
    for (auto [place, isOutside] : llvm::zip(places, axis.isOutside))
      place = isOutside ? -1 : place;
    hasOutside |= llvm::is_contained(axis.isOutside, true);
    tables[dim] = constantTensor({shape[dim]}, places, 32);
  }
  return indexed(
      shape, type.getElementType(),
      [&](ImplicitLocOpBuilder &inner, ValueRange at) -> Value {
        auto constant = [&](int64_t number) -> Value {
          return arith::ConstantIndexOp::create(inner, number);
        };
        SmallVector<Value> places;
        Value isOutside;
        for (auto [dim, index] : llvm::enumerate(at)) {
          Value place = index;
          int64_t times = shape[dim] / type.getDimSize(dim);
          if (tables[dim])
            place = arith::IndexCastOp::create(
                inner, inner.getIndexType(),
                tensor::ExtractOp::create(inner, tables[dim], index));
          else if (times > 1)
            place = arith::DivUIOp::create(inner, index, constant(times));
          if (tables[dim] && hasOutside) {
            Value is = arith::CmpIOp::create(inner, arith::CmpIPredicate::slt,
                                             place, constant(0));
            isOutside =
                isOutside ? arith::OrIOp::create(inner, isOutside, is) : is;
            place = arith::MaxSIOp::create(inner, place, constant(0));
          }
          places.push_back(place);
        }
        Value element = tensor::ExtractOp::create(inner, value, places);
        if (!isOutside)
          return element;
        return arith::SelectOp::create(inner, isOutside, outside, element);
      });
}

/// Along one axis, as products with the weights of its taps.
Value Importer::interpolated(Value value, int64_t dim, const Taps &taps,
                             float outside) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t rank = type.getRank();
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = taps.isOutside.size();
  SmallVector<int64_t> table = {shape[dim], taps.count};
  SmallVector<float> weights = taps.weights, starts;
  for (auto [at, isOutside] : llvm::enumerate(taps.isOutside)) {
    starts.push_back(isOutside ? outside : 0.0f);
    if (isOutside)
      std::fill_n(weights.begin() + at * taps.count, taps.count, 0.0f);
  }
  Value where = constantTensor(table, taps.places, 32);
  Value weight = constantTensor(table, weights);
  Value start = constantTensor({shape[dim]}, starts);
  MLIRContext *context = b.getContext();
  Value init =
      elementwise({start}, {AffineMap::get(rank, 0, b.getAffineDimExpr(dim))},
                  shape, b.getF32Type(),
                  [](ImplicitLocOpBuilder &, ValueRange in) { return in[0]; });
  AffineMap entry = AffineMap::get(
      rank + 1, 0, {b.getAffineDimExpr(dim), b.getAffineDimExpr(rank)},
      context);
  SmallVector<AffineExpr> elements;
  for (int64_t i = 0; i < rank; ++i)
    elements.push_back(b.getAffineDimExpr(i));
  AffineMap element = AffineMap::get(rank + 1, 0, elements, context);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{where, weight},
             ValueRange{init}, ArrayRef<AffineMap>{entry, entry, element},
             iterators,
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               ImplicitLocOpBuilder inner(loc, builder);
               SmallVector<Value> at;
               for (int64_t i = 0; i < rank; ++i)
                 at.push_back(i == dim
                                  ? Value(arith::IndexCastOp::create(
                                        inner, inner.getIndexType(), in[0]))
                                  : Value(linalg::IndexOp::create(inner, i)));
               Value x = tensor::ExtractOp::create(inner, value, at);
               x = arith::MulFOp::create(inner, x, in[1]);
               linalg::YieldOp::create(
                   inner, arith::AddFOp::create(inner, in[2], x).getResult());
             })
      .getResult(0);
}

/// Codes stay codes where each result is one of them.
LogicalResult Importer::importResize(const Node &node) {
  FailureOr<ResizeMode> mode = resizeMode(node);
  FailureOr<Known *> found = lookup(node, 0);
  if (failed(mode) || failed(found))
    return failure();
  FailureOr<SmallVector<Resampling>> axes = resamplings(node, (*found)->shape);
  if (failed(axes))
    return failure();
  SmallVector<int64_t> shape = llvm::map_to_vector(
      *axes, [](const Resampling &axis) { return axis.to; });
  if (failed(checkSize(node, shape)))
    return failure();
  bool isNearest = mode->interpolation == Interpolation::Nearest;
  std::optional<Known> input;
  if (isNearest) {
    FailureOr<Known> moving = movable(node, 0);
    if (failed(moving))
      return failure();
    input = *moving;
    if (mode->coordinates == Coordinates::Crop && input->kind != Known::Real &&
        input->kind != Known::Codes)
      input = *emitReal(*input);
  } else {
    FailureOr<Known *> reals = real(node, 0);
    if (failed(reals))
      return failure();
    input = **reals;
  }
  int64_t rank = shape.size();
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  Value value = storage(get(*input, layout));
  SmallVector<Taps> taps(rank);
  for (auto [dim, axis] : llvm::enumerate(*axes)) {
    FailureOr<Taps> found = tapsOf(node, *mode, axis);
    if (failed(found))
      return failure();
    int64_t place = dimensionIn(layout, dim, rank);
    taps[place] = std::move(*found);
    if (!isNearest && !axis.isIdentity())
      value = interpolated(value, place, taps[place], mode->outside);
  }
  if (isNearest) {
    bool isReal = input->kind == Known::Real;
    a2q::Range &range = input->format.range;
    auto whole =
        static_cast<int64_t>(std::clamp(mode->outside, -0x1p31f, 0x1p31f));
    Value outside;
    if (mode->coordinates == Coordinates::Crop) {
      Type element = cast<RankedTensorType>(value.getType()).getElementType();
      outside = isReal ? scalar(mode->outside)
                       : scalar(whole, element.getIntOrFloatBitWidth());
      if (!isReal)
        range = {std::min(range.lo, whole), std::max(range.hi, whole)};
    }
    value = takenNearest(value, physicalShape(shape, layout), taps, outside);
  }
  define(node, moved(*input, shape, layout, value));
  return success();
}
