//===- CHeader.h - The C interface of a compiled network --------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TARGET_CHEADER_H
#define A2Q_TARGET_CHEADER_H

#include "a2q/Execution/Signature.h"
#include "llvm/Support/raw_ostream.h"

namespace a2q {

/// What the names of a network's C functions begin with: `stem` with an
/// underscore for whatever no identifier holds. nullopt when the result is no
/// identifier that C and C++ leave to programs.
std::optional<std::string> makeCPrefix(llvm::StringRef stem);

/// Writes the header that belongs to the object file of a network.
/// `checksAccumulators` documents `a2q_check_failed`, which the object then
/// calls; more than one of `threads` documents what to link.
void writeCHeader(llvm::raw_ostream &os, const Signature &signature,
                  llvm::StringRef prefix, bool checksAccumulators = false,
                  unsigned threads = 1);

} // namespace a2q

#endif // A2Q_TARGET_CHEADER_H
