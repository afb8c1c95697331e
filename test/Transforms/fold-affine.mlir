// RUN: a2q-opt %s -split-input-file --a2q-fold-affine --canonicalize | FileCheck %s
// RUN: a2q-opt %s -split-input-file --a2q-fold-affine -remarks-filter=a2q-fold.* 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// 2 * (x * [3, 5] + [1, 2]) - 1 in channel 0, -4 * (...) + 8 in channel 1.
// REMARK: factors and summands folded: 2
// CHECK-LABEL: @convolution
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[\[}}6.000000e+00]]], {{\[\[\[}}-2.000000e+01]]]]> : tensor<2x1x1x1xf32>}>
// CHECK-DAG: %[[B:.*]] = "tosa.const"() <{values = dense<[1.000000e+00, 0.000000e+00]> : tensor<2xf32>}>
// CHECK: %[[Y:.*]] = tosa.conv2d %{{.*}}, %[[W]], %[[B]]
// CHECK-NEXT: return %[[Y]]
func.func @convolution(%x: tensor<1x4x4x1xf32>) -> tensor<1x4x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w = "tosa.const"() {values = dense<[[[[3.0]]], [[[5.0]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %b = "tosa.const"() {values = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %f = "tosa.const"() {values = dense<[[[[2.0, -4.0]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %d = "tosa.const"() {values = dense<[[[[1.0, -8.0]]]]> : tensor<1x1x1x2xf32>} : () -> tensor<1x1x1x2xf32>
  %y = tosa.conv2d %x, %w, %b, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %m = tosa.mul %y, %f, %s : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x4x2xf32>
  %a = tosa.sub %m, %d : (tensor<1x4x4x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x4x4x2xf32>
  return %a : tensor<1x4x4x2xf32>
}

// -----

// Behind a reshape; a product that had no bias gets one: 3 - x * [1, 2] * 5.
// CHECK-LABEL: @product
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<{{\[\[\[}}-5.000000e+00, -1.000000e+01]]]> : tensor<1x1x2xf32>}>
// CHECK-DAG: %[[B:.*]] = "tosa.const"() <{values = dense<3.000000e+00> : tensor<1x1x2xf32>}>
// CHECK: %[[M:.*]] = tosa.matmul %{{.*}}, %[[W]]
// CHECK: %[[Y:.*]] = tosa.add %[[M]], %[[B]]
// CHECK: %[[R:.*]] = tosa.reshape %[[Y]]
// CHECK-NEXT: return %[[R]]
func.func @product(%x: tensor<1x4x1xf32>) -> tensor<4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w = "tosa.const"() {values = dense<[[[1.0, 2.0]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %f = "tosa.const"() {values = dense<5.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %d = "tosa.const"() {values = dense<3.0> : tensor<1x1xf32>} : () -> tensor<1x1xf32>
  %shape = tosa.const_shape {values = dense<[4, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %y = tosa.matmul %x, %w, %z, %z : (tensor<1x4x1xf32>, tensor<1x1x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %r = tosa.reshape %y, %shape : (tensor<1x4x2xf32>, !tosa.shape<2>) -> tensor<4x2xf32>
  %m = tosa.mul %f, %r, %s : (tensor<1x1xf32>, tensor<4x2xf32>, tensor<1xi8>) -> tensor<4x2xf32>
  %a = tosa.sub %d, %m : (tensor<1x1xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  return %a : tensor<4x2xf32>
}

// -----

// Two layers share their weights; the second keeps them.
// CHECK-LABEL: @shared
// CHECK-DAG: %[[W:.*]] = "tosa.const"() <{values = dense<1.000000e+00> : tensor<1x2x2xf32>}>
// CHECK-DAG: %[[DOUBLE:.*]] = "tosa.const"() <{values = dense<2.000000e+00> : tensor<1x2x2xf32>}>
// CHECK: %[[Y:.*]] = tosa.matmul %{{.*}}, %[[DOUBLE]]
// CHECK: tosa.matmul %[[Y]], %[[W]]
func.func @shared(%x: tensor<1x4x2xf32>) -> tensor<1x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w = "tosa.const"() {values = dense<1.0> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %f = "tosa.const"() {values = dense<2.0> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %y = tosa.matmul %x, %w, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %m = tosa.mul %y, %f, %s : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  %a = tosa.matmul %m, %w, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  return %a : tensor<1x4x2xf32>
}

// -----

// The sums have another reader.
// CHECK-LABEL: @read_twice
// CHECK: tosa.matmul
// CHECK: tosa.mul
func.func @read_twice(%x: tensor<1x4x2xf32>) -> (tensor<1x4x2xf32>, tensor<1x4x2xf32>) {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w = "tosa.const"() {values = dense<1.0> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %f = "tosa.const"() {values = dense<2.0> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %y = tosa.matmul %x, %w, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %m = tosa.mul %y, %f, %s : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  return %m, %y : tensor<1x4x2xf32>, tensor<1x4x2xf32>
}

// -----

// A number for each row is none for each channel.
// CHECK-LABEL: @rows
// CHECK: tosa.matmul
// CHECK: tosa.mul
func.func @rows(%x: tensor<1x4x2xf32>) -> tensor<1x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w = "tosa.const"() {values = dense<1.0> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %f = "tosa.const"() {values = dense<[[[2.0], [3.0], [4.0], [5.0]]]> : tensor<1x4x1xf32>} : () -> tensor<1x4x1xf32>
  %y = tosa.matmul %x, %w, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %m = tosa.mul %y, %f, %s : (tensor<1x4x2xf32>, tensor<1x4x1xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  return %m : tensor<1x4x2xf32>
}

// -----

// REMARK: not folded: the weights or the bias of channel 1 would not be finite
// CHECK-LABEL: @too_large
// CHECK: tosa.matmul
// CHECK: tosa.mul
func.func @too_large(%x: tensor<1x4x2xf32>) -> tensor<1x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w = "tosa.const"() {values = dense<1.0e+20> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %f = "tosa.const"() {values = dense<[[[1.0, 1.0e+20]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %y = tosa.matmul %x, %w, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %m = tosa.mul %y, %f, %s : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  return %m : tensor<1x4x2xf32>
}
