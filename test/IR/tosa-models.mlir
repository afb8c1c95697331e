// tosa ops as accumulating ops: what infer-accumulators reads through the
// interface.
// RUN: a2q-opt %s --a2q-infer-accumulators --split-input-file --verify-diagnostics | FileCheck %s

// x - (-3) is in -125..130. Filters [1, 2] and [-1, 0]: -375..390 is 10 bits,
// -130..125 is 9.
// CHECK-LABEL: @conv2d
// CHECK: tosa.conv2d
// CHECK-SAME: l1 = array<i64: 3, 1>
// CHECK-SAME: prefix_width = array<i64: 10, 9>
func.func @conv2d(%x: tensor<1x1x1x2xi8>) -> tensor<1x1x1x2xi32> {
  %w = "tosa.const"() <{values = dense<[[[[1, 2]]], [[[-1, 0]]]]> : tensor<2x1x1x2xi8>}> : () -> tensor<2x1x1x2xi8>
  %b = "tosa.const"() <{values = dense<0> : tensor<2xi32>}> : () -> tensor<2xi32>
  %zx = "tosa.const"() <{values = dense<-3> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zw = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %y = tosa.conv2d %x, %w, %b, %zx, %zw {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x1x1x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x1x2xi32>
  return %y : tensor<1x1x1x2xi32>
}

// -----

// Activations 1 and 1..9 join the padding's 0; ranges per channel tell the terms
// apart: (1 + 20) * 1 + (1 + 2) * 9 = 48, or 200 the other way round.
// CHECK-LABEL: @conv2d_order
// CHECK: tosa.conv2d
// CHECK-SAME: l1 = array<i64: 24>
// CHECK-SAME: prefix_width = array<i64: 7>
func.func @conv2d_order(%x: tensor<1x1x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 1, 1>, hi = array<i64: 1, 9>}}) -> tensor<1x1x2x1xi32> {
  %w = "tosa.const"() <{values = dense<[[[[1, 1], [20, 2]]]]> : tensor<1x1x2x2xi8>}> : () -> tensor<1x1x2x2xi8>
  %b = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %y = tosa.conv2d %x, %w, %b, %zx, %zx {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 1, 1>, stride = array<i64: 1, 1>}
      : (tensor<1x1x1x2xi8>, tensor<1x1x2x2xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x2x1xi32>
  return %y : tensor<1x1x2x1xi32>
}

// -----

// Output channel in * 2 + m sums weights [.][.][in][m]; input channels 0..1 and
// 0..10 tell the groups apart: 6, 8, 100 and 120.
// CHECK-LABEL: @depthwise
// CHECK: tosa.depthwise_conv2d
// CHECK-SAME: l1 = array<i64: 6, 8, 10, 12>
// CHECK-SAME: prefix_width = array<i64: 4, 5, 8, 8>
func.func @depthwise(%x: tensor<1x2x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<1x1x1x4xi32> {
  %w = "tosa.const"() <{values = dense<[[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]]> : tensor<2x1x2x2xi8>}> : () -> tensor<2x1x2x2xi8>
  %b = "tosa.const"() <{values = dense<0> : tensor<4xi32>}> : () -> tensor<4xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %y = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<1x2x1x2xi8>, tensor<2x1x2x2xi8>, tensor<4xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x1x1x4xi32>
  return %y : tensor<1x1x1x4xi32>
}

// -----

// Columns [1, 3] and [2, 4] less the zero point 1.
// CHECK-LABEL: @matmul
// CHECK: tosa.matmul
// CHECK-SAME: l1 = array<i64: 2, 4>
// CHECK-SAME: prefix_width = array<i64: 9, 10>
func.func @matmul(%x: tensor<1x5x2xi8>) -> tensor<1x5x2xi32> {
  %w = "tosa.const"() <{values = dense<[[[1, 2], [3, 4]]]> : tensor<1x2x2xi8>}> : () -> tensor<1x2x2xi8>
  %zx = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zw = "tosa.const"() <{values = dense<1> : tensor<1xi8>}> : () -> tensor<1xi8>
  %y = tosa.matmul %x, %w, %zx, %zw : (tensor<1x5x2xi8>, tensor<1x2x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x5x2xi32>
  return %y : tensor<1x5x2xi32>
}

// -----

// CHECK-LABEL: @variable_zero_point
func.func @variable_zero_point(%x: tensor<1x5x2xi8>, %zx: tensor<1xi8>) -> tensor<1x5x2xi32> {
  %w = "tosa.const"() <{values = dense<1> : tensor<1x2x2xi8>}> : () -> tensor<1x2x2xi8>
  %zw = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-remark @+1 {{the zero point of its activations is not constant}}
  %y = tosa.matmul %x, %w, %zx, %zw : (tensor<1x5x2xi8>, tensor<1x2x2xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x5x2xi32>
  return %y : tensor<1x5x2xi32>
}
