// Where one bound for a whole normalization would be too good to be true.
//
// RUN: a2q-opt %s --split-input-file -a2q-infer-accumulators -a2q-verify-accumulators | FileCheck %s
// RUN: a2q-opt %s --split-input-file -a2q-report-accumulators=file=- -o /dev/null | FileCheck %s --check-prefix=REPORT

// Two taps of 64 channels. Channel 0 of the second tap is -100, but 0 where its
// position is NaN, while the first tap reaches its radius: far more than the 31
// by which rounding moves a vector that is NaN or 0 as a whole.

// CHECK-LABEL: @one_tap_is_nan
// REPORT: "proof": "rmsnorm"
// REPORT: "final": [
// REPORT-NEXT: -12908,
// REPORT-NEXT: 2908
!x = !quant.uniform<i8:f32, 0.03125>
!w = !quant.uniform<i8:f32, 0.5>
func.func @one_tap_is_nan(%v: tensor<1x4x4x64xf32>) -> tensor<1x4x3x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %gains = "tosa.const"() <{values = dense<[[[[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]]]> : tensor<1x1x1x64xf32>}> : () -> tensor<1x1x1x64xf32>
  %offsets = "tosa.const"() <{values = dense<[[[[-3.125, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]]]> : tensor<1x1x1x64xf32>}> : () -> tensor<1x1x1x64xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x64xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 3 : i32} : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x4x4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<1x4x4x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x4x4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<1x4x4x64xf32>, tensor<1x4x4x1xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %scaled = tosa.mul %n, %gains, %none : (tensor<1x4x4x64xf32>, tensor<1x1x1x64xf32>, tensor<1xi8>) -> tensor<1x4x4x64xf32>
  %moved = tosa.add %scaled, %offsets : (tensor<1x4x4x64xf32>, tensor<1x1x1x64xf32>) -> tensor<1x4x4x64xf32>
  %q = a2q.quantize %moved : tensor<1x4x4x64xf32> to tensor<1x4x4x64x!x>
  %codes = arith.constant dense<"0x0001010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010164000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"> : tensor<1x1x2x64xi8>
  %w = quant.scast %codes : tensor<1x1x2x64xi8> to tensor<1x1x2x64x!w>
  // CHECK: a2q.conv_2d {{.*}}!a2q.acc<15>
  %y = a2q.conv_2d %q, %w : tensor<1x4x4x64x!x>, tensor<1x1x2x64x!w> -> tensor<1x4x3x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<1x4x3x1x!a2q.acc<32>> to tensor<1x4x3x1xi32>
  return %z : tensor<1x4x3x1xi32>
}
