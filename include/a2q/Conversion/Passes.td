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

def A2QVerifyMacs : Pass<"a2q-verify-macs"> {
  let summary = "Prove again that pairs of a2q.mac are exact";
  let description = [{
    Every `a2q.mac` with `pair_exact` must read whole rows of a constant, each
    adjacent pair of which keeps the sum of its two products within 16 bits for
    all codes in the op's range. Runs between packing and the choice of
    instructions, so that no pass in between can break what it relies on.
  }];
}

def ConvertA2QMacToArith : Pass<"convert-a2q-mac-to-arith"> {
  let summary = "Lower a2q.mac to extensions, products and sums of vectors";
  let description = [{
    And `a2q.look_up` lane by lane. Exact for every reduction factor and every width, on any target. Adds wrap
    in the accumulator's width; none is flagged `nsw`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::vector::VectorDialect"];
}

def ConvertA2QMacToX86 : Pass<"convert-a2q-mac-to-x86"> {
  let summary = "Lower a2q.mac to instructions of x86";
  let description = [{
    | instruction                   | from | needs |
    | ----------------------------- | ---- | ----- |
    | `pmaddubsw` and an addition   | pairs of u8 x s8 into 16 bits | `pair_exact` |
    | `pmaddwd` and an addition     | pairs into 32 bits; bytes are extended | |
    | `vpdpbusd`                    | quadruples of u8 x s8 into 32 bits | `avx512vnni` |
    | `pshufb`                      | `a2q.look_up` in 16 entries | |
    | `vpermb`                      | `a2q.look_up` in 64 entries, 64 lanes | `avx512vbmi` |

    Everything else is left to `convert-a2q-mac-to-arith`: pairs that are not
    proven exact among it, because `pmaddubsw` would saturate them.
  }];
  let options = [
    Option<"isa", "isa", "std::string", /*default=*/"\"avx2\"",
           "Instructions of the target: avx2, avx512bw, avx512vnni, "
           "avx512vbmi">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::vector::VectorDialect"];
}

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
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def ConvertA2QToVector : Pass<"convert-a2q-to-vector", "::mlir::ModuleOp"> {
  let summary = "Lower accumulating ops to loops over a2q.mac";
  let description = [{
    Rewrites `a2q.matmul` and `a2q.conv_2d`, each together with the
    `a2q.requantize` or `a2q.decode` that reads it, to loops over vectors of
    plain integers. The portable form honours the accumulator type: each stage
    in a register of its own, from its start, spilled into the next stage where
    its tile ends.
    When an accumulator has several consumers the sums are written as plain
    integers, and each consumer reads those. No accumulator type is left.

    Preconditions:

    - Accumulators are read by `a2q.requantize` and `a2q.decode` only.
    - Filters of convolutions are constants, so that they can be packed.
    - Accumulator types are true: the pass does not prove them again. A kernel
      form that needs more than the type says is chosen only when the weights
      prove it, and passed over with a remark otherwise.

    Kernel forms, by the `isa` option:

    | form        | innermost accumulators | products per step and output | needs |
    | ----------- | ---------------------- | ---------------------------- | ----- |
    | `portable`  | the smallest of 8, 16, 32, 64 bits that holds the stage | 1 | |
    | `vpdpbusd`  | 32 bits | 4 | avx512vnni, u8 x s8 |
    | `pmaddubsw` | two lanes of 16 bits per output | 4 | avx2, u8 x s8, every pair exact, every lane proven from the weights |
    | `pmaddwd`   | 32 bits | 2 | avx2, codes of 8 bits |

    The forms of x86 compute the sum that the type denotes with tiles, lanes and
    starts of their own: `pmaddubsw` adds in 16 bits for as many steps as the
    weights allow, then spills into 32 bits; where the type's innermost stage
    has more than 16 bits, after every step. The first form that can be proven
    is taken, in the order of the table, then `portable`. The form, its blocks
    and tiles, and why others were not taken, are remarks of the category
    `a2q-kernels`.

    Weights of a bit or two, and activations of a few, become *look-ups* where
    that is estimated to be faster: for every 4 neighbouring codes a table of the
    16 sums of their subsets, which weights packed as bits index, 8 of them in
    each vector of bytes (`pshufb`); with `avx512vbmi` also tables of 64 sums of 6
    codes (`vpermb`). Sums are bytes in tiles that are proven from
    the weights and the ranges of the codes, in tiles of 16 bits, in 32 bits
    where that is needed. A layer without such a proof does not take this form;
    `look-ups` chooses by hand. They need constant weights with at most 4 values
    that are sums of two, or 1 and -1 alone; codes of 8 bits that are not
    negative, but for 1 and -1; and no groups.

    Convolutions of sparse weights become *planes* where that is estimated to be
    faster: lists of the activations that each channel adds and subtracts, one
    plane of positions per channel, with lanes of 8 bits (16 where a single
    product needs them) in tiles that are proven from the weights and proven
    again from the lists. Layers that follow each other hand planes on, and sums
    of codes between them are computed on planes as well; between planes and
    dense images the codes are transposed. `planes` and `lanes` choose by hand.
    Planes need constant weights, strides of 1 or 2, codes of 8 bits on both
    sides, no initial value, and a requantization as the only consumer.

    With `check`, accumulators are 64 bits wide and compared with the promise of
    their stage after every addition (with `wrap`: when the tile ends), and
    arguments with `a2q.range` on entry. A violation calls

        void a2q_check_failed(const char *layer, int64_t channel, int64_t stage,
                              int64_t value, int64_t lo, int64_t hi)

    which does not return. Stage -1 reports an argument: `layer` is its name and
    `channel` the number of the element.
  }];
  let options = [
    Option<"isa", "isa", "std::string", /*default=*/"\"portable\"",
           "Instructions of the target: portable, avx2, avx512bw, avx512vnni, "
           "avx512vbmi">,
    Option<"check", "check", "bool", /*default=*/"false",
           "Compare every accumulator with what its type promises">,
    Option<"planes", "planes", "std::string", /*default=*/"\"auto\"",
           "Layers that become lists of planes: auto (where that is faster), "
           "always (where it is possible), never">,
    Option<"lookUps", "look-ups", "std::string", /*default=*/"\"auto\"",
           "Layers that look sums up in tables: auto (where that is faster), "
           "always (where it is possible), never; 16, 64: always, in tables of "
           "so many">,
    Option<"lanes", "lanes", "unsigned", /*default=*/"0",
           "Bits of the lanes of planes: 8, 16, 32; 0 chooses">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::quant::QuantDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}

def ConvertLinalgToA2Q : Pass<"convert-linalg-to-a2q", "::mlir::ModuleOp"> {
  let summary = "Turn structured sums of products of integers into a2q ops";
  let description = [{
    A structured op whose body is `init + (x - x0) * (w - w0)` over integers that
    have 8 or 16 bits, or are proven to fit them, becomes `a2q.matmul` or `a2q.conv_2d`: named ops, quantized named
    ops and `linalg.generic` alike, in any order of dimensions. The sums come
    back as integers of the width that the op had, wrapped as it would have
    wrapped them; zero points and the initial values are added behind the
    accumulator. A `tensor.pad` of an image with its zero point becomes padding
    of the convolution.

    | loops | becomes |
    | ----- | ------- |
    | no windows, constant weights | `a2q.matmul` with weights |
    | no windows, both sides computed, or weights of each batch | `a2q.matmul` of activations |
    | one or two windows, constant weights | `a2q.conv_2d`; loops in all three operands are groups |

    - Shapes are static and zero points constant: run `canonicalize` before, so
      that constants are seen. Weights may be transposed or extended constants.
    - What cannot be converted stays as it is, and a remark says why.
  }];
  let dependentDialects = ["::a2q::A2QDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::quant::QuantDialect",
    "::mlir::tensor::TensorDialect"];
}

def ConvertTosaToA2Q : Pass<"convert-tosa-to-a2q"> {
  let summary = "Turn TOSA's sums of products of integers into a2q ops";
  let description = [{
    The accumulators of TOSA 1.0 have the types that the operands ask for, so
    they cannot be narrowed in place. This pass replaces the ops that have them;
    all else stays TOSA, between codes as integers.

    | TOSA | becomes |
    | ---- | ------- |
    | `conv2d`, `depthwise_conv2d` with constant weights | `a2q.conv_2d` |
    | `transpose_conv2d` | a convolution whose results are interleaved |
    | `matmul` | `a2q.matmul`, of weights or of two activations |
    | `rescale` to 8 or 16 bits that reads such sums | `a2q.requantize` in fixed point |
    | `clamp` behind that, if it leaves the zero point | the range of the codes |

    Values are those of the specification to the last bit. Where that leaves them
    open, sums are exact, and INEXACT_ROUND rounds once. Sums that anything but
    such a `rescale` reads are decoded to the integers that they were.

    - Weights, biases and zero points are constants of at most 16 bits, also
      behind a `reshape`; activations have 8 or 16 bits; images have static
      sizes.
    - What cannot be converted stays as it is, and a remark says why.
  }];
  let dependentDialects = ["::a2q::A2QDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::quant::QuantDialect",
    "::mlir::tensor::TensorDialect", "::mlir::tosa::TosaDialect"];
}

#endif // A2Q_CONVERSION_PASSES_TD
