//===- Reductions.cpp - Sums, means and extremes over axes -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

Value Importer::reduced(Value value, ArrayRef<int64_t> axes, Value initial,
                        Step step) {
  RankedTensorType type = typeOf(value);
  int64_t rank = type.getRank();
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> shape;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (llvm::is_contained(axes, dim)) {
      iterators[dim] = utils::IteratorType::reduction;
      continue;
    }
    kept.push_back(b.getAffineDimExpr(dim));
    shape.push_back(type.getDimSize(dim));
  }
  Value empty = tensor::EmptyOp::create(b, shape, type.getElementType());
  Value init = linalg::FillOp::create(b, initial, empty).getResult(0);
  AffineMap maps[] = {b.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, kept, b.getContext())};
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{value}, ValueRange{init},
             ArrayRef(maps), iterators,
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               ImplicitLocOpBuilder inner(loc, builder);
               Value next = step(inner, in[0], in[1]);
               linalg::YieldOp::create(inner, next);
             })
      .getResult(0);
}

static Value added(ImplicitLocOpBuilder &b, Value element, Value sum) {
  return arith::AddFOp::create(b, sum, element);
}

/// The sum divided by the number of its terms, with dimensions of size 1 in
/// place of `axes`.
Value Importer::meanOf(Value value, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> shape(typeOf(value).getShape());
  int64_t count = 1;
  for (int64_t axis : axes) {
    count *= shape[axis];
    shape[axis] = 1;
  }
  Value sum = reduced(value, axes, scalar(0.0f), added);
  Value divisor = scalar(static_cast<float>(count));
  Value mean =
      elementwise(sum, b.getF32Type(),
                  [&](ImplicitLocOpBuilder &inner, ValueRange in) -> Value {
                    return arith::DivFOp::create(inner, in[0], divisor);
                  });
  return reshaped(mean, shape);
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// What a reduction begins with.
static float neutralReal(StringRef op) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return op == "ReduceMax"    ? -infinity
         : op == "ReduceMin"  ? infinity
         : op == "ReduceProd" ? 1
                              : 0;
}

static Value realStep(ImplicitLocOpBuilder &b, StringRef op, Value element,
                      Value soFar) {
  if (op == "ReduceMax")
    return arith::MaximumFOp::create(b, soFar, element);
  if (op == "ReduceMin")
    return arith::MinimumFOp::create(b, soFar, element);
  if (op == "ReduceProd")
    return arith::MulFOp::create(b, soFar, element);
  if (op == "ReduceL1")
    element = math::AbsFOp::create(b, element);
  if (op == "ReduceL2" || op == "ReduceSumSquare")
    element = arith::MulFOp::create(b, element, element);
  return arith::AddFOp::create(b, soFar, element);
}

static Value integerStep(ImplicitLocOpBuilder &b, StringRef op, bool isSigned,
                         Value element, Value soFar) {
  if (op == "ReduceMax")
    return isSigned ? Value(arith::MaxSIOp::create(b, soFar, element))
                    : Value(arith::MaxUIOp::create(b, soFar, element));
  if (op == "ReduceMin")
    return isSigned ? Value(arith::MinSIOp::create(b, soFar, element))
                    : Value(arith::MinUIOp::create(b, soFar, element));
  if (op == "ReduceProd")
    return arith::MulIOp::create(b, soFar, element);
  return arith::AddIOp::create(b, soFar, element);
}

/// Of real numbers, without the dimensions `places`.
Value Importer::reducedReals(const Node &node, Value x,
                             ArrayRef<int64_t> places) {
  StringRef op = node.op->name;
  using Emitter = ImplicitLocOpBuilder;
  auto sums = [&](Value value, StringRef op) {
    return reduced(value, places, scalar(neutralReal(op)),
                   [&](Emitter &b, Value element, Value soFar) {
                     return realStep(b, op, element, soFar);
                   });
  };
  auto each = [&](Value value, function_ref<Value(Emitter &, Value)> body) {
    return elementwise(value, b.getF32Type(), [&](Emitter &b, ValueRange in) {
      return body(b, in[0]);
    });
  };
  if (op == "ReduceMean")
    return meanOf(x, places);
  if (op == "ReduceL2")
    return each(sums(x, op), [](Emitter &b, Value sum) -> Value {
      return math::SqrtOp::create(b, sum);
    });
  if (op == "ReduceLogSum")
    return each(sums(x, "ReduceSum"), [](Emitter &b, Value sum) -> Value {
      return math::LogOp::create(b, sum);
    });
  if (op != "ReduceLogSumExp")
    return sums(x, op);
  // log(sum(exp(x - most))) + most, which does not overflow.
  Value most = sums(x, "ReduceMax");
  int64_t rank = typeOf(x).getRank();
  SmallVector<AffineExpr> kept;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(places, dim))
      kept.push_back(b.getAffineDimExpr(dim));
  AffineMap maps[] = {b.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, kept, b.getContext())};
  Value powers = elementwise(
      {x, most}, maps, typeOf(x).getShape(), b.getF32Type(),
      [](Emitter &b, ValueRange in) -> Value {
        return math::ExpOp::create(b, arith::SubFOp::create(b, in[0], in[1]));
      });
  AffineMap all = b.getMultiDimIdentityMap(kept.size());
  return elementwise({sums(powers, "ReduceSum"), most}, {all, all},
                     typeOf(most).getShape(), b.getF32Type(),
                     [](Emitter &b, ValueRange in) -> Value {
                       Value sum = math::LogOp::create(b, in[0]);
                       return arith::AddFOp::create(b, sum, in[1]);
                     });
}

