// RUN: a2q-opt %s --convert-a2q-to-vector --canonicalize --cse | FileCheck %s
// RUN: a2q-opt %s --convert-a2q-to-vector=check=true --canonicalize | FileCheck %s --check-prefix=CHECKED

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8<0:15>:f32, 0.2>

// Three stages in the smallest machine integers, each tile added, sign-
// extended, to the next stage; then bias, factor, clamp and rounding, in
// registers. Tiles of 2 products are computed, those of the middle stage too.
// CHECK-LABEL: @stages
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<1x1x8x2xi8>
// CHECK-DAG: %[[ZERO8:.*]] = arith.constant dense<0> : vector<2xi8>
// CHECK-DAG: %[[ZERO16:.*]] = arith.constant dense<0> : vector<2xi16>
// CHECK-DAG: %[[ZERO32:.*]] = arith.constant dense<0> : vector<2xi32>
// CHECK: scf.for {{.*}} iter_args(%[[OUTER:.*]] = %[[ZERO32]]) -> (vector<2xi32>)
// CHECK:   scf.for {{.*}} iter_args(%[[MIDDLE:.*]] = %[[ZERO16]]) -> (vector<2xi16>)
// CHECK:     %[[T:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[ZERO8]]) -> (vector<2xi8>)
// CHECK:       vector.transfer_read %[[W]]
// CHECK:       a2q.mac %[[ACC]], %{{.*}} unsigned, %{{.*}} : vector<2xi8>
// CHECK:     %[[E:.*]] = arith.extsi %[[T]] : vector<2xi8> to vector<2xi16>
// CHECK:     arith.addi %[[MIDDLE]], %[[E]] : vector<2xi16>
// CHECK:   arith.extsi %{{.*}} : vector<2xi16> to vector<2xi32>
// CHECK:   arith.addi %[[OUTER]], %{{.*}} : vector<2xi32>
// CHECK: arith.sitofp
// CHECK: vector.transfer_write
// CHECK-NOT: a2q.acc
func.func @stages(%x: tensor<1x8x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2]]> : tensor<2x8xi8>
  %w = quant.scast %c : tensor<2x8xi8> to tensor<2x8x!w>
  %a = a2q.matmul %x, %w schedule <ends = [[2, 4, 6, 8], [4, 8], [8]]>
      : tensor<1x8x!x>, tensor<2x8x!w> -> tensor<1x2x!a2q.acc<8 x 2, 16 x 4, 32>>
  %y = a2q.requantize %a multiplier dense<0.1> : tensor<1xf32>
      : tensor<1x2x!a2q.acc<8 x 2, 16 x 4, 32>> to tensor<1x2x!y>
  return %y : tensor<1x2x!y>
}

// A start is a constant of the accumulator's tile and channel, and the epilogue
// takes it off again: 9 - (-7 - 9) and so on.
// CHECK-LABEL: @starts
// CHECK-DAG: arith.constant dense<{{.*}}[-7, 0]{{.*}}[-9, 0]{{.*}}> : tensor<1x1x2x1x2xi8>
// CHECK-DAG: arith.constant dense<{{.*}}[16, 0]{{.*}}> : tensor<1x1x2xi32>
func.func @starts(%x: tensor<1x2x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<1> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  %a = a2q.matmul %x, %w
      schedule <ends = [[1, 2], [2]], starts = [dense<[[[-7], [-9]], [[0], [0]]]> : tensor<2x2x1xi8>, 0]>
      : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<8 x 1, 16>>
  %d = a2q.decode %a : tensor<1x2x!a2q.acc<8 x 1, 16>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// A pointwise convolution reads the image as it is.
// CHECK-LABEL: @pointwise
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @pointwise(%x: tensor<?x4x4x3x!x>) -> tensor<?x4x4x2xi32> {
  %c = arith.constant dense<1> : tensor<2x1x1x3xi8>
  %w = quant.scast %c : tensor<2x1x1x3xi8> to tensor<2x1x1x3x!w>
  %a = a2q.conv_2d %x, %w : tensor<?x4x4x3x!x>, tensor<2x1x1x3x!w> -> tensor<?x4x4x2x!a2q.acc<8>>
  %d = a2q.decode %a : tensor<?x4x4x2x!a2q.acc<8>> to tensor<?x4x4x2xi32>
  return %d : tensor<?x4x4x2xi32>
}

// Checked programs compare in 64 bits and name the layer.
// CHECKED: llvm.mlir.global internal constant @{{.*}}("the layer\00")
// CHECKED: llvm.func @a2q_check_failed(!llvm.ptr, i64, i64, i64, i64, i64)
// CHECKED-LABEL: @named
// CHECKED: a2q.mac {{.*}} : vector<2xi64>
// CHECKED: llvm.call @a2q_check_failed
func.func @named(%x: tensor<1x2x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<1> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  %a = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<6>> loc("the layer")
  %d = a2q.decode %a : tensor<1x2x!a2q.acc<6>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// Arguments that promise a range are checked on entry.
// CHECKED-LABEL: @argument
// CHECKED: arith.constant 3 : i64
// CHECKED: llvm.call @a2q_check_failed
func.func @argument(%x: tensor<1x2x!x> {a2q.range = [0, 3]}) -> tensor<1x2x!x> {
  return %x : tensor<1x2x!x>
}
