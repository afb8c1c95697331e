//===- Check.cpp - Calls that report a broken promise -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/IR/RangeAttr.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace a2q;

static constexpr StringLiteral kReport = "a2q_check_failed";

/// The name that the importer gave the layer, else its location.
static std::string layerName(Location loc) {
  if (auto name = loc->findInstanceOf<NameLoc>())
    return name.getName().str();
  std::string text;
  llvm::raw_string_ostream os(text);
  os << loc;
  return text;
}

/// The global string with this text; one per text.
static Value nameConstant(OpBuilder &b, Location loc, ModuleOp module,
                          StringRef text) {
  std::string bytes = text.str() + '\0';
  LLVM::GlobalOp global;
  int64_t count = 0;
  for (auto other : module.getOps<LLVM::GlobalOp>()) {
    if (auto value = dyn_cast_or_null<StringAttr>(other.getValueAttr());
        value && value.getValue() == bytes)
      global = other;
    ++count;
  }
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size());
    global = LLVM::GlobalOp::create(
        b, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal,
        "a2q_name_" + std::to_string(count), b.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(b, loc, global);
}

static LLVM::LLVMFuncOp reportFunction(OpBuilder &b, Location loc,
                                       ModuleOp module) {
  if (auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(kReport))
    return function;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  SmallVector<Type> arguments = {LLVM::LLVMPointerType::get(b.getContext())};
  arguments.append(5, b.getI64Type());
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()), arguments);
  return LLVM::LLVMFuncOp::create(b, loc, kReport, type);
}

/// if (value < lo || value > hi) report(...)
static void emitScalarCheck(OpBuilder &b, Location loc, StringRef name,
                            Value channel, int64_t stage, Value value,
                            Interval promise) {
  auto module =
      b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  auto number = [&](int64_t v) -> Value {
    return arith::ConstantIntOp::create(b, loc, b.getI64Type(), v);
  };
  Value lo = number(static_cast<int64_t>(promise.lo));
  Value hi = number(static_cast<int64_t>(promise.hi));
  Value low =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, value, lo);
  Value high =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, value, hi);
  Value broken = arith::OrIOp::create(b, loc, low, high);
  auto branch = scf::IfOp::create(b, loc, broken, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value index = arith::IndexCastOp::create(b, loc, b.getI64Type(), channel);
  LLVM::CallOp::create(b, loc, reportFunction(b, loc, module),
                       ValueRange{nameConstant(b, loc, module, name), index,
                                  number(stage), value, lo, hi});
}

void a2q::emitCheck(OpBuilder &b, Location loc, Value values,
                    const CheckSite &site) {
  auto type = cast<VectorType>(values.getType());
  auto bound = [&](Wide end) -> Value {
    return arith::ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(type, APInt(64, static_cast<int64_t>(end),
                                           /*isSigned=*/true)));
  };
  // One test for the vector; the lanes are looked at only when it fails.
  Value low = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, values,
                                    bound(site.promise.lo));
  Value high = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, values,
                                     bound(site.promise.hi));
  Value broken =
      vector::ReductionOp::create(b, loc, vector::CombiningKind::OR,
                                  arith::OrIOp::create(b, loc, low, high));
  auto branch = scf::IfOp::create(b, loc, broken, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  std::string name = layerName(loc);
  for (int64_t lane = 0; lane < type.getNumElements(); ++lane) {
    Value value = vector::ExtractOp::create(b, loc, values, lane);
    Value channel = arith::AddIOp::create(
        b, loc, site.channel, arith::ConstantIndexOp::create(b, loc, lane));
    emitScalarCheck(b, loc, name, channel, site.stage, value, site.promise);
  }
}

/// lo <= element <= hi for every element of an argument; per index along an
/// axis where the ranges are.
static void emitElementChecks(OpBuilder &b, BlockArgument argument,
                              const ElementRanges &ranges, bool isUnsigned) {
  Location loc = argument.getLoc();
  auto type = cast<RankedTensorType>(argument.getType());
  Value codes = getQuantizedType(type) ? toCodes(b, argument) : argument;
  std::string name = "argument " + std::to_string(argument.getArgNumber());
  SmallVector<Value> los, his, steps;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    los.push_back(arith::ConstantIndexOp::create(b, loc, 0));
    steps.push_back(arith::ConstantIndexOp::create(b, loc, 1));
    his.push_back(tensor::DimOp::create(b, loc, codes, d));
  }
  auto body = [&](OpBuilder &b, Location loc, ValueRange indices) {
    Value value = tensor::ExtractOp::create(b, loc, codes, indices);
    Type wide = b.getI64Type();
    if (value.getType() != wide && isUnsigned)
      value = arith::ExtUIOp::create(b, loc, wide, value);
    else if (value.getType() != wide)
      value = arith::ExtSIOp::create(b, loc, wide, value);
    Value element = arith::ConstantIndexOp::create(b, loc, 0);
    for (auto [index, size] : llvm::zip(indices, his)) {
      element = arith::MulIOp::create(b, loc, element, size);
      element = arith::AddIOp::create(b, loc, element, index);
    }
    if (ranges.isUniform()) {
      a2q::Range range = ranges.ranges.front();
      emitScalarCheck(b, loc, name, element, -1, value, {range.lo, range.hi});
      return;
    }
    for (auto [at, range] : llvm::enumerate(ranges.ranges)) {
      Value isHere = arith::CmpIOp::create(
          b, loc, arith::CmpIPredicate::eq, indices[ranges.axis],
          arith::ConstantIndexOp::create(b, loc, at));
      auto branch = scf::IfOp::create(b, loc, isHere, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      emitScalarCheck(b, loc, name, element, -1, value, {range.lo, range.hi});
    }
  };
  scf::buildLoopNest(b, loc, los, his, steps, body);
}

LogicalResult a2q::emitArgumentChecks(Operation *op) {
  auto function = cast<func::FuncOp>(op);
  if (function.isExternal())
    return success();
  OpBuilder b(&function.getBody().front(), function.getBody().front().begin());
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    Attribute attr =
        function.getArgAttr(number, A2QDialect::getRangeAttrName());
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!attr || !type)
      continue;
    FailureOr<ElementRanges> ranges = parseRangeAttr(
        attr, type, [&] { return function.emitOpError("argument "); });
    if (failed(ranges))
      return failure();
    quant::QuantizedType quantized = getQuantizedType(type);
    bool isUnsigned = quantized
                          ? !quantized.isSigned()
                          : static_cast<bool>(function.getArgAttr(
                                number, A2QDialect::getUnsignedAttrName()));
    emitElementChecks(b, argument, *ranges, isUnsigned);
  }
  return success();
}
