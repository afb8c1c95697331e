//===- Accuracy.h - Classifications against labels --------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TOOLS_ACCURACY_H
#define A2Q_TOOLS_ACCURACY_H

#include "a2q/Tools/Npy.h"

namespace a2q {

struct Accuracy {
  int64_t correct = 0, total = 0;
};

/// Compares the index of the largest element (the first of equals) along the
/// last dimension of `scores` with labels from a .npy file of integers.
llvm::Expected<Accuracy> measureAccuracy(const NpyArray &scores,
                                         llvm::StringRef labelsPath);

} // namespace a2q

#endif // A2Q_TOOLS_ACCURACY_H
