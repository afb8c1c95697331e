// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Four values, five codes.
func.func @quantize_c1(%x: tensor<4xf32>) {
  // expected-error @+1 {{must have the same shape}}
  %q = a2q.quantize %x : tensor<4xf32> to tensor<5x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A dynamic size is not known to be 4.
func.func @quantize_c1_dynamic(%x: tensor<?xf32>) {
  // expected-error @+1 {{must have the same shape}}
  %q = a2q.quantize %x : tensor<?xf32> to tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Values of another float type.
func.func @quantize_c2(%x: tensor<4xf64>) {
  // expected-error @+1 {{must be ranked tensor of f32}}
  %q = a2q.quantize %x : tensor<4xf64> to tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Codes that express another float type.
func.func @quantize_c2_expressed(%x: tensor<4xf32>) {
  // expected-error @+1 {{must express f32}}
  %q = a2q.quantize %x : tensor<4xf32> to tensor<4x!quant.uniform<u8:f16, 0.1>>
  return
}

// -----

// No rank.
func.func @quantize_c2_unranked(%x: tensor<*xf32>) {
  // expected-error @+1 {{invalid kind of type specified}}
  %q = a2q.quantize %x : tensor<*xf32> to tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Sub-channel types are not supported.
func.func @quantize_c2_subchannel(%x: tensor<4x4xf32>) {
  // expected-error @+1 {{must be ranked tensor of uniform quantized values}}
  %q = a2q.quantize %x : tensor<4x4xf32> to tensor<4x4x!quant.uniform<i8:f32:{0:2, 1:2}, {{1.0, 2.0}, {3.0, 4.0}}>>
  return
}

// -----

// A zero point that is no code (upstream accepts it).
func.func @quantize_c3(%x: tensor<4xf32>) {
  // expected-error @+1 {{has zero point 16, outside its codes [0, 15]}}
  %q = a2q.quantize %x : tensor<4xf32> to tensor<4x!quant.uniform<u8<0:15>:f32, 0.1:16>>
  return
}

// -----

// Two scales for three channels.
func.func @quantize_c3_axis(%x: tensor<4x3xf32>) {
  // expected-error @+1 {{has 2 scales along dimension 1}}
  %q = a2q.quantize %x : tensor<4x3xf32> to tensor<4x3x!quant.uniform<u8:f32:1, {0.1, 0.2}>>
  return
}

// -----

// An axis that the shape does not have.
func.func @quantize_c3_no_axis(%x: tensor<2xf32>) {
  // expected-error @+1 {{has 2 scales along dimension 1}}
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!quant.uniform<u8:f32:1, {0.1, 0.2}>>
  return
}

// -----

// Rank 0 has no axis.
func.func @quantize_c3_rank0(%x: tensor<f32>) {
  // expected-error @+1 {{has 1 scales along dimension 0}}
  %q = a2q.quantize %x : tensor<f32> to tensor<!quant.uniform<u8:f32:0, {0.1}>>
  return
}

// -----

// A dynamic axis has no number of scales.
func.func @quantize_c3_dynamic_axis(%x: tensor<?xf32>) {
  // expected-error @+1 {{has 1 scales along dimension 0}}
  %q = a2q.quantize %x : tensor<?xf32> to tensor<?x!quant.uniform<u8:f32:0, {0.1}>>
  return
}

// -----

// A negative scale.
func.func @quantize_c3_scale(%x: tensor<2xf32>) {
  // expected-error @+1 {{out of expressed type range}}
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!quant.uniform<u8:f32, -0.1>>
  return
}

// -----

// A scale of 0.
func.func @quantize_c3_zero_scale(%x: tensor<2xf32>) {
  // expected-error @+1 {{out of expressed type range}}
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!quant.uniform<u8:f32, 0.0>>
  return
}

// -----

// NaN.
func.func @quantize_c3_nan(%x: tensor<2xf32>) {
  // expected-error @+1 {{result has scale nan, scales are positive and finite}}
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!quant.uniform<u8:f32, 0x7FF8000000000000>>
  return
}

// -----

// Infinity.
func.func @quantize_c3_infinite(%x: tensor<2xf32>) {
  // expected-error @+1 {{out of expressed type range}}
  %q = a2q.quantize %x : tensor<2xf32> to tensor<2x!quant.uniform<u8:f32, 0x7FF0000000000000>>
  return
}

// -----

// There is no shift to round by.
func.func @quantize_c4(%x: tensor<2xf32>) {
  // expected-error @+1 {{rounds by double, which is of products with a shift}}
  %q = a2q.quantize %x rounding double : tensor<2xf32> to tensor<2x!quant.uniform<u8:f32, 0.1>>
  return
}
