//===- Exchange.cpp - Improve integers unit by unit -----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exchange.h"

#include "Kernels.h"
#include "SpareBudget.h"
#include "a2q/Math/IntegerProjection.h"

#include <cmath>
#include <limits>

namespace a2q {

namespace {
/// One unit put on a weight or taken off it.
struct Step {
  double gain = -std::numeric_limits<double>::infinity();
  size_t at = 0;
  int by = 0; ///< +1 or -1, 0 for none
};

/// What a step does, as StepGains has them.
enum Kind { GrowUp, GrowDown, ShrinkDown, ShrinkUp };
using Steps = std::array<Step, 4>;

bool allows(Kind kind, double q, double limit) {
  switch (kind) {
  case GrowUp:
    return q >= 0 && q < limit;
  case GrowDown:
    return q <= 0 && q > -limit;
  case ShrinkDown:
    return q > 0;
  case ShrinkUp:
    return q < 0;
  }
  return false;
}

constexpr Kind kAll[] = {GrowUp, GrowDown, ShrinkDown, ShrinkUp};
constexpr Kind kGrows[] = {GrowUp, GrowDown};
constexpr Kind kShrinks[] = {ShrinkDown, ShrinkUp};

int direction(Kind kind) { return kind == GrowUp || kind == ShrinkUp ? 1 : -1; }

/// One or two steps, the first of which makes room for the second.
struct Move {
  double gain = 0;
  Step first, second;
};

/// At which scale gains are: the present one, which is cheap to tell, or the
/// best one after the step.
enum class At { PresentScale, BestScale };

/// One channel: integers q of scale k for the weights u. The error is
/// k^2 q^T H q - 2k q^T H u + u^T H u; gains are what it falls by, over k.
///
/// Gains of weights are kept by chunk as the largest of each kind. A step
/// changes all gains, but most of them little: the chunk that seems best is
/// looked at again, and all of them only when nothing seems to gain any more.
class Channel {
public:
  Channel(const LayerConstraint &layer, const Budget &budget,
          const QuadraticForm &form, bool freeScale);

  /// Improves q; `image` is H q and follows, `goal` is H u.
  void run(std::span<double> integers, std::span<double> image,
           std::span<const double> goal, double start);
  double scale = 1;

private:
  struct Chunk {
    size_t begin, end;
    uint64_t time = 0; ///< of `gains`
    StepGains gains = {};
  };

  void setScale();
  bool improve(size_t tile, bool thoroughly);
  template <At at>
  StepGains gains(const Chunk &chunk, const Step &before) const;
  template <At at> double gainOf(size_t i, int by, const Step &before) const;
  template <At at>
  Step locate(const Chunk &chunk, Kind kind, const Step &before) const;
  template <At at>
  Steps bestSteps(size_t tile, const Step &before, std::span<const Kind> kinds);
  Steps likelySteps(size_t tile);
  void refresh(size_t tile);
  Move startMove() const;
  Move singleMove(size_t tile, const Steps &steps) const;
  Move simpleMove(size_t tile, const Steps &steps) const;
  template <At at> Move partneredMove(size_t tile, const Steps &steps);
  void apply(size_t tile, const Move &move);
  void apply(size_t tile, const Step &step);
  bool admits(size_t tile, const Step &first, const Step &second) const;

  const double *column(size_t i) const {
    return form.matrix().col(static_cast<Eigen::Index>(i)).data();
  }
  std::span<Chunk> chunksOf(size_t tile) {
    return std::span(chunks).subspan(firstChunk[tile],
                                     firstChunk[tile + 1] - firstChunk[tile]);
  }

