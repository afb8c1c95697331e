//===- LookUps.cpp - Kernels that read sums from tables ---------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A shuffle of bytes looks up 32 or 64 entries at once, and adding bytes takes
// half the registers of adding words. That is worth something where weights
// have a bit or two and the sums of several products fit a byte:
//
//   tables    for every 4 neighbouring codes of the activations, the 16 sums
//             that subsets of them have. They are made once for an image, so a
//             window of 3 by 3 reads each of them nine times.
//             With VBMI there are tables of 64 sums for every 6.
//   weights   one bit of the weights of 4 codes is the number of such a subset,
//             half a byte, so those of two tables share a byte. A weight of
//             several bits has a lane for each of them, as neighbours: w is the
//             sum of the *digits* whose bits are set, as -2 b1 + b0, or
//             b0 - b1 for ternary weights. With weights 1 and -1 alone, a
//             table holds sums and differences instead, and one bit is enough.
//   inner     8 bits: look up, add. Sums of subsets of unsigned codes are
//             unsigned, so 255 can be reached; sums with both signs are
//             centred.
//   spill     into 16 bits: pmaddubsw multiplies neighbours by their digits and
//             adds them, so more lanes for a weight cost nothing here.
//
// Worked example. Weights (-2, 1, 0, -1) have low bits (0, 1, 0, 1) and high
// bits (1, 0, 0, 1), first code in the lowest bit: indices 10 and 9. Codes
// (3, 1, 2, 3) have 1 + 3 = 4 at entry 10 and 3 + 3 = 6 at entry 9; the lanes
// gain 4 and 6, and the spill 1 * 4 - 2 * 6 = -8 = -2*3 + 1*1 - 1*3.
//
// How many steps an inner accumulator takes follows from the weights and the
// ranges of the codes: 21 look-ups of 4 two-bit codes fill a byte when all
// bits are set, four of four-bit codes do. The rival indexes tables of weights
// by activations: it stores 16 bytes where this stores half of one.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "a2q/Math/Centring.h"
#include "a2q/Math/Staging.h"
#include "llvm/Support/MathExtras.h"

#include <set>

using namespace mlir;
using namespace a2q;

//===----------------------------------------------------------------------===//
// Digits
//===----------------------------------------------------------------------===//

/// What the digits of these bits add up to.
static int64_t weightOfBits(ArrayRef<int64_t> digits, unsigned bits) {
  if (digits.size() == 1)
    return bits ? 1 : -1;
  int64_t weight = 0;
  for (auto [d, digit] : llvm::enumerate(digits))
    if (bits >> d & 1)
      weight += digit;
  return weight;
}

unsigned a2q::bitsOfWeight(ArrayRef<int64_t> digits, int64_t weight) {
  unsigned bits = 0;
  while (weightOfBits(digits, bits) != weight)
    ++bits;
  return bits;
}

/// Digits that every weight has, as few as there are.
static std::optional<SmallVector<int64_t, 2>>
chooseDigits(ArrayRef<int64_t> weights) {
  std::set<int64_t> values;
  for (int64_t weight : weights)
    if (values.insert(weight).second && values.size() > 4)
      return std::nullopt;
  auto all = [&](ArrayRef<int64_t> digits) {
    return llvm::all_of(values, [&](int64_t value) {
      for (unsigned bits = 0; bits < 1u << digits.size(); ++bits)
        if (weightOfBits(digits, bits) == value)
          return true;
      return false;
    });
  };
  SmallVector<int64_t, 2> digits = {1};
  if (all(digits))
    return digits;
  // The pair is exact: 255 of each still fit 16 bits.
  for (int64_t a : values)
    for (int64_t b : values) {
      digits = {a, b};
      if (all(digits) && pairIsExact(a, {0, 255}, b, {0, 255}))
        return digits;
    }
  return std::nullopt;
}

