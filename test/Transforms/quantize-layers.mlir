// RUN: a2q-opt %s -split-input-file -a2q-quantize-layers | FileCheck %s

// Weights of exact scales: 1/2 for channel 0 and 1/4 for channel 1, in 4 bits
// the largest is 7. The bias is in units of 0.5 * 0.5 and 0.5 * 0.25; channel 1
// has -0.5 / 0.125 = -4, and both lose z = 3 times the sum of the integers, 7
// and -8: 8 - 21 and -4 + 24.
!a = !quant.uniform<u8<0:15>:f32, 0.5:3>

// CHECK-LABEL: func @matmul(
// CHECK-SAME: %[[X:.*]]: tensor<1x2x3xf32>
// CHECK: %[[Q:.*]] = a2q.quantize %[[X]] : tensor<1x2x3xf32> to tensor<1x2x3x!quant.uniform<u8<0:15>:f32, 5.000000e-01:3>>
// CHECK: %[[C:.*]] = arith.constant dense<{{\[\[}}7, -1, 1], [-7, -1, 0]]> : tensor<2x3xi8>
// CHECK: %[[S:.*]] = quant.scast %[[C]] {{.*}} to tensor<2x3x!quant.uniform<i8<-7:7>:f32:0, {5.000000e-01,2.500000e-01}>>
// CHECK: %[[Y:.*]] = a2q.matmul %[[Q]], %[[S]] {a2q.constrain = {skip}} : {{.*}} -> tensor<1x2x2x!a2q.acc<32>>
// CHECK: %[[D:.*]] = a2q.decode %[[Y]] : tensor<1x2x2x!a2q.acc<32>> to tensor<1x2x2xi32>
// CHECK: %[[B:.*]] = arith.constant dense<[-13, 20]> : tensor<2xi32>
// CHECK: %[[M:.*]] = arith.constant dense<[2.500000e-01, 1.250000e-01]> : tensor<2xf32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[D]], %[[B]], %[[M]]
// CHECK: arith.addi
// CHECK: arith.sitofp
// CHECK: arith.mulf
// CHECK-NOT: tosa
func.func @matmul(%x: tensor<1x2x3xf32>) -> tensor<1x2x2xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[3.5, -1.75], [-0.5, -0.25], [0.5, 0.0]]]> : tensor<1x3x2xf32>}> : () -> tensor<1x3x2xf32>
  %b = "tosa.const"() <{values = dense<[[[2.0, -0.5]]]> : tensor<1x1x2xf32>}> : () -> tensor<1x1x2xf32>
  %m = tosa.matmul %x, %w, %z, %z {a2q.activation = !a, a2q.weight_bits = 4 : i64, a2q.constrain = {skip}}
    : (tensor<1x2x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2xf32>
  %y = tosa.add %m, %b : (tensor<1x2x2xf32>, tensor<1x1x2xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// -----

// Between two layers nothing wants reals: codes pool and move, and the relu is
// where the codes of the second layer begin, at the zero point 3.
!a = !quant.uniform<u8:f32, 0.5>
!b = !quant.uniform<u8<0:15>:f32, 0.25:3>

// CHECK-LABEL: func @between(
// CHECK: %[[S:.*]] = a2q.conv_2d {{.*}} strides [1, 2] padding [1, 2, 0, 0]
// CHECK-NOT: dilations
// The multiplier is 0.5 * 0.5 / 0.25.
// CHECK: %[[R:.*]] = a2q.requantize %[[S]] multiplier dense<1.000000e+00> : tensor<1xf32> bias dense<4> : tensor<1xi32> : {{.*}} to tensor<1x4x4x1x!quant.uniform<u8<3:15>:f32, 2.500000e-01:3>>
// CHECK: %[[C:.*]] = quant.scast %[[R]] : tensor<1x4x4x1x!quant.uniform<u8<3:15>:f32, 2.500000e-01:3>> to tensor<1x4x4x1xi8>
// CHECK: %[[P:.*]] = tensor.pad %[[C]] low[0, 1, 0, 0] high[0, 1, 0, 0]
// CHECK: %[[LOWEST:.*]] = arith.constant 3 : i8
// CHECK: %[[I:.*]] = linalg.fill ins(%[[LOWEST]] : i8)
// CHECK: %[[M:.*]] = linalg.pooling_nhwc_max_unsigned {{.*}} ins(%[[P]], {{.*}} outs(%[[I]]
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[M]] : tensor<1x3x2x1xi8>) {{.*}} permutation = [0, 3, 1, 2]
// CHECK: %[[F:.*]] = tensor.collapse_shape %[[T]] {{.*}} : tensor<1x1x3x2xi8> into tensor<1x1x6xi8>
// CHECK: %[[Q:.*]] = quant.scast %[[F]] : tensor<1x1x6xi8> to tensor<1x1x6x!quant.uniform<u8<3:15>:f32, 2.500000e-01:3>>
// CHECK: a2q.matmul %[[Q]]
// CHECK-NOT: tosa
func.func @between(%x: tensor<1x4x6x1xf32>) -> tensor<1x1x1xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w1 = "tosa.const"() <{values = dense<[[[[0.5], [63.5]], [[-63.5], [-0.5]]]]> : tensor<1x2x2x1xf32>}> : () -> tensor<1x2x2x1xf32>
  %b1 = "tosa.const"() <{values = dense<1.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w2 = "tosa.const"() <{values = dense<1.0> : tensor<1x6x1xf32>}> : () -> tensor<1x6x1xf32>
  %y = tosa.conv2d %x, %w1, %b1, %z, %z {a2q.activation = !a, acc_type = f32,
      pad = array<i64: 1, 0, 2, 0>, stride = array<i64: 1, 2>, dilation = array<i64: 1, 1>}
    : (tensor<1x4x6x1xf32>, tensor<1x2x2x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x1xf32>
  %r = tosa.clamp %y {min_val = 0.0 : f32, max_val = 3.4028235e38 : f32} : (tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>
  %p = tosa.max_pool2d %r {kernel = array<i64: 2, 2>, pad = array<i64: 1, 1, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x4x4x1xf32>) -> tensor<1x3x2x1xf32>
  %t = tosa.transpose %p {perms = array<i32: 0, 3, 1, 2>} : (tensor<1x3x2x1xf32>) -> tensor<1x1x3x2xf32>
  %s = tosa.const_shape {values = dense<[1, 1, 6]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %f = tosa.reshape %t, %s : (tensor<1x1x3x2xf32>, !tosa.shape<3>) -> tensor<1x1x6xf32>
  %m = tosa.matmul %f, %w2, %z, %z {a2q.activation = !b}
    : (tensor<1x1x6xf32>, tensor<1x6x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x1xf32>
  return %m : tensor<1x1x1xf32>
}

// -----

// The residual wants reals, so all that reads the first layer reads its reals,
// which are quantized once for the two layers that agree on a type.
!a = !quant.uniform<i8:f32, 0.5>
!c = !quant.uniform<i8:f32, 0.25>

// CHECK-LABEL: func @residual(
// CHECK: a2q.matmul
// CHECK: %[[Y:.*]] = linalg.generic
// CHECK: %[[Q:.*]] = a2q.quantize %[[Y]]
// CHECK: a2q.matmul %[[Q]]
// CHECK-NOT: a2q.requantize
// CHECK: a2q.matmul %[[Q]]
// CHECK: tosa.add
// CHECK: tosa.add %{{.*}}, %[[Y]]
func.func @residual(%x: tensor<1x1x2xf32>) -> tensor<1x1x2xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !a}
    : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  %1 = tosa.matmul %0, %w, %z, %z {a2q.activation = !c}
    : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  %2 = tosa.matmul %0, %w, %z, %z {a2q.activation = !c}
    : (tensor<1x1x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x2xf32>
  %3 = tosa.add %1, %2 : (tensor<1x1x2xf32>, tensor<1x1x2xf32>) -> tensor<1x1x2xf32>
  %4 = tosa.add %3, %0 : (tensor<1x1x2xf32>, tensor<1x1x2xf32>) -> tensor<1x1x2xf32>
  return %4 : tensor<1x1x2xf32>
}

// -----

// linalg: padding that an op of its own puts around the image belongs to the
// layer; depthwise; a maximum is a clamp, and one that leaves the codes no zero
// stays where it is.
!a = !quant.uniform<u8:f32, 0.5>
!b = !quant.uniform<i8:f32, 0.25>
#id = affine_map<(n, h, w, c) -> (n, h, w, c)>

// CHECK-LABEL: func @linalg(
// CHECK: a2q.conv_2d {{.*}} padding [1, 0, 0, 1] groups 2
// CHECK: %[[R:.*]] = a2q.requantize {{.*}} to tensor<1x3x3x2x!quant.uniform<i8<0:127>:f32, 2.500000e-01>>
// CHECK-NOT: linalg.generic
// CHECK: linalg.pooling_nhwc_max {{.*}} tensor<1x2x2x2xi8>
// CHECK: a2q.conv_2d {{.*}}x!quant.uniform<i8<0:127>:f32, 2.500000e-01>>
// CHECK: linalg.generic
// CHECK: %[[MAX:.*]] = linalg.generic
// CHECK: arith.maximumf
// CHECK: a2q.quantize %[[MAX]]
func.func @linalg(%x: tensor<1x3x3x2xf32>) -> tensor<1x2x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %w1 = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]], [[1.0, -2.0], [3.0, 4.0]]]> : tensor<2x2x2xf32>
  %w2 = arith.constant dense<1.0> : tensor<1x1x2x2xf32>
  %p = tensor.pad %x low[0, 1, 0, 0] high[0, 0, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x3x3x2xf32> to tensor<1x4x4x2xf32>
  %e = tensor.empty() : tensor<1x3x3x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %y = linalg.depthwise_conv_2d_nhwc_hwc {a2q.activation = !a} ins(%p, %w1 : tensor<1x4x4x2xf32>, tensor<2x2x2xf32>)
      outs(%f : tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y : tensor<1x3x3x2xf32>) outs(%e : tensor<1x3x3x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf ugt, %in, %zero : f32
    %m = arith.select %c, %in, %zero : f32
    linalg.yield %m : f32
  } -> tensor<1x3x3x2xf32>
  %e2 = tensor.empty() : tensor<1x2x2x2xf32>
  %f2 = linalg.fill ins(%low : f32) outs(%e2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %k2 = tensor.empty() : tensor<2x2xf32>
  %q = linalg.pooling_nhwc_max ins(%r, %k2 : tensor<1x3x3x2xf32>, tensor<2x2xf32>) outs(%f2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y2 = linalg.conv_2d_nhwc_hwcf {a2q.activation = !b} ins(%q, %w2 : tensor<1x2x2x2xf32>, tensor<1x1x2x2xf32>)
      outs(%f3 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %r2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%y2 : tensor<1x2x2x2xf32>) outs(%e2 : tensor<1x2x2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.maximumf %in, %one : f32
    linalg.yield %m : f32
  } -> tensor<1x2x2x2xf32>
  %y3 = linalg.conv_2d_nhwc_hwcf {a2q.activation = !b} ins(%r2, %w2 : tensor<1x2x2x2xf32>, tensor<1x1x2x2xf32>)
      outs(%f3 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %y3 : tensor<1x2x2x2xf32>
}

// -----

// Channel 0 is all zeros: its scale suits the bias, 1.5 = 2^20 units. Channel 1
// is zeros without a bias. Channel 2 is so small beside its bias that its scale
// is that of the bias.
!a = !quant.uniform<u8:f32, 0.5>

// CHECK-LABEL: func @zeros(
// CHECK: dense<{{\[\[}}0, 0], [0, 0], [0, 1]]> : tensor<3x2xi8>
// CHECK: !quant.uniform<i8<-127:127>:f32:0, {2.86102294921875E-6,1.000000e+00,1.862645149230957E-9}>
// CHECK: dense<[1048576, 0, 1073741824]> : tensor<3xi32>
func.func @zeros(%x: tensor<1x1x2xf32>) -> tensor<1x1x3xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[0.0, 0.0, 1.0e-20], [-0.0, 0.0, 1.0e-9]]]> : tensor<1x2x3xf32>}> : () -> tensor<1x2x3xf32>
  %b = "tosa.const"() <{values = dense<[[[1.5, 0.0, 1.0]]]> : tensor<1x1x3xf32>}> : () -> tensor<1x1x3xf32>
  %0 = tosa.matmul %x, %w, %z, %z {a2q.activation = !a}
    : (tensor<1x1x2xf32>, tensor<1x2x3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1x3xf32>
  %1 = tosa.add %0, %b : (tensor<1x1x3xf32>, tensor<1x1x3xf32>) -> tensor<1x1x3xf32>
  return %1 : tensor<1x1x3xf32>
}

