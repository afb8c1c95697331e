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
#include "a2q/IR/A2QOps.h"

#include "mlir/Analysis/DataFlow/DeadCodeAnalysis.h"
#include "mlir/Analysis/DataFlow/SparseAnalysis.h"
#include "mlir/Analysis/DataFlow/Utils.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// RangeCache
//===----------------------------------------------------------------------===//

namespace {
/// All that the sums of an op depend on: it, what it reads, and what is known
/// of that. Codes of weights are constants, which are never changed in place.
struct SumInputs {
  OperationName name;
  DictionaryAttr attributes;
  Type result;
  SmallVector<Type> types;
  SmallVector<Attribute> constants;
  SmallVector<RangeState> states;

  static SumInputs of(Operation *op, StateLookup states) {
    SumInputs inputs = {op->getName(),
                        op->getAttrDictionary(),
                        op->getResult(0).getType(),
                        {},
                        {},
                        {}};
    for (Value operand : op->getOperands()) {
      inputs.types.push_back(operand.getType());
      inputs.states.push_back(states(operand));
      if (auto cast = operand.getDefiningOp<quant::StorageCastOp>())
        operand = cast.getInput();
      Attribute &constant = inputs.constants.emplace_back();
      matchPattern(operand, m_Constant(&constant));
    }
    return inputs;
  }
  bool operator==(const SumInputs &other) const = default;
};
} // namespace

struct RangeCache::Impl {
  DenseMap<std::pair<Attribute, Type>, RangeState> constants;
  /// The last sums of each op, whose place another op may have taken.
  DenseMap<Operation *, std::pair<SumInputs, RangeState>> sums;

  /// `compute(op)`, or what it gave before.
  template <typename Compute>
  SmallVector<RangeState, 1> transfer(Operation *op, StateLookup states,
                                      Compute compute) {
    Attribute constant;
    if (op->hasTrait<OpTrait::ConstantLike>() && op->getNumResults() == 1 &&
        matchPattern(op, m_Constant(&constant))) {
      auto [entry, isNew] = constants.try_emplace(
          std::pair(constant, op->getResult(0).getType()));
      if (isNew)
        entry->second = compute().front();
      return {entry->second};
    }
    if (!isa<MatmulOp, Conv2DOp>(op))
      return compute();
    SumInputs inputs = SumInputs::of(op, states);
    auto entry = sums.find(op);
    if (entry != sums.end() && entry->second.first == inputs)
      return {entry->second.second};
    SmallVector<RangeState, 1> results = compute();
    if (!results.front().isUninitialized())
      sums.insert_or_assign(op, std::pair(std::move(inputs), results.front()));
    return results;
  }
};

RangeCache::RangeCache(Operation *) : impl(new Impl) {}

RangeCache::~RangeCache() = default;

//===----------------------------------------------------------------------===//
// The data flow
//===----------------------------------------------------------------------===//

namespace {
/// Ranges along the edges of control flow and calls, which the framework
/// follows; what an op does with them is in Transfer.h.
class ElementRangeAnalysis
    : public dataflow::SparseForwardDataFlowAnalysis<RangeLattice> {
public:
  ElementRangeAnalysis(DataFlowSolver &solver, RangeCache *cache)
      : SparseForwardDataFlowAnalysis(solver), cache(cache) {}

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
  SmallVector<RangeState, 1> transfer(Operation *op, StateLookup states) {
    auto compute = [&] { return transferRanges(op, states); };
    SmallVector<RangeState, 1> results =
        cache ? cache->get().transfer(op, states, compute) : compute();
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

  RangeCache *cache;
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

RangeAnalysis::RangeAnalysis(Operation *root, RangeCache *cache)
    : impl(new Impl) {
  while (Operation *parent = root->getParentOp())
    root = parent;
  dataflow::loadBaselineAnalyses(impl->solver);
  impl->solver.load<ElementRangeAnalysis>(cache);
  // It fails only where an analysis refuses an op, and none of these does.
  if (failed(impl->solver.initializeAndRun(root)))
    impl.reset();
}

RangeAnalysis::RangeAnalysis(Operation *root)
    : RangeAnalysis(root, /*cache=*/nullptr) {}

RangeAnalysis::RangeAnalysis(Operation *root, RangeCache &cache)
    : RangeAnalysis(root, &cache) {}

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
