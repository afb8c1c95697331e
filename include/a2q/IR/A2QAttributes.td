//===- A2QAttributes.td - Attributes of the a2q dialect
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QATTRIBUTES_TD
#define A2Q_IR_A2QATTRIBUTES_TD

include "a2q/IR/A2QDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"

def A2Q_Rounding : I32EnumAttr<"Rounding", "how a real value becomes an integer", [
    I32EnumAttrCase<"HalfEven", 0, "half_even">,
    I32EnumAttrCase<"HalfUp", 1, "half_up">,
    I32EnumAttrCase<"HalfAway", 2, "half_away">,
    I32EnumAttrCase<"TowardZero", 3, "toward_zero">,
    I32EnumAttrCase<"Floor", 4, "floor">,
    I32EnumAttrCase<"Double", 5, "double">]> {
  // The enumeration itself is that of a2q/Math/Requantization.h; A2QDialect.h
  // has the two functions between it and its keywords.
  let cppNamespace = "::a2q";
  let genSpecializedAttr = 0;
}
def A2Q_RoundingAttr : EnumAttr<A2Q_Dialect, A2Q_Rounding, "rounding"> {
  let description = [{
    Ties of `half_even` go to the even neighbour (ONNX QuantizeLinear), of
    `half_up` toward positive infinity (TOSA), of `half_away` away from zero
    (TFLite). `double` is of products with a shift s only: the double rounding of
    TOSA, which adds 2^(s-1) and, for s above 31, 2^30 with the sign of the sum
    before it shifts.
  }];
}

def A2Q_ScheduleAttr : AttrDef<A2Q_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "order of terms, tile ends and starts of an accumulating op";
  let description = [{
    Which products meet in which physical accumulator, and with which constant
    it begins. Without a schedule an op has one tile in default order from
    start 0.

    ```
    #a2q.schedule<ends = [[144, 288], [288]],
                  starts = [dense<-128> : tensor<32x2x1xi16>, 0],
                  order = array<i64: ...>>
    ```

    - `ends`: per stage, innermost first, the tile ends counted in products.
    - `starts` (optional): per stage either `0` or the start constants as
      elements of shape [channels, tiles, lanes].
    - `order` (optional): `order[p]` is the default-order number of the term at
      position p. The channels of an op share it.

    The product at position p of an innermost tile that begins at b is summed in
    lane `((p - b) / 2) % lanes`; outer stages have one lane. When a tile ends,
    the sum of its lanes, starts left in, is added to the next stage; whoever
    consumes the outermost stage subtracts all starts.

    Constraints:

    - (C1) There is at least one stage, and the outermost has one tile.
    - (C2) Tile ends are positive and strictly increasing; all stages end at the
      same product, K.
    - (C3) The ends of a stage are ends of the stage inside it as well.
    - (C4) `starts`, if given, has one entry per stage; each is integer elements
      of shape [channels, tiles of the stage, lanes], lanes being 1 outside the
      innermost stage and 1, 2 or 4 in it.
    - (C5) `order`, if given, is a permutation of 0 to K - 1.
  }];
  let parameters = (ins
    ArrayRefParameter<"::mlir::DenseI64ArrayAttr">:$ends,
    OptionalParameter<"::mlir::ArrayAttr">:$starts,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$order
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// K, the end of the last tile.
    int64_t getReductionLength() const;
    int64_t getNumStages() const { return getEnds().size(); }
    /// Starts of a stage as elements, or null when they are all 0.
    ::mlir::ElementsAttr getStageStarts(int64_t stage) const;
    /// The same facts for the mathematics.
    ::a2q::Schedule toSchedule() const;
    /// Starts that are all 0 are left out; large ones become resources.
    static ScheduleAttr get(::mlir::MLIRContext *context,
                            const ::a2q::Schedule &schedule, int64_t channels);
  }];
}

def A2Q_MomentsAttr : AttrDef<A2Q_Dialect, "Moments"> {
  let mnemonic = "moments";
  let summary = "means of a layer's inputs and of their products";
  let description = [{
    What calibration found about the K inputs of the dot products of an
    accumulating op, in each of its G groups. Inputs are codes less their zero
    point, `x = x' - z`, so that padding counts as 0, in the default order of
    terms. `samples` vectors of K inputs were seen.

    ```
    #a2q.moments<samples = 4096,
                 mean = dense<...> : tensor<1x4xf64>,
                 products = dense<...> : tensor<1x4x4xf64>,
                 sum_mean = dense<...> : tensor<8xf64>,
                 sum_variance = dense<...> : tensor<8xf64>>
    ```

    - `mean[g][i]` is the mean of `x_i` in group g.
    - `products[g][i][j]` is the mean of `x_i * x_j`, not centred; a
      `[G, K]` tensor is the diagonal alone.
    - `sum_mean` and `sum_variance` (optional) say, per output channel, which
      mean and variance the real sum (scales in, bias out) is to have: those of
      the network before it was changed.

    Constraints:

    - (C1) `samples` is positive, and `mean` is f64 elements of shape [G, K].
    - (C2) `products` is f64 elements of shape [G, K, K] or [G, K].
    - (C3) `sum_mean` and `sum_variance` are both there or neither, f64 elements
      of one shape [channels].
  }];
  let parameters = (ins
    "int64_t":$samples,
    "::mlir::ElementsAttr":$mean,
    "::mlir::ElementsAttr":$products,
    OptionalParameter<"::mlir::ElementsAttr">:$sum_mean,
    OptionalParameter<"::mlir::ElementsAttr">:$sum_variance
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getNumGroups() const;
    /// K.
    int64_t getReductionLength() const;
    /// Whether `products` is more than the diagonal.
    bool hasAllProducts() const;
  }];
}

#endif // A2Q_IR_A2QATTRIBUTES_TD
