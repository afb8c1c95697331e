// What staging wrote is a proof: it holds, and it does not survive a change of
// one weight or one start in either direction where there is no slack.
//
// RUN: a2q-opt %s -a2q-stage-accumulators=inner=8 > %t.mlir
// RUN: a2q-opt %t.mlir -a2q-verify-accumulators | FileCheck %s
// CHECK: schedule <ends = {{\[\[}}3, 6], [6]]
// CHECK-SAME: [37]
// CHECK-SAME: !a2q.acc<8 x 3, 9>

// Channel 1 fills its second tile: 255 from 37 is [-128, 127].
// RUN: sed 's/\[37\]/[38]/' %t.mlir | not a2q-opt -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=FAILS
// RUN: sed 's/\[37\]/[36]/' %t.mlir | not a2q-opt -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=FAILS
// RUN: sed 's/-4, 6\]\]/-4, 7]]/' %t.mlir | not a2q-opt -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=FAILS
// FAILS: error: channel 1 needs 9 bits in tile 1, lane 0, the accumulator of stage 0 has 8

// Toward zero there is room.
// RUN: sed 's/-4, 6\]\]/-4, 5]]/' %t.mlir | a2q-opt -a2q-verify-accumulators -o /dev/null

// A narrower claim fails: the widths are the least.
// RUN: sed 's/8 x 3, 9/8 x 3, 8/g' %t.mlir | not a2q-opt -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=OUTER
// OUTER: error: channel {{[01]}} needs 9 bits {{.*}}the accumulator of stage 1 has 8
// RUN: sed 's/8 x 3, 9/7 x 3, 9/g' %t.mlir | not a2q-opt -a2q-verify-accumulators 2>&1 | FileCheck %s --check-prefix=INNER
// INNER: error: channel {{[01]}} needs 8 bits {{.*}}the accumulator of stage 0 has 7

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @essay(%x: tensor<1x6x!x>) -> tensor<1x2xi32> {
  %c = arith.constant dense<[[7, 1, -4, 6, 5, -3], [-2, 3, 1, -7, -4, 6]]> : tensor<2x6xi8>
  %w = quant.scast %c : tensor<2x6xi8> to tensor<2x6x!w>
  %y = a2q.matmul %x, %w : tensor<1x6x!x>, tensor<2x6x!w> -> tensor<1x2x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x2x!a2q.acc<32>> to tensor<1x2xi32>
  return %d : tensor<1x2xi32>
}