/// Of integers, wrapping as their type does.
Value Importer::reducedIntegers(const Node &node, ElementType type, Value x,
                                ArrayRef<int64_t> places) {
  StringRef op = node.op->name;
  IntegerFormat format = *integerFormat(type);
  a2q::Range range = format.range();
  int64_t neutral = op == "ReduceMax"    ? range.lo
                    : op == "ReduceMin"  ? range.hi
                    : op == "ReduceProd" ? 1
                                         : 0;
  return reduced(x, places, scalar(neutral, CodeFormat{type, {}}.storageBits()),
                 [&](ImplicitLocOpBuilder &b, Value element, Value soFar) {
                   return integerStep(b, op, format.isSigned, element, soFar);
                 });
}

LogicalResult Importer::importReduction(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  if (input->kind == Known::Dequantized)
    input = *emitReal(*input);
  ElementType type = elementTypeOf(*input);
  int64_t rank = input->shape.size();
  FailureOr<SmallVector<int64_t>> axes = sortedAxesInput(node, rank);
  if (failed(axes))
    return failure();
  StringRef op = node.op->name;
  // What is computed of each element is so without a reduction too.
  bool isNone = axes->empty() && node.integer("noop_with_empty_axes", 0) != 0;
  bool isComposite = type == ElementType::Float &&
                     (op == "ReduceL1" || op == "ReduceL2" ||
                      op == "ReduceSumSquare" || op.starts_with("ReduceLog"));
  if (isNone && !isComposite) {
    define(node, *input);
    return success();
  }
  if (axes->empty() && !isNone)
    *axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  bool isReal = type == ElementType::Float;
  bool isExtreme = op == "ReduceMax" || op == "ReduceMin";
  bool onIntegers = isExtreme || op == "ReduceProd" || op == "ReduceSum";
  if (!isReal && (!onIntegers || (type == ElementType::Bool && !isExtreme)))
    return node.emitInputError(0) << "holds elements of type " << toString(type)
                                  << ", supported is FLOAT";
  Layout layout = preferred(*input);
  if (layout == Layout::Flattened)
    layout = Layout::Plain;
  SmallVector<int64_t> places, shape(input->shape), kept;
  for (int64_t axis : *axes) {
    places.push_back(dimensionIn(layout, axis, rank));
    shape[axis] = 1;
  }
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(*axes, dim))
      kept.push_back(shape[dim]);
  Value x = storage(get(*input, layout));
  Value value = isReal ? reducedReals(node, x, places)
                       : reducedIntegers(node, type, x, places);
  Known result = unset(type, shape);
  if (isExtreme && !isReal)
    result.format.range = input->format.range;
  set(result.layouts, layout, reshaped(value, physicalShape(shape, layout)));
  if (node.integer("keepdims", 1) == 0)
    return reshapeTo(node, result, kept);
  define(node, std::move(result));
  return success();
}

