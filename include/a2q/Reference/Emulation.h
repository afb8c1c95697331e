//===- Emulation.h - Accumulators that are too narrow -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a machine without proofs computes: every sum is kept in a signed
// register of P bits, whatever its terms are. A register that wraps keeps the
// sum modulo 2^P, so the order of its terms does not matter and only the final
// sum has to fit. One that saturates stops at the ends, and then the order
// does matter: with 4 bits, 7 + 5 - 5 is 2 and 7 - 5 + 5 is 7. Terms are added
// in the default order (kernel row, kernel column, input channel; the loops of
// a structured op as they are nested), one product at a time.
//
// What is in the register counts: the initial value, and the products of the
// padding's codes.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_REFERENCE_EMULATION_H
#define A2Q_REFERENCE_EMULATION_H

#include "a2q/Math/Interval.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <vector>

namespace a2q {

enum class Overflow { Wrap, Saturate };

/// A signed register of `width` bits, from 1 to 64.
struct Emulation {
  Overflow overflow = Overflow::Wrap;
  unsigned width = 32;

  Wide lowest() const;
  Wide highest() const;

  /// What the register holds once it is given this sum.
  Wide hold(Wide sum) const;

  /// `wrap:P` or `saturate:P`; nullopt for anything else.
  static std::optional<Emulation> parse(llvm::StringRef text);
};

} // namespace a2q

#endif // A2Q_REFERENCE_EMULATION_H
