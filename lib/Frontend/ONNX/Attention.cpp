//===- Attention.cpp - Scaled products of queries and keys ----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operator of the standard, for which exporters write one node where they
// wrote MatMul, Mul, Add, Softmax and MatMul: it becomes those, in float32.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

#include <cmath>

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

using Emitter = ImplicitLocOpBuilder;

/// An operand as [batch, heads, length, size]; with three dimensions the heads
/// are parts of the last one.
FailureOr<Value> Importer::heads(const Node &node, unsigned index,
                                 StringRef attribute) {
  FailureOr<Known *> input = real(node, index);
  if (failed(input))
    return failure();
  ArrayRef<int64_t> shape = (*input)->shape;
  Value value = get(**input, Layout::Plain);
  if (shape.size() == 4)
    return value;
  int64_t count = node.integer(attribute, 0);
  if (shape.size() != 3 || count < 1 || shape[2] % count) {
    node.emitInputError(index)
        << "has shape " << shapeText(shape) << " and " << attribute << " is "
        << count << "; expected rank 4, or rank 3 and heads that divide it";
    return failure();
  }
  value = reshaped(value, {shape[0], shape[1], count, shape[2] / count});
  return transposed(value, {0, 2, 1, 3});
}

/// What a mask adds; minus infinity where it is false, and for keys beyond it.
FailureOr<Value> Importer::masked(const Node &node, Value scores) {
  if (!node.hasInput(3))
    return scores;
  FailureOr<Known> mask = movable(node, 3);
  if (failed(mask))
    return failure();
  if (mask->kind == Known::Dequantized)
    mask = *emitReal(*mask);
  ArrayRef<int64_t> shape = typeOf(scores).getShape();
  ElementType type = elementTypeOf(*mask);
  bool isTruth = type == ElementType::Bool;
  // A mask may end before the keys do.
  SmallVector<int64_t> whole(mask->shape);
  bool isShort = !whole.empty() && whole.back() < shape[3];
  if (isShort)
    whole.back() = shape[3];
  auto joined = broadcastShapes(whole, shape);
  if (!joined || ArrayRef<int64_t>(*joined) != shape ||
      (!isTruth && type != ElementType::Float)) {
    node.emitInputError(3) << "has type " << toString(type) << " and shape "
                           << shapeText(mask->shape)
                           << ", expected FLOAT or BOOL that "
                           << "broadcasts to " << shapeText(shape);
    return failure();
  }
  Value other = storage(get(*mask, Layout::Plain));
  if (isShort)
    other = extendedMask(other, shape[3], isTruth);
  other = broadcastValue(other, shape);
  Value lowest = scalar(-std::numeric_limits<float>::infinity());
  AffineMap all = b.getMultiDimIdentityMap(4);
  return elementwise({scores, other}, {all, all}, shape, b.getF32Type(),
                     [&](Emitter &b, ValueRange in) -> Value {
                       if (!isTruth)
                         return arith::AddFOp::create(b, in[0], in[1]);
                       Value zero = arith::ConstantOp::create(
                           b, b.getIntegerAttr(in[1].getType(), 0));
                       Value hides = arith::CmpIOp::create(
                           b, arith::CmpIPredicate::eq, in[1], zero);
                       return arith::SelectOp::create(b, hides, lowest, in[0]);
                     });
}

/// The mask with `length` keys: those that it has not are hidden.
Value Importer::extendedMask(Value mask, int64_t length, bool isTruth) {
  SmallVector<int64_t> shape(typeOf(mask).getShape());
  int64_t last = shape.size() - 1, own = shape[last];
  shape[last] = length;
  Value hidden = isTruth ? scalar(int64_t(0), 8)
                         : scalar(-std::numeric_limits<float>::infinity());
  return indexed(shape, typeOf(mask).getElementType(),
                 [&](Emitter &b, ValueRange at) -> Value {
                   auto constant = [&](int64_t value) -> Value {
                     return arith::ConstantIndexOp::create(b, value);
                   };
                   Value isOwn = arith::CmpIOp::create(
                       b, arith::CmpIPredicate::slt, at[last], constant(own));
                   SmallVector<Value> place(at);
                   place[last] =
                       arith::MinSIOp::create(b, at[last], constant(own - 1));
                   Value element = tensor::ExtractOp::create(b, mask, place);
                   return arith::SelectOp::create(b, isOwn, element, hidden);
                 });
}

