// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights="width=8 method=a2q-plus" | FileCheck %s
// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights="width=8 method=a2q-plus" -remarks-filter='a2q-constrain.*' 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Codes [0, 15]: an 8-bit accumulator from start 0 holds 8 positive units
// (8 * 15 = 120) and 8 negative ones. Channel 0 has 12 a side. Its projection
// onto the l1 ball of radius 254 / 15 takes 1.77 off each weight, and what is
// left is rounded toward zero; channel 1 fits as it is.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8<0:15>:f32, 0.2>

// CHECK-LABEL: @zero_sum
// CHECK{LITERAL}: arith.constant dense<[[5, 3, -5, -3], [1, 2, 3, -1]]> : tensor<2x4xi8>
// CHECK: a2q.matmul
// CHECK-SAME: a2q.notes = {constrain = "constrained to 8 bits by a2q-plus: 1 of 2 channels changed, largest l1 norm 24 to 16, sparsity 0.00 to 0.00, weight error 0.098"}
// CHECK-SAME: -> tensor<1x2x!a2q.acc<8>>
// CHECK: a2q.requantize %{{.*}} multiplier dense<1.000000e-01> : tensor<1xf32> :
// REMARK: remark: {{.*}}constrained to 8 bits by a2q-plus
func.func @zero_sum(%x: tensor<1x4x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[7, 5, -7, -5], [1, 2, 3, -1]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  %s = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.1> : tensor<1xf32>
      : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
  return %y : tensor<1x2x!y>
}

// -----

// One constant, two ops, two ranges: the op that reads narrow codes keeps it.
// The other one gets its own.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!n = !quant.uniform<u8<0:3>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @shared
// CHECK-DAG: %[[OLD:.*]] = arith.constant dense<{{\[\[}}7, 5, -7, -5]]> : tensor<1x4xi8>
// CHECK-DAG: %[[OLDW:.*]] = quant.scast %[[OLD]]
// CHECK-DAG: %[[NEW:.*]] = arith.constant dense<{{\[\[}}5, 3, -5, -3]]> : tensor<1x4xi8>
// CHECK-DAG: %[[NEWW:.*]] = quant.scast %[[NEW]]
// CHECK: a2q.matmul %arg0, %[[NEWW]]
// CHECK: a2q.matmul %arg1, %[[OLDW]]
// REMARK: remark: {{.*}}constrained to 8 bits by a2q-plus
// REMARK: remark: {{.*}}fits 8 bits as it is
func.func @shared(%x: tensor<1x4x!x>, %n: tensor<1x4x!n>) -> (tensor<1x1xi32>, tensor<1x1xi32>) {
  %c = arith.constant dense<[[7, 5, -7, -5]]> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  %s = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<32>>
  %t = a2q.matmul %n, %w : tensor<1x4x!n>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = a2q.decode %t : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d, %e : tensor<1x1xi32>, tensor<1x1xi32>
}

// -----

// The zero point 3 sits in the bias as -3 * sum(q). Channel 0 goes from 14 to
// 0: its bias from 100 by -3 * (0 - 14) to 142. Channel 1 does not change.
!x = !quant.uniform<u8<0:15>:f32, 0.1:3>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8<0:15>:f32, 0.2>

// CHECK-LABEL: @zero_point
// CHECK{LITERAL}: arith.constant dense<[[0, 0], [1, 2]]> : tensor<2x2xi8>
// CHECK: a2q.requantize
// CHECK-SAME: bias dense<[142, 100]> : tensor<2xi32>
func.func @zero_point(%x: tensor<1x2x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[7, 7], [1, 2]]> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.1> : tensor<1xf32> bias dense<100> : tensor<1xi32>
      : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
  return %y : tensor<1x2x!y>
}

// -----

// A schedule made for other weights goes, the order of terms stays.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @schedule
// CHECK: schedule <ends = {{\[\[}}2]], order = array<i64: 1, 0>>
// CHECK-SAME: -> tensor<1x1x!a2q.acc<8>>
func.func @schedule(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 7]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  %s = a2q.matmul %x, %w
      schedule <ends = [[1, 2], [2]], starts = [dense<-10> : tensor<1x2x1xi8>, 0], order = array<i64: 1, 0>>
      : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<8 x 1, 16>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<8 x 1, 16>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// A convolution, and weights in a resource: they come back as one.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @resource
// CHECK: arith.constant dense_resource<constrained> : tensor<1x1x1x4xi8>
// CHECK: a2q.conv_2d
// CHECK-SAME: -> tensor<1x2x2x1x!a2q.acc<8>>
// CHECK: constrained: "0x{{0+[1-9]0*}}0503FBFD"
func.func @resource(%x: tensor<1x2x2x4x!x>) -> tensor<1x2x2x1xi32> {
  %c = arith.constant dense_resource<weights> : tensor<1x1x1x4xi8>
  %w = quant.scast %c : tensor<1x1x1x4xi8> to tensor<1x1x1x4x!w>
  %s = a2q.conv_2d %x, %w : tensor<1x2x2x4x!x>, tensor<1x1x1x4x!w> -> tensor<1x2x2x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x2x1x!a2q.acc<32>> to tensor<1x2x2x1xi32>
  return %d : tensor<1x2x2x1xi32>
}

{-#
  dialect_resources: {
    builtin: {
      weights: "0x010000000705F9FB"
    }
  }
#-}
