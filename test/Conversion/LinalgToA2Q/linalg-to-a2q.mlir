// RUN: a2q-opt %s --convert-linalg-to-a2q --canonicalize | FileCheck %s

// Zero points: the weights take theirs (-1 - 2 = -3 and so on), that of the
// activations is a constant of each channel, 5 * (-3 + 1) = -10 off -5 * sum.
// CHECK-LABEL: @quantized_matmul
// CHECK-SAME: %[[X:.*]]: tensor<3x2xi8>
func.func @quantized_matmul(%x: tensor<3x2xi8>) -> tensor<3x4xi32> {
  %w = arith.constant dense<[[-1, 0, 1, 2], [3, 4, 5, 6]]> : tensor<2x4xi8>
  %xz = arith.constant 5 : i32
  %wz = arith.constant 2 : i32
  %z = arith.constant dense<0> : tensor<3x4xi32>
  // CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[}}-3, 1], [-2, 2], [-1, 3], [0, 4]]> : tensor<4x2xi8>
  // CHECK-DAG: %[[B:.*]] = arith.constant dense<[10, 0, -10, -20]> : tensor<4xi32>
  // CHECK-DAG: %[[XC:.*]] = quant.scast %[[X]] : tensor<3x2xi8> to tensor<3x2x!quant.uniform<i8:f32, 1.000000e+00:5>>
  // CHECK-DAG: %[[WC:.*]] = quant.scast %[[W]] : tensor<4x2xi8> to tensor<4x2x!quant.uniform<i8<-128:125>:f32, 1.000000e+00>>
  // CHECK: %[[Y:.*]] = a2q.matmul %[[XC]], %[[WC]]
  // CHECK: %[[D:.*]] = a2q.decode %[[Y]]
  // CHECK: linalg.generic {{.*}} ins(%[[D]], %[[B]] : tensor<3x4xi32>, tensor<4xi32>)
  %y = linalg.quantized_matmul ins(%x, %w, %xz, %wz : tensor<3x2xi8>, tensor<2x4xi8>, i32, i32) outs(%z : tensor<3x4xi32>) -> tensor<3x4xi32>
  return %y : tensor<3x4xi32>
}

// Channels first, as PyTorch has them: transposed on the way in and out. The pad
// of the zero point is the convolution's own, the initial value comes behind.
// CHECK-LABEL: @nchw
func.func @nchw(%x: tensor<1x3x4x4xi8>, %init: tensor<1x2x3x4xi32>) -> tensor<1x2x3x4xi32> {
  %w = arith.constant dense<1> : tensor<2x3x3x1xi8>
  %zero = arith.constant 0 : i8
  %p = tensor.pad %x low[0, 0, 1, 0] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : i8
  } : tensor<1x3x4x4xi8> to tensor<1x3x5x4xi8>
  // CHECK: %[[T:.*]] = linalg.transpose ins(%{{.*}} : tensor<1x3x4x4xi8>) outs(%{{.*}} : tensor<1x4x4x3xi8>) permutation = [0, 2, 3, 1]
  // CHECK: %[[C:.*]] = quant.scast %[[T]]
  // CHECK: a2q.conv_2d %[[C]], %{{.*}} padding [1, 0, 0, 0]
  // CHECK: %[[R:.*]] = linalg.transpose ins(%{{.*}} : tensor<1x3x4x2xi32>) {{.*}} permutation = [0, 3, 1, 2]
  // CHECK: arith.addi %[[R]], %{{.*}} : tensor<1x2x3x4xi32>
  %y = linalg.conv_2d_nchw_fchw {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<1x3x5x4xi8>, tensor<2x3x3x1xi8>) outs(%init : tensor<1x2x3x4xi32>) -> tensor<1x2x3x4xi32>
  return %y : tensor<1x2x3x4xi32>
}

// Codes that were extended before: what they are follows from their range, and
// the extended weights are a constant. This is how integers of PyTorch arrive.
// CHECK-LABEL: @extended
// CHECK-SAME: %[[X:.*]]: tensor<4x3xi8>
func.func @extended(%x: tensor<4x3xi8>) -> tensor<4x2xi64> {
  %c = arith.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  %e = tensor.empty() : tensor<4x3xi32>
  %f = tensor.empty() : tensor<2x3xi32>
  %g = tensor.empty() : tensor<3x2xi32>
  %z = arith.constant dense<0> : tensor<4x2xi64>
  %xw = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x3xi8>) outs(%e : tensor<4x3xi32>) {
  ^bb0(%in: i8, %out: i32):
    %0 = arith.extsi %in : i8 to i32
    linalg.yield %0 : i32
  } -> tensor<4x3xi32>
  %cw = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<2x3xi8>) outs(%f : tensor<2x3xi32>) {
  ^bb0(%in: i8, %out: i32):
    %0 = arith.extsi %in : i8 to i32
    linalg.yield %0 : i32
  } -> tensor<2x3xi32>
  %t = linalg.transpose ins(%cw : tensor<2x3xi32>) outs(%g : tensor<3x2xi32>) permutation = [1, 0]
  // CHECK: arith.constant dense<{{\[\[}}1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>
  // CHECK: arith.trunci %{{.*}} : tensor<4x3xi32> to tensor<4x3xi8>
  // CHECK: a2q.matmul
  // CHECK: a2q.decode {{.*}} to tensor<4x2xi64>
  %y = linalg.matmul ins(%xw, %t : tensor<4x3xi32>, tensor<3x2xi32>) outs(%z : tensor<4x2xi64>) -> tensor<4x2xi64>
  return %y : tensor<4x2xi64>
}

// Channels that activations, weights and result share are groups.
// CHECK-LABEL: @depthwise
func.func @depthwise(%x: tensor<1x4x4x3xi8>) -> tensor<1x3x3x3xi32> {
  %w = arith.constant dense<1> : tensor<2x2x3xi8>
  %z = arith.constant dense<0> : tensor<1x3x3x3xi32>
  // CHECK: a2q.conv_2d {{.*}} groups 3 {{.*}} tensor<3x2x2x1x!quant.uniform<i8:f32, 1.000000e+00>>
  %y = linalg.depthwise_conv_2d_nhwc_hwc {dilations = dense<1> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<1x4x4x3xi8>, tensor<2x2x3xi8>) outs(%z : tensor<1x3x3x3xi32>) -> tensor<1x3x3x3xi32>
  return %y : tensor<1x3x3x3xi32>
}
