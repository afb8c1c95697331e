//===- A2QOps.td - Operations of the a2q dialect
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QOPS_TD
#define A2Q_IR_A2QOPS_TD

include "a2q/IR/A2QAttributes.td"
include "a2q/IR/A2QInterfaces.td"
include "a2q/IR/A2QTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpBase.td"

class A2Q_Op<string mnemonic, list<Trait> traits = []>
  : Op<A2Q_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Between real values and codes
//===----------------------------------------------------------------------===//

def A2Q_QuantizeOp : A2Q_Op<"quantize", [Pure]> {
  let summary = "real values to codes";
  let description = [{
    ```
    code = clamp(round(x / scale) + zero_point, storage_min, storage_max)
    ```

    The division is in float32 and its quotient is rounded by `rounding`; this
    is ONNX QuantizeLinear for `half_even`. NaN gives the clamped zero point.

    ```mlir
    %q = a2q.quantize %x rounding half_even
        : tensor<1x8x8x16xf32> to tensor<1x8x8x16x!quant.uniform<u8<0:15>:f32, 0.25>>
    ```

    Constraints:

    - (C1) Input and result have the same shape.
    - (C2) The input's element type is f32, the type that the codes express.
    - (C3) Scales are positive and finite; zero points lie in the storage range;
      a per-axis type has one scale per index of its axis.
    - (C4) `rounding` is not `double`.
  }];
  let arguments = (ins A2Q_TensorOf<F32, "ranked tensor of f32">:$input,
    DefaultValuedAttr<A2Q_RoundingAttr, "::a2q::Rounding::HalfEven">:$rounding);
  let results = (outs A2Q_CodeTensor:$result);
  let assemblyFormat = [{
    $input (`rounding` $rounding^)? attr-dict `:` type($input) `to` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def A2Q_DequantizeOp : A2Q_Op<"dequantize", [Pure]> {
  let summary = "codes to real values";
  let description = [{
    ```
    x = float32(code - zero_point) * scale
    ```

    The difference is exact in integers.

    Constraints:

    - (C1) Input and result have the same shape.
    - (C2) The result's element type is f32, the type that the codes express.
    - (C3) Scales and zero points as for `a2q.quantize`.
  }];
  let arguments = (ins A2Q_CodeTensor:$input);
  let results = (outs A2Q_TensorOf<F32, "ranked tensor of f32">:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Accumulating ops
//===----------------------------------------------------------------------===//

def A2Q_MatmulOp : A2Q_Op<"matmul",
    [Pure, DeclareOpInterfaceMethods<A2Q_AccumulatingOpInterface>]> {
  let summary = "matrix product of codes, the second matrix transposed";
  let description = [{
    ```
    result[b..., m, n] = initial[n] + sum over k of lhs[b..., m, k] * rhs[b..., n, k]
    ```

    over codes. `rhs` holds weights [N, K], one row per output channel, shared
    by all batches, or activations [B..., N, K] with the batch dimensions of
    `lhs`. `initial`, if present, is what the outermost accumulator begins with.

    ```mlir
    %y = a2q.matmul %x, %w
        : tensor<1x64x!quant.uniform<u8<0:15>:f32, 0.1>>,
          tensor<8x64x!quant.uniform<i8<-7:7>:f32:0, {...}>>
       -> tensor<1x8x!a2q.acc<12>>
    ```

    Constraints:

    - (C1) `lhs` has rank 2 or more; `rhs` has rank 2 or the rank of `lhs`, then
      with equal batch dimensions.
    - (C2) The reduction lengths agree and are static, from 1 to 2^24; there is
      an output channel.
    - (C3) The result's shape is that of `lhs` with N for K.
    - (C4) The zero point of `rhs` is 0 when it is constant weights, and `rhs` is
      quantized per tensor or along dimension 0 of weights; `lhs` per tensor.
    - (C5) Scales and zero points as for `a2q.quantize`.
    - (C6) `initial` has integer elements and shape [N].
    - (C7) `schedule` ends at K, its starts have N channels and are present.
    - (C8) The stages of the result type have the schedule's longest tiles.
    - (C9) The codes of a constant `rhs` lie in its storage range.
  }];
  let arguments = (ins A2Q_CodeTensor:$lhs, A2Q_CodeTensor:$rhs,
    Optional<A2Q_TensorOf<AnySignlessInteger, "ranked tensor of integers">>:$initial,
    OptionalAttr<A2Q_ScheduleAttr>:$schedule);
  let results = (outs A2Q_AccumulatorTensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`initial` $initial^ `:` type($initial))?
    (`schedule` $schedule^)? attr-dict
    `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

def A2Q_Conv2DOp : A2Q_Op<"conv_2d",
    [Pure, DeclareOpInterfaceMethods<A2Q_AccumulatingOpInterface>]> {
  let summary = "two-dimensional convolution of codes";
  let description = [{
    ```
    result[n, oh, ow, c] = initial[c] + sum over kh, kw, i of
        input[n, oh*sh + kh*dh - top, ow*sw + kw*dw - left, g*I + i] * filter[c, kh, kw, i]
    ```

    over codes, with I input channels per group and g = c / (C / groups). A
    position outside the image contributes the zero-point code of `input`.
    `groups` equal to the number of input channels is a depthwise convolution.

    `padding` is [top, left, bottom, right].

    ```mlir
    %y = a2q.conv_2d %x, %w strides [2, 2] padding [1, 1, 1, 1] ...
    ```

    Constraints:

    - (C1) `input` is NHWC and `filter` [out, kh, kw, in/groups], rank 4 each,
      all of `filter` and the image size static and not 0; K is at most 2^24.
    - (C2) Strides and dilations are positive, padding is not negative.
    - (C3) `groups` divides both channel counts, and `filter` has in/groups input
      channels.
    - (C4) The kernel fits the padded image, and the result's shape is
      [n, (h + top + bottom - (kh-1)*dh - 1) / sh + 1, likewise w, out].
    - (C5) The zero point of `filter` is 0; it is quantized per tensor or along
      dimension 0; `input` per tensor.
    - (C6) Scales and zero points as for `a2q.quantize`.
    - (C7) `initial` has integer elements and shape [out].
    - (C8) `schedule` ends at K = kh*kw*in/groups, its starts have `out` channels
      and are present.
    - (C9) The stages of the result type have the schedule's longest tiles.
    - (C10) The codes of a constant `filter` lie in its storage range.
  }];
  let arguments = (ins A2Q_CodeTensor:$input, A2Q_CodeTensor:$filter,
    Optional<A2Q_TensorOf<AnySignlessInteger, "ranked tensor of integers">>:$initial,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
    DefaultValuedAttr<I64Attr, "1">:$groups,
    OptionalAttr<A2Q_ScheduleAttr>:$schedule);
  let results = (outs A2Q_AccumulatorTensor:$result);
  let assemblyFormat = [{
    $input `,` $filter (`initial` $initial^ `:` type($initial))?
    (`strides` $strides^)? (`dilations` $dilations^)? (`padding` $padding^)?
    (`groups` $groups^)? (`schedule` $schedule^)? attr-dict
    `:` type($input) `,` type($filter) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// From accumulators
//===----------------------------------------------------------------------===//

def A2Q_RequantizeOp : A2Q_Op<"requantize", [Pure]> {
  let summary = "accumulators to activation codes";
  let description = [{
    Per channel c (the last dimension), with exact integers until the product:

    ```
    sum  = accumulator + bias[c]
    float:       y = float32(sum) * multiplier[c]
    fixed point: y = sum * multiplier[c] / 2^shift[c]
    code = clamp(round(y) + zero_point, storage_min, storage_max)
    ```

    `multiplier` is the whole factor `s_x * s_w / s_y`: the scale of the result
    type is not applied again, its zero point and storage range are. `float32`
    rounds to nearest even. A per-tensor multiplier, shift or bias has shape [1].

    ```mlir
    %q = a2q.requantize %y multiplier dense<0.01> : tensor<1xf32>
        bias dense<[3, -4]> : tensor<2xi32>
        : tensor<1x2x!a2q.acc<12>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.25>>
    ```

    Constraints:

    - (C1) Input and result have the same shape.
    - (C2) `multiplier`, `shift` and `bias` are dense elements, no resources, of
      shape [1] or [C].
    - (C3) `multiplier` holds f32 that are positive and finite, without `shift`;
      or i32 that are positive, with a `shift` of integers from 0 to 62.
    - (C4) `bias` holds signless integers of at most 64 bits.
    - (C5) The result is quantized per tensor, its scales and zero points as for
      `a2q.quantize`.
    - (C6) `double` rounding comes with a `shift`.
  }];
  let arguments = (ins A2Q_AccumulatorTensor:$input,
    ElementsAttr:$multiplier,
    OptionalAttr<ElementsAttr>:$shift,
    OptionalAttr<ElementsAttr>:$bias,
    DefaultValuedAttr<A2Q_RoundingAttr, "::a2q::Rounding::HalfEven">:$rounding);
  let results = (outs A2Q_CodeTensor:$result);
  let assemblyFormat = [{
    $input `multiplier` $multiplier (`shift` $shift^)? (`bias` $bias^)?
    (`rounding` $rounding^)? attr-dict `:` type($input) `to` type($result)
  }];
  let hasVerifier = 1;
}

def A2Q_DecodeOp : A2Q_Op<"decode", [Pure]> {
  let summary = "accumulators to plain integers";
  let description = [{
    The sums as builtin integers, sign-extended.

    Constraints:

    - (C1) Input and result have the same shape.
    - (C2) The result's element type is a signless integer at least as wide as
      the outermost stage.
  }];
  let arguments = (ins A2Q_AccumulatorTensor:$input);
  let results = (outs
    A2Q_TensorOf<AnySignlessInteger, "ranked tensor of integers">:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// On vectors
//===----------------------------------------------------------------------===//

def A2Q_LookUpOp : A2Q_Op<"look_up",
    [Pure, AllTypesMatch<["indices", "result"]>]> {
  let summary = "read a table by the lanes of a vector";
  let description = [{
    ```
    result[i] = table[indices[i]]
    ```

    One instruction of x86: `pshufb` for tables of 16 bytes, `vpermb` for tables
    of 64. A table of all sums that some codes can take, read by weights that
    say which of the codes they add, is that many products of one bit at once;
    see lib/Conversion/A2QToVector/LookUps.cpp.

    An index beyond the table gives any value.

    Constraints:

    - (C1) The table is a vector of 16 or 64 i8.
    - (C2) The indices are a vector of rank 1 and fixed length of i8; the result
      has their type.
  }];
  let arguments = (ins
    VectorOfRankAndType<[1], [I8]>:$table,
    VectorOfRankAndType<[1], [I8]>:$indices);
  let results = (outs VectorOfRankAndType<[1], [I8]>:$result);
  let assemblyFormat = [{
    $table `at` $indices attr-dict `:` type($table) `,` type($indices)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$table,
                                 "::mlir::Value":$indices), [{
    build($_builder, $_state, indices.getType(), table, indices);
  }]>];
  let hasVerifier = 1;
}

def A2Q_MacOp : A2Q_Op<"mac", [Pure]> {
  let summary = "multiply codes and add the products into accumulator lanes";
  let description = [{
    With F = length of `lhs` / length of `acc`:

    ```
    result[i] = acc[i] + sum over j < F of lhs[F*i + j] * rhs[F*i + j]
    ```

    wrapping in the accumulator's width. F = 1 exists on every machine, F = 2
    is x86 `pmaddubsw` + `paddw` (u8 x s8 into i16), F = 4 `vpdpbusd` (u8 x s8
    into i32). Operands are signed unless marked `unsigned`.

    `pair_exact` (F = 2) promises that no sum of one adjacent pair leaves 16
    bits, so that an instruction that saturates it is exact; `lhs_range` is the
    range of `lhs` for which that was proven.

    Constraints:

    - (C1) All operands are vectors of rank 1 and fixed length of signless
      integers; `lhs` and `rhs` have the same length, and the result has the
      type of `acc`.
    - (C2) F is 1, 2 or 4.
    - (C3) The accumulator's elements are at least as wide as the codes.
    - (C4) `pair_exact` comes with F = 2, i16 accumulators, i8 codes, and
      `lhs_range`, [lo, hi] of i8 codes; `lhs_range` does not come without it.
  }];
  let arguments = (ins
    VectorOfRankAndType<[1], [AnySignlessInteger]>:$acc,
    VectorOfRankAndType<[1], [AnySignlessInteger]>:$lhs,
    VectorOfRankAndType<[1], [AnySignlessInteger]>:$rhs,
    UnitAttr:$lhs_unsigned, UnitAttr:$rhs_unsigned, UnitAttr:$pair_exact,
    OptionalAttr<DenseI64ArrayAttr>:$lhs_range);
  let results = (outs
    VectorOfRankAndType<[1], [AnySignlessInteger]>:$result);
  let assemblyFormat = [{
    $acc `,` $lhs (`unsigned` $lhs_unsigned^)? `,` $rhs (`unsigned` $rhs_unsigned^)?
    (`pair_exact` $pair_exact^ `range` $lhs_range)? attr-dict
    `:` type($acc) `,` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // A2Q_IR_A2QOPS_TD
