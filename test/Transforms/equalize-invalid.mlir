// RUN: a2q-opt %s --a2q-equalize --verify-diagnostics

func.func @nan(%x: tensor<1x4x1xf32>) -> tensor<1x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w = "tosa.const"() {values = dense<[[[1.0, 0x7FC00000]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  // expected-error @+2 {{channel 1 has the weight nan at term 0}}
  // expected-note @+1 {{terms are numbered by kernel row, kernel column and input channel}}
  %y = tosa.matmul %x, %w, %z, %z : (tensor<1x4x1xf32>, tensor<1x1x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  return %y : tensor<1x4x2xf32>
}
