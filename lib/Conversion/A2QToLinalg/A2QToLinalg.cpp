//===- A2QToLinalg.cpp - Codes and reals as linalg and arith ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../RealToCode.h"

#include "a2q/Conversion/A2QToLinalg/CodeTypeConverter.h"
#include "a2q/Conversion/Passes.h"
#include "a2q/IR/A2QOps.h"
#include "a2q/IR/QuantTypes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/Transforms/StructuralTypeConversions.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace a2q {
#define GEN_PASS_DEF_CONVERTA2QTOLINALG
#include "a2q/Conversion/Passes.h.inc"
} // namespace a2q

using namespace mlir;
using namespace a2q;

IntegerType a2q::getCodeStorageType(quant::QuantizedType type) {
  unsigned bits = type.getStorageTypeIntegralWidth();
  return IntegerType::get(type.getContext(), bits <= 8    ? 8
                                             : bits <= 16 ? 16
                                                          : 32);
}

CodeTypeConverter::CodeTypeConverter() {
  addConversion([](Type type) { return type; });
  addConversion([](quant::QuantizedType type) -> Type {
    return getCodeStorageType(type);
  });
  addConversion([](TensorType type) -> Type {
    auto quantized = dyn_cast<quant::QuantizedType>(type.getElementType());
    return quantized ? type.clone(getCodeStorageType(quantized)) : type;
  });
}

namespace {

/// Code arithmetic on scalars, inside the body of a linalg.generic.
struct ScalarBuilder {
  OpBuilder &b;
  Location loc;

  Value real(float value) {
    return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
  }
  /// A float of the type of `like`.
  Value constant(Value like, double value) {
    return arith::ConstantOp::create(b, loc,
                                     b.getFloatAttr(like.getType(), value));
  }
  Value constant(IntegerType type, int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
  }
  Value select(arith::CmpFPredicate predicate, Value lhs, Value rhs,
               Value whenTrue, Value whenFalse) {
    Value condition = arith::CmpFOp::create(b, loc, predicate, lhs, rhs);
    return arith::SelectOp::create(b, loc, condition, whenTrue, whenFalse);
  }

  /// clamp(round(x) + zeroPoint) as an integer of type `storage`; NaN counts
  /// as 0. Clamp and rounding to integers commute; the clamp comes first, since
  /// the conversion to an integer is undefined outside of its range.
  Value encode(Value x, Rounding rounding, std::optional<int64_t> zeroPoint,
               Value zeroPointValue, a2q::Range codes, IntegerType storage) {
    x = select(arith::CmpFPredicate::UNO, x, x, constant(x, 0.0), x);
    bool narrow = storage.getWidth() <= 16;
    IntegerType integer = narrow ? b.getI32Type() : b.getI64Type();
    // Where float cannot hold the ends exactly, double does.
    if (!narrow)
      x = arith::ExtFOp::create(b, loc, b.getF64Type(), x);
    if (zeroPoint) {
      x = clampReal(b, loc, x, codes.lo - *zeroPoint, codes.hi - *zeroPoint);
      Value code = roundToInteger(b, loc, x, integer, rounding);
      if (*zeroPoint != 0)
        code = arith::AddIOp::create(b, loc, code, zeroPointValue);
      return arith::TruncIOp::create(b, loc, storage, code);
    }
    // Beyond this limit every code saturates whatever the zero point.
    double limit = narrow ? 0x1p18 : 0x1p40;
    Value code = roundToInteger(b, loc, clampReal(b, loc, x, -limit, limit),
                                integer, rounding);
    code = arith::AddIOp::create(b, loc, code, zeroPointValue);
    code = arith::MaxSIOp::create(b, loc, code, constant(integer, codes.lo));
    code = arith::MinSIOp::create(b, loc, code, constant(integer, codes.hi));
    return arith::TruncIOp::create(b, loc, storage, code);
  }

