// RUN: a2q-opt %s -split-input-file --a2q-equalize --canonicalize | FileCheck %s
// RUN: a2q-opt %s -split-input-file --a2q-equalize -remarks-filter=a2q-equalize.* 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Channel 0: r1 = 8, r2 = 2, so s = 2; channel 1: r1 = 1, r2 = 4, s = 1/2. The
// bias is divided with the weights. Channel 2 is read by zeros and stays.
// REMARK: equalized with 1 layer
// REMARK: not equalized: func.return reads it
// CHECK-LABEL: @relu
// CHECK-DAG: dense<{{\[\[\[}}4.000000e+00, 2.000000e+00, 7.000000e+00], [1.000000e+00, -2.000000e+00, 7.000000e+00]]]> : tensor<1x2x3xf32>
// CHECK-DAG: dense<{{\[\[\[}}5.000000e-01, 2.000000e+00, 1.000000e+00]]]> : tensor<1x1x3xf32>
// CHECK-DAG: dense<{{\[\[\[}}2.000000e+00, 4.000000e+00], [1.000000e+00, 2.000000e+00], [0.000000e+00, 0.000000e+00]]]> : tensor<1x3x2xf32>
func.func @relu(%x: tensor<1x4x2xf32>) -> tensor<1x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w1 = "tosa.const"() {values = dense<[[[8.0, 1.0, 7.0], [2.0, -1.0, 7.0]]]> : tensor<1x2x3xf32>} : () -> tensor<1x2x3xf32>
  %b1 = "tosa.const"() {values = dense<1.0> : tensor<1x1x3xf32>} : () -> tensor<1x1x3xf32>
  %w2 = "tosa.const"() {values = dense<[[[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]]]> : tensor<1x3x2xf32>} : () -> tensor<1x3x2xf32>
  %m = tosa.matmul %x, %w1, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x3xf32>
  %a = tosa.add %m, %b1 : (tensor<1x4x3xf32>, tensor<1x1x3xf32>) -> tensor<1x4x3xf32>
  %r = tosa.clamp %a {min_val = 0.0 : f32, max_val = 0x7F800000 : f32} : (tensor<1x4x3xf32>) -> tensor<1x4x3xf32>
  %y = tosa.matmul %r, %w2, %z, %z : (tensor<1x4x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  return %y : tensor<1x4x2xf32>
}

// -----

