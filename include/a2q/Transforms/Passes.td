//===- Passes.td - Passes of a2q/Transforms
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_PASSES_TD
#define A2Q_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

// Passes in alphabetical order.

#endif // A2Q_TRANSFORMS_PASSES_TD
