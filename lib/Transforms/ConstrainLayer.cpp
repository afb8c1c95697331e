//===- ConstrainLayer.cpp - Weights of one layer that fit -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/ConstrainLayer.h"

#include "ChooseWeights.h"
#include "FollowWeights.h"
#include "ReplaceWeights.h"
#include "a2q/Analysis/Report.h"
#include "a2q/IR/QuantTypes.h"
#include "a2q/Math/Centring.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace a2q;

FailureOr<ConstraintSpec> a2q::constraintOf(AccumulatingOpInterface op,
                                            const ConstraintSpec &all,
                                            DictionaryAttr entries) {
  ConstraintSpec result = all;
  auto emitError = [&] { return op.emitError(); };
  auto own =
      op->getAttrOfType<DictionaryAttr>(A2QDialect::getConstrainAttrName());
  if ((own && failed(result.override(own, emitError))) ||
      (entries && failed(result.override(entries, emitError))) ||
      failed(result.verify(emitError)))
    return failure();
  return result;
}

//===----------------------------------------------------------------------===//
// What stands in the way
//===----------------------------------------------------------------------===//

/// An initial value is in units of the weights' scale.
static bool hasInitial(const AccumulatingOp &layer) {
  return !layer.problem.initial.empty();
}

static bool hasZeroPoint(AccumulatingOpInterface op) {
  return zeroPoint(getQuantizedType(op.getActivations().getType())) != 0;
}

/// Types of sums must be free to change: only these two read any accumulator.
static LogicalResult checkUsers(AccumulatingOpInterface op) {
  for (Operation *user : op->getResult(0).getUsers())
    if (!isa<RequantizeOp, DecodeOp>(user))
      return op.emitError() << "the accumulator cannot change: '"
                            << user->getName() << "' fixes its type";
  return success();
}

/// Says that a sum of products of two activations stays what it is.
static void leaveProducts(AccumulatingOpInterface op) {
  StringRef note = "not constrained: products of two activations have no "
                   "weights";
  setNote(op, "constrain", note);
  remark::missed(
      op.getLoc(),
      remark::RemarkOpts::name("constrain").category("a2q-constrain-weights"))
      << note;
}

/// The layer, if its weights can be replaced.
static FailureOr<AccumulatingOp> analyze(AccumulatingOpInterface op,
                                         const RangeAnalysis &ranges) {
  if (!isa<MatmulOp, Conv2DOp>(op.getOperation()))
    return op.emitError("weights cannot be changed: only a2q.matmul and "
                        "a2q.conv_2d keep them as codes");
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "weights cannot be constrained: " << reason;
  if (layer->constantWeights && hasOwnableWeights(op))
    return layer;
  InFlightDiagnostic error =
      op.emitError("weights cannot be constrained: they are not constants");
  error.attachNote(op.getWeights().getLoc())
      << "a2q-stage-accumulators narrows accumulators of any product, and "
         "a2q.constrain = {skip} leaves a layer alone";
  return error;
}

/// A method with error feedback needs to know how inputs vary together.
static LogicalResult checkMoments(AccumulatingOpInterface op,
                                  const ConstraintMethod &method,
                                  const LayerStatistics &statistics) {
  if (!method.needsMoments() || statistics.hasMoments())
    return success();
  InFlightDiagnostic error = op.emitError();
  error << "method '" << StringRef(method.name)
        << "' needs the moments of the layer's inputs"
        << (statistics.hasDiagonals() ? ", and a2q.moments has the diagonal of "
                                        "their products only"
                                      : "");
  error.attachNote()
      << "a2q-quantize collects them, and with --moments keeps them in the "
         "attribute a2q.moments; optimal is the best method that needs none";
  return error;
}

/// The goal of one layer: where scales cannot change, the method that keeps
/// them.
static FailureOr<Goal> goalOf(const AccumulatingOp &layer,
                              const ConstraintSpec &constraint,
                              const LayerStatistics &statistics) {
  Goal goal = {&constraint.getMethod(), constraint.width, constraint.getBound(),
               constraint.tile};
  AccumulatingOpInterface op = layer.op;
  if (failed(checkMoments(op, *goal.method, statistics)))
    return failure();
  Operation *reader = cannotFollow(op, hasZeroPoint(op), /*scale=*/true);
  if (!goal.method->changesScale || (!reader && !hasInitial(layer)))
    return goal;
  if (!goal.method->fixedScale.empty()) {
    goal.method = lookupConstraintMethod(goal.method->fixedScale);
    return goal;
  }
  InFlightDiagnostic error = op.emitError();
  error << "method '" << constraint.method
        << "' changes the scale of weights, and ";
  if (reader)
    error << "'" << reader->getName() << "' cannot follow it";
  else
    error << "the initial value cannot follow it";
  error.attachNote()
      << "an f32 multiplier of a2q.requantize can, and constant scales of "
         "floats; optimal-fixed-scale keeps the scale";
  return error;
}

