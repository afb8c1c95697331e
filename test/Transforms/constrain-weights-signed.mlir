// RUN: a2q-opt %s -a2q-constrain-weights="width=4 bound=exact method=optimal" | FileCheck %s --check-prefix=FOUR
// RUN: a2q-opt %s -a2q-constrain-weights="width=5 bound=exact method=optimal" | FileCheck %s --check-prefix=FIVE

// Codes [-8, 7] times +1 are 4 bits, times -1 they are 5: 4 bits keep one
// positive weight of each channel, whatever negative ones are lost, and 5 bits
// one of either sign.
!x = !quant.uniform<i8<-8:7>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<i8<-8:7>:f32, 0.1>

// FOUR{LITERAL}: arith.constant dense<[[0, 1], [1, 0]]> : tensor<2x2xi8>
// FOUR: -> tensor<1x2x!a2q.acc<4>>
// FIVE{LITERAL}: arith.constant dense<[[-1, 0], [1, 0]]> : tensor<2x2xi8>
// FIVE: -> tensor<1x2x!a2q.acc<5>>
func.func @f(%x: tensor<1x2x!x>) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[-7, 1], [1, 0]]> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!w>
  %s = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<2x2x!w> -> tensor<1x2x!a2q.acc<32>>
  %y = a2q.requantize %s multiplier dense<0.1> : tensor<1xf32> : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
  return %y : tensor<1x2x!y>
}
