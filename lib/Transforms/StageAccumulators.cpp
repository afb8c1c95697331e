//===- StageAccumulators.cpp - Narrow accumulators without loss -----------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer whose sums need 19 bits can still do most of its work in 16: products
// go into a 16-bit accumulator as long as nothing can overflow, then that
// accumulator is widened, added to a 32-bit one, and begins anew. Twice as many
// 16-bit lanes as 32-bit lanes fit a vector, and the widening is rare. How rare
// is decided here, once, at compile time, by the weights themselves.
//
// Worked example. Two channels of six terms, codes in [0, 15], inner = 8:
//
//     channel 0:   7   1  -4 |  6   5  -3
//     channel 1:  -2   3   1 | -7  -4   6
//
// An 8-bit accumulator holds [-128, 127], a span of 255, which is 17 units of
// weight times 15. From start 0 channel 0 holds 7 + 1 = 8 positive units, 120,
// and -4 negative ones, -60: it fits after three terms, and the fourth term
// would make it 14 * 15 = 210. Channel 1 would still have room, but the
// channels of an op share their tile ends (they run in the lanes of one vector,
// through one loop), so the tile ends for both. In the second tile channel 0
// holds [-45, 165]: too much from 0, but its span of 210 fits a register that
// begins at -60, and then holds [-105, 105]. Channel 1 holds [-165, 90] and
// begins at 37: [-128, 127], to the last value. From start 0 the op would have
// three tiles.
//
// Two tiles, then, and what they hand over (starts left in) is summed in the
// outer accumulator: channel 0 hands [-60, 120] and [-105, 105], a sum in
// [-165, 225], which needs 9 bits and gets a 16-bit register. The result:
//
//     schedule <ends = [[3, 6], [6]], starts = [dense<...> : 2x2x1, 0]>
//     !a2q.acc<8 x 3, 9>
//
// Why greedy. A tile's interval only grows with the tile, so ending each tile
// as late as possible never forces a later tile to end earlier: no cut of the
// same order has fewer tiles. Another *order* can have fewer, because it
// balances large weights over tiles; the pass keeps the order that it finds in
// the op's schedule and leaves the choice of one to whoever packs the weights.
//
// Why the type says 9 and not 16. A type carries what was proven. The register
// is the lowering's choice, and checks against the type are then as sharp as
// the proof.
//
// The rival is to change the model: retrain it until its weights meet a budget
// (A2Q and its kin), or lower its precision. That buys accumulators without any
// spill, and costs accuracy. Staging costs a few widenings and changes nothing:
// it is what to do first, and for 4-bit networks in 16-bit accumulators it is
// often all there is to do. The data-type rule of AXE (arXiv 2409.17092,
// section 3.3) stages as well, but knows only bit widths: of 4-bit weights and
// codes it admits not one product into 8 bits.
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/Accumulators.h"
#include "a2q/Analysis/Report.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/Transforms/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace a2q {
#define GEN_PASS_DEF_A2QSTAGEACCUMULATORS
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

namespace {
/// A schedule and the width that its innermost tiles were cut for.
struct Staging {
  Schedule schedule;
  unsigned inner = 0;
  /// The channel whose products do not fit what was asked for, if any.
  std::optional<int64_t> misfit;
};

struct StageAccumulators
    : a2q::impl::A2QStageAccumulatorsBase<StageAccumulators> {
  using A2QStageAccumulatorsBase::A2QStageAccumulatorsBase;

  void runOnOperation() override;

private:
  LogicalResult checkOptions();
  LogicalResult stage(AccumulatingOpInterface op, const RangeAnalysis &ranges);
  std::optional<Staging> choose(const AccumulationProblem &problem);
  void tell(AccumulatingOpInterface op, AccumulatorType type,
            const Staging &staging);
};
} // namespace

LogicalResult StageAccumulators::checkOptions() {
  if (inner.getValue() < 2 || inner.getValue() > 64)
    return getOperation()->emitError()
           << "the inner width is from 2 to 64 bits, found "
           << inner.getValue();
  if (granularity.getValue() < 1)
    return getOperation()->emitError()
           << "the granularity is at least 1 term, found "
           << granularity.getValue();
  return success();
}

/// Tries the width that was asked for, then the machine widths above it.
std::optional<Staging>
StageAccumulators::choose(const AccumulationProblem &problem) {
  Staging staging;
  for (unsigned width : {inner.getValue(), 8u, 16u, 32u, 64u}) {
    if (width < inner || (width == inner && staging.misfit))
      continue;
    int64_t misfit = 0;
    if (auto schedule = stageLosslessly(problem, width, granularity, &misfit)) {
      staging.schedule = std::move(*schedule);
      staging.inner = width;
      return staging;
    }
    if (!staging.misfit)
      staging.misfit = misfit;
  }
  return std::nullopt;
}