/// Minus infinity where a query must not see a key for where they are: a later
/// one, one outside of the window, or one beyond the used part of the cache.
/// Queries follow the keys of a cache.
FailureOr<Value> Importer::inSight(const Node &node, Value scores,
                                   int64_t past) {
  bool isCausal = node.integer("is_causal", 0) != 0;
  int64_t left = node.integer("left_window_size", -1);
  int64_t right = node.integer("right_window_size", -1);
  if (left < -1 || right < -1) {
    node.emitError() << "has windows of " << left << " and " << right
                     << ", supported are -1 (no limit) and above";
    return failure();
  }
  if (!isCausal && left < 0 && right < 0 && !node.hasInput(6))
    return scores;
  ArrayRef<int64_t> shape = typeOf(scores).getShape();
  AffineMap all = b.getMultiDimIdentityMap(4);
  SmallVector<Value> operands = {scores};
  SmallVector<AffineMap> maps = {all};
  if (node.hasInput(6)) {
    FailureOr<Known> lengths = movable(node, 6);
    if (failed(lengths))
      return failure();
    if (elementTypeOf(*lengths) != ElementType::Int64 ||
        ArrayRef<int64_t>(lengths->shape) != shape.take_front()) {
      node.emitInputError(6)
          << "has type " << toString(elementTypeOf(*lengths)) << " and shape "
          << shapeText(lengths->shape) << ", expected INT64 for each of "
          << shape[0] << " batches";
      return failure();
    }
    operands.push_back(storage(get(*lengths, Layout::Plain)));
    maps.push_back(AffineMap::get(4, 0, b.getAffineDimExpr(0), b.getContext()));
  }
  Value lowest = scalar(-std::numeric_limits<float>::infinity());
  auto body = [&](Emitter &b, ValueRange in) -> Value {
    auto index = [&](int64_t dim) -> Value {
      return arith::IndexCastOp::create(b, b.getI64Type(),
                                        linalg::IndexOp::create(b, dim));
    };
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
    };
    Value key = index(3),
          hides = arith::ConstantOp::create(b, b.getBoolAttr(false));
    auto hide = [&](arith::CmpIPredicate predicate, Value x, Value y) {
      Value also = arith::CmpIOp::create(b, predicate, x, y);
      hides = arith::OrIOp::create(b, hides, also);
    };
    Value before = constant(past);
    if (in.size() > 1) {
      hide(arith::CmpIPredicate::sge, key, in[1]);
      before = arith::SubIOp::create(b, in[1], constant(shape[2]));
    }
    Value query = arith::AddIOp::create(b, index(2), before);
    if (isCausal)
      hide(arith::CmpIPredicate::sgt, key, query);
    Value ahead = arith::SubIOp::create(b, key, query);
    if (right >= 0)
      hide(arith::CmpIPredicate::sgt, ahead, constant(right));
    if (left >= 0)
      hide(arith::CmpIPredicate::slt, ahead, constant(-left));
    return arith::SelectOp::create(b, hides, lowest, in[0]);
  };
  return elementwise(operands, maps, shape, b.getF32Type(), body);
}

/// softmax over the keys; 0 for a query that sees none.
Value Importer::shares(Value scores) {
  Value shares = softmax(scores, 3);
  Value most = tosa::ReduceMaxOp::create(b, scores, b.getI32IntegerAttr(3));
  AffineMap all = b.getMultiDimIdentityMap(4);
  AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1),
             d2 = b.getAffineDimExpr(2);
  AffineMap row = AffineMap::get(4, 0, {d0, d1, d2, b.getAffineConstantExpr(0)},
                                 b.getContext());
  float lowest = -std::numeric_limits<float>::infinity();
  return elementwise(
      {shares, most}, {all, row}, typeOf(scores).getShape(), b.getF32Type(),
      [&](Emitter &b, ValueRange in) -> Value {
        auto real = [&](float value) -> Value {
          return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
        };
        Value sees = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, in[1],
                                           real(lowest));
        return arith::SelectOp::create(b, sees, in[0], real(0));
      });
}

/// Keys or values with those of the cache before them.
FailureOr<Value> Importer::withPast(const Node &node, Value present,
                                    unsigned index, unsigned output) {
  SmallVector<int64_t> shape(typeOf(present).getShape());
  if (node.hasInput(index)) {
    FailureOr<Known *> past = real(node, index);
    if (failed(past))
      return failure();
    ArrayRef<int64_t> own = (*past)->shape;
    if (own.size() != 4 || own[0] != shape[0] || own[1] != shape[1] ||
        own[3] != shape[3]) {
      node.emitInputError(index)
          << "has shape " << shapeText(own) << ", which does not go before "
          << shapeText(shape) << " in dimension 2";
      return failure();
    }
    shape[2] += own[2];
    if (failed(checkSize(node, shape)))
      return failure();
    present = concatenated({get(**past, Layout::Plain), present},
                           RankedTensorType::get(shape, b.getF32Type()), 2);
  }
  Known known{Known::Real, shape};
  known.layouts.plain = present;
  define(node, std::move(known), output);
  return present;
}

/// Fourth output: the scores at one of four steps.
void Importer::defineScores(const Node &node, int64_t step, Value scores) {
  if (node.integer("qk_matmul_output_mode", 0) != step)
    return;
  Known known{Known::Real, typeOf(scores).getShape()};
  known.layouts.plain = scores;
  define(node, std::move(known), 3);
}

