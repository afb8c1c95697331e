//===- RealStepsTest.cpp - Real arithmetic in any dialect -----------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RealSteps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace a2q;

namespace {

constexpr StringRef source = R"mlir(
  #all = affine_map<(d0, d1) -> (d0, d1)>
  #row = affine_map<(d0, d1) -> (d0)>
  #turned = affine_map<(d0, d1) -> (d1, d0)>
  func.func @f(%v: tensor<4x4xf32>, %w: tensor<4x4xf32>) {
    %gains = "tosa.const"() <{values = dense<[[1.0, 2.0, 3.0, 4.0]]> : tensor<1x4xf32>}> {name = "gains"} : () -> tensor<1x4xf32>
    %half = "tosa.const"() <{values = dense<0.5> : tensor<1x1xf32>}> {name = "half"} : () -> tensor<1x1xf32>
    %nan = "tosa.const"() <{values = dense<0x7FC00000> : tensor<1x1xf32>}> {name = "nan"} : () -> tensor<1x1xf32>
    %product = tosa.add %v, %w {name = "sum"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %again = tosa.add %v, %w {name = "sum"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %larger = tosa.maximum %v, %w {name = "larger"} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %number = tosa.maximum %v, %w {name = "number", nan_mode = IGNORE} : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %empty = tensor.empty() : tensor<4xf32>
    %square = tensor.empty() : tensor<4x4xf32>
    %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
    %ones = linalg.fill ins(%one : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
    %total = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
        ins(%v : tensor<4x4xf32>) outs(%fill : tensor<4xf32>) attrs = {name = "total"} {
      ^bb0(%in: f32, %acc: f32):
        %more = arith.addf %acc, %in : f32
        linalg.yield %more : f32
    } -> tensor<4xf32>
    %other = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
        ins(%v : tensor<4x4xf32>) outs(%ones : tensor<4xf32>) attrs = {name = "from one"} {
      ^bb0(%in: f32, %acc: f32):
        %more = arith.addf %acc, %in : f32
        linalg.yield %more : f32
    } -> tensor<4xf32>
    %moved = linalg.generic {indexing_maps = [#turned, #all, #all], iterator_types = ["parallel", "parallel"]}
        ins(%v, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%square : tensor<4x4xf32>) attrs = {name = "moved"} {
      ^bb0(%a: f32, %b: f32, %out: f32):
        %difference = arith.subf %a, %b : f32
        linalg.yield %difference : f32
    } -> tensor<4x4xf32>
    return
  })mlir";

class RealStepsTest : public ::testing::Test {
protected:
  RealStepsTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        linalg::LinalgDialect, tensor::TensorDialect,
                        tosa::TosaDialect>();
    module = parseSourceString<ModuleOp>(source, &context);
  }

  /// The result of the op of this name, the first or the second.
  Value named(StringRef name, unsigned which = 0) {
    Value found;
    module->walk([&](Operation *op) {
      auto attr = op->getAttrOfType<StringAttr>("name");
      if (attr && attr == name && which-- == 0)
        found = op->getResult(0);
    });
    EXPECT_TRUE(found) << name.str();
    return found;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(RealStepsTest, KindsOfOperations) {
  EXPECT_EQ(readStep(named("sum")).kind, RealOp::Add);
  EXPECT_EQ(readStep(named("larger")).kind, RealOp::Larger);
  EXPECT_EQ(readStep(named("number")).kind, RealOp::Other)
      << "a NaN would be lost";
}

TEST_F(RealStepsTest, ReductionsBeginWithTheirNeutralElement) {
  RealStep total = readStep(named("total"));
  EXPECT_EQ(total.kind, RealOp::Sum);
  EXPECT_EQ(total.axes, (SmallVector<int64_t, 2>{1}));
  EXPECT_EQ(total.extents, (SmallVector<int64_t, 4>{4, 4}));
  EXPECT_EQ(readStep(named("from one")).kind, RealOp::Other);
}

TEST_F(RealStepsTest, OperandsThatMoveAreNotAligned) {
  auto op = cast<linalg::GenericOp>(named("moved").getDefiningOp());
  EXPECT_TRUE(isElementwise(op));
  Value turned = op.getBody()->getArgument(0);
  Value straight = op.getBody()->getArgument(1);
  EXPECT_EQ(alignedOperand(turned), Value());
  EXPECT_EQ(alignedOperand(straight), op.getInputs()[1]);
  EXPECT_EQ(readOperand(turned), op.getInputs()[0]);
  EXPECT_EQ(readOperand(op.getBody()->getArgument(2)), Value())
      << "an initial value is no operand";
}

TEST_F(RealStepsTest, Constants) {
  EXPECT_EQ(constantScalar(named("half")), 0.5);
  EXPECT_EQ(constantScalar(named("gains")), std::nullopt);
  EXPECT_EQ(constantScalar(named("nan")), std::nullopt);
  EXPECT_EQ(constantAlong(named("gains"), 1, 4),
            (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(constantAlong(named("gains"), 0, 4), std::nullopt);
  EXPECT_EQ(constantAlong(named("gains"), 1, 3), std::nullopt);
}

TEST_F(RealStepsTest, SameOperationsOnSameOperands) {
  EXPECT_TRUE(isSameValue(named("sum"), named("sum", 1)));
  EXPECT_FALSE(isSameValue(named("sum"), named("larger")));
}

TEST_F(RealStepsTest, UnitsKeepTheOrder) {
  Type f32 = Float32Type::get(&context);
  auto type = [&](ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, f32);
  };
  int64_t any = ShapedType::kDynamic;
  EXPECT_TRUE(addsUnitsOnly(type({2, 3}), type({1, 2, 1, 3})));
  EXPECT_FALSE(addsUnitsOnly(type({2, 3}), type({3, 2})));
  EXPECT_TRUE(addsUnitsOnly(type({any, 3}), type({1, any, 3})));
  EXPECT_FALSE(addsUnitsOnly(type({any, any}), type({any, 1, any})));
}

} // namespace
