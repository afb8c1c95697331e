// RUN: a2q-opt %s -split-input-file -verify-diagnostics -a2q-constrain-weights='width=8 method=optq'

// Each pair of these inputs may vary so, all three together may not.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-15:15>:f32, 0.5>
func.func @singular(%x: tensor<1x3x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[10, 10, 10]]> : tensor<1x3xi8>
  %w = quant.scast %c : tensor<1x3xi8> to tensor<1x3x!w>
  // expected-error @+1 {{weights cannot be constrained by 'optq-fixed-scale': the moments are singular}}
  %s = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 4, mean = dense<0.0> : tensor<1x3xf64>, products = dense<[[[1.0, -0.9, -0.9], [-0.9, 1.0, -0.9], [-0.9, -0.9, 1.0]]]> : tensor<1x3x3xf64>>}
      : tensor<1x3x!x>, tensor<1x3x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}

// -----

// A diagonal does not say how inputs vary together.
!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-15:15>:f32, 0.5>
func.func @diagonal(%x: tensor<1x2x!x>) -> tensor<1x1xi32> {
  %c = arith.constant dense<[[10, 10]]> : tensor<1x2xi8>
  %w = quant.scast %c : tensor<1x2xi8> to tensor<1x2x!w>
  // expected-error @+2 {{method 'optq' needs the moments of the layer's inputs, and a2q.moments has the diagonal of their products only}}
  // expected-note @+1 {{a2q-quantize collects them, and with --moments keeps them}}
  %s = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 4, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>>}
      : tensor<1x2x!x>, tensor<1x2x!w> -> tensor<1x1x!a2q.acc<32>>
  %d = a2q.decode %s : tensor<1x1x!a2q.acc<32>> to tensor<1x1xi32>
  return %d : tensor<1x1xi32>
}
