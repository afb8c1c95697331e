// RUN: a2q-opt %s --a2q-narrow-linalg --split-input-file | FileCheck %s

// Activations -128..127 and l1 norm 256: the sum reaches -32768 and no further.
// CHECK-LABEL: @sixteen_bits
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xi8>)
// CHECK: %[[ZERO:.*]] = arith.constant dense<0> : tensor<2x1xi16>
// CHECK: %[[Y:.*]] = linalg.matmul ins(%[[X]], %{{.*}} : tensor<2x3xi8>, tensor<3x1xi8>) outs(%[[ZERO]] : tensor<2x1xi16>) -> tensor<2x1xi16>
// CHECK: %[[WIDE:.*]] = arith.extsi %[[Y]] : tensor<2x1xi16> to tensor<2x1xi32>
// CHECK: return %[[WIDE]]
func.func @sixteen_bits(%x: tensor<2x3xi8>) -> tensor<2x1xi32> {
  %w = arith.constant dense<[[127], [127], [2]]> : tensor<3x1xi8>
  %zero = arith.constant dense<0> : tensor<2x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<2x3xi8>, tensor<3x1xi8>) outs(%zero : tensor<2x1xi32>) -> tensor<2x1xi32>
  return %y : tensor<2x1xi32>
}

// -----

// One more: the sum reaches -32896, which is 17 bits.
// CHECK-LABEL: @seventeen_bits
// CHECK: linalg.matmul {{.*}} -> tensor<2x1xi32>
// CHECK-NOT: arith.extsi
func.func @seventeen_bits(%x: tensor<2x3xi8>) -> tensor<2x1xi32> {
  %w = arith.constant dense<[[127], [127], [3]]> : tensor<3x1xi8>
  %zero = arith.constant dense<0> : tensor<2x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<2x3xi8>, tensor<3x1xi8>) outs(%zero : tensor<2x1xi32>) -> tensor<2x1xi32>
  return %y : tensor<2x1xi32>
}

// -----

// The worst channel decides: the second one needs 17 bits.
// CHECK-LABEL: @worst_channel
// CHECK: linalg.matmul {{.*}} -> tensor<2x2xi32>
func.func @worst_channel(%x: tensor<2x3xi8>) -> tensor<2x2xi32> {
  %w = arith.constant dense<[[127, -127], [127, -127], [2, -3]]> : tensor<3x2xi8>
  %zero = arith.constant dense<0> : tensor<2x2xi32>
  %y = linalg.matmul ins(%x, %w : tensor<2x3xi8>, tensor<3x2xi8>) outs(%zero : tensor<2x2xi32>) -> tensor<2x2xi32>
  return %y : tensor<2x2xi32>
}

// -----

// A final sum of 8 bits whose partial sums need 9: 127 - 127 is 0, but any
// prefix counts.
// CHECK-LABEL: @partial_sums
// CHECK: linalg.matmul {{.*}} -> tensor<1x1xi16>
func.func @partial_sums(%x: tensor<1x2xi8> {a2q.range = [127, 127]}) -> tensor<1x1xi32> {
  %w = arith.constant dense<[[2], [-2]]> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Ranges of arguments are trusted: 0..15 and l1 norm 8 give at most 120.
// CHECK-LABEL: @range
// CHECK: linalg.matmul {{.*}} -> tensor<?x1xi8>
func.func @range(%x: tensor<?x2xi8> {a2q.range = [0, 15]}, %zero: tensor<?x1xi32>) -> tensor<?x1xi32> {
  %w = arith.constant dense<[[4], [4]]> : tensor<2x1xi8>
  %c0 = arith.constant 0 : i32
  %fill = linalg.fill ins(%c0 : i32) outs(%zero : tensor<?x1xi32>) -> tensor<?x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<?x2xi8>, tensor<2x1xi8>) outs(%fill : tensor<?x1xi32>) -> tensor<?x1xi32>
  return %y : tensor<?x1xi32>
}

// -----

