// RUN: a2q-opt %s --convert-a2q-to-linalg --split-input-file --verify-diagnostics

!x = !quant.uniform<u8:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>
func.func @accumulator(%x: tensor<1x2x!x>, %w: tensor<1x2x!w>) -> tensor<1x1xi32> {
  // expected-error @below {{holds or reads accumulators, which this pass does not lower}}
  // expected-note @below {{run convert-a2q-to-vector before}}
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