static LogicalResult checkAttention(const Node &node) {
  float cap = node.real("softcap", 0);
  if (cap < 0)
    return node.emitError() << "softcap " << cap << " is negative";
  int64_t precision = node.integer("softmax_precision", 1);
  if (precision != onnx::TensorProto::FLOAT)
    return node.emitError() << "softmax_precision "
                            << toString(static_cast<ElementType>(precision))
                            << " is not supported, only FLOAT";
  int64_t mode = node.integer("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3)
    return node.emitError() << "qk_matmul_output_mode " << mode
                            << " is not known; known are 0 to 3";
  if (node.hasInput(4) != node.hasInput(5))
    return node.emitError() << "has one of past_key and past_value, expected "
                               "both or none";
  if (node.hasInput(4) && node.hasInput(6))
    return node.emitError()
           << "has past_key and nonpad_kv_seqlen, expected one of them";
  return success();
}

/// scores -> shares: softcap, masks and softmax, in this order.
FailureOr<Value> Importer::attentionShares(const Node &node, Value scores,
                                           int64_t past) {
  defineScores(node, 0, scores);
  if (float cap = node.real("softcap", 0))
    scores = elementwise(
        scores, b.getF32Type(), [&](Emitter &b, ValueRange in) -> Value {
          Value most = arith::ConstantOp::create(b, b.getF32FloatAttr(cap));
          Value part = arith::DivFOp::create(b, in[0], most);
          return arith::MulFOp::create(b, math::TanhOp::create(b, part), most);
        });
  defineScores(node, 1, scores);
  FailureOr<Value> seen = masked(node, scores);
  if (succeeded(seen))
    seen = inSight(node, *seen, past);
  if (failed(seen))
    return failure();
  defineScores(node, 2, *seen);
  Value result = *seen == scores ? softmax(scores, 3) : shares(*seen);
  defineScores(node, 3, result);
  return result;
}

/// Q, K, V, a mask, and the keys and values of earlier calls, or how much of
/// the keys and values is used. Several heads of queries may share one of keys
/// and values.
LogicalResult Importer::importAttention(const Node &node) {
  if (failed(checkAttention(node)))
    return failure();
  FailureOr<Value> query = heads(node, 0, "q_num_heads"),
                   key = heads(node, 1, "kv_num_heads"),
                   value = heads(node, 2, "kv_num_heads");
  if (failed(query) || failed(key) || failed(value))
    return failure();
  int64_t past = typeOf(*key).getDimSize(2);
  key = withPast(node, *key, 4, 1);
  value = withPast(node, *value, 5, 2);
  if (failed(key) || failed(value))
    return failure();
  SmallVector<int64_t> q(typeOf(*query).getShape()), k(typeOf(*key).getShape()),
      v(typeOf(*value).getShape());
  past = k[2] - past;
  if (q[0] != k[0] || q[0] != v[0] || k[1] != v[1] || q[1] % k[1] ||
      q[3] != k[3] || k[2] != v[2])
    return node.emitError() << "queries of shape " << shapeText(q)
                            << ", keys of " << shapeText(k) << " and values of "
                            << shapeText(v) << " do not fit";
  SmallVector<int64_t> result = {q[0], q[1], q[2], v[3]};
  int64_t batch = q[0] * q[1];
  if (failed(checkSize(node, {q[0], q[1], q[2], k[2]})) ||
      failed(checkSize(node, result)))
    return failure();
  auto shared = [&](Value of, ArrayRef<int64_t> shape) {
    int64_t each = q[1] / k[1];
    Value whole = reshaped(of, {q[0], k[1], 1, shape[2], shape[3]});
    whole = broadcastValue(whole, {q[0], k[1], each, shape[2], shape[3]});
    return reshaped(whole, {batch, shape[2], shape[3]});
  };
  float scale = node.real("scale", 1 / std::sqrt(static_cast<float>(q[3])));
  Value keys = transposed(shared(*key, k), {0, 2, 1});
  auto type = RankedTensorType::get({batch, q[2], k[2]}, b.getF32Type());
  Value scores = tosa::MatMulOp::create(
      b, type, reshaped(*query, {batch, q[2], q[3]}), keys);
  scores = product(scores, realScalar(scale, 3));
  FailureOr<Value> shares =
      attentionShares(node, reshaped(scores, {q[0], q[1], q[2], k[2]}), past);
  if (failed(shares))
    return failure();
  type = RankedTensorType::get({batch, q[2], v[3]}, b.getF32Type());
  Value mixed = tosa::MatMulOp::create(
      b, type, reshaped(*shares, {batch, q[2], k[2]}), shared(*value, v));
  Known known{Known::Real, result};
  known.layouts.plain = reshaped(mixed, result);
  if ((*lookup(node, 0))->shape.size() == 3) {
    known.shape = {q[0], q[2], q[1] * v[3]};
    known.layouts.plain =
        reshaped(transposed(known.layouts.plain, {0, 2, 1, 3}), known.shape);
  }
  define(node, std::move(known));
  return success();
}
