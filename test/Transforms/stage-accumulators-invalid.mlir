// RUN: a2q-opt %s -split-input-file -verify-diagnostics -a2q-stage-accumulators
// RUN: not a2q-opt %s -a2q-stage-accumulators=inner=0 2>&1 | FileCheck %s --check-prefix=INNER0
// RUN: not a2q-opt %s -a2q-stage-accumulators=inner=65 2>&1 | FileCheck %s --check-prefix=INNER65
// RUN: not a2q-opt %s -a2q-stage-accumulators=granularity=0 2>&1 | FileCheck %s --check-prefix=GRANULARITY

// INNER0: error: the inner width is from 2 to 64 bits, found 0
// INNER65: error: the inner width is from 2 to 64 bits, found 65
// GRANULARITY: error: the granularity is at least 1 term, found 0

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @type_is_fixed(%x: tensor<1x2x!x>) -> tensor<1x1x!a2q.acc<32>> {
  %c = arith.constant dense<1> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error @+1 {{the accumulator cannot be staged: 'func.return' fixes its type}}
  %y = a2q.matmul %x, %w : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  return %y : tensor<1x1x!a2q.acc<32>>
}
