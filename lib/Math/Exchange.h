//===- Exchange.h - Improve integers unit by unit ---------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_MATH_EXCHANGE_H
#define A2Q_LIB_MATH_EXCHANGE_H

#include "QuadraticForm.h"
#include "a2q/Math/ErrorFeedback.h"

namespace a2q {

/// Takes integers that are in the budget to a local optimum of the error: no
/// unit that is put on or taken off lowers it, nor the best ones moved to where
/// they do best. Sets scales to the best ones if they are free.
void exchange(const LayerConstraint &layer, const Budget &budget,
              const QuadraticForm &form, bool freeScales,
              std::vector<ScaledIntegers> &channels);

} // namespace a2q

#endif // A2Q_LIB_MATH_EXCHANGE_H
