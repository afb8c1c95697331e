//===- Passes.td - Passes of a2q/Conversion
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_CONVERSION_PASSES_TD
#define A2Q_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

// Passes in alphabetical order.

def ConvertA2QToLinalg : Pass<"convert-a2q-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower quantize and dequantize, and turn codes into integers";
  let description = [{
    `a2q.quantize` and `a2q.dequantize` become `linalg.generic` ops that compute
    exactly what their descriptions and a2q/Math/Requantization.h define. The
    clamp comes before the conversion to an integer, so that infinities and
    large values saturate; NaN gives the zero point.

    Every `!quant.uniform` element type, in functions, blocks, calls and loops,
    becomes the integer that stores the code: 8 bits for codes of up to 8 bits,
    else 16 or 32. `quant.scast` disappears; where the storage type is narrower
    than the integer it becomes an extension, signed or unsigned as the
    quantized type says, or a truncation.

    Preconditions:

    - No accumulator is left: `a2q.matmul`, `a2q.conv_2d` and what reads their
      results are lowered by `convert-a2q-to-vector`, which fuses them.
    - Ops of the `tensor` and `linalg` dialects over quantized elements only
      move them. A comparison of codes is written over integers, where its
      signedness is visible.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"];
}

#endif // A2Q_CONVERSION_PASSES_TD