/// One dot product for each digit of each channel.
static AccumulationProblem digitRows(const AccumulationProblem &problem,
                                     ArrayRef<int64_t> digits) {
  AccumulationProblem rows = problem;
  rows.channels = problem.channels * static_cast<int64_t>(digits.size());
  rows.initial.clear();
  rows.weights.clear();
  for (int64_t c = 0; c < problem.channels; ++c)
    for (size_t d = 0; d < digits.size(); ++d)
      for (int64_t p = 0; p < problem.length; ++p)
        rows.weights.push_back(
            bitsOfWeight(digits, problem.weights[c * problem.length + p]) >> d &
            1);
  return rows;
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

/// A step reads the tables of neighbouring codes of one pixel (matrix: of the
/// row); what a pixel lacks for whole steps is padded with codes of 0.
static void layOutTables(const Layer &layer, Plan &plan) {
  LookUps &lookUps = *plan.lookUps;
  lookUps.width = layer.length;
  if (auto conv = dyn_cast<Conv2DOp>(layer.op.getOperation()))
    lookUps.width =
        cast<RankedTensorType>(conv.getInput().getType()).getShape().back();
  int64_t steps = llvm::divideCeil(lookUps.width, plan.chunk);
  lookUps.pixel = lookUps.paddedWidth() / plan.chunk * lookUps.stepBytes();
  for (const Run &run : runsOfTerms(layer))
    for (int64_t i = 0; i < run.length; i += lookUps.width)
      for (int64_t step = 0; step < steps; ++step) {
        plan.offsets.push_back((run.offset + i) / lookUps.width *
                                   lookUps.pixel +
                               step * lookUps.stepBytes());
        for (int64_t c = step * plan.chunk; c < (step + 1) * plan.chunk; ++c)
          plan.terms.push_back(c < lookUps.width ? run.term + i + c : -1);
      }
}

namespace {
/// The inner accumulators of a layer: one for each digit of a weight.
class Lanes {
public:
  Lanes(const AccumulationProblem &problem, const Plan &plan)
      : plan(plan), signs(plan.lookUps->bothSigns()),
        rows(signs ? problem : digitRows(problem, plan.lookUps->digits)) {
    rows.initial.clear();
  }

  /// Whether every lane holds what it hands over at these ends: a signed byte
  /// with a start, or an unsigned one.
  bool hold(ArrayRef<int64_t> ends) const {
    Schedule schedule = scheduleOf(ends);
    unsigned need = proveSchedule(rows, schedule).front().finalWidth;
    return need <= width();
  }

  /// Tiles that end after whole steps, or the channel with a step that does not
  /// fit. A loop whose trips differ from tile to tile costs a mispredicted
  /// branch at every spill, so equal tiles are taken where they are at most
  /// half as many more.
  std::optional<SmallVector<int64_t>> tiles(int64_t &misfit) const {
    auto longest =
        longestTiles(rows, width(), signs ? Bound::Centred : Bound::Exact,
                     plan.chunk, &misfit);
    if (!longest) {
      misfit /= signs ? 1 : plan.digits();
      return std::nullopt;
    }
    auto count = static_cast<int64_t>(longest->size());
    for (int64_t more = count; more <= count + count / 2; ++more) {
      int64_t size = llvm::divideCeil(plan.steps(), more);
      SmallVector<int64_t> ends;
      for (int64_t end = size; end < plan.steps(); end += size)
        ends.push_back(end * plan.chunk);
      ends.push_back(plan.terms.size());
      if (hold(ends))
        return ends;
    }
    return SmallVector<int64_t>(longest->begin(), longest->end());
  }

  /// The starts of the lanes in these tiles; empty: all 0.
  std::vector<int64_t> starts(ArrayRef<int64_t> ends) const {
    return scheduleOf(ends).stages.front().starts;
  }

private:
  /// An unsigned byte is what an accumulator of 9 bits from 0 has that never
  /// holds less.
  unsigned width() const { return signs ? 8 : 9; }

  Schedule scheduleOf(ArrayRef<int64_t> ends) const {
    Schedule schedule;
    StageSchedule inner, outer;
    inner.ends.assign(ends.begin(), ends.end());
    outer.ends = {rows.length};
    schedule.stages = {inner, outer};
    return signs ? centreStarts(rows, schedule) : schedule;
  }

  const Plan &plan;
  bool signs;
  AccumulationProblem rows;
};
} // namespace

/// Tiles of 8 bits in one of 16, or in several of 32; null with a reason where
/// that is not proven.
static bool planStages(const Layer &layer, Plan &plan, std::string &reason) {
  AccumulationProblem problem = inPlaces(layer, plan);
  Lanes lanes(problem, plan);
  int64_t misfit = 0;
  std::optional<SmallVector<int64_t>> inner = lanes.tiles(misfit);
  if (!inner) {
    reason = std::to_string(plan.chunk) + " products of channel " +
             std::to_string(misfit) + " do not fit 8 bits";
    return false;
  }
  auto middle = longestTiles(problem, 16, Bound::Exact, plan.chunk, &misfit);
  if (!middle) {
    reason = std::to_string(plan.chunk) + " products of channel " +
             std::to_string(misfit) + " do not fit 16 bits";
    return false;
  }
  auto whole = static_cast<int64_t>(plan.terms.size());
  for (bool third : {false, true}) {
    plan.stageBits.assign({8, 16});
    plan.schedule.stages.assign(2, {});
    auto &stages = plan.schedule.stages;
    std::set<int64_t> ends(inner->begin(), inner->end());
    stages[1].ends = {whole};
    if (third) {
      plan.stageBits.push_back(32);
      ends.insert(middle->begin(), middle->end());
      stages[1].ends = *middle;
      stages.emplace_back().ends = {whole};
    }
    stages[0].ends.assign(ends.begin(), ends.end());
    stages[0].starts = lanes.starts(stages[0].ends);
    Plan outer = plan;
    if (!plan.lookUps->bothSigns()) {
      // The sum of a weight's lanes is what they hand over together, and that
      // is proven above for each of them.
      outer.schedule.stages.erase(outer.schedule.stages.begin());
      outer.stageBits.erase(outer.stageBits.begin());
    }
    reason.clear();
    if (proveRegisters(problem, outer, reason))
      break;
  }
  if (!reason.empty())
    return false;
  plan.bounds.assign(plan.stageBits.size(), {0});
  for (int64_t end : plan.schedule.stages[0].ends)
    plan.bounds[0].push_back(end / plan.chunk);
  for (size_t s = 1; s < plan.schedule.stages.size(); ++s) {
    ArrayRef<int64_t> below = plan.schedule.stages[s - 1].ends;
    for (int64_t end : plan.schedule.stages[s].ends)
      plan.bounds[s].push_back(llvm::upper_bound(below, end) - below.begin());
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

/// A position has an accumulator for each vector, a table and an entry. Where
/// there are 32 registers, vectors of weights share a table: four of them one
/// of 64 bytes. One position streams weights; accumulators then hide the
/// latency of the sums.
static void chooseBlocking(const Layer &layer, Plan &plan, int64_t bytes) {
  std::optional<int64_t> positions = countPositions(layer);
  int64_t most = bytes == 64 ? 2 : 1;
  if (positions == 1 || plan.lookUps->entries() == 64)
    most = 4;
  plan.vectors =
      std::min<int64_t>(most, llvm::divideCeil(layer.channels, plan.block));
  plan.positions = plan.vectors > 2 ? 4 : 8;
  if (!positions)
    return;
  int64_t blocks = llvm::divideCeil(*positions, plan.positions);
  plan.positions = llvm::divideCeil(*positions, blocks);
}

std::optional<Plan> a2q::planLookUps(const Layer &layer, Isa isa,
                                     int64_t entries, std::string &reason) {
  bool large = entries == 64;
  if (isa < (large ? Isa::Avx512vbmi : Isa::Avx2) || !layer.weightCodes)
    return std::nullopt;
  auto digits = chooseDigits(*layer.weightCodes);
  if (!digits)
    return std::nullopt;
  if (layer.groups != 1 || layer.batched) {
    reason = "groups";
    return std::nullopt;
  }
  if (codeBits(layer.activations) != 8) {
    reason = "activations of more than 8 bits";
    return std::nullopt;
  }
  if (digits->size() > 1 && !layer.activationsUnsigned()) {
    reason = "signed activations";
    return std::nullopt;
  }
  Plan plan;
  plan.form = KernelForm::LookUps;
  plan.lookUps = LookUps();
  plan.lookUps->digits = *digits;
  if (large) {
    plan.lookUps->codes = 6;
    plan.lookUps->tables = 1;
  }
  plan.chunk = plan.lookUps->codes * plan.lookUps->tables;
  int64_t bytes = isa >= Isa::Avx512bw ? 64 : 32, least = large ? 64 : 16;
  plan.block =
      std::clamp<int64_t>(llvm::PowerOf2Ceil(layer.channels),
                          least / plan.digits(), bytes / plan.digits());
  layOutTables(layer, plan);
  if (!planStages(layer, plan, reason))
    return std::nullopt;
  chooseBlocking(layer, plan, bytes);
  return plan;
}
