// RUN: a2q-opt %s --convert-tosa-to-a2q --split-input-file --verify-diagnostics | FileCheck %s

// What stays is as it was.
// CHECK-LABEL: @computed_weights
// CHECK-NOT: a2q.
// CHECK: tosa.conv2d
func.func @computed_weights(%x: tensor<1x4x4x3xi8>, %w: tensor<2x1x1x3xi8>) -> tensor<1x4x4x2xi32> {
  %b = "tosa.const"() {values = dense<7> : tensor<2xi32>} : () -> tensor<2xi32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // expected-remark @+1 {{stays as it is: its weights are not constant}}
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x4x4x3xi8>, tensor<2x1x1x3xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x2xi32>
  return %y : tensor<1x4x4x2xi32>
}

// -----

// CHECK-LABEL: @computed_bias
// CHECK-NOT: a2q.
func.func @computed_bias(%x: tensor<1x4x4x3xi8>, %b: tensor<2xi32>) -> tensor<1x4x4x2xi32> {
  %w = "tosa.const"() {values = dense<1> : tensor<2x1x1x3xi8>} : () -> tensor<2x1x1x3xi8>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // expected-remark @+1 {{stays as it is: its bias is not constant}}
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x4x4x3xi8>, tensor<2x1x1x3xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x2xi32>
  return %y : tensor<1x4x4x2xi32>
}

// -----

// CHECK-LABEL: @open_image
// CHECK-NOT: a2q.
func.func @open_image(%x: tensor<1x?x4x3xi8>) -> tensor<1x?x4x2xi32> {
  %w = "tosa.const"() {values = dense<1> : tensor<2x1x1x3xi8>} : () -> tensor<2x1x1x3xi8>
  %b = "tosa.const"() {values = dense<7> : tensor<2xi32>} : () -> tensor<2xi32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // expected-remark @+1 {{stays as it is: the size of its images is not static}}
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x?x4x3xi8>, tensor<2x1x1x3xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x?x4x2xi32>
  return %y : tensor<1x?x4x2xi32>
}

// -----

// CHECK-LABEL: @computed_filters
// CHECK-NOT: a2q.
func.func @computed_filters(%x: tensor<1x2x2x1xi8>, %w: tensor<2x3x3x1xi8>) -> tensor<1x5x5x2xi32> {
  %b = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // expected-remark @+1 {{stays as it is: its weights are not constant}}
  %y = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>}
      : (tensor<1x2x2x1xi8>, tensor<2x3x3x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x5x5x2xi32>
  return %y : tensor<1x5x5x2xi32>
}

// -----

// A rescale whose factors are computed reads integers.
// CHECK-LABEL: @computed_factors
// CHECK: a2q.decode
// CHECK: tosa.rescale
func.func @computed_factors(%x: tensor<1x4x4x3xi8>, %m: tensor<1xi32>) -> tensor<1x4x4x2xi8> {
  %w = "tosa.const"() {values = dense<1> : tensor<2x1x1x3xi8>} : () -> tensor<2x1x1x3xi8>
  %b = "tosa.const"() {values = dense<7> : tensor<2xi32>} : () -> tensor<2xi32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %iz = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %h = "tosa.const"() {values = dense<33> : tensor<1xi8>} : () -> tensor<1xi8>
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x4x4x3xi8>, tensor<2x1x1x3xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x2xi32>
  %q = tosa.rescale %y, %m, %h, %iz, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = DOUBLE_ROUND, scale32 = true}
      : (tensor<1x4x4x2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x4x2xi8>
  return %q : tensor<1x4x4x2xi8>
}