/// The type that says what the schedule needs. Widths do not decrease outwards:
/// a stage may need fewer bits than the one inside it, never has fewer.
static AccumulatorType provenType(MLIRContext *context,
                                  const AccumulationProblem &problem,
                                  const Schedule &schedule) {
  SmallVector<AccumulatorStage> stages;
  unsigned width = 1;
  for (auto [need, stage] :
       llvm::zip(proveSchedule(problem, schedule), schedule.stages)) {
    width = std::max(width, need.prefixWidth);
    bool outermost = &stage == &schedule.stages.back();
    stages.push_back({width, outermost ? 0 : stage.longestTile()});
  }
  return AccumulatorType::get(context, stages, /*wrap=*/false);
}

/// Products of two activations are alike in all channels, and one stands for
/// them in the proof; the attribute has the starts of each.
static void repeatStarts(Schedule &schedule, int64_t channels) {
  for (StageSchedule &stage : schedule.stages) {
    std::vector<int64_t> one = stage.starts;
    for (int64_t channel = 1; channel < channels && !one.empty(); ++channel)
      stage.starts.insert(stage.starts.end(), one.begin(), one.end());
  }
}

static bool isTrivial(const Schedule &schedule) {
  return schedule.order.empty() && schedule.stages.size() == 1 &&
         schedule.stages.front().starts.empty();
}

/// The type of a sum must be free to change: only these two read any.
static LogicalResult checkUsers(AccumulatingOpInterface op) {
  for (Operation *user : op->getResult(0).getUsers())
    if (!isa<RequantizeOp, DecodeOp>(user))
      return op.emitError() << "the accumulator cannot be staged: '"
                            << user->getName() << "' fixes its type";
  return success();
}

/// Leaves what was decided, for remarks and the report.
void StageAccumulators::tell(AccumulatingOpInterface op, AccumulatorType type,
                             const Staging &staging) {
  std::string note;
  if (staging.misfit)
    note = llvm::formatv("inner accumulators have {0} bits: {1} of channel {2} "
                         "do not fit the {3} bits asked for",
                         staging.inner,
                         granularity == 1
                             ? std::string("single products")
                             : llvm::formatv("{0} products", granularity).str(),
                         *staging.misfit, inner.getValue());
  setNote(op, "stage", note);
  const StageSchedule &innermost = staging.schedule.stages.front();
  remark::passed(op.getLoc(), remark::RemarkOpts::name("stage").category(
                                  "a2q-stage-accumulators"))
      << llvm::formatv("{0}: {1} tiles of at most {2} terms{3}{4}", type,
                       innermost.tiles(), innermost.longestTile(),
                       note.empty() ? "" : "; ", note)
             .str();
}

LogicalResult StageAccumulators::stage(AccumulatingOpInterface op,
                                       const RangeAnalysis &ranges) {
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "the accumulator cannot be staged: " << reason;
  if (failed(checkUsers(op)))
    return failure();

  std::vector<int64_t> order = layer->schedule().order;
  AccumulationProblem problem = reorder(layer->problem, order);
  std::optional<Staging> staging = choose(problem);
  if (!staging)
    return op.emitError() << "the accumulator cannot be staged: its sums do "
                             "not fit 64 bits";
  staging->schedule.order = std::move(order);

  AccumulatorType type = provenType(&getContext(), problem, staging->schedule);
  ScheduleAttr schedule;
  if (!isTrivial(staging->schedule)) {
    int64_t channels = op.getNumChannels().value_or(1);
    if (!layer->constantWeights)
      repeatStarts(staging->schedule, channels);
    schedule = ScheduleAttr::get(&getContext(), staging->schedule, channels);
  }
  IRRewriter rewriter(op);
  if (failed(op.rebuildWithAccumulator(rewriter, type, schedule)))
    return op.emitError() << "cannot hold the accumulator " << type;
  tell(op, type, *staging);
  return success();
}

void StageAccumulators::runOnOperation() {
  if (failed(checkOptions()))
    return signalPassFailure();
  RangeAnalysis ranges(getOperation(), getAnalysis<RangeCache>());
  SmallVector<AccumulatingOpInterface> ops;
  getOperation()->walk([&](AccumulatingOpInterface op) {
    if (op.isAccumulating() && isa<AccumulatorType>(op.getAccumulatorType()))
      ops.push_back(op);
  });
  for (AccumulatingOpInterface op : ops)
    if (failed(stage(op, ranges)))
      return signalPassFailure();
}
