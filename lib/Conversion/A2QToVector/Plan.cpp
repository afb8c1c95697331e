//===- Plan.cpp - Which kernel computes a layer -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Analysis/Accumulators.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Layer
//===----------------------------------------------------------------------===//

AccumulationProblem Layer::problem() const {
  AccumulationProblem result;
  result.channels = allChannels();
  result.length = length;
  result.groups = groups;
  result.weights.assign(weightCodes->begin(), weightCodes->end());
  result.ranges = ranges;
  result.initial = initial;
  if (fact)
    result.fact = *fact;
  return reorder(result, schedule.order);
}

a2q::Range Layer::joinedRange() const {
  a2q::Range joined = ranges.front();
  for (a2q::Range range : ranges)
    joined = join(joined, range);
  return joined;
}

/// Codes that are not negative read the same either way, unless they need the
/// sign bit.
bool Layer::activationsUnsigned() const {
  return codeRange(activations).lo >= 0;
}
bool Layer::weightsUnsigned() const {
  return codeRange(weights).hi >= int64_t(1) << (codeBits(weights) - 1);
}

Interval Layer::sums(int64_t channel) const {
  Interval byCodes;
  if (weightCodes) {
    std::span<const a2q::Range> codes = ranges;
    if (codes.size() > static_cast<size_t>(length))
      codes = codes.subspan(channel / channels * length, length);
    ArrayRef<int64_t> row =
        ArrayRef(*weightCodes).slice(channel * length, length);
    DotProduct dot = {row, codes};
    byCodes = fact ? boundSum(dot, *fact).final : finalInterval(dot);
  } else {
    Interval term = product(codeRange(weights), joinedRange());
    byCodes = {term.lo * length, term.hi * length};
  }
  if (!initial.empty())
    byCodes = byCodes + Interval{initial[channel].lo, initial[channel].hi};
  Interval byType = signedInterval(type.getWidth());
  int64_t lanes = schedule.stages.back().lanes;
  byType = Interval{byType.lo * lanes, byType.hi * lanes} +
           -schedule.startSum(channel);
  Interval both = {std::max(byCodes.lo, byType.lo),
                   std::min(byCodes.hi, byType.hi)};
  // A type that the codes contradict promises nothing.
  return both.lo <= both.hi ? both : byCodes;
}

unsigned a2q::codeBits(quant::QuantizedType type) {
  return std::max<unsigned>(
      8, llvm::PowerOf2Ceil(type.getStorageTypeIntegralWidth()));
}

/// The values that `initial` can have, one range per channel.
static LogicalResult collectInitial(Layer &layer) {
  Value initial = layer.op.getInitialValue();
  if (!initial)
    return success();
  auto type = cast<RankedTensorType>(initial.getType());
  unsigned bits = type.getElementTypeBitWidth();
  if (bits > 64)
    return layer.op->emitOpError() << "initial value has elements of " << bits
                                   << " bits, at most 64 can be lowered";
  ElementsAttr elements;
  if (matchPattern(initial, m_Constant(&elements)))
    if (FailureOr<SmallVector<int64_t>> values = integerElements(elements);
        succeeded(values)) {
      for (int64_t value : *values)
        layer.initial.push_back({value, value});
      return success();
    }
  Interval all = signedInterval(bits);
  layer.initial.assign(
      layer.allChannels(),
      a2q::Range{static_cast<int64_t>(all.lo), static_cast<int64_t>(all.hi)});
  return success();
}

FailureOr<Layer> a2q::collectLayer(AccumulatingOpInterface op,
                                   const RangeAnalysis &ranges) {
  Layer layer;
  layer.op = op;
  layer.activations = getQuantizedType(op.getActivations().getType());
  layer.weights = getQuantizedType(op.getWeights().getType());
  layer.type = cast<AccumulatorType>(op.getAccumulatorType());
  layer.length = *op.getReductionLength();
  std::optional<int64_t> channels = op.getNumChannels();
  if (!channels || *channels == 0)
    return op->emitOpError("needs a static number of output channels to be "
                           "lowered");
  layer.groups = op.getNumGroups();
  layer.channels = *channels / layer.groups;
  layer.schedule = op.getAccumulatorSchedule()
                       ? op.getAccumulatorSchedule().toSchedule()
                       : Schedule::trivial(layer.length);
  if (isa<MatmulOp>(op.getOperation()))
    layer.batched =
        cast<RankedTensorType>(op.getWeights().getType()).getRank() > 2;
  if (FailureOr<SmallVector<int64_t>> codes = op.getWeightCodes();
      succeeded(codes))
    layer.weightCodes = *codes;
  else if (isa<Conv2DOp>(op.getOperation()))
    return op->emitOpError("needs a constant filter to be lowered");
  layer.ranges = {codeRange(layer.activations)};
  std::string unknown;
  if (FailureOr<AccumulatingOp> facts = analyzeAccumulator(op, ranges, unknown);
      succeeded(facts) && layer.weightCodes && facts->constantWeights) {
    layer.ranges = facts->problem.ranges;
    if (facts->problem.fact)
      layer.fact =
          std::make_shared<const InputFact>(std::move(*facts->problem.fact));
  }
  if (failed(collectInitial(layer)))
    return failure();
  return layer;
}

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

StringRef a2q::stringify(KernelForm form) {
  switch (form) {
  case KernelForm::Portable:
    return "portable";
  case KernelForm::Pmaddubsw:
    return "pmaddubsw";
  case KernelForm::Pmaddwd:
    return "pmaddwd";
  case KernelForm::Vpdpbusd:
    return "vpdpbusd";
  case KernelForm::LookUps:
    return "look-ups";
  }
  llvm_unreachable("unknown kernel form");
}

