//===- ShareLoops.cpp - Loops of kernels among threads ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/ParallelLoops.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace a2q {
#define GEN_PASS_DEF_A2QSHARELOOPS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

namespace {

/// Operations of a loop below which threads cost more than they save: some ten
/// microseconds of vector code.
constexpr int64_t leastWork = 50000;

std::optional<int64_t> countTrips(scf::ForOp loop) {
  std::optional<int64_t> lo = getConstantIntValue(loop.getLowerBound()),
                         hi = getConstantIntValue(loop.getUpperBound()),
                         step = getConstantIntValue(loop.getStep());
  if (!lo || !hi || !step || *step <= 0)
    return std::nullopt;
  return std::max<int64_t>(0, llvm::divideCeilSigned(*hi - *lo, *step));
}

/// Operations that a region executes, roughly.
int64_t countWork(Region &region) {
  int64_t work = 0;
  for (Operation &op : region.getOps()) {
    int64_t inside = 1;
    for (Region &nested : op.getRegions())
      inside += countWork(nested);
    // Trips that are not known are those of the steps in a tile: several.
    if (auto loop = dyn_cast<scf::ForOp>(op))
      inside *= countTrips(loop).value_or(8);
    work += inside;
  }
  return work;
}

bool isMarked(scf::ForOp loop) { return loop->hasAttr(a2q::parallelAttrName); }

struct ShareLoops : a2q::impl::A2QShareLoopsBase<ShareLoops> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<scf::ForOp> chosen;
    if (threads > 1)
      getOperation().walk<WalkOrder::PreOrder>([&](scf::ForOp loop) {
        if (!isMarked(loop) || !isWorthwhile(loop))
          return WalkResult::advance();
        chosen.push_back(loop);
        return WalkResult::skip();
      });
    for (scf::ForOp loop : chosen)
      share(loop);
    getOperation().walk(
        [](scf::ForOp loop) { loop->removeAttr(a2q::parallelAttrName); });
  }

  /// Whether the trips of this loop, rather than of one inside, are shared.
  bool isWorthwhile(scf::ForOp loop) {
    std::optional<int64_t> trips = countTrips(loop);
    // What is carried orders the trips, and a buffer of a trip would be that
    // of all threads.
    if (!trips || *trips < 2 || loop.getNumResults() != 0 || allocates(loop))
      return false;
    if (*trips * countWork(loop.getRegion()) < leastWork)
      return false;
    if (*trips % threads == 0 || *trips >= 4 * static_cast<int64_t>(threads))
      return true;
    // Some threads would idle: is there a loop with more trips inside?
    bool isInnermost = true;
    loop.getBody()->walk(
        [&](scf::ForOp inner) { isInnermost &= !isMarked(inner); });
    return isInnermost;
  }

  bool allocates(scf::ForOp loop) {
    return loop
        .walk([](Operation *op) {
          return isa<memref::AllocOp, memref::AllocaOp>(op)
                     ? WalkResult::interrupt()
                     : WalkResult::advance();
        })
        .wasInterrupted();
  }

  void share(scf::ForOp loop) {
    OpBuilder b(loop);
    auto parallel = scf::ParallelOp::create(
        b, loop.getLoc(), ValueRange(loop.getLowerBound()),
        ValueRange(loop.getUpperBound()), ValueRange(loop.getStep()));
    Block *from = loop.getBody(), *to = parallel.getBody();
    from->getTerminator()->erase();
    to->getOperations().splice(to->getTerminator()->getIterator(),
                               from->getOperations());
    loop.getInductionVar().replaceAllUsesWith(
        parallel.getInductionVars().front());
    loop.erase();
  }
};

} // namespace
