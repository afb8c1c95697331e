// RUN: a2q-opt %s --a2q-prepare-entry --split-input-file --verify-diagnostics | FileCheck %s

// CHECK: func.func @main(%{{.*}}: tensor<2xi8> {bufferization.writable = false})
// CHECK-SAME: a2q.entry = {inputs = 1 : i64}
func.func @main(%x: tensor<2xi8>) -> tensor<2xi8> {
  return %x : tensor<2xi8>
}

// -----

// expected-note @below {{a program has one entry}}
func.func @first(%x: tensor<2xi8>) -> tensor<2xi8> {
  return %x : tensor<2xi8>
}
// expected-error @below {{is the second public function}}
func.func @second(%x: tensor<2xi8>) -> tensor<2xi8> {
  return %x : tensor<2xi8>
}

// -----

// expected-error @below {{argument 0 has type 'tensor<?xi8>'}}
func.func @dynamic(%x: tensor<?xi8>) -> tensor<?xi8> {
  return %x : tensor<?xi8>
}

// -----

// expected-error @below {{argument 0 has type 'tensor<4611686018427387904x2xf32>', whose bytes 64 bits cannot count}}
func.func @large(%x: tensor<4611686018427387904x2xf32>) -> tensor<4611686018427387904x2xf32> {
  return %x : tensor<4611686018427387904x2xf32>
}

// -----

func.func @inside(%x: tensor<2xi8>) -> tensor<2xi8> {
  // expected-error @below {{makes a 'tensor<4294967296x4294967296xi8>', whose bytes 64 bits cannot count}}
  %y = tensor.empty() : tensor<4294967296x4294967296xi8>
  %z = tensor.extract_slice %y[0, 0] [1, 2] [1, 1] : tensor<4294967296x4294967296xi8> to tensor<2xi8>
  return %z : tensor<2xi8>
}

// -----

// expected-error @below {{result 0 has type 'f32'}}
func.func @scalar(%x: tensor<2xi8>) -> f32 {
  %y = arith.constant 1.0 : f32
  return %y : f32
}

// -----

// expected-error @below {{returns nothing}}
func.func @nothing(%x: tensor<2xi8>) {
  return
}

// -----

// expected-error @below {{no public function to call}}
module {}
