//===- ParallelLoops.h - Loops that threads may share -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_PARALLELLOOPS_H
#define A2Q_TRANSFORMS_PARALLELLOOPS_H

#include "llvm/ADT/StringRef.h"

namespace a2q {

/// A unit attribute of `scf.for`: its trips write different elements, and none
/// reads what another writes. Bufferization keeps it; `a2q-share-loops` reads
/// and removes it.
inline constexpr llvm::StringLiteral parallelAttrName = "a2q.parallel";

} // namespace a2q

#endif // A2Q_TRANSFORMS_PARALLELLOOPS_H
