//===- A2QInterfaces.td - Interfaces of the a2q dialect
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_IR_A2QINTERFACES_TD
#define A2Q_IR_A2QINTERFACES_TD

include "mlir/IR/OpBase.td"

def A2Q_AccumulatingOpInterface : OpInterface<"AccumulatingOpInterface"> {
  let cppNamespace = "::a2q";
  let description = [{
    An op whose single result holds sums of products. The a2q ops implement it;
    external models attach it to `linalg` and `tosa` ops, so that the analyses
    work on IR that never heard of a2q.

    Each output channel c of the result is, for every position,
    `initial[c] + sum over k < K of (w[c][k] - w0) * (x[k] - x0)`, with the terms
    in default order (kernel row, kernel column, input channel).
  }];
  let methods = [
    InterfaceMethod<[{
      Whether this op is one: models are attached to whole kinds of ops, and not
      every `linalg.generic` or floating-point `linalg.matmul` sums products of
      integers. No other method may be called when it is false.
      }],
      "bool", "isAccumulating", (ins), "", "return true;">,
    InterfaceMethod<"The activation operand.",
      "::mlir::Value", "getActivations">,
    InterfaceMethod<"The weight operand (or the second activation operand).",
      "::mlir::Value", "getWeights">,
    InterfaceMethod<"What the accumulator begins with, or null. Null also for a "
      "`linalg` output that is known to be filled with 0.",
      "::mlir::Value", "getInitialValue">,
    InterfaceMethod<"K, the number of products in one sum; nullopt when dynamic.",
      "::std::optional<int64_t>", "getReductionLength">,
    InterfaceMethod<"Number of output channels; nullopt when dynamic.",
      "::std::optional<int64_t>", "getNumChannels">,
    InterfaceMethod<"Number of groups of channels that read disjoint activation "
      "channels.", "int64_t", "getNumGroups">,
    InterfaceMethod<"The result dimension that the output channels run along, "
      "-1 if there is none or more than one.", "int64_t", "getChannelAxis">,
    InterfaceMethod<"The activation dimension whose index `getActivationChannel` "
      "gives, -1 when terms do not follow one dimension: then only the joined "
      "range of all activations is right.", "int64_t", "getActivationAxis">,
    InterfaceMethod<"Index along the activation axis of term `term` in group "
      "`group`.",
      "int64_t", "getActivationChannel", (ins "int64_t":$group, "int64_t":$term)>,
    InterfaceMethod<[{
      The weights as integers, `w - w0`, row-major [channels][K], terms in
      default order; failure when they are not constants.
      }],
      "::mlir::FailureOr<::llvm::SmallVector<int64_t>>", "getWeightCodes">,
    InterfaceMethod<"Whether plain integer activations are zero-extended before "
      "they are multiplied. Quantized types say that themselves.",
      "bool", "hasUnsignedActivations", (ins), "", "return false;">,
    InterfaceMethod<"The same for the second operand, `getWeightCodes` included.",
      "bool", "hasUnsignedWeights", (ins), "", "return false;">,
    InterfaceMethod<"x0, what is subtracted from every activation code before it "
      "is multiplied; nullopt when it is not a constant.",
      "::std::optional<int64_t>", "getActivationOffset">,
    InterfaceMethod<"w0, likewise for the second operand.",
      "::std::optional<int64_t>", "getWeightOffset">,
    InterfaceMethod<"The code that the op itself pads the activations with; "
      "nullopt when it reads no padding.",
      "::std::optional<int64_t>", "getPaddingCode">,
    InterfaceMethod<"The element type that holds the sum: an accumulator type or "
      "a builtin integer.", "::mlir::Type", "getAccumulatorType">,
    InterfaceMethod<"The schedule, or null for the default one.",
      "::a2q::ScheduleAttr", "getAccumulatorSchedule">,
    InterfaceMethod<[{
      Rebuilds the op with another accumulator and returns the value that
      replaces its result (of the same type, or with another accumulator type
      for a2q ops). `schedule` may be null. Fails, without changing anything,
      when the op cannot hold it (TOSA; linalg with stages).
      }],
      "::mlir::FailureOr<::mlir::Value>", "rebuildWithAccumulator",
      (ins "::mlir::RewriterBase &":$rewriter,
           "::a2q::AccumulatorType":$type, "::a2q::ScheduleAttr":$schedule)>,
  ];
}

#endif // A2Q_IR_A2QINTERFACES_TD
