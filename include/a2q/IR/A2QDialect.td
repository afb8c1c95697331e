//===- A2QDialect.td - The a2q dialect
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QDIALECT_TD
#define A2Q_IR_A2QDIALECT_TD

include "mlir/IR/DialectBase.td"

def A2Q_Dialect : Dialect {
  let name = "a2q";
  let cppNamespace = "::a2q";
  let summary = "Quantized products with accumulators of proven width";
  let description = [{
    A quantized layer is many dot products of integer codes. This dialect makes
    the register that sums the products, the *accumulator*, a part of the type:
    `tensor<1x8x!a2q.acc<16>>` says that every sum, and every partial sum, fits
    a signed 16-bit register. Quantized tensors use upstream's
    `!quant.uniform`. Everything that does not accumulate (pooling, residual
    adds, reshapes) is upstream's.

    Conventions that every op follows:

    - Activations are channels-last, weights have the output channel first, and
      the channel of a result is its last dimension.
    - Accumulators sum products of *codes*. The correction for an activation
      zero point `z`, `-z * sum(q)` per channel, belongs to the integer bias of
      `a2q.requantize` or to what follows `a2q.decode`.
    - Weights are symmetric: their zero point is 0.
    - The terms of one dot product are numbered 0 to K - 1 in default order:
      kernel row, kernel column, input channel.

    The attribute `a2q.range` states the integers that the elements of a value
    take: of an argument of a function, where callers outside of the module are
    trusted to keep it, or of the result of an op, where `a2q-infer-ranges` writes
    what it proved and nothing reads it.

    ```
    a2q.range = [lo, hi]
    a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 7, 15>}
    ```

    The second form has a range per index along a dimension.

    The attribute `a2q.moments` of an op that accumulates is a `#a2q.moments`:
    what calibration found about its inputs. Methods that constrain weights read
    it, and nothing depends on it for correctness. The attribute `a2q.constrain`
    tells `a2q-constrain-weights` what this layer is to meet, where that is not
    what all layers are to meet:

    ```
    a2q.constrain = {width = 12, tile = 144, method = "optimal", bound = "exact"}
    a2q.constrain = {skip}
    ```

    A layer in f32 that is to be quantized says by the attribute `a2q.activation`
    which codes its input has, a type such as `!quant.uniform<u8:f32, 0.1>`, and
    by `a2q.weight_bits` how many bits its weights have. `a2q-quantize-layers`
    reads both.

    The attribute `a2q.origin` of an op that accumulates says where the file that
    the op was read from differs: other runtimes multiply the codes of the file.
    `a2q-check --saturation` reads it, and nothing depends on it for
    correctness.

    ```
    a2q.origin = {unsigned_weights, weight_zero_points = array<i64: 128>,
                  image = array<i64: 32, 4, 4>}
    ```

    The weights in the file are unsigned (signed where this is absent), and less
    these zero points they are the op's (0 where absent; one, or one per output
    channel). The rows of activations are images that were flattened in the
    order channel, row, column in the file, and are in the order row, column,
    channel here.

    Constraints:

    - (C1) `a2q.range` has one of these forms, with 64-bit integers and
      `lo <= hi`.
    - (C2) It belongs to an integer of at most 64 bits or a tensor of such
      integers, codes or sums, and its ends fit them (signless integers: as
      signed or as unsigned; codes: the storage range).
    - (C3) With an axis there are as many ranges as the dimension has indices.
    - (C4) `a2q.moments` is a `#a2q.moments` of an op that accumulates, with the
      op's K, groups and, where it has sums, channels.
    - (C5) The numbers of `a2q.moments` are there (a resource may be absent) and
      finite. Products are symmetric, not below the squares of the means and not
      above what the squares of both activations allow, to a relative 1e-6;
      squares are at most 1e250, and variances are not negative.
    - (C6) `a2q.constrain` belongs to an op that accumulates, or to one with a
      result of f32, a layer that will once it is quantized. It is a dictionary
      of these keys, any subset: `width` from 1 to 64, `tile` from 0, `method`
      and `bound` with names that exist, or the flag `skip` alone.
    - (C7) `a2q.origin` is a dictionary of these keys of an op that accumulates.
      There is one zero point or one per output channel, and `image` has three
      sizes whose product is K.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::quant::QuantDialect"];
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
    void registerOps();
    void registerBytecode();

    /// Range of an argument or value: `a2q.range = [lo, hi]`.
    static constexpr ::llvm::StringLiteral getRangeAttrName() {
      return "a2q.range";
    }
    /// Name of an argument or result of the entry: `a2q.name = "images"`.
    static constexpr ::llvm::StringLiteral getNameAttrName() {
      return "a2q.name";
    }
    /// Unit attribute of an argument or result of the entry: its builtin
    /// integers are unsigned.
    static constexpr ::llvm::StringLiteral getUnsignedAttrName() {
      return "a2q.unsigned";
    }
    /// Moments of an accumulating op's inputs: `a2q.moments = #a2q.moments<>`.
    static constexpr ::llvm::StringLiteral getMomentsAttrName() {
      return "a2q.moments";
    }
    /// What an accumulating op's weights are to meet (ConstraintAttr.h).
    static constexpr ::llvm::StringLiteral getConstrainAttrName() {
      return "a2q.constrain";
    }
    /// Figures that constrain-weights leaves on an op.
    static constexpr ::llvm::StringLiteral getConstrainedAttrName() {
      return "a2q.constrained";
    }
    /// The codes that the input of a layer in f32 is to have: a type.
    static constexpr ::llvm::StringLiteral getActivationAttrName() {
      return "a2q.activation";
    }
    /// Bits that the weights of a layer in f32 are to have.
    static constexpr ::llvm::StringLiteral getWeightBitsAttrName() {
      return "a2q.weight_bits";
    }
    /// What the file had that an accumulating op has not:
    /// `a2q.origin = {unsigned_weights}`.
    static constexpr ::llvm::StringLiteral getOriginAttrName() {
      return "a2q.origin";
    }
    /// Per-channel figures that infer-accumulators leaves on an op.
    static constexpr ::llvm::StringLiteral getChannelsAttrName() {
      return "a2q.channels";
    }
  }];
}

#endif // A2Q_IR_A2QDIALECT_TD
