//===- Exchange.cpp - Improve integers unit by unit -----------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exchange.h"

#include "SpareBudget.h"

#include <array>
#include <cmath>
#include <limits>

namespace a2q {

namespace {
/// One unit put on a weight or taken off it.
struct Step {
  double gain = -std::numeric_limits<double>::infinity();
  uint32_t at = 0;
  int by = 0; ///< +1 or -1, 0 for none
  void offer(double otherGain, uint32_t otherAt, int otherBy) {
    if (otherGain > gain)
      *this = {otherGain, otherAt, otherBy};
  }
};

/// The best steps of a tile, for weights that are or become positive, and for
/// those that are or become negative.
struct Steps {
  std::array<Step, 2> grow, shrink;
};

/// One or two steps, the first of which makes room for the second.
struct Move {
  double gain = 0;
  Step first, second;
};

/// Where the weights of a layer's tiles are.
struct Places {
  std::vector<uint32_t> tileOf;
  std::vector<std::vector<uint32_t>> members;
};

/// One channel: integers q of scale k for the weights u. The error is
/// k^2 q^T H q - 2k q^T H u + u^T H u; gains are what it falls by, over k.
class Channel {
public:
  Channel(const QuadraticForm &form, const Places &places, const Budget &budget,
          double limit, bool freeScale)
      : form(form), places(places), budget(budget), limit(limit),
        freeScale(freeScale) {}

  /// Improves q; `image` is H q and follows, `goal` is H u.
  void run(std::span<double> integers, std::span<double> image,
           std::span<const double> goal, double start);
  double scale = 1;

private:
  /// At which scale gains are: the present one, which is cheap to tell, or the
  /// best one after the step.
  enum class At { PresentScale, BestScale };

  void setScale();
  bool improve(At at);
  template <At at> Steps scan(size_t tile, const Step &before) const;
  template <At at> Move bestMove(size_t tile) const;
  void apply(const Step &step);
  bool admits(size_t tile, const Step &first, const Step &second) const;

