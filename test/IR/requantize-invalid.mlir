// RUN: a2q-opt %s --verify-diagnostics --split-input-file --allow-unregistered-dialect

// Two sums, three codes.
func.func @requantize_c1(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{must have the same shape}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x3x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Three multipliers for two channels.
func.func @requantize_c2(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multiplier has type 'tensor<3xf32>', expected 1 or 2 elements}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<3xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A scalar multiplier.
func.func @requantize_c2_rank(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{expected 1 or 2 elements}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<f32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// No channel.
func.func @requantize_c2_rank0(%y: tensor<!a2q.acc<16>>) {
  // expected-error @+1 {{has no channel dimension}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> : tensor<!a2q.acc<16>> to tensor<!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Three shifts for two channels.
func.func @requantize_c2_shift(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{shift has type}}
  %q = a2q.requantize %y multiplier dense<3> : tensor<2xi32> shift dense<1> : tensor<3xi8> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Three biases for two channels.
func.func @requantize_c2_bias(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{bias has type}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense<1> : tensor<3xi32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A resource that the file does not hold.
func.func @requantize_c2_resource(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multiplier must be dense elements}}
  %q = a2q.requantize %y multiplier dense_resource<nowhere> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// The same for the bias.
func.func @requantize_c2_bias_resource(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{bias must be dense elements}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense_resource<nowhere> : tensor<1xi32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A dynamic channel has no number of multipliers.
func.func @requantize_c2_dynamic(%y: tensor<1x?x!a2q.acc<16>>) {
  // expected-error @+1 {{expected 1 or}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<2xf32> : tensor<1x?x!a2q.acc<16>> to tensor<1x?x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A multiplier of 0.
func.func @requantize_c3(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be positive and finite, found 0}}
  %q = a2q.requantize %y multiplier dense<0.0> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A negative one.
func.func @requantize_c3_negative(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be positive and finite, found -1}}
  %q = a2q.requantize %y multiplier dense<-1.0> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// NaN.
func.func @requantize_c3_nan(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be positive and finite}}
  %q = a2q.requantize %y multiplier dense<0x7FC00000> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Infinity.
func.func @requantize_c3_infinite(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be positive and finite}}
  %q = a2q.requantize %y multiplier dense<0x7F800000> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Another float type: the product is defined in f32.
func.func @requantize_c3_f64(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be f32 without shift, or i32 with integer shifts}}
  %q = a2q.requantize %y multiplier dense<1.0> : tensor<1xf64> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A float multiplier with a shift.
func.func @requantize_c3_float_shift(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be f32 without shift, or i32 with integer shifts}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> shift dense<1> : tensor<1xi8> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A fixed-point multiplier without a shift.
func.func @requantize_c3_no_shift(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be f32 without shift, or i32 with integer shifts}}
  %q = a2q.requantize %y multiplier dense<1> : tensor<1xi32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A fixed-point multiplier of 0.
func.func @requantize_c3_fixed(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{multipliers must be positive, found 0}}
  %q = a2q.requantize %y multiplier dense<0> : tensor<1xi32> shift dense<1> : tensor<1xi8> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A shift that leaves nothing.
func.func @requantize_c3_shift(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{shifts are from 0 to 62, found 63}}
  %q = a2q.requantize %y multiplier dense<1> : tensor<1xi32> shift dense<63> : tensor<1xi8> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A left shift.
func.func @requantize_c3_left(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{shifts are from 0 to 62, found -1}}
  %q = a2q.requantize %y multiplier dense<1> : tensor<1xi32> shift dense<-1> : tensor<1xi8> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A real bias.
func.func @requantize_c4(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{expected signless integers of at most 64 bits}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense<1.0> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A bias wider than any sum.
func.func @requantize_c4_wide(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{expected signless integers of at most 64 bits}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense<1> : tensor<1xi65> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// A bias with a sign of its own.
func.func @requantize_c4_unsigned(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{expected signless integers of at most 64 bits}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> bias dense<1> : tensor<1xui32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}

// -----

// Two output scales.
func.func @requantize_c5(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{result must be quantized per tensor}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8:f32:1, {0.1, 0.2}>>
  return
}

// -----

// A zero point that is no code.
func.func @requantize_c5_zero(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{result has zero point 300, outside its codes [0, 255]}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8:f32, 0.1:300>>
  return
}

// -----

// The second rounding belongs to the shift.
func.func @requantize_c6(%y: tensor<1x2x!a2q.acc<16>>) {
  // expected-error @+1 {{rounds by double, which is of multipliers with a shift}}
  %q = a2q.requantize %y multiplier dense<0.1> : tensor<1xf32> rounding double : tensor<1x2x!a2q.acc<16>> to tensor<1x2x!quant.uniform<u8<0:15>:f32, 0.1>>
  return
}