// A leaky Relu of two readers, then a flattened image: column k is channel
// k mod 2. r1 = [16, 1] and r2 = [1, 4]: s = [4, 1/2].
// REMARK: equalized with 1 layer
// CHECK-LABEL: @flattened
// CHECK-DAG: dense<{{\[\[\[\[}}4.000000e+00]]], {{\[\[\[}}2.000000e+00]]]]> : tensor<2x1x1x1xf32>
// CHECK-DAG: dense<{{\[\[\[}}2.000000e+00], [2.000000e+00], [4.000000e+00], [5.000000e-01]]]> : tensor<1x4x1xf32>
func.func @flattened(%x: tensor<1x1x2x1xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %s = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  %w1 = "tosa.const"() {values = dense<[[[[16.0]]], [[[1.0]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %b1 = "tosa.const"() {values = dense<0.0> : tensor<2xf32>} : () -> tensor<2xf32>
  %alpha = "tosa.const"() {values = dense<0.1> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %w2 = "tosa.const"() {values = dense<[[[0.5], [4.0], [1.0], [1.0]]]> : tensor<1x4x1xf32>} : () -> tensor<1x4x1xf32>
  %shape = tosa.const_shape {values = dense<[1, 1, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %c = tosa.conv2d %x, %w1, %b1, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x1x2x1xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2x2xf32>
  %m = tosa.mul %c, %alpha, %s : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>, tensor<1xi8>) -> tensor<1x1x2x2xf32>
  %l = tosa.maximum %c, %m : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  %f = tosa.reshape %l, %shape : (tensor<1x1x2x2xf32>, !tosa.shape<3>) -> tensor<1x1x4xf32>
  %y = tosa.matmul %f, %w2, %z, %z : (tensor<1x1x4xf32>, tensor<1x4x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %y : tensor<1x1x1xf32>
}

// -----

// A depthwise layer in the middle is in two pairs: all three ranges of its
// channel become the third root of 64 * 1 * 1.
// REMARK: equalized with 1 layer
// REMARK: equalized with 1 layer
// CHECK-LABEL: @depthwise
// CHECK-DAG: %[[FIRST:.*]] = "tosa.const"() <{values = dense<4.000{{[0-9]*}}> : tensor<1x1x1x1xf32>}>
// CHECK-DAG: %[[REST:.*]] = "tosa.const"() <{values = dense<3.999{{[0-9]*}}> : tensor<1x1x1x1xf32>}>
// CHECK: tosa.conv2d %{{.*}}, %[[FIRST]],
// CHECK: tosa.depthwise_conv2d %{{.*}}, %[[REST]],
// CHECK: tosa.conv2d %{{.*}}, %[[REST]],
func.func @depthwise(%x: tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %big = "tosa.const"() {values = dense<64.0> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %one = "tosa.const"() {values = dense<1.0> : tensor<1x1x1x1xf32>} : () -> tensor<1x1x1x1xf32>
  %c = tosa.conv2d %x, %big, %z, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x1xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x1xf32>
  %d = tosa.depthwise_conv2d %c, %one, %z, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x1xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x1xf32>
  %y = tosa.conv2d %d, %one, %z, %z, %z {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x2x2x1xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x1xf32>
  return %y : tensor<1x2x2x1xf32>
}

// -----

// What does not scale: a Relu6, a residual sum, a result.
// REMARK: not equalized: tosa.clamp does not scale with it
// REMARK: not equalized: tosa.add does not scale with it
// CHECK-LABEL: @refused
// CHECK-DAG: dense<8.000000e+00> : tensor<1x2x2xf32>
// CHECK-DAG: dense<1.000000e+00> : tensor<1x2x2xf32>
func.func @refused(%x: tensor<1x4x2xf32>) -> tensor<1x4x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w1 = "tosa.const"() {values = dense<8.0> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %w2 = "tosa.const"() {values = dense<1.0> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %m = tosa.matmul %x, %w1, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %r = tosa.clamp %m {min_val = 0.0 : f32, max_val = 6.0 : f32} : (tensor<1x4x2xf32>) -> tensor<1x4x2xf32>
  %y = tosa.matmul %r, %w2, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %sum = tosa.add %y, %x : (tensor<1x4x2xf32>, tensor<1x4x2xf32>) -> tensor<1x4x2xf32>
  %last = tosa.matmul %sum, %w2, %z, %z : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  return %last : tensor<1x4x2xf32>
}

// -----

// A type without the last size hides whose channel an element is: the largest of
// four elements are of both channels here.
// REMARK: not equalized: tosa.reshape does not scale with it
// REMARK: not equalized: func.return reads it
// CHECK-LABEL: @dynamic
// CHECK-DAG: dense<{{\[\[\[}}8.000000e+00, 1.000000e+00]]]>
// CHECK-DAG: dense<{{\[\[\[}}1.000000e+00, 2.000000e+00], [2.000000e+00, 4.000000e+00]]]>
func.func @dynamic(%x: tensor<1x4x1xf32>) -> tensor<1x1x2xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %w1 = "tosa.const"() {values = dense<[[[8.0, 1.0]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %w2 = "tosa.const"() {values = dense<[[[1.0, 2.0], [2.0, 4.0]]]> : tensor<1x2x2xf32>} : () -> tensor<1x2x2xf32>
  %s = tosa.const_shape {values = dense<[2, 4, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %t = tosa.const_shape {values = dense<[1, 1, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %m = tosa.matmul %x, %w1, %z, %z : (tensor<1x4x1xf32>, tensor<1x1x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %f = tosa.reshape %m, %s : (tensor<1x4x2xf32>, !tosa.shape<3>) -> tensor<?x?x?xf32>
  %r = tosa.reduce_max %f {axis = 1 : i32} : (tensor<?x?x?xf32>) -> tensor<?x1x?xf32>
  %p = tosa.reshape %r, %t : (tensor<?x1x?xf32>, !tosa.shape<3>) -> tensor<1x1x2xf32>
  %y = tosa.matmul %p, %w2, %z, %z : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}
