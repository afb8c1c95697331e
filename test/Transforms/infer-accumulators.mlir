// RUN: a2q-opt %s --a2q-infer-accumulators=bound=datatype --a2q-verify-accumulators | FileCheck %s --check-prefixes=CHECK,TYPE
// RUN: a2q-opt %s --a2q-infer-accumulators=bound=a2q --a2q-verify-accumulators | FileCheck %s --check-prefixes=CHECK,L1
// RUN: a2q-opt %s --a2q-infer-accumulators=bound=a2q-plus --a2q-verify-accumulators | FileCheck %s --check-prefixes=CHECK,PLUS
// RUN: a2q-opt %s --a2q-infer-accumulators --a2q-verify-accumulators | FileCheck %s --check-prefixes=CHECK,EXACT
// RUN: a2q-opt %s --a2q-infer-accumulators=bound=centred --a2q-verify-accumulators | FileCheck %s --check-prefixes=CHECK,CENTRED

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// Two 4-bit codes in [0, 15]. Channel 0 is 16 * x (l1 = 16, [0, 240]), channel
// 1 is 8 * (x - x') ([-120, 120]).
//   datatype: 4 * 2^(4 + 4 - 1) = 512 is beyond 2^9 - 1: 11 bits
//   a2q: 16 * 2^4 = 256 is beyond 2^8 - 1: 10 bits
//   a2q-plus: 2 * 16 * 15 = 480 <= 2^9 - 2: 9 bits
//   exact: 240 <= 2^8 - 1: 9 bits
//   centred: 240 - 0 <= 2^8 - 1: 8 bits, from -120; channel 1 fits from 0
// CHECK-LABEL: @five_bounds
func.func @five_bounds(%x: tensor<1x4x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[4, 4, 4, 4], [4, 4, -4, -4]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!w>
  // CENTRED: a2q.matmul
  // CENTRED-SAME: schedule <ends = {{\[\[}}4]], starts = [dense<{{\[\[\[}}-120]], {{\[\[}}0]]]> : tensor<2x1x1xi64>]>
  // CHECK: a2q.channels = {centred_width = array<i64: 8, 8>, final_width = array<i64: 9, 8>,
  // CHECK-SAME: l1 = array<i64: 16, 16>, neg = array<i64: 0, 8>, pos = array<i64: 16, 8>, prefix_width = array<i64: 9, 8>}
  // TYPE-SAME: acc<11>>
  // L1-SAME: acc<10>>
  // PLUS-SAME: acc<9>>
  // EXACT-SAME: acc<9>>
  // CENTRED-SAME: acc<8>>
  %y = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<2x4x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// A near-dead channel whose initial value alone needs 16 bits: no bound on the
// weights knows of it, and every type has to hold it. Centring moves it, as
// only the span of [20000, 20015] counts.
// CHECK-LABEL: @initial
func.func @initial(%x: tensor<1x1x!x>) -> tensor<1x1xi32> {
  %b = arith.constant dense<20000> : tensor<1xi32>
  %c = arith.constant dense<1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  // CHECK: a2q.matmul
  // TYPE-SAME: acc<16>>
  // L1-SAME: acc<16>>
  // PLUS-SAME: acc<16>>
  // EXACT-SAME: acc<16>>
  // CENTRED-SAME: acc<15>>
  %y = a2q.matmul %x, %w initial %b : tensor<1xi32>
      : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Tiles stay; each stage gets what it needs: 2 * 15 in 6 bits, 4 * 15 in 7.
// CHECK-LABEL: @staged
func.func @staged(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  // CHECK: schedule <ends = {{\[\[}}2, 4], [4]]>
  // TYPE-SAME: acc<6 x 2, 11>>
  // L1-SAME: acc<6 x 2, 8>>
  // PLUS-SAME: acc<6 x 2, 7>>
  // EXACT-SAME: acc<6 x 2, 7>>
  // CENTRED-SAME: acc<6 x 2, 7>>
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]]>
      : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<32 x 2, 32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32 x 2, 32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Final values only: the difference of codes in [200, 255] fits 7 bits, though
// partial sums need 9.
// CHECK-LABEL: @wrap
func.func @wrap(%x: tensor<1x2x!quant.uniform<u8<200:255>:f32, 0.1:200>>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[1, -1]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // CHECK: a2q.matmul
  // EXACT-SAME: acc<7, wrap>>
  %y = a2q.matmul %x, %w : tensor<1x2x!quant.uniform<u8<200:255>:f32, 0.1:200>>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32, wrap>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32, wrap>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// Each group reads its own input channel: 15 * 7 in 8 bits, 3 * 1 in 3. The
// worst of them is in the type.
// CHECK-LABEL: @depthwise
func.func @depthwise(%x: tensor<1x1x1x2x!x> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 15, 3>}})
    -> tensor<1x1x1x2xi32> {
  %c = arith.constant dense<[[[[7]]], [[[1]]]]> : tensor<2x1x1x1xi8>
  %w = quant.scast %c : tensor<2x1x1x1xi8> to tensor<2x1x1x1x!w>
  // CHECK: a2q.conv_2d
  // CHECK-SAME: prefix_width = array<i64: 8, 3>
  // EXACT-SAME: acc<8>>
  // CENTRED-SAME: acc<7>>
  %y = a2q.conv_2d %x, %w groups 2
      : tensor<1x1x1x2x!x>, tensor<2x1x1x1x!w> -> tensor<1x1x1x2x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x1x2x!a2q.acc<32>> to tensor<1x1x1x2xi32>
  return %d : tensor<1x1x1x2xi32>
}

// Products of activations have no weights to list; each of the two channels
// gets the start.
// CHECK-LABEL: @products
func.func @products(%x: tensor<1x1x!x>, %z: tensor<2x1x!x>) -> tensor<1x2xi32> {
  // CHECK: a2q.matmul
  // CENTRED-SAME: starts = [dense<-113> : tensor<2x1x1xi64>]
  // CHECK-NOT: a2q.channels
  // EXACT-SAME: acc<9>>
  // CENTRED-SAME: acc<8>>
  %y = a2q.matmul %x, %z : tensor<1x1x!x>, tensor<2x1x!x> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}
