// RUN: a2q-opt %s --convert-tosa-to-a2q --canonicalize | FileCheck %s

// Codes of scale 1 with TOSA's zero point, which is also what the op pads with;
// the correction for it is in the bias: 7 - (-2) * (1 + 2 + 3) = 19 and
// 7 - (-2) * (-1 - 2 - 3) = -5. The clamp is the range of the result.
// CHECK-LABEL: @layer
// CHECK-SAME: %[[X:.*]]: tensor<1x4x4x3xi8>
func.func @layer(%x: tensor<1x4x4x3xi8>) -> tensor<1x4x3x2xi8> {
  %w = "tosa.const"() {values = dense<[[[[1, 2, 3]]], [[[-1, -2, -3]]]]> : tensor<2x1x1x3xi8>} : () -> tensor<2x1x1x3xi8>
  %b = "tosa.const"() {values = dense<7> : tensor<2xi32>} : () -> tensor<2xi32>
  %xz = "tosa.const"() {values = dense<-2> : tensor<1xi8>} : () -> tensor<1xi8>
  %wz = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK-DAG: %[[W:.*]] = arith.constant dense<{{.*}}1, 2, 3{{.*}}> : tensor<2x1x1x3xi8>
  // CHECK-DAG: %[[WC:.*]] = quant.scast %[[W]] : tensor<2x1x1x3xi8> to tensor<2x1x1x3x!quant.uniform<i8:f32, 1.000000e+00>>
  // CHECK-DAG: %[[XC:.*]] = quant.scast %[[X]] : tensor<1x4x4x3xi8> to tensor<1x4x4x3x!quant.uniform<i8:f32, 1.000000e+00:-2>>
  // CHECK: %[[Y:.*]] = a2q.conv_2d %[[XC]], %[[WC]] strides [1, 2] padding [0, 1, 0, 0]
  // CHECK-SAME: tensor<1x4x3x2x!a2q.acc<32>>
  %y = tosa.conv2d %x, %w, %b, %xz, %wz {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 1, 0>, stride = array<i64: 1, 2>}
      : (tensor<1x4x4x3xi8>, tensor<2x1x1x3xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x3x2xi32>
  %m = "tosa.const"() {values = dense<[1073741824, 2000000000]> : tensor<2xi32>} : () -> tensor<2xi32>
  %h = "tosa.const"() {values = dense<[33, 40]> : tensor<2xi8>} : () -> tensor<2xi8>
  %iz = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %oz = "tosa.const"() {values = dense<-20> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: %[[Q:.*]] = a2q.requantize %[[Y]] multiplier dense<[1073741824, 2000000000]> : tensor<2xi32>
  // CHECK-SAME: shift dense<[33, 40]> : tensor<2xi8> bias dense<[19, -5]> : tensor<2xi32> rounding double
  // CHECK-SAME: to tensor<1x4x3x2x!quant.uniform<i8<-20:90>:f32, 1.000000e+00:-20>>
  %q = tosa.rescale %y, %m, %h, %iz, %oz {input_unsigned = false, output_unsigned = false, per_channel = true, rounding_mode = DOUBLE_ROUND, scale32 = true}
      : (tensor<1x4x3x2xi32>, tensor<2xi32>, tensor<2xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x3x2xi8>
  // CHECK: quant.scast %[[Q]]
  // CHECK-NOT: tosa.clamp
  %c = tosa.clamp %q {max_val = 90 : i8, min_val = -20 : i8} : (tensor<1x4x3x2xi8>) -> tensor<1x4x3x2xi8>
  return %c : tensor<1x4x3x2xi8>
}

// Depthwise weights [kh, kw, in, multiplier] become filters of one input channel,
// looked for behind a reshape. Sums that are returned are integers again.
// CHECK-LABEL: @depthwise
func.func @depthwise(%x: tensor<?x3x3x2xi8>) -> tensor<?x3x2x4xi32> {
  %c = "tosa.const"() {values = dense<[[1, 2, 3, 4], [5, 6, 7, 8]]> : tensor<2x4xi8>} : () -> tensor<2x4xi8>
  %s = tosa.const_shape {values = dense<[1, 2, 2, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %w = tosa.reshape %c, %s : (tensor<2x4xi8>, !tosa.shape<4>) -> tensor<1x2x2x2xi8>
  %b = "tosa.const"() {values = dense<[1, 2, 3, 4]> : tensor<4xi32>} : () -> tensor<4xi32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: arith.constant dense<{{\[\[\[\[}}1], [5]]], {{\[\[\[}}2], [6]]], {{\[\[\[}}3], [7]]], {{\[\[\[}}4], [8]]]]> : tensor<4x1x2x1xi8>
  // CHECK: %[[Y:.*]] = a2q.conv_2d {{.*}} groups 2
  // CHECK: %[[D:.*]] = a2q.decode %[[Y]] : tensor<?x3x2x4x!a2q.acc<32>> to tensor<?x3x2x4xi32>
  // CHECK: linalg.generic {{.*}} ins(%[[D]], %{{.*}} : tensor<?x3x2x4xi32>, tensor<4xi32>)
  // CHECK: arith.addi
  %y = tosa.depthwise_conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>}
      : (tensor<?x3x3x2xi8>, tensor<1x2x2x2xi8>, tensor<4xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<?x3x2x4xi32>
  return %y : tensor<?x3x2x4xi32>
}

// Products of two activations; without zero points there is nothing to correct.
// CHECK-LABEL: @product
func.func @product(%a: tensor<2x3x4xi8>, %b: tensor<2x4x5xi8>) -> tensor<2x3x5xi32> {
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: %[[T:.*]] = linalg.transpose ins(%{{.*}} : tensor<2x4x5xi8>) {{.*}} permutation = [0, 2, 1]
  // CHECK: %[[B:.*]] = quant.scast %[[T]]
  // CHECK: %[[Y:.*]] = a2q.matmul %{{.*}}, %[[B]] : {{.*}} -> tensor<2x3x5x!a2q.acc<32>>
  // CHECK-NEXT: %[[D:.*]] = a2q.decode %[[Y]]
  // CHECK-NEXT: return %[[D]]
  %y = tosa.matmul %a, %b, %z, %z : (tensor<2x3x4xi8>, tensor<2x4x5xi8>, tensor<1xi8>, tensor<1xi8>) -> tensor<2x3x5xi32>
  return %y : tensor<2x3x5xi32>
}

// A stride of 2 in both dimensions: four phases of two channels each, one position
// more than the image has; kernels of 3 have 2 taps in a phase, the last with 0.
// CHECK-LABEL: @transposed
func.func @transposed(%x: tensor<1x2x2x1xi8>) -> tensor<1x5x5x2xi32> {
  %w = "tosa.const"() {values = dense<1> : tensor<2x3x3x1xi8>} : () -> tensor<2x3x3x1xi8>
  %b = "tosa.const"() {values = dense<0> : tensor<1xi32>} : () -> tensor<1xi32>
  %z = "tosa.const"() {values = dense<0> : tensor<1xi8>} : () -> tensor<1xi8>
  // CHECK: arith.constant dense<{{.*}}> : tensor<8x2x2x1xi8>
  // CHECK: a2q.conv_2d {{.*}} padding [1, 1, 1, 1] {{.*}} -> tensor<1x3x3x8x!a2q.acc<32>>
  // CHECK: linalg.transpose {{.*}} permutation = [0, 1, 3, 2, 4, 5]
  // CHECK: tensor.extract_slice {{.*}} tensor<1x6x6x2xi32> to tensor<1x5x5x2xi32>
  %y = tosa.transpose_conv2d %x, %w, %b, %z, %z {acc_type = i32, out_pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>}
      : (tensor<1x2x2x1xi8>, tensor<2x3x3x1xi8>, tensor<1xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x5x5x2xi32>
  return %y : tensor<1x5x5x2xi32>
}

// Float layers are none of this pass's business.
// CHECK-LABEL: @float
func.func @float(%a: tensor<2x3x4xf32>, %b: tensor<2x4x5xf32>) -> tensor<2x3x5xf32> {
  %z = "tosa.const"() {values = dense<0.0> : tensor<1xf32>} : () -> tensor<1xf32>
  // CHECK: tosa.matmul
  %y = tosa.matmul %a, %b, %z, %z : (tensor<2x3x4xf32>, tensor<2x4x5xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<2x3x5xf32>
  return %y : tensor<2x3x5xf32>
}
