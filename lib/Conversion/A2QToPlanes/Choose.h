//===- Choose.h - The form of each layer of a module ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dense kernels read and write [n, h, w, c], so each is chosen alone. Planes
// are another layout: a layer that is faster on planes may not be worth two
// conversions, and two of them in a row need none between them. So the layers
// of a module are chosen together.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_A2QTOPLANES_CHOOSE_H
#define A2Q_LIB_CONVERSION_A2QTOPLANES_CHOOSE_H

#include "Planes.h"

namespace a2q {

/// What computes a layer: planes if there are any, else the dense kernel.
struct Choice {
  Plan dense;
  std::optional<PlanePlan> planes;
  std::string form; ///< which of them, in words
  double time = 0;  ///< nanoseconds that it is estimated at, borders included
};

/// When a layer takes a form.
enum class Use {
  WhenFaster,
  WhenPossible,
  Never,
};
std::optional<Use> parseUse(llvm::StringRef name);

struct ChoiceOptions {
  Isa isa = Isa::Portable;
  bool check = false;
  Use planes = Use::WhenFaster;
  Use lookUps = Use::WhenFaster;
  int64_t lookUpSums = 0; ///< in a table: 16 or 64; 0: what is fastest
  unsigned laneBits = 0;  ///< of planes; 0: what is fastest
  bool tell = true;       ///< whether remarks say why
};

/// Chooses for all layers, and tells why in a remark on each unless told not
/// to.
std::vector<Choice> chooseForms(llvm::ArrayRef<Layer> layers,
                                const ChoiceOptions &options);

/// Nanoseconds of a dense kernel on the machine of docs/performance.md.
double estimateDense(const Layer &layer, const Plan &plan, Isa isa);

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_A2QTOPLANES_CHOOSE_H
