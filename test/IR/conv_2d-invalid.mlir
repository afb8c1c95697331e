// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// An image without a batch.
func.func @conv_2d_c1(%x: tensor<8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have rank 4}}
  %y = a2q.conv_2d %x, %w : tensor<8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Rank 0.
func.func @conv_2d_c1_rank0(%x: tensor<!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have rank 4}}
  %y = a2q.conv_2d %x, %w : tensor<!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<!a2q.acc<16>>
  return
}

// -----

// A dynamic image.
func.func @conv_2d_c1_dynamic(%x: tensor<1x?x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have static sizes that are not 0}}
  %y = a2q.conv_2d %x, %w : tensor<1x?x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x?x6x2x!a2q.acc<16>>
  return
}

// -----

// A kernel without rows.
func.func @conv_2d_c1_zero(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x0x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have static sizes that are not 0}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x0x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// No input channel.
func.func @conv_2d_c1_channels(%x: tensor<1x8x8x0x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x0x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have static sizes that are not 0}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x0x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x0x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// A product of sizes that overflows 64 bits.
func.func @conv_2d_c1_huge(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x4294967296x4294967296x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{sums more than 16777216 products}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x4294967296x4294967296x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// A stride of 0.
func.func @conv_2d_c2(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{strides [0, 1] must be 2 integers of at least 1}}
  %y = a2q.conv_2d %x, %w strides [0, 1] : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// One stride.
func.func @conv_2d_c2_count(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{strides [1] must be 2 integers of at least 1}}
  %y = a2q.conv_2d %x, %w strides [1] : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// A negative dilation.
func.func @conv_2d_c2_dilations(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{dilations [1, -1] must be 2 integers of at least 1}}
  %y = a2q.conv_2d %x, %w dilations [1, -1] : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Negative padding is a slice.
func.func @conv_2d_c2_padding(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{padding [0, 0, 0, -1] must be 4 integers of at least 0}}
  %y = a2q.conv_2d %x, %w padding [0, 0, 0, -1] : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// No group.
func.func @conv_2d_c3(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{0 groups do not divide 4 input and 2 output channels}}
  %y = a2q.conv_2d %x, %w groups 0 : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Three groups of four channels.
func.func @conv_2d_c3_input(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<3x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{3 groups do not divide 4 input and 3 output channels}}
  %y = a2q.conv_2d %x, %w groups 3 : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<3x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x3x!a2q.acc<16>>
  return
}

// -----

// Three filters in two groups.
func.func @conv_2d_c3_output(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<3x3x3x2x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{2 groups do not divide 4 input and 3 output channels}}
  %y = a2q.conv_2d %x, %w groups 2 : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<3x3x3x2x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x3x!a2q.acc<16>>
  return
}

// -----

// Filters as deep as the image in two groups.
func.func @conv_2d_c3_filter(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{into filters of 4 input channels}}
  %y = a2q.conv_2d %x, %w groups 2 : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// The size with padding, without padding.
func.func @conv_2d_c4(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{must have shape [1, 6, 6, 2]}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x8x8x2x!a2q.acc<16>>
  return
}

// -----

// A kernel larger than the image.
func.func @conv_2d_c4_kernel(%x: tensor<1x2x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{kernel spans 3 positions, the padded image has 2}}
  %y = a2q.conv_2d %x, %w : tensor<1x2x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x0x6x2x!a2q.acc<16>>
  return
}

// -----

// A dilation that overflows 64 bits.
func.func @conv_2d_c4_huge(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{kernel spans 18446744073709551615 positions}}
  %y = a2q.conv_2d %x, %w dilations [9223372036854775807, 1] : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Padding that overflows 64 bits.
func.func @conv_2d_c4_huge_padding(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{result would have 18446744073709551620 positions along dimension 1}}
  %y = a2q.conv_2d %x, %w padding [9223372036854775807, 0, 9223372036854775807, 0] : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Weights are symmetric.
func.func @conv_2d_c5(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5:1>>) {
  // expected-error @+1 {{filter has zero point 1 in channel 0, weights have zero point 0}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5:1>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// A scale per input channel cannot leave the sum.
func.func @conv_2d_c5_axis(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32:3, {0.5, 0.5, 0.5, 0.5}>>) {
  // expected-error @+1 {{filter is quantized along dimension 3}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32:3, {0.5, 0.5, 0.5, 0.5}>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// The same on the other side.
func.func @conv_2d_c5_input(%x: tensor<1x8x8x4x!quant.uniform<i8<-7:7>:f32:3, {0.5, 0.5, 0.5, 0.5}>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{input must be quantized per tensor}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<i8<-7:7>:f32:3, {0.5, 0.5, 0.5, 0.5}>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// A zero point that is no code.
func.func @conv_2d_c6(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1:300>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{input has zero point 300, outside its codes [0, 15]}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1:300>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Three scales for two filters.
func.func @conv_2d_c6_filter(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32:0, {0.5, 0.5, 0.5}>>) {
  // expected-error @+1 {{filter has 3 scales along dimension 0}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32:0, {0.5, 0.5, 0.5}>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// One initial value for two channels.
func.func @conv_2d_c7(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>, %i: tensor<1xi32>) {
  // expected-error @+1 {{expected one integer for each of 2 channels}}
  %y = a2q.conv_2d %x, %w initial %i : tensor<1xi32> : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// K counts the kernel positions as well.
func.func @conv_2d_c8(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{schedule ends at product 4, the reduction length is 36}}
  %y = a2q.conv_2d %x, %w schedule <ends = [[4]]> : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// Starts per input channel.
func.func @conv_2d_c8_channels(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{starts of stage 0 are for 4 channels, the op has 2}}
  %y = a2q.conv_2d %x, %w schedule <ends = [[36]], starts = [dense<1> : tensor<4x1x1xi8>]> : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}

// -----

// The type claims shorter tiles.
func.func @conv_2d_c9(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{stage 0 has tiles of up to 18 products, its type says 12}}
  %y = a2q.conv_2d %x, %w schedule <ends = [[18, 36], [36]]> : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<8 x 12, 32>>
  return
}

// -----

// Two stages without a schedule.
func.func @conv_2d_c9_none(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, %w: tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>) {
  // expected-error @+1 {{an accumulator of 2 stages needs a schedule}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<8 x 12, 32>>
  return
}

// -----

// A weight outside its bit width.
func.func @conv_2d_c10(%x: tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  %c = arith.constant dense<-8> : tensor<2x3x3x4xi8>
  %w = quant.scast %c : tensor<2x3x3x4xi8> to tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>>
  // expected-error @+1 {{filter has code -8, its type holds [-7, 7]}}
  %y = a2q.conv_2d %x, %w : tensor<1x8x8x4x!quant.uniform<u8<0:15>:f32, 0.1>>, tensor<2x3x3x4x!quant.uniform<i8<-7:7>:f32, 0.5>> -> tensor<1x6x6x2x!a2q.acc<16>>
  return
}
