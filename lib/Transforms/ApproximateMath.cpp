//===- ApproximateMath.cpp - Functions as polynomials -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Passes.h"

#include "Sine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace a2q {
#define GEN_PASS_DEF_A2QAPPROXIMATEMATH
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

namespace {

struct ApproximateMath : a2q::impl::A2QApproximateMathBase<ApproximateMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    auto always = [](StringRef) { return true; };
    populateMathPolynomialApproximationPatterns(patterns, always);
    // Those there are right to some thousands only.
    a2q::populateSinePatterns(patterns);
    // Not every processor has an instruction for it; the others would call a
    // library.
    math::populateExpansionPatterns(patterns, {"fma"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
