// RUN: a2q-opt %s --convert-linalg-to-a2q --split-input-file --verify-diagnostics | FileCheck %s

// Nothing says that these are codes.
// CHECK-LABEL: @wide
// CHECK-NOT: a2q.
// CHECK: linalg.matmul
func.func @wide(%x: tensor<3x2xi32>) -> tensor<3x4xi32> {
  %w = arith.constant dense<1> : tensor<2x4xi32>
  %z = arith.constant dense<0> : tensor<3x4xi32>
  // expected-remark @+1 {{stays as it is: its activations have 32 bits, supported are 8 and 16}}
  %y = linalg.matmul ins(%x, %w : tensor<3x2xi32>, tensor<2x4xi32>) outs(%z : tensor<3x4xi32>) -> tensor<3x4xi32>
  return %y : tensor<3x4xi32>
}

// -----

// CHECK-LABEL: @open
// CHECK-NOT: a2q.
func.func @open(%x: tensor<?x2xi8>, %z: tensor<?x4xi32>) -> tensor<?x4xi32> {
  %w = arith.constant dense<1> : tensor<2x4xi8>
  // expected-remark @+1 {{stays as it is: its shape is not static}}
  %y = linalg.matmul ins(%x, %w : tensor<?x2xi8>, tensor<2x4xi8>) outs(%z : tensor<?x4xi32>) -> tensor<?x4xi32>
  return %y : tensor<?x4xi32>
}

// -----

// CHECK-LABEL: @computed_filter
// CHECK-NOT: a2q.
func.func @computed_filter(%x: tensor<1x4x4x3xi8>, %w: tensor<2x2x3xi8>) -> tensor<1x3x3x3xi32> {
  %z = arith.constant dense<0> : tensor<1x3x3x3xi32>
  // expected-remark @+1 {{stays as it is: its weights are not constant}}
  %y = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<1x4x4x3xi8>, tensor<2x2x3xi8>) outs(%z : tensor<1x3x3x3xi32>) -> tensor<1x3x3x3xi32>
  return %y : tensor<1x3x3x3xi32>
}

// -----

// Three dimensions of windows.
// CHECK-LABEL: @volume
// CHECK-NOT: a2q.
func.func @volume(%x: tensor<4x4x4xi8>) -> tensor<3x3x3xi32> {
  %w = arith.constant dense<1> : tensor<2x2x2xi8>
  %z = arith.constant dense<0> : tensor<3x3x3xi32>
  // expected-remark @+1 {{stays as it is: its windows have 3 dimensions, supported are up to 2}}
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, c, i, j, k) -> (a + i, b + j, c + k)>, affine_map<(a, b, c, i, j, k) -> (i, j, k)>, affine_map<(a, b, c, i, j, k) -> (a, b, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<4x4x4xi8>, tensor<2x2x2xi8>) outs(%z : tensor<3x3x3xi32>) {
  ^bb0(%l: i8, %r: i8, %s: i32):
    %0 = arith.extsi %l : i8 to i32
    %1 = arith.extsi %r : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %s, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<3x3x3xi32>
  return %y : tensor<3x3x3xi32>
}