/// Real weights, if there are any, are numbers, one per code.
static LogicalResult checkReals(const AccumulatingOp &layer,
                                std::span<const double> reals) {
  AccumulatingOpInterface op = layer.op;
  if (!reals.empty() && reals.size() != layer.problem.weights.size())
    return op.emitError() << "found " << reals.size()
                          << " real weights, the op has "
                          << layer.problem.weights.size();
  size_t bad = firstNonFinite(reals);
  if (bad == reals.size())
    return success();
  return op.emitError() << "weight " << bad % layer.problem.length
                        << " of channel " << bad / layer.problem.length
                        << " is no finite number";
}

//===----------------------------------------------------------------------===//
// Accumulators
//===----------------------------------------------------------------------===//

/// The innermost stage begins at the centre where its tile fits from there
/// only.
static void centre(const AccumulationProblem &problem, const Goal &goal,
                   Schedule &schedule) {
  if (goal.bound != Bound::Centred)
    return;
  StageSchedule &stage = schedule.stages.front();
  std::vector<int64_t> starts;
  for (int64_t channel = 0; channel < problem.channels; ++channel)
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      Interval held =
          accumulatorInterval(problem, schedule, channel, 0, tile, 0);
      bool fits = signedWidth(held) <= goal.width;
      starts.push_back(fits ? 0 : static_cast<int64_t>(centredStart(held)));
    }
  if (llvm::any_of(starts, [](int64_t start) { return start != 0; }))
    stage.starts = std::move(starts);
}

namespace {
struct Accumulator {
  Schedule schedule;
  AccumulatorType type;
};
} // namespace

static LogicalResult tooWide(AccumulatingOpInterface op, int64_t channel,
                             unsigned needed, unsigned width) {
  InFlightDiagnostic error = op.emitError()
                             << "channel " << channel << " needs " << needed
                             << " bits after its weights were constrained, the "
                                "accumulator has "
                             << width;
  error.attachNote() << "weights are held to the budget, an initial value is "
                        "not: it belongs to the bias of a2q.requantize";
  return error;
}

/// Bits that what reads the sums has for them.
static unsigned roomForSums(AccumulatingOpInterface op) {
  unsigned room = 64;
  for (Operation *user : op->getResult(0).getUsers())
    if (auto decode = dyn_cast<DecodeOp>(user))
      room = std::min(
          room, cast<TensorType>(decode.getType()).getElementTypeBitWidth());
  return room;
}

/// The width of the outermost accumulator, which needs `need`: that of the
/// goal, or less where sums are read as narrower integers and are proven to
/// fit.
static FailureOr<unsigned> outerWidth(const AccumulatingOp &layer,
                                      const Goal &goal, const StageNeed &need) {
  AccumulatingOpInterface op = layer.op;
  unsigned room = roomForSums(op), most = need.prefixWidth;
  int64_t worst = need.channel;
  if (room == 64 && most > room)
    return tooWide(op, worst, most, room);
  // From a start a register holds less than the sum.
  for (int64_t channel = 0; room < 64 && channel < layer.problem.channels;
       ++channel)
    if (unsigned width = signedWidth(layer.sum(channel)); width > most) {
      most = width;
      worst = channel;
    }
  if (most <= room)
    return std::max(need.prefixWidth, std::min(goal.width, room));
  InFlightDiagnostic error =
      op.emitError() << "channel " << worst << " needs " << bitsText(most)
                     << " after its weights were constrained, and "
                        "a2q.decode makes integers of "
                     << bitsText(room);
  error.attachNote() << "constrain the layer to " << room
                     << " bits at most, or decode its sums to wider integers";
  return error;
}

