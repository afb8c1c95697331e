//===- MacToArith.cpp - a2q.mac on any target -------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace a2q {
#define GEN_PASS_DEF_CONVERTA2QMACTOARITH
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

namespace {
struct ExpandMac : OpRewritePattern<MacOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MacOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<VectorType>(op.getType());
    int64_t lanes = type.getNumElements();
    int64_t factor =
        cast<VectorType>(op.getLhs().getType()).getNumElements() / lanes;
    auto extend = [&](Value codes, bool isUnsigned) -> Value {
      auto from = cast<VectorType>(codes.getType());
      VectorType to = from.clone(type.getElementType());
      if (from == to)
        return codes;
      if (isUnsigned)
        return arith::ExtUIOp::create(rewriter, loc, to, codes);
      return arith::ExtSIOp::create(rewriter, loc, to, codes);
    };
    // Products are formed in the accumulator's width: modulo 2^width they are
    // what the sum needs.
    Value products = arith::MulIOp::create(
        rewriter, loc, extend(op.getLhs(), op.getLhsUnsigned()),
        extend(op.getRhs(), op.getRhsUnsigned()));
    Value sum = op.getAcc();
    for (int64_t j = 0; j < factor; ++j) {
      Value part = products;
      if (factor > 1) {
        SmallVector<int64_t> places;
        for (int64_t i = 0; i < lanes; ++i)
          places.push_back(factor * i + j);
        part = vector::ShuffleOp::create(rewriter, loc, products, products,
                                         places);
      }
      sum = arith::AddIOp::create(rewriter, loc, sum, part);
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

/// Lane by lane.
struct ExpandLookUp : OpRewritePattern<LookUpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LookUpOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<VectorType>(op.getType());
    Value result =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type));
    for (int64_t lane = 0; lane < type.getNumElements(); ++lane) {
      Value index =
          vector::ExtractOp::create(rewriter, loc, op.getIndices(), lane);
      index = arith::IndexCastUIOp::create(rewriter, loc,
                                           rewriter.getIndexType(), index);
      Value entry = vector::ExtractOp::create(rewriter, loc, op.getTable(),
                                              OpFoldResult(index));
      result = vector::InsertOp::create(rewriter, loc, entry, result, lane);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ConvertA2QMacToArith
    : a2q::impl::ConvertA2QMacToArithBase<ConvertA2QMacToArith> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandMac, ExpandLookUp>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