std::optional<Isa> a2q::parseIsa(StringRef name) {
  return llvm::StringSwitch<std::optional<Isa>>(name)
      .Case("portable", Isa::Portable)
      .Case("avx2", Isa::Avx2)
      .Case("avx512bw", Isa::Avx512bw)
      .Case("avx512vnni", Isa::Avx512vnni)
      .Case("avx512vbmi", Isa::Avx512vbmi)
      .Default(std::nullopt);
}

void a2q::layOutSteps(Plan &plan, const Schedule &schedule) {
  plan.terms.clear();
  plan.bounds.clear();
  const StageSchedule &inner = schedule.stages.front();
  auto &firstSteps = plan.bounds.emplace_back();
  firstSteps.push_back(0);
  for (int64_t tile = 0; tile < inner.tiles(); ++tile) {
    for (int64_t p = inner.begin(tile); p < inner.ends[tile]; ++p)
      plan.terms.push_back(schedule.order.empty() ? p : schedule.order[p]);
    while (plan.terms.size() % plan.chunk)
      plan.terms.push_back(-1);
    firstSteps.push_back(plan.steps());
  }
  for (size_t s = 1; s < schedule.stages.size(); ++s) {
    ArrayRef<int64_t> below = schedule.stages[s - 1].ends;
    auto &firstTiles = plan.bounds.emplace_back();
    firstTiles.push_back(0);
    for (int64_t end : schedule.stages[s].ends)
      firstTiles.push_back(llvm::upper_bound(below, end) - below.begin());
  }
}

unsigned a2q::machineBits(unsigned width) {
  return std::max<unsigned>(8, llvm::PowerOf2Ceil(width));
}

/// Where every step's codes lie in memory behind those of the position; none if
/// a step has codes that are not neighbours.
static SmallVector<int64_t> offsetsOfSteps(const Layer &layer,
                                           const Plan &plan) {
  SmallVector<int64_t> offsetOf(layer.length), offsets;
  for (const Run &run : runsOfTerms(layer))
    for (int64_t i = 0; i < run.length; ++i)
      offsetOf[run.term + i] = run.offset + i;
  for (int64_t step = 0; step < plan.steps(); ++step) {
    ArrayRef<int64_t> terms =
        ArrayRef(plan.terms).slice(step * plan.chunk, plan.chunk);
    for (auto [j, term] : llvm::enumerate(terms))
      if (term < 0 || offsetOf[term] != offsetOf[terms[0]] + int64_t(j))
        return {};
    offsets.push_back(offsetOf[terms[0]]);
  }
  return offsets;
}

static Plan planPortable(const Layer &layer, bool check) {
  Plan plan;
  plan.check = check;
  plan.schedule = layer.schedule;
  int64_t lanes = plan.lanes();
  plan.chunk = lanes == 1 ? 1 : 2 * lanes;
  unsigned least =
      std::max(codeBits(layer.activations), codeBits(layer.weights));
  for (const AccumulatorStage &stage : layer.type.getStages()) {
    least = std::max(least, machineBits(stage.width));
    plan.stageBits.push_back(check ? 64 : least);
  }
  // A cache line of accumulators: LLVM takes as many registers as it needs, and
  // they share the loads of activations.
  plan.block =
      std::min<int64_t>(llvm::PowerOf2Ceil(layer.channels),
                        std::max<int64_t>(8, 512 / plan.stageBits.front()));
  if (check || lanes > 1)
    plan.positions = 1;
  layOutSteps(plan, plan.schedule);
  plan.offsets = offsetsOfSteps(layer, plan);
  return plan;
}

/// The forms to try, best first, before the portable one.
static SmallVector<KernelForm> candidates(const Layer &layer, Isa isa) {
  SmallVector<KernelForm> forms;
  if (isa == Isa::Portable)
    return forms;
  // One instruction for four products, whatever the width that is asked for.
  if (isa >= Isa::Avx512vnni && !isDepthwise(layer))
    forms.push_back(KernelForm::Vpdpbusd);
  forms.push_back(KernelForm::Pmaddubsw);
  forms.push_back(KernelForm::Pmaddwd);
  return forms;
}

std::string a2q::describe(const Plan &plan) {
  std::string text = stringify(plan.form).str();
  if (plan.form == KernelForm::Portable)
    return text;
  if (plan.depthwise)
    return text + ", one channel per lane, on blocks of " +
           std::to_string(plan.positions) + " positions and " +
           std::to_string(plan.block) + " channels";
  text += " on blocks of " + std::to_string(plan.positions) +
          " positions and " + std::to_string(plan.channelsInBlock()) +
          " channels";
  int64_t tiles = plan.schedule.stages.front().tiles();
  if (plan.lookUps)
    text += ", tables of " + std::to_string(plan.lookUps->entries()) +
            " sums, " + std::to_string(plan.digits()) + "-bit weights";
  if ((plan.form == KernelForm::Pmaddubsw || plan.lookUps) && tiles > 1)
    text += ", " + std::to_string(tiles) + " tiles in " +
            std::to_string(plan.steps()) + " steps";
  return text + (plan.offsets.empty() ? ", gathered" : "");
}

Plan a2q::planLayer(const Layer &layer, Isa isa, bool check,
                    std::string &passedOver) {
  if (check)
    return planPortable(layer, check);
  for (KernelForm form : candidates(layer, isa)) {
    std::string reason;
    std::optional<Plan> plan = isDepthwise(layer)
                                   ? planDepthwise(layer, isa, form, reason)
                                   : planX86(layer, isa, form, reason);
    if (plan)
      return *plan;
    passedOver += ("; not " + stringify(form) + ": " + reason).str();
  }
  return planPortable(layer, check);
}
