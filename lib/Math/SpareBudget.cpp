//===- SpareBudget.cpp - What is left of a tile's budget ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SpareBudget.h"

#include "Kernels.h"

namespace a2q {

double SpareBudget::spend(double wanted) {
  if (!(std::abs(wanted) >= 1)) // NaN is nothing to spend on
    return 0;
  auto q = static_cast<int64_t>(wanted);
  if (!admits(q)) {
    Wide most = q > 0 ? left.largestPos(0) : left.largestNeg(0);
    auto fits = static_cast<int64_t>(
        std::clamp<Wide>(most, 0, q > 0 ? q : -static_cast<Wide>(q)));
    q = q > 0 ? fits : -fits;
  }
  take(q);
  return static_cast<double>(q);
}

namespace {
/// Closes in on the least threshold without excess: from a guess in growing
/// strides, then by halves.
class Bracket {
public:
  Bracket(double guess, double most)
      : hi(most), next(guess > 0 && guess < most ? guess : most / 16),
        isGuess(guess > 0 && guess < most) {}

  double tried() const { return next; }
  double result() const { return hi; }
  bool isClosed() const { return hi - lo <= 0.02 * hi; }
  void update(bool tooLow) {
    (tooLow ? lo : hi) = next;
    double stride = isGuess ? (tooLow ? next * factor : next / factor) : 0;
    isGuess &= lo < stride && stride < hi && (tooLow || lo == 0);
    factor *= factor;
    next = isGuess ? stride : (lo + hi) / 2;
  }

private:
  double lo = 0, hi, next, factor = 1.1;
  bool isGuess;
};
} // namespace

static double excess(const Budget::Condition &condition, SignedSums norms) {
  return static_cast<double>(condition.pos) * norms.pos +
         static_cast<double>(condition.neg) * norms.neg -
         static_cast<double>(condition.limit);
}

Thresholds SpareBudget::thresholds(std::span<const double> values,
                                   std::span<const double> inverses,
                                   double limit, Thresholds start) const {
  double most = 0;
  for (size_t i = 0; i < values.size(); ++i)
    most = std::max(most, std::abs(values[i]) / inverses[i]);
  auto isTooMuch = [&](SignedSums norms) {
    return excess(left.upper, norms) > 0 || excess(left.lower, norms) > 0;
  };
  auto norms = [&](double pos, double neg) {
    return thresholdSums(values.data(), inverses.data(), values.size(), limit,
                         {pos, neg});
  };
  constexpr int steps = 12;
  SignedSums all = norms(0, 0);
  if (!left.separatesSigns()) {
    if (!isTooMuch(all))
      return {};
    Bracket both(start.pos, most);
    for (int step = 0; step < steps && !both.isClosed(); ++step)
      both.update(isTooMuch(norms(both.tried(), both.tried())));
    return {both.result(), both.result()};
  }
  bool posBinds = isTooMuch({all.pos, 0}), negBinds = isTooMuch({0, all.neg});
  Bracket pos(start.pos, posBinds ? most : 0);
  Bracket neg(start.neg, negBinds ? most : 0);
  for (int step = 0; step < steps && !(pos.isClosed() && neg.isClosed());
       ++step) {
    SignedSums sums = norms(pos.tried(), neg.tried());
    if (!pos.isClosed())
      pos.update(isTooMuch({sums.pos, 0}));
    if (!neg.isClosed())
      neg.update(isTooMuch({0, sums.neg}));
  }
  return {pos.result(), neg.result()};
}

} // namespace a2q
