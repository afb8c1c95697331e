//===- Choose.cpp - The form of each layer of a module ----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Choose.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {
/// Picoseconds on the machine of docs/performance.md, where its figures come
/// from.
struct Costs {
  // Of a product in a dense kernel; a portable one with 16-bit lanes.
  double portable, pairs, spilledPairs, words, quadruples, depthwise;
  // Of a vector of planes: a term, a spill of a tile, the requantization.
  double term, spill, arithmetic, count, search, table;
  // Of 16 codes that change their layout.
  double transposed;
  // Of a vector of look-ups: one of them, a spill of a tile; of the tables of
  // 16 sums for eight codes; of a look-up in 64 sums, and their tables for six.
  double lookUp, lookUpSpill, tables, largeLookUp, largeTables;
};
} // namespace

static const Costs &costsOf(Isa isa) {
  static const Costs portable = {14,   0, 0, 0,    0, 60, 180, 800, 5000,
                                 2900, 0, 0, 1500, 0, 0,  0,   0,   0};
  static const Costs avx2 = {14,   5,    10, 11,   0,   23,  185,  500, 4900,
                             3500, 1200, 0,  1300, 145, 700, 1500, 0,   0};
  static const Costs avx512bw = {10,   2.5,  4, 5.7, 0,   14,  310, 1200, 7000,
                                 4000, 2200, 0, 600, 200, 700, 800, 0,    0};
  static const Costs avx512vnni = {10,  2.5,  4,    5.7,  2.1,  14,
                                   310, 1200, 7000, 4000, 2200, 1600,
                                   600, 200,  700,  800,  200,  2600};
  switch (isa) {
  case Isa::Portable:
    return portable;
  case Isa::Avx2:
    return avx2;
  case Isa::Avx512bw:
    return avx512bw;
  case Isa::Avx512vnni:
  case Isa::Avx512vbmi:
    return avx512vnni;
  }
  llvm_unreachable("unknown isa");
}

/// Pixels of an image, or rows of a matrix.
static double countPixels(const Layer &layer) {
  auto conv = dyn_cast<Conv2DOp>(layer.op.getOperation());
  if (!conv)
    return static_cast<double>(countPositions(layer).value_or(1));
  double pixels = 1;
  auto type = cast<RankedTensorType>(conv.getInput().getType());
  for (int64_t size : type.getShape().drop_back())
    pixels *= ShapedType::isDynamic(size) ? 1 : static_cast<double>(size);
  return pixels;
}

static double estimateLookUps(const Layer &layer, const Plan &plan,
                              const Costs &costs) {
  const LookUps &lookUps = *plan.lookUps;
  double vectors =
      static_cast<double>(countPositions(layer).value_or(1)) *
      static_cast<double>(llvm::divideCeil(layer.channels, plan.block));
  double tables = countPixels(layer) * static_cast<double>(lookUps.pixel) /
                  static_cast<double>(lookUps.stepBytes());
  bool large = lookUps.entries() == 64;
  double each = static_cast<double>(plan.steps() * lookUps.tables) *
                    (large ? costs.largeLookUp : costs.lookUp) +
                static_cast<double>(plan.schedule.stages[0].tiles()) *
                    costs.lookUpSpill / static_cast<double>(plan.digits());
  return (vectors * each +
          tables * (large ? costs.largeTables : costs.tables)) *
         1e-3;
}

double a2q::estimateDense(const Layer &layer, const Plan &plan, Isa isa) {
  const Costs &costs = costsOf(isa);
  if (plan.lookUps)
    return estimateLookUps(layer, plan, costs);
  double products = static_cast<double>(layer.allChannels()) * layer.length *
                    countPositions(layer).value_or(1);
  if (plan.depthwise)
    return products * costs.depthwise * 1e-3;
  double each = costs.portable * plan.stageBits.front() / 16;
  switch (plan.form) {
  case KernelForm::Portable:
    break;
  case KernelForm::Pmaddubsw:
    each = layer.type.getStages().front().width <= 16 ? costs.pairs
                                                      : costs.spilledPairs;
    break;
  case KernelForm::Pmaddwd:
    each = costs.words;
    break;
  case KernelForm::Vpdpbusd:
    each = costs.quadruples;
    break;
  case KernelForm::LookUps:
    llvm_unreachable("estimated above");
  }
  return products * each * 1e-3;
}

