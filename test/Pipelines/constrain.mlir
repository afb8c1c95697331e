// RUN: a2q-opt %s -a2q-constrain-pipeline="width=8 method=a2q-plus" | FileCheck %s
// RUN: not a2q-opt %s -a2q-constrain-pipeline=method=magic 2>&1 | FileCheck %s --check-prefix=METHOD
// METHOD: error: unknown method 'magic'

// Two layers in a row: the second one's codes follow the first one's weights.
// Both end within 8 bits, each with the least width that its integers need.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// CHECK-LABEL: @main
// CHECK: a2q.matmul {{.*}}constrained to 8 bits by a2q-plus{{.*}} -> tensor<1x2x!a2q.acc<8>>
// CHECK: a2q.matmul {{.*}} -> tensor<1x1x!a2q.acc<{{[2-8]}}>>
func.func @main(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 5, -7, -5], [7, -5, 7, -5]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  %s = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.1> : tensor<1xf32>
      : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!x>
  %e = arith.constant dense<[[7, -7]]> : tensor<1x2xi8>
  %v = quant.scast %e : tensor<1x2xi8> to tensor<1x2x!w>
  %t = a2q.matmul %y, %v : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %t : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
