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

/// Minus infinity where a query must not see a key, and what a mask adds.
FailureOr<Value> Importer::masked(const Node &node, Value scores) {
  ArrayRef<int64_t> shape = typeOf(scores).getShape();
  Value lowest = scalar(-std::numeric_limits<float>::infinity());
  if (node.hasInput(3)) {
    FailureOr<Known> mask = movable(node, 3);
    if (failed(mask))
      return failure();
    if (mask->kind == Known::Dequantized)
      mask = *emitReal(*mask);
    ElementType type = elementTypeOf(*mask);
    auto joined = broadcastShapes(mask->shape, shape);
    bool isTruth = type == ElementType::Bool;
    if (!joined || ArrayRef<int64_t>(*joined) != shape ||
        (!isTruth && type != ElementType::Float)) {
      node.emitInputError(3)
          << "has type " << toString(type) << " and shape "
          << shapeText(mask->shape) << ", expected FLOAT or BOOL that "
          << "broadcasts to " << shapeText(shape);
      return failure();
    }
    Value other = broadcastValue(storage(get(*mask, Layout::Plain)), shape);
    AffineMap all = b.getMultiDimIdentityMap(4);
    scores =
        elementwise({scores, other}, {all, all}, shape, b.getF32Type(),
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
  if (node.integer("is_causal", 0) == 0)
    return scores;
  return elementwise(
      scores, b.getF32Type(), [&](Emitter &b, ValueRange in) -> Value {
        Value isLater = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt,
                                              linalg::IndexOp::create(b, 3),
                                              linalg::IndexOp::create(b, 2));
        return arith::SelectOp::create(b, isLater, lowest, in[0]);
      });
}

/// Q, K, V and a mask. Several heads of queries may share one of keys and
/// values.
LogicalResult Importer::importAttention(const Node &node) {
  FailureOr<Value> query = heads(node, 0, "q_num_heads"),
                   key = heads(node, 1, "kv_num_heads"),
                   value = heads(node, 2, "kv_num_heads");
  if (failed(query) || failed(key) || failed(value))
    return failure();
  SmallVector<int64_t> q(typeOf(*query).getShape()), k(typeOf(*key).getShape()),
      v(typeOf(*value).getShape());
  if (node.real("softcap", 0) != 0)
    return node.emitError() << "softcap " << node.real("softcap", 0)
                            << " is not supported, only 0";
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
  FailureOr<Value> seen =
      masked(node, reshaped(scores, {q[0], q[1], q[2], k[2]}));
  if (failed(seen))
    return failure();
  Value shares = reshaped(softmax(*seen, 3), {batch, q[2], k[2]});
  type = RankedTensorType::get({batch, q[2], v[3]}, b.getF32Type());
  Value mixed = tosa::MatMulOp::create(b, type, shares, shared(*value, v));
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