  /// code - zeroPoint, exact in the type of the zero point.
  Value difference(Value code, bool isSigned, Value zeroPoint) {
    auto type = cast<IntegerType>(zeroPoint.getType());
    Value wide = isSigned
                     ? arith::ExtSIOp::create(b, loc, type, code).getResult()
                     : arith::ExtUIOp::create(b, loc, type, code);
    return arith::SubIOp::create(b, loc, wide, zeroPoint);
  }
};

/// The integer in which codes and zero points of a type are exact, together
/// with their difference.
IntegerType getDifferenceType(OpBuilder &b, quant::QuantizedType type) {
  return getCodeStorageType(type).getWidth() <= 16 ? b.getI32Type()
                                                   : b.getI64Type();
}

/// The scales and the zero points of a per-axis type as constant tensors.
SmallVector<Value> buildParameterTensors(OpBuilder &b, Location loc,
                                         quant::QuantizedType type) {
  IntegerType integer = getDifferenceType(b, type);
  SmallVector<float> scale(llvm::map_range(
      scales(type), [](double s) { return static_cast<float>(s); }));
  SmallVector<Attribute> zeros(
      llvm::map_range(zeroPoints(type), [&](int64_t z) -> Attribute {
        return b.getIntegerAttr(integer, z);
      }));
  auto size = static_cast<int64_t>(scale.size());
  auto floatAttr = DenseElementsAttr::get(
      RankedTensorType::get({size}, b.getF32Type()), ArrayRef<float>(scale));
  auto integerAttr =
      DenseElementsAttr::get(RankedTensorType::get({size}, integer), zeros);
  return {arith::ConstantOp::create(b, loc, floatAttr),
          arith::ConstantOp::create(b, loc, integerAttr)};
}

/// An elementwise generic over `input`. `body` gets the element, the scale as
/// f32, and the zero point as an integer of the difference type; those of a
/// per-axis type are read from constant tensors that run along the axis.
Value buildElementwise(
    OpBuilder &b, Location loc, Value input, quant::QuantizedType type,
    Type resultElement,
    function_ref<Value(ScalarBuilder, Value element, Value scale, Value zero)>
        body) {
  int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
  SmallVector<Value> inputs{input};
  AffineMap identity = b.getMultiDimIdentityMap(rank);
  SmallVector<AffineMap> maps{identity};
  if (auto perAxis = dyn_cast<quant::UniformQuantizedPerAxisType>(type)) {
    AffineMap alongAxis = AffineMap::get(
        rank, 0, b.getAffineDimExpr(perAxis.getQuantizedDimension()));
    for (Value tensor : buildParameterTensors(b, loc, type)) {
      inputs.push_back(tensor);
      maps.push_back(alongAxis);
    }
  }
  maps.push_back(identity);
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, input), resultElement);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, TypeRange{empty.getType()}, inputs, ValueRange{empty}, maps,
      iterators, [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
        ScalarBuilder s{nested, nestedLoc};
        bool perAxis = args.size() == 4;
        Value scale =
            perAxis ? args[1] : s.real(static_cast<float>(scales(type)[0]));
        Value zero = perAxis ? args[2]
                             : s.constant(getDifferenceType(nested, type),
                                          zeroPoints(type)[0]);
        linalg::YieldOp::create(nested, nestedLoc,
                                body(s, args[0], scale, zero));
      });
  return generic.getResult(0);
}

