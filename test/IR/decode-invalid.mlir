// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Two sums, three integers.
func.func @decode_c1(%y: tensor<2x!a2q.acc<16>>) {
  // expected-error @+1 {{must have the same shape}}
  %d = a2q.decode %y : tensor<2x!a2q.acc<16>> to tensor<3xi32>
  return
}

// -----

// The top bit would be lost.
func.func @decode_c2(%y: tensor<2x!a2q.acc<8 x 4, 17>>) {
  // expected-error @+1 {{result has 16 bits, the accumulator 17}}
  %d = a2q.decode %y : tensor<2x!a2q.acc<8 x 4, 17>> to tensor<2xi16>
  return
}

// -----

// Sums are integers.
func.func @decode_c2_float(%y: tensor<2x!a2q.acc<16>>) {
  // expected-error @+1 {{must be ranked tensor of integers}}
  %d = a2q.decode %y : tensor<2x!a2q.acc<16>> to tensor<2xf32>
  return
}

// -----

// Sums are signed.
func.func @decode_c2_unsigned(%y: tensor<2x!a2q.acc<16>>) {
  // expected-error @+1 {{must be ranked tensor of integers}}
  %d = a2q.decode %y : tensor<2x!a2q.acc<16>> to tensor<2xui32>
  return
}
