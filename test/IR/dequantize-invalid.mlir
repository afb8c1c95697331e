// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Four codes, five values.
func.func @dequantize_c1(%x: tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  // expected-error @+1 {{must have the same shape}}
  %q = a2q.dequantize %x : tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>> to tensor<5xf32>
  return
}

// -----

// Values of another float type.
func.func @dequantize_c2(%x: tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>>) {
  // expected-error @+1 {{must be ranked tensor of f32}}
  %q = a2q.dequantize %x : tensor<4x!quant.uniform<u8<0:15>:f32, 0.1>> to tensor<4xf16>
  return
}

// -----

// Codes that express another float type.
func.func @dequantize_c2_expressed(%x: tensor<4x!quant.uniform<u8:f16, 0.1>>) {
  // expected-error @+1 {{must express f32}}
  %q = a2q.dequantize %x : tensor<4x!quant.uniform<u8:f16, 0.1>> to tensor<4xf32>
  return
}

// -----

// A zero point that is no code.
func.func @dequantize_c3(%x: tensor<4x!quant.uniform<u8<0:15>:f32, 0.1:16>>) {
  // expected-error @+1 {{has zero point 16, outside its codes [0, 15]}}
  %q = a2q.dequantize %x : tensor<4x!quant.uniform<u8<0:15>:f32, 0.1:16>> to tensor<4xf32>
  return
}

// -----

// Two scales for three channels.
func.func @dequantize_c3_axis(%x: tensor<3x!quant.uniform<u8:f32:0, {0.1, 0.2}>>) {
  // expected-error @+1 {{has 2 scales along dimension 0}}
  %q = a2q.dequantize %x : tensor<3x!quant.uniform<u8:f32:0, {0.1, 0.2}>> to tensor<3xf32>
  return
}
