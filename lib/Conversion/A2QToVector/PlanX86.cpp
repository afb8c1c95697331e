//===- PlanX86.cpp - Kernels of byte products -------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// These kernels hold accumulators of other widths, lanes and starts than the
// layer's type says, over the same tiles. So the type's proof does not cover
// them: what they hold is computed here from the weights, and a kernel is
// planned only when each of its accumulators fits.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Math/Centring.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace a2q;

/// The dot products with their terms in the places of K', and the schedule of
/// the plan in places too.
static AccumulationProblem inPlaces(const Layer &layer, const Plan &plan,
                                    Schedule &schedule) {
  int64_t length = plan.terms.size();
  AccumulationProblem problem;
  problem.channels = layer.allChannels();
  problem.groups = layer.groups;
  problem.length = length;
  problem.initial = layer.initial;
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
  schedule = plan.schedule;
  schedule.order.clear();
  for (auto [s, stage] : llvm::enumerate(schedule.stages))
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      int64_t next = plan.bounds[s][tile + 1];
      stage.ends[tile] =
          s == 0 ? next * plan.chunk : schedule.stages[s - 1].ends[next - 1];
    }
  return problem;
}

/// What a lane of an innermost tile holds when the tile ends, from start 0.
static Interval laneSum(const DotProduct &dot, int64_t begin, int64_t end,
                        int64_t lane, int64_t lanes) {
  Interval sum;
  for (int64_t p = begin; p < end; ++p)
    if ((p - begin) / 2 % lanes == lane)
      sum = sum + product(dot.weights[p], dot.range(p));
  return sum;
}

/// Every lane its own start: 0 where that fits 16 bits, else centred. The
/// additions wrap, so only what a tile hands over must fit.
static void chooseLaneStarts(const AccumulationProblem &problem, Plan &plan,
                             const Schedule &places) {
  StageSchedule &stage = plan.schedule.stages.front();
  const StageSchedule &tiles = places.stages.front();
  stage.starts.clear();
  bool centred = false;
  for (int64_t c = 0; c < problem.channels; ++c) {
    DotProduct dot = problem.dot(c);
    for (int64_t tile = 0; tile < tiles.tiles(); ++tile)
      for (int64_t lane = 0; lane < stage.lanes; ++lane) {
        Interval sum = laneSum(dot, tiles.begin(tile), tiles.ends[tile], lane,
                               stage.lanes);
        bool fits = signedWidth(sum) <= 16;
        stage.starts.push_back(fits ? 0
                                    : static_cast<int64_t>(centredStart(sum)));
        centred |= !fits;
      }
  }
  if (!centred)
    stage.starts.clear();
}

/// Lanes of 32 bits need no splitting: their starts are added up.
static void mergeLanes(const Layer &layer, Plan &plan) {
  StageSchedule &stage = plan.schedule.stages.front();
  if (stage.lanes == 1)
    return;
  std::vector<int64_t> merged;
  for (int64_t c = 0; c < layer.allChannels(); ++c)
    for (int64_t tile = 0; tile < stage.tiles(); ++tile) {
      int64_t sum = 0;
      for (int64_t lane = 0; lane < stage.lanes; ++lane)
        sum += stage.start(c, tile, lane);
      merged.push_back(sum);
    }
  stage.lanes = 1;
  stage.starts = std::move(merged);
}

static std::optional<std::string>
findInexactPair(const Layer &layer, AccumulationProblem &problem) {
  for (int64_t c = 0; c < problem.channels; ++c) {
    DotProduct dot = problem.dot(c);
    for (size_t p = 0; p + 1 < dot.length(); p += 2)
      if (!pairIsExact(dot.weights[p], dot.range(p), dot.weights[p + 1],
                       dot.range(p + 1)))
        return "weights " + std::to_string(dot.weights[p]) + " and " +
               std::to_string(dot.weights[p + 1]) + " of channel " +
               std::to_string(c) + " can saturate 16 bits";
  }
  return std::nullopt;
}

/// Whether what the kernel accumulates fits its registers; wrapping adds.
static bool proveRegisters(const AccumulationProblem &problem, const Plan &plan,
                           const Schedule &places, std::string &reason) {
  for (auto [s, need] : llvm::enumerate(proveSchedule(problem, places)))
    if (need.finalWidth > plan.stageBits[s]) {
      reason = "stage " + std::to_string(s) + " of channel " +
               std::to_string(need.channel) + " needs " +
               std::to_string(need.finalWidth) + " bits, the register has " +
               std::to_string(plan.stageBits[s]);
      return false;
    }
  return true;
}

/// Tiles shorter than this on average cost more in padding and spills than
/// whole steps save. Measured on a network of 4-bit codes with 8-bit tiles.
static constexpr int64_t kShortTile = 6;

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

std::optional<Plan> a2q::planX86(const Layer &layer, Isa isa, KernelForm form,
                                 std::string &reason) {
  if (!acceptsCodes(layer, form, reason))
    return std::nullopt;
  int64_t tiles = layer.schedule.stages.front().tiles();
  if (tiles > 1 && layer.length < kShortTile * tiles) {
    reason = "tiles of " + std::to_string(layer.length / tiles) +
             " products on average are too short for its steps";
    return std::nullopt;
  }
  bool pairs = form == KernelForm::Pmaddubsw;
  if (!layer.weightCodes && (pairs || layer.schedule.stages[0].lanes > 1)) {
    reason = "weights are not constants, so nothing is known of a lane";
    return std::nullopt;
  }
  Plan plan;
  plan.form = form;
  plan.chunk = form == KernelForm::Pmaddwd ? 2 : 4;
  int64_t most = isa >= Isa::Avx512bw ? 16 : 8;
  plan.block = std::clamp<int64_t>(llvm::PowerOf2Ceil(layer.channels), 4, most);
  plan.schedule = layer.schedule;
  for (auto [s, stage] : llvm::enumerate(layer.type.getStages()))
    plan.stageBits.push_back(
        s == 0 && pairs ? 16 : std::max(32u, machineBits(stage.width)));
  if (pairs) {
    plan.schedule.stages[0].lanes = 2;
    plan.schedule.stages[0].starts.clear();
  } else {
    mergeLanes(layer, plan);
  }
  layOutSteps(plan, layer.schedule);
  if (!layer.weightCodes)
    return plan; // One lane of at least the bits that the type proves.
  Schedule places;
  AccumulationProblem problem = inPlaces(layer, plan, places);
  if (pairs) {
    // The kernel adds an initial value after the lanes.
    if (plan.stageBits.size() == 1)
      problem.initial.clear();
    if (std::optional<std::string> pair = findInexactPair(layer, problem)) {
      reason = *pair;
      return std::nullopt;
    }
    chooseLaneStarts(problem, plan, places);
    places.stages[0].starts = plan.schedule.stages[0].starts;
  }
  if (!proveRegisters(problem, plan, places, reason))
    return std::nullopt;
  return plan;
}
