//===- Region.cpp - Evaluation of structured bodies -----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Region.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace a2q;
using namespace a2q::reference;

FailureOr<ScalarBlock> ScalarBlock::prepare(Block &block, Lookup lookup,
                                            Tables tables) {
  ScalarBlock result;
  llvm::DenseMap<Value, unsigned> placeOf;
  auto addPlace = [&](Value value, Scalar scalar) {
    placeOf[value] = result.places.size();
    result.places.push_back(scalar);
  };
  for (BlockArgument argument : block.getArguments())
    addPlace(argument, {});
  auto find = [&](Value value) -> LogicalResult {
    if (placeOf.contains(value))
      return success();
    FailureOr<Scalar> scalar = lookup(value);
    if (succeeded(scalar))
      addPlace(value, *scalar);
    return scalar;
  };
  auto placesOf = [&](OperandRange values) {
    return llvm::map_to_vector<3>(values,
                                  [&](Value value) { return placeOf[value]; });
  };
  for (Operation &op : block) {
    if (isa<arith::ConstantOp>(op))
      continue;
    auto extract = dyn_cast<tensor::ExtractOp>(op);
    OperandRange operands = extract ? extract.getIndices() : op.getOperands();
    for (Value operand : operands)
      if (failed(find(operand)))
        return failure();
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      llvm::append_range(result.yielded, placesOf(op.getOperands()));
      continue;
    }
    const ReferenceTensor *table =
        extract ? tables(extract.getTensor()) : nullptr;
    if (op.getNumResults() != 1 || (extract && !table))
      return op.emitError("the reference does not evaluate this op");
    unsigned place = result.places.size();
    result.steps.push_back({&op, placesOf(operands), place, table});
    addPlace(op.getResult(0), {});
  }
  return result;
}

/// The element at these indices.
static FailureOr<Scalar> extract(Operation *op, const ReferenceTensor &table,
                                 ArrayRef<Scalar> indices) {
  int64_t flat = 0;
  for (auto [index, size] : llvm::zip_equal(indices, table.shape)) {
    if (index.integer < 0 || index.integer >= size)
      return op->emitError("index ")
             << static_cast<int64_t>(index.integer)
             << " is outside of a dimension of size " << size;
    flat = flat * size + static_cast<int64_t>(index.integer);
  }
  if (table.isReal())
    return Scalar{0, table.reals()[flat]};
  return Scalar{table.integers()[flat], 0};
}

FailureOr<ArrayRef<Scalar>> ScalarBlock::evaluate(ArrayRef<Scalar> arguments,
                                                  ArrayRef<int64_t> index) {
  llvm::copy(arguments, places.begin());
  SmallVector<Scalar, 3> operands;
  for (const Step &step : steps) {
    if (auto indexOp = dyn_cast<linalg::IndexOp>(step.op)) {
      places[step.result] = {index[indexOp.getDim()], 0};
      continue;
    }
    operands.clear();
    for (unsigned place : step.operands)
      operands.push_back(places[place]);
    FailureOr<Scalar> result = step.table
                                   ? extract(step.op, *step.table, operands)
                                   : evaluateScalar(step.op, operands);
    if (failed(result))
      return failure();
    places[step.result] = *result;
  }
  results.clear();
  for (unsigned place : yielded)
    results.push_back(places[place]);
  return ArrayRef<Scalar>(results);
}

static bool isLinearMap(AffineMap map) {
  bool linear = true;
  map.walkExprs([&](AffineExpr expr) {
    linear &= expr.getKind() != AffineExprKind::FloorDiv &&
              expr.getKind() != AffineExprKind::CeilDiv &&
              expr.getKind() != AffineExprKind::Mod;
  });
  return linear;
}

ElementMap::ElementMap(AffineMap map, ArrayRef<int64_t> shape)
    : map(map), shape(shape), isLinear(isLinearMap(map)) {
  SmallVector<int64_t> index(map.getNumDims(), 0);
  origin = compose(index);
  for (int64_t &i : index) {
    i = 1;
    strides.push_back(compose(index) - origin);
    i = 0;
  }
}

int64_t ElementMap::compose(ArrayRef<int64_t> index) const {
  int64_t flat = 0;
  for (auto [size, i] : llvm::zip_equal(shape, map.compose(index)))
    flat = flat * size + i;
  return flat;
}

int64_t ElementMap::operator()(ArrayRef<int64_t> index) const {
  if (!isLinear)
    return compose(index);
  int64_t flat = origin;
  for (auto [stride, i] : llvm::zip_equal(strides, index))
    flat += stride * i;
  return flat;
}
