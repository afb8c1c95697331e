// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights='width=8 tile=4 method=optimal-fixed-scale' | FileCheck %s --check-prefixes=CHECK,CENTRED
// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights='width=8 tile=4 method=optimal-fixed-scale bound=exact' | FileCheck %s --check-prefixes=CHECK,EXACT
// RUN: a2q-opt %s -split-input-file -a2q-constrain-weights='width=8 tile=4 method=optimal-fixed-scale' -a2q-verify-accumulators -o /dev/null
// RUN: not a2q-opt %s -split-input-file -a2q-constrain-weights='tile=-1' 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: error: a tile has at least one term, or is 0 for all of them, found -1

// Codes [0, 15]: a tile in 8 bits has 17 units from its centre, or 8 of each
// sign from 0. Channel 0 has 26 units, 5 and 21, all positive: the first tile
// stays and the second loses 4 units, or 13. Channel 1 fits.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @two_tiles
// CENTRED{LITERAL}: dense<[[2, 1, 1, 1, 5, 5, 4, 3], [1, 0, 0, 0, -1, 0, 0, 0]]> : tensor<2x8xi8>
// EXACT{LITERAL}: dense<[[2, 1, 1, 1, 3, 2, 2, 1], [1, 0, 0, 0, -1, 0, 0, 0]]> : tensor<2x8xi8>
// CENTRED: schedule <ends = {{\[\[}}4, 8], [8]], starts = [dense<{{.*}}0], [-128]{{.*}}, [{{\[}}0], [0]]]> : tensor<2x2x1xi64>, 0]>
// CENTRED: constrained to 8 bits per 4 terms by optimal-fixed-scale: 1 of 2 channels changed
// CENTRED: -> tensor<1x2x!a2q.acc<8 x 4, 9>>
// EXACT: schedule <ends = {{\[\[}}4, 8], [8]]>
// EXACT: -> tensor<1x2x!a2q.acc<8 x 4, 9>>
func.func @two_tiles(%x: tensor<1x8x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[2, 1, 1, 1, 6, 6, 5, 4], [1, 0, 0, 0, -1, 0, 0, 0]]> : tensor<2x8xi8>
  %w = quant.scast %c : tensor<2x8xi8> to tensor<2x8x!w>
  %s = a2q.matmul %x, %w : tensor<1x8x!x>, tensor<2x8x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// -----

// Each tile fits as it is, the whole does not: no weight changes.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @fits
// CHECK{LITERAL}: dense<[[7, 1, 0, -7, 7, 1, 0, -7]]> : tensor<1x8xi8>
// CHECK-NOT: constrained to
// CHECK: -> tensor<1x1x!a2q.acc<8 x 4, 9>>
func.func @fits(%x: tensor<1x8x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 1, 0, -7, 7, 1, 0, -7]]> : tensor<1x8xi8>
  %w = quant.scast %c : tensor<1x8xi8> to tensor<1x8x!w>
  %s = a2q.matmul %x, %w : tensor<1x8x!x>, tensor<1x8x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// The whole sum fits, or there are no more terms than in a tile: one
// accumulator, and no spill.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @whole
// CHECK: a2q.matmul
// CHECK-NOT: schedule
// CHECK-SAME: -> tensor<1x1x!a2q.acc<8>>
// CHECK: a2q.matmul
// CHECK-SAME: -> tensor<1x1x!a2q.acc<8>>
func.func @whole(%x: tensor<1x8x!x>, %y: tensor<1x4x!x>) -> (tensor<1x1xi32>, tensor<1x1xi32>) {
  %c = arith.constant dense<[[1, 1, 1, 1, 1, 1, 1, 1]]> : tensor<1x8xi8>
  %w = quant.scast %c : tensor<1x8xi8> to tensor<1x8x!w>
  %s = a2q.matmul %x, %w : tensor<1x8x!x>, tensor<1x8x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  %e = arith.constant dense<[[7, 7, 7, -7]]> : tensor<1x4xi8>
  %v = quant.scast %e : tensor<1x4xi8> to tensor<1x4x!w>
  %t = a2q.matmul %y, %v : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<32>>
  %f = a2q.decode %t : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d, %f : tensor<1x1xi32>, tensor<1x1xi32>
}

// -----

// Six terms are a tile of four and one of two. Tiles are cut from the terms in
// the order that the op keeps: here the last term of the default order is the
// first of the first tile, and (7, 7, 7, 7), 28 units, becomes 17 or 8.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @order
// CENTRED{LITERAL}: dense<[[0, 1, 4, 4, 5, 4]]> : tensor<1x6xi8>
// EXACT{LITERAL}: dense<[[0, 1, 2, 2, 2, 2]]> : tensor<1x6xi8>
// CHECK: schedule <ends = {{\[\[}}4, 6], [6]]{{.*}} order = array<i64: 5, 4, 3, 2, 1, 0>>
// CHECK-SAME: -> tensor<1x1x!a2q.acc<8 x 4, {{[0-9]+}}>>
func.func @order(%x: tensor<1x6x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[0, 1, 7, 7, 7, 7]]> : tensor<1x6xi8>
  %w = quant.scast %c : tensor<1x6xi8> to tensor<1x6x!w>
  %s = a2q.matmul %x, %w schedule <ends = [[6]], order = array<i64: 5, 4, 3, 2, 1, 0>>
      : tensor<1x6x!x>, tensor<1x6x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// A grouped convolution with a range per channel: group 0 reads [0, 15], group 1
// [0, 1], and there 8 units of a tile are no matter. A zero channel stays.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @groups
// CHECK{LITERAL}: dense<[[[[0, 0, 0, 0, 0, 0, 0, 0]]], [[[7, 7, 7, 7, 7, 7, 7, 7]]]]> : tensor<2x1x1x8xi8>
// CHECK: -> tensor<1x1x1x2x!a2q.acc<8>>
func.func @groups(%x: tensor<1x1x1x16x!x> {a2q.range = {axis = 3,
    lo = array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>,
    hi = array<i64: 15, 15, 15, 15, 15, 15, 15, 15, 1, 1, 1, 1, 1, 1, 1, 1>}}) -> tensor<1x1x1x2xi32> {
  %c = arith.constant dense<[[[[0, 0, 0, 0, 0, 0, 0, 0]]], [[[7, 7, 7, 7, 7, 7, 7, 7]]]]> : tensor<2x1x1x8xi8>
  %w = quant.scast %c : tensor<2x1x1x8xi8> to tensor<2x1x1x8x!w>
  %s = a2q.conv_2d %x, %w groups 2 : tensor<1x1x1x16x!x>, tensor<2x1x1x8x!w> -> tensor<1x1x1x2x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x1x2x!a2q.acc<32>> to tensor<1x1x1x2xi32>
  return %d : tensor<1x1x1x2xi32>
}
