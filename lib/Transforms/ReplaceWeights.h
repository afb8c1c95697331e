//===- ReplaceWeights.h - Other constants for a layer -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_REPLACEWEIGHTS_H
#define A2Q_LIB_TRANSFORMS_REPLACEWEIGHTS_H

#include "a2q/IR/A2QOps.h"

namespace a2q {

/// Whether the weights are a constant behind `quant.scast`.
bool hasOwnableWeights(AccumulatingOpInterface op);

/// Gives the op constant codes of its own, in the default order, since another
/// op may use the old ones; scales are multiplied by `factors`, one per
/// channel. The op has ownable weights.
void replaceWeights(AccumulatingOpInterface op, llvm::ArrayRef<int64_t> codes,
                    llvm::ArrayRef<double> factors);

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_REPLACEWEIGHTS_H