double a2q::estimatePlanes(const PlanePlan &plan, Isa isa) {
  const Costs &costs = costsOf(isa);
  double requantize = costs.arithmetic;
  switch (plan.codes) {
  case PlaneCodes::Arithmetic:
    break;
  case PlaneCodes::Count:
    requantize = costs.count;
    break;
  case PlaneCodes::Search:
    requantize = costs.search;
    break;
  case PlaneCodes::Table:
    requantize = costs.table;
    break;
  }
  double vectors =
      static_cast<double>(plan.output.images) *
      llvm::divideCeil(plan.output.height * plan.output.pitch, plan.lanes);
  double channel = plan.terms * costs.term + requantize;
  if (plan.tiles > 1)
    channel += plan.tiles * costs.spill;
  return vectors * plan.channels.size() * channel * 1e-3;
}

double a2q::estimateBorder(const PlaneLayout &layout, Isa isa) {
  return static_cast<double>(layout.planes()) * layout.height * layout.width /
         16 * costsOf(isa).transposed * 1e-3;
}

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

namespace {
/// A layer and both ways to compute it.
struct Candidate {
  const Layer *layer;
  Plan dense;
  std::optional<PlanePlan> planes;
  std::string noPlanes, noDense; ///< why a form is not there
  double denseTime = 0, planesTime = 0;
  double borders = 0; ///< what conversions take, as others are chosen
  bool takesPlanes = false;
  bool isHopeless = false; ///< whether no planes could be faster

  Value codes() const { return planes->sumCodes.getCodes(); }
};

class Chooser {
public:
  Chooser(ArrayRef<Layer> layers, const ChoiceOptions &options);
  std::vector<Choice> choose();

private:
  void plan(Candidate &candidate, PlaneMargins margins);
  Candidate *onPlanes(Operation *op);
  bool arePlanes(Value codes, const PlaneLayout &layout,
                 const Candidate *reader);
  bool arePlanesRead(Value codes, const PlaneLayout &layout);
  double findBorders(const Candidate &candidate);
  double total();
  bool improve();
  void considerLookUps(Candidate &candidate);
  void tell(const Candidate &candidate);

  ChoiceOptions options;
  std::vector<Candidate> candidates;
  DenseMap<Operation *, size_t> ofOp;
  DenseMap<Value, size_t> ofCodes; ///< of those that may have planes
};
} // namespace

/// No plan of planes is faster: a weight that is not 0 is a term or more, and
/// lanes have 8 bits or more.
static double leastPlanesTime(const Layer &layer, Isa isa) {
  if (!layer.weightCodes)
    return 0;
  auto terms = static_cast<double>(layer.weightCodes->size() -
                                   llvm::count(*layer.weightCodes, 0));
  constexpr double mostLanes = 64;
  return terms * static_cast<double>(countPositions(layer).value_or(0)) /
         mostLanes * costsOf(isa).term * 1e-3;
}

Chooser::Chooser(ArrayRef<Layer> layers, const ChoiceOptions &options)
    : options(options) {
  PlaneMargins margins;
  for (const Layer &layer : layers) {
    Candidate candidate;
    candidate.layer = &layer;
    candidate.dense =
        planLayer(layer, options.isa, options.check, candidate.noDense);
    candidate.denseTime = estimateDense(layer, candidate.dense, options.isa);
    considerLookUps(candidate);
    candidate.isHopeless =
        !hasPlanes(layer, candidate.noPlanes) ||
        (options.planes == Use::WhenFaster &&
         leastPlanesTime(layer, options.isa) > candidate.denseTime);
    if (!candidate.isHopeless)
      margins.include(layer);
    ofOp[layer.op] = candidates.size();
    candidates.push_back(std::move(candidate));
  }
  if (options.planes == Use::Never || options.check)
    return;
  for (Candidate &candidate : candidates)
    // Who is told why wants both times; listing the terms of a dense layer
    // takes seconds.
    if ((!candidate.isHopeless || options.tell) && candidate.noPlanes.empty())
      plan(candidate, margins);
  // A layer that stays dense has no say in what planes look like.
  PlaneMargins left;
  for (const Candidate &candidate : candidates)
    if (candidate.takesPlanes)
      left.include(*candidate.layer);
  if (left.reach == margins.reach && left.gap == margins.gap)
    return;
  for (Candidate &candidate : candidates)
    if (candidate.takesPlanes)
      plan(candidate, left);
}