/// One accumulator where each whole sum fits the width; else tiles, and an
/// outer accumulator of the width that is proven for their sum.
static FailureOr<Accumulator> accumulate(const AccumulatingOp &layer,
                                         const Goal &goal) {
  AccumulatingOpInterface op = layer.op;
  MLIRContext *context = op->getContext();
  Accumulator result;
  result.schedule = Schedule::trivial(layer.problem.length);
  // Ends and starts belonged to the old weights; the order of terms stays.
  result.schedule.order = layer.schedule().order;
  AccumulationProblem problem = reorder(layer.problem, result.schedule.order);
  bool tiled = false;
  for (int64_t channel = 0; channel < problem.channels; ++channel) {
    Interval whole = wholeSum(problem, channel);
    tiled |= !goal.fits(whole);
    if (tiled && !goal.isTiled(problem.length))
      return tooWide(op, channel, goal.needs(whole), goal.width);
  }
  if (!tiled) {
    centre(problem, goal, result.schedule);
    FailureOr<unsigned> width =
        outerWidth(layer, goal, proveSchedule(problem, result.schedule).back());
    if (failed(width))
      return failure();
    result.type = AccumulatorType::get(context, *width);
    return result;
  }
  std::vector<uint32_t> ends = goal.ends(problem.length);
  StageSchedule inner;
  inner.ends.assign(ends.begin(), ends.end());
  result.schedule.stages.insert(result.schedule.stages.begin(), inner);
  centre(problem, goal, result.schedule);
  StageNeed outer = proveSchedule(problem, result.schedule).back();
  FailureOr<unsigned> width = outerWidth(layer, goal, outer);
  if (failed(width))
    return failure();
  SmallVector<AccumulatorStage> stages = {{goal.width, goal.tile}, {*width, 0}};
  result.type = AccumulatorType::get(context, stages, /*wrap=*/false);
  return result;
}

