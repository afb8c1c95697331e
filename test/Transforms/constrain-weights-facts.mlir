// Budgets are of one range of codes. Where the proof knows more, weights get
// what that leaves of the width.
//
// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights='width=12 method=optimal-fixed-scale' -a2q-verify-accumulators | FileCheck %s
// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights='width=12 method=optimal-fixed-scale bound=a2q' -a2q-verify-accumulators | FileCheck %s --check-prefix=PUBLISHED

// Rows of norm 8, in steps of 1/16, and 64 weights of 3. A budget for codes of
// [-127, 127] is an l1 norm of 4095 / 254 = 16. By the norm 64 weights of 1 reach
// 8 * 8 * 16 + 32 = 1056 on each side: 3 * 128 units do not fit 12 bits, 64 do, and
// more.

// CHECK-LABEL: @rmsnorm
// CHECK: largest l1 norm 192 to 113,
// CHECK: -> tensor<4x1x!a2q.acc<12>>
// PUBLISHED-LABEL: @rmsnorm
// PUBLISHED: largest l1 norm 192 to 15,
!x = !quant.uniform<i8<-127:127>:f32, 0.0625>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @rmsnorm(%v: tensor<4x64xf32>) -> tensor<4x1xi32> {
  %none = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %share = "tosa.const"() <{values = dense<0.015625> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %eps = "tosa.const"() <{values = dense<1.0e-5> : tensor<1x1xf32>}> : () -> tensor<1x1xf32>
  %squares = tosa.mul %v, %v, %none : (tensor<4x64xf32>, tensor<4x64xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %sum = tosa.reduce_sum %squares {axis = 1 : i32} : (tensor<4x64xf32>) -> tensor<4x1xf32>
  %mean = tosa.mul %sum, %share, %none : (tensor<4x1xf32>, tensor<1x1xf32>, tensor<1xi8>) -> tensor<4x1xf32>
  %shifted = tosa.add %mean, %eps : (tensor<4x1xf32>, tensor<1x1xf32>) -> tensor<4x1xf32>
  %inverse = tosa.rsqrt %shifted : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %n = tosa.mul %v, %inverse, %none : (tensor<4x64xf32>, tensor<4x1xf32>, tensor<1xi8>) -> tensor<4x64xf32>
  %q = a2q.quantize %n : tensor<4x64xf32> to tensor<4x64x!x>
  %codes = arith.constant dense<3> : tensor<1x64xi8>
  %w = quant.scast %codes : tensor<1x64xi8> to tensor<1x64x!w>
  %y = a2q.matmul %q, %w : tensor<4x64x!x>, tensor<1x64x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// Three inputs of four have codes of [0, 15] only. For [0, 255] the budget is 16
// units; proven are 7 * 255 + 21 * 15 = 2100 of 4095 for all weights of 7.

// CHECK-LABEL: @per_channel
// CHECK-NOT: constrained to
// CHECK: -> tensor<4x1x!a2q.acc<12>>
!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @per_channel(%x: tensor<4x4x!x> {a2q.range = {axis = 1, lo = array<i64: 0, 0, 0, 0>, hi = array<i64: 255, 15, 15, 15>}}) -> tensor<4x1xi32> {
  %codes = arith.constant dense<7> : tensor<1x4xi8>
  %w = quant.scast %codes : tensor<1x4xi8> to tensor<1x4x!w>
  %y = a2q.matmul %x, %w : tensor<4x4x!x>, tensor<1x4x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}

// -----

// The same with weights that do not fit: 28 * 255 + 84 * 15 = 8400.

// CHECK-LABEL: @per_channel_spare
// CHECK: largest l1 norm 112 to [[L1:3[0-9]|4[0-9]|5[0-9]|6[0-9]]],
// CHECK: -> tensor<4x1x!a2q.acc<12>>
!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8<-31:31>:f32, 0.5>
func.func @per_channel_spare(%x: tensor<4x4x!x> {a2q.range = {axis = 1, lo = array<i64: 0, 0, 0, 0>, hi = array<i64: 255, 15, 15, 15>}}) -> tensor<4x1xi32> {
  %codes = arith.constant dense<28> : tensor<1x4xi8>
  %w = quant.scast %codes : tensor<1x4xi8> to tensor<1x4x!w>
  %y = a2q.matmul %x, %w : tensor<4x4x!x>, tensor<1x4x!w> -> tensor<4x1x!a2q.acc<32>>
  %z = a2q.decode %y : tensor<4x1x!a2q.acc<32>> to tensor<4x1xi32>
  return %z : tensor<4x1xi32>
}
