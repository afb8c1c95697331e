//===- Boundary.cpp - Arguments and results of modules from elsewhere -----===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/Boundary.h"

#include "a2q/IR/A2QDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Dialect/Tosa/Transforms/Passes.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Unsigned integers
//===----------------------------------------------------------------------===//

static bool isUnsigned(Type type) {
  return getElementTypeOrSelf(type).isUnsignedInteger();
}

/// Whether there were any.
static bool markUnsigned(func::FuncOp function) {
  StringRef name = A2QDialect::getUnsignedAttrName();
  auto unit = UnitAttr::get(function.getContext());
  bool found = false;
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
    if (isUnsigned(type)) {
      function.setArgAttr(index, name, unit);
      found = true;
    }
  for (auto [index, type] : llvm::enumerate(function.getResultTypes()))
    if (isUnsigned(type)) {
      function.setResultAttr(index, name, unit);
      found = true;
    }
  return found;
}

//===----------------------------------------------------------------------===//
// Open sizes
//===----------------------------------------------------------------------===//

/// The shape for an argument; null when none is given.
static const InputShape *findShape(func::FuncOp function, unsigned index,
                                   ArrayRef<InputShape> shapes) {
  std::string name = "input" + std::to_string(index);
  if (auto attr = function.getArgAttrOfType<StringAttr>(
          index, A2QDialect::getNameAttrName()))
    name = attr.str();
  for (const InputShape &shape : shapes)
    if (shape.name == name)
      return &shape;
  // Nameless shapes are of the arguments that none is named for, in order.
  if (llvm::any_of(shapes,
                   [](const InputShape &shape) { return !shape.name.empty(); }))
    return nullptr;
  return index < shapes.size() ? &shapes[index] : nullptr;
}

static RankedTensorType closed(RankedTensorType type, const InputShape *shape) {
  SmallVector<int64_t> sizes(type.getShape());
  bool isGiven = shape && shape->sizes.size() == sizes.size();
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    if (!ShapedType::isDynamic(size))
      continue;
    if (isGiven)
      size = shape->sizes[dim];
    else if (dim == 0)
      size = 1;
  }
  return type.clone(sizes);
}

/// Whether an argument had open sizes.
static bool closeArguments(func::FuncOp function, ArrayRef<InputShape> shapes) {
  SmallVector<Type> types(function.getArgumentTypes());
  bool changed = false;
  for (auto [index, type] : llvm::enumerate(types)) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.hasStaticShape())
      continue;
    RankedTensorType fixed = closed(tensor, findShape(function, index, shapes));
    changed |= fixed != tensor;
    function.getArgument(index).setType(fixed);
    type = fixed;
  }
  function.setType(FunctionType::get(function.getContext(), types,
                                     function.getResultTypes()));
  return changed;
}

/// What is returned has sizes that the function's type does not tell.
static void closeResults(func::FuncOp function) {
  SmallVector<Type> types(function.getResultTypes());
  function.walk([&](func::ReturnOp op) {
    for (OpOperand &operand : op->getOpOperands()) {
      auto cast = operand.get().getDefiningOp<tensor::CastOp>();
      if (cast && cast.getSource().getType().hasStaticShape())
        operand.set(cast.getSource());
      types[operand.getOperandNumber()] = operand.get().getType();
    }
  });
  function.setType(FunctionType::get(function.getContext(),
                                     function.getArgumentTypes(), types));
}

LogicalResult a2q::adaptBoundary(ModuleOp module, ArrayRef<InputShape> shapes) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal() ||
        !llvm::hasSingleElement(function.getBody()))
      continue;
    PassManager pm(module.getContext(), func::FuncOp::getOperationName());
    if (markUnsigned(function))
      pm.addPass(tosa::createTosaConvertIntegerTypeToSignless());
    bool isTosa = function
                      .walk([](Operation *op) {
                        return isa<tosa::TosaOp>(op) ? WalkResult::interrupt()
                                                     : WalkResult::advance();
                      })
                      .wasInterrupted();
    bool opened = isTosa && closeArguments(function, shapes);
    if (opened)
      pm.addPass(tosa::createTosaInferShapesPass());
    if (pm.empty())
      continue;
    if (failed(pm.run(function)))
      return failure();
    if (opened)
      closeResults(function);
  }
  return success();
}
