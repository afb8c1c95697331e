// RUN: not a2q-opt %s --a2q-to-llvm-pipeline=isa=portable 2>&1 | FileCheck %s
// RUN: a2q-opt %s "--a2q-to-llvm-pipeline=isa=portable check-accumulators=true" | FileCheck %s --check-prefix=CHECKED

// A type that promises too little is lowered only to code that checks it.
// CHECK: error: channel 0 needs 10 bits, the accumulator has 8
// CHECKED: llvm.call @a2q_check_failed
!x = tensor<1x4x!quant.uniform<u8<0:1>:f32, 0.1>>
!w = tensor<1x4x!quant.uniform<i8:f32, 0.1>>
func.func @main(%x: !x) -> tensor<1x1xi32> {
  %c = arith.constant dense<100> : tensor<1x4xi8>
  %w = quant.scast %c : tensor<1x4xi8> to !w
  %y = a2q.matmul %x, %w : !x, !w -> tensor<1x1x!a2q.acc<8>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<8>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
