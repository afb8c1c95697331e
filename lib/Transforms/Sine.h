//===- Sine.h - Sine and cosine of any argument -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_TRANSFORMS_SINE_H
#define A2Q_LIB_TRANSFORMS_SINE_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace a2q {

/// math.sin and math.cos of float32, scalars and vectors, as arithmetic that is
/// right to a unit in the last place for all arguments. Benefits are above 1.
void populateSinePatterns(mlir::RewritePatternSet &patterns);

} // namespace a2q

#endif // A2Q_LIB_TRANSFORMS_SINE_H