/// Each element is the sum of those up to it along one axis, added in order.
LogicalResult Importer::importCumSum(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  auto given = constantInput(node, 1, "axis");
  if (failed(input) || failed(given))
    return failure();
  if (input->kind == Known::Dequantized)
    input = *emitReal(*input);
  int64_t rank = input->shape.size();
  bool isIndex = !(*given)->isFloat() && (*given)->size() == 1;
  int64_t axis = isIndex ? (*given)->ints.front() : rank;
  if (axis < -rank || axis >= rank)
    return node.emitInputError(1) << "is no axis of a shape of rank " << rank;
  axis = axis < 0 ? axis + rank : axis;
  ElementType type = elementTypeOf(*input);
  bool isReal = type == ElementType::Float;
  if (!isReal && integerFormat(type)->bits < 32)
    return node.emitInputError(0) << "holds elements of type " << toString(type)
                                  << ", supported are FLOAT, INT32 and INT64";
  bool backwards = node.integer("reverse", 0) != 0;
  bool excludes = node.integer("exclusive", 0) != 0;
  Value x = storage(get(*input, Layout::Plain));
  Value zero = isReal ? scalar(0.0f) : scalar(0, integerFormat(type)->bits);
  Value empty = tensor::EmptyOp::create(b, input->shape, zero.getType());
  Value init = linalg::FillOp::create(b, zero, empty).getResult(0);
  // The last dimension counts the terms.
  SmallVector<AffineExpr> result, term;
  for (int64_t dim = 0; dim < rank; ++dim) {
    result.push_back(b.getAffineDimExpr(dim));
    term.push_back(b.getAffineDimExpr(dim == axis ? rank : dim));
  }
  MLIRContext *context = b.getContext();
  AffineMap maps[] = {AffineMap::get(rank + 1, 0, term, context),
                      AffineMap::get(rank + 1, 0, result, context)};
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  Value sums =
      linalg::GenericOp::create(
          b, TypeRange{init.getType()}, ValueRange{x}, ValueRange{init},
          ArrayRef(maps), iterators,
          [&](OpBuilder &builder, Location loc, ValueRange in) {
            ImplicitLocOpBuilder b(loc, builder);
            Value at = linalg::IndexOp::create(b, axis);
            Value term = linalg::IndexOp::create(b, rank);
            if (backwards)
              std::swap(at, term);
            Value counts =
                arith::CmpIOp::create(b,
                                      excludes ? arith::CmpIPredicate::ult
                                               : arith::CmpIPredicate::ule,
                                      term, at);
            Value sum = isReal ? Value(arith::AddFOp::create(b, in[1], in[0]))
                               : Value(arith::AddIOp::create(b, in[1], in[0]));
            sum = arith::SelectOp::create(b, counts, sum, in[1]);
            linalg::YieldOp::create(b, sum);
          })
          .getResult(0);
  Known known = unset(type, input->shape);
  known.layouts.plain = sums;
  define(node, std::move(known));
  return success();
}

/// What ArgMax and ArgMin look for: the extreme of real numbers is NaN where
/// there is one.
static Value extremeStep(ImplicitLocOpBuilder &b, bool isMost, bool isSigned,
                         Value x, Value y) {
  if (x.getType().isF32())
    return isMost ? Value(arith::MaximumFOp::create(b, x, y))
                  : Value(arith::MinimumFOp::create(b, x, y));
  if (isSigned)
    return isMost ? Value(arith::MaxSIOp::create(b, x, y))
                  : Value(arith::MinSIOp::create(b, x, y));
  return isMost ? Value(arith::MaxUIOp::create(b, x, y))
                : Value(arith::MinUIOp::create(b, x, y));
}

static Value isExtreme(ImplicitLocOpBuilder &b, Value x, Value extreme) {
  if (!x.getType().isF32())
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, extreme);
  using arith::CmpFPredicate;
  Value isNaN = arith::CmpFOp::create(b, CmpFPredicate::UNO, x, x);
  Value isEqual = arith::CmpFOp::create(b, CmpFPredicate::OEQ, x, extreme);
  return arith::OrIOp::create(b, isNaN, isEqual);
}

/// Numbers whose order is that of their codes: the codes, or integers.
FailureOr<Known> Importer::ordered(const Node &node) {
  FailureOr<Known> input = movable(node, 0);
  if (failed(input))
    return failure();
  if (input->kind == Known::Codes && input->format.type == ElementType::Bool) {
    node.emitInputError(0) << "holds truth values, expected numbers";
    return failure();
  }
  return input;
}

