// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Nothing was seen.
// expected-error @+1 {{moments need at least one sample, found 0}}
func.func private @moments_c1() attributes {m = #a2q.moments<samples = 0, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>>}

// -----

// A mean without groups.
// expected-error @+1 {{the mean of moments must be f64 elements of shape [groups, K], found 'tensor<2xf64>'}}
func.func private @moments_c1_rank() attributes {m = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<2xf64>, products = dense<1.0> : tensor<1x2xf64>>}

// -----

// Single precision does not hold sums of products.
// expected-error @+1 {{the mean of moments must be f64 elements of shape [groups, K], found 'tensor<1x2xf32>'}}
func.func private @moments_c1_type() attributes {m = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf32>, products = dense<1.0> : tensor<1x2xf64>>}

// -----

// No group.
// expected-error @+1 {{the mean of moments must be f64 elements of shape [groups, K], found 'tensor<0x2xf64>'}}
func.func private @moments_c1_empty() attributes {m = #a2q.moments<samples = 1, mean = dense<> : tensor<0x2xf64>, products = dense<> : tensor<0x2xf64>>}

// -----

// Products of three terms, means of two.
// expected-error @+1 {{the products of moments must be f64 elements of shape [1, 2, 2] or [1, 2], found 'tensor<1x3x3xf64>'}}
func.func private @moments_c2() attributes {m = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x3x3xf64>>}

// -----

// A mean without a variance.
// expected-error @+1 {{moments have sum_mean and sum_variance, or neither}}
func.func private @moments_c3() attributes {m = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>, sum_mean = dense<1.0> : tensor<3xf64>>}

// -----

// Means of three channels, variances of two.
// expected-error @+1 {{sums of moments must be f64 elements of one shape [channels], found 'tensor<2xf64>'}}
func.func private @moments_c3_shape() attributes {m = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>, sum_mean = dense<1.0> : tensor<3xf64>, sum_variance = dense<1.0> : tensor<2xf64>>}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Not one of ours.
func.func @a2q_c4(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.moments` must be a #a2q.moments, found 4 : i64}}
  %y = a2q.matmul %x, %w {a2q.moments = 4 : i64} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

// An op that sums nothing.
func.func @a2q_c4_op() {
  // expected-error @+1 {{a2q.moments belong to an op that accumulates}}
  "test.op"() {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>>} : () -> ()
  return
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Moments of three terms, sums of two.
func.func @a2q_c4_terms(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments are of 1 groups of 3 terms, the op has 1 of 2}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x3xf64>, products = dense<1.0> : tensor<1x3xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// A depthwise convolution has a group per channel.
func.func @a2q_c4_groups(%x: tensor<1x8x8x4x!x>, %w: tensor<4x3x3x1x!w>) -> tensor<1x6x6x4x!a2q.acc<16>> {
  // expected-error @+1 {{moments are of 1 groups of 9 terms, the op has 4 of 9}}
  %y = a2q.conv_2d %x, %w groups 4 {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x9xf64>, products = dense<1.0> : tensor<1x9xf64>>} : tensor<1x8x8x4x!x>, tensor<4x3x3x1x!w> -> tensor<1x6x6x4x!a2q.acc<16>>
  return %y : tensor<1x6x6x4x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Sums of two channels, an op with three.
func.func @a2q_c4_channels(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments have sums of 2 channels, the op has 3}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>, sum_mean = dense<1.0> : tensor<2xf64>, sum_variance = dense<1.0> : tensor<2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// NaN.
func.func @a2q_c5(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments must be finite, found nan}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0x7FF8000000000000> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// A resource that the file does not hold.
func.func @a2q_c5_resource(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments are a resource that is absent or of another size}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense_resource<nowhere> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// The square of a mean of 3 is 9.
func.func @a2q_c5_square(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of term 1 in group 0 contradict each other: the mean square is 8}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<[[0.0, 3.0]]> : tensor<1x2xf64>, products = dense<8.0> : tensor<1x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Two inputs vary together by more than by themselves.
func.func @a2q_c5_minor(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of group 0 are wrong: the mean product of activations 0 and 1 is 5, and their mean squares are 1 and 1}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<[[[1.0, 5.0], [5.0, 1.0]]]> : tensor<1x2x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// What is always 0 has no products.
func.func @a2q_c5_zeros(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of group 0 are wrong: the mean product of activations 0 and 1 is 1, and their mean squares are 0 and 2}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<[[[0.0, 1.0], [1.0, 2.0]]]> : tensor<1x2x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Sums of these would be infinite.
func.func @a2q_c5_large(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of group 0 are wrong: the mean square of activation 1 is 1e+300, expected at most 1e+250}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<[[[1.0, 0.0], [0.0, 1.0e300]]]> : tensor<1x2x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// The same of a diagonal.
func.func @a2q_c5_large_diagonal(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of group 0 are wrong: the mean square of activation 0 is 1e+300, expected at most 1e+250}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0e300> : tensor<1x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// A mean square of -1.
func.func @a2q_c5_negative(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of term 0 in group 0 contradict each other: the mean square is -1}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<-1.0> : tensor<1x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Not symmetric.
func.func @a2q_c5_symmetric(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{moments of group 0 are not symmetric}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<[[[1.0, 0.5], [0.25, 1.0]]]> : tensor<1x2x2xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// A negative variance.
func.func @a2q_c5_variance(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{the sum of channel 0 has variance -1}}
  %y = a2q.matmul %x, %w {a2q.moments = #a2q.moments<samples = 1, mean = dense<0.0> : tensor<1x2xf64>, products = dense<1.0> : tensor<1x2xf64>, sum_mean = dense<1.0> : tensor<3xf64>, sum_variance = dense<-1.0> : tensor<3xf64>>} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}
