// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// One end.
// expected-error @+1 {{`a2q.range` must be [lo, hi] or {axis, lo, hi} with 64-bit integers, found [0]}}
func.func private @a2q_c1(tensor<4xi8> {a2q.range = [0]})

// -----

// Real ends.
// expected-error @+1 {{`a2q.range` must be [lo, hi] or {axis, lo, hi}}}
func.func private @a2q_c1_type(tensor<4xi8> {a2q.range = [0.0, 1.0]})

// -----

// The ends swapped.
// expected-error @+1 {{`a2q.range` [1, 0] has no element, its ends are swapped}}
func.func private @a2q_c1_order(tensor<4xi8> {a2q.range = [1, 0]})

// -----

// Another kind of array.
// expected-error @+1 {{`a2q.range` must be [lo, hi] or {axis, lo, hi}}}
func.func private @a2q_c1_array(tensor<4xi8> {a2q.range = array<i64: 0, 1>})

// -----

// Reals have no range of integers.
// expected-error @+1 {{`a2q.range` belongs to integers of at most 64 bits or codes}}
func.func private @a2q_c2(tensor<4xf32> {a2q.range = [0, 1]})

// -----

// Two results, one range.
func.func @a2q_c2_results() {
  // expected-error @+1 {{a2q.range belongs to an op with one result, found 2}}
  %0:2 = "test.op"() {a2q.range = [0, 1]} : () -> (i8, i8)
  return
}

// -----

// An i8 as signed ends at 127, as unsigned it begins at 0.
// expected-error @+1 {{`a2q.range` [-1, 200] does not fit the elements of 'tensor<4xi8>'}}
func.func private @a2q_c2_fit(tensor<4xi8> {a2q.range = [-1, 200]})

// -----

// Codes of this type end at 15, whatever stores them.
// expected-error @+1 {{`a2q.range` [0, 16] does not fit the elements}}
func.func private @a2q_c2_codes(tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>> {a2q.range = [0, 16]})

// -----

// Three ranges, four elements.
// expected-error @+1 {{`a2q.range` has 3 ranges along dimension 0, 'tensor<4xi8>' does not}}
func.func private @a2q_c3(tensor<4xi8> {a2q.range = {axis = 0, lo = array<i64: 0, 0, 0>, hi = array<i64: 1, 2, 3>}})

// -----

// No such dimension.
// expected-error @+1 {{`a2q.range` has 1 ranges along dimension 1, 'tensor<1xi8>' does not}}
func.func private @a2q_c3_axis(tensor<1xi8> {a2q.range = {axis = 1, lo = array<i64: 0>, hi = array<i64: 1>}})

// -----

// No sum, no constraint.
func.func @a2q_c6_op() {
  // expected-error @+1 {{`a2q.constrain` belongs to an op that accumulates}}
  "test.op"() {a2q.constrain = {width = 8}} : () -> ()
  return
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain` must be a dictionary, found 8 : i64}}
  %y = a2q.matmul %x, %w {a2q.constrain = 8} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_key(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+2 {{`a2q.constrain`: unknown key 'widht'}}
  // expected-note @+1 {{known keys: bound, method, skip, tile, width}}
  %y = a2q.matmul %x, %w {a2q.constrain = {widht = 8}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_width(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain`: an accumulator has from 1 to 64 bits, found 4294967304}}
  %y = a2q.matmul %x, %w {a2q.constrain = {width = 4294967304}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_type(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain`: `width` must be an integer, found "8"}}
  %y = a2q.matmul %x, %w {a2q.constrain = {width = "8"}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_tile(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain`: a tile has at least one term, or is 0 for all of them, found -1}}
  %y = a2q.matmul %x, %w {a2q.constrain = {tile = -1}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_method(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+2 {{`a2q.constrain`: unknown method 'best'}}
  // expected-note @+1 {{known methods: a2q, a2q-plus}}
  %y = a2q.matmul %x, %w {a2q.constrain = {method = "best"}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_bound(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain`: unknown bound 'tight'}}
  %y = a2q.matmul %x, %w {a2q.constrain = {bound = "tight"}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_skip(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain`: `skip` must be true or false, found 1 : i64}}
  %y = a2q.matmul %x, %w {a2q.constrain = {skip = 1}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}

// -----

!x = !quant.uniform<u8<0:15>:f32, 0.1>
!w = !quant.uniform<i8<-7:7>:f32, 0.5>
func.func @a2q_c6_skip_width(%x: tensor<1x2x!x>, %w: tensor<3x2x!w>) -> tensor<1x3x!a2q.acc<16>> {
  // expected-error @+1 {{`a2q.constrain`: `skip` leaves the layer as it is, and `width` asks for other weights}}
  %y = a2q.matmul %x, %w {a2q.constrain = {skip, width = 9}} : tensor<1x2x!x>, tensor<3x2x!w> -> tensor<1x3x!a2q.acc<16>>
  return %y : tensor<1x3x!a2q.acc<16>>
}