/// ArgMax and ArgMin: the first index of the extreme, or the last. The extreme
/// itself comes first, then the least index at which it is found.
LogicalResult Importer::importArgument(const Node &node) {
  FailureOr<Known> input = ordered(node);
  if (failed(input))
    return failure();
  int64_t rank = input->shape.size();
  FailureOr<int64_t> axis = axisAttribute(node, 0, rank);
  if (failed(axis))
    return failure();
  bool isMost = node.op->name == "ArgMax";
  bool isLast = node.integer("select_last_index", 0) != 0;
  SmallVector<int64_t> shape(input->shape), kept;
  int64_t size = shape[*axis];
  shape[*axis] = 1;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != *axis)
      kept.push_back(shape[dim]);
  Value x = storage(get(*input, Layout::Plain));
  bool isReal = typeOf(x).getElementType().isF32();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Value start = scalar(isMost ? -infinity : infinity);
  bool isSigned = !isReal && input->format.isSigned();
  if (!isReal) {
    a2q::Range range = integerFormat(input->format.type)->range();
    start = scalar(isMost ? range.lo : range.hi, input->format.storageBits());
  }
  Value extreme = reduced(
      x, {*axis}, start,
      [&](ImplicitLocOpBuilder &b, Value element, Value soFar) -> Value {
        return extremeStep(b, isMost, isSigned, soFar, element);
      });
  AffineMap all = b.getMultiDimIdentityMap(rank);
  Value none = scalar(isLast ? 0 : size - 1, 64);
  Value places = elementwise(
      {x, extreme}, {all, all.dropResult(*axis)}, input->shape, b.getI64Type(),
      [&](ImplicitLocOpBuilder &b, ValueRange in) -> Value {
        Value index = arith::IndexCastOp::create(
            b, b.getI64Type(), linalg::IndexOp::create(b, *axis));
        return arith::SelectOp::create(b, isExtreme(b, in[0], in[1]), index,
                                       none);
      });
  Value found = reduced(
      places, {*axis}, none,
      [&](ImplicitLocOpBuilder &b, Value element, Value soFar) -> Value {
        return isLast ? Value(arith::MaxSIOp::create(b, soFar, element))
                      : Value(arith::MinSIOp::create(b, soFar, element));
      });
  Known result = unset(ElementType::Int64, shape);
  result.format.range = {0, size - 1};
  result.layouts.plain = reshaped(found, shape);
  if (node.integer("keepdims", 1) != 0) {
    define(node, std::move(result));
    return success();
  }
  return reshapeTo(node, result, kept);
}

//===----------------------------------------------------------------------===//
// TopK
//===----------------------------------------------------------------------===//

/// Whether x is larger than y, and whether they are equal; NaN is equal to NaN
/// and larger than all else.
static std::pair<Value, Value> compared(ImplicitLocOpBuilder &b, Value x,
                                        Value y, bool isSigned) {
  if (!x.getType().isF32()) {
    auto larger =
        isSigned ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::ugt;
    return {arith::CmpIOp::create(b, larger, x, y),
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y)};
  }
  using arith::CmpFPredicate;
  auto compare = [&](CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y).getResult();
  };
  Value isNaN = compare(CmpFPredicate::UNO, x, x);
  Value otherNaN = compare(CmpFPredicate::UNO, y, y);
  Value truth = arith::ConstantOp::create(b, b.getBoolAttr(true));
  Value onlyNaN = arith::AndIOp::create(
      b, isNaN, arith::XOrIOp::create(b, otherNaN, truth));
  Value bothNaN = arith::AndIOp::create(b, isNaN, otherNaN);
  return {arith::OrIOp::create(b, compare(CmpFPredicate::OGT, x, y), onlyNaN),
          arith::OrIOp::create(b, compare(CmpFPredicate::OEQ, x, y), bothNaN)};
}

/// Of a row, how many elements come before each: the larger (or smaller) ones,
/// and of equal ones those with a lower index; NaN is larger than all else.
Value Importer::ranked(Value rows, bool isLargest, bool isSigned) {
  ArrayRef<int64_t> shape = typeOf(rows).getShape();
  Value zero = scalar(int64_t(0), 64), one = scalar(int64_t(1), 64);
  Value empty = tensor::EmptyOp::create(b, shape, b.getI64Type());
  Value init = linalg::FillOp::create(b, zero, empty).getResult(0);
  AffineExpr row = b.getAffineDimExpr(0), at = b.getAffineDimExpr(1),
             other = b.getAffineDimExpr(2);
  AffineMap maps[] = {AffineMap::get(3, 0, {row, at}, b.getContext()),
                      AffineMap::get(3, 0, {row, other}, b.getContext()),
                      AffineMap::get(3, 0, {row, at}, b.getContext())};
  using utils::IteratorType;
  return linalg::GenericOp::create(
             b, TypeRange{init.getType()}, ValueRange{rows, rows},
             ValueRange{init}, ArrayRef(maps),
             ArrayRef{IteratorType::parallel, IteratorType::parallel,
                      IteratorType::reduction},
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               ImplicitLocOpBuilder b(loc, builder);
               auto [precedes, equal] =
                   compared(b, isLargest ? in[1] : in[0],
                            isLargest ? in[0] : in[1], isSigned);
               Value isEarlier = arith::CmpIOp::create(
                   b, arith::CmpIPredicate::ult, linalg::IndexOp::create(b, 2),
                   linalg::IndexOp::create(b, 1));
               Value counts = arith::OrIOp::create(
                   b, precedes, arith::AndIOp::create(b, equal, isEarlier));
               Value more = arith::AddIOp::create(b, in[2], one);
               linalg::YieldOp::create(
                   b,
                   arith::SelectOp::create(b, counts, more, in[2]).getResult());
             })
      .getResult(0);
}