/// Plans planes for a layer, with margins that hold its own, and takes them if
/// they may pay.
void Chooser::plan(Candidate &candidate, PlaneMargins margins) {
  const Layer &layer = *candidate.layer;
  margins.include(layer);
  candidate.planes = planPlanes(layer, options.isa, margins, options.laneBits,
                                candidate.noPlanes);
  candidate.takesPlanes = false;
  if (!candidate.planes)
    return;
  const PlanePlan &plan = *candidate.planes;
  ofCodes[candidate.codes()] = ofOp[layer.op];
  candidate.planesTime = estimatePlanes(plan, options.isa);
  // Phases move the same bytes, and transpose none of them.
  if (plan.input != plan.source)
    candidate.planesTime += estimateBorder(plan.source, options.isa) / 4;
  // At best it saves its neighbours two conversions.
  double saved = estimateBorder(plan.source, options.isa) +
                 estimateBorder(plan.output, options.isa);
  candidate.takesPlanes = options.planes == Use::WhenPossible ||
                          (!candidate.isHopeless &&
                           candidate.planesTime < candidate.denseTime + saved);
}

/// Look-ups instead of products, if they are faster.
void Chooser::considerLookUps(Candidate &candidate) {
  if (options.lookUps == Use::Never || options.check)
    return;
  const Layer &layer = *candidate.layer;
  std::string reason;
  std::optional<Plan> plan;
  double time = 0;
  for (int64_t sums : {16, 64}) {
    if (options.lookUpSums && sums != options.lookUpSums)
      continue;
    auto other = planLookUps(layer, options.isa, sums, reason);
    double otherTime = other ? estimateDense(layer, *other, options.isa) : 0;
    if (!other || (plan && time <= otherTime))
      continue;
    plan = std::move(other);
    time = otherTime;
  }
  if (!plan) {
    if (!reason.empty())
      candidate.noDense += "; not look-ups: " + reason;
    return;
  }
  if (options.lookUps == Use::WhenFaster && time >= candidate.denseTime) {
    candidate.noDense += llvm::formatv("; not look-ups: {0:f1} us instead of "
                                       "{1:f1} us",
                                       time * 1e-3, candidate.denseTime * 1e-3);
    return;
  }
  candidate.noDense =
      llvm::formatv(", {0:f1} us; {1} would take {2:f1} us", time * 1e-3,
                    describe(candidate.dense), candidate.denseTime * 1e-3);
  candidate.dense = std::move(*plan);
  candidate.denseTime = time;
}

/// The layer that has the op, if it takes planes.
Candidate *Chooser::onPlanes(Operation *op) {
  auto found = ofOp.find(op);
  if (found == ofOp.end() || !candidates[found->second].takesPlanes)
    return nullptr;
  return &candidates[found->second];
}

/// Whether the codes lie in these planes, because a layer writes them or they
/// are computed from such codes. With `reader`, another one that reads them
/// counts as well: then they are converted for it already.
bool Chooser::arePlanes(Value codes, const PlaneLayout &layout,
                        const Candidate *reader) {
  auto before = ofCodes.find(codes);
  if (before != ofCodes.end()) {
    const Candidate &producer = candidates[before->second];
    if (producer.takesPlanes && producer.planes->output == layout)
      return true;
  }
  if (reader)
    for (Operation *user : codes.getUsers())
      if (Candidate *other = onPlanes(user))
        if (other < reader && other->planes->source == layout)
          return true;
  SmallVector<Value> leaves = elementwiseLeaves(codes);
  return !leaves.empty() && llvm::all_of(leaves, [&](Value leaf) {
    int64_t halo = zeroPoint(getQuantizedType(leaf.getType()));
    return arePlanes(leaf, layout.withHalo(halo), reader);
  });
}

/// Whether all that reads codes in planes reads these planes.
bool Chooser::arePlanesRead(Value codes, const PlaneLayout &layout) {
  return llvm::all_of(codes.getUsers(), [&](Operation *user) {
    if (Candidate *after = onPlanes(user))
      return after->planes->source == layout;
    if (!isa<DequantizeOp>(user))
      return false;
    // Along the sums to where they are quantized.
    while (user && !isa<QuantizeOp>(user))
      user = user->hasOneUse() ? *user->getUsers().begin() : nullptr;
    if (!user)
      return false;
    Value sum = user->getResult(0);
    if (elementwiseLeaves(sum).empty())
      return false;
    int64_t halo = zeroPoint(getQuantizedType(sum.getType()));
    return arePlanes(sum, layout.withHalo(halo), &candidates.back() + 1) &&
           arePlanesRead(sum, layout.withHalo(halo));
  });
}

