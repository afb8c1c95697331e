// Products of two activations have no weights to change: they keep what is proven
// of them, beside layers that are constrained.
//
// RUN: a2q-opt %s -a2q-constrain-pipeline=width=8 | FileCheck %s
// RUN: a2q-opt %s -a2q-constrain-weights=width=8 --remarks-filter=a2q-constrain-weights --remark-policy=all -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: not constrained: products of two activations have no weights

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK: a2q.matmul {{.*}}constrain = "constrained to 8 bits {{.*}}-> tensor<2x2x!a2q.acc<8>>
// 8 products of 15 and 15 are 1800, and 1801 sums fit 11 bits.
// CHECK: a2q.matmul {{.*}}a2q.notes = {constrain = "not constrained: products of two activations have no weights"}{{.*}}-> tensor<2x2x!a2q.acc<11>>
func.func @attention(%x: tensor<2x8x!x>, %y: tensor<2x8x!x>) -> (tensor<2x2xi32>, tensor<2x2xi32>) {
  %c = arith.constant dense<7> : tensor<2x8xi8>
  %w = quant.scast %c : tensor<2x8xi8> to tensor<2x8x!w>
  %s = a2q.matmul %x, %w : tensor<2x8x!x>, tensor<2x8x!w> -> tensor<2x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<2x2x!a2q.acc<32>> to tensor<2x2xi32>
  %p = a2q.matmul %x, %y : tensor<2x8x!x>, tensor<2x8x!x> -> tensor<2x2x!a2q.acc<32>>
  %e = a2q.decode %p : tensor<2x2x!a2q.acc<32>> to tensor<2x2xi32>
  return %d, %e : tensor<2x2xi32>, tensor<2x2xi32>
}