// -----

// Parts of an image, joined again, and borders of a constant: 1.0 is the code 7.
// The image is quantized before it is parted, once.
!a = !quant.uniform<u8<0:15>:f32, 0.25:3>

// CHECK-LABEL: func @groups(
// CHECK: a2q.quantize
// CHECK-NOT: a2q.quantize
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [1, 3, 3, 1] [1, 1, 1, 1] : tensor<1x3x3x2xi8>
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 1] [1, 3, 3, 1] [1, 1, 1, 1] : tensor<1x3x3x2xi8>
// CHECK: a2q.requantize
// CHECK: a2q.requantize
// CHECK-NOT: a2q.quantize
// CHECK: %[[C:.*]] = tensor.concat dim(3) {{.*}} -> tensor<1x3x3x2xi8>
// CHECK: %[[ONE:.*]] = arith.constant 7 : i8
// CHECK: %[[P:.*]] = tensor.pad %[[C]] low[0, 0, 0, 0] high[0, 1, 1, 0]
// CHECK: tensor.yield %[[ONE]]
// CHECK: tensor.extract_slice %[[P]][0, 1, 1, 0] [1, 3, 3, 2]
// CHECK: a2q.conv_2d
func.func @groups(%x: tensor<1x3x3x2xf32>) -> tensor<1x2x2x2xf32> {
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %one = "tosa.const"() <{values = dense<1.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %b = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<1.0> : tensor<1x1x1x1xf32>}> : () -> tensor<1x1x1x1xf32>
  %w2 = "tosa.const"() <{values = dense<1.0> : tensor<2x2x2x2xf32>}> : () -> tensor<2x2x2x2xf32>
  %sz = tosa.const_shape {values = dense<[1, 3, 3, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %s0 = tosa.const_shape {values = dense<[0, 0, 0, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %s1 = tosa.const_shape {values = dense<[0, 0, 0, 1]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %p = tosa.const_shape {values = dense<[0, 0, 0, 1, 0, 1, 0, 0]> : tensor<8xindex>} : () -> !tosa.shape<8>
  %x0 = tosa.slice %x, %s0, %sz : (tensor<1x3x3x2xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x3x3x1xf32>
  %x1 = tosa.slice %x, %s1, %sz : (tensor<1x3x3x2xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x3x3x1xf32>
  %y0 = tosa.conv2d %x0, %w, %b, %z, %z {a2q.activation = !a, acc_type = f32, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}
    : (tensor<1x3x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x3x1xf32>
  %y1 = tosa.conv2d %x1, %w, %b, %z, %z {a2q.activation = !a, acc_type = f32, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}
    : (tensor<1x3x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x3x1xf32>
  %y = tosa.concat %y0, %y1 {axis = 3 : i32} : (tensor<1x3x3x1xf32>, tensor<1x3x3x1xf32>) -> tensor<1x3x3x2xf32>
  %q = tosa.pad %y, %p, %one : (tensor<1x3x3x2xf32>, !tosa.shape<8>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  %s2 = tosa.const_shape {values = dense<[0, 1, 1, 0]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %sz2 = tosa.const_shape {values = dense<[1, 3, 3, 2]> : tensor<4xindex>} : () -> !tosa.shape<4>
  %r = tosa.slice %q, %s2, %sz2 : (tensor<1x4x4x2xf32>, !tosa.shape<4>, !tosa.shape<4>) -> tensor<1x3x3x2xf32>
  %b2 = "tosa.const"() <{values = dense<0.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %o = tosa.conv2d %r, %w2, %b2, %z, %z {a2q.activation = !a, acc_type = f32, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}
    : (tensor<1x3x3x2xf32>, tensor<2x2x2x2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x2xf32>
  return %o : tensor<1x2x2x2xf32>
}