struct QuantizePattern : OpConversionPattern<QuantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    quant::QuantizedType type = getQuantizedType(op.getType());
    IntegerType storage = getCodeStorageType(type);
    SmallVector<int64_t> zeros = zeroPoints(type);
    std::optional<int64_t> uniformZero;
    if (llvm::all_equal(zeros))
      uniformZero = zeros.front();
    Value result = buildElementwise(
        rewriter, op.getLoc(), adaptor.getInput(), type, storage,
        [&](ScalarBuilder s, Value x, Value scale, Value zero) {
          Value quotient = arith::DivFOp::create(s.b, s.loc, x, scale);
          return s.encode(quotient, op.getRounding(), uniformZero, zero,
                          codeRange(type), storage);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct DequantizePattern : OpConversionPattern<DequantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DequantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    quant::QuantizedType type = getQuantizedType(op.getInput().getType());
    Value result = buildElementwise(
        rewriter, op.getLoc(), adaptor.getInput(), type, rewriter.getF32Type(),
        [&](ScalarBuilder s, Value code, Value scale, Value zero) -> Value {
          Value difference = s.difference(code, type.isSigned(), zero);
          Value real =
              arith::SIToFPOp::create(s.b, s.loc, s.b.getF32Type(), difference);
          return arith::MulFOp::create(s.b, s.loc, real, scale);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// A cast between codes and the integers of their storage type: nothing, or an
/// extension or truncation of codes below 8 (or 16, 32) bits.
struct StorageCastPattern : OpConversionPattern<quant::StorageCastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(quant::StorageCastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type resultType = getTypeConverter()->convertType(op.getType());
    Value input = adaptor.getInput();
    unsigned from =
        getElementTypeOrSelf(input.getType()).getIntOrFloatBitWidth();
    unsigned to = getElementTypeOrSelf(resultType).getIntOrFloatBitWidth();
    bool isSigned = op.getQuantizedType().isSigned();
    if (from == to)
      rewriter.replaceOp(op, input);
    else if (from > to)
      rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, resultType, input);
    else if (isSigned)
      rewriter.replaceOpWithNewOp<arith::ExtSIOp>(op, resultType, input);
    else
      rewriter.replaceOpWithNewOp<arith::ExtUIOp>(op, resultType, input);
    return success();
  }
};

/// Ops that move elements without computing on them are the same op over
/// integers, with their regions converted.
struct RetypePattern : ConversionPattern {
  RetypePattern(const TypeConverter &converter, MLIRContext *context)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isa_and_nonnull<tensor::TensorDialect, linalg::LinalgDialect,
                         bufferization::BufferizationDialect>(op->getDialect()))
      return rewriter.notifyMatchFailure(
          op, "the dialect is not known to keep codes as they are");
    SmallVector<Type> types;
    if (failed(getTypeConverter()->convertTypes(op->getResultTypes(), types)))
      return failure();
    OperationState state(op->getLoc(), op->getName(), operands, types,
                         op->getAttrs(), op->getSuccessors());
    for (unsigned i = 0, e = op->getNumRegions(); i < e; ++i)
      state.addRegion();
    Operation *retyped = rewriter.create(state);
    for (auto [from, to] :
         llvm::zip_equal(op->getRegions(), retyped->getRegions())) {
      rewriter.inlineRegionBefore(from, to, to.begin());
      if (failed(rewriter.convertRegionTypes(&to, *getTypeConverter())))
        return failure();
    }
    rewriter.replaceOp(op, retyped->getResults());
    return success();
  }
};

struct ConvertA2QToLinalg
    : a2q::impl::ConvertA2QToLinalgBase<ConvertA2QToLinalg> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(checkNoAccumulators(module)))
      return signalPassFailure();

    CodeTypeConverter converter;
    RewritePatternSet patterns(&getContext());
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal([&](Operation *op) {
      if (auto func = dyn_cast<FunctionOpInterface>(op))
        return converter.isLegal(func.getArgumentTypes()) &&
               converter.isLegal(func.getResultTypes()) &&
               converter.isLegal(&func.getFunctionBody());
      return converter.isLegal(op) &&
             llvm::all_of(op->getRegions(),
                          [&](Region &r) { return converter.isLegal(&r); });
    });
    target.addIllegalOp<QuantizeOp, DequantizeOp, quant::StorageCastOp>();
    patterns.add<QuantizePattern, DequantizePattern, StorageCastPattern,
                 RetypePattern>(converter, &getContext());
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    populateCallOpTypeConversionPattern(patterns, converter);
    cf::populateCFStructuralTypeConversions(converter, patterns);
    scf::populateSCFStructuralTypeConversions(converter, patterns);
    if (failed(applyPartialConversion(module, target, std::move(patterns))))
      signalPassFailure();
  }

  /// Accumulators are no codes: another pass computes them.
  static LogicalResult checkNoAccumulators(ModuleOp module) {
    WalkResult result = module.walk([](Operation *op) {
      if (!isa<MatmulOp, Conv2DOp, RequantizeOp, DecodeOp>(op))
        return WalkResult::advance();
      op->emitOpError("holds or reads accumulators, which this pass does not "
                      "lower")
              .attachNote()
          << "run convert-a2q-to-vector before";
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }
};

} // namespace