LogicalResult a2q::proveLayer(AccumulatingOpInterface op,
                              const RangeAnalysis &ranges) {
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "the accumulator cannot be proven: " << reason;
  auto type = cast<AccumulatorType>(op.getAccumulatorType());
  for (auto [need, stage] :
       llvm::zip_equal(layer->prove(layer->schedule()), type.getStages())) {
    unsigned bits = type.getWrap() ? need.finalWidth : need.prefixWidth;
    if (bits <= stage.width)
      continue;
    InFlightDiagnostic error = op.emitError();
    error << (layer->constantWeights ? "channel " + std::to_string(need.channel)
                                     : std::string("a sum of products"))
          << " needs " << bits
          << " bits once weights are constrained, the accumulator has "
          << stage.width;
    error.attachNote() << "a2q.constrain = {skip} keeps an accumulator, "
                          "whatever codes reach it; give it a wider type, or "
                          "the layer a constraint";
    return error;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Readers
//===----------------------------------------------------------------------===//

/// Brings back the statistics of the sums as far as readers can follow.
static void restore(const AccumulatingOp &layer,
                    const LayerStatistics &statistics, bool scale,
                    Change &change) {
  if (!statistics.hasDiagonals())
    return;
  change.stubborn = cannotFollow(layer.op, /*bias=*/true, /*scale=*/false);
  if (change.stubborn)
    return;
  scale &= !hasInitial(layer) &&
           !cannotFollow(layer.op, /*bias=*/true, /*scale=*/true);
  restoreSums(statistics, layer.problem.weights, scale, change);
}

/// The bits of the complete sums of all channels. Types may be wider, as an
/// importer or a goal writes them.
static unsigned sumWidth(const AccumulatingOp &layer) {
  unsigned width = 1;
  for (int64_t channel = 0; channel < layer.problem.channels; ++channel)
    width = std::max(width, signedWidth(layer.sum(channel)));
  return width;
}

/// What the sums of a layer, `width` bits each, say to what reads them.
static LogicalResult follow(const AccumulatingOp &layer, unsigned width,
                            const Change &change) {
  AccumulatingOpInterface op = layer.op;
  int64_t z = zeroPoint(getQuantizedType(op.getActivations().getType()));
  int64_t length = layer.problem.length;
  SmallVector<WeightChange> channels(layer.problem.channels);
  for (auto [channel, follow] : llvm::enumerate(channels)) {
    follow.scale = change.scales[channel];
    follow.shift = change.shifts[channel];
  }
  for (size_t i = 0; i < change.weights.size(); ++i) {
    channels[i / length].before += Wide(z) * layer.problem.weights[i];
    channels[i / length].after += Wide(z) * change.weights[i];
  }
  if (llvm::all_of(channels,
                   [](WeightChange follow) { return follow.isNothing(); }))
    return success();
  if (Operation *reader = cannotFollow(op, /*bias=*/z != 0, /*scale=*/false)) {
    InFlightDiagnostic error =
        op.emitError() << "weights cannot be changed: the activations have "
                          "zero point "
                       << z << ", and what corrects '" << reader->getName()
                       << "' for it is not known";
    error.attachNote(reader->getLoc())
        << "only the bias of a2q.requantize can follow the weights";
    return error;
  }
  return followWeights(op, width, channels);
}

/// What the sums are to have has been reached: the bias took the shift, and a
/// second correction would add it again.
static void dropTargets(AccumulatingOpInterface op) {
  StringRef name = A2QDialect::getMomentsAttrName();
  auto moments = op->getAttrOfType<MomentsAttr>(name);
  if (moments && moments.getSumMean())
    op->setAttr(name, MomentsAttr::get(op->getContext(), moments.getSamples(),
                                       moments.getMean(), moments.getProducts(),
                                       /*sum_mean=*/{}, /*sum_variance=*/{}));
}

//===----------------------------------------------------------------------===//
// Figures
//===----------------------------------------------------------------------===//

static ConstraintReport describe(const AccumulatingOp &layer, const Goal &goal,
                                 const Change &change) {
  auto count = static_cast<double>(layer.problem.weights.size());
  ConstraintReport report;
  report.method = goal.method->name;
  report.width = goal.width;
  if (goal.isTiled(layer.problem.length))
    report.tile = goal.tile;
  report.bound = a2q::toString(goal.bound);
  report.channelsChanged = change.channels;
  report.emptied = change.emptied;
  report.l1Before = static_cast<int64_t>(change.l1Before);
  report.l1After = static_cast<int64_t>(change.l1After);
  report.sparsityBefore = static_cast<double>(change.zerosBefore) / count;
  report.sparsityAfter = static_cast<double>(change.zerosAfter) / count;
  report.weightError = change.error;
  report.outputError = change.outputError;
  report.scaleMin = *llvm::min_element(change.scales);
  report.scaleMax = *llvm::max_element(change.scales);
  report.restored = change.variancesRestored ? "mean and variance"
                    : change.meansRestored   ? "mean"
                                             : "";
  return report;
}

static std::string summarize(const ConstraintReport &report, const Goal &goal,
                             const AccumulatingOp &layer,
                             const LayerStatistics &statistics,
                             const Change &change) {
  std::string note =
      llvm::formatv("constrained to {0} by {1}: {2} of {3} channels "
                    "changed, largest l1 norm {4} to {5}, sparsity "
                    "{6:F2} to {7:F2}, weight error {8:F3}",
                    goal.text(layer.problem.length), report.method,
                    report.channelsChanged, layer.problem.channels,
                    report.l1Before, report.l1After, report.sparsityBefore,
                    report.sparsityAfter, report.weightError)
          .str();
  if (report.outputError)
    note += llvm::formatv(", output error {0:F3}", *report.outputError).str();
  if (report.scaleMin != 1 || report.scaleMax != 1)
    note += llvm::formatv(", scales by {0:F2} to {1:F2}", report.scaleMin,
                          report.scaleMax)
                .str();
  if (!report.restored.empty())
    note += ", " + report.restored + " of sums restored";
  else if (change.stubborn)
    note += llvm::formatv(", statistics of sums not restored: '{0}' cannot "
                          "follow",
                          change.stubborn->getName())
                .str();
  if (goal.method->needsMoments())
    if (const Moments &moments = statistics.moments(0);
        !moments.haveEnoughSamples())
      note +=
          llvm::formatv(", damped for {0} samples of {1} inputs",
                        static_cast<int64_t>(moments.samples), moments.length)
              .str();
  if (report.emptied > 0)
    note += llvm::formatv(", {0} without any weight", report.emptied).str();
  return note;
}

/// Whether `optimal` would have nothing to add: the method rounds to the budget
/// itself, by the scale it found or had to keep.
static bool choosesNearest(const ConstraintMethod &method) {
  return method.changesScale ||
         StringRef(method.name).ends_with("-fixed-scale");
}

/// Leaves what was done on the layer, for remarks and the report.
static void tell(AccumulatingOpInterface op, const AccumulatingOp &layer,
                 const Goal &goal, const LayerStatistics &statistics,
                 const Change &change) {
  ConstraintReport report = describe(layer, goal, change);
  setConstraintReport(op, report);
  bool isNothing = change.channels == 0 && report.restored.empty();
  std::string note =
      isNothing
          ? llvm::formatv("fits {0} as it is", goal.text(layer.problem.length))
                .str()
          : summarize(report, goal, layer, statistics, change);
  if (change.emptied > 0) {
    InFlightDiagnostic warning =
        op.emitWarning() << change.emptied << " of " << layer.problem.channels
                         << (change.emptied == 1 ? " channels has"
                                                 : " channels have")
                         << " no weight left in " << bitsText(goal.width)
                         << " by " << StringRef(goal.method->name);
    warning.attachNote() << "a wider accumulator keeps some"
                         << (choosesNearest(*goal.method)
                                 ? ""
                                 : ", or a method that rounds to the budget, "
                                   "such as optimal");
  }
  setNote(op, "constrain", isNothing ? "" : note);
  remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("constrain").category("a2q-constrain-weights"))
      << note;
}

//===----------------------------------------------------------------------===//
// The layer
//===----------------------------------------------------------------------===//

FailureOr<bool> a2q::constrainLayer(AccumulatingOpInterface op,
                                    const ConstraintSpec &constraint,
                                    const RangeAnalysis &ranges,
                                    const LayerKnowledge &knowledge) {
  if (constraint.skip)
    return false;
  // Of a whole network only what has weights is meant.
  bool isOwn = op->hasAttr(A2QDialect::getConstrainAttrName());
  if (!isOwn && !hasConstantCodes(op.getWeights())) {
    leaveProducts(op);
    return false;
  }
  FailureOr<AccumulatingOp> layer = analyze(op, ranges);
  if (failed(layer))
    return failure();
  FailureOr<LayerStatistics> statistics = LayerStatistics::of(op, knowledge);
  if (failed(statistics) || failed(checkReals(*layer, knowledge.weights)))
    return failure();
  FailureOr<Goal> goal = goalOf(*layer, constraint, *statistics);
  if (failed(goal))
    return failure();
  Range codes = codeRange(getQuantizedType(op.getWeights().getType()));
  assert(codes.containsZero() && "the zero point of weights is 0");
  FailureOr<Change> change =
      chooseWeights(*layer, *goal, codes, *statistics, knowledge.weights);
  if (failed(change))
    return failure();
  restore(*layer, *statistics, /*scale=*/true, *change);

  AccumulatingOp changed = *layer;
  changed.problem.weights = change->weights;
  FailureOr<Accumulator> accumulator = accumulate(changed, *goal);
  if (failed(accumulator) || failed(checkUsers(op)) ||
      failed(follow(*layer, sumWidth(changed), *change)))
    return failure();

  // Nothing fails from here on.
  bool isNew =
      change->weights != layer->problem.weights || change->changesScales();
  if (isNew) {
    replaceWeights(op, change->weights, change->scales);
    // Figures of the old weights.
    op->removeAttr(A2QDialect::getChannelsAttrName());
  }
  const Schedule &schedule = accumulator->schedule;
  ScheduleAttr attr;
  if (!schedule.order.empty() || schedule.stages.size() > 1 ||
      !schedule.stages.front().starts.empty())
    attr =
        ScheduleAttr::get(op->getContext(), schedule, layer->problem.channels);
  if (change->meansRestored)
    dropTargets(op);
  IRRewriter rewriter(op);
  [[maybe_unused]] FailureOr<Value> rebuilt =
      op.rebuildWithAccumulator(rewriter, accumulator->type, attr);
  assert(succeeded(rebuilt) && "a2q ops hold any accumulator");
  tell(op, *layer, *goal, *statistics, *change);
  return isNew || change->meansRestored;
}

LogicalResult a2q::correctLayer(AccumulatingOpInterface op,
                                const RangeAnalysis &ranges,
                                const LayerKnowledge &knowledge) {
  std::string reason;
  FailureOr<AccumulatingOp> layer = analyzeAccumulator(op, ranges, reason);
  if (failed(layer))
    return op.emitError() << "sums cannot be corrected: " << reason;
  FailureOr<LayerStatistics> statistics = LayerStatistics::of(op, knowledge);
  if (failed(statistics))
    return failure();
  if (!layer->constantWeights || statistics->targets().empty())
    return success();
  Change change;
  change.weights = layer->problem.weights;
  change.scales.assign(layer->problem.channels, 1);
  change.shifts.assign(layer->problem.channels, 0);
  restore(*layer, *statistics, /*scale=*/false, change);
  if (failed(follow(*layer, sumWidth(*layer), change)))
    return failure();
  if (change.meansRestored)
    dropTargets(op);
  return success();
}
