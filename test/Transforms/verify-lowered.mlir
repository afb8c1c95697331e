// RUN: a2q-opt %s --a2q-verify-lowered --split-input-file --verify-diagnostics

func.func @good(%x: tensor<2xi8>, %v: vector<4xi4>, %b: i1) -> tensor<2xi8> {
  return %x : tensor<2xi8>
}

// -----

// expected-error @below {{uses '!a2q.acc<16>', which no memory can hold}}
// expected-note @below {{run convert-a2q-to-vector}}
func.func private @accumulator(tensor<2x!a2q.acc<16>>)

// -----

func.func @code(%x: tensor<2xi8>) {
  // expected-error @below {{uses '!quant.uniform<i8:f32, 5.000000e-01>', which no memory can hold}}
  // expected-note @below {{run convert-a2q-to-linalg}}
  %q = quant.scast %x : tensor<2xi8> to tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @narrow(%x: tensor<2xi8>) {
  // expected-error @below {{uses 'tensor<2xi4>', which no memory can hold}}
  // expected-note @below {{extend the integers, signed or unsigned}}
  %q = arith.trunci %x : tensor<2xi8> to tensor<2xi4>
  return
}

// -----

func.func @tosa(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{'tosa.abs' op was not lowered}}
  %y = tosa.abs %x : (tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}
