//===- MacToX86.cpp - a2q.mac as instructions of x86 ------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/ADT/StringSwitch.h"

namespace a2q {
#define GEN_PASS_DEF_CONVERTA2QMACTOX86
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

namespace {
/// What a vector multiply-accumulate looks like to an instruction.
struct Shape {
  explicit Shape(MacOp op) {
    auto acc = cast<VectorType>(op.getAcc().getType());
    auto lhs = cast<VectorType>(op.getLhs().getType());
    auto rhs = cast<VectorType>(op.getRhs().getType());
    factor = lhs.getNumElements() / acc.getNumElements();
    accBits = acc.getElementTypeBitWidth();
    lhsBits = lhs.getElementTypeBitWidth();
    rhsBits = rhs.getElementTypeBitWidth();
    bits = acc.getNumElements() * accBits;
  }
  bool is(int64_t f, unsigned acc, unsigned codes) const {
    return factor == f && accBits == acc && lhsBits == codes &&
           rhsBits == codes;
  }

  int64_t factor;
  unsigned accBits, lhsBits, rhsBits;
  int64_t bits; ///< of the whole accumulator
};
} // namespace

/// The instruction's name for registers of 128, 256 or 512 bits, or empty.
static StringRef bySize(int64_t bits, StringRef xmm, StringRef ymm,
                        StringRef zmm) {
  return bits == 128 ? xmm : bits == 256 ? ymm : bits == 512 ? zmm : "";
}

static Value call(PatternRewriter &rewriter, Location loc, StringRef name,
                  Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(rewriter, loc, type,
                                       rewriter.getStringAttr(name), operands)
      .getResult(0);
}

namespace {
/// u8 x s8 pairs, saturated to 16 bits: exact where packing proved it.
struct PairsToPmaddubsw : OpRewritePattern<MacOp> {
  PairsToPmaddubsw(MLIRContext *context, int64_t most)
      : OpRewritePattern(context), most(most) {}

  LogicalResult matchAndRewrite(MacOp op,
                                PatternRewriter &rewriter) const override {
    Shape shape(op);
    if (!shape.is(2, 16, 8) || !op.getLhsUnsigned() || op.getRhsUnsigned())
      return rewriter.notifyMatchFailure(op, "not u8 x s8 pairs into 16 bits");
    if (!op.getPairExact())
      return rewriter.notifyMatchFailure(op, "a pair may saturate");
    StringRef name =
        bySize(shape.bits, "llvm.x86.ssse3.pmadd.ub.sw.128",
               "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx512.pmaddubs.w.512");
    if (name.empty() || shape.bits > most)
      return rewriter.notifyMatchFailure(op, "no register of this size");
    Value pairs = call(rewriter, op.getLoc(), name, op.getType(),
                       {op.getLhs(), op.getRhs()});
    rewriter.replaceOpWithNewOp<arith::AddIOp>(op, op.getAcc(), pairs);
    return success();
  }

  int64_t most;
};

/// Pairs of 16 bits into 32; bytes are extended first.
struct PairsToPmaddwd : OpRewritePattern<MacOp> {
  PairsToPmaddwd(MLIRContext *context, int64_t most)
      : OpRewritePattern(context), most(most) {}

  LogicalResult matchAndRewrite(MacOp op,
                                PatternRewriter &rewriter) const override {
    Shape shape(op);
    if (shape.factor != 2 || shape.accBits != 32)
      return rewriter.notifyMatchFailure(op, "not pairs into 32 bits");
    if (shape.lhsBits > 16 || shape.rhsBits > 16 ||
        (shape.lhsBits == 16 && op.getLhsUnsigned()) ||
        (shape.rhsBits == 16 && op.getRhsUnsigned()))
      return rewriter.notifyMatchFailure(op, "codes do not fit signed 16 bits");
    StringRef name =
        bySize(shape.bits, "llvm.x86.sse2.pmadd.wd", "llvm.x86.avx2.pmadd.wd",
               "llvm.x86.avx512.pmaddw.d.512");
    if (name.empty() || shape.bits > most)
      return rewriter.notifyMatchFailure(op, "no register of this size");
    auto words = [&](Value codes, bool isUnsigned) -> Value {
      auto from = cast<VectorType>(codes.getType());
      VectorType to = from.clone(rewriter.getI16Type());
      if (from == to)
        return codes;
      if (isUnsigned)
        return arith::ExtUIOp::create(rewriter, op.getLoc(), to, codes);
      return arith::ExtSIOp::create(rewriter, op.getLoc(), to, codes);
    };
    // Exact but for two products of -2^15 and -2^15, whose sum wraps, as the
    // op's does.
    Value pairs = call(rewriter, op.getLoc(), name, op.getType(),
                       {words(op.getLhs(), op.getLhsUnsigned()),
                        words(op.getRhs(), op.getRhsUnsigned())});
    rewriter.replaceOpWithNewOp<arith::AddIOp>(op, op.getAcc(), pairs);
    return success();
  }

