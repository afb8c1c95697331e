//===- Slice.cpp - A part of a network as a program -----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Calibration/Slice.h"

#include "a2q/Execution/ObjectFile.h"
#include "a2q/Execution/Target.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/Pipelines/ToLLVM.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace a2q;

namespace {

/// The ops of a slice in program order, and the values that it begins with.
struct Cut {
  SmallVector<Operation *> ops;
  SmallVector<Value> inputs;
};

} // namespace

static FailureOr<Cut> cut(ArrayRef<Value> available, ArrayRef<Value> outputs) {
  llvm::SmallDenseSet<Value> known(available.begin(), available.end());
  llvm::SetVector<Value> inputs;
  llvm::SetVector<Operation *> ops;
  SmallVector<Value> wanted(outputs.begin(), outputs.end());
  while (!wanted.empty()) {
    Value value = wanted.pop_back_val();
    if (known.contains(value)) {
      inputs.insert(value);
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return emitError(value.getLoc())
             << "a value of the network depends on control flow: only straight "
                "line networks can be calibrated";
    if (!ops.insert(op))
      continue;
    llvm::append_range(wanted, op->getOperands());
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    llvm::append_range(wanted, captured);
  }
  Cut result{ops.takeVector(), {}};
  Value first = outputs.front();
  Block *block = first.getParentBlock();
  for (Operation *op : result.ops)
    if (op->getBlock() != block)
      return op->emitError("is inside of another op: only layers of the "
                           "network's own block can be calibrated");
  llvm::sort(result.ops,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  // The order of the available values, not that of the search.
  for (Value value : available)
    if (inputs.remove(value))
      result.inputs.push_back(value);
  return result;
}

/// Attributes of an argument that stands for a value: what is proven of it in
/// the network, where proofs of the slice's layers were made.
static DictionaryAttr argumentAttrs(Value value, const RangeAnalysis &ranges) {
  Builder builder(value.getContext());
  NamedAttrList attrs;
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (auto function =
            dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()))
      attrs = NamedAttrList(function.getArgAttrDict(argument.getArgNumber()));
  bool isUnsigned = attrs.get(A2QDialect::getUnsignedAttrName()) != nullptr;
  if (!attrs.get(A2QDialect::getRangeAttrName()))
    if (std::optional<ElementRanges> range = ranges.lookup(value, isUnsigned))
      attrs.set(A2QDialect::getRangeAttrName(),
                rangeAttr(value.getContext(), *range));
  return attrs.getDictionary(value.getContext());
}

/// Sums become integers that programs can return.
static Value decoded(OpBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  auto sum = dyn_cast<AccumulatorType>(type.getElementType());
  if (!sum)
    return value;
  Type integer = builder.getIntegerType(sum.getWidth() <= 32 ? 32 : 64);
  return DecodeOp::create(builder, value.getLoc(), type.clone(integer), value);
}

static OwningOpRef<ModuleOp> build(const Cut &cut, ArrayRef<Value> outputs,
                                   const RangeAnalysis &ranges) {
  Location loc = outputs.front().getLoc();
  MLIRContext *context = loc.getContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  auto types = llvm::map_to_vector(cut.inputs,
                                   [](Value value) { return value.getType(); });
  auto function = func::FuncOp::create(builder, loc, "slice",
                                       builder.getFunctionType(types, {}));
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  IRMapping mapping;
  for (auto [index, value] : llvm::enumerate(cut.inputs)) {
    mapping.map(value, body->getArgument(index));
    function.setArgAttrs(index, argumentAttrs(value, ranges));
  }
  for (Operation *op : cut.ops)
    builder.clone(*op, mapping);
  SmallVector<Value> results;
  for (Value value : outputs)
    results.push_back(decoded(builder, mapping.lookup(value)));
  func::ReturnOp::create(builder, loc, results);
  function.setType(FunctionType::get(context, types, ValueRange(results)));
  return module;
}

FailureOr<Slice> Slice::compile(ArrayRef<Value> available,
                                ArrayRef<Value> outputs,
                                const RangeAnalysis &ranges) {
  FailureOr<Cut> part = cut(available, outputs);
  if (failed(part))
    return failure();
  OwningOpRef<ModuleOp> module = build(*part, outputs, ranges);
  FailureOr<Signature> signature = a2q::getSignature(*module);
  if (failed(signature))
    return failure();
  CpuTarget target = CpuTarget::host();
  PassManager pm(module->getContext());
  ToLLVMOptions options;
  options.isa = target.bestIsa().str();
  buildToLLVMPipeline(pm, options);
  if (failed(pm.run(*module)))
    return failure();
  Location loc = module->getLoc();
  auto fail = [&](llvm::Error error) {
    return emitError(loc) << "calibration cannot run the network: "
                          << llvm::toString(std::move(error));
  };
  auto object = compileToObject(*module, target, CodeEffort::Quick);
  if (!object)
    return fail(object.takeError());
  llvm::Expected<Program> program = Program::load(std::move(*object), "model");
  if (!program)
    return fail(program.takeError());
  return Slice(std::move(*program), std::move(*signature),
               std::move(part->inputs), loc);
}

LogicalResult Slice::run(ArrayRef<const void *> from, ArrayRef<void *> to) {
  if (int status = program.run(from, to))
    return emitError(loc) << Program::describe(status);
  return success();
}
