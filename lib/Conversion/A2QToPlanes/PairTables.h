//===- PairTables.h - What two short codes become together ------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A residual sum of two codes of at most 4 bits is a function of 256 pairs. The
// program defines it in reals: two products, a sum, a clamp, a quotient and a
// rounding. Here it is evaluated for every pair when the program is compiled,
// and what runs is one of two forms.
//
//   look up   by 16 a + b in 256 entries: three instructions with VBMI.
//   add       A[a] + B[b], 16-bit integers from two tables of 16 entries each,
//             shifted right. The clamp to bytes is the packing instruction's.
//
// Such integers need not exist: the rounding of a sum is not the sum of
// roundings. What they must fulfil is one or two inequalities per pair,
//
//   F(a, b) 2^k <= A[a] + B[b] < (F(a, b) + 1) 2^k
//
// of which the first is void where F is the lowest code and the second where it
// is the highest. These are bounds on differences, A[a] - (-B[b]), and such a
// system has an integer solution exactly if its graph has no negative cycle:
// Bellman and Ford's algorithm finds one or shows that there is none. The real
// factors are a solution for large k, up to sums that fall on a boundary.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_CONVERSION_A2QTOPLANES_PAIRTABLES_H
#define A2Q_LIB_CONVERSION_A2QTOPLANES_PAIRTABLES_H

#include "Planes.h"

namespace a2q {

/// A function of two codes, each one of 16 in a row.
struct PairFunction {
  static constexpr int64_t most = 16;
  Range first, second, results;
  /// [first][second], beginning with the lowest codes.
  llvm::SmallVector<int64_t> codes;

  int64_t at(int64_t a, int64_t b) const {
    return codes[a * (second.hi - second.lo + 1) + b];
  }
};

/// Two tables whose sum, shifted, is the function but for its clamp.
struct PairSums {
  unsigned shift = 0;
  llvm::SmallVector<int64_t> first, second;
};
std::optional<PairSums> splitPairs(const PairFunction &function);

/// The functions of a module that have this form, by the op that quantizes.
class PairFunctions {
public:
  PairFunctions(mlir::ModuleOp module, const RangeAnalysis &ranges, Isa isa);

  /// Flat codes of `size`, a multiple of 64, from planes of the leaves; null
  /// where there is no such form.
  mlir::Value emit(mlir::OpBuilder &b, mlir::Value codes,
                   llvm::ArrayRef<mlir::Value> planes, int64_t size) const;

private:
  Isa isa;
  llvm::DenseMap<mlir::Operation *, PairFunction> functions;
  llvm::DenseMap<mlir::Operation *, PairSums> sums;
};

} // namespace a2q

#endif // A2Q_LIB_CONVERSION_A2QTOPLANES_PAIRTABLES_H
