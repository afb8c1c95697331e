//===- Staging.h - Chains of accumulators -----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A long dot product in a narrow accumulator is summed in stages. The innermost
// accumulator takes products until the next one could overflow it; then it is
// widened and added to the next stage (a *spill*) and begins anew. The terms
// between two spills are a *tile*. Because weights are known, the ends are
// chosen at compile time and nothing is checked at run time: the model's
// numbers do not change, only where they are added.
//
// Worked example. Three products, each of a weight 1 and a code in [0, 1], and
// an innermost accumulator of 1 bit, which holds [-1, 0].
//
//   inner    [0, 1] per tile does not fit from 0. Started at -1 it is [-1, 0]
//            and fits, so there are three tiles of one term.
//   handed   the value as it stands, start left in: [-1, 0] from each tile.
//   outer    three terms of [-1, 0]: any partial sum lies in [-3, 0]. That is
//            3 bits from start 0, and 2 bits from start +1 ([-2, 1]).
//   sum      what the outer accumulator holds, less all starts: here
//            outer - (1 - 1 - 1 - 1) = outer + 2.
//
// The trap is to centre the outer stage by the interval of the true sum, which
// is [0, 3]: start -2 on top of what is handed over gives [-5, -2], and that
// overflows 2 bits. Hence each stage is computed from what the stage below
// hands over, innermost out.
//
// Why starts stay in: to subtract a tile's start at every spill costs an
// instruction per spill, or another constant in the outer stage. All starts of
// a channel together are one constant, subtracted once, in the requantization's
// bias. The rival is the data-type rule of AXE (arXiv 2409.17092),
// `P_outer = P_inner + ceil(log2(K / T))` for equal tiles of T terms: it needs
// no weights, and pays for it with shorter tiles and a wider outer stage.
//
// Facts this interface fixes:
// - An op's channels share the order of terms and the tile ends; each channel
//   (and lane) has its own starts.
// - Stages are innermost first. Stage s has `ends[s]`: the tile ends counted in
//   products, strictly increasing, the last one is K; the outermost stage has
//   one tile. The ends of stage s+1 are a subset of the ends of stage s.
// - Term at position p (after reordering) of a tile that begins at position b
//   goes to lane `((p - b) / 2) % lanes` of the innermost stage; outer stages
//   have one lane. lanes = 1: everything in one register.
// - A tile hands `sum of lanes` (starts left in, lanes widened before they
//   meet) to the next stage when it ends. The *sum* of the dot product is the
//   outermost value minus all starts.
// - The initial value is a term of the outermost stage (of lane 0, should that
//   have lanes).
// - What is known of all inputs together (InputFacts.h) bounds every lane, tile
//   and outer accumulator by its own terms. An outer one holds no more than the
//   smaller of two sums: of what each tile hands over at most, and of what its
//   terms reach together and the starts that came with them.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_STAGING_H
#define A2Q_MATH_STAGING_H

#include "a2q/Math/InputFacts.h"

namespace a2q {

/// All channels of one accumulating op, weights in schedule order
/// (permutation already applied), row-major [channels][length].
/// `ranges` has 1, `length`, or `groups * length` elements; channel c uses the
/// block of group `c / (channels / groups)`.
struct AccumulationProblem {
  int64_t channels = 0;
  int64_t length = 0;
  int64_t groups = 1;
  std::vector<int64_t> weights;
  std::vector<Range> ranges;
  /// Initial value of each channel (a bias that starts the accumulator): empty
  /// or one range per channel. It belongs to the outermost stage.
  std::vector<Range> initial;
  /// What is known of the inputs together, in schedule order; one group.
  std::optional<InputFact> fact;

