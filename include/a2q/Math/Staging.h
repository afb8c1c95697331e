//===- Staging.h - Chains of accumulators -----------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ESSAY TO WRITE HERE: theory section 5: tiles, spills, what the outer stage
// sums (starts left in), one worked example carried through.
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
// - A tile hands `sum of lanes` (starts left in) to the next stage when it
//   ends. The *sum* of the dot product is the outermost value minus all starts.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_MATH_STAGING_H
#define A2Q_MATH_STAGING_H

#include "a2q/Math/Bounds.h"

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

  DotProduct dot(int64_t channel) const;
};

/// Starts of one stage: [channels][tiles][lanes], row-major.
struct StageSchedule {
  std::vector<int64_t> ends;
  int64_t lanes = 1;
  std::vector<int64_t> starts;
  int64_t tiles() const { return static_cast<int64_t>(ends.size()); }
  /// The most products in a tile.
  int64_t longestTile() const;
};

struct Schedule {
  /// order[p] = index of the default-order term at position p; empty: default.
  std::vector<int64_t> order;
  /// Innermost first; the last has one tile.
  std::vector<StageSchedule> stages;
  static Schedule trivial(int64_t length);
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

/// Greedy longest tiles whose interval fits `width` for every channel, ends on
/// multiples of `granularity` (but the last). `bound` is Exact (start 0) or
/// Centred. std::nullopt when a single granule of some channel does not fit;
/// `*misfit` then names the channel. Greedy is optimal: tile intervals grow
/// with the tile.
std::optional<std::vector<int64_t>>
longestTiles(const AccumulationProblem &problem, unsigned width, Bound bound,
             int64_t granularity = 1, int64_t *misfit = nullptr);

/// The whole lossless schedule: inner tiles that fit `inner` bits, then the
/// outer stage in as few of the machine widths {8, 16, 32, 64} as it takes; for inner = 8 a
/// 16-bit middle stage is put between when the sum does not fit 16 bits.
/// When the whole K fits `inner`, one stage. Starts are 0 wherever `exact` gives
/// the same tile ends, else centred (inner and middle stages as well as outer).
std::optional<Schedule> stageLosslessly(const AccumulationProblem &problem,
                                        unsigned inner,
                                        int64_t granularity = 1,
                                        int64_t *misfit = nullptr);

} // namespace a2q

#endif // A2Q_MATH_STAGING_H
