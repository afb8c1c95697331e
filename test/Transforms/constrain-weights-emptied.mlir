// RUN: a2q-opt %s -mlir-print-op-on-diagnostic=false -a2q-constrain-weights="width=5 method=a2q-plus" 2>&1 | FileCheck %s
!x = !quant.uniform<u8<0:7>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// A budget of one unit a side, spread over four weights of a side: truncation
// leaves none, and that is said. Accumulators of 5 bits hold [-16, 15].
// CHECK: warning: 1 of 2 channels has no weight left in 5 bits by a2q-plus
// CHECK-NEXT: a2q.matmul
// CHECK-NEXT: ^
// CHECK-NEXT: note: a wider accumulator keeps some, or a method that rounds to the budget, such as optimal

// The inputs are equal, so the sum of channel 0 is always 0, and one unit is
// worse than none: no other method would have helped.
// CHECK: warning: 1 of 2 channels has no weight left in 5 bits by optq-fixed-scale
// CHECK-NEXT: a2q.matmul
// CHECK-NEXT: ^
// CHECK-NEXT: note: a wider accumulator keeps some{{$}}

// CHECK-LABEL: @truncated
// CHECK: a2q.matmul {{.*}}, 1 without any weight"}
func.func @truncated(%x: tensor<1x8x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[4, 4, 4, 4, -4, -4, -4, -4], [1, 0, 0, 0, 0, 0, 0, -1]]> : tensor<2x8xi8>
  %w = quant.scast %c : tensor<2x8xi8> to tensor<2x8x!w>
  %s = a2q.matmul %x, %w : tensor<1x8x!x>, tensor<2x8x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// CHECK-LABEL: @cancelled
// CHECK: dense<{{\[\[}}0, 0, 0, 0], [1, 0, 0, 0]]> : tensor<2x4xi8>
#moments = #a2q.moments<samples = 4096, mean = dense<1.0> : tensor<1x4xf64>, products = dense<2.0> : tensor<1x4x4xf64>>
func.func @cancelled(%x: tensor<1x4x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[3, 3, -3, -3], [7, 5, 0, 0]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  %s = a2q.matmul %x, %w {a2q.constrain = {bound = "a2q", method = "optq"}, a2q.moments = #moments}
      : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}