// l1 norm 9 gives 135.
// CHECK-LABEL: @range_too_wide
// CHECK: linalg.matmul {{.*}} -> tensor<1x1xi16>
func.func @range_too_wide(%x: tensor<1x2xi8> {a2q.range = [0, 15]}) -> tensor<1x1xi32> {
  %w = arith.constant dense<[[4], [5]]> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// A range per input channel: 100 * 1 + 1 * 27 = 127.
// CHECK-LABEL: @range_per_channel
// CHECK: linalg.matmul {{.*}} -> tensor<1x1xi8>
func.func @range_per_channel(%x: tensor<1x2xi8> {a2q.range = {axis = 1, lo = array<i64: 0, 0>, hi = array<i64: 100, 1>}}) -> tensor<1x1xi32> {
  %w = arith.constant dense<[[1], [27]]> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Fills stay fills, dynamic sizes included.
// CHECK-LABEL: @dynamic
// CHECK-SAME: (%{{.*}}: tensor<?x1xi8>, %[[N:.*]]: index)
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[N]]) : tensor<?x1xi8>
// CHECK: %[[ZERO:.*]] = arith.constant 0 : i8
// CHECK: %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : i8) outs(%[[EMPTY]] : tensor<?x1xi8>)
// CHECK: linalg.matmul {{.*}} outs(%[[FILL]] : tensor<?x1xi8>)
func.func @dynamic(%x: tensor<?x1xi8>, %n: index) -> tensor<?x1xi32> {
  %w = arith.constant dense<[[1]]> : tensor<1x1xi8>
  %c0 = arith.constant 0 : i32
  %empty = tensor.empty(%n) : tensor<?x1xi32>
  %fill = linalg.fill ins(%c0 : i32) outs(%empty : tensor<?x1xi32>) -> tensor<?x1xi32>
  %y = linalg.matmul ins(%x, %w : tensor<?x1xi8>, tensor<1x1xi8>) outs(%fill : tensor<?x1xi32>) -> tensor<?x1xi32>
  return %y : tensor<?x1xi32>
}

// -----

