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
// Variables
//===----------------------------------------------------------------------===//

/// Whether all reads and writes are among the operations of this block.
static bool ownsVariables(ModuleOp module, Block &block) {
  return !module
              .walk([&](Operation *op) {
                bool uses =
                    isa<tosa::VariableReadOp, tosa::VariableWriteOp>(op);
                return uses && op->getBlock() != &block
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

static void liftVariable(func::FuncOp function, tosa::VariableOp variable) {
  Block &block = function.getBody().front();
  Builder b(function.getContext());
  RankedTensorType type = tosa::getVariableType(variable);
  auto name = b.getDictionaryAttr(b.getNamedAttr(
      A2QDialect::getNameAttrName(), b.getStringAttr(variable.getName())));
  unsigned index = function.getNumArguments();
  (void)function.insertArgument(index, type, name, variable.getLoc());
  Value current = function.getArgument(index);
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto read = dyn_cast<tosa::VariableReadOp>(op);
        read && read.getName() == variable.getName()) {
      read.getOutput1().replaceAllUsesWith(current);
      read.erase();
    } else if (auto write = dyn_cast<tosa::VariableWriteOp>(op);
               write && write.getName() == variable.getName()) {
      current = write.getInput1();
      write.erase();
    }
  }
  Operation *terminator = block.getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), current);
  (void)function.insertResult(function.getNumResults(), type, name);
  variable.erase();
}

/// Casts of a type to itself, which converters leave around variables.
static void dropIdleCasts(func::FuncOp function) {
  function.walk([](UnrealizedConversionCastOp cast) {
    if (cast.getNumOperands() == 1 && cast.getNumResults() == 1 &&
        cast.getOperand(0).getType() == cast.getResult(0).getType()) {
      cast.getResult(0).replaceAllUsesWith(cast.getOperand(0));
      cast.erase();
    }
  });
}

static void liftVariables(ModuleOp module) {
  auto variables = llvm::to_vector(module.getOps<tosa::VariableOp>());
  if (variables.empty())
    return;
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    if (entry)
      return;
    entry = function;
  }
  if (!entry || !llvm::hasSingleElement(entry.getBody()) ||
      !ownsVariables(module, entry.getBody().front()))
    return;
  for (tosa::VariableOp variable : variables)
    liftVariable(entry, variable);
  dropIdleCasts(entry);
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
  liftVariables(module);
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
