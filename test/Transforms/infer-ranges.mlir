// RUN: a2q-opt %s --a2q-infer-ranges | FileCheck %s

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
!y = !quant.uniform<u8:f32, 0.2:3>

// Sums per channel with the initial value, and codes per channel: the ends of
// the sums through the requantization. Channel 0: [1, 31] + 3, a tenth, + 3.
// CHECK-LABEL: @requantize
func.func @requantize(%x: tensor<1x4x!x> {a2q.range = [0, 3]}) -> tensor<1x2x!y> {
  %c = arith.constant dense<[[1, 2, 3, 4], [-1, -2, -3, -4]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  %b = arith.constant dense<[1, 2]> : tensor<2xi32>
  // CHECK: a2q.matmul
  // CHECK-SAME: a2q.range = {axis = 1 : i64, hi = array<i64: 31, 2>, lo = array<i64: 1, -28>}
  %y = a2q.matmul %x, %w initial %b : tensor<2xi32>
      : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<32>>
  // CHECK: a2q.requantize
  // CHECK-SAME: a2q.range = {axis = 1 : i64, hi = array<i64: 6, 3>, lo = array<i64: 3, 0>}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense<[3, -4]> : tensor<2xi32>
      : tensor<1x2x!a2q.acc<32>> to tensor<1x2x!y>
  return %q : tensor<1x2x!y>
}

// The same bits with two readings: codes up to 200 are -128 to 127 to who reads
// an i8 as signed, and still 0 to 200 to who does not.
// CHECK-LABEL: @readings
func.func @readings(%x: tensor<4x!y> {a2q.range = [0, 200]}) -> (tensor<4xi32>, tensor<4xi32>) {
  // CHECK: quant.scast {{.*}} {a2q.range = [-128, 127]}
  %s = quant.scast %x : tensor<4x!y> to tensor<4xi8>
  // CHECK: arith.extui {{.*}} {a2q.range = [0, 200]}
  %u = arith.extui %s : tensor<4xi8> to tensor<4xi32>
  // CHECK: arith.extsi {{.*}} {a2q.range = [-128, 127]}
  %i = arith.extsi %s : tensor<4xi8> to tensor<4xi32>
  return %u, %i : tensor<4xi32>, tensor<4xi32>
}

// Clamps by signed and unsigned comparison.
// CHECK-LABEL: @clamps
func.func @clamps(%x: tensor<4x!y> {a2q.range = [0, 200]}) -> (tensor<4x!y>, tensor<4x!y>) {
  %s = quant.scast %x : tensor<4x!y> to tensor<4xi8>
  %ten = arith.constant dense<10> : tensor<4xi8>
  // CHECK: arith.maxui {{.*}}a2q.range = [-128, 127]
  %u = arith.maxui %s, %ten : tensor<4xi8>
  // CHECK: quant.scast {{.*}}a2q.range = [10, 200]
  %uq = quant.scast %u : tensor<4xi8> to tensor<4x!y>
  // Signed comparison takes 128 to 255 for negative: they become 10.
  // CHECK: arith.maxsi {{.*}}a2q.range = [10, 127]
  %i = arith.maxsi %s, %ten : tensor<4xi8>
  // CHECK: quant.scast {{.*}}a2q.range = [10, 127]
  %iq = quant.scast %i : tensor<4xi8> to tensor<4x!y>
  return %uq, %iq : tensor<4x!y>, tensor<4x!y>
}

// Calls and control flow join what reaches them.
// CHECK-LABEL: @flow
func.func @flow(%c: i1, %x: tensor<4xi8> {a2q.range = [1, 2]}, %y: tensor<4xi8> {a2q.range = [5, 7]}) -> tensor<4xi8> {
  // CHECK: scf.if {{.*}}
  %r = scf.if %c -> tensor<4xi8> {
    scf.yield %x : tensor<4xi8>
  } else {
    %t = func.call @callee(%y) : (tensor<4xi8>) -> tensor<4xi8>
    scf.yield %t : tensor<4xi8>
  }
  // CHECK: } {a2q.range = [1, 8]}
  // CHECK: arith.addi {{.*}}a2q.range = [2, 16]
  %s = arith.addi %r, %r : tensor<4xi8>
  return %s : tensor<4xi8>
}

// CHECK-LABEL: func.func private @callee
func.func private @callee(%x: tensor<4xi8>) -> tensor<4xi8> {
  %one = arith.constant dense<1> : tensor<4xi8>
  // CHECK: arith.addi {{.*}}a2q.range = [6, 8]
  %r = arith.addi %x, %one : tensor<4xi8>
  return %r : tensor<4xi8>
}

// The range of an argument is a promise of callers outside of the module. What
// is passed within it is known, and may be more.
// CHECK-LABEL: func.func @call_beyond
func.func @call_beyond(%x: tensor<4xi8> {a2q.range = [5, 7]}) -> tensor<4xi8> {
  // CHECK: call @promised{{.*}}a2q.range = [0, 8]
  %r = func.call @promised(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// CHECK-LABEL: func.func @promised
func.func @promised(%x: tensor<4xi8> {a2q.range = [-1, 0]}) -> tensor<4xi8> {
  %one = arith.constant dense<1> : tensor<4xi8>
  // CHECK: arith.addi {{.*}}a2q.range = [0, 8]
  %r = arith.addi %x, %one : tensor<4xi8>
  return %r : tensor<4xi8>
}

// CHECK-LABEL: func.func private @private_promised
func.func private @private_promised(%x: tensor<4xi8> {a2q.range = [0, 0]}) -> tensor<4xi8> {
  %one = arith.constant dense<1> : tensor<4xi8>
  // CHECK: arith.addi {{.*}}a2q.range = [6, 8]
  %r = arith.addi %x, %one : tensor<4xi8>
  return %r : tensor<4xi8>
}

// CHECK-LABEL: func.func @call_private_beyond
func.func @call_private_beyond(%x: tensor<4xi8> {a2q.range = [5, 7]}) -> tensor<4xi8> {
  // CHECK: call @private_promised{{.*}}a2q.range = [6, 8]
  %r = func.call @private_promised(%x) : (tensor<4xi8>) -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// Its address may be anywhere: nobody keeps the promise.
// CHECK-LABEL: func.func private @by_address
func.func private @by_address(%x: tensor<4xi8> {a2q.range = [0, 0]}) -> tensor<4xi8> {
  %e = tensor.empty() : tensor<4xi8>
  // CHECK: linalg.copy
  // CHECK-SAME: a2q.range = [-128, 127]
  %r = linalg.copy {kept} ins(%x : tensor<4xi8>) outs(%e : tensor<4xi8>) -> tensor<4xi8>
  return %r : tensor<4xi8>
}

func.func @address() -> ((tensor<4xi8>) -> tensor<4xi8>) {
  %f = func.constant @by_address : (tensor<4xi8>) -> tensor<4xi8>
  return %f : (tensor<4xi8>) -> tensor<4xi8>
}

// A loop that adds has no end: the type's range, found in few steps.
// CHECK-LABEL: @loop
func.func @loop(%n: index) -> tensor<4xi32> {
  %zero = arith.constant dense<0> : tensor<4xi32>
  %one = arith.constant dense<1> : tensor<4xi32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %zero) -> tensor<4xi32> {
    // CHECK: arith.addi {{.*}}a2q.range = [-2147483648, 2147483647]
    %s = arith.addi %a, %one : tensor<4xi32>
    scf.yield %s : tensor<4xi32>
  }
  return %r : tensor<4xi32>
}