// The initial value is a term: 7 * 15 + 22 = 127 ...
// CHECK-LABEL: @initial
// CHECK: %[[INIT:.*]] = arith.trunci %{{.*}} : tensor<1x1xi32> to tensor<1x1xi8>
// CHECK: linalg.matmul {{.*}} outs(%[[INIT]] : tensor<1x1xi8>)
func.func @initial(%x: tensor<1x1xi8> {a2q.range = [0, 15]}, %c: tensor<1x1xi32> {a2q.range = [0, 22]}) -> tensor<1x1xi32> {
  %w = arith.constant dense<7> : tensor<1x1xi8>
  %y = linalg.matmul ins(%x, %w : tensor<1x1xi8>, tensor<1x1xi8>) outs(%c : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// ... and 7 * 15 + 23 = 128.
// CHECK-LABEL: @initial_too_wide
// CHECK: linalg.matmul {{.*}} -> tensor<1x1xi16>
func.func @initial_too_wide(%x: tensor<1x1xi8> {a2q.range = [0, 15]}, %c: tensor<1x1xi32> {a2q.range = [0, 23]}) -> tensor<1x1xi32> {
  %w = arith.constant dense<7> : tensor<1x1xi8>
  %y = linalg.matmul ins(%x, %w : tensor<1x1xi8>, tensor<1x1xi8>) outs(%c : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Unsigned activations: 255 * 128 = 32640 fits 16 bits, 255 * 129 does not.
// CHECK-LABEL: @unsigned
// CHECK: linalg.matmul {{.*}}cast = #linalg.type_fn<cast_unsigned>{{.*}} -> tensor<1x1xi16>
// CHECK: linalg.matmul {{.*}} -> tensor<1x1xi32>
func.func @unsigned(%x: tensor<1x2xi8>) -> (tensor<1x1xi32>, tensor<1x1xi32>) {
  %w = arith.constant dense<[[127], [1]]> : tensor<2x1xi8>
  %w2 = arith.constant dense<[[127], [2]]> : tensor<2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.matmul {cast = #linalg.type_fn<cast_unsigned>} ins(%x, %w : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  %z = linalg.matmul {cast = #linalg.type_fn<cast_unsigned>} ins(%x, %w2 : tensor<1x2xi8>, tensor<2x1xi8>) outs(%zero : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %y, %z : tensor<1x1xi32>, tensor<1x1xi32>
}

// -----

// Unsigned activations times signed weights: only a generic can say it.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
// CHECK-LABEL: @mixed
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1xi16>)
// CHECK-NEXT: ^bb0(%[[X:.*]]: i8, %[[W:.*]]: i8, %[[A:.*]]: i16):
// CHECK-NEXT: %[[XW:.*]] = arith.extui %[[X]] : i8 to i16
// CHECK-NEXT: %[[WW:.*]] = arith.extsi %[[W]] : i8 to i16
// CHECK-NEXT: %[[P:.*]] = arith.muli %[[XW]], %[[WW]] : i16
// CHECK-NEXT: %[[S:.*]] = arith.addi %[[A]], %[[P]] : i16
// CHECK-NEXT: linalg.yield %[[S]] : i16
func.func @mixed(%x: tensor<1x2xi8>) -> tensor<1x1xi32> {
  %w = arith.constant dense<[[-127, -1]]> : tensor<1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x2xi8>, tensor<1x2xi8>) outs(%zero : tensor<1x1xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %1, %0 : i32
    %3 = arith.addi %2, %c : i32
    linalg.yield %3 : i32
  } -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// 255 * 129 negative: 17 bits.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
// CHECK-LABEL: @mixed_too_wide
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x1xi32>)
func.func @mixed_too_wide(%x: tensor<1x2xi8>) -> tensor<1x1xi32> {
  %w = arith.constant dense<[[-127, -2]]> : tensor<1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1xi32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<1x2xi8>, tensor<1x2xi8>) outs(%zero : tensor<1x1xi32>) {
  ^bb0(%a: i8, %b: i8, %c: i32):
    %0 = arith.extui %a : i8 to i32
    %1 = arith.extsi %b : i8 to i32
    %2 = arith.muli %0, %1 : i32
    %3 = arith.addi %c, %2 : i32
    linalg.yield %3 : i32
  } -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

// Weights on the left: rows are the channels.
// CHECK-LABEL: @weights_first
// CHECK: linalg.matmul {{.*}} -> tensor<2x5xi16>
func.func @weights_first(%x: tensor<3x5xi8>) -> tensor<2x5xi32> {
  %w = arith.constant dense<[[127, 127, 2], [-1, -127, -127]]> : tensor<2x3xi8>
  %zero = arith.constant dense<0> : tensor<2x5xi32>
  %y = linalg.matmul ins(%w, %x : tensor<2x3xi8>, tensor<3x5xi8>) outs(%zero : tensor<2x5xi32>) -> tensor<2x5xi32>
  return %y : tensor<2x5xi32>
}

// -----

// Differences: x - 3 is in -131..124, times 1 in the first channel; the weight
// zero point 2 makes the second channel's weights 0.
// CHECK-LABEL: @quantized
// CHECK: linalg.quantized_matmul {{.*}} outs(%{{.*}} : tensor<1x2xi16>) -> tensor<1x2xi16>
// CHECK: linalg.quantized_matmul {{.*}} -> tensor<1x2xi8>
func.func @quantized(%x: tensor<1x1xi8>) -> (tensor<1x2xi32>, tensor<1x2xi32>) {
  %w = arith.constant dense<[[3, 2]]> : tensor<1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x2xi32>
  %zx = arith.constant 3 : i32
  %z0 = arith.constant 0 : i32
  %zw = arith.constant 2 : i32
  %y = linalg.quantized_matmul ins(%x, %w, %zx, %zw : tensor<1x1xi8>, tensor<1x2xi8>, i32, i32) outs(%zero : tensor<1x2xi32>) -> tensor<1x2xi32>
  %z = linalg.quantized_matmul ins(%x, %w, %z0, %zw : tensor<1x1xi8>, tensor<1x2xi8>, i32, i32) outs(%zero : tensor<1x2xi32>) -> tensor<1x2xi32>
  return %y, %z : tensor<1x2xi32>, tensor<1x2xi32>
}

// -----

// CHECK-LABEL: @others
// CHECK: linalg.batch_matmul {{.*}} -> tensor<2x1x1xi16>
// CHECK: linalg.quantized_batch_matmul {{.*}} -> tensor<2x1x1xi16>
// CHECK: linalg.contract {{.*}} -> tensor<1x1xi16>
func.func @others(%x: tensor<2x1x3xi8>, %z: tensor<1x3xi8>) -> (tensor<2x1x1xi32>, tensor<2x1x1xi32>, tensor<1x1xi32>) {
  %w = arith.constant dense<[[[1], [2], [3]], [[-127], [127], [-2]]]> : tensor<2x3x1xi8>
  %v = arith.constant dense<[[127, 127, 2]]> : tensor<1x3xi8>
  %zero = arith.constant dense<0> : tensor<2x1x1xi32>
  %zero2 = arith.constant dense<0> : tensor<1x1xi32>
  %c0 = arith.constant 0 : i32
  %a = linalg.batch_matmul ins(%x, %w : tensor<2x1x3xi8>, tensor<2x3x1xi8>) outs(%zero : tensor<2x1x1xi32>) -> tensor<2x1x1xi32>
  %b = linalg.quantized_batch_matmul ins(%x, %w, %c0, %c0 : tensor<2x1x3xi8>, tensor<2x3x1xi8>, i32, i32) outs(%zero : tensor<2x1x1xi32>) -> tensor<2x1x1xi32>
  %c = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%z, %v : tensor<1x3xi8>, tensor<1x3xi8>) outs(%zero2 : tensor<1x1xi32>) -> tensor<1x1xi32>
  return %a, %b, %c : tensor<2x1x1xi32>, tensor<2x1x1xi32>, tensor<1x1xi32>
}

// -----

// 2x1 kernels over 2 input channels, 2 filters; l1 norms 256 and 10.
// CHECK-LABEL: @convolutions
// CHECK: linalg.conv_2d_nhwc_hwcf {{.*}} -> tensor<1x2x3x2xi16>
// CHECK: linalg.conv_2d_nhwc_fhwc {{.*}} -> tensor<1x2x3x2xi16>
// CHECK: linalg.conv_2d_nhwc_hwcf_q {{.*}} -> tensor<1x2x3x2xi16>
// CHECK: linalg.conv_2d_nhwc_fhwc_q {{.*}} -> tensor<1x2x3x2xi16>
func.func @convolutions(%x: tensor<1x3x3x2xi8>) -> (tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>) {
  %hwcf = arith.constant dense<[[[[127, 1], [127, 2]]], [[[1, 3], [1, 4]]]]> : tensor<2x1x2x2xi8>
  %fhwc = arith.constant dense<[[[[127, 127]], [[1, 1]]], [[[1, 2]], [[3, 4]]]]> : tensor<2x2x1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x2x3x2xi32>
  %c0 = arith.constant 0 : i32
  %a = linalg.conv_2d_nhwc_hwcf ins(%x, %hwcf : tensor<1x3x3x2xi8>, tensor<2x1x2x2xi8>) outs(%zero : tensor<1x2x3x2xi32>) -> tensor<1x2x3x2xi32>
  %b = linalg.conv_2d_nhwc_fhwc ins(%x, %fhwc : tensor<1x3x3x2xi8>, tensor<2x2x1x2xi8>) outs(%zero : tensor<1x2x3x2xi32>) -> tensor<1x2x3x2xi32>
  %c = linalg.conv_2d_nhwc_hwcf_q ins(%x, %hwcf, %c0, %c0 : tensor<1x3x3x2xi8>, tensor<2x1x2x2xi8>, i32, i32) outs(%zero : tensor<1x2x3x2xi32>) -> tensor<1x2x3x2xi32>
  %d = linalg.conv_2d_nhwc_fhwc_q ins(%x, %fhwc, %c0, %c0 : tensor<1x3x3x2xi8>, tensor<2x2x1x2xi8>, i32, i32) outs(%zero : tensor<1x2x3x2xi32>) -> tensor<1x2x3x2xi32>
  return %a, %b, %c, %d : tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>
}

// -----

// Each channel is a sum of two products of its own input channel: were all four
// weights one sum, its l1 norm would be 258.
// CHECK-LABEL: @depthwise
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc {{.*}} -> tensor<1x2x3x2xi16>
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc_q {{.*}} -> tensor<1x2x3x2xi16>
// CHECK: linalg.depthwise_conv_2d_nhwc_hwcm {{.*}} -> tensor<1x2x3x2x1xi16>
// CHECK: linalg.depthwise_conv_2d_nhwc_hwcm_q {{.*}} -> tensor<1x2x3x2x1xi16>
func.func @depthwise(%x: tensor<1x3x3x2xi8>) -> (tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>, tensor<1x2x3x2x1xi32>, tensor<1x2x3x2x1xi32>) {
  %hwc = arith.constant dense<[[[127, 1]], [[127, 3]]]> : tensor<2x1x2xi8>
  %hwcm = arith.constant dense<[[[[127], [1]]], [[[127], [3]]]]> : tensor<2x1x2x1xi8>
  %zero = arith.constant dense<0> : tensor<1x2x3x2xi32>
  %zerom = arith.constant dense<0> : tensor<1x2x3x2x1xi32>
  %c0 = arith.constant 0 : i32
  %a = linalg.depthwise_conv_2d_nhwc_hwc ins(%x, %hwc : tensor<1x3x3x2xi8>, tensor<2x1x2xi8>) outs(%zero : tensor<1x2x3x2xi32>) -> tensor<1x2x3x2xi32>
  %b = linalg.depthwise_conv_2d_nhwc_hwc_q ins(%x, %hwc, %c0, %c0 : tensor<1x3x3x2xi8>, tensor<2x1x2xi8>, i32, i32) outs(%zero : tensor<1x2x3x2xi32>) -> tensor<1x2x3x2xi32>
  %c = linalg.depthwise_conv_2d_nhwc_hwcm ins(%x, %hwcm : tensor<1x3x3x2xi8>, tensor<2x1x2x1xi8>) outs(%zerom : tensor<1x2x3x2x1xi32>) -> tensor<1x2x3x2x1xi32>
  %d = linalg.depthwise_conv_2d_nhwc_hwcm_q ins(%x, %hwcm, %c0, %c0 : tensor<1x3x3x2xi8>, tensor<2x1x2x1xi8>, i32, i32) outs(%zerom : tensor<1x2x3x2x1xi32>) -> tensor<1x2x3x2x1xi32>
  return %a, %b, %c, %d : tensor<1x2x3x2xi32>, tensor<1x2x3x2xi32>, tensor<1x2x3x2x1xi32>, tensor<1x2x3x2x1xi32>
}

// -----

// A range per channel of a depthwise convolution: 1 * 127 and 127 * 1; crossed
// it would be 127 * 127.
// CHECK-LABEL: @depthwise_ranges
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc {{.*}} -> tensor<1x1x1x2xi8>
func.func @depthwise_ranges(%x: tensor<1x1x1x2xi8> {a2q.range = {axis = 3, lo = array<i64: 0, 0>, hi = array<i64: 1, 127>}}) -> tensor<1x1x1x2xi32> {
  %w = arith.constant dense<[[[127, 1]]]> : tensor<1x1x2xi8>
  %zero = arith.constant dense<0> : tensor<1x1x1x2xi32>
  %a = linalg.depthwise_conv_2d_nhwc_hwc ins(%x, %w : tensor<1x1x1x2xi8>, tensor<1x1x2xi8>) outs(%zero : tensor<1x1x1x2xi32>) -> tensor<1x1x1x2xi32>
  return %a : tensor<1x1x1x2xi32>
}