  /// A channel by its ranges alone.
  DotProduct dot(int64_t channel) const;
  /// The complete and the partial sums of a channel, without initial value, by
  /// ranges and fact.
  SumIntervals sum(int64_t channel) const;
};

/// The problem with its terms in another order: position p of the result is
/// term `order[p]`. An empty order is the default one.
AccumulationProblem reorder(const AccumulationProblem &problem,
                            std::span<const int64_t> order);

/// Starts of one stage: [channels][tiles][lanes], row-major; empty: all 0.
struct StageSchedule {
  std::vector<int64_t> ends;
  int64_t lanes = 1;
  std::vector<int64_t> starts;
  int64_t tiles() const { return static_cast<int64_t>(ends.size()); }
  int64_t begin(int64_t tile) const { return tile == 0 ? 0 : ends[tile - 1]; }
  int64_t start(int64_t channel, int64_t tile, int64_t lane) const {
    return starts.empty() ? 0
                          : starts[(channel * tiles() + tile) * lanes + lane];
  }
  /// The most products in a tile.
  int64_t longestTile() const;
};

struct Schedule {
  /// order[p] = index of the default-order term at position p; empty: default.
  std::vector<int64_t> order;
  /// Innermost first; the last has one tile.
  std::vector<StageSchedule> stages;
  /// One stage, one tile, default order, start 0.
  static Schedule trivial(int64_t length);
  /// The sum of all starts of a channel: what the consumer subtracts.
  Wide startSum(int64_t channel) const;
};

/// The interval of every physical accumulator of (channel, stage, tile, lane)
/// *with* its start, any prefix in any order.
Interval accumulatorInterval(const AccumulationProblem &problem,
                             const Schedule &schedule, int64_t channel,
                             int64_t stage, int64_t tile, int64_t lane);

/// What each stage of the schedule needs, worst over channels, tiles and lanes.
struct StageNeed {
  unsigned prefixWidth = 1;
  unsigned finalWidth = 1; ///< wrapping adds: the values handed over only
  int64_t channel = 0, tile = 0, lane = 0; ///< where prefixWidth is needed
  Interval interval;                       ///< there
};
std::vector<StageNeed> proveSchedule(const AccumulationProblem &problem,
                                     const Schedule &schedule);

/// The schedule with the starts that make the `centred` bound true. Each stage
/// gets the width that centring gives its worst accumulator; accumulators that
/// fit this width from 0 start there, the others at their centre. The given
/// starts are replaced; order, ends and lanes stay. proveSchedule tells the
/// widths. Starts are 64-bit: no stage may span more than 64 bits.
Schedule centreStarts(const AccumulationProblem &problem,
                      const Schedule &schedule);

/// Greedy longest tiles whose interval fits `width` for every channel, ends on
/// multiples of `granularity` (but the last). `bound` is Exact (start 0) or
/// Centred. std::nullopt when a single granule of some channel does not fit;
/// `*misfit` then names the channel. Greedy is optimal: tile intervals grow
/// with the tile. With more than one lane each lane has its own interval, and
/// granularity is a multiple of `2 * lanes`, so that a granule meets the lanes
/// in the same way wherever its tile begins.
std::optional<std::vector<int64_t>>
longestTiles(const AccumulationProblem &problem, unsigned width, Bound bound,
             int64_t granularity = 1, int64_t *misfit = nullptr,
             int64_t lanes = 1);

/// The whole lossless schedule: inner tiles that fit `inner` bits in `lanes`
/// lanes, then one outer stage in the smallest machine width of {8, 16, 32, 64}
/// that holds the sum. For `inner` <= 8 a 16-bit middle stage is put between
/// when the sum does not fit 16 bits. When the whole K and the initial value
/// fit `inner`, there is one stage (with several lanes: fit from start 0).
///
/// A start other than 0 is a constant to load, so starts have to earn their
/// place: a stage is centred only where that gives fewer tiles (inner, middle)
/// or a smaller machine width (outermost), and of a centred stage only those
/// accumulators that do not fit from 0.
///
/// std::nullopt when a granule does not fit `inner` or a sum does not fit 64
/// bits; `*misfit` then names the channel.
std::optional<Schedule> stageLosslessly(const AccumulationProblem &problem,
                                        unsigned inner, int64_t granularity = 1,
                                        int64_t *misfit = nullptr,
                                        int64_t lanes = 1);

} // namespace a2q

#endif // A2Q_MATH_STAGING_H
