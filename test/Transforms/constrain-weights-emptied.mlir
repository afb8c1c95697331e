// RUN: a2q-opt %s -a2q-constrain-weights="width=5 method=a2q-plus" 2>&1 | FileCheck %s

// A budget of one unit a side, spread over four weights of a side: truncation
// leaves none, and that is said. Accumulators of 5 bits hold [-16, 15].
!x = !quant.uniform<u8<0:7>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK: warning: 1 of 2 channels have no weight left in 5 bits by a2q-plus
// CHECK: note: a wider accumulator keeps some, or a method that rounds to the budget, such as optimal
// CHECK: a2q.matmul {{.*}}, 1 without any weight"}
func.func @emptied(%x: tensor<1x8x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[4, 4, 4, 4, -4, -4, -4, -4], [1, 0, 0, 0, 0, 0, 0, -1]]> : tensor<2x8xi8>
  %w = quant.scast %c : tensor<2x8xi8> to tensor<2x8x!w>
  %s = a2q.matmul %x, %w : tensor<1x8x!x>, tensor<2x8x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}
