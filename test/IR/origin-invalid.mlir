// RUN: a2q-opt %s --verify-diagnostics --split-input-file

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// A key of no meaning.
func.func @a2q_c7(%x: tensor<1x4x!x>, %w: tensor<3x4x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{a2q.origin has 'signed', expected unsigned_weights}}
  %y = a2q.matmul %x, %w {a2q.origin = {signed}} : tensor<1x4x!x>, tensor<3x4x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Two zero points of three channels.
func.func @a2q_c7_zero_points(%x: tensor<1x4x!x>, %w: tensor<3x4x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{a2q.origin has 2 weight_zero_points, expected one or one per channel}}
  %y = a2q.matmul %x, %w {a2q.origin = {weight_zero_points = array<i64: 1, 2>}} : tensor<1x4x!x>, tensor<3x4x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// An image of eight elements.
func.func @a2q_c7_image(%x: tensor<1x4x!x>, %w: tensor<3x4x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{a2q.origin has an image of [2, 2, 2], expected three sizes whose product is K}}
  %y = a2q.matmul %x, %w {a2q.origin = {image = array<i64: 2, 2, 2>}} : tensor<1x4x!x>, tensor<3x4x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
// Sizes that multiply to K with a sign to spare.
func.func @a2q_c7_sign(%x: tensor<1x4x!x>, %w: tensor<3x4x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{a2q.origin has an image of [-2, -2, 1]}}
  %y = a2q.matmul %x, %w {a2q.origin = {image = array<i64: -2, -2, 1>}} : tensor<1x4x!x>, tensor<3x4x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

// An op that sums nothing.
func.func @a2q_c7_op(%x: tensor<4xi8>) -> tensor<4xi8> {
  // expected-error @+1 {{a2q.origin is a dictionary of an op that accumulates}}
  %y = arith.addi %x, %x {a2q.origin = {}} : tensor<4xi8>
  return %y : tensor<4xi8>
}
