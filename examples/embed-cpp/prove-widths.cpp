//===- prove-widths.cpp - Proofs inside another program -------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parses a layer from memory, proves its accumulator by each bound and prints
// the widths.
//
//===----------------------------------------------------------------------===//

#include "a2q/InitAll.h"
#include "a2q/Pipelines/Prove.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

// Two channels over eight activations of 4 bits: weights of both signs, and
// weights of one sign, where centring gains a bit.
static constexpr llvm::StringLiteral layer = R"mlir(
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @layer(%x: tensor<1x8x!x>) -> tensor<1x2xi32> {
  %codes = arith.constant dense<[[7, -7, 5, -5, 3, -3, 1, -1],
                                 [7, 7, 5, 5, 3, 3, 1, 1]]> : tensor<2x8xi8>
  %w = quant.scast %codes : tensor<2x8xi8> to tensor<2x8x!w>
  %sum = a2q.matmul %x, %w
      : tensor<1x8x!x>, tensor<2x8x!w> -> tensor<1x2x!a2q.acc<32>>
  %result = a2q.decode %sum : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %result : tensor<1x2xi32>
}
)mlir";

/// Proves the layer by one bound; returns its accumulator's width, 0 on error.
static unsigned proveWidth(mlir::MLIRContext &context, llvm::StringRef bound) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(layer, &context);
  if (!module)
    return 0;
  mlir::PassManager pm(&context);
  a2q::ProveOptions options;
  options.bound = bound.str();
  a2q::buildProvePipeline(pm, options);
  if (failed(pm.run(*module)))
    return 0;
  unsigned width = 0;
  module->walk([&](a2q::AccumulatingOpInterface op) {
    width =
        llvm::cast<a2q::AccumulatorType>(op.getAccumulatorType()).getWidth();
  });
  return width;
}

int main() {
  mlir::DialectRegistry registry;
  a2q::registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  for (llvm::StringRef bound :
       {"datatype", "a2q", "a2q-plus", "exact", "centred"}) {
    unsigned width = proveWidth(context, bound);
    if (width == 0)
      return 1;
    llvm::outs() << bound << ": " << width << " bits\n";
  }
  return 0;
}
