//===- Ranges.cpp - Ranges of the integers in a module --------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Ranges.h"

#include "RangeState.h"
#include "Transfer.h"
#include "a2q/IR/A2QDialect.h"

#include "mlir/Analysis/DataFlow/DeadCodeAnalysis.h"
#include "mlir/Analysis/DataFlow/SparseAnalysis.h"
#include "mlir/Analysis/DataFlow/Utils.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace a2q;

namespace {
/// Ranges along the edges of control flow and calls, which the framework
/// follows; what an op does with them is in Transfer.h.
class ElementRangeAnalysis
    : public dataflow::SparseForwardDataFlowAnalysis<RangeLattice> {
public:
  using SparseForwardDataFlowAnalysis::SparseForwardDataFlowAnalysis;

  LogicalResult initialize(Operation *top) override {
    collectCallers(top);
    return SparseForwardDataFlowAnalysis::initialize(top);
  }

  void setToEntryState(RangeLattice *lattice) override {
    Value value = lattice->getAnchor();
    auto join = [&](const RangeState &state) {
      propagateIfChanged(lattice, lattice->joinState(state));
    };
    auto argument = dyn_cast<BlockArgument>(value);
    Operation *parent = argument && argument.getOwner()->isEntryBlock()
                            ? argument.getOwner()->getParentOp()
                            : nullptr;
    if (indirect.contains(parent))
      return join(RangeState::ofType(value.getType()));
    join(RangeState::onEntry(value));
    // The framework leaves out the callers that it sees when others exist.
    ProgramPoint *point =
        parent ? getProgramPointBefore(argument.getOwner()) : nullptr;
    for (CallOpInterface call : callers.lookup(parent))
      if (argument.getArgNumber() < call.getArgOperands().size())
        join(getLatticeElementFor(
                 point, call.getArgOperands()[argument.getArgNumber()])
                 ->getValue());
  }

  LogicalResult visitOperation(Operation *op,
                               ArrayRef<const RangeLattice *> operands,
                               ArrayRef<RangeLattice *> results) override {
    if (results.empty())
      return success();
    // What has not been visited comes later, or is dead.
    for (const RangeLattice *operand : operands)
      if (operand->getValue().isUninitialized())
        return success();
    auto states = [&](Value value) -> const RangeState & {
      return getLatticeElementFor(getProgramPointAfter(op), value)->getValue();
    };
    for (auto [lattice, state] : llvm::zip_equal(results, transfer(op, states)))
      propagateIfChanged(lattice, lattice->joinState(state));
    return success();
  }

private:
  /// Who passes arguments to functions whose ranges are promised.
  void collectCallers(Operation *top) {
    top->walk([&](FunctionOpInterface function) {
      bool promised = false;
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        promised |=
            bool(function.getArgAttr(i, A2QDialect::getRangeAttrName()));
      if (!promised)
        return;
      auto uses = SymbolTable::getSymbolUses(function, top);
      if (!uses) {
        indirect.insert(function);
        return;
      }
      for (SymbolTable::SymbolUse use : *uses) {
        auto call = dyn_cast<CallOpInterface>(use.getUser());
        if (call && call.resolveCallable() == function)
          callers[function].push_back(call);
        else
          indirect.insert(function);
      }
    });
  }

  /// Facts are of a shape and an order of elements, so no family passes them
  /// on with a state: `transferFact` says which survive.
  static SmallVector<RangeState, 1> transfer(Operation *op,
                                             StateLookup states) {
    SmallVector<RangeState, 1> results = transferRanges(op, states);
    for (auto [index, state] : llvm::enumerate(results)) {
      state.setFact(nullptr);
      if (index == 0 && results.size() == 1 && !state.isUninitialized())
        setFact(op, state, transferFact(op, states));
    }
    return results;
  }

  static SmallVector<RangeState, 1> transferRanges(Operation *op,
                                                   StateLookup states) {
    for (auto family : {transferQuantized, transferMoves, transferLinalg,
                        transferReal, transferTosa})
      if (Results results = family(op, states))
        return *results;
    return transferScalar(op, states);
  }

  DenseMap<Operation *, SmallVector<CallOpInterface>> callers;
  /// Functions that more than calls refer to: anyone may call them.
  DenseSet<Operation *> indirect;
};
} // namespace

SmallVector<RangeState, 1> a2q::resultsOfTypes(Operation *op) {
  SmallVector<RangeState, 1> results;
  for (Type type : op->getResultTypes())
    results.push_back(RangeState::ofType(type));
  return results;
}

struct RangeAnalysis::Impl {
  DataFlowSolver solver;
};

RangeAnalysis::RangeAnalysis(Operation *root) : impl(new Impl) {
  while (Operation *parent = root->getParentOp())
    root = parent;
  dataflow::loadBaselineAnalyses(impl->solver);
  impl->solver.load<ElementRangeAnalysis>();
  // It fails only where an analysis refuses an op, and none of these does.
  if (failed(impl->solver.initializeAndRun(root)))
    impl.reset();
}

RangeAnalysis::~RangeAnalysis() = default;

const AxisFact *RangeAnalysis::lookupFact(Value value) const {
  auto *lattice =
      impl ? impl->solver.lookupState<RangeLattice>(value) : nullptr;
  return lattice ? lattice->getValue().getFact().get() : nullptr;
}

std::optional<ElementRanges>
RangeAnalysis::lookup(Value value, bool unsignedSignless) const {
  RangeState state = RangeState::ofType(value.getType());
  if (impl)
    if (auto *lattice = impl->solver.lookupState<RangeLattice>(value);
        lattice && !lattice->getValue().isUninitialized())
      state = lattice->getValue();
  if (isa<AccumulatorType>(getElementTypeOrSelf(value.getType())) &&
      state == RangeState::ofType(value.getType()))
    return std::nullopt;
  return state.toRanges(readsSigned(value.getType(), unsignedSignless));
}
