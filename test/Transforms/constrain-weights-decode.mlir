// RUN: not a2q-opt %s -a2q-constrain-weights=width=40 2>&1 | FileCheck %s
// RUN: a2q-opt %s -a2q-constrain-weights=width=31 | FileCheck %s --check-prefix=FITS

// A sum of up to 65535 * 127 * 2048 fits 40 bits, but not the integers that it
// is read as.
// CHECK: error: channel 0 needs 35 bits after its weights were constrained, and a2q.decode makes integers of 32 bits
// CHECK: note: constrain the layer to 32 bits at most, or decode its sums to wider integers
// CHECK-NOT: error
// FITS: -> tensor<1x1x!a2q.acc<31>>
!x = !quant.uniform<u16:f32, 0.1>
!w = !quant.uniform<i8<-127:127>:f32, 0.5>
func.func @decoded(%x: tensor<1x2048x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<127> : tensor<1x2048xi8>
  %w = quant.scast %c : tensor<1x2048xi8> to tensor<1x2048x!w>
  %s = a2q.matmul %x, %w : tensor<1x2048x!x>, tensor<1x2048x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
