//===- PlanX86.cpp - Kernels of byte products -------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// These kernels hold accumulators of other widths, lanes, tiles and starts than
// the layer's type says: the type denotes the sum, and the sum is what they
// compute. So the type's proof does not cover them: what they hold is computed
// here from the weights, and a kernel is planned only when each of its
// accumulators fits.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Math/Centring.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

AccumulationProblem a2q::inPlaces(const Layer &layer, const Plan &plan) {
  AccumulationProblem problem;
  problem.channels = layer.allChannels();
  problem.groups = layer.groups;
  problem.length = plan.terms.size();
  problem.initial = layer.initial;
  if (layer.fact)
    problem.fact = *layer.fact;
  if (problem.fact && problem.fact->ball)
    problem.fact->ball = problem.fact->ball->select(plan.terms);
  // Padding has weight 0, so its range does not matter.
  auto place = [&](auto &from, auto &to, auto padding) {
    for (size_t row = 0; row < from.size(); row += layer.length)
      for (int64_t term : plan.terms)
        to.push_back(term < 0 ? padding : from[row + term]);
  };
  place(*layer.weightCodes, problem.weights, int64_t(0));
  if (layer.ranges.size() == 1)
    problem.ranges = layer.ranges;
  else
    place(layer.ranges, problem.ranges, a2q::Range{0, 0});
  return problem;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

/// Steps of neighbours in memory; false if some run is shorter than a step. The
/// last step of a run begins early enough to end with it, so nothing beyond
/// the activations is read; what another step has counted has weight 0.
static bool layOutInPlace(const Layer &layer, Plan &plan) {
  for (const Run &run : runsOfTerms(layer)) {
    if (run.length < plan.chunk) {
      plan.terms.clear();
      plan.offsets.clear();
      return false;
    }
    for (int64_t i = 0; i < run.length; i += plan.chunk) {
      int64_t first = std::min(i, run.length - plan.chunk);
      for (int64_t j = first; j < first + plan.chunk; ++j)
        plan.terms.push_back(j < i ? -1 : run.term + j);
      plan.offsets.push_back(run.offset + first);
    }
  }
  return true;
}

/// Steps of gathered activations, in default order.
static void layOutGathered(const Layer &layer, Plan &plan) {
  for (int64_t term = 0; term < layer.length; ++term)
    plan.terms.push_back(term);
  while (plan.terms.size() % plan.chunk)
    plan.terms.push_back(-1);
}

/// The schedule of tiles that end after these steps: one stage where there is
/// one tile, else an outer stage that holds them all.
static void setTiles(Plan &plan, ArrayRef<int64_t> ends, int64_t lanes) {
  plan.schedule = {};
  plan.bounds.clear();
  StageSchedule inner;
  inner.lanes = lanes;
  auto &steps = plan.bounds.emplace_back();
  steps.push_back(0);
  for (int64_t end : ends) {
    inner.ends.push_back(end * plan.chunk);
    steps.push_back(end);
  }
  plan.schedule.stages.push_back(inner);
  if (ends.size() == 1)
    return;
  StageSchedule outer;
  outer.ends.push_back(plan.terms.size());
  plan.schedule.stages.push_back(outer);
  plan.bounds.push_back({0, static_cast<int64_t>(ends.size())});
}

namespace {
/// How far the lanes of 16 bits are filled while a tile grows, step by step.
class LaneSpans {
public:
  LaneSpans(const AccumulationProblem &problem, const Plan &plan)
      : lanes(plan.chunk / 2), rows(problem.channels * lanes) {
    for (int64_t step = 0; step < plan.steps(); ++step)
      for (int64_t c = 0; c < problem.channels; ++c) {
        DotProduct dot = problem.dot(c);
        for (int64_t lane = 0; lane < lanes; ++lane) {
          int64_t p = step * plan.chunk + 2 * lane;
          Interval pair = product(dot.weights[p], dot.range(p)) +
                          product(dot.weights[p + 1], dot.range(p + 1));
          // An exact pair spans less than 2^16.
          added.push_back(static_cast<uint32_t>(pair.hi - pair.lo));
        }
      }
    filled.assign(rows, 0);
  }

  /// Takes the step into the tile, or begins a new one with it: then false.
  bool take(int64_t step) {
    ArrayRef<uint32_t> row = ArrayRef(added).slice(step * rows, rows);
    bool fits = true;
    for (auto [span, more] : llvm::zip_equal(filled, row))
      fits &= span + more < (1u << 16);
    for (auto [span, more] : llvm::zip_equal(filled, row))
      span = fits ? span + more : more;
    return fits;
  }
  void beginTile() { llvm::fill(filled, 0); }

private:
  int64_t lanes, rows;
  std::vector<uint32_t> added; ///< [steps][channels][lanes]
  std::vector<uint32_t> filled;
};
} // namespace

/// The longest tiles, in steps, in which every lane holds what it hands over,
/// from a start of its own. A single step always fits: its lanes are exact
/// pairs.
static SmallVector<int64_t> longestTiles(LaneSpans &spans, int64_t steps) {
  SmallVector<int64_t> ends;
  spans.beginTile();
  for (int64_t step = 0; step < steps; ++step)
    if (!spans.take(step))
      ends.push_back(step);
  ends.push_back(steps);
  return ends;
}

/// Tiles of `size` steps; none if they do not fit.
static SmallVector<int64_t> equalTiles(LaneSpans &spans, int64_t steps,
                                       int64_t size) {
  SmallVector<int64_t> ends;
  for (int64_t step = 0; step < steps; ++step) {
    if (step % size == 0)
      spans.beginTile();
    if (!spans.take(step))
      return {};
    if (step % size == size - 1 || step == steps - 1)
      ends.push_back(step + 1);
  }
  return ends;
}

/// What a lane of an innermost tile holds when the tile ends, from start 0.
static Interval laneSum(const AccumulationProblem &problem,
                        const DotProduct &dot, int64_t begin, int64_t end,
                        int64_t lane, int64_t lanes) {
  Interval sum;
  std::vector<int64_t> terms;
  for (int64_t p = begin; p < end; ++p)
    if ((p - begin) / 2 % lanes == lane) {
      terms.push_back(p);
      sum = sum + product(dot.weights[p], dot.range(p));
    }
  return problem.fact ? boundTerms(dot, *problem.fact, terms).final : sum;
}

/// Whether every lane holds what it hands over at the end of each tile of so
/// many steps, from a start of its own.
static bool fitEqualTiles(const AccumulationProblem &problem, const Plan &plan,
                          int64_t size) {
  for (int64_t c = 0; c < problem.channels; ++c) {
    DotProduct dot = problem.dot(c);
    for (int64_t step = 0; step < plan.steps(); step += size)
      for (int64_t lane = 0; lane < plan.chunk / 2; ++lane) {
        int64_t end = std::min(step + size, plan.steps());
        if (spanWidth(laneSum(problem, dot, step * plan.chunk, end * plan.chunk,
                              lane, plan.chunk / 2)) > 16)
          return false;
      }
  }
  return true;
}

/// Fewer tiles than the ranges of the codes allow, by what is known of all
/// codes together: equal ones, and few enough to be worth it. None if there are
/// none.
static SmallVector<int64_t> fewerTiles(const AccumulationProblem &problem,
                                       const Plan &plan, int64_t count) {
  for (int64_t fewer = 1; problem.fact && fewer < count;
       fewer += std::max<int64_t>(1, fewer / 4)) {
    int64_t size = llvm::divideCeil(plan.steps(), fewer);
    // An even size: two steps then make a trip of the loop.
    if (fewer > 1)
      size += size % 2;
    if (!fitEqualTiles(problem, plan, size))
      continue;
    SmallVector<int64_t> ends;
    for (int64_t end = size; end < plan.steps(); end += size)
      ends.push_back(end);
    ends.push_back(plan.steps());
    return ends;
  }
  return {};
}

/// The tiles of a layer. A loop whose trips differ from tile to tile costs a
/// mispredicted branch at every spill, so equal tiles are taken where they are
/// at most a quarter more.
static SmallVector<int64_t> chooseTiles(const AccumulationProblem &problem,
                                        const Plan &plan) {
  LaneSpans spans(problem, plan);
  SmallVector<int64_t> longest = longestTiles(spans, plan.steps());
  int64_t count = longest.size();
  if (SmallVector<int64_t> fewer = fewerTiles(problem, plan, count);
      !fewer.empty())
    return fewer;
  for (int64_t more = count; more <= count + count / 4; ++more) {
    int64_t size = llvm::divideCeil(plan.steps(), more);
    // An even size first: two steps then make a trip of the loop.
    for (int64_t tried : {size + size % 2, size}) {
      SmallVector<int64_t> equal = equalTiles(spans, plan.steps(), tried);
      if (!equal.empty())
        return equal;
    }
  }
  return longest;
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

/// Every lane its own start: 0 where that fits 16 bits, else centred. The
/// additions wrap, so only what a tile hands over must fit.
static void chooseLaneStarts(const AccumulationProblem &problem, Plan &plan) {
  StageSchedule &stage = plan.schedule.stages.front();
  bool centred = false;
  for (int64_t c = 0; c < problem.channels; ++c) {
    DotProduct dot = problem.dot(c);
    for (int64_t tile = 0; tile < stage.tiles(); ++tile)
      for (int64_t lane = 0; lane < stage.lanes; ++lane) {
        Interval sum = laneSum(problem, dot, stage.begin(tile),
                               stage.ends[tile], lane, stage.lanes);
        bool fits = signedWidth(sum) <= 16;
        stage.starts.push_back(fits ? 0
                                    : static_cast<int64_t>(centredStart(sum)));
        centred |= !fits;
      }
  }
  if (!centred)
    stage.starts.clear();
}

static std::optional<std::string>
findInexactPair(const Layer &layer, AccumulationProblem &problem) {
  // What a2q.mac promises is said of all its codes, not of one channel's.
  a2q::Range codes = layer.joinedRange();
  for (int64_t c = 0; c < problem.channels; ++c) {
    DotProduct dot = problem.dot(c);
    for (size_t p = 0; p + 1 < dot.length(); p += 2)
      if (!pairIsExact(dot.weights[p], codes, dot.weights[p + 1], codes))
        return "weights " + std::to_string(dot.weights[p]) + " and " +
               std::to_string(dot.weights[p + 1]) + " of channel " +
               std::to_string(c) + " can saturate 16 bits";
  }
  return std::nullopt;
}

bool a2q::proveRegisters(const AccumulationProblem &problem, const Plan &plan,
                         std::string &reason) {
  for (auto [s, need] : llvm::enumerate(proveSchedule(problem, plan.schedule)))
    if (need.finalWidth > plan.stageBits[s]) {
      reason = "stage " + std::to_string(s) + " of channel " +
               std::to_string(need.channel) + " needs " +
               std::to_string(need.finalWidth) + " bits, the register has " +
               std::to_string(plan.stageBits[s]);
      return false;
    }
  return true;
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

namespace {
/// Vectors and positions of a block, both at most.
struct Blocking {
  int64_t vectors, positions;
};
} // namespace

/// As many accumulators as the registers hold beside a step's weights, codes
/// and products: 16 registers with AVX2, 32 with AVX-512. One position streams
/// weights; more accumulators than one then hide the latency of the sums.
static Blocking mostAccumulators(Isa isa, int64_t positions) {
  bool wide = isa >= Isa::Avx512bw;
  if (positions == 1)
    return {wide ? 8 : 4, 1};
  return wide ? Blocking{2, 8} : Blocking{2, 5};
}

static void chooseBlocking(const Layer &layer, Plan &plan, Isa isa) {
  std::optional<int64_t> positions = countPositions(layer);
  Blocking most = mostAccumulators(isa, positions.value_or(0));
  if (llvm::all_of(plan.bounds.front(), [](int64_t b) { return b % 2 == 0; }))
    plan.unroll = 2;
  if (layer.weightCodes)
    plan.vectors = std::min<int64_t>(
        most.vectors, llvm::divideCeil(layer.channels, plan.block));
  plan.positions = most.positions;
  if (!positions)
    return;
  // What is left over is a smaller block: share out evenly.
  int64_t blocks = llvm::divideCeil(*positions, most.positions);
  plan.positions = llvm::divideCeil(*positions, blocks);
}

/// What the instruction can read.
static bool acceptsCodes(const Layer &layer, KernelForm form,
                         std::string &reason) {
  if (codeBits(layer.activations) != 8 || codeBits(layer.weights) != 8) {
    reason = "codes of more than 8 bits";
    return false;
  }
  if (form == KernelForm::Pmaddwd)
    return true;
  if (!layer.activationsUnsigned()) {
    reason = "signed activations";
    return false;
  }
  if (layer.weightsUnsigned()) {
    reason = "weights beyond 127";
    return false;
  }
  return true;
}

/// Two lanes of 16 bits, in tiles that are proven; or spilled after every step,
/// where the type asks for more than 16 bits.
static bool planPairs(const Layer &layer, Plan &plan,
                      AccumulationProblem &problem, std::string &reason) {
  if (std::optional<std::string> pair = findInexactPair(layer, problem)) {
    reason = *pair;
    return false;
  }
  SmallVector<int64_t> ends;
  if (layer.type.getStages().front().width <= 16)
    ends = chooseTiles(problem, plan);
  else
    ends = llvm::to_vector(llvm::seq_inclusive<int64_t>(1, plan.steps()));
  setTiles(plan, ends, plan.chunk / 2);
  chooseLaneStarts(problem, plan);
  plan.stageBits.assign({16});
  if (ends.size() > 1)
    plan.stageBits.push_back(32);
  else // The kernel adds an initial value after the lanes.
    problem.initial.clear();
  return true;
}

std::optional<Plan> a2q::planX86(const Layer &layer, Isa isa, KernelForm form,
                                 std::string &reason) {
  if (!acceptsCodes(layer, form, reason))
    return std::nullopt;
  bool pairs = form == KernelForm::Pmaddubsw;
  if (!layer.weightCodes && pairs) {
    reason = "weights are not constants, so nothing is known of a lane";
    return std::nullopt;
  }
  for (int64_t c = 0; c < layer.allChannels(); ++c)
    if (signedWidth(layer.sums(c)) > 32) {
      reason = "sums of channel " + std::to_string(c) + " beyond 32 bits";
      return std::nullopt;
    }
  Plan plan;
  plan.form = form;
  plan.chunk = form == KernelForm::Pmaddwd ? 2 : 4;
  int64_t most = isa >= Isa::Avx512bw ? 16 : 8;
  plan.block = std::clamp<int64_t>(llvm::PowerOf2Ceil(layer.channels), 4, most);
  if (!layOutInPlace(layer, plan))
    layOutGathered(layer, plan);
  setTiles(plan, {plan.steps()}, 1);
  plan.stageBits.assign({32});
  if (!layer.weightCodes) {
    chooseBlocking(layer, plan, isa);
    return plan;
  }
  AccumulationProblem problem = inPlaces(layer, plan);
  if (pairs && !planPairs(layer, plan, problem, reason))
    return std::nullopt;
  if (!proveRegisters(problem, plan, reason))
    return std::nullopt;
  chooseBlocking(layer, plan, isa);
  return plan;
}

std::optional<Plan> a2q::planDepthwise(const Layer &layer, Isa isa,
                                       KernelForm form, std::string &reason) {
  if (!acceptsCodes(layer, form, reason))
    return std::nullopt;
  if (layer.op.getInitialValue()) {
    reason = "an initial value, which one channel per lane does not add";
    return std::nullopt;
  }
  bool pairs = form == KernelForm::Pmaddubsw;
  Plan plan;
  plan.form = form;
  plan.depthwise = true;
  plan.chunk = 2;
  plan.positions = 4;
  int64_t registerBits = isa >= Isa::Avx512bw ? 512 : 256;
  while (registerBits > 128 && registerBits / (pairs ? 8 : 16) > layer.groups)
    registerBits /= 2;
  plan.block = registerBits / (pairs ? 8 : 16);
  if (plan.block > layer.groups) {
    reason = "fewer channels than the " + std::to_string(plan.block) +
             " lanes of a register";
    return std::nullopt;
  }
  layOutTaps(layer, plan);
  setTiles(plan, {plan.steps()}, 1);
  plan.stageBits.assign({pairs ? 16u : 32u});
  AccumulationProblem problem = inPlaces(layer, plan);
  if (pairs) {
    if (std::optional<std::string> pair = findInexactPair(layer, problem)) {
      reason = *pair;
      return std::nullopt;
    }
    chooseLaneStarts(problem, plan);
  }
  if (!proveRegisters(problem, plan, reason))
    return std::nullopt;
  return plan;
}
