// RUN: a2q-opt %s --convert-a2q-to-vector --split-input-file --verify-diagnostics

!x = !quant.uniform<u8:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>
func.func @reader(%x: tensor<1x2x!x>, %w: tensor<1x2x!w>) -> tensor<1x1x!a2q.acc<32>> {
  // expected-note @below {{decode the sums first}}
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  // expected-error @below {{reads an accumulator, which only a2q.requantize and a2q.decode do}}
  return %y : tensor<1x1x!a2q.acc<32>>
}

// -----

// expected-error @below {{has an accumulator that is not the direct result of a2q.matmul or a2q.conv_2d}}
// expected-note @below {{decode or requantize accumulators where they are computed}}
func.func @argument(%y: tensor<1x1x!a2q.acc<32>>) -> tensor<1x1xi32> {
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>
func.func @filter(%x: tensor<1x2x2x1x!x>, %w: tensor<1x1x1x1x!w>) -> tensor<1x2x2x1xi32> {
  // expected-error @below {{needs a constant filter to be lowered}}
  %y = a2q.conv_2d %x, %w : tensor<1x2x2x1x!x>, tensor<1x1x1x1x!w> -> tensor<1x2x2x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x2x2x1x!a2q.acc<32>> to tensor<1x2x2x1xi32>
  return %d : tensor<1x2x2x1xi32>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.5>
!w = !quant.uniform<i8:f32, 0.5>
// Start -128 keeps [0, 255] in 8 bits; the sum itself needs 9.
func.func @decode(%x: tensor<1x17x!x>) -> tensor<1x1xi8> {
  %c = arith.constant dense<1> : tensor<1x17xi8>
  %w = quant.scast %c : tensor<1x17xi8> to tensor<1x17x!w>
  %y = a2q.matmul %x, %w schedule <ends = [[17]], starts = [dense<-128> : tensor<1x1x1xi64>]>
      : tensor<1x17x!x>, tensor<1x17x!w> -> tensor<1x1x!a2q.acc<8>>
  // expected-error @below {{sums reach [0, 255], which 'i8' does not hold}}
  // expected-note @below {{decode to a wider integer; starts are not part of the decoded sum}}
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<8>> to tensor<1x1xi8>
  return %d : tensor<1x1xi8>
}
