//===- A2QTypes.td - Types of the a2q dialect
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QTYPES_TD
#define A2Q_IR_A2QTYPES_TD

include "a2q/IR/A2QDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/CommonTypeConstraints.td"

def A2Q_AccumulatorType : TypeDef<A2Q_Dialect, "Accumulator"> {
  let mnemonic = "acc";
  let summary = "a sum of products and the proven widths of its accumulators";
  let description = [{
    Element type of the tensors that accumulating ops return. It denotes the
    *sum* itself (never start + sum) and says through which chain of
    accumulators the sum may be computed.

    ```
    accumulator-type ::= `!a2q.acc` `<` stage (`,` stage)* (`,` `wrap`)? `>`
    stage            ::= width (`x` terms)?
    ```

    Stages are innermost first. `width` is the number of bits of the stage's
    accumulator. `terms` is the most products in a tile of the stage, all lanes
    of the output together; the outermost stage covers all K products and has
    none.

    ```
    !a2q.acc<16>                       // one stage
    !a2q.acc<16 x 144, 32>             // 16 bits for at most 144 products, then
                                       // spilled into 32 bits
    !a2q.acc<8 x 12, 16 x 144, 32>     // 12 and 144 both count products
    !a2q.acc<16, wrap>                 // only final values fit 16 bits
    ```

    Without `wrap`, every partial sum in every physical accumulator fits its
    stage, in any order: a lowering may use saturating or trapping adds, or
    flag them `nsw`. With `wrap`, intermediate overflow may happen and cancels
    in two's complement: only wrapping adds compute the sum.

    Constraints:

    - (C1) There is at least one stage.
    - (C2) Each width is from 1 to 64.
    - (C3) Only the outermost stage has no `terms`; the others' are positive and
      strictly increasing outwards.
    - (C4) Widths do not decrease outwards.
  }];
  let parameters = (ins
    ArrayRefParameter<"::a2q::AccumulatorStage">:$stages,
    "bool":$wrap
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [
    TypeBuilder<(ins "unsigned":$width), [{
      return $_get($_ctxt, ::llvm::ArrayRef<AccumulatorStage>(
          AccumulatorStage{width, 0}), false);
    }]>
  ];
  let extraClassDeclaration = [{
    /// Width of the outermost stage: it holds the whole sum.
    unsigned getWidth() const { return getStages().back().width; }
  }];
}

class A2Q_TensorOf<Type element, string summary>
  : Type<And<[CPred<"::llvm::isa<::mlir::RankedTensorType>($_self)">,
      SubstLeaves<"$_self",
        "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType()",
        element.predicate>]>, summary, "::mlir::RankedTensorType">;

def A2Q_Uniform : Type<CPred<"::llvm::isa<::mlir::quant::UniformQuantizedType, "
    "::mlir::quant::UniformQuantizedPerAxisType>($_self)">,
    "uniform quantized type">;
def A2Q_CodeTensor : A2Q_TensorOf<A2Q_Uniform,
    "ranked tensor of uniform quantized values">;
def A2Q_AccumulatorTensor : A2Q_TensorOf<
    Type<CPred<"::llvm::isa<::a2q::AccumulatorType>($_self)">, "accumulator">,
    "ranked tensor of accumulators">;

#endif // A2Q_IR_A2QTYPES_TD
