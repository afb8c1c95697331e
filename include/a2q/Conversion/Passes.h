//===- Passes.h - Passes of a2q/Conversion --------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CONVERSION_PASSES_H
#define A2Q_CONVERSION_PASSES_H

#include "a2q/IR/A2QDialect.h"
#include "mlir/Pass/Pass.h"

namespace a2q {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "a2q/Conversion/Passes.h.inc"

} // namespace a2q

#endif // A2Q_CONVERSION_PASSES_H
