// RUN: a2q-opt %s -a2q-prove-pipeline | FileCheck %s
// RUN: a2q-opt %s -a2q-prove-pipeline=bound=centred | FileCheck %s --check-prefix=CENTRED
// RUN: not a2q-opt %s -a2q-prove-pipeline=bound=tight 2>&1 | FileCheck %s --check-prefix=BOUND
// BOUND: error: unknown bound 'tight'

// Dead layers are not proven; the others get the least width that the bound
// allows: [-60, 195] is 9 bits from 0 and 8 from a start.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// CHECK-LABEL: @main
// CHECK-COUNT-1: a2q.matmul {{.*}} -> tensor<1x1x!a2q.acc<9>>
// CHECK-NOT: a2q.matmul
// CENTRED: -> tensor<1x1x!a2q.acc<8>>
func.func @main(%x: tensor<1x3x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 6, -4]]> : tensor<1x3xi8>
  %w = quant.scast %c : tensor<1x3xi8> to tensor<1x3x!w>
  %y = a2q.matmul %x, %w : tensor<1x3x!x>, tensor<1x3x!w> -> tensor<1x1x!a2q.acc<32>>
  %dead = a2q.matmul %x, %w : tensor<1x3x!x>, tensor<1x3x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