/// The largest (or smallest) elements along an axis, in order, and where they
/// are. Comparing all pairs is what small k and short rows need no better of.
LogicalResult Importer::importTopK(const Node &node) {
  FailureOr<Known> input = ordered(node);
  auto count = constantInput(node, 1, "k");
  if (failed(input) || failed(count))
    return failure();
  ArrayRef<int64_t> shape = input->shape;
  int64_t rank = shape.size();
  FailureOr<int64_t> axis = axisAttribute(node, -1, rank);
  if (failed(axis))
    return failure();
  bool isIndex = !(*count)->isFloat() && (*count)->size() == 1;
  int64_t k = isIndex ? (*count)->ints.front() : 0;
  int64_t size = shape[*axis];
  if (k < 1 || k > size)
    return node.emitInputError(1) << "asks for " << k << " of " << size
                                  << " elements along axis " << *axis;
  // The axis last, all others as rows.
  SmallVector<int64_t> order, back, physical, result(shape);
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != *axis)
      order.push_back(dim);
  order.push_back(*axis);
  for (int64_t dim : order)
    physical.push_back(shape[dim]);
  for (int64_t dim = 0; dim < rank; ++dim)
    back.push_back(llvm::find(order, dim) - order.begin());
  result[*axis] = physical.back() = k;
  int64_t rows = *elementCount(shape) / size;
  Value x = storage(get(*input, Layout::Plain));
  Type element = typeOf(x).getElementType();
  if (*axis != rank - 1)
    x = transposed(x, order);
  x = reshaped(x, {rows, size});
  Value ranks = ranked(x, node.integer("largest", 1) != 0,
                       !element.isF32() && input->format.isSigned());
  // The one index of each rank is the greatest of it and zeros.
  Value zero = scalar(int64_t(0), 64);
  Value empty = tensor::EmptyOp::create(b, {rows, k}, b.getI64Type());
  Value init = linalg::FillOp::create(b, zero, empty).getResult(0);
  AffineExpr row = b.getAffineDimExpr(0);
  AffineMap maps[] = {
      AffineMap::get(3, 0, {row, b.getAffineDimExpr(2)}, b.getContext()),
      AffineMap::get(3, 0, {row, b.getAffineDimExpr(1)}, b.getContext())};
  using utils::IteratorType;
  Value places =
      linalg::GenericOp::create(
          b, TypeRange{init.getType()}, ValueRange{ranks}, ValueRange{init},
          ArrayRef(maps),
          ArrayRef{IteratorType::parallel, IteratorType::parallel,
                   IteratorType::reduction},
          [&](OpBuilder &builder, Location loc, ValueRange in) {
            ImplicitLocOpBuilder b(loc, builder);
            auto number = [&](int64_t dim) -> Value {
              return arith::IndexCastOp::create(
                  b, b.getI64Type(), linalg::IndexOp::create(b, dim));
            };
            Value isHere = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                 in[0], number(1));
            linalg::YieldOp::create(
                b, arith::SelectOp::create(b, isHere, number(2), in[1])
                       .getResult());
          })
          .getResult(0);
  Value values = indexed(
      {rows, k}, element, [&](ImplicitLocOpBuilder &b, ValueRange at) -> Value {
        Value place = tensor::ExtractOp::create(b, places, at);
        place = arith::IndexCastOp::create(b, b.getIndexType(), place);
        return tensor::ExtractOp::create(b, x, ValueRange{at[0], place});
      });
  auto asResult = [&](Value value) {
    value = reshaped(value, physical);
    return *axis == rank - 1 ? value : transposed(value, back);
  };
  Known largest = moved(*input, result, Layout::Plain, asResult(values));
  Known indices = unset(ElementType::Int64, result);
  indices.format.range = {0, size - 1};
  indices.layouts.plain = asResult(places);
  define(node, std::move(largest));
  define(node, std::move(indices), 1);
  return success();
}