  int64_t most;
};

/// u8 x s8 quadruples into 32 bits.
struct QuadsToVpdpbusd : OpRewritePattern<MacOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MacOp op,
                                PatternRewriter &rewriter) const override {
    Shape shape(op);
    if (!shape.is(4, 32, 8) || !op.getLhsUnsigned() || op.getRhsUnsigned())
      return rewriter.notifyMatchFailure(op, "not u8 x s8 into 32 bits");
    StringRef name =
        bySize(shape.bits, "llvm.x86.avx512.vpdpbusd.128",
               "llvm.x86.avx512.vpdpbusd.256", "llvm.x86.avx512.vpdpbusd.512");
    if (name.empty())
      return rewriter.notifyMatchFailure(op, "no register of this size");
    rewriter.replaceOp(op, call(rewriter, op.getLoc(), name, op.getType(),
                                {op.getAcc(), op.getLhs(), op.getRhs()}));
    return success();
  }
};

/// Tables in every 128 bits of a register, or in one of 512 bits.
struct LookUpsToShuffles : OpRewritePattern<LookUpOp> {
  LookUpsToShuffles(MLIRContext *context, int64_t most, bool vbmi)
      : OpRewritePattern(context), most(most), vbmi(vbmi) {}

  LogicalResult matchAndRewrite(LookUpOp op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<VectorType>(op.getType());
    int64_t lanes = type.getNumElements();
    int64_t entries =
        cast<VectorType>(op.getTable().getType()).getNumElements();
    if (lanes * 8 > most)
      return rewriter.notifyMatchFailure(op, "no register of this size");
    if (entries == 64) {
      if (!vbmi || lanes != 64)
        return rewriter.notifyMatchFailure(op, "vpermb has 64 lanes");
      rewriter.replaceOp(op, call(rewriter, op.getLoc(),
                                  "llvm.x86.avx512.permvar.qi.512", type,
                                  {op.getTable(), op.getIndices()}));
      return success();
    }
    StringRef name =
        bySize(lanes * 8, "llvm.x86.ssse3.pshuf.b.128", "llvm.x86.avx2.pshuf.b",
               "llvm.x86.avx512.pshuf.b.512");
    if (name.empty())
      return rewriter.notifyMatchFailure(op, "no register of this size");
    SmallVector<int64_t> places;
    for (int64_t i = 0; i < lanes; ++i)
      places.push_back(i % entries);
    Value tables = op.getTable();
    if (lanes > entries)
      tables = vector::ShuffleOp::create(rewriter, op.getLoc(), tables, tables,
                                         places);
    rewriter.replaceOp(
        op, call(rewriter, op.getLoc(), name, type, {tables, op.getIndices()}));
    return success();
  }

  int64_t most;
  bool vbmi;
};

struct ConvertA2QMacToX86
    : a2q::impl::ConvertA2QMacToX86Base<ConvertA2QMacToX86> {
  using ConvertA2QMacToX86Base::ConvertA2QMacToX86Base;

  void runOnOperation() override {
    StringRef name = isa.getValue();
    int64_t most = llvm::StringSwitch<int64_t>(name)
                       .Case("avx2", 256)
                       .Cases({"avx512bw", "avx512vnni", "avx512vbmi"}, 512)
                       .Default(0);
    if (most == 0) {
      getOperation()->emitError()
          << "unknown isa '" << name
          << "', expected avx2, avx512bw, avx512vnni or avx512vbmi";
      return signalPassFailure();
    }
    RewritePatternSet patterns(&getContext());
    patterns.add<PairsToPmaddubsw, PairsToPmaddwd>(&getContext(), most);
    patterns.add<LookUpsToShuffles>(&getContext(), most, name == "avx512vbmi");
    if (name == "avx512vnni" || name == "avx512vbmi")
      patterns.add<QuadsToVpdpbusd>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
