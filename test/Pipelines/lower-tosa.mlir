// RUN: a2q-opt %s --a2q-lower-tosa-pipeline | FileCheck %s
// RUN: a2q-opt %s "--a2q-to-llvm-pipeline=target-cpu=x86-64" | FileCheck %s --check-prefix=LLVM

// CHECK-LABEL: func.func @main
// CHECK: linalg.transpose {{.*}} permutation = [1, 2, 3, 0]
// CHECK: linalg.conv_2d_nhwc_hwcf
// CHECK-NOT: tosa.
// CHECK: math.tanh

// The weights are transposed in the program's data, and no library is called.
// LLVM-DAG: llvm.mlir.global private constant @{{.*}}(dense<{{.*}}1.0{{.*}}5.0{{.*}}2.0
// LLVM-NOT: @tanhf
// LLVM: llvm.func @model_run
func.func @main(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x3x2xf32> {
  %w = "tosa.const"() {values = dense<[[[[1.0, 2.0], [3.0, 4.0]]], [[[5.0, 6.0], [7.0, 8.0]]]]> : tensor<2x1x2x2xf32>} : () -> tensor<2x1x2x2xf32>
  %b = "tosa.const"() {values = dense<[0.5, -0.5]> : tensor<2xf32>} : () -> tensor<2xf32>
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xf32>, tensor<2x1x2x2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x3x2xf32>
  %t = tosa.tanh %y : (tensor<1x4x3x2xf32>) -> tensor<1x4x3x2xf32>
  return %t : tensor<1x4x3x2xf32>
}
