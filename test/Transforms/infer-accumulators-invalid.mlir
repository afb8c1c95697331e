// RUN: a2q-opt %s --a2q-infer-accumulators --split-input-file --verify-diagnostics
// RUN: not a2q-opt %s --split-input-file --a2q-infer-accumulators=bound=loose 2>&1 | FileCheck %s

// CHECK: unknown bound 'loose', expected datatype, a2q, a2q-plus, exact or centred

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

func.func @unknown_initial(%x: tensor<1x1x!x>, %b: tensor<1xi32>) -> tensor<1x1xi32> {
  %c = arith.constant dense<1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  // expected-remark@below {{no accumulator inferred: nothing is known of its initial value}}
  %y = a2q.matmul %x, %w initial %b : tensor<1xi32>
      : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

// The type is part of the function's.
func.func @escapes(%x: tensor<1x1x!x>) -> tensor<1x1x!a2q.acc<32>> {
  %c = arith.constant dense<1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  // expected-remark@below {{its accumulator could be '!a2q.acc<5>', but not all users of the sum take another type}}
  %y = a2q.matmul %x, %w : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<32>>
  return %y : tensor<1x1x!a2q.acc<32>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>

func.func @too_wide(%x: tensor<1x1x!x>) -> tensor<1x1xi64> {
  %b = arith.constant dense<9223372036854775807> : tensor<1xi64>
  %c = arith.constant dense<1> : tensor<1x1xi8>
  %w = quant.scast %c : tensor<1x1xi8> to tensor<1x1x!w>
  // expected-error@below {{channel 0 needs 65 bits, accumulators have at most 64}}
  %y = a2q.matmul %x, %w initial %b : tensor<1xi64>
      : tensor<1x1x!x>, tensor<1x1x!w> -> tensor<1x1x!a2q.acc<64>>
  %d = a2q.decode %y : tensor<1x1x!a2q.acc<64>> to tensor<1x1xi64>
  return %d : tensor<1x1xi64>
}