  const QuadraticForm &form;
  const Places &places;
  const Budget &budget;
  double limit;
  bool freeScale;
  std::span<double> q, hq;
  std::span<const double> hu;
  double qhq = 0, qhu = 0;
  std::vector<SpareBudget> spare; ///< by tile
};
} // namespace

void Channel::setScale() {
  if (freeScale && qhq > 0 && qhu > 0 && std::isnormal(qhu / qhq))
    scale = qhu / qhq;
}

/// The best steps after `before`, if that is one; gains are of both. A weight
/// takes one step only.
template <Channel::At at>
Steps Channel::scan(size_t tile, const Step &before) const {
  double afterQhq = qhq, afterQhu = qhu, fixed = 0;
  const double *row = nullptr;
  if (before.by != 0) {
    afterQhq += 2 * before.by * hq[before.at] + form.weight(before.at);
    afterQhu += before.by * hu[before.at];
    fixed = before.gain;
    row = form.matrix().col(before.at).data();
  }
  double present = qhq > 0 ? qhu * qhu / qhq : 0;
  auto gainOf = [&](double image, uint32_t i, int by) {
    if constexpr (at == At::PresentScale)
      return fixed + 2 * by * (hu[i] - scale * image) - scale * form.weight(i);
    double newQhu = afterQhu + by * hu[i];
    double newQhq = afterQhq + 2 * by * image + form.weight(i);
    bool points = newQhu > 0 && newQhq > 0;
    return ((points ? newQhu * newQhu / newQhq : 0.0) - present) / scale;
  };
  Steps best;
  for (uint32_t i : places.members[tile]) {
    double image = row ? hq[i] + before.by * row[i] : hq[i];
    double value = q[i];
    if (row && i == before.at)
      continue;
    if (value >= 0 && value < limit)
      best.grow[0].offer(gainOf(image, i, 1), i, 1);
    if (value <= 0 && value > -limit)
      best.grow[1].offer(gainOf(image, i, -1), i, -1);
    if (value > 0)
      best.shrink[0].offer(gainOf(image, i, -1), i, -1);
    if (value < 0)
      best.shrink[1].offer(gainOf(image, i, 1), i, 1);
  }
  return best;
}

bool Channel::admits(size_t tile, const Step &first, const Step &second) const {
  SpareBudget after = spare[tile];
  after.refund(-first.by);
  return after.admits(second.by);
}

/// The best step, or the best that makes room for another one, together with
/// that one: the best partner of each best step.
template <Channel::At at> Move Channel::bestMove(size_t tile) const {
  Steps steps = scan<at>(tile, {});
  Move best;
  best.gain = 1e-10 * std::abs(qhu);
  for (size_t sign : {0, 1}) {
    const Step &grow = steps.grow[sign], &shrink = steps.shrink[sign];
    if (grow.gain > best.gain && spare[tile].admits(grow.by))
      best = {grow.gain, {}, grow};
    if (shrink.gain > best.gain)
      best = {shrink.gain, {}, shrink};
  }
  if (best.second.by != 0)
    return best;
  auto offer = [&](const Step &shrink, const Step &grow, double gain) {
    if (shrink.by != 0 && grow.by != 0 && gain > best.gain &&
        admits(tile, shrink, grow))
      best = {gain, shrink, grow};
  };
  for (const Step &shrink : steps.shrink)
    if (shrink.by != 0)
      for (const Step &grow : scan<at>(tile, shrink).grow)
        offer(shrink, grow, grow.gain);
  for (const Step &grow : steps.grow)
    if (grow.by != 0)
      for (const Step &shrink : scan<at>(tile, grow).shrink)
        offer(shrink, grow, shrink.gain);
  return best;
}

void Channel::apply(const Step &step) {
  if (step.by == 0)
    return;
  size_t tile = places.tileOf[step.at];
  spare[tile].refund(static_cast<int64_t>(q[step.at]));
  q[step.at] += step.by;
  spare[tile].take(static_cast<int64_t>(q[step.at]));
  qhq += 2 * step.by * hq[step.at] + form.weight(step.at);
  qhu += step.by * hu[step.at];
  Eigen::Map<Eigen::VectorXd> image(hq.data(),
                                    static_cast<Eigen::Index>(hq.size()));
  image += step.by * form.matrix().col(step.at);
}

bool Channel::improve(At at) {
  bool changed = false;
  for (size_t tile = 0; tile < spare.size(); ++tile) {
    Move move = at == At::BestScale ? bestMove<At::BestScale>(tile)
                                    : bestMove<At::PresentScale>(tile);
    if (move.second.by == 0)
      continue;
    apply(move.first);
    apply(move.second);
    setScale();
    changed = true;
  }
  return changed;
}

void Channel::run(std::span<double> integers, std::span<double> image,
                  std::span<const double> goal, double start) {
  q = integers;
  hq = image;
  hu = goal;
  scale = start;
  spare.assign(places.members.size(), SpareBudget(budget));
  qhq = qhu = 0;
  for (size_t at = 0; at < q.size(); ++at) {
    spare[places.tileOf[at]].take(static_cast<int64_t>(q[at]));
    qhq += q[at] * hq[at];
    qhu += q[at] * hu[at];
  }
  setScale();
  size_t most = 4 * q.size();
  for (size_t round = 0; round < most; ++round)
    if (!improve(At::PresentScale) && !(freeScale && improve(At::BestScale)))
      return;
}

void exchange(const LayerConstraint &layer, const Budget &budget,
              const QuadraticForm &form, bool freeScales,
              std::vector<ScaledIntegers> &channels) {
  constexpr size_t block = 64; // channels a product
  Places places;
  places.tileOf = form.tilesByPosition(layer.tiles);
  places.members.resize(std::max<size_t>(layer.tiles.size(), 1));
  for (uint32_t t = 0; t < places.tileOf.size(); ++t)
    places.members[places.tileOf[t]].push_back(t);
  Channel channel(form, places, budget,
                  static_cast<double>(narrowLimit(layer.weightBits)),
                  freeScales);

  std::span<const uint32_t> order = form.order();
  Matrix q, hq, u, hu;
  for (size_t begin = 0; begin < channels.size(); begin += block) {
    size_t count = std::min(block, channels.size() - begin);
    q.resize(form.matrix().rows(), static_cast<Eigen::Index>(count));
    u.resize(q.rows(), q.cols());
    for (size_t i = 0; i < count; ++i)
      for (size_t t = 0; t < order.size(); ++t) {
        auto row = static_cast<Eigen::Index>(t);
        auto column = static_cast<Eigen::Index>(i);
        q(row, column) =
            static_cast<double>(channels[begin + i].integers[order[t]]);
        u(row, column) = layer.channel(begin + i)[order[t]];
      }
    hq.noalias() = form.matrix() * q;
    hu.noalias() = form.matrix() * u;
    for (size_t i = 0; i < count; ++i) {
      auto column = [&](Matrix &matrix) {
        return std::span(matrix.col(static_cast<Eigen::Index>(i)).data(),
                         order.size());
      };
      ScaledIntegers &result = channels[begin + i];
      channel.run(column(q), column(hq), column(hu), result.scale);
      result.scale = channel.scale;
      for (size_t t = 0; t < order.size(); ++t)
        result.integers[order[t]] = static_cast<int64_t>(column(q)[t]);
    }
  }
}

} // namespace a2q
