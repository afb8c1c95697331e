//===- Functions.cpp - Functions of real numbers -*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fold.h"
#include "Importer.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::frontend;

static int64_t rankOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getRank();
}

LogicalResult Importer::importSigmoid(const Node &node) {
  return defineElementwise(node, [&](Value x) -> Value {
    return tosa::SigmoidOp::create(b, x.getType(), x);
  });
}

LogicalResult Importer::importTanh(const Node &node) {
  return defineElementwise(node, [&](Value x) -> Value {
    return tosa::TanhOp::create(b, x.getType(), x);
  });
}

/// max(0, min(1, alpha * x + beta)).
LogicalResult Importer::importHardSigmoid(const Node &node) {
  float alpha = node.real("alpha", 0.2f), beta = node.real("beta", 0.5f);
  return defineElementwise(node, [&](Value x) {
    Value line = binary<tosa::AddOp>(product(x, realScalar(alpha, rankOf(x))),
                                     realScalar(beta, rankOf(x)));
    return clamped(line, 0.0f, 1.0f);
  });
}

/// x * max(0, min(1, x / 6 + 1 / 2)).
LogicalResult Importer::importHardSwish(const Node &node) {
  return defineElementwise(node, [&](Value x) {
    Value line =
        binary<tosa::AddOp>(product(x, realScalar(1.0f / 6, rankOf(x))),
                            realScalar(0.5f, rankOf(x)));
    return product(x, clamped(line, 0.0f, 1.0f));
  });
}

/// max(x, 0) + alpha * min(x, 0), which is max(x, alpha * x) up to 1.
LogicalResult Importer::importLeakyRelu(const Node &node) {
  float alpha = node.real("alpha", 0.01f);
  return defineElementwise(node, [&](Value x) -> Value {
    Value slope = realScalar(alpha, rankOf(x));
    if (alpha <= 1)
      return binary<tosa::MaximumOp>(x, product(x, slope));
    return binary<tosa::AddOp>(clamped(x, 0.0f, std::nullopt),
                               product(clamped(x, std::nullopt, 0.0f), slope));
  });
}

LogicalResult Importer::importPRelu(const Node &node) {
  return defineBroadcast(node, [&](Value x, Value slope) -> Value {
    return binary<tosa::AddOp>(clamped(x, 0.0f, std::nullopt),
                               product(clamped(x, std::nullopt, 0.0f), slope));
  });
}

/// exp(x - most) / sum(exp(x - most)) along an axis, or the logarithm of it.
Value Importer::softmax(Value x, int64_t axis, bool isLogarithm) {
  Value most = tosa::ReduceMaxOp::create(b, x, b.getI32IntegerAttr(axis));
  Value difference = binary<tosa::SubOp>(x, most);
  Value powers = tosa::ExpOp::create(b, x.getType(), difference);
  Value sum = tosa::ReduceSumOp::create(b, powers, b.getI32IntegerAttr(axis));
  if (!isLogarithm)
    return quotient(powers, sum);
  return binary<tosa::SubOp>(difference,
                             tosa::LogOp::create(b, sum.getType(), sum));
}

/// exp(x - max) / sum(exp(x - max)). Before operator set 13 the sum is over the
/// axis and all that follow it.
LogicalResult Importer::importSoftmax(const Node &node) {
  FailureOr<Known *> input = real(node, 0);
  if (failed(input))
    return failure();
  auto rank = static_cast<int64_t>((*input)->shape.size());
  bool flattens = graph.opset() < 13;
  int64_t axis = node.integer("axis", flattens ? 1 : -1);
  if (axis < -rank || axis >= rank)
    return node.emitError()
           << "axis " << axis << " is outside a shape of rank " << rank;
  axis = axis < 0 ? axis + rank : axis;
  ArrayRef<int64_t> shape = (*input)->shape;
  flattens &= llvm::any_of(shape.drop_front(axis + 1),
                           [](int64_t size) { return size != 1; });
  Layout layout = preferred(**input);
  if (layout == Layout::Flattened || flattens)
    layout = Layout::Plain;
  axis = dimensionIn(layout, axis, rank);
  Value x = get(**input, layout);
  if (flattens) {
    int64_t rows = *elementCount(shape.take_front(axis));
    x = reshaped(x, {rows, *elementCount(shape) / rows});
    axis = 1;
  }
  Known result{Known::Real, (*input)->shape};
  Value shares = softmax(x, axis, node.op->name == "LogSoftmax");
  set(result.layouts, layout, flattens ? reshaped(shares, shape) : shares);
  define(node, std::move(result));
  return success();
}