void Chooser::tell(const Candidate &candidate) {
  std::string text;
  if (candidate.takesPlanes) {
    const PlanePlan &plan = *candidate.planes;
    text = llvm::formatv(
        "the kernel is planes of {0}-bit lanes, {1:f1} terms of {2} in {3} "
        "tiles, {4:f1} us and {5:f1} us at the borders; {6} would take {7:f1} "
        "us",
        plan.laneBits, plan.terms, candidate.layer->length, plan.tiles,
        candidate.planesTime * 1e-3, candidate.borders * 1e-3,
        describe(candidate.dense), candidate.denseTime * 1e-3);
  } else {
    text = "the kernel is " + describe(candidate.dense) + candidate.noDense;
    if (candidate.planes)
      text +=
          llvm::formatv("; not planes: {0:f1} us and {1:f1} us at the "
                        "borders instead of {2:f1} us",
                        candidate.planesTime * 1e-3, candidate.borders * 1e-3,
                        candidate.denseTime * 1e-3);
    else if (!candidate.noPlanes.empty())
      text += "; not planes: " + candidate.noPlanes;
  }
  if (!options.check && options.tell)
    remark::passed(candidate.layer->op.getLoc(),
                   remark::RemarkOpts::name("kernel").category("a2q-kernels"))
        << text;
}

/// What conversions before and behind a layer on planes take.
double Chooser::findBorders(const Candidate &candidate) {
  const PlanePlan &plan = *candidate.planes;
  double borders = 0;
  if (!arePlanes(candidate.layer->op.getActivations(), plan.source, &candidate))
    borders += estimateBorder(plan.source, options.isa);
  if (!arePlanesRead(candidate.codes(), plan.output))
    borders += estimateBorder(plan.output, options.isa);
  return borders;
}

/// All layers and all conversions, as they are chosen.
double Chooser::total() {
  double time = 0;
  for (const Candidate &candidate : candidates)
    time += candidate.takesPlanes
                ? candidate.planesTime + findBorders(candidate)
                : candidate.denseTime;
  return time;
}

/// Takes planes from neighbours, one or several, where that gains most.
bool Chooser::improve() {
  SmallVector<Candidate *> on;
  for (Candidate &candidate : candidates)
    if (candidate.takesPlanes)
      on.push_back(&candidate);
  // Layers further apart hardly depend on each other.
  constexpr size_t most = 24;
  double least = total();
  ArrayRef<Candidate *> best;
  for (size_t first = 0; first < on.size(); ++first) {
    size_t end = first;
    for (; end < std::min(on.size(), first + most); ++end) {
      on[end]->takesPlanes = false;
      double time = total();
      if (time < least) {
        least = time;
        best = ArrayRef(on).slice(first, end + 1 - first);
      }
    }
    for (size_t i = first; i < end; ++i)
      on[i]->takesPlanes = true;
  }
  for (Candidate *candidate : best)
    candidate->borders = findBorders(*candidate);
  for (Candidate *candidate : best)
    candidate->takesPlanes = false;
  return !best.empty();
}

std::vector<Choice> Chooser::choose() {
  if (options.planes == Use::WhenFaster)
    while (improve())
      ;
  for (Candidate &candidate : candidates)
    if (candidate.takesPlanes)
      candidate.borders = findBorders(candidate);
  std::vector<Choice> choices;
  for (Candidate &candidate : candidates) {
    tell(candidate);
    Choice &choice = choices.emplace_back();
    choice.form = candidate.takesPlanes
                      ? llvm::formatv("planes of {0}-bit lanes",
                                      candidate.planes->laneBits)
                      : describe(candidate.dense);
    choice.time = candidate.takesPlanes
                      ? candidate.planesTime + candidate.borders
                      : candidate.denseTime;
    choice.dense = std::move(candidate.dense);
    if (candidate.takesPlanes)
      choice.planes = std::move(candidate.planes);
  }
  return choices;
}

std::optional<Use> a2q::parseUse(StringRef name) {
  return llvm::StringSwitch<std::optional<Use>>(name)
      .Case("auto", Use::WhenFaster)
      .Case("always", Use::WhenPossible)
      .Case("never", Use::Never)
      .Default(std::nullopt);
}

std::vector<Choice> a2q::chooseForms(ArrayRef<Layer> layers,
                                     const ChoiceOptions &options) {
  return Chooser(layers, options).choose();
}