  const Budget &budget;
  const QuadraticForm &form;
  double limit;
  bool freeScale;
  Eigen::VectorXd diagonal;
  std::vector<Chunk> chunks;
  std::vector<size_t> firstChunk; ///< by tile, and the end
  std::span<double> q, hq;
  std::span<const double> hu;
  double qhq = 0, qhu = 0;
  uint64_t now = 0;               ///< steps so far
  std::vector<SpareBudget> spare; ///< by tile
};
} // namespace

Channel::Channel(const LayerConstraint &layer, const Budget &budget,
                 const QuadraticForm &form, bool freeScale)
    : budget(budget), form(form),
      limit(static_cast<double>(narrowLimit(layer.weightBits))),
      freeScale(freeScale), diagonal(form.matrix().diagonal()) {
  constexpr size_t length = 64;
  forEachTile(layer.length, layer.tiles, [&](size_t begin, size_t end) {
    firstChunk.push_back(chunks.size());
    for (; begin < end; begin += length)
      chunks.push_back({begin, std::min(begin + length, end)});
  });
  firstChunk.push_back(chunks.size());
}

void Channel::setScale() {
  if (freeScale && qhq > 0 && qhu > 0 && std::isnormal(qhu / qhq))
    scale = qhu / qhq;
}

//===----------------------------------------------------------------------===//
// Gains
//===----------------------------------------------------------------------===//

static double alignment(double qhu, double qhq) {
  return qhu > 0 && qhq > 0 ? qhu * qhu / qhq : 0;
}

/// Of a step after `before`, if that is one; then of both.
template <At at>
double Channel::gainOf(size_t i, int by, const Step &before) const {
  double image = hq[i] + (before.by ? before.by * column(before.at)[i] : 0);
  if constexpr (at == At::PresentScale)
    return (before.by ? before.gain : 0) + 2 * by * (hu[i] - scale * image) -
           scale * diagonal[static_cast<Eigen::Index>(i)];
  double newQhq = qhq + 2 * by * image + diagonal[static_cast<Eigen::Index>(i)];
  double newQhu = qhu + by * hu[i];
  if (before.by) {
    newQhq += 2 * before.by * hq[before.at] +
              diagonal[static_cast<Eigen::Index>(before.at)];
    newQhu += before.by * hu[before.at];
  }
  return (alignment(newQhu, newQhq) - alignment(qhu, qhq)) / scale;
}

/// The same for a chunk at once, in the kernels' units: only their order
/// counts.
template <At at>
StepGains Channel::gains(const Chunk &chunk, const Step &before) const {
  StepTerms terms = {&q[chunk.begin],
                     &hq[chunk.begin],
                     &hu[chunk.begin],
                     &diagonal[static_cast<Eigen::Index>(chunk.begin)],
                     before.by ? column(before.at) + chunk.begin : nullptr,
                     static_cast<double>(before.by)};
  size_t length = chunk.end - chunk.begin;
  if constexpr (at == At::PresentScale)
    return presentGains(terms, length, scale, limit);
  double newQhq = qhq, newQhu = qhu;
  if (before.by) {
    newQhq += 2 * before.by * hq[before.at] +
              diagonal[static_cast<Eigen::Index>(before.at)];
    newQhu += before.by * hu[before.at];
  }
  return bestGains(terms, length, newQhq, newQhu, limit);
}

template <At at>
Step Channel::locate(const Chunk &chunk, Kind kind, const Step &before) const {
  Step best;
  int by = direction(kind);
  for (size_t i = chunk.begin; i < chunk.end; ++i)
    if (allows(kind, q[i], limit))
      if (double gain = gainOf<at>(i, by, before); gain > best.gain)
        best = {gain, i, by};
  return best;
}

/// The best steps of some kinds in a tile, looking at all of it. A weight takes
/// one of the two steps only.
template <At at>
Steps Channel::bestSteps(size_t tile, const Step &before,
                         std::span<const Kind> kinds) {
  double kept = q[before.at];
  if (before.by) // on no side of 0: no kind of step
    q[before.at] = std::numeric_limits<double>::quiet_NaN();
  StepGains best;
  best.fill(-std::numeric_limits<double>::infinity());
  std::array<const Chunk *, 4> where = {};
  for (const Chunk &chunk : chunksOf(tile)) {
    StepGains found = gains<at>(chunk, before);
    for (Kind kind : kinds)
      if (found[kind] > best[kind]) {
        best[kind] = found[kind];
        where[kind] = &chunk;
      }
  }
  Steps steps;
  for (Kind kind : kinds)
    if (where[kind])
      steps[kind] = locate<at>(*where[kind], kind, before);
  q[before.at] = kept;
  return steps;
}

void Channel::refresh(size_t tile) {
  for (Chunk &chunk : chunksOf(tile)) {
    if (chunk.time == now)
      continue;
    chunk.gains = gains<At::PresentScale>(chunk, {});
    chunk.time = now;
  }
}

/// The best steps of a tile, as far as the chunks know.
Steps Channel::likelySteps(size_t tile) {
  Steps steps;
  for (size_t kind = 0; kind < 4; ++kind)
    for (;;) {
      Chunk *best = nullptr;
      for (Chunk &chunk : chunksOf(tile))
        if (!best || chunk.gains[kind] > best->gains[kind])
          best = &chunk;
      if (best->time != now) {
        best->gains = gains<At::PresentScale>(*best, {});
        best->time = now;
        continue;
      }
      steps[kind] =
          locate<At::PresentScale>(*best, static_cast<Kind>(kind), {});
      break;
    }
  return steps;
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

bool Channel::admits(size_t tile, const Step &first, const Step &second) const {
  SpareBudget after = spare[tile];
  after.refund(-first.by);
  return after.admits(second.by);
}

/// No move, and what one has to gain.
Move Channel::startMove() const {
  Move move;
  move.gain = 1e-10 * std::abs(qhu);
  return move;
}

/// The best single step, or none.
Move Channel::singleMove(size_t tile, const Steps &steps) const {
  Move best = startMove();
  for (Kind kind : kAll)
    if (const Step &step = steps[kind]; step.by && step.gain > best.gain)
      if (kind >= ShrinkDown || spare[tile].admits(step.by))
        best = {step.gain, {}, step};
  return best;
}

/// The best of single steps and of pairs of them at the present scale, or none.
Move Channel::simpleMove(size_t tile, const Steps &steps) const {
  Move best = singleMove(tile, steps);
  for (Kind shrinks : kShrinks)
    for (Kind grows : kGrows) {
      const Step &shrink = steps[shrinks], &grow = steps[grows];
      if (!shrink.by || !grow.by || shrink.at == grow.at)
        continue;
      double gain =
          shrink.gain + grow.gain -
          2 * scale * shrink.by * grow.by * column(shrink.at)[grow.at];
      if (gain > best.gain && admits(tile, shrink, grow))
        best = {gain, shrink, grow};
    }
  return best;
}

/// The best pairs of one of these steps and any other of the tile, or none.
template <At at> Move Channel::partneredMove(size_t tile, const Steps &steps) {
  Move best = startMove();
  auto offer = [&](const Step &shrink, const Step &grow, double gain) {
    if (shrink.by && grow.by && gain > best.gain && admits(tile, shrink, grow))
      best = {gain, shrink, grow};
  };
  for (Kind shrinks : kShrinks)
    if (const Step &shrink = steps[shrinks]; shrink.by) {
      Steps partners = bestSteps<at>(tile, shrink, kGrows);
      for (Kind grows : kGrows)
        offer(shrink, partners[grows], partners[grows].gain);
    }
  for (Kind grows : kGrows)
    if (const Step &grow = steps[grows]; grow.by) {
      Steps partners = bestSteps<at>(tile, grow, kShrinks);
      for (Kind shrinks : kShrinks)
        offer(partners[shrinks], grow, partners[shrinks].gain);
    }
  return best;
}

void Channel::apply(size_t tile, const Step &step) {
  if (!step.by)
    return;
  spare[tile].refund(static_cast<int64_t>(q[step.at]));
  q[step.at] += step.by;
  spare[tile].take(static_cast<int64_t>(q[step.at]));
  qhq +=
      2 * step.by * hq[step.at] + diagonal[static_cast<Eigen::Index>(step.at)];
  qhu += step.by * hu[step.at];
}

void Channel::apply(size_t tile, const Move &move) {
  const auto &[gain, first, second] = move;
  apply(tile, first);
  apply(tile, second);
  if (first.by) {
    qhq += 2 * first.by * second.by * column(first.at)[second.at];
    addColumns(hq.data(), column(first.at), first.by, column(second.at),
               second.by, hq.size());
  } else {
    addScaled(hq.data(), column(second.at), second.by, hq.size());
  }
  setScale();
  ++now;
}

/// A few moves within the tile, from cheap to thorough looks at it.
bool Channel::improve(size_t tile, bool thoroughly) {
  constexpr int most = 16; // then the other tiles' turn
  int moves = 0;
  for (; moves < most; ++moves) {
    Steps steps = likelySteps(tile);
    Move move = simpleMove(tile, steps);
    if (!move.second.by) {
      refresh(tile);
      steps = likelySteps(tile);
      move = simpleMove(tile, steps);
    }
    if (!move.second.by && thoroughly)
      move = partneredMove<At::PresentScale>(tile, steps);
    if (!move.second.by && thoroughly && freeScale) {
      steps = bestSteps<At::BestScale>(tile, {}, kAll);
      move = singleMove(tile, steps);
      if (!move.second.by)
        move = partneredMove<At::BestScale>(tile, steps);
    }
    if (!move.second.by)
      break;
    apply(tile, move);
  }
  return moves > 0;
}

void Channel::run(std::span<double> integers, std::span<double> image,
                  std::span<const double> goal, double start) {
  q = integers;
  hq = image;
  hu = goal;
  scale = start;
  qhq = qhu = 0;
  for (size_t i = 0; i < q.size(); ++i) {
    qhq += q[i] * hq[i];
    qhu += q[i] * hu[i];
  }
  setScale();
  spare.assign(firstChunk.size() - 1, SpareBudget(budget));
  for (size_t tile = 0; tile < spare.size(); ++tile) {
    for (Chunk &chunk : chunksOf(tile)) {
      for (size_t i = chunk.begin; i < chunk.end; ++i)
        spare[tile].take(static_cast<int64_t>(q[i]));
      chunk.time = now - 1;
    }
    refresh(tile);
  }
  // Every move lowers the error, so this ends by itself; not to wait for the
  // last digit is a choice.
  // Of many tiles none gets a thorough look before cheap ones find no more: a
  // move anywhere changes what all of them have to gain.
  size_t rounds = 4 * q.size();
  bool thoroughly = spare.size() == 1;
  for (bool done = false; !done && rounds > 0; --rounds) {
    bool changed = false;
    for (size_t tile = 0; tile < spare.size(); ++tile)
      changed |= improve(tile, thoroughly);
    done = !changed && thoroughly;
    thoroughly = !changed || spare.size() == 1;
  }
}

/// H times some vectors.
static void multiply(const QuadraticForm &form, const Matrix &vectors,
                     Matrix &images) {
  constexpr Eigen::Index panel = 256;
  auto matrix = form.matrix();
  if (matrix.rows() < kSinglePrecision) {
    images.noalias() = matrix * vectors;
    return;
  }
  images.resize(matrix.rows(), vectors.cols());
  Eigen::MatrixXf some, all = vectors.cast<float>(), image;
  for (Eigen::Index begin = 0; begin < matrix.cols(); begin += panel) {
    Eigen::Index count = std::min(panel, matrix.cols() - begin);
    some = matrix.middleCols(begin, count).cast<float>();
    image.noalias() = some.transpose() * all;
    images.middleRows(begin, count) = image.cast<double>();
  }
}

/// The error of integers at a scale or at the best one, relative to q = 0.
static double relativeError(const auto &q, const auto &hq, const auto &u,
                            const auto &hu, double scale, bool freeScale) {
  double qhq = q.dot(hq), qhu = q.dot(hu), uhu = u.dot(hu);
  if (!(uhu > 0))
    return 0;
  if (freeScale)
    return 1 - alignment(qhu, qhq) / uhu;
  return 1 - scale * (2 * qhu - scale * qhq) / uhu;
}

namespace {
/// Puts the integers that are nearest one by one in place of such that are
/// worse: errors that were fed back may have added up where they could not be
/// made up for.
class Fallback {
public:
  Fallback(const LayerConstraint &layer, const Budget &budget,
           const QuadraticForm &form, bool freeScales)
      : layer(layer), budget(budget), form(form), freeScales(freeScales),
        limit(narrowLimit(layer.weightBits)) {
    Eigen::VectorXd squares = form.matrix().diagonal();
    diagonal.assign(squares.begin(), squares.end());
  }

  /// `vectors` and `images` hold q and then u of the channels from `begin` on.
  void apply(size_t begin, std::span<ScaledIntegers> channels, Matrix &vectors,
             Matrix &images) const;

private:
  const LayerConstraint &layer;
  const Budget &budget;
  const QuadraticForm &form;
  bool freeScales;
  int64_t limit;
  std::vector<double> diagonal;
};
} // namespace

void Fallback::apply(size_t begin, std::span<ScaledIntegers> channels,
                     Matrix &vectors, Matrix &images) const {
  constexpr double doubtful = 0.25;
  auto count = static_cast<Eigen::Index>(channels.size());
  auto errorOf = [&](const auto &q, const auto &hq, Eigen::Index i,
                     double scale) {
    return relativeError(q, hq, vectors.col(count + i), images.col(count + i),
                         scale, freeScales);
  };
  std::vector<Eigen::Index> where;
  std::vector<ScaledIntegers> others;
  for (Eigen::Index i = 0; i < count; ++i) {
    double scale = channels[static_cast<size_t>(i)].scale;
    if (errorOf(vectors.col(i), images.col(i), i, scale) < doubtful)
      continue;
    std::span<const double> u = layer.channel(begin + static_cast<size_t>(i));
    where.push_back(i);
    others.push_back(
        freeScales ? searchScale(u, budget, limit, diagonal, layer.tiles)
                   : ScaledIntegers{1, nearestIntegers(u, budget, limit,
                                                       diagonal, layer.tiles)});
  }
  if (where.empty())
    return;
  Matrix q(vectors.rows(), static_cast<Eigen::Index>(where.size())), hq;
  for (Eigen::Index j = 0; j < q.cols(); ++j)
    std::copy(others[static_cast<size_t>(j)].integers.begin(),
              others[static_cast<size_t>(j)].integers.end(), q.col(j).data());
  multiply(form, q, hq);
  for (Eigen::Index j = 0; j < q.cols(); ++j) {
    Eigen::Index i = where[static_cast<size_t>(j)];
    double other = others[static_cast<size_t>(j)].scale;
    double &scale = channels[static_cast<size_t>(i)].scale;
    if (errorOf(q.col(j), hq.col(j), i, other) <
        errorOf(vectors.col(i), images.col(i), i, scale)) {
      vectors.col(i) = q.col(j);
      images.col(i) = hq.col(j);
      scale = other;
    }
  }
}

void exchange(const LayerConstraint &layer, const Budget &budget,
              const QuadraticForm &form, bool freeScales,
              std::vector<ScaledIntegers> &channels) {
  constexpr size_t block = 64; // channels a product
  Channel channel(layer, budget, form, freeScales);
  Fallback fallback(layer, budget, form, freeScales);
  auto length = static_cast<Eigen::Index>(layer.length);
  Matrix vectors, images; // q and u
  for (size_t begin = 0; begin < channels.size(); begin += block) {
    auto count =
        static_cast<Eigen::Index>(std::min(block, channels.size() - begin));
    vectors.resize(length, 2 * count);
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto &integers = channels[begin + i].integers;
      std::copy(integers.begin(), integers.end(), vectors.col(i).data());
      std::span<const double> u = layer.channel(begin + i);
      std::copy(u.begin(), u.end(), vectors.col(count + i).data());
    }
    multiply(form, vectors, images);
    fallback.apply(
        begin, std::span(channels).subspan(begin, static_cast<size_t>(count)),
        vectors, images);
    for (Eigen::Index i = 0; i < count; ++i) {
      ScaledIntegers &result = channels[begin + i];
      auto column = [&](Matrix &matrix, Eigen::Index index) {
        return std::span(matrix.col(index).data(), layer.length);
      };
      channel.run(column(vectors, i), column(images, i),
                  column(images, count + i), result.scale);
      result.scale = channel.scale;
      for (Eigen::Index k = 0; k < length; ++k)
        result.integers[k] = static_cast<int64_t>(vectors(k, i));
    }
  }
}

} // namespace a2q
