// linalg ops as accumulating ops: what infer-accumulators reads through the
// interface. Ranges per input channel, 0..1 and 0..10, tell the terms apart.
// RUN: a2q-opt %s --a2q-infer-accumulators --split-input-file | FileCheck %s

// Filter 0: (1 + 20) * 1 + (1 + 2) * 10 = 51; filter 1: 4 * 1 + 23 * 10 = 234.
// Were the terms taken channel first, it would be 222 and 72.
// CHECK-LABEL: @hwcf
// CHECK: linalg.conv_2d_nhwc_hwcf
// CHECK-SAME: l1 = array<i64: 24, 27>
// CHECK-SAME: prefix_width = array<i64: 7, 9>
func.func @hwcf(%x: tensor<1x2x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<1x1x1x2xi32> {
  %w = arith.constant dense<[[[[1, 2], [1, 20]]], [[[20, 2], [2, 3]]]]> : tensor<2x1x2x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1x1x2xi32>
  %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<1x2x1x2xi8>, tensor<2x1x2x2xi8>) outs(%zero : tensor<1x1x1x2xi32>) -> tensor<1x1x1x2xi32>
  return %y : tensor<1x1x1x2xi32>
}

// -----

// The same filters in the other layout.
// CHECK-LABEL: @fhwc
// CHECK: linalg.conv_2d_nhwc_fhwc
// CHECK-SAME: l1 = array<i64: 24, 27>
// CHECK-SAME: prefix_width = array<i64: 7, 9>
func.func @fhwc(%x: tensor<1x2x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<1x1x1x2xi32> {
  %w = arith.constant dense<[[[[1, 1]], [[20, 2]]], [[[2, 20]], [[2, 3]]]]> : tensor<2x2x1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1x1x2xi32>
  %y = linalg.conv_2d_nhwc_fhwc ins(%x, %w : tensor<1x2x1x2xi8>, tensor<2x2x1x2xi8>) outs(%zero : tensor<1x1x1x2xi32>) -> tensor<1x1x1x2xi32>
  return %y : tensor<1x1x1x2xi32>
}

// -----

// Groups: channel 0 sums 1 and 3 of 0..1, channel 1 sums 2 and 4 of 0..10.
// CHECK-LABEL: @depthwise
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc
// CHECK-SAME: l1 = array<i64: 4, 6>
// CHECK-SAME: prefix_width = array<i64: 4, 7>
func.func @depthwise(%x: tensor<1x2x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<1x1x1x2xi32> {
  %w = arith.constant dense<[[[1, 2]], [[3, 4]]]> : tensor<2x1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1x1x2xi32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc ins(%x, %w : tensor<1x2x1x2xi8>, tensor<2x1x2xi8>) outs(%zero : tensor<1x1x1x2xi32>) -> tensor<1x1x1x2xi32>
  return %y : tensor<1x1x1x2xi32>
}

// -----

// Two filters per input channel: 6 and 8 of 0..1, 10 and 12 of 0..10.
// CHECK-LABEL: @multiplier
// CHECK: linalg.depthwise_conv_2d_nhwc_hwcm
// CHECK-SAME: l1 = array<i64: 6, 8, 10, 12>
// CHECK-SAME: prefix_width = array<i64: 4, 5, 8, 8>
func.func @multiplier(%x: tensor<1x2x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<1x1x1x2x2xi32> {
  %w = arith.constant dense<[[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]]> : tensor<2x1x2x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1x1x2x2xi32>
  %y = linalg.depthwise_conv_2d_nhwc_hwcm ins(%x, %w : tensor<1x2x1x2xi8>, tensor<2x1x2x2xi8>) outs(%zero : tensor<1x1x1x2x2xi32>) -> tensor<1x1x1x2x2xi32>
  return %y : tensor<1x1x1x2x2xi32>
}

// -----

// A column for each batch, row by row of the output.
// CHECK-LABEL: @batches
// CHECK: linalg.batch_matmul
// CHECK-SAME: l1 = array<i64: 4, 6, 12, 14>
// CHECK-SAME: prefix_width = array<i64: 6, 7, 8, 8>
func.func @batches(%x: tensor<2x1x2xi8> {a2q.range = {axis = 2, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<2x1x2xi32> {
  %w = arith.constant dense<[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]> : tensor<2x2x2xi8>
  %zero = arith.constant dense<0> : tensor<2x1x2xi32>
  %y = linalg.batch_matmul ins(%x, %w : tensor<2x1x2xi8>, tensor<2x2x2xi8>) outs(%zero : tensor<2x1x2xi32>) -> tensor<2x1x2xi32>
  return %y : tensor<2x1x2xi32>
}

// -----

// Rows of constant weights on the left: 1 + 20 and 3 + 40.
// CHECK-LABEL: @weights_first
// CHECK: linalg.matmul
// CHECK-SAME: l1 = array<i64: 3, 7>
// CHECK-SAME: prefix_width = array<i64: 6, 7>
func.func @weights_first(%x: tensor<2x9xi8> {a2q.range = {axis = 0, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<2x9xi32> {
  %w = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %zero = arith.constant dense<0> : tensor<2x9xi32>
  %y = linalg.matmul ins(%w, %x : tensor<2x2xi8>, tensor<2x9xi8>) outs(%zero : tensor<2x9xi32>) -> tensor<2x9xi32>
  return %y : tensor<2x9xi32>
}

// -----

// Weights are read as unsigned too: 255 * 255 * 2 is 17 bits and a sign.
// CHECK-LABEL: @unsigned
// CHECK: linalg.matmul
// CHECK-SAME: l1 = array<i64: 510>
// CHECK-SAME: prefix_width = array<i64: 18>
func.func @unsigned(%x: tensor<1x2xi8>) -> tensor<1x1xi32> {
  %w = arith.constant dense<-1> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.matmul {cast = #linalg.type_fn<cast_unsigned>} ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Weights 3 - 2 and -2 - 2, activations less -128: 0..255, 1020 downwards.
// CHECK-LABEL: @differences
// CHECK: linalg.quantized_matmul
// CHECK-SAME: neg = array<i64: 0, 4>
// CHECK-SAME: pos = array<i64: 1, 0>
// CHECK-SAME: prefix_width = array<i64: 9, 11>
func.func @differences(%x: tensor<1x1xi8>) -> tensor<1x2xi32> {
  %w = arith.constant dense<[[3, -2]]> : tensor<1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x2xi32>
  %zx = arith.constant -128 : i32
  %zw = arith.constant 2 : i32
  %y = linalg.quantized_matmul ins(%x, %w, %zx, %zw : tensor<1x1xi8>, tensor<1x2xi8>, i32, i32) outs(%zero : tensor<1x2xi32>) -> tensor<1x2xi32>
  return %y : tensor<1x2xi32>
}

// -----

// A generic convolution in another layout, filters [out][in][row]: no op has
// its name. The filter is (20 + 20) * 1 + (1 + 1) * 10 = 60,
// and would be 231 were a row taken for a channel.
#x = affine_map<(n, o, h, c, r) -> (n, c, h + r)>
#w = affine_map<(n, o, h, c, r) -> (o, c, r)>
#y = affine_map<(n, o, h, c, r) -> (n, o, h)>
// CHECK-LABEL: @generic
// CHECK: linalg.generic
// CHECK-SAME: l1 = array<i64: 42>
// CHECK-SAME: prefix_width = array<i64: 7>
func.func @generic(%x: tensor<1x2x5xi8> {a2q.range = {axis = 1, lo = array<i64: 0, 0>, hi = array<i64: 1, 10>}}) -> tensor<1x1x4xi32> {
  %w = arith.constant dense<[[[20, 20], [1, 1]]]> : tensor<1x2x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1x4xi32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x2x5xi8>, tensor<1x2x2xi8>) outs(%zero : tensor<1x1x4xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %0 = arith.extsi %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %c, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<1x1x4xi32>
  return %y : tensor<1x1x4xi32>
}
