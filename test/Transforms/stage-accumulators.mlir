// RUN: a2q-opt %s -split-input-file -a2q-stage-accumulators=inner=8 | FileCheck %s
// RUN: a2q-opt %s -split-input-file -a2q-stage-accumulators=inner=16 | FileCheck %s --check-prefix=INNER16
// RUN: a2q-opt %s -split-input-file -a2q-stage-accumulators="inner=8 granularity=2" | FileCheck %s --check-prefix=PAIRS
// RUN: a2q-opt %s -split-input-file -a2q-stage-accumulators="inner=8 granularity=9223372036854775807" | FileCheck %s --check-prefix=WHOLE
// RUN: a2q-opt %s -split-input-file -a2q-stage-accumulators=inner=8 -remarks-filter=a2q-stage.* 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// The example carried through in StageAccumulators.cpp: two tiles thanks to a
// start in the second one; three from start 0.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// Granules longer than any sum: one tile.
// WHOLE-LABEL: @essay
// WHOLE: a2q.matmul
// WHOLE-NOT: schedule
// WHOLE-SAME: -> tensor<1x2x!a2q.acc<10>>
// CHECK-LABEL: @essay
// CHECK: a2q.matmul
// CHECK-SAME: schedule <ends = {{\[\[}}3, 6], [6]]
// CHECK-SAME{LITERAL}: starts = [dense<[[[0], [-60]], [[0], [37]]]> : tensor<2x2x1xi64>, 0]>
// CHECK-SAME: -> tensor<1x2x!a2q.acc<8 x 3, 9>>

// Both channels fit 16 bits as a whole: one stage, no schedule.
// INNER16-LABEL: @essay
// INNER16: a2q.matmul %{{.*}}, %{{.*}} : {{.*}} -> tensor<1x2x!a2q.acc<10>>

// Ends on even terms: the last four of channel 0 would span 18 * 15 = 270.
// PAIRS-LABEL: @essay
// PAIRS: schedule <ends = {{\[\[}}2, 4, 6], [6]]>

// REMARK: remark: {{.*}}!a2q.acc<8 x 3, 9>: 2 tiles of at most 3 terms
func.func @essay(%x: tensor<1x6x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[7, 1, -4, 6, 5, -3], [-2, 3, 1, -7, -4, 6]]> : tensor<2x6xi8>
  %w = quant.scast %c : tensor<2x6xi8> to tensor<2x6x!w>
  %y = a2q.matmul %x, %w : tensor<1x6x!x>, tensor<2x6x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}

// -----

// A product of 127 and 255 alone needs 16 bits: the next wider width, and a
// note that the report repeats. All four span 65535, which 16 bits just hold
// from a start.
!x = !quant.uniform<u8:f32, 0.1>
!w = !quant.uniform<i8<-127:127>:f32, 0.5>

// CHECK-LABEL: @wider
// CHECK: a2q.notes = {stage = "inner accumulators have 16 bits: single products of channel 0 do not fit the 8 bits asked for"}
// CHECK-SAME: -> tensor<1x1x!a2q.acc<16>>
// REMARK: remark: {{.*}}inner accumulators have 16 bits
func.func @wider(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[127, 1, 127, 2]]> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  %y = a2q.matmul %x, %w : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// Three stages: the 9000 terms sum to 135000, 18 bits from a start. An 8-bit
// tile holds 17 units of 15; each hands over [-128, 127], and 256 of them fit
// 16 bits from start 0.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @three_stages
// CHECK: [4352, 8704, 9000], [9000]]
// CHECK-SAME: -> tensor<1x1x!a2q.acc<8 x 17, 16 x 4352, 18>>
func.func @three_stages(%x: tensor<1x9000x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x9000xi8>
  %w = quant.scast %c : tensor<1x9000xi8> to tensor<1x9000x!w>
  %y = a2q.matmul %x, %w : tensor<1x9000x!x>, tensor<1x9000x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// The order of terms stays: the tile ends count positions in it.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// CHECK-LABEL: @order
// CHECK: schedule <ends = {{\[\[}}2, 4], [4]]{{.*}}order = array<i64: 0, 2, 1, 3>
func.func @order(%x: tensor<1x4x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[7, 7, 7, 7]]> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to tensor<1x4x!w>
  %y = a2q.matmul %x, %w schedule <ends = [[4]], order = array<i64: 0, 2, 1, 3>>
      : tensor<1x4x!x>, tensor<1x4x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// Two activations: one problem stands for all channels, the starts are written
// for each of the three.
!x = !quant.uniform<u8<0:15>:f32, 0.1>

// CHECK-LABEL: @products
// CHECK: schedule <ends = {{\[\[}}1, 2], [2]], starts = [dense<-113> : tensor<3x2x1xi64>, 0]>
// CHECK-SAME: -> tensor<1x2x3x!a2q.acc<8 x 1, 9>>
func.func @products(%x: tensor<1x2x2x!x>, %v: tensor<1x3x2x!x>) -> tensor<1x2x3xi32> {
  %y = a2q.matmul %x, %v : tensor<1x2x2x!x>, tensor<1x3x2x!x> -> tensor<1x2x3x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x2x3x!a2q.acc<32>> to tensor<1x2x3xi32>
  return %d : tensor<1x2x3xi32>
}

// -----

// Upstream's ops hold no stages and stay as they are.
// CHECK-LABEL: @linalg
// CHECK: linalg.matmul {{.*}} outs(%{{.*}} : tensor<1x1xi32>)
func.func @linalg(%x: tensor<1x6xi8>, %w: tensor<6x1xi8>, %c: tensor<1x1xi32>) -> tensor<1x1xi32> {
  %y = linalg.matmul ins(%x, %w : tensor<1x6xi8>, tensor<6x1xi8>) outs(%c : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}
