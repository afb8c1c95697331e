// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Rank 1.
func.func @matmul_c1(%x: tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have rank 2 or more}}
  %y = a2q.matmul %x, %w : tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<2x!a2q.acc<16>>
  return
}

// -----

// Rank 0.
func.func @matmul_c1_rank0(%x: tensor<!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have rank 2 or more}}
  %y = a2q.matmul %x, %w : tensor<!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<!a2q.acc<16>>
  return
}

// -----

// Weights of rank 1.
func.func @matmul_c1_rhs(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have rank 2 or the batch dimensions}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x1x!a2q.acc<16>>
  return
}

// -----

// Three batches against two.
func.func @matmul_c1_batch(%x: tensor<3x1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have rank 2 or the batch dimensions}}
  %y = a2q.matmul %x, %w : tensor<3x1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<3x1x2x!a2q.acc<16>>
  return
}

// -----

// Four terms against five.
func.func @matmul_c2(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x5x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must agree, be static and from 1 to 16777216}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x5x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A dynamic reduction cannot be proven.
func.func @matmul_c2_dynamic(%x: tensor<1x?x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x?x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must agree, be static and from 1 to 16777216}}
  %y = a2q.matmul %x, %w : tensor<1x?x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x?x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// K = 0.
func.func @matmul_c2_zero(%x: tensor<1x0x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x0x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must agree, be static and from 1 to 16777216}}
  %y = a2q.matmul %x, %w : tensor<1x0x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x0x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A length that must not be allocated.
func.func @matmul_c2_huge(%x: tensor<1x4611686018427387904x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4611686018427387904x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must agree, be static and from 1 to 16777216}}
  %y = a2q.matmul %x, %w : tensor<1x4611686018427387904x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4611686018427387904x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// No output channel.
func.func @matmul_c2_channels(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<0x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{has no output channel}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<0x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x0x!a2q.acc<16>>
  return
}

// -----

// One channel too many.
func.func @matmul_c3(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have shape [1, 2]}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x3x!a2q.acc<16>>
  return
}

// -----

// A row where a matrix is due.
func.func @matmul_c3_rank(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have shape [1, 2]}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<2x!a2q.acc<16>>
  return
}

// -----

// Weights are symmetric.
func.func @matmul_c4(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<1> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5:1>>
  // expected-error @+1 {{rhs has zero point 1 in channel 0, weights have zero point 0}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5:1>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// The second channel is not symmetric.
func.func @matmul_c4_channel(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<1> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!quant.uniform<i8<-7:7>:f32:0, {0.5, 0.5:-3}>>
  // expected-error @+1 {{rhs has zero point -3 in channel 1, weights have zero point 0}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32:0, {0.5, 0.5:-3}>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A scale per term cannot leave the sum.
func.func @matmul_c4_axis(%x: tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<1> : tensor<2x2xi8>
  %w = quant.scast %c : tensor<2x2xi8> to tensor<2x2x!quant.uniform<i8<-7:7>:f32:1, {0.5, 0.5}>>
  // expected-error @+1 {{rhs is quantized along dimension 1, weights have their output channels along dimension 0}}
  %y = a2q.matmul %x, %w : tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x2x!quant.uniform<i8<-7:7>:f32:1, {0.5, 0.5}>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A scale per term, on the other side.
func.func @matmul_c4_lhs(%x: tensor<1x2x!quant.uniform<u8:f32:1, {0.1, 0.2}>>, %w: tensor<2x2x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{lhs must be quantized per tensor}}
  %y = a2q.matmul %x, %w : tensor<1x2x!quant.uniform<u8:f32:1, {0.1, 0.2}>>, tensor<2x2x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// Activations have one scale.
func.func @matmul_c4_activations(%x: tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x2x!quant.uniform<i8:f32:0, {0.1, 0.2}>>) {
  // expected-error @+1 {{rhs must be quantized per tensor}}
  %y = a2q.matmul %x, %w : tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x2x!quant.uniform<i8:f32:0, {0.1, 0.2}>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A zero point that is no code.
func.func @matmul_c5(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1:-1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{lhs has zero point -1, outside its codes [0, 15]}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1:-1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// Three initial values for two channels.
func.func @matmul_c6(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>, %i: tensor<3xi32>) {
  // expected-error @+1 {{expected one integer for each of 2 channels}}
  %y = a2q.matmul %x, %w initial %i : tensor<3xi32> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A scalar initial value.
func.func @matmul_c6_rank0(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>, %i: tensor<i32>) {
  // expected-error @+1 {{expected one integer for each of 2 channels}}
  %y = a2q.matmul %x, %w initial %i : tensor<i32> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A real initial value.
func.func @matmul_c6_float(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>, %i: tensor<2xf32>) {
  // expected-error @+1 {{must be ranked tensor of integers}}
  %y = a2q.matmul %x, %w initial %i : tensor<2xf32> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A schedule of another length.
func.func @matmul_c7(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{schedule ends at product 3, the reduction length is 4}}
  %y = a2q.matmul %x, %w schedule <ends = [[3]]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// Starts of another number of channels.
func.func @matmul_c7_channels(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{starts of stage 0 are for 3 channels, the op has 2}}
  %y = a2q.matmul %x, %w schedule <ends = [[4]], starts = [dense<1> : tensor<3x1x1xi8>]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// Starts that must not be expanded.
func.func @matmul_c7_huge(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{starts of stage 0 must be 0 or integer elements}}
  %y = a2q.matmul %x, %w schedule <ends = [[4]], starts = [dense<1> : tensor<4611686018427387904x1x1xi8>]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A resource that the file does not hold.
func.func @matmul_c7_absent(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{starts of stage 0 are a resource that is absent or of another size}}
  %y = a2q.matmul %x, %w schedule <ends = [[4]], starts = [dense_resource<nowhere> : tensor<2x1x1xi64>]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// A resource of two starts for 2 channels and 2 tiles.
func.func @matmul_c7_size(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{starts of stage 0 are a resource that is absent or of another size}}
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]], starts = [dense_resource<two> : tensor<2x2x1xi64>, 0]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<8 x 2, 16>>
  return
}

{-#
  dialect_resources: {
    builtin: {
      two: "0x0800000001000000000000000200000000000000"
    }
  }
#-}

// -----

// The type claims longer tiles.
func.func @matmul_c8(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{stage 0 has tiles of up to 2 products, its type says 3}}
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<8 x 3, 16>>
  return
}

// -----

// The type has fewer stages.
func.func @matmul_c8_stages(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{schedule has 2 stages, the accumulator 1}}
  %y = a2q.matmul %x, %w schedule <ends = [[2, 4], [4]]> : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// Two stages without a schedule.
func.func @matmul_c8_none(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{an accumulator of 2 stages needs a schedule}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<8 x 2, 16>>
  return
}

// -----

// A weight outside its bit width.
func.func @matmul_c9(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<[[1, 2, 3, 4], [1, 2, 3, 8]]> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>
  // expected-error @+1 {{rhs has code 8, its type holds [-7, 7]}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// The same in a splat.
func.func @matmul_c9_splat(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<-128> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>>
  // expected-error @+1 {{rhs has code -128, its type holds [-7, 7]}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x2x!a2q.acc<16>>
  return
}

// -----

// Codes of unsigned types are zero-extended.
func.func @matmul_c9_unsigned(%x: tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<-1> : tensor<2x4xi8>
  %w = quant.scast %c : tensor<2x4xi8> to tensor<2x4x!quant.uniform<u8<0:15>:f32, 0.1>>
  // expected-error @+1 {{rhs has code 255, its type holds [0, 15]}}
  %y = a2q.matmul %x, %w : tensor<1x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4x!quant.uniform<u8<0:15>:f32, 0.1>> -> tensor<1x2x!a2q.acc<16>>
  return
}
